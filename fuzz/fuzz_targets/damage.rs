//! Any bytes, read as what they look like, are records or an error: never a panic or a hang.

#![no_main]

use std::io::Write;

use creel::{Compression, Damaged, Encoding, Invalid, ReadOptions, Run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, &[u8])| {
    use Compression::{Auto, Bzip2, Gzip, Lz4, Xz, Zstd};
    let (codec, encoding, bytes) = input;
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("it is written");
    let encodings = [Encoding::Auto, Encoding::Utf16Le, Encoding::Utf16Be, Encoding::Latin1];
    let options = ReadOptions::new()
        .compression([Auto, Gzip, Zstd, Bzip2, Xz, Lz4][usize::from(codec % 6)])
        .encoding(encodings[usize::from(encoding % 4)])
        .invalid(Invalid::Replace)
        .damaged(Damaged::Keep)
        // A few bytes can stand for very many.
        .max_record(1 << 20)
        .blocksize(64);
    let bag = options.read_text([file.path().to_string_lossy()]).expect("a path");
    let _ = Run::new().threads(1).compute_blocking(&bag.clone().take(10_000));
    // Lanes that help each other decode the pieces of one file.
    let _ = Run::new().threads(2).compute_blocking(&bag.count());
});
