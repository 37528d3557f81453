//! Every codec: round trips of several members, and damage at every byte.

use async_compression::tokio::bufread;
use proptest::prelude::*;
use tokio::io::AsyncReadExt;

use crate::Error;
use crate::block::tests::{block_on, options, read, read_shared, read_whole};
use crate::block::{BlockOptions, Compression, Damaged};

const ALL: [Compression; 5] =
    [Compression::Gzip, Compression::Zstd, Compression::Bzip2, Compression::Xz, Compression::Lz4];

/// One member.
fn member(codec: Compression, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    block_on(async {
        match codec {
            Compression::Gzip => bufread::GzipEncoder::new(text).read_to_end(&mut out).await,
            Compression::Zstd => {
                // With a checksum, as the command writes it: else damage may go unseen.
                let checksum = async_compression::zstd::CParameter::checksum_flag(true);
                let level = async_compression::Level::Default;
                bufread::ZstdEncoder::with_quality_and_params(text, level, &[checksum])
                    .read_to_end(&mut out)
                    .await
            }
            Compression::Bzip2 => bufread::BzEncoder::new(text).read_to_end(&mut out).await,
            Compression::Xz => bufread::XzEncoder::new(text).read_to_end(&mut out).await,
            Compression::Lz4 => {
                let checksum =
                    async_compression::lz4::EncoderParams::default().content_checksum(true);
                let level = async_compression::Level::Default;
                bufread::Lz4Encoder::with_quality_and_params(text, level, checksum)
                    .read_to_end(&mut out)
                    .await
            }
            Compression::Auto | Compression::None => unreachable!(),
        }
        .unwrap();
    });
    out
}

/// Several members, which together are the text.
fn members(codec: Compression, text: &[u8], size: usize) -> Vec<u8> {
    text.chunks(size).flat_map(|part| member(codec, part)).collect()
}

/// Text in BGZF, of members of so many bytes, with the empty one at the end.
fn bgzf(text: &[u8], size: usize) -> Vec<u8> {
    let sized = |part: &[u8]| {
        let plain = member(Compression::Gzip, part);
        let (header, rest) = plain.split_at(10);
        let length = u16::try_from(plain.len() + 8 - 1).unwrap().to_le_bytes();
        let mut out = header.to_vec();
        out[3] |= 4;
        out.extend(b"\x06\0BC\x02\0");
        out.extend(length);
        out.extend(rest);
        out
    };
    text.chunks(size).chain([&b""[..]]).flat_map(sized).collect()
}

/// Frames of zstd that do not tell what they hold.
fn untold(text: &[u8], size: usize) -> Vec<u8> {
    use async_compression::zstd::CParameter;
    let untold = |part| {
        let mut out = Vec::new();
        let level = async_compression::Level::Default;
        let params = [CParameter::content_size_flag(false), CParameter::checksum_flag(true)];
        let mut encoder = bufread::ZstdEncoder::with_quality_and_params(part, level, &params);
        block_on(encoder.read_to_end(&mut out)).unwrap();
        out
    };
    text.chunks(size).flat_map(untold).collect()
}

/// Formats that can be cut into pieces.
fn in_pieces(text: &[u8], size: usize) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("BGZF", bgzf(text, size)),
        ("zstd", members(Compression::Zstd, text, size)),
        ("zstd, lengths untold", untold(text, size)),
        ("bzip2", members(Compression::Bzip2, text, size)),
    ]
}

fn some_text(lines: u32) -> Vec<u8> {
    // Numbers that do not repeat, so that the compressed data has a length worth cutting.
    (0..lines)
        .flat_map(|n| format!("{n}: {}\n", n.wrapping_mul(2_654_435_761)).into_bytes())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn members_are_one_text_however_they_are_cut(
        codec in proptest::sample::select(&ALL[..]),
        lines in 0..300_u32,
        size in 1000..5000_usize,
        blocksize in 1..3000_usize,
        slice in 1..3000_u64,
        chunk in 1..600_usize,
        named: bool,
    ) {
        let text = some_text(lines);
        let stored = members(codec, &text, size);
        let compression = if named { codec } else { Compression::Auto };
        let options = BlockOptions { blocksize, compression, ..options() };
        let read = read(&stored, &options, slice, chunk).unwrap();
        prop_assert_eq!(read.bytes(), text);
        let mut offset = 0;
        for block in &read.blocks {
            prop_assert_eq!(block.place(0).offset, Some(offset));
            prop_assert_eq!(block.place(0).partition, Some(0));
            offset += block.bytes().len() as u64;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pieces_decoded_by_any_lane_at_any_time_are_the_text_in_order(
        lines in 0..2000_u32,
        size in 500..40_000_usize,
        blocksize in 1..30_000_usize,
        chunk in 1..5_000_usize,
        lanes in 1..5_usize,
        seed: u64,
    ) {
        let text = some_text(lines);
        let options = BlockOptions { blocksize, ..options() };
        for (format, stored) in in_pieces(&text, size) {
            let read = read_shared(&stored, &options, lanes, chunk, seed).unwrap();
            prop_assert_eq!(read.bytes(), &text[..], "{}", format);
            let mut offset = 0;
            for block in &read.blocks {
                prop_assert_eq!(block.place(0).offset, Some(offset), "{}", format);
                offset += block.bytes().len() as u64;
            }
        }
    }

    #[test]
    fn damage_to_a_piece_is_what_it_is_to_one_who_reads_alone(
        at: proptest::sample::Index,
        with in 0..=255_u8,
        cut in any::<Option<proptest::sample::Index>>(),
        lanes in 1..5_usize,
        seed: u64,
    ) {
        let text = some_text(1500);
        for (format, mut stored) in in_pieces(&text, 4000) {
            let at = 18 + at.index(stored.len() - 18);
            stored[at] ^= with;
            if let Some(cut) = cut {
                stored.truncate(18 + cut.index(stored.len() - 18));
            }
            let keep = BlockOptions { damaged: Damaged::Keep, ..options() };
            let shared = read_shared(&stored, &keep, lanes, 3000, seed).unwrap();
            let alone = read(&stored, &keep, 1 << 40, 3000).unwrap();
            let told = |faults: &[Error]| {
                let kinds = faults.iter().map(|fault| match fault {
                    Error::Truncated { at, .. } => Some(*at),
                    _ => None,
                });
                kinds.collect::<Vec<_>>()
            };
            prop_assert_eq!(told(&shared.faults), told(&alone.faults), "{}", format);
            // How much comes out of a member before its fault depends on how much is asked for. A
            // block of bzip2 is checked before any of it is given.
            let (shared, alone) = (shared.bytes(), alone.bytes());
            if format == "bzip2" {
                prop_assert!(text.starts_with(&shared));
                prop_assert_eq!(&shared, &alone);
            }
            prop_assert!(shared.starts_with(&alone) || alone.starts_with(&shared), "{}", format);
        }
    }
}

#[test]
fn what_stands_in_pieces_is_handed_out_in_pieces() {
    let text = some_text(60_000);
    for (format, stored) in in_pieces(&text, 60_000) {
        let read = read_shared(&stored, &options(), 2, 1 << 20, 1).unwrap();
        assert_eq!(read.bytes(), text, "{format}");
        assert!(read.undecoded > 1, "{format}: {} pieces", read.undecoded);
    }
}

#[test]
fn a_stream_cut_short_at_any_byte_is_truncated_there() {
    let text = some_text(120);
    let two = |codec| (codec, member(codec, &text[..1000]), member(codec, &text[1000..]));
    for (codec, one, other) in ALL.map(two) {
        let stored = [&one[..], &other].concat();
        // From where a beginning can be told from text.
        for at in (6..stored.len()).filter(|&at| at != one.len()) {
            let cut = &stored[..at];
            let error = read_whole(cut, &options()).unwrap_err();
            let Error::Truncated { codec: name, at: reached, .. } = &error else {
                panic!("{codec:?} at {at}: {error}");
            };
            assert_eq!(
                (*reached, name.to_lowercase()),
                (at as u64, format!("{codec:?}").to_lowercase())
            );

            let keep = BlockOptions { damaged: Damaged::Keep, ..options() };
            let kept = read_whole(cut, &keep).unwrap();
            assert!(matches!(kept.faults[..], [Error::Truncated { .. }]), "{:?}", kept.faults);
            let kept = kept.bytes();
            assert!(text.starts_with(&kept) && (kept.is_empty() || kept.ends_with(b"\n")));
            let whole = if at > one.len() {
                text[..1000].iter().rposition(|&b| b == b'\n').unwrap() + 1
            } else {
                0
            };
            assert!(kept.len() >= whole, "{codec:?} at {at}: {} of {whole}", kept.len());
        }
        let first = read_whole(&one, &options()).unwrap().bytes();
        assert_eq!(first, &text[..1000]);
    }
}

#[test]
fn damage_is_never_silent() {
    let text = some_text(150);
    for codec in ALL {
        let stored = member(codec, &text);
        for at in (12..stored.len()).step_by(3) {
            let mut stored = stored.clone();
            stored[at] ^= 0x55;
            match read_whole(&stored, &options()) {
                // A byte that does not matter, such as a date in a header.
                Ok(read) => assert_eq!(read.bytes(), text, "{codec:?} at {at}"),
                Err(Error::Corrupt { .. } | Error::Truncated { .. }) => {}
                Err(error) => panic!("{codec:?} at {at}: {error}"),
            }
        }
    }
}

#[test]
fn records_before_damage_are_the_same_for_any_block_size_and_any_reads() {
    let text = some_text(1500);
    let stored = [
        ("gzip", member(Compression::Gzip, &text)),
        ("zstd", member(Compression::Zstd, &text)),
        ("xz", member(Compression::Xz, &text)),
        ("lz4", member(Compression::Lz4, &text)),
        ("bzip2", members(Compression::Bzip2, &text, 9_000)),
        ("gzip in pieces", bgzf(&text, 9_000)),
        ("zstd in pieces", members(Compression::Zstd, &text, 9_000)),
    ];
    for (name, stored) in stored {
        for at in [stored.len() / 2, stored.len() * 9 / 10, stored.len() - 2] {
            let mut stored = stored.clone();
            stored[at] ^= 0x55;
            let kept = |blocksize, chunk| {
                let options = BlockOptions { blocksize, damaged: Damaged::Keep, ..options() };
                let read = read(&stored, &options, 1 << 40, chunk).unwrap();
                let faults = read.faults.iter().map(Error::to_string).collect::<Vec<_>>();
                (read.bytes(), faults)
            };
            let (bytes, faults) = kept(1 << 20, 1 << 20);
            // Before a checksum is wrong, damage may have been taken for other text.
            let same = bytes.iter().zip(&text).take_while(|(a, b)| a == b).count();
            if name == "gzip" && at + 2 == stored.len() {
                assert!(bytes == text);
            }
            assert!(!faults.concat().contains("bad state"), "{name} at {at}: {faults:?}");
            // Codecs with blocks lose that in which the damage is.
            if name == "gzip" {
                assert!(same * 4 > text.len() * at / stored.len() * 3, "{name} at {at}");
            }
            for (blocksize, chunk) in [(1, 1 << 20), (1000, 999), (64 << 10, 7)] {
                assert!(
                    kept(blocksize, chunk) == (bytes.clone(), faults.clone()),
                    "{name} at {at}"
                );
            }
            let options = BlockOptions { damaged: Damaged::Keep, ..options() };
            let shared = read_shared(&stored, &options, 3, 500, 7).unwrap();
            assert!(shared.bytes() == bytes, "{name} at {at}, shared");
        }
    }
}

#[test]
fn data_in_a_format_that_is_not_read_is_no_garbage() {
    let lzma = b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x30";
    for codec in ALL {
        for (rest, name) in [
            (&b"\x02\x21\x4c\x18\x06\0\0\0alpha\n"[..], "lz4 data in the legacy format"),
            (lzma, "lzma data"),
            (b"LZIP\x01\x0c", "lzip data"),
            (b"PK\x03\x04\x14\0", "a zip archive"),
            (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7z archive"),
        ] {
            let stored = [&member(codec, b"one\n")[..], rest].concat();
            let error = read_whole(&stored, &options()).unwrap_err().to_string();
            assert!(error.contains(name), "{codec:?}: {error}");
        }
    }
}

#[test]
fn headers_and_padding_that_a_format_forbids_are_damage() {
    let mut reserved = member(Compression::Gzip, b"one\n");
    reserved[3] |= 0x80;
    let one = member(Compression::Xz, b"one\n");
    let padded = [&one[..], &[0; 3]].concat();
    let between = [&one[..], &[0; 5], &one].concat();
    for (stored, why) in [(reserved, "reserved flag"), (padded, "padding"), (between, "padding")] {
        let error = read_whole(&stored, &options()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let padded = [&one[..], &[0; 8], &one, &[0; 4]].concat();
    assert_eq!(read_whole(&padded, &options()).unwrap().bytes(), b"one\none\n");
}

#[test]
fn damaged_lz4_may_have_been_made_with_a_dictionary() {
    let mut stored = member(Compression::Lz4, &some_text(100));
    let at = stored.len() / 2;
    stored[at] ^= 0x55;
    let error = read_whole(&stored, &options()).unwrap_err().to_string();
    assert!(error.contains("dictionary") && error.contains("lz4 -dc -D"), "{error}");
}

#[test]
fn zeros_after_a_member_are_padding_and_garbage_is_noted() {
    for codec in ALL {
        let one = member(codec, b"one\n");
        let padded = [&one[..], &[0; 200_000], &one, &[0; 4]].concat();
        assert_eq!(read_whole(&padded, &options()).unwrap().bytes(), b"one\none\n");
        for garbage in [&b"garbage, and enough of it to be a header"[..], b"\n", b"\0\0x"] {
            let stored = [&one[..], garbage].concat();
            assert_eq!(read_whole(&stored, &options()).unwrap().bytes(), b"one\n", "{codec:?}");
        }
        // A damaged beginning is no garbage, and neither is another codec.
        let mut damaged = [&one[..], &one].concat();
        damaged[one.len() + 1] ^= 0x40;
        let other = if codec == Compression::Gzip { Compression::Zstd } else { Compression::Gzip };
        let followed = [&one[..], &member(other, b"two\n")].concat();
        for stored in [damaged, followed] {
            let error = read_whole(&stored, &options()).unwrap_err();
            let fault = matches!(error, Error::Corrupt { .. } | Error::Truncated { .. });
            assert!(fault, "{codec:?}: {error}");
        }
    }
}

#[test]
fn a_codec_that_was_named_must_be_the_one() {
    for codec in ALL {
        let options = BlockOptions { compression: codec, ..options() };
        let error = read_whole(b"just a line of text\n", &options).unwrap_err().to_string();
        assert!(error.contains("wrong magic") && error.contains("plain text"), "{error}");
        assert!(read_whole(b"", &options).unwrap().blocks.is_empty());
    }
    let options = BlockOptions { compression: Compression::Zstd, ..options() };
    let error = read_whole(&member(Compression::Gzip, b"x"), &options).unwrap_err().to_string();
    assert!(error.contains("looks like gzip"), "{error}");
}

#[test]
fn no_compression_means_the_bytes_as_they_are() {
    let stored = member(Compression::Gzip, b"x\n");
    let options = BlockOptions { compression: Compression::None, ..options() };
    assert_eq!(read_whole(&stored, &options).unwrap().bytes(), stored);
}

#[test]
fn frames_to_be_skipped_are_skipped() {
    let skip = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
    for codec in [Compression::Zstd, Compression::Lz4] {
        let one = member(codec, b"one\n");
        let stored = [skip, &one[..], skip, &one, skip].concat();
        assert_eq!(read_whole(&stored, &options()).unwrap().bytes(), b"one\none\n", "{codec:?}");
    }
}

#[test]
fn an_empty_member_does_not_end_the_stream() {
    for codec in ALL {
        let (empty, one) = (member(codec, b""), member(codec, b"one\n"));
        let stored = [&empty[..], &one, &empty, &one].concat();
        assert_eq!(read_whole(&stored, &options()).unwrap().bytes(), b"one\none\n", "{codec:?}");
    }
}

#[test]
fn long_windows_are_read() {
    use async_compression::zstd::CParameter;
    let text = some_text(1000);
    let params = [CParameter::window_log(28), CParameter::enable_long_distance_matching(true)];
    let level = async_compression::Level::Fastest;
    let mut stored = Vec::new();
    block_on(async {
        let mut encoder = bufread::ZstdEncoder::with_quality_and_params(&text[..], level, &params);
        encoder.read_to_end(&mut stored).await.unwrap();
    });
    assert_eq!(read_whole(&stored, &options()).unwrap().bytes(), text);
}

#[test]
fn a_record_longer_than_all_pieces_that_are_out_is_read() {
    // The first piece takes far longer than the others, so that those are there when it comes.
    let mut record: Vec<u8> = some_text(60_000);
    record.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
    let pieces = [members(Compression::Bzip2, &record[..500_000], 500_000)];
    let rest = record[500_000..].chunks(9_000).map(|part| members(Compression::Bzip2, part, 9_000));
    let stored = pieces.into_iter().chain(rest).collect::<Vec<_>>().concat();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&file, stored).expect("it is written");
    let lines = crate::read_text(file.path().to_str().expect("a path")).expect("a path");
    for threads in 1..5 {
        let run = crate::Run::new().threads(threads);
        assert_eq!(run.compute_blocking(&lines.clone().count()).expect("it is read"), 1);
        let longest = lines.clone().map(|line| line.len()).collect();
        assert_eq!(run.compute_blocking(&longest).expect("it is read"), [record.len()]);
    }
}
