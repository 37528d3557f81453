//! BGZF: gzip in members of at most 64 KiB, each of which says how long it is.
//!
//! bgzip, samtools and their kin write it. Members of gzip as others write it end where their
//! decoder says that they do.

use async_compression::codecs::GzipDecoder;
use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::super::cut::Bytes;
use super::super::window::Kept;
use super::Object;
use super::ahead::Ahead;
use super::members::Members;
use super::pieces::{Cut, Format};

/// Members are cut off together up to so many bytes, compressed.
const TOGETHER: usize = 256 << 10;
/// And up to so many, which hold 2 MiB at most.
const MEMBERS: usize = 32;
/// The most that a member holds, decoded.
const LARGEST_MEMBER: usize = 64 << 10;

/// Cuts a file of BGZF into members.
#[derive(Default)]
pub(super) struct Bgzf {
    at: u64,
    settled: u64,
}

/// Some members, and where they end in the object.
pub(super) struct Piece {
    members: Vec<u8>,
    count: usize,
    end: u64,
}

impl Format for Bgzf {
    type Piece = Piece;
    type Seen = u64;

    fn cut(&mut self, ahead: &Ahead) -> Cut<Piece> {
        let bytes = ahead.from(self.at);
        let (mut length, mut count) = (0, 0);
        let mut rest = bytes;
        while length < TOGETHER
            && count < MEMBERS
            && let Some((_, size)) = member(rest)
            && let Some(after) = rest.get(size..)
        {
            (length, count, rest) = (length + size, count + 1, after);
        }
        if length > 0 {
            self.at += length as u64;
            return Cut::Piece(Piece { members: bytes[..length].to_vec(), count, end: self.at });
        }
        // A header is in sight, or none can be.
        let known = member(bytes).is_some() || bytes.len() < LEAST_HEADER;
        if known { Cut::More } else { Cut::Alone }
    }

    fn needs(piece: &Piece) -> u64 {
        (piece.members.len() + piece.count * LARGEST_MEMBER) as u64
    }

    fn decode(piece: Piece, out: &mut Vec<u8>, _: &Kept) -> Option<u64> {
        let mut inflate = Decompress::new(false);
        let mut rest = &piece.members[..];
        while !rest.is_empty() {
            let (header, size) = member(rest)?;
            let (one, after) = rest.split_at_checked(size)?;
            let (body, check) = one.get(header..)?.split_last_chunk::<8>()?;
            let [crc, holds] = [&check[..4], &check[4..]]
                .map(|word| word.iter().rev().fold(0_u32, |sum, &byte| sum << 8 | u32::from(byte)));
            let before = out.len();
            let holds = usize::try_from(holds).ok().filter(|&holds| holds <= LARGEST_MEMBER)?;
            out.resize(before + holds, 0);
            inflate.reset(false);
            let status = inflate.decompress(body, &mut out[before..], FlushDecompress::Finish);
            let mut sum = Crc::new();
            sum.update(&out[before..]);
            let whole = matches!(status, Ok(Status::StreamEnd))
                && (inflate.total_in(), inflate.total_out()) == (body.len() as u64, holds as u64);
            if !whole || sum.sum() != crc {
                return None;
            }
            rest = after;
        }
        Some(piece.end)
    }

    fn settle(&mut self, end: u64) -> bool {
        self.settled = end;
        true
    }

    fn settled(&self) -> u64 {
        self.settled
    }

    fn alone(self, ahead: Ahead, object: Object, given: u64) -> Bytes {
        let rest = ahead.into_rest(self.settled);
        Members::<GzipDecoder>::after(rest, object, self.settled, given)
    }
}

/// The length of a header that holds nothing but the size of the member.
const LEAST_HEADER: usize = 18;

/// The length of the header of the member that begins so, and that of the member.
fn member(bytes: &[u8]) -> Option<(usize, usize)> {
    // Deflated, and with an extra field only.
    let [0x1f, 0x8b, 8, 4, _, _, _, _, _, _, low, high, fields @ ..] = bytes else { return None };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    let mut fields = fields.get(..length)?;
    while let [a, b, low, high, rest @ ..] = fields {
        let content = rest.get(..usize::from(u16::from_le_bytes([*low, *high])))?;
        if let (b'B', b'C', [low, high]) = (a, b, content) {
            let size = usize::from(u16::from_le_bytes([*low, *high])) + 1;
            return (size > length + 12 + 8).then_some((length + 12, size));
        }
        fields = &rest[content.len()..];
    }
    None
}
