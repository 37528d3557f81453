//! A decompressor alone: reads a file and throws the text away. For the benchmark of codecs.
//!
//!     cargo run --release --example decompress -- file.gz

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("decompress FILE")?;
    let file = BufReader::with_capacity(256 << 10, File::open(&path)?);
    let mut reader: Box<dyn Read> = match path.rsplit('.').next() {
        Some("gz" | "bgz") => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        Some("zst") => Box::new(zstd::Decoder::with_buffer(file)?),
        Some("bz2") => Box::new(bzip2::bufread::MultiBzDecoder::new(file)),
        _ => return Err("a file ends in .gz, .bgz, .zst or .bz2".into()),
    };
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            read => total += read,
        }
    }
    println!("{total}");
    Ok(())
}
