//! Which lane reads or works on which block: a state machine without locks, threads or I/O.
//!
//! There is one for all ends of a run. A lane takes a [`turn`](Schedule::turn): it reads a partition,
//! works on a block that another lane has read, waits, or exits. Any lane takes any block of any
//! partition, and what it makes of the block carries the block's [`Position`]. What becomes of that
//! is the end's own: see [`unordered`](super::unordered), [`segments`](super::segments) and
//! [`stream`](super::stream()). [`Dispatch`](super::dispatch::Dispatch) puts a lock around all of it.
//!
//! **Readers.** A lane stays with its partition while it has one, so that reads are sequential and as
//! many streams are decompressed at once as there are lanes. When no partition is left unopened it
//! helps with another lane's. Through a [`Window`](Policy::Window), where results wait for those
//! before them, the first partition comes first instead.
//!
//! **Pending readers.** A reader whose bytes are on their way is put aside, and its lane takes what
//! is ready: a block, or another reader. No more partitions are open than there are lanes, so that
//! what is fetched for them takes no more memory for it. A lane waits only where nothing is ready.
//!
//! **Queued blocks.** A reader that all lanes share stays with the lane that has it, as long as others
//! wait for blocks: a lane that waits is given a block, and from then on some may lie ready, so that
//! a block that takes long to work on, as where a table grows, does not stop the reading. As soon as
//! more would lie ready than [`READY`], its lane works on a block itself, and whoever is free takes
//! the reader. So a stream that is slow to read, as most compressed ones are, is read all the time,
//! and one that is fast to read by turns.
//!
//! **The limit.** Where something fails, the run fails with what is first in input order, whatever
//! lane met it and when. And where a state is full, nothing behind it is wanted. Either sets a limit:
//! lanes go on with what stands before it, and with nothing behind it. It is
//! [settled](Schedule::is_settled) once nothing before it is left.
//!
//! **The window.** So many results may wait for those before them; the first partition, whose next
//! block may be the one that all wait for, goes on for twice as many, and also where results fill
//! the memory that they may have.
//!
//! Rejected: to give the reader itself to a lane that waits. Nobody reads until that is awake, some
//! tenths of a millisecond, which is a tenth of what a block of gzip takes. And a thread that only
//! reads: one core is idle then whenever reading and working differ in speed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::READY;

/// Where a block stands: its partition, and which block of that it is.
pub(super) type Position = (usize, usize);

/// What the order of blocks is to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// Nothing: a lane has one state of all blocks that it takes.
    Any,
    /// States of neighbouring blocks are merged.
    Runs,
    /// Results are handed on in order, and at most `room` wait for those before them.
    Window { room: usize },
}

/// What the run is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    Continue,
    /// What was read is all that there is.
    Stop,
    Cancel,
}

/// Who is to be woken of the lanes that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    One,
    All,
}

/// A reader, its partition, and how many blocks it has made.
#[derive(Debug, Clone)]
pub(super) struct Open<R> {
    pub(super) partition: usize,
    pub(super) made: usize,
    pub(super) reader: R,
}

/// What a lane is to do.
#[derive(Debug)]
pub(super) enum Turn<R, B> {
    /// Read a partition, whose reader is now this lane's alone.
    Read(Open<R>),
    /// Work on a block that another lane has read.
    Work(Position, B),
    /// Wait, and ask again once it is woken.
    Wait,
    /// Nothing is left for it.
    Exit,
}

/// What becomes of a block that a lane has read.
#[derive(Debug)]
pub(super) enum Made<R, B> {
    /// The lane works on it; the reader is free for others.
    Work(Position, B),
    /// Another lane does. This one reads on.
    ReadOn(Open<R>),
    /// Another lane does, and the reader is free for others.
    Queued,
    /// Nobody does, as it stands behind the limit.
    Unwanted(B),
}

#[derive(Debug, Clone)]
struct Queued<B> {
    at: Position,
    weight: usize,
    block: B,
}

/// See the [module](self).
#[derive(Debug, Clone)]
pub(super) struct Schedule<R, B> {
    policy: Policy,
    lanes: usize,
    partitions: usize,
    /// The first partition that nobody has opened.
    unopened: usize,
    /// Readers that nobody holds.
    idle: Vec<Open<R>>,
    /// Partitions whose readers are held by lanes that make a block right now, and whether their
    /// bytes have come meanwhile.
    reading: Vec<(usize, bool)>,
    /// Readers that have been put aside until their bytes have come.
    pending: Vec<Open<R>>,
    /// Readers that nobody wants any more.
    unwanted: Vec<Open<R>>,
    /// Blocks for others than the lane that has read them.
    queued: VecDeque<Queued<B>>,
    /// What all of these weigh.
    ready: usize,
    /// Blocks that lanes work on.
    working: BTreeSet<Position>,
    /// Lanes that wait.
    waiting: usize,
    /// Whether a lane has waited since there would have been too many queued blocks.
    is_starved: bool,
    /// Nothing that stands behind it is wanted.
    limit: Option<Position>,
    /// Nothing is wanted any more.
    enough: bool,
    /// How many blocks the partitions had that have ended, where the order matters.
    ended: BTreeMap<usize, usize>,
    /// The position of the result that is handed on next.
    next: Position,
    /// Results that wait for it.
    results: usize,
}

impl<R, B> Schedule<R, B> {
    pub(super) fn new(partitions: usize, lanes: usize, policy: Policy) -> Self {
        Self {
            policy,
            lanes,
            partitions,
            unopened: 0,
            idle: Vec::new(),
            reading: Vec::new(),
            pending: Vec::new(),
            unwanted: Vec::new(),
            queued: VecDeque::new(),
            ready: 0,
            working: BTreeSet::new(),
            waiting: 0,
            is_starved: false,
            limit: None,
            enough: false,
            ended: BTreeMap::new(),
            next: (0, 0),
            results: 0,
        }
    }

    /// What a lane does now that has read the partition `own` and has worked on the block at `last`
    /// before. `is_full` says that results take all the memory that they may; `open` opens a
    /// partition.
    pub(super) fn turn(
        &mut self,
        (own, last): (Option<usize>, Option<Position>),
        control: Control,
        is_full: bool,
        open: impl FnOnce(usize) -> R,
    ) -> Turn<R, B> {
        if control == Control::Cancel || self.enough {
            return Turn::Exit;
        }
        // Also if the run is to stop: what was read is what it comes to.
        if let Some(Queued { at, weight, block }) = self.take_queued(last) {
            self.ready -= weight;
            self.working.insert(at);
            return Turn::Work(at, block);
        }
        if control == Control::Stop {
            return Turn::Exit;
        }
        if let Some(open) = self.reader(own, is_full, open) {
            self.reading.push((open.partition, false));
            return Turn::Read(open);
        }
        if self.open() == 0 && self.unopened == self.partitions {
            return Turn::Exit;
        }
        self.is_starved = true;
        Turn::Wait
    }

    /// The queued block that is best for a lane: where the order matters, the one behind its last, or
    /// else the first.
    fn take_queued(&mut self, last: Option<Position>) -> Option<Queued<B>> {
        if self.policy == Policy::Any || self.queued.len() < 2 {
            return self.queued.pop_front();
        }
        let follows = |at: Position| last.is_some_and(|(p, n)| at == (p, n + 1));
        let rank = |queued: &Queued<B>| (!follows(queued.at), queued.at);
        let best = self.queued.iter().enumerate().min_by_key(|(_, queued)| rank(queued));
        let (n, _) = best?;
        self.queued.remove(n)
    }

    fn reader(
        &mut self,
        own: Option<usize>,
        is_full: bool,
        open: impl FnOnce(usize) -> R,
    ) -> Option<Open<R>> {
        let is_window = matches!(self.policy, Policy::Window { .. });
        let own = self.idle.iter().position(|open| Some(open.partition) == own);
        if let Some(n) = own.filter(|_| !is_window) {
            return Some(self.idle.swap_remove(n));
        }
        let first = self.idle.iter().enumerate().min_by_key(|(_, open)| open.partition);
        let first = first.map(|(n, open)| (n, (open.partition, open.made)));
        let (partition, ahead) = (self.unopened, self.ahead());
        let opens = partition < self.partitions
            && self.open() < self.lanes
            && self.has_room((partition, 0), is_full, ahead);
        match first {
            Some((n, of)) if is_window && self.has_room(of, is_full, ahead) => {
                Some(self.idle.swap_remove(n))
            }
            _ if opens => {
                self.unopened += 1;
                Some(Open { partition, made: 0, reader: open(partition) })
            }
            Some((n, _)) if !is_window => Some(self.idle.swap_remove(n)),
            _ => None,
        }
    }

    /// How many partitions are open.
    fn open(&self) -> usize {
        self.idle.len() + self.reading.len() + self.pending.len()
    }

    /// Blocks and results that may have to wait for the one that is next.
    fn ahead(&self) -> usize {
        let coming = self.reading.len() + self.pending.len();
        self.results + self.working.len() + self.queued.len() + coming
    }

    /// Whether a block may be read while `ahead` blocks and results are before it. The block that all others wait
    /// for may always be read.
    fn has_room(&self, at: Position, is_full: bool, ahead: usize) -> bool {
        let Policy::Window { room } = self.policy else { return true };
        let room = if at.0 == self.next.0 { 2 * room } else { room };
        at == self.next || ahead < room && !is_full
    }

    /// A reader has made a block of `weight` bytes.
    pub(super) fn made(
        &mut self,
        mut open: Open<R>,
        weight: usize,
        block: B,
        is_full: bool,
    ) -> (Made<R, B>, Wake) {
        let at = (open.partition, open.made);
        open.made += 1;
        if self.enough || !self.is_wanted(at) {
            let wake = self.release(open);
            return (Made::Unwanted(block), wake);
        }
        let is_wanted = self.waiting > self.queued.len();
        let is_window = matches!(self.policy, Policy::Window { .. });
        // A window has results that wait; so that blocks do not wait besides, none lie ready.
        let has_room = !is_window && self.ready + weight <= READY;
        self.is_starved &= is_wanted || has_room;
        if !self.is_starved {
            self.working.insert(at);
            let wake = self.release(open);
            return (Made::Work(at, block), wake);
        }
        self.ready += weight;
        self.queued.push_back(Queued { at, weight, block });
        if self.has_room((open.partition, open.made), is_full, self.ahead() - 1) {
            (Made::ReadOn(open), Wake::One)
        } else {
            self.release(open);
            (Made::Queued, Wake::All)
        }
    }

    /// Gives a reader back for anyone to take.
    pub(super) fn release(&mut self, open: Open<R>) -> Wake {
        self.stop_reading(open.partition);
        let is_wanted = self.wants(open.partition);
        if is_wanted {
            self.idle.push(open)
        } else {
            self.unwanted.push(open)
        }
        self.freed()
    }

    /// Puts a reader aside until its bytes have come; they may have come meanwhile. Says whom to wake,
    /// if that changes anything for others.
    pub(super) fn pends(&mut self, open: Open<R>) -> Option<Wake> {
        let is_ready = self.reading.contains(&(open.partition, true));
        if is_ready || !self.wants(open.partition) {
            return Some(self.release(open));
        }
        self.stop_reading(open.partition);
        self.pending.push(open);
        None
    }

    /// The bytes that the reader of a partition waits for have come. Who calls this wakes a lane.
    pub(super) fn set_ready(&mut self, partition: usize) {
        if let Some(n) = self.pending.iter().position(|open| open.partition == partition) {
            self.idle.push(self.pending.swap_remove(n));
        }
        for (reading, is_ready) in &mut self.reading {
            *is_ready |= *reading == partition;
        }
    }

    /// Whether the rest of a partition is wanted.
    fn wants(&self, partition: usize) -> bool {
        !self.enough && self.limit.is_none_or(|limit| partition < limit.0)
    }

    /// Readers that nobody wants, to be dropped where others need not wait for it.
    pub(super) fn take_unwanted(&mut self) -> Vec<Open<R>> {
        std::mem::take(&mut self.unwanted)
    }

    /// A partition has ended, after `made` blocks.
    pub(super) fn ended(&mut self, partition: usize, made: usize) -> Wake {
        self.stop_reading(partition);
        if self.policy != Policy::Any {
            self.ended.insert(partition, made);
            self.next = self.beyond(self.next);
        }
        self.freed()
    }

    /// A reader has failed to make the block at this position.
    pub(super) fn failed(&mut self, at: Position) {
        self.stop_reading(at.0);
        self.limit(at);
    }

    fn stop_reading(&mut self, partition: usize) {
        if let Some(n) = self.reading.iter().position(|&(reading, _)| reading == partition) {
            self.reading.swap_remove(n);
        }
    }

    /// One reader is one lane's work; the end, and room in a window, concern them all.
    fn freed(&self) -> Wake {
        let is_window = matches!(self.policy, Policy::Window { .. });
        if is_window || self.reading.is_empty() { Wake::All } else { Wake::One }
    }

    /// A lane is done with a block.
    pub(super) fn done(&mut self, at: Position) {
        self.working.remove(&at);
    }

    /// Nothing behind this position is wanted.
    pub(super) fn limit(&mut self, at: Position) {
        if self.limit.is_some_and(|limit| limit <= at) {
            return;
        }
        self.limit = Some(at);
        let is_behind = |open: &mut Open<R>| open.partition >= at.0;
        self.unwanted.extend(self.idle.extract_if(.., is_behind));
        self.unwanted.extend(self.pending.extract_if(.., is_behind));
        self.unopened = self.partitions;
        self.queued.retain(|queued| queued.at <= at);
        self.ready = self.queued.iter().map(|queued| queued.weight).sum();
    }

    /// Returns true if this position does not stand behind the limit.
    pub(super) fn is_wanted(&self, at: Position) -> bool {
        self.limit.is_none_or(|limit| at <= limit)
    }

    /// The position behind which nothing is wanted, if nothing can come before it any more.
    pub(super) fn settled(&self) -> Option<Position> {
        self.limit.filter(|limit| self.is_settled(*limit))
    }

    /// Returns true if nothing can come before this position any more. It stands in a partition that
    /// was opened, and so were those before.
    fn is_settled(&self, at: Position) -> bool {
        !(self.working.first().is_some_and(|first| *first < at)
            || self.queued.iter().any(|queued| queued.at < at)
            || self.reading.iter().any(|&(partition, _)| partition < at.0)
            || self.idle.iter().chain(&self.pending).any(|open| open.partition < at.0))
    }

    /// Nothing is wanted any more.
    pub(super) fn end(&mut self) {
        self.enough = true;
        self.unwanted.append(&mut self.idle);
        self.unwanted.append(&mut self.pending);
    }

    pub(super) fn has_enough(&self) -> bool {
        self.enough
    }

    /// A lane begins to wait, or ends it.
    pub(super) fn waits(&mut self, begins: bool) {
        self.waiting = if begins { self.waiting + 1 } else { self.waiting - 1 };
    }

    /// Returns true if lanes wait: if there are none, nobody needs to be notified.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// The position of the block behind this one, as far as it is known.
    pub(super) fn after(&self, (partition, block): Position) -> Position {
        self.beyond((partition, block + 1))
    }

    /// The same position, or the start of the partition behind it where its own has ended there.
    fn beyond(&self, mut at: Position) -> Position {
        while self.ended.get(&at.0) == Some(&at.1) {
            at = (at.0 + 1, 0);
        }
        at
    }

    /// Where the result stands that is handed on next.
    pub(super) fn next(&self) -> Position {
        self.next
    }

    /// A result begins to wait.
    pub(super) fn result(&mut self) {
        self.results += 1;
    }

    /// The next result is handed on.
    pub(super) fn handed_on(&mut self) {
        self.results -= 1;
        self.next = self.after(self.next);
    }
}
