//! The body of an answer, as it comes: measured against what is due, and against the checksum.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::GetResult;

use super::answer::Told;
use super::checksum::Checksum;
use super::trouble::{Trouble, Watch};

/// So much of a body without a length is seen before any of it is given.
const HELD: usize = 1 << 20;

/// The body of an answer, of which so many bytes are due.
pub(super) struct Coming {
    chunks: BoxStream<'static, object_store::Result<Bytes>>,
    due: Option<u64>,
    watch: Watch,
    ended: bool,
    /// Whether its length was told, and is kept to. If it was not, the body of an error looks like
    /// a part of what is due, until it ends.
    sized: bool,
    /// The first bytes of a body without a length, and whether all of them were given.
    held: VecDeque<Bytes>,
    given: bool,
    /// What the store says of all bytes together.
    sum: Option<Checksum>,
    /// Whether it names its version, so that the rest can be asked for by that.
    tied: bool,
    /// Whether some bytes were given that cannot be taken back.
    used: bool,
}

impl Coming {
    /// The body of this answer. `sum` is that of what was given of the object before, if all of it is
    /// to be given.
    pub(super) fn new(answer: GetResult, due: Option<u64>, sum: Option<Checksum>) -> Self {
        let tied = answer.meta.e_tag.as_ref().is_some_and(|tag| !tag.starts_with("W/"));
        // A store in memory tells nothing, and is right.
        let sized = answer.extensions.get::<Told>().is_none_or(|told| told.sized);
        Self {
            chunks: answer.into_stream(),
            due,
            watch: Watch::default(),
            ended: false,
            sized,
            held: VecDeque::new(),
            given: sized || due.is_none(),
            used: sum.as_ref().is_some_and(|sum| sum.bytes() > 0),
            sum,
            tied,
        }
    }

    /// The next bytes; `None` when all came. The last of them are not given before the body has
    /// ended: more than is due is no answer.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        while !self.given {
            let held: usize = self.held.iter().map(Bytes::len).sum();
            match self.step().await? {
                Some(chunk) => self.held.push_back(chunk),
                None => self.given = true,
            }
            self.given |= held > HELD;
        }
        let chunk = match self.held.pop_front() {
            Some(chunk) => Some(chunk),
            None => self.step().await?,
        };
        self.used = true;
        Ok(chunk)
    }

    /// The checksum of what was given, to go on with after a fault; `None` if more was added than
    /// was given.
    pub(super) fn into_sum(self, given: u64) -> Option<Checksum> {
        self.sum.filter(|sum| sum.bytes() == given)
    }

    /// Whether all that came is what was stored.
    fn check(&mut self) -> Result<(), Fault> {
        match self.sum.take().and_then(Checksum::wrong) {
            None => Ok(()),
            Some(wrong) if self.used => Err(Fault::Ours(Trouble::Corrupt(wrong))),
            Some(wrong) => Err(disagrees(&wrong)),
        }
    }

    async fn step(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.ended {
            return Ok(None);
        }
        let Some(chunk) = self.read().await? else {
            return match self.due {
                Some(1..) if self.sized => Err(Fault::Ours(Trouble::Short)),
                // More of it is given than an error has: it is cut, and can be resumed by its version.
                Some(1..) if self.given && self.tied => Err(Fault::Ours(Trouble::Short)),
                Some(1..) if self.given => Err(Fault::Ours(Trouble::Spoilt)),
                Some(1..) => Err(disagrees("its body ends before its range")),
                _ => self.check().map(|()| None),
            };
        };
        if let Some(sum) = &mut self.sum {
            sum.add(&chunk);
        }
        let Some(due) = &mut self.due else { return Ok(Some(chunk)) };
        let more = "its body is longer than it says";
        *due = due.checked_sub(chunk.len() as u64).ok_or_else(|| disagrees(more))?;
        if *due == 0 {
            self.ended = true;
            if self.read().await?.is_some() {
                return Err(disagrees(more));
            }
            self.check()?;
        }
        Ok(Some(chunk))
    }

    /// The next bytes that are some.
    async fn read(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            return match self.watch.next(&mut self.chunks).await.map_err(Fault::Ours)? {
                Some(Ok(chunk)) if chunk.is_empty() => continue,
                Some(Ok(chunk)) => Ok(Some(chunk)),
                Some(Err(error)) => Err(Fault::Store(error)),
                None => Ok(None),
            };
        }
    }
}

/// Why there is no answer, or no whole one.
pub(super) enum Fault {
    Store(object_store::Error),
    Ours(Trouble),
}

pub(super) fn disagrees(why: &str) -> Fault {
    Fault::Ours(Trouble::Disagrees(why.to_owned()))
}
