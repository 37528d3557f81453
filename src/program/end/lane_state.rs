//! The typed face of a lane's state, and the object-safe one that it is used by.

use std::any::{Any, type_name};
use std::fmt;
use std::ops::ControlFlow;

use creel_operators::aggregate::{Damaged, Reader};

use super::super::batch::Batch;
use super::super::failure::Told;
use super::State;
use super::chunks::{Run, Sizes};
use crate::Result;
use crate::progress::InputOrder;
use crate::run::{Context, save_each};
use crate::sink::Printer;
use crate::spill::Budget;

/// The typed face of [`State`]: others of a run come as what they are. See there for what each method
/// does.
pub(super) trait LaneState: fmt::Debug + Send + Sized + 'static {
    /// An empty state of the same end.
    fn fresh(&self) -> Self;

    fn prepare(&mut self, _context: &Context) {}

    fn begin_block(&mut self, _place: InputOrder) {}

    fn feed(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()>;

    fn told(&mut self) -> Told {
        Told::default()
    }

    fn merge(&mut self, other: Self);

    fn parts(self, bits: u32) -> Vec<Self> {
        let empty: Vec<Self> = (1..1 << bits).map(|_| self.fresh()).collect();
        std::iter::once(self).chain(empty).collect()
    }

    fn shards(self, shards: usize) -> Vec<Option<Self>> {
        std::iter::once(Some(self)).chain((1..shards).map(|_| None)).collect()
    }

    fn join(mut self, others: Vec<Self>) -> Self {
        others.into_iter().for_each(|other| self.merge(other));
        self
    }

    fn weight(&self) -> usize {
        0
    }

    fn held(&self) -> usize;

    fn unused(&self) -> usize {
        0
    }

    fn merging(&self) -> usize {
        2 * self.held()
    }

    fn grows(&self) -> bool {
        false
    }

    fn pieces(self, bits: u32) -> Vec<Self> {
        let empty: Vec<Self> = (1..1 << bits).map(|_| self.fresh()).collect();
        std::iter::once(self).chain(empty).collect()
    }

    fn condensed(self) -> Self {
        self
    }

    fn needed(&self) -> Option<u64> {
        None
    }

    fn name(&self) -> String;

    fn save(&self, _bytes: &mut Vec<u8>) -> bool {
        false
    }

    fn save_parts(
        self,
        bits: u32,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Self>> {
        let left = save_each(self.parts(bits), Self::save, write)?;
        Ok(left.map(|parts| {
            let mut parts = parts.into_iter();
            let first = parts.next().unwrap_or_else(|| unreachable!("one has no form"));
            first.join(parts.collect())
        }))
    }

    fn load(&mut self, _bytes: &[u8]) -> bool {
        false
    }

    fn has_form(&self) -> bool {
        false
    }

    fn detach(&mut self) -> Self {
        let fresh = self.fresh();
        if self.has_form() { std::mem::replace(self, fresh) } else { fresh }
    }

    fn spill(&mut self, _budget: &Budget) -> Result<bool> {
        Ok(false)
    }

    fn settle(self, _context: &Context) -> Result<Box<dyn State>> {
        Ok(Box::new(self))
    }

    fn encode(&self, bytes: &mut Vec<u8>);

    /// Makes an empty state that of bytes.
    fn decode(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged>;

    fn absorb(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        let mut other = self.fresh();
        other.decode(bytes)?;
        self.merge(other);
        Ok(())
    }

    fn branches(self) -> Vec<Box<dyn State>> {
        vec![Box::new(self)]
    }

    fn is_ordered(&self) -> bool {
        false
    }

    fn can_cut(&self) -> bool {
        false
    }

    fn cut(self, _key: &[u8]) -> (Self, Self) {
        (self.fresh(), self)
    }

    fn group_of(&self, _key: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn has_before(&self, _key: &[u8]) -> bool {
        true
    }

    fn split_first(self) -> (Self, Self) {
        let rest = self.fresh();
        (self, rest)
    }

    fn uncut(&self) -> usize {
        if self.can_cut() { 0 } else { self.held() }
    }

    fn whole(&self) -> usize {
        self.held()
    }

    fn first_key(&self, _bytes: &[u8]) -> Result<Vec<u8>, Damaged> {
        Ok(Vec::new())
    }

    fn write_chunks(
        self,
        _sizes: &mut Sizes,
        _last: bool,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        write(&bytes).map(|()| None)
    }

    fn store(self, _context: &Context) -> Result<Box<dyn State>> {
        Ok(Box::new(self))
    }

    fn runs(&mut self) -> Option<Vec<Run>> {
        None
    }

    fn print(self, context: &Context, out: &mut Printer<'_>) -> Result<()>;
}

/// The state that another one is.
fn same<S: LaneState>(other: Box<dyn State>) -> S {
    match other.into_any().downcast() {
        Ok(state) => *state,
        // All states of a run start from one end, and all parts are settled in one way.
        Err(_) => unreachable!("a state of another end than {}", type_name::<S>()),
    }
}

fn boxed<S: LaneState>(state: S) -> Box<dyn State> {
    Box::new(state)
}

impl<S: LaneState> State for S {
    fn prepare(&mut self, context: &Context) {
        LaneState::prepare(self, context);
    }

    fn begin_block(&mut self, place: InputOrder) {
        LaneState::begin_block(self, place);
    }

    fn feed(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()> {
        LaneState::feed(self, text, batch)
    }

    fn told(&mut self) -> Told {
        LaneState::told(self)
    }

    fn merge(&mut self, other: Box<dyn State>) {
        LaneState::merge(self, same(other));
    }

    fn parts(self: Box<Self>, bits: u32) -> Vec<Box<dyn State>> {
        LaneState::parts(*self, bits).into_iter().map(boxed).collect()
    }

    fn shards(self: Box<Self>, shards: usize) -> Vec<Option<Box<dyn State>>> {
        LaneState::shards(*self, shards).into_iter().map(|shard| shard.map(boxed)).collect()
    }

    fn join(self: Box<Self>, others: Vec<Box<dyn State>>) -> Box<dyn State> {
        Box::new(LaneState::join(*self, others.into_iter().map(same).collect()))
    }

    fn weight(&self) -> usize {
        LaneState::weight(self)
    }

    fn held(&self) -> usize {
        LaneState::held(self)
    }

    fn unused(&self) -> usize {
        LaneState::unused(self)
    }

    fn merging(&self) -> usize {
        LaneState::merging(self)
    }

    fn grows(&self) -> bool {
        LaneState::grows(self)
    }

    fn pieces(self: Box<Self>, bits: u32) -> Vec<Box<dyn State>> {
        LaneState::pieces(*self, bits).into_iter().map(boxed).collect()
    }

    fn condensed(self: Box<Self>) -> Box<dyn State> {
        Box::new(LaneState::condensed(*self))
    }

    fn needed(&self) -> Option<u64> {
        LaneState::needed(self)
    }

    fn name(&self) -> String {
        LaneState::name(self)
    }

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        LaneState::save(self, bytes)
    }

    fn save_parts(
        self: Box<Self>,
        bits: u32,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Box<dyn State>>> {
        Ok(LaneState::save_parts(*self, bits, write)?.map(boxed))
    }

    fn load(&mut self, bytes: &[u8]) -> bool {
        LaneState::load(self, bytes)
    }

    fn has_form(&self) -> bool {
        LaneState::has_form(self)
    }

    fn detach(&mut self) -> Box<dyn State> {
        Box::new(LaneState::detach(self))
    }

    fn spill(&mut self, budget: &Budget) -> Result<bool> {
        LaneState::spill(self, budget)
    }

    fn settle(self: Box<Self>, context: &Context) -> Result<Box<dyn State>> {
        LaneState::settle(*self, context)
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        LaneState::encode(self, bytes);
    }

    fn absorb(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        LaneState::absorb(self, bytes)
    }

    fn empty(&self) -> Box<dyn State> {
        Box::new(LaneState::fresh(self))
    }

    fn branches(self: Box<Self>) -> Vec<Box<dyn State>> {
        LaneState::branches(*self)
    }

    fn is_ordered(&self) -> bool {
        LaneState::is_ordered(self)
    }

    fn can_cut(&self) -> bool {
        LaneState::can_cut(self)
    }

    fn cut(self: Box<Self>, key: &[u8]) -> (Box<dyn State>, Box<dyn State>) {
        let (below, rest) = LaneState::cut(*self, key);
        (Box::new(below), Box::new(rest))
    }

    fn group_of(&self, key: &[u8]) -> Option<Vec<u8>> {
        LaneState::group_of(self, key)
    }

    fn has_before(&self, key: &[u8]) -> bool {
        LaneState::has_before(self, key)
    }

    fn split_first(self: Box<Self>) -> (Box<dyn State>, Box<dyn State>) {
        let (first, rest) = LaneState::split_first(*self);
        (Box::new(first), Box::new(rest))
    }

    fn uncut(&self) -> usize {
        LaneState::uncut(self)
    }

    fn whole(&self) -> usize {
        LaneState::whole(self)
    }

    fn first_key(&self, bytes: &[u8]) -> Result<Vec<u8>, Damaged> {
        LaneState::first_key(self, bytes)
    }

    fn write_chunks(
        self: Box<Self>,
        sizes: &mut Sizes,
        last: bool,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Vec<u8>>> {
        LaneState::write_chunks(*self, sizes, last, write)
    }

    fn store(self: Box<Self>, context: &Context) -> Result<Box<dyn State>> {
        LaneState::store(*self, context)
    }

    fn runs(&mut self) -> Option<Vec<Run>> {
        LaneState::runs(self)
    }

    fn print(self: Box<Self>, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        LaneState::print(*self, context, out)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
