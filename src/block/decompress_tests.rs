//! Every codec: round trips of several members, and damage at every byte.

use async_compression::tokio::bufread;
use proptest::prelude::*;
use tokio::io::AsyncReadExt;

use super::tests::{block_on, options, read, read_whole};
use super::*;
use crate::Error;

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

fn some_text(lines: u32) -> Vec<u8> {
    // Numbers that do not repeat, so that the compressed data has a length worth cutting.
    (0..lines)
        .flat_map(|n| format!("{n}: {}\n", n.wrapping_mul(2_654_435_761)).into_bytes())
        .collect()
}

fn text_of(read: &tests::Read) -> Vec<u8> {
    read.blocks.iter().flat_map(|block| block.bytes().to_vec()).collect()
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
        prop_assert_eq!(text_of(&read), text);
        let mut offset = 0;
        for block in &read.blocks {
            prop_assert_eq!(block.place(0).offset, Some(offset));
            prop_assert_eq!(block.place(0).partition, Some(0));
            offset += block.bytes().len() as u64;
        }
    }
}

#[test]
fn a_stream_cut_short_at_any_byte_is_truncated_there() {
    let text = some_text(120);
    for codec in ALL {
        let one = member(codec, &text[..1000]);
        let stored = [&one[..], &member(codec, &text[1000..])].concat();
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
            let kept = text_of(&kept);
            assert!(text.starts_with(&kept) && (kept.is_empty() || kept.ends_with(b"\n")));
            let whole = if at > one.len() {
                text[..1000].iter().rposition(|&b| b == b'\n').unwrap() + 1
            } else {
                0
            };
            assert!(kept.len() >= whole, "{codec:?} at {at}: {} of {whole}", kept.len());
        }
        let first = text_of(&read_whole(&one, &options()).unwrap());
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
                Ok(read) => assert_eq!(text_of(&read), text, "{codec:?} at {at}"),
                Err(Error::Corrupt { .. } | Error::Truncated { .. }) => {}
                Err(error) => panic!("{codec:?} at {at}: {error}"),
            }
        }
    }
}

#[test]
fn zeros_after_a_member_are_padding_and_anything_else_is_damage() {
    for codec in ALL {
        let one = member(codec, b"one\n");
        let padded = [&one[..], &[0; 200_000], &one, &[0; 4]].concat();
        assert_eq!(text_of(&read_whole(&padded, &options()).unwrap()), b"one\none\n");
        let garbage = [&one[..], b"garbage, and enough of it to be a header"].concat();
        let error = read_whole(&garbage, &options()).unwrap_err();
        assert!(
            matches!(error, Error::Corrupt { .. } | Error::Truncated { .. }),
            "{codec:?}: {error}"
        );
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
    assert_eq!(text_of(&read_whole(&stored, &options).unwrap()), stored);
}

#[test]
fn frames_to_be_skipped_are_skipped() {
    let skip = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
    for codec in [Compression::Zstd, Compression::Lz4] {
        let one = member(codec, b"one\n");
        let stored = [skip, &one[..], skip, &one, skip].concat();
        assert_eq!(text_of(&read_whole(&stored, &options()).unwrap()), b"one\none\n", "{codec:?}");
    }
}

#[test]
fn an_empty_member_does_not_end_the_stream() {
    for codec in ALL {
        let (empty, one) = (member(codec, b""), member(codec, b"one\n"));
        let stored = [&empty[..], &one, &empty, &one].concat();
        assert_eq!(text_of(&read_whole(&stored, &options()).unwrap()), b"one\none\n", "{codec:?}");
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
    assert_eq!(text_of(&read_whole(&stored, &options()).unwrap()), text);
}
