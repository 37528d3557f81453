//! Any bytes, compressed, damaged or neither, are what the libraries make of them, however many lanes
//! decode them: the same text, or a fault of both.

#![no_main]

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};

use bzip2::bufread::BzDecoder;
use bzip2::write::BzEncoder;
use creel::{Bag, Compression, Damaged, Delimiter, ReadOptions, Run};
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Bzip2,
    Zstd,
    Bgzf,
}

/// One member (stream, frame).
fn member(format: Format, text: &[u8], level: u8) -> Vec<u8> {
    let made = match format {
        Format::Bzip2 => {
            let level = bzip2::Compression::new(u32::from(level % 9) + 1);
            let mut encoder = BzEncoder::new(Vec::new(), level);
            encoder.write_all(text).and_then(|()| encoder.finish())
        }
        Format::Zstd => {
            let encoder = zstd::stream::Encoder::new(Vec::new(), i32::from(level % 6));
            encoder.and_then(|mut encoder| {
                encoder.include_checksum(level & 0x40 != 0)?;
                encoder.set_pledged_src_size((level & 0x80 != 0).then_some(text.len() as u64))?;
                encoder.write_all(text)?;
                encoder.finish()
            })
        }
        Format::Bgzf => {
            let level = flate2::Compression::new(u32::from(level % 10));
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(text).and_then(|()| encoder.finish()).map(|mut plain| {
                if let Ok(length) = u16::try_from(plain.len() + 8 - 1) {
                    let [low, high] = length.to_le_bytes();
                    plain[3] |= 4;
                    plain.splice(10..10, [6, 0, b'B', b'C', 2, 0, low, high]);
                }
                plain
            })
        }
    };
    made.expect("memory takes all")
}

/// Member after member, and zeros after any of them, by a decoder of one.
fn members<D: Read>(
    mut rest: &[u8],
    begin: impl Fn(&[u8]) -> D,
    end: impl Fn(D) -> usize,
) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    while !rest.is_empty() {
        let mut decoder = begin(rest);
        decoder.read_to_end(&mut text)?;
        let left = end(decoder);
        rest = &rest[rest.len() - left..];
        rest = &rest[rest.iter().take_while(|&&byte| byte == 0).count()..];
    }
    Ok(text)
}

fn bunzip2(stored: &[u8]) -> io::Result<Vec<u8>> {
    members(
        stored,
        |rest| BzDecoder::new(io::Cursor::new(rest.to_vec())),
        |decoder| decoder.into_inner().fill_buf().map_or(0, <[u8]>::len),
    )
}

fn unzstd(stored: &[u8]) -> io::Result<Vec<u8>> {
    let begin = |rest: &[u8]| {
        let decoder = zstd::stream::read::Decoder::with_buffer(io::Cursor::new(rest.to_vec()));
        let mut decoder = decoder.expect("there is memory").single_frame();
        decoder.window_log_max(31).expect("it can be set");
        decoder
    };
    members(stored, begin, |decoder| decoder.finish().fill_buf().map_or(0, <[u8]>::len))
}

fn options(format: Format) -> ReadOptions {
    let codec = match format {
        Format::Bzip2 => Compression::Bzip2,
        Format::Zstd => Compression::Zstd,
        Format::Bgzf => Compression::Gzip,
    };
    ReadOptions::new().compression(codec).delimiter(Delimiter::Bytes(vec![b'\n'])).blocksize(4096)
}

fn records(text: &[u8]) -> Vec<Vec<u8>> {
    let ended = text.strip_suffix(b"\n").unwrap_or(text);
    if text.is_empty() {
        Vec::new()
    } else {
        ended.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect()
    }
}

fn counted(records: &[Vec<u8>]) -> BTreeMap<Vec<u8>, u64> {
    records.iter().fold(BTreeMap::new(), |mut counts, record| {
        *counts.entry(record.clone()).or_default() += 1;
        counts
    })
}

/// Puts 32 bits at a bit.
fn put(bytes: &mut [u8], at: usize, word: u32) {
    for n in 0..32 {
        let (byte, bit) = ((at + n) / 8, 7 - (at + n) % 8);
        bytes[byte] = bytes[byte] & !(1 << bit) | ((word >> (31 - n) & 1) as u8) << bit;
    }
}

/// Checksum of bzip2, a bit at a time.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    })
}

/// Has the checksums of a stream of one block be right, whatever the damage made of its text.
fn mend(stream: &mut [u8]) {
    let read = |bytes: &[u8], at: usize| {
        (at..at + 48).fold(0_u64, |word, n| word << 1 | u64::from(bytes[n / 8] >> (7 - n % 8) & 1))
    };
    let last = (stream.len() * 8).saturating_sub(87);
    let Some(end) = (last.max(32)..last + 8)
        .find(|&at| at + 80 <= stream.len() * 8 && read(stream, at) == 0x1772_4538_5090)
    else {
        return;
    };
    // What it gives before it finds that the checksum is wrong.
    let mut text = vec![0; 2 << 20];
    let mut decoder = bzip2::Decompress::new(false);
    let _ = decoder.decompress(stream, &mut text);
    text.truncate(decoder.total_out() as usize);
    put(stream, 10 * 8, crc(&text));
    put(stream, end + 48, crc(&text));
}

fuzz_target!(|input: (u8, u8, [(u16, u8); 3], u16, u8, u8, &[u8])| {
    let (kind, level, damage, size, repeat, cut, bytes) = input;
    let format = [Format::Bzip2, Format::Bzip2, Format::Zstd, Format::Bgzf][usize::from(kind & 3)];
    let compressed = kind & 4 != 0;
    let damaged = kind & 0x18 != 0;
    let mut stored = if compressed {
        // Texts long enough for several blocks of bzip2.
        let times =
            if kind & 0x80 != 0 { usize::from(repeat) * 8 } else { usize::from(repeat % 4) };
        let text = bytes.repeat((times + 1).min((1 << 18) / bytes.len().max(1)).max(1));
        let size = if kind & 0x40 != 0 { text.len() } else { usize::from(size) * 4 + 16 };
        let size = if format == Format::Bgzf { size.min(60_000) } else { size };
        let parts = text.chunks(size.max(text.len() / 64).max(1));
        let mut stored: Vec<_> = parts.flat_map(|part| member(format, part, level)).collect();
        if !damaged {
            check(format, &stored, Some(&text));
        } else if format == Format::Bzip2 && kind & 0x20 != 0 && stored.len() > 30 {
            for (at, with) in damage {
                // Behind the checksum; mostly in what describes the block.
                let at = 14 + usize::from(at) % (stored.len() - 24).min(512).max(1);
                stored[at] ^= with;
            }
            mend(&mut stored);
            return check(format, &stored, None);
        }
        stored
    } else {
        bytes.to_vec()
    };
    if damaged && !stored.is_empty() {
        for (at, with) in &damage[..usize::from(kind >> 3 & 3)] {
            let at = usize::from(*at) % stored.len();
            stored[at] ^= with;
        }
        let left = stored.len() - usize::from(cut).saturating_sub(128).min(stored.len());
        stored.truncate(left);
    }
    check(format, &stored, None);
});

fn read(run: &Run, bag: &Bag<Vec<u8>>) -> creel::Result<Vec<Vec<u8>>> {
    run.compute_blocking(&bag.clone().collect())
}

fn check(format: Format, stored: &[u8], text: Option<&[u8]>) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(stored).expect("it is written");
    let bag =
        |options: ReadOptions| options.read_bytes([file.path().to_string_lossy()]).expect("a path");
    let (one, three) = (Run::new().threads(1), Run::new().threads(3));
    let strict = bag(options(format));
    let ours = read(&one, &strict);
    let by_lanes = three.compute_blocking(&strict.clone().frequencies());
    let by_lanes = by_lanes.map(|counts| counts.into_iter().collect::<BTreeMap<_, _>>());

    match (&ours, by_lanes) {
        (Ok(ours), Ok(by_lanes)) => assert_eq!(by_lanes, counted(ours)),
        (Err(one), Err(three)) => {
            let at = |error: &creel::Error| match error {
                creel::Error::Truncated { at, .. } => Some(*at),
                _ => None,
            };
            assert_eq!(at(one), at(&three), "{one} / {three}");
        }
        (one, three) => panic!("one lane: {one:?}, three: {three:?}"),
    }
    let theirs = match format {
        Format::Bzip2 => Some(bunzip2(stored)),
        Format::Zstd => Some(unzstd(stored)),
        // Members that follow one that does not tell its length are decoded by the library, alone.
        Format::Bgzf => {
            let mut plain = GzEncoder::new(Vec::new(), flate2::Compression::fast())
                .finish()
                .expect("it is made");
            plain.extend_from_slice(stored);
            let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
            file.write_all(&plain).expect("it is written");
            let bag = options(format).read_bytes([file.path().to_string_lossy()]).expect("a path");
            let theirs = read(&one, &bag);
            // Zeros and garbage may follow a member, but not begin a file.
            if stored.starts_with(b"\x1f\x8b\x08") {
                assert_eq!(theirs.is_ok(), ours.is_ok(), "alone: {theirs:?}, in pieces: {ours:?}");
            }
            if let (Ok(ours), Ok(theirs)) = (&ours, theirs) {
                assert_eq!(*ours, theirs);
            }
            None
        }
    };
    match (&ours, &theirs) {
        (Ok(ours), Some(Ok(theirs))) => assert_eq!(*ours, records(theirs)),
        // What follows the last member is left out with a note.
        (Ok(_), Some(Err(_))) if !one.progress().take_notes().is_empty() => {}
        // A frame that tells its length takes no memory but for that, whatever window it asks for.
        (Ok(_), Some(Err(error))) if error.to_string().contains("too much memory") => {}
        (Ok(ours), Some(Err(error))) => panic!("{error}, but these were read: {ours:?}"),
        (Err(error), Some(Ok(_))) => {
            assert!(error.to_string().contains("randomised"), "only for us: {error}");
        }
        _ => {}
    }
    if let Some(text) = text {
        assert_eq!(ours.as_ref().expect("it is whole"), &records(text));
    }

    // What is had of damaged data by one is the beginning of what is had by several.
    let keep = bag(options(format).damaged(Damaged::Keep));
    let kept = |run| read(run, &keep);
    if ours.is_err() {
        match (kept(&one), kept(&three)) {
            (Ok(one), Ok(three)) => {
                assert!(one.starts_with(&three) || three.starts_with(&one));
                assert!(format != Format::Bzip2 || one == three);
            }
            // What does not even begin as the codec does is no damage.
            (Err(_), Err(_)) => {}
            (one, three) => panic!("one lane: {one:?}, three: {three:?}"),
        }
    }
}
