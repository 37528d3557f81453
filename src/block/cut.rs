//! Cuts a stream of bytes into blocks, each just after the end of a record.
//!
//! The buffer always begins at a record's start. It is read full, searched from its end for the
//! last record end, and handed out up to there; the torn record after it is copied, once, to the
//! beginning of the next buffer. What has been searched is never searched again, so that one long
//! record costs as much as many short ones.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
#[cfg(feature = "decompress")]
use std::pin::pin;
use std::sync::Arc;
#[cfg(feature = "decompress")]
use std::task::{Poll, ready};

use futures::FutureExt;
use tokio::io::AsyncRead;

#[cfg(feature = "decompress")]
use super::decompress::Shared;
use super::delimiter::Ends;
use super::encoding::Units;
use super::{Block, Damaged, Next};
use crate::error::Place;
use crate::progress::InputOrder;
use crate::source::{Buffer, Feed, Pool, SPARE};
use crate::{Error, Result};

/// The bytes of an object, however they came to be.
pub(super) type Bytes = Pin<Box<dyn AsyncRead + Send>>;

impl Feed for Bytes {}

/// What is read at a time beyond a slice's end, to find the end of its last record.
const BEYOND: usize = 16 << 10;

/// What all slices of a partition are cut by.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// Bytes to gather before a block is cut.
    pub(super) target: usize,
    pub(super) ends: Ends,
    /// A carriage return before the delimiter is part of it.
    pub(super) line: bool,
    pub(super) max_record: Option<u64>,
    /// NULs are bytes like any others.
    pub(super) nuls_pass: bool,
    pub(super) damaged: Damaged,
    pub(super) pool: Pool,
    pub(super) partition: usize,
    /// Where the object or member stands that is cut.
    pub(super) order: InputOrder,
}

impl Rule {
    /// Whether what was read before this fault counts.
    pub(super) fn lets_pass(&self, fault: &Error) -> bool {
        let damage = matches!(
            fault,
            Error::Truncated { .. } | Error::Corrupt { .. } | Error::Unsupported { .. }
        );
        damage && self.damaged == Damaged::Keep
    }
}

/// One slice of an object, being cut.
pub(super) struct Cutter {
    rule: Rule,
    object: Arc<str>,
    units: Units,
    foreign: bool,
    bytes: Pin<Box<dyn Feed>>,
    buffer: Buffer,
    /// Where the buffer begins in the object.
    offset: u64,
    /// No delimiter begins before this byte of the buffer.
    searched: usize,
    /// The buffer is one that the bytes came in, and is cut as it came: to fill it up, the next one
    /// would have to be copied.
    landed: bool,
    /// Where the slice ends in the object: the first record that starts there or later, and all
    /// after it, are not ours.
    end: Option<u64>,
    live: bool,
    /// What hands out pieces of the bytes, undecoded.
    #[cfg(feature = "decompress")]
    pieces: Option<Arc<dyn Shared>>,
    /// They are decoded by others. What has been read is handed out then, too: it does not wait
    /// for a piece that somebody is still decoding.
    shared: bool,
    state: State,
    /// The error of the record behind those that were handed out.
    too_long: Option<Error>,
}

#[derive(Debug)]
enum State {
    /// The buffer begins in a record of the slice before; ours begin after the first delimiter
    /// that begins at this offset or later.
    Seeking(u64),
    Reading,
    /// All bytes are in the buffer.
    AtEnd,
    /// The stream is damaged after the bytes in the buffer.
    Torn,
    Done,
}

impl std::fmt::Debug for Cutter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cutter")
            .field("object", &self.object)
            .field("offset", &self.offset)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// What a cutter starts with.
pub(super) struct Start {
    pub(super) object: Arc<str>,
    pub(super) units: Units,
    /// Most records at the object's beginning are not UTF-8.
    pub(super) foreign: bool,
    pub(super) bytes: Pin<Box<dyn Feed>>,
    /// Bytes that were read already, and where they begin in the object.
    pub(super) buffer: Buffer,
    pub(super) offset: u64,
    /// The records begin after the first delimiter that begins at this offset or later; `None`
    /// for an object's first slice, whose records begin at once.
    pub(super) after: Option<u64>,
    /// Where the slice ends; a record that starts before is ours to its own end.
    pub(super) end: Option<u64>,
    /// What has been read is handed out rather than kept until more comes.
    pub(super) live: bool,
    #[cfg(feature = "decompress")]
    pub(super) pieces: Option<Arc<dyn Shared>>,
}

impl Cutter {
    pub(super) fn new(rule: Rule, start: Start) -> Self {
        Self {
            rule,
            object: start.object,
            units: start.units,
            foreign: start.foreign,
            bytes: start.bytes,
            buffer: start.buffer,
            offset: start.offset,
            searched: 0,
            landed: false,
            end: start.end,
            live: start.live,
            #[cfg(feature = "decompress")]
            pieces: start.pieces,
            shared: false,
            state: start.after.map_or(State::Reading, State::Seeking),
            too_long: None,
        }
    }

    /// The next block, or a piece of compressed data that one of so many lanes is to decode before
    /// there can be one; `None` after the last.
    pub(super) async fn step(
        &mut self,
        lanes: usize,
        faults: &mut Vec<Error>,
    ) -> Result<Option<Next<Block>>> {
        #[cfg(feature = "decompress")]
        if let Some(pieces) = self.pieces.clone() {
            self.shared = pieces.share(lanes);
            let mut next = pin!(self.next(faults));
            let step = poll_fn(|cx| {
                if let Poll::Ready(block) = next.as_mut().poll(cx) {
                    return Poll::Ready(block.map(|block| block.map(Next::Block)));
                }
                match ready!(pieces.poll_cut(cx)) {
                    Some(piece) => Poll::Ready(Ok(Some(Next::Undecoded(piece)))),
                    // As many are out as may be, and the first of them wakes this; or it was just found
                    // that no more can be cut off, and the rest is read alone. One record may take all
                    // that is out, so this is asked again for as long as there is no block.
                    None => next.as_mut().poll(cx).map(|block| Ok(block?.map(Next::Block))),
                }
            });
            return step.await;
        }
        #[cfg(not(feature = "decompress"))]
        let _ = lanes;
        Ok(self.next(faults).await?.map(Next::Block))
    }

    /// Whether it gives all records of the object from where it starts.
    pub(super) fn takes_all(&self) -> bool {
        self.end.is_none()
    }

    /// The next block and, if the stream turned out to be damaged and that is to be let pass,
    /// the fault; `None` after the last.
    pub(super) async fn next(&mut self, faults: &mut Vec<Error>) -> Result<Option<Block>> {
        if let Some(error) = self.too_long.take() {
            self.state = State::Done;
            return Err(error);
        }
        if let State::Seeking(after) = self.state {
            self.seek(after, faults).await?;
        }
        loop {
            match self.state {
                State::Done => return Ok(None),
                State::Torn => {
                    self.state = State::Done;
                    let whole = self.rule.ends.last(&self.buffer, self.searched).unwrap_or(0);
                    // A record that is too long is told of also if it is torn.
                    let torn = self.rule.ends.searched(&self.buffer, whole.max(self.searched));
                    let torn = self.without_return(torn.min(self.buffer.len()));
                    let too_long = self.check_length(whole, torn).err();
                    let block = self.cut(whole)?;
                    if block.is_none() {
                        return too_long.map_or(Ok(None), Err);
                    }
                    self.too_long = self.too_long.take().or(too_long);
                    return Ok(block);
                }
                State::Seeking(_) | State::Reading | State::AtEnd => {}
            }
            if let Some(end) = self.last_end() {
                self.state = State::Done;
                return self.cut(end);
            }
            if std::mem::take(&mut self.landed) || self.buffer.len() >= self.wanted() {
                if let Some(end) = self.rule.ends.last(&self.buffer, self.searched) {
                    return self.cut(end);
                }
                self.searched = self.rule.ends.searched(&self.buffer, self.searched);
                self.check_unended()?;
            }
            if matches!(self.state, State::AtEnd) {
                self.state = State::Done;
                return self.cut(self.buffer.len());
            }
            if self.live || self.shared {
                if let Some(end) = self.rule.ends.last(&self.buffer, self.searched) {
                    match self.fill_now(faults) {
                        Some(filled) => filled?,
                        None => return self.cut(end),
                    }
                    continue;
                }
                self.searched = self.rule.ends.searched(&self.buffer, self.searched);
            }
            self.fill(faults).await?;
        }
    }

    /// Fills the buffer if there is something to read right now.
    fn fill_now(&mut self, faults: &mut Vec<Error>) -> Option<Result<()>> {
        // Dropping the future loses nothing: it reads once, and keeps nothing of its own.
        self.fill(faults).now_or_never()
    }

    /// The end of the slice's last record, if it is in the buffer: the first that is not before
    /// the slice's end.
    fn last_end(&self) -> Option<usize> {
        let boundary = self.boundary()?;
        let from = self.searched.max(boundary.saturating_sub(self.rule.ends.len()));
        self.rule.ends.first(&self.buffer, from)
    }

    /// The slice's end, as a place in the buffer; `None` if that is not reached yet.
    fn boundary(&self) -> Option<usize> {
        let boundary = usize::try_from(self.end?.saturating_sub(self.offset)).ok()?;
        (boundary <= self.buffer.len()).then_some(boundary)
    }

    /// How many bytes to have before records are looked for.
    fn wanted(&self) -> usize {
        self.left().min(self.rule.target)
    }

    /// How many bytes there are from the buffer's beginning to the slice's end.
    fn left(&self) -> usize {
        let left = self.end.map(|end| end.saturating_sub(self.offset));
        left.and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX)
    }

    /// Hands out the buffer up to `end`, and begins the next one with the rest.
    fn cut(&mut self, end: usize) -> Result<Option<Block>> {
        if end == 0 {
            return Ok(None);
        }
        // Records before one that is too long are handed out, as if they were in a block of their own.
        let end = match self.first_too_long(end) {
            None => end,
            Some((0, error)) => return Err(error),
            Some((start, error)) => {
                self.too_long = Some(error);
                start
            }
        };
        let mut next = Buffer::default();
        if !matches!(self.state, State::Done) {
            next = self.rule.pool.take();
            next.extend(&self.buffer[end..]);
        }
        let mut bytes = std::mem::replace(&mut self.buffer, next);
        bytes.truncate(end);
        self.searched = self.rule.ends.searched(&self.buffer, 0);
        let offset = self.offset;
        self.offset += self.units.count(&bytes);
        Ok(Some(Block {
            bytes: self.units.decode(bytes, &self.rule.pool),
            object: Arc::clone(&self.object),
            partition: self.rule.partition,
            order: self.rule.order,
            offset,
            units: self.units,
            foreign: self.foreign,
            nuls_pass: self.rule.nuls_pass,
        }))
    }

    /// Passes over the end of a record that started in the slice before.
    async fn seek(&mut self, after: u64, faults: &mut Vec<Error>) -> Result<()> {
        self.searched = usize::try_from(after.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        loop {
            if let Some(end) = self.rule.ends.first(&self.buffer, self.searched) {
                self.drop_front(end);
                self.searched = 0;
                let ours = self.end.is_none_or(|end| self.offset < end);
                self.state = if ours { State::Reading } else { State::Done };
                return Ok(());
            }
            self.searched = self.rule.ends.searched(&self.buffer, self.searched);
            if self.boundary().is_some() || !matches!(self.state, State::Seeking(_)) {
                // The next record starts after the slice, or never.
                self.state = State::Done;
                return Ok(());
            }
            let passed = self.searched.min(self.buffer.len());
            self.drop_front(passed);
            self.searched -= passed;
            self.fill(faults).await?;
        }
    }

    fn drop_front(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        self.offset += bytes as u64;
    }

    /// Reads once, as much as is wanted.
    async fn fill(&mut self, faults: &mut Vec<Error>) -> Result<()> {
        let missing = self.wanted().saturating_sub(self.buffer.len());
        let beyond = self.boundary().is_some();
        let chunk = if missing > 0 {
            missing
        } else if beyond {
            BEYOND
        } else {
            self.rule.target
        };
        match self.read(chunk).await {
            Ok(0) => self.state = State::AtEnd,
            Ok(_) => {}
            Err(error) => {
                let place = self.place(self.buffer.len());
                match Error::io(place, error) {
                    fault if self.rule.lets_pass(&fault) => {
                        faults.push(fault);
                        self.state = State::Torn;
                    }
                    fault => return Err(fault),
                }
            }
        }
        Ok(())
    }

    /// Reads once, at most this many bytes; or, where the bytes come in a buffer and the record in
    /// which they begin fits in front, goes on with that one.
    async fn read(&mut self, most: usize) -> io::Result<usize> {
        if self.buffer.len() <= SPARE {
            let most = self.left().saturating_sub(self.buffer.len()).min(self.rule.target);
            let landed = poll_fn(|cx| self.bytes.as_mut().poll_landed(cx, most)).await?;
            if let Some(mut landed) = landed {
                let read = landed.len();
                landed.prepend(&self.buffer);
                self.buffer = landed;
                self.landed = true;
                return Ok(read);
            }
        }
        self.buffer.read(&mut self.bytes, most).await
    }

    /// Where the first of the records up to `end` starts that is too long, without its delimiter.
    fn first_too_long(&self, end: usize) -> Option<(usize, Error)> {
        if self.rule.max_record.is_none_or(|limit| end as u64 <= limit) {
            return None;
        }
        let bytes = &self.buffer[..end];
        let mut start = 0;
        while start < end {
            let ended = self.rule.ends.first(bytes, start);
            let next = ended.unwrap_or(end);
            let record =
                ended.map_or(next, |next| self.without_return(next - self.rule.ends.len()));
            if let Err(error) = self.check_length(start, record) {
                return Some((start, error));
            }
            start = next;
        }
        None
    }

    /// Fails if the record that begins in the buffer, and does not end there, is too long already.
    /// Its last bytes may belong to its delimiter.
    fn check_unended(&self) -> Result<()> {
        self.check_length(0, self.without_return(self.searched.min(self.buffer.len())))
    }

    /// Where a record ends whose delimiter begins at `end`, or may begin there.
    fn without_return(&self, end: usize) -> usize {
        let returned = self.rule.line && self.buffer[..end].ends_with(b"\r");
        end - usize::from(returned)
    }

    /// Fails if a record that starts at `start` and reaches `end` is too long.
    fn check_length(&self, start: usize, end: usize) -> Result<()> {
        match self.rule.max_record {
            Some(limit) if end.saturating_sub(start) as u64 > limit => {
                Err(Error::RecordTooLong { place: self.place(start), limit })
            }
            _ => Ok(()),
        }
    }

    fn place(&self, at: usize) -> Place {
        Place::object(&*self.object)
            .partition(self.rule.partition)
            .at(self.offset + self.units.count(&self.buffer[..at]))
    }
}
