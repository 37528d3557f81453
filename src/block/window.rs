//! The memory of decoders: windows, which compressed data say how large, and pieces that are decoded
//! side by side.
//!
//! A few bytes may ask for gigabytes, so they count against the memory of a run. Decoders of several
//! lanes share what there is: one that has no room waits for others to end. So that nobody waits for
//! a lane that waits for him, the first object in input order always gets its window, or one piece.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use super::codec::Codec;
use crate::memory::Reservation;
use crate::progress::InputOrder;
use crate::spill::Budget;

/// Windows take this part of the memory of a run.
const PART: u64 = 4;

/// The most that a piece of compressed data may hold that a lane decodes at once, and the least that
/// it may always hold.
const PIECES: (u64, u64) = (1 << 20, 16 << 20);

/// The memory for the decoders of a run. All clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Windows {
    /// What bounds them; nothing, if `None`.
    shared: Option<Arc<Shared>>,
    kept: Arc<Kept>,
}

#[derive(Debug)]
struct Shared {
    /// The memory of the run, and who bounds it.
    memory: u64,
    option: &'static str,
    lanes: u64,
    /// Whether windows together are bounded, and not only each of them.
    together: bool,
    /// What the lanes hold, in which windows count.
    budget: OnceLock<Arc<Budget>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What is held: by listing and object, and a number.
    held: BTreeMap<(u64, usize, u64), Held>,
    next: u64,
    waiting: Vec<Waker>,
}

/// Memory that a decoder has.
#[derive(Debug, Default)]
struct Held {
    bytes: u64,
    /// The number of who cut off the piece that it is for.
    cutter: Option<u64>,
    _reserved: Option<Reservation>,
}

/// A window, or the memory for a piece, that a decoder may have until this is dropped.
#[derive(Debug)]
pub(super) struct Grant {
    shared: Arc<Shared>,
    key: (u64, usize, u64),
}

impl Windows {
    /// Windows of lanes that decode side by side, which wait for each other.
    #[cfg(feature = "cli")]
    pub(crate) fn of_lanes(memory: u64, lanes: usize) -> Self {
        Self::new(memory, "--memory", lanes, true)
    }

    /// Windows each of which is bounded, of readers that wait for nobody.
    pub(crate) fn each(memory: u64, lanes: usize) -> Self {
        Self::new(memory, "Run::memory", lanes, false)
    }

    fn new(memory: u64, option: &'static str, lanes: usize, together: bool) -> Self {
        let (lanes, state) = (lanes.max(1) as u64, Mutex::default());
        let budget = OnceLock::new();
        let shared = Shared { memory, option, lanes, together, budget, state };
        Self { shared: Some(Arc::new(shared)), kept: Arc::default() }
    }

    /// Counts windows in what the lanes of a run may hold.
    #[cfg(feature = "cli")]
    pub(crate) fn count_in(&self, budget: &Arc<Budget>) {
        if let Some(shared) = &self.shared {
            // A run has one budget.
            let _ = shared.budget.set(Arc::clone(budget));
        }
    }

    /// The largest window that a decoder may have, in bytes.
    pub(super) fn largest(&self) -> u64 {
        self.shared.as_ref().map_or(u64::MAX, |shared| shared.memory / PART)
    }

    /// The most bytes that a piece may hold which is decoded at once: lanes have two each.
    #[cfg_attr(not(feature = "zstd"), allow(dead_code))]
    pub(super) fn largest_piece(&self) -> usize {
        let (least, most) = PIECES;
        let piece =
            self.shared.as_ref().map_or(most, |shared| shared.memory / PART / 2 / shared.lanes);
        piece.clamp(least, most) as usize
    }

    /// A window of so many bytes, for an object that stands there in the input.
    ///
    /// # Errors
    ///
    /// Why there can be none, and what to do.
    pub(super) fn poll_grant(
        &self,
        codec: Codec,
        order: InputOrder,
        bytes: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Grant>, String>> {
        let Some(shared) = &self.shared else { return Poll::Ready(Ok(None)) };
        if bytes > self.largest() {
            return Poll::Ready(Err(shared.refusal(codec, bytes)));
        }
        let mut state = shared.lock();
        let may = !shared.together || shared.fits(&state, bytes) || state.is_first(order);
        if !may {
            return state.wait(cx);
        }
        let _reserved = shared.budget.get().map(|budget| budget.reserve(bytes));
        let held = Held { bytes, _reserved, ..Held::default() };
        Poll::Ready(Ok(Some(shared.grant(&mut state, order, held))))
    }

    /// Registers a reader that cuts off pieces of the object at this place in the input. Until it is dropped,
    /// no object behind that place is the first. `None` if nothing bounds pieces.
    pub(super) fn enter(&self, order: InputOrder) -> Option<Cutter> {
        let shared = self.shared.as_ref().filter(|shared| shared.together)?;
        let entered = shared.grant(&mut shared.lock(), order, Held::default());
        Some(Cutter { order, entered })
    }

    /// Memory that pieces of a run were decoded in, which lanes use again for others: what is freed by
    /// one thread stays with it, so a run of many threads would take several times as much.
    #[cfg_attr(not(any(feature = "gzip", feature = "zstd", feature = "bzip2")), allow(dead_code))]
    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The same for another run, which uses other memory.
    pub(crate) fn for_run(&self) -> Self {
        Self { shared: self.shared.clone(), kept: Arc::default() }
    }
}

/// Memory that is used again, of several types.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Vec<Box<dyn Any + Send>>>);

impl Kept {
    /// Some of this type.
    pub(super) fn take<T: Default + 'static>(&self) -> T {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().rposition(|kept| kept.is::<T>()).map(|at| kept.swap_remove(at));
        drop(kept);
        found.and_then(|found| found.downcast().ok()).map(|found| *found).unwrap_or_default()
    }

    pub(super) fn give(&self, memory: impl Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(memory));
    }
}

/// A reader that cuts off pieces. An object has several where one archive is inside of another.
#[derive(Debug)]
pub(super) struct Cutter {
    order: InputOrder,
    entered: Grant,
}

impl Cutter {
    /// The memory to decode a piece in.
    ///
    /// Of the first object each may have one piece at a time, whatever is held besides: an archive keeps
    /// its window, or its pieces, until what is inside of it has been read.
    pub(super) fn poll_piece(&self, bytes: u64, cx: &mut Context<'_>) -> Poll<Grant> {
        let (shared, mine) = (&self.entered.shared, Some(self.entered.key.2));
        let mut state = shared.lock();
        let has_none = || state.held.values().all(|held| held.cutter != mine);
        let may = shared.fits(&state, bytes) || state.is_first(self.order) && has_none();
        if !may {
            return state.wait(cx);
        }
        let held = Held { bytes, cutter: mine, _reserved: None };
        Poll::Ready(shared.grant(&mut state, self.order, held))
    }
}

impl State {
    fn is_first(&self, order: InputOrder) -> bool {
        let mine = (order.listing, order.object);
        self.held.keys().all(|&(listing, object, _)| (listing, object) >= mine)
    }

    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Shared {
    /// Whether so many bytes fit beside those that are held: in half of the part, the rest is for the
    /// first object.
    fn fits(&self, state: &State, bytes: u64) -> bool {
        let held: u64 = state.held.values().map(|held| held.bytes).sum();
        held.saturating_add(bytes) <= self.memory / PART / 2
    }

    fn grant(self: &Arc<Self>, state: &mut State, order: InputOrder, held: Held) -> Grant {
        state.next += 1;
        let key = (order.listing, order.object, state.next);
        state.held.insert(key, held);
        Grant { shared: Arc::clone(self), key }
    }

    fn refusal(&self, codec: Codec, bytes: u64) -> String {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        let (name, Self { memory, option, .. }) = (codec.name(), self);
        format!(
            "this {name} data needs a window of {} MiB to be decoded, and windows have {} of the {} MiB \
             of memory; raise {option} to {} MiB, or decode it first: {name} -dc FILE | creel ...",
            mib(bytes),
            (memory / PART) >> 20,
            memory >> 20,
            mib(bytes).saturating_mul(PART),
        )
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Grant {
    /// Gives back all but so many bytes.
    pub(super) fn shrink(&self, bytes: u64) {
        self.change(|state| {
            if let Some(held) = state.held.get_mut(&self.key) {
                held.bytes = bytes.min(held.bytes);
            }
        });
    }

    /// Changes what is held, and wakes who waits for memory.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.shared.lock();
        change(&mut state);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.change(|state| drop(state.held.remove(&self.key)));
    }
}

/// What the beginning of compressed data says of its window.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// So many bytes.
    Bytes(u64),
    /// It is told within so many bytes from the beginning on.
    Within(usize),
}

/// The window of a member that begins so. What is damaged asks for none: its decoder says why.
pub(super) fn window(codec: Codec, head: &[u8]) -> Window {
    match codec {
        Codec::Zstd => of_zstd(head),
        Codec::Xz => of_xz(head),
        Codec::Gzip | Codec::Bzip2 | Codec::Lz4 => Window::Bytes(0),
    }
}

/// RFC 8878, 3.1.1.1: a window descriptor, or the length of what is in the frame.
fn of_zstd(head: &[u8]) -> Window {
    const BEFORE: usize = 5;
    let Some((magic, rest)) = head.split_first_chunk::<4>() else { return Window::Within(4) };
    if magic != b"\x28\xb5\x2f\xfd" {
        return Window::Bytes(0);
    }
    let Some((&descriptor, rest)) = rest.split_first() else { return Window::Within(BEFORE) };
    if descriptor & 0x20 == 0 {
        let Some(&byte) = rest.first() else { return Window::Within(BEFORE + 1) };
        let base = 1_u64 << (10 + (byte >> 3));
        return Window::Bytes(base + base / 8 * u64::from(byte & 7));
    }
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let length = 1_usize << (descriptor >> 6);
    let Some(field) = rest.get(dictionary..dictionary + length) else {
        return Window::Within(BEFORE + dictionary + length);
    };
    let mut bytes = [0; 8];
    bytes[..length].copy_from_slice(field);
    Window::Bytes(u64::from_le_bytes(bytes) + if length == 2 { 256 } else { 0 })
}

/// The .xz format, 3.1: of the first block, the dictionary of its LZMA2 filter.
fn of_xz(head: &[u8]) -> Window {
    const STREAM: usize = 12;
    const LZMA2: u64 = 0x21;
    let Some(&size) = head.get(STREAM) else { return Window::Within(STREAM + 1) };
    let end = STREAM + (usize::from(size) + 1) * 4;
    if size == 0 {
        return Window::Bytes(0);
    }
    let Some(header) = head.get(STREAM + 1..end) else { return Window::Within(end) };
    let found = || -> Option<u64> {
        let (&flags, mut rest) = header.split_first()?;
        for flag in [0x40, 0x80] {
            if flags & flag != 0 {
                number(&mut rest)?;
            }
        }
        for _ in 0..=flags & 3 {
            let (id, length) = (number(&mut rest)?, number(&mut rest)?);
            let (properties, others) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            if id == LZMA2 {
                return properties.first().and_then(|&bits| match bits {
                    0..40 => Some(u64::from(2 | bits & 1) << (bits / 2 + 11)),
                    40 => Some(u64::from(u32::MAX)),
                    _ => None,
                });
            }
            rest = others;
        }
        None
    };
    Window::Bytes(found().unwrap_or(0))
}

/// A number of seven bits a byte, off the front.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn at(object: usize) -> InputOrder {
        InputOrder { object, ..InputOrder::default() }
    }

    fn grant(windows: &Windows, object: usize, bytes: u64) -> Poll<Result<Option<Grant>, String>> {
        windows.poll_grant(Codec::Zstd, at(object), bytes, &mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn windows_of_a_frame_and_a_stream_are_told_by_their_headers() {
        let zstd = |header: &[u8]| window(Codec::Zstd, &[b"\x28\xb5\x2f\xfd", header].concat());
        assert_eq!(zstd(b"\x00\x88"), Window::Bytes(128 << 20));
        assert_eq!(zstd(b"\x00\x01"), Window::Bytes(1024 + 128));
        assert_eq!(zstd(b"\x60\x00\x01"), Window::Bytes(512));
        assert_eq!(zstd(b"\xa1\x07\x00\x00\x10\x00"), Window::Bytes(1 << 20));
        assert_eq!((zstd(b""), zstd(b"\x60\x00")), (Window::Within(5), Window::Within(7)));
        assert_eq!(window(Codec::Zstd, b"\x50\x2a\x4d\x18"), Window::Bytes(0));
        let xz = |block: &[u8]| window(Codec::Xz, &[&[0; 12], block].concat());
        assert_eq!(xz(b"\x02\x00\x21\x01\x1c\0\0\0\0\0\0\0"), Window::Bytes(64 << 20));
        assert_eq!(xz(b"\x02\x40\x05\x21\x01\x28\0\0\0\0\0\0"), Window::Bytes(u32::MAX.into()));
        assert_eq!((xz(b""), xz(b"\x02\x00")), (Window::Within(13), Window::Within(24)));
        assert_eq!(xz(b"\x00"), Window::Bytes(0));
    }

    #[cfg(feature = "cli")]
    #[test]
    fn windows_together_are_bounded_and_the_first_object_waits_for_none() {
        let windows = Windows::of_lanes(400, 2);
        let Poll::Ready(Ok(Some(second))) = grant(&windows, 2, 100) else { panic!("it is free") };
        assert!(grant(&windows, 3, 1).is_pending());
        let Poll::Ready(Ok(first)) = grant(&windows, 1, 100) else { panic!("it is the first") };
        drop(second);
        assert!(grant(&windows, 3, 1).is_pending());
        drop(first);
        assert!(matches!(grant(&windows, 3, 100), Poll::Ready(Ok(Some(_)))));
    }

    #[cfg(feature = "cli")]
    #[test]
    fn pieces_share_half_of_the_part_and_the_first_object_always_has_one() {
        let windows = Windows::of_lanes(800, 2);
        let enter = |object| windows.enter(at(object)).expect("pieces are bounded");
        let piece = |cutter: &Cutter, bytes| {
            cutter.poll_piece(bytes, &mut Context::from_waker(Waker::noop()))
        };
        let (third, fourth) = (enter(3), enter(4));
        let Poll::Ready(of_third) = piece(&third, 100) else { panic!("it is free") };
        assert!(piece(&fourth, 1).is_pending() && piece(&third, 1).is_pending());
        let (first, second) = (enter(1), enter(2));
        assert!(piece(&second, 1).is_pending(), "another is before it");
        let Poll::Ready(of_first) = piece(&first, 100) else { panic!("it is the first") };
        assert!(piece(&first, 1).is_pending(), "it has one");
        of_third.shrink(10);
        assert!(piece(&second, 1).is_pending());
        drop((of_first, first));
        assert!(piece(&fourth, 90).is_ready());
        assert!(Windows::each(800, 2).enter(at(1)).is_none());
    }

    #[cfg(feature = "cli")]
    #[test]
    fn members_of_an_archive_get_a_piece_while_the_archive_holds_its_window() {
        let windows = Windows::of_lanes(800, 2);
        let cx = &mut Context::from_waker(Waker::noop());
        let _window = grant(&windows, 1, 100);
        let (outer, inner) = (windows.enter(at(1)), windows.enter(at(1)));
        let (outer, inner) = outer.zip(inner).expect("pieces are bounded");
        let _pieces = [&outer, &inner].map(|cutter| {
            let piece = cutter.poll_piece(100, cx);
            assert!(piece.is_ready());
            piece
        });
        assert!(inner.poll_piece(1, cx).is_pending(), "it has one");
    }

    #[test]
    fn a_window_that_never_fits_is_refused_with_the_memory_that_would_do() {
        let windows = Windows::each(64 << 20, 2);
        let Poll::Ready(Err(refused)) = grant(&windows, 0, 128 << 20) else { panic!("too large") };
        for part in ["zstd", "window of 128 MiB", "16 of the 64 MiB", "Run::memory to 512 MiB"] {
            assert!(refused.contains(part), "{refused}");
        }
        assert!(matches!(grant(&Windows::default(), 0, 1 << 40), Poll::Ready(Ok(None))));
    }
}
