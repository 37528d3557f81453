//! The state of a lane, as runs work with it.

use std::any::Any;
use std::fmt;
use std::ops::ControlFlow;

use creel_operators::aggregate::{Damaged, Reader};

use super::super::batch::Batch;
use super::super::failure::Told;
use super::chunks::{Run, Sizes};
use crate::Result;
use crate::progress::InputOrder;
use crate::run::Context;
use crate::sink::Printer;
use crate::spill::Budget;

/// What a lane has seen of the records of a phase.
///
/// States of a run come from one [`End`], and so are of one type: [`merge`](Self::merge) and
/// [`join`](Self::join) panic for others. Implemented for each [`LaneState`](super::LaneState).
pub(crate) trait State: fmt::Debug + Send {
    /// Takes what it has to know of the run, before it is fed.
    fn prepare(&mut self, context: &Context);

    /// Begins a block, which stands at this place of the input.
    fn begin_block(&mut self, place: InputOrder);

    /// Adds a batch of records. `Break` means that one of them is bad.
    fn feed(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()>;

    /// What it had to say of bad records since it was last asked.
    fn told(&mut self) -> Told;

    /// Adds what another lane has seen, of what comes after.
    fn merge(&mut self, other: Box<dyn State>);

    /// Cuts a state by its keys into `2^bits` parts, if it has any; else the first is all.
    fn parts(self: Box<Self>, bits: u32) -> Vec<Box<dyn State>>;

    /// Cuts a state by a hash of its keys into so many shards, which is the same in every process; nothing for a shard
    /// without keys. Of one that is not of keys, the first is all.
    fn shards(self: Box<Self>, shards: usize) -> Vec<Option<Box<dyn State>>>;

    /// Adds the other parts, in their order, to the first.
    fn join(self: Box<Self>, others: Vec<Box<dyn State>>) -> Box<dyn State>;

    /// Bytes that it may be worth while to merge by parts, or to spill.
    fn weight(&self) -> usize;

    /// Bytes of memory that it holds, as far as they may be many.
    fn held(&self) -> usize;

    /// Bytes of memory besides, that hold nothing and are there for what comes.
    fn unused(&self) -> usize;

    /// Bytes of memory that it takes to merge more into it, and to settle it.
    fn merging(&self) -> usize;

    /// Whether a single key may have nearly all that it holds.
    fn grows(&self) -> bool;

    /// Cuts it by the values of its keys into `2^bits` pieces, each with all keys; the first may be all.
    fn pieces(self: Box<Self>, bits: u32) -> Vec<Box<dyn State>>;

    /// The result of one of the [`pieces`](Self::pieces) of all states, to be merged with the others.
    fn condensed(self: Box<Self>) -> Box<dyn State>;

    /// Bytes of memory that it holds at most if no further key comes, whatever the records are, if that is
    /// known.
    fn needed(&self) -> Option<u64>;

    /// What a message about its memory calls it.
    fn name(&self) -> String;

    /// Appends it to bytes of the spill file, for [`load`](Self::load). Returns false, and nothing is
    /// appended, if it cannot be spilled.
    fn save(&self, bytes: &mut Vec<u8>) -> bool;

    /// Saves each of its [`parts`](Self::parts) and gives their bytes in their order; or returns the state, if
    /// it cannot be spilled.
    ///
    /// # Errors
    ///
    /// Those of `write`.
    fn save_parts(
        self: Box<Self>,
        bits: u32,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Box<dyn State>>>;

    /// Adds what was saved. Returns false if these are no such bytes.
    fn load(&mut self, bytes: &[u8]) -> bool;

    /// Whether it is worth while to spill it, and it can be saved.
    fn has_form(&self) -> bool;

    /// Moves out what is to be spilled; the rest stays.
    fn detach(&mut self) -> Box<dyn State>;

    /// Spills what it holds, of which it keeps the places. Returns false if it is one to be spilled by its
    /// parts, or holds little.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be written.
    fn spill(&mut self, budget: &Budget) -> Result<bool>;

    /// Keeps what is wanted of a state, or of a part of it, to which no more will be added.
    fn settle(self: Box<Self>, context: &Context) -> Result<Box<dyn State>>;

    /// Appends it to bytes that are the same in every process for the same records.
    ///
    /// # Panics
    ///
    /// If it is settled.
    fn encode(&self, bytes: &mut Vec<u8>);

    /// Adds a state of what comes after, from bytes that were [encoded](Self::encode).
    ///
    /// # Errors
    ///
    /// If no state of this end was; then this one is not to be used any more.
    fn absorb(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged>;

    /// An empty state of the same end.
    fn empty(&self) -> Box<dyn State>;

    /// The states that it is made of, each of which is written and merged by itself: the results of `a, b` have
    /// one each.
    fn branches(self: Box<Self>) -> Vec<Box<dyn State>>;

    /// Whether it shows in what order states are merged.
    fn is_ordered(&self) -> bool;

    /// Whether it is of keys, so that it can be cut along them, and what is wanted of the parts is kept in
    /// less memory.
    fn can_cut(&self) -> bool;

    /// The state of the keys before this one, and that of the rest.
    fn cut(self: Box<Self>, key: &[u8]) -> (Box<dyn State>, Box<dyn State>);

    /// If a key is within a group: the key where the group begins.
    fn group_of(&self, key: &[u8]) -> Option<Vec<u8>>;

    /// Whether it has a key before this one, which is one where a group begins.
    fn has_before(&self, key: &[u8]) -> bool;

    /// The state of the first group, and that of the rest.
    fn split_first(self: Box<Self>) -> (Box<dyn State>, Box<dyn State>);

    /// Bytes of what cannot be [`cut`](Self::cut), and has to be in memory as a whole.
    fn uncut(&self) -> usize;

    /// Bytes that it takes as it stands, to which as many are needed when it grows.
    fn whole(&self) -> usize;

    /// The first key of a chunk, of which these are the first bytes.
    fn first_key(&self, bytes: &[u8]) -> Result<Vec<u8>, Damaged>;

    /// Writes chunks of its rows, in the order of the keys. Rows that are less than a chunk are returned as
    /// one, unless it is the last state that is written.
    fn write_chunks(
        self: Box<Self>,
        sizes: &mut Sizes,
        last: bool,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Vec<u8>>>;

    /// Spills it as chunks, if states of the run are spilled.
    fn store(self: Box<Self>, context: &Context) -> Result<Box<dyn State>>;

    /// The runs that it was spilled as, if it was.
    fn runs(&mut self) -> Option<Vec<Run>>;

    /// Prints what is wanted of the result.
    fn print(self: Box<Self>, context: &Context, out: &mut Printer<'_>) -> Result<()>;

    /// Itself, to be taken as what it is.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}
