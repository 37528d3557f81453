//! Reading ahead: what is read next is under way before it is asked for.
//!
//! All readers of a source share one [`Ahead`]. It keeps a queue of ranges for each partition, in
//! order, so that small objects are fetched side by side, and begins with the partitions that
//! nobody has opened yet when the open ones have been asked for to their ends: so no partition
//! waits for its first answer. Whoever reads fills it up, as [`Pace`] and the budget allow.
//!
//! The budget is of bytes that are fetched and not yet read. A long range counts as what its
//! [`Body`] may hold; the rest waits on the server's side. A reader may always ask for what it
//! reads next, and only readers ask, so that it cannot lock up.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::known::Remote;
use super::object::Home;
use super::pace::Pace;
use super::pack::{Shelf, Slice};
use super::pool::Pool;
use super::range::{Body, Traffic};

/// The first range of an object of unknown size.
const FIRST: u64 = 256 << 10;
/// What is asked for past a slice's end along with it, where mostly one record is wanted.
const PAST: u64 = 64 << 10;
/// Longer slices are paced by bytes, shorter ones by their number.
const LONG: u64 = 1 << 20;

/// What is fetched ahead for all readers of a source. Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Ahead(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    partitions: Arc<Shelf>,
    /// Whether partitions are read one after another, so that the next is worth asking for.
    in_turn: bool,
    /// Bytes that may be fetched and not yet read, for each reader.
    limit: u64,
    held: u64,
    /// Partitions that are open.
    open: usize,
    queues: HashMap<usize, Queue>,
    /// Partitions that were opened or asked for; all before `first` were.
    claimed: Vec<bool>,
    first: usize,
    /// The partition that nobody has opened and that is not asked for to its end.
    begun: Option<usize>,
    long: Pace,
    short: Pace,
    /// What there is of short slices, and of long ones.
    traffic: [Arc<Traffic>; 2],
    /// Buffers for long ranges to land in.
    pool: Pool,
}

/// The ranges of one partition that were asked for, and where the next begins: a slice, and an
/// offset in it (`None`: its first).
#[derive(Debug)]
struct Queue {
    slices: Arc<[Slice]>,
    pieces: VecDeque<Piece>,
    slice: usize,
    at: Option<u64>,
}

/// A range that was asked for.
#[derive(Debug)]
pub(super) struct Piece {
    slice: usize,
    /// Where it ends, or where its reader leaves it.
    pub(super) end: u64,
    held: u64,
    long: bool,
    pub(super) body: Body,
}

impl Piece {
    /// Whether it is of a long slice.
    pub(super) fn is_long(&self) -> bool {
        self.long
    }
}

/// A range to ask for.
struct Wanted {
    slice: usize,
    range: Range<u64>,
    remote: Arc<Remote>,
    long: bool,
}

impl Ahead {
    pub(super) fn new(partitions: &Arc<Shelf>, limit: usize, in_turn: bool, pool: &Pool) -> Self {
        Self(Arc::new(Mutex::new(State {
            partitions: Arc::clone(partitions),
            in_turn,
            limit: limit as u64,
            held: 0,
            open: 0,
            queues: HashMap::new(),
            claimed: vec![false; partitions.len()],
            first: 0,
            begun: None,
            long: Pace::new(1, 16, 128 << 20),
            short: Pace::new(32, 128, 512),
            traffic: Default::default(),
            pool: pool.clone(),
        })))
    }

    /// A partition that is going to be read.
    pub(super) fn open(&self, partition: usize, lookback: u64) -> Opening {
        let mut state = self.lock();
        state.open += 1;
        state.claimed[partition] = true;
        state.begun.take_if(|begun| *begun == partition);
        state.queue(partition);
        Opening { ahead: self.clone(), partition, lookback }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One partition's part in it; what was asked for and not read is given up with it.
#[derive(Debug)]
pub(super) struct Opening {
    ahead: Ahead,
    partition: usize,
    lookback: u64,
}

impl Drop for Opening {
    fn drop(&mut self) {
        let mut state = self.ahead.lock();
        state.open -= 1;
        let queue = state.queues.remove(&self.partition);
        let pieces = queue.iter().flat_map(|queue| &queue.pieces);
        state.held -= pieces.map(|piece| piece.held).sum::<u64>();
    }
}

impl Opening {
    /// The next range of this slice; `None` if all were taken. Gives up the slices before it.
    pub(super) fn take(&self, slice: usize) -> io::Result<Option<Piece>> {
        let mut state = self.ahead.lock();
        state.enter(self.partition, slice);
        let must = state.queues[&self.partition].pieces.is_empty();
        state.fill(self.partition, self.lookback, must)?;
        let pieces = &mut state.queue(self.partition).pieces;
        let is_next = pieces.front().is_some_and(|piece| piece.slice == slice);
        Ok(if is_next { pieces.pop_front() } else { None })
    }

    /// A range past this slice's end: the first is short, as mostly one record is wanted, and
    /// who reads on (a compressed object that was cut into slices in vain) gets longer ones.
    pub(super) fn past(&self, slice: usize, range: Range<u64>) -> io::Result<Option<Piece>> {
        let mut state = self.ahead.lock();
        let slices = Arc::clone(&state.queue(self.partition).slices);
        let Home::Remote(remote) = &slices[slice].object.home else { return Ok(None) };
        let long = range.end - range.start > LONG;
        let wanted = Wanted { slice, range, remote: Arc::clone(remote), long };
        state.ask(self.partition, wanted).map(Some)
    }

    /// Tells that so much of a piece was read, for which the reader waited so long. Where a
    /// piece turned out to be too long for the pace, its end is drawn near.
    pub(super) fn read(
        &self,
        piece: &mut Piece,
        at: u64,
        bytes: usize,
        waited: Duration,
    ) -> io::Result<()> {
        let mut state = self.ahead.lock();
        if piece.long {
            let (came, open) = (state.traffic[1].bytes.load(Relaxed), state.open);
            state.long.learn(came, waited, open, Instant::now());
            state.shorten(self.partition, piece, at + bytes as u64);
        }
        state.fill(self.partition, self.lookback, false)
    }

    /// A piece was read to its end, or is given up.
    pub(super) fn done(&self, piece: Piece, waited: Duration) {
        let mut state = self.ahead.lock();
        state.held -= piece.held;
        if !piece.long {
            let (ended, open) = (state.traffic[0].ended.load(Relaxed), state.open);
            state.short.learn(ended, waited, open, Instant::now());
        }
    }
}

impl State {
    /// What was asked for of a partition.
    fn queue(&mut self, partition: usize) -> &mut Queue {
        self.queues.entry(partition).or_insert_with(|| Queue {
            slices: self.partitions.slices(partition),
            pieces: VecDeque::new(),
            slice: 0,
            at: None,
        })
    }

    /// Gives up the slices of a partition before this one.
    fn enter(&mut self, partition: usize, slice: usize) {
        let Some(queue) = self.queues.get_mut(&partition) else { return };
        while let Some(piece) = queue.pieces.front()
            && piece.slice < slice
        {
            self.held -= piece.held;
            queue.pieces.pop_front();
        }
        if queue.slice < slice {
            (queue.slice, queue.at) = (slice, None);
        }
    }

    /// What a range of a long slice may hold.
    fn room(&self) -> u64 {
        // One range more than its reader's own waits for each reader.
        let ranges = if self.long.width() == 1 { 4 } else { self.long.width() as u64 };
        (self.limit / ranges).max(PAST)
    }

    /// How long a range of a long slice is: to the slice's end if one at a time is enough. Else so
    /// long that all are under way all of the time: while the first is read past what it held, the
    /// others fill up.
    fn longest(&self) -> u64 {
        match self.long.width() {
            1 => u64::MAX,
            width => (self.limit / (width as u64 - 1)).max(PAST),
        }
    }

    /// Asks for what comes next: of this partition, and then of those that follow. What `must` be
    /// there is asked for whatever the budget.
    fn fill(&mut self, partition: usize, lookback: u64, mut must: bool) -> io::Result<()> {
        while let Some(wanted) = self.next(partition, lookback) {
            if !must && !self.may(&wanted) {
                return Ok(());
            }
            must = false;
            self.enqueue(partition, wanted)?;
        }
        while self.in_turn
            && let Some(following) = self.following(partition)
        {
            match self.next(following, lookback) {
                Some(wanted) if self.may(&wanted) => {
                    self.claimed[following] = true;
                    self.begun = Some(following);
                    self.enqueue(following, wanted)?;
                }
                // All of it was asked for, or its first range is to tell its size.
                None if self.claimed[following] => self.begun = None,
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// The partition to ask for ahead.
    fn following(&mut self, partition: usize) -> Option<usize> {
        if self.begun.is_some() {
            return self.begun;
        }
        while self.claimed.get(self.first) == Some(&true) {
            self.first += 1;
        }
        let from = self.first.max(partition + 1);
        let found = self.claimed.get(from..)?.iter().position(|claimed| !claimed)?;
        let following = from + found;
        // Of a later slice nothing may be wanted: its object may be compressed.
        self.partitions[following].is_divided().then_some(following)
    }

    /// Whether one more range fits.
    fn may(&self, wanted: &Wanted) -> bool {
        let pace = if wanted.long { &self.long } else { &self.short };
        let under_way = self.traffic[usize::from(wanted.long)].under_way.load(Relaxed);
        let readers = self.open.max(1);
        under_way < pace.width().max(2) * readers
            && self.held + self.hold(wanted) <= self.limit * readers as u64
    }

    fn hold(&self, wanted: &Wanted) -> u64 {
        let (room, block) = (self.room(), self.pool.blocksize() as u64);
        let held = (wanted.range.end - wanted.range.start).min(room);
        // What lands takes whole buffers.
        if self.lands(wanted) { held.next_multiple_of(block).min(room) } else { held }
    }

    /// Whether a range is long enough for buffers of a block's size.
    fn lands(&self, wanted: &Wanted) -> bool {
        wanted.range.end - wanted.range.start >= self.pool.blocksize() as u64
    }

    fn enqueue(&mut self, partition: usize, wanted: Wanted) -> io::Result<()> {
        let end = wanted.range.end;
        let piece = self.ask(partition, wanted)?;
        let queue = self.queue(partition);
        queue.at = Some(end);
        queue.pieces.push_back(piece);
        Ok(())
    }

    fn ask(&mut self, partition: usize, wanted: Wanted) -> io::Result<Piece> {
        let held = self.hold(&wanted);
        let pool = self.lands(&wanted).then(|| self.pool.clone());
        let Wanted { slice, range, remote, long } = wanted;
        let place = self.queue(partition).slices[slice].object.place();
        let end = range.end;
        let room = held.max(PAST) as usize;
        let traffic = Arc::clone(&self.traffic[usize::from(long)]);
        let body = Body::range(remote, place, range, room, traffic, pool)?;
        self.held += held;
        Ok(Piece { slice, end, held, long, body })
    }

    /// What to ask for next of a partition, if that is known.
    fn next(&mut self, partition: usize, lookback: u64) -> Option<Wanted> {
        let longest = self.longest();
        let queue = self.queue(partition);
        loop {
            let slice = queue.slices.get(queue.slice)?;
            if let Home::Remote(remote) = &slice.object.home
                && !remote.whole.load(Relaxed)
            {
                let size = remote.size();
                let at = queue.at.unwrap_or(slice.start.saturating_sub(lookback));
                let (end, long) = match size {
                    Some(size) => {
                        let end = slice.end.map_or(size, |end| end.saturating_add(PAST)).min(size);
                        (end, end.saturating_sub(slice.start) > LONG)
                    }
                    // The first range tells the size.
                    None if queue.at.is_none() => (at + FIRST, false),
                    None => return None,
                };
                // The end of a slice of some records more is not worth a request.
                let done = queue.at.is_some() && slice.end.is_some_and(|end| at >= end);
                if at < end && !done {
                    let to = at.saturating_add(longest);
                    let to = if to.saturating_add(PAST) >= end { end } else { to };
                    let (range, remote) = (at..to, Arc::clone(remote));
                    return Some(Wanted { slice: queue.slice, range, remote, long });
                }
            }
            queue.slice += 1;
            queue.at = None;
        }
    }

    /// Draws the end of a piece near that was asked for when one was enough.
    fn shorten(&mut self, partition: usize, piece: &mut Piece, at: u64) {
        let longest = self.longest();
        let Some(queue) = self.queues.get_mut(&partition) else { return };
        let last = queue.pieces.is_empty() && queue.slice <= piece.slice + 1;
        if last && longest < u64::MAX && piece.end - at > longest.saturating_mul(2) {
            piece.end = at + longest;
            (queue.slice, queue.at) = (piece.slice, Some(piece.end));
        }
    }
}
