//! Zstandard: frames, which say how long they are block by block.

use creel_kernels::{reserve, reserve_exact};
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use async_compression::codecs::ZstdDecoder;

use super::super::cut::Bytes;
use super::super::window::{Kept, Windows};
use super::Object;
use super::ahead::Ahead;
use super::members::Members;
use super::pieces::{Cut, Format, LARGEST_PIECE};

/// The longest frame, compressed, that is cut off: a frame is in memory as a whole before it is
/// decoded, and most files are one frame of any length.
const LONGEST_FRAME: usize = 4 << 20;
/// Frames are cut off together up to so many bytes, decoded, as far as they tell.
const TOGETHER: u64 = 1 << 20;

/// Cuts a file of zstd into frames.
pub(super) struct Frames {
    at: u64,
    settled: u64,
    /// The most that a piece may hold.
    largest: usize,
}

impl Frames {
    pub(super) fn new(windows: &Windows) -> Self {
        Self { at: 0, settled: 0, largest: windows.largest_piece().min(LARGEST_PIECE) }
    }
}

/// Some frames, their length in the end if they tell it, and where they end in the object.
pub(super) struct Piece {
    frames: Vec<u8>,
    content: Option<u64>,
    end: u64,
    largest: usize,
}

impl Format for Frames {
    type Piece = Piece;
    type Seen = u64;

    fn cut(&mut self, ahead: &Ahead) -> Cut<Piece> {
        let bytes = ahead.from(self.at);
        let (mut length, mut content) = (0, Some(0));
        while content.is_some_and(|content| content < TOGETHER)
            && let Ok(frame) = zstd_safe::find_frame_compressed_size(&bytes[length..])
        {
            let holds = zstd_safe::get_frame_content_size(&bytes[length..]).ok().flatten();
            content = content.zip(holds).and_then(|(a, b)| a.checked_add(b));
            length += frame;
        }
        match length {
            0 if bytes.len() > self.largest.min(LONGEST_FRAME) => Cut::Alone,
            0 => Cut::More,
            _ => {
                self.at += length as u64;
                let (frames, end) = (bytes[..length].to_vec(), self.at);
                Cut::Piece(Piece { frames, content, end, largest: self.largest })
            }
        }
    }

    fn needs(piece: &Piece) -> u64 {
        let content = piece.content.unwrap_or(u64::MAX).min(piece.largest as u64);
        piece.frames.len() as u64 + content
    }

    fn decode(piece: Piece, out: &mut Vec<u8>, _: &Kept) -> Option<u64> {
        let mut context = DCtx::try_create()?;
        match piece.content {
            Some(content) => {
                let content = usize::try_from(content).ok().filter(|&c| c <= piece.largest)?;
                reserve_exact(out, content);
                out.resize(content, 0);
                let made = context.decompress(&mut out[..], &piece.frames).ok()?;
                (made == content).then_some(piece.end)
            }
            None => grow(&mut context, &piece, out).map(|()| piece.end),
        }
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
        Members::<ZstdDecoder>::after(rest, object, self.settled, given)
    }
}

/// Decodes frames that do not tell what they hold.
fn grow(context: &mut DCtx<'_>, piece: &Piece, out: &mut Vec<u8>) -> Option<()> {
    let Piece { frames, largest, .. } = piece;
    // One with a larger window is decoded alone, where windows are counted.
    context.set_parameter(DParameter::WindowLogMax(largest.ilog2())).ok()?;
    let mut input = InBuffer::around(frames);
    let mut made = 0;
    loop {
        let room = (made + frames.len() + DCtx::out_size()).min(*largest);
        reserve(out, room.saturating_sub(out.len()));
        out.resize(room, 0);
        let mut output = OutBuffer::around_pos(&mut out[..], made);
        let hint = context.decompress_stream(&mut output, &mut input).ok()?;
        made = output.pos();
        if hint == 0 && input.pos() == frames.len() {
            out.truncate(made);
            return Some(());
        }
        // Nothing left to read, and nothing more to write: cut short. Or too much to write.
        if made < out.len() && input.pos() == frames.len() || made == *largest {
            return None;
        }
    }
}
