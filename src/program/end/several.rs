//! `a, b`: several results of the same records, printed one after another.

use std::ops::ControlFlow;
use std::sync::Arc;

use creel_operators::aggregate::{Damaged, Reader, Writer};

use super::super::failure::Told;
use super::super::phase::Phase;
use super::super::stage::{Scratch, Stage, drive, scratch};
use super::super::{fields, phases};
use super::{Batch, End, Kind, LaneState, Rows, State, each_result, print_results};
use crate::Result;
use crate::progress::InputOrder;
use crate::record::Invalid;
use crate::run::Context;
use crate::sink::Printer;
use crate::spill::Budget;

/// The end of a phase in several results.
#[derive(Debug)]
pub(in super::super) struct Several {
    branches: Vec<Arc<Branch>>,
    /// What the records are.
    kind: Kind,
}

/// One of several results: what is made of the records that all of them are of.
#[derive(Debug)]
pub(in super::super) struct Branch {
    stages: Vec<Stage>,
    end: Arc<dyn End>,
    /// The phases that read its rows, one after another.
    following: Vec<Arc<Phase>>,
}

impl Branch {
    /// Stages over the records, and the end of these.
    pub(in super::super) fn new(stages: Vec<Stage>, end: Arc<dyn End>) -> Self {
        Self { stages, end, following: Vec::new() }
    }

    /// The same, whose rows are the records of phases.
    pub(in super::super) fn followed_by(self, phases: Vec<Phase>) -> Self {
        Self { following: phases.into_iter().map(Arc::new).collect(), ..self }
    }

    /// Returns true if it has to see all records in their order, of all processes.
    fn numbers_records(&self) -> bool {
        self.end.numbers_records()
            || self.stages.iter().any(|stage| matches!(stage, Stage::Take(_)))
    }

    /// The bytes of memory that a lane needs for the states of any of its phases, about.
    fn state_of_lane(&self) -> u64 {
        let following = self.following.iter().map(|phase| phase.state_of_lane());
        following.chain([self.end.state_of_lane()]).max().unwrap_or(0)
    }

    /// The least memory for the states of any of its phases, about.
    fn least_state(&self) -> u64 {
        let following = self.following.iter().map(|phase| phase.least_state());
        following.chain([self.end.least_state()]).max().unwrap_or(0)
    }
}

impl Several {
    /// Several results of records of a kind.
    pub(in super::super) fn new(branches: Vec<Branch>, kind: Kind) -> Self {
        Self { branches: branches.into_iter().map(Arc::new).collect(), kind }
    }

    /// Visits each of the results, as [`each_result`].
    pub(super) fn each_result(&self, visit: &mut dyn FnMut(&Arc<dyn End>, Kind)) {
        for branch in &self.branches {
            let kind = branch.stages.iter().fold(self.kind, |kind, stage| stage.kind(kind));
            each_result(&branch.end, kind, visit);
        }
    }

    /// Prints the results, as [`print_results`].
    pub(super) fn print_results(
        &self,
        policy: Invalid,
        next: &mut dyn FnMut() -> Result<Box<dyn State>>,
        context: &Context,
        out: &mut Printer<'_>,
    ) -> Result<()> {
        self.branches.iter().try_for_each(|branch| {
            phases::follow(&branch.following, policy, context, out, |out| {
                print_results(&branch.end, policy, next, context, out)
            })
        })
    }
}

impl End for Several {
    fn start(self: Arc<Self>, policy: Invalid) -> Box<dyn State> {
        Box::new(States::new(self, policy))
    }

    fn rows(&mut self) -> Rows<'_> {
        Rows::Mixed
    }

    fn resolve(&mut self, fields: &mut Vec<Box<str>>) {
        for branch in self.branches.iter_mut().filter_map(Arc::get_mut) {
            fields::resolve(&mut branch.stages, Arc::get_mut(&mut branch.end), fields);
        }
    }

    fn is_ordered(&self) -> bool {
        self.numbers_records() || self.branches.iter().any(|branch| branch.end.is_ordered())
    }

    fn numbers_records(&self) -> bool {
        self.branches.iter().any(|branch| branch.numbers_records())
    }

    fn uncounted(&self) -> Option<Arc<dyn End>> {
        let uncounted: Vec<_> = self.branches.iter().map(|branch| branch.end.uncounted()).collect();
        if uncounted.iter().all(Option::is_none) {
            return None;
        }
        let branches = self.branches.iter().zip(uncounted).map(|(branch, end)| match end {
            None => Arc::clone(branch),
            Some(end) => {
                let (stages, following) = (branch.stages.clone(), branch.following.clone());
                Arc::new(Branch { stages, end, following })
            }
        });
        Some(Arc::new(Self { branches: branches.collect(), kind: self.kind }))
    }

    fn several(&self) -> Option<&Several> {
        Some(self)
    }

    fn state_of_lane(&self) -> u64 {
        self.branches.iter().map(|branch| branch.state_of_lane()).fold(0, u64::saturating_add)
    }

    fn least_state(&self) -> u64 {
        self.branches.iter().map(|branch| branch.least_state()).fold(0, u64::saturating_add)
    }
}

/// What a lane has seen for each of several results.
#[derive(Debug)]
struct States {
    of: Arc<Several>,
    policy: Invalid,
    branches: Vec<BranchState>,
}

/// What a lane has seen for one of several results, and its buffers.
#[derive(Debug)]
struct BranchState {
    of: Arc<Branch>,
    /// The records at hand, of which its stages may drop some.
    batch: Batch,
    scratch: Vec<Scratch>,
    state: Box<dyn State>,
    /// What is known of bad records and was not asked for yet.
    told: Told,
    /// Whether a `take` has all that it takes.
    is_done: bool,
}

impl BranchState {
    /// `Break` means that a record is bad.
    fn feed(&mut self, text: &str, batch: &mut Batch, policy: Invalid) -> ControlFlow<()> {
        if self.is_done {
            return ControlFlow::Continue(());
        }
        let Self { of, scratch, state, .. } = self;
        let flow =
            drive(&of.stages, scratch, text, batch, &mut |text, batch| state.feed(text, batch));
        if flow.is_continue() {
            return flow;
        }
        let told = self.state.told();
        self.told.add(told);
        self.scratch.iter_mut().for_each(|scratch| self.told.add(scratch.told()));
        // A run that fails for a bad record has told of it; otherwise a `take` had enough.
        self.is_done = policy == Invalid::Skip || self.told.first.is_none();
        if self.is_done { ControlFlow::Continue(()) } else { flow }
    }

    fn told(&mut self) -> Told {
        let mut told = std::mem::take(&mut self.told);
        told.add(self.state.told());
        self.scratch.iter_mut().for_each(|scratch| told.add(scratch.told()));
        told
    }
}

impl States {
    fn new(of: Arc<Several>, policy: Invalid) -> Self {
        let lane = |branch: &Arc<Branch>| BranchState {
            batch: Batch::new(of.kind),
            scratch: scratch(&branch.stages, of.kind, policy),
            state: Arc::clone(&branch.end).start(policy),
            told: Told::default(),
            is_done: false,
            of: Arc::clone(branch),
        };
        Self { branches: of.branches.iter().map(lane).collect(), policy, of }
    }

    fn states(&self) -> impl Iterator<Item = &dyn State> {
        self.branches.iter().map(|branch| &*branch.state)
    }

    fn into_states(self) -> impl Iterator<Item = Box<dyn State>> {
        self.branches.into_iter().map(|branch| branch.state)
    }
}

impl LaneState for States {
    fn fresh(&self) -> Self {
        Self::new(Arc::clone(&self.of), self.policy)
    }

    fn prepare(&mut self, context: &Context) {
        self.branches.iter_mut().for_each(|branch| branch.state.prepare(context));
    }

    fn begin_block(&mut self, place: InputOrder) {
        self.branches.iter_mut().for_each(|branch| branch.state.begin_block(place));
    }

    fn spill(&mut self, budget: &Budget) -> Result<bool> {
        let mut spilled = false;
        for branch in &mut self.branches {
            spilled |= branch.state.spill(budget)?;
        }
        Ok(spilled)
    }

    fn feed(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()> {
        let Some((last, others)) = self.branches.split_last_mut() else {
            return ControlFlow::Continue(());
        };
        // All of them see the batch, so that the first bad record of any is told.
        let mut flow = ControlFlow::Continue(());
        for branch in others {
            let mut own = std::mem::replace(&mut branch.batch, Batch::new(batch.record.kind));
            own.copy_from(batch);
            if branch.feed(text, &mut own, self.policy).is_break() {
                flow = ControlFlow::Break(());
            }
            branch.batch = own;
        }
        last.feed(text, batch, self.policy)?;
        match self.branches.iter().all(|branch| branch.is_done) {
            true => ControlFlow::Break(()),
            false => flow,
        }
    }

    fn told(&mut self) -> Told {
        let mut told = Told::default();
        self.branches.iter_mut().for_each(|branch| told.add_beside(branch.told()));
        told
    }

    fn merge(&mut self, other: Self) {
        for (into, from) in self.branches.iter_mut().zip(other.into_states()) {
            into.state.merge(from);
        }
    }

    fn parts(self, bits: u32) -> Vec<Self> {
        let mut parts: Vec<Self> = (0..1 << bits).map(|_| self.fresh()).collect();
        for (at, state) in self.into_states().enumerate() {
            for (part, state) in parts.iter_mut().zip(state.parts(bits)) {
                part.branches[at].state = state;
            }
        }
        parts
    }

    fn pieces(self, bits: u32) -> Vec<Self> {
        let mut pieces: Vec<Self> = (0..1 << bits).map(|_| self.fresh()).collect();
        for (at, state) in self.into_states().enumerate() {
            for (piece, state) in pieces.iter_mut().zip(state.pieces(bits)) {
                piece.branches[at].state = state;
            }
        }
        pieces
    }

    fn condensed(self) -> Self {
        let mut condensed = self.fresh();
        for (into, state) in condensed.branches.iter_mut().zip(self.into_states()) {
            into.state = state.condensed();
        }
        condensed
    }

    fn merging(&self) -> usize {
        self.states().map(|state| state.merging()).sum()
    }

    fn grows(&self) -> bool {
        self.states().any(|state| state.grows())
    }

    fn join(self, others: Vec<Self>) -> Self {
        let mut of_each: Vec<Vec<Box<dyn State>>> = Vec::new();
        of_each.resize_with(self.branches.len(), Vec::new);
        for other in others {
            of_each.iter_mut().zip(other.into_states()).for_each(|(all, state)| all.push(state));
        }
        let mut joined = self.fresh();
        let all = self.into_states().zip(of_each);
        for (into, (first, others)) in joined.branches.iter_mut().zip(all) {
            into.state = first.join(others);
        }
        joined
    }

    fn weight(&self) -> usize {
        self.states().map(|state| state.weight()).sum()
    }

    fn held(&self) -> usize {
        self.states().map(|state| state.held()).sum()
    }

    fn unused(&self) -> usize {
        self.states().map(|state| state.unused()).sum()
    }

    fn name(&self) -> String {
        let largest = self.states().max_by_key(|state| state.held());
        largest.map(|state| state.name()).unwrap_or_default()
    }

    /// Those that cannot be saved are nothing here: they stay where they are, see [`detach`](Self::detach).
    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        let mut own = Vec::new();
        for state in self.states() {
            own.clear();
            if !state.save(&mut own) {
                own.clear();
            }
            bytes.put_bytes(&own);
        }
        true
    }

    fn load(&mut self, bytes: &[u8]) -> bool {
        let mut bytes = Reader::new(bytes);
        let mut load = |branch: &mut BranchState| {
            bytes.bytes().is_ok_and(|own| own.is_empty() || branch.state.load(own))
        };
        self.branches.iter_mut().all(&mut load) && bytes.end().is_ok()
    }

    fn has_form(&self) -> bool {
        self.states().any(|state| state.has_form())
    }

    fn detach(&mut self) -> Self {
        let mut detached = self.fresh();
        for (out, branch) in detached.branches.iter_mut().zip(&mut self.branches) {
            out.state = branch.state.detach();
        }
        detached
    }

    fn branches(self) -> Vec<Box<dyn State>> {
        self.into_states().flat_map(|state| state.branches()).collect()
    }

    fn store(self, context: &Context) -> Result<Box<dyn State>> {
        let mut stored = self.fresh();
        for (into, state) in stored.branches.iter_mut().zip(self.into_states()) {
            into.state = state.store(context)?;
        }
        Ok(Box::new(stored))
    }

    fn settle(self, context: &Context) -> Result<Box<dyn State>> {
        let mut settled = self.fresh();
        for (into, state) in settled.branches.iter_mut().zip(self.into_states()) {
            into.state = state.settle(context)?;
        }
        Ok(Box::new(settled))
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        self.states().for_each(|state| state.encode(bytes));
    }

    fn decode(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        // Those of an empty state are empty.
        self.branches.iter_mut().try_for_each(|branch| branch.state.absorb(bytes))
    }

    fn print(self, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        let policy = self.policy;
        // While one is printed, the others hold what they have, of which as much is spilled as can be.
        let mut waiting = LaneState::held(&self);
        let mut branches = self.branches;
        if let Some(budget) = &context.budget
            && waiting as u64 > budget.limit() / 4
        {
            branches.iter_mut().try_for_each(|branch| branch.state.spill(budget).map(drop))?;
            waiting = branches.iter().map(|branch| branch.state.held()).sum();
        }
        let mut reserved = context.budget.as_ref().map(|budget| budget.reserve(0));
        branches.into_iter().try_for_each(|BranchState { of, state, .. }| {
            waiting = waiting.saturating_sub(state.held());
            reserved.iter_mut().for_each(|reserved| reserved.set(waiting as u64));
            phases::follow(&of.following, policy, context, out, |out| state.print(context, out))
        })
    }
}
