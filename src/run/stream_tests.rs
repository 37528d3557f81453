//! Results in input order: through a window of any size, up to a failure, or until the sink has enough.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;

use super::stream::stream;
use super::tests::Numbers;
use super::{Context, Input, Reader};
use crate::spill::Budget;
use crate::{Error, Result};

fn streamed(input: &Numbers, threads: usize, most: usize) -> Result<Vec<u32>> {
    let context = Context { threads, ..Context::default() };
    let mut seen = Vec::new();
    stream(
        &context,
        &Arc::new(input.clone()),
        |_, block| Ok(block),
        Vec::len,
        |block: Vec<u32>| {
            seen.extend(block);
            Ok(if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        },
    )?;
    Ok(seen)
}

/// Partitions of five blocks, of which those behind the second wait until the first is read.
struct Gated(Arc<AtomicBool>);

struct Gate {
    partition: usize,
    left: usize,
    is_open: Arc<AtomicBool>,
}

impl Input for Gated {
    type Reader = Gate;

    fn partitions(&self) -> usize {
        4
    }

    fn open(&self, partition: usize) -> Gate {
        Gate { partition, left: 5, is_open: Arc::clone(&self.0) }
    }
}

impl Reader for Gate {
    type Block = Vec<u32>;

    async fn next(&mut self) -> Result<Option<Vec<u32>>> {
        poll_fn(|cx| {
            if self.partition < 2 || self.is_open.load(SeqCst) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        if self.left == 0 {
            self.is_open.fetch_or(self.partition == 0, SeqCst);
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some(vec![self.partition as u32]))
    }
}

#[test]
fn the_first_partition_goes_on_while_results_fill_the_memory_and_readers_wait_for_it() {
    for threads in 1..6 {
        let budget = Some(Arc::new(Budget::new(0, None)));
        let context = Context { threads, budget, ..Context::default() };
        let mut seen = Vec::new();
        let sink = |block: Vec<u32>| {
            seen.extend(block);
            Ok(ControlFlow::Continue(()))
        };
        stream(&context, &Arc::new(Gated(Arc::default())), |_, block| Ok(block), Vec::len, sink)
            .expect("nothing fails");
        let expected: Vec<u32> = (0..4).flat_map(|partition| [partition; 5]).collect();
        assert_eq!(seen, expected, "{threads} threads");
    }
}

#[test]
fn results_that_fill_the_memory_hold_back_the_blocks_behind_them() {
    let blocks = 60;
    for threads in 1..6 {
        let budget = Some(Arc::new(Budget::new(0, None)));
        let context = Context { threads, budget, ..Context::default() };
        let (made, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |_: &Context, block: Vec<u32>| {
            made.fetch_add(1, SeqCst);
            Ok(block)
        };
        let mut given = 0;
        let sink = |_| {
            std::thread::sleep(Duration::from_millis(1));
            most.fetch_max(made.load(SeqCst) - given, SeqCst);
            given += 1;
            Ok(ControlFlow::Continue(()))
        };
        stream(&context, &Arc::new(Numbers::new(1, blocks)), work, Vec::len, sink)
            .expect("nothing fails");
        assert_eq!(given, blocks);
        // Each lane may have had a block when the first result came to wait.
        assert!(most.load(SeqCst) <= threads + 2, "{most:?} results of {threads} threads");
    }
}

#[test]
fn results_come_in_input_order_on_any_number_of_threads() {
    for threads in 1..6 {
        for (partitions, blocks) in [(0, 0), (1, 0), (1, 100), (100, 1), (7, 13)] {
            let input = Numbers::new(partitions, blocks);
            let seen = streamed(&input, threads, usize::MAX).expect("nothing fails");
            assert_eq!(seen, input.all(), "{partitions} x {blocks} on {threads}");
        }
    }
}

#[test]
fn a_sink_that_breaks_stops_the_reading() {
    for threads in 1..4 {
        let input = Numbers::new(1000, 10);
        assert_eq!(streamed(&input, threads, 5).expect("nothing fails"), [0, 1, 2, 3, 4]);
        assert!(input.opened() <= 40, "{} partitions were opened", input.opened());
    }
}

#[test]
fn the_first_error_in_input_order_is_the_one_reported() {
    for threads in 1..5 {
        let input = Numbers::failing(20, 5, &[(3, 2), (9, 0)]);
        let error = streamed(&input, threads, usize::MAX).expect_err("it fails");
        assert!(error.to_string().contains("block 2 of 3"), "{error}");
        // What stands before the error can still be had.
        assert_eq!(streamed(&input, threads, 17).expect("not reached").len(), 17);
    }
}

#[test]
fn a_panic_in_the_work_is_an_error() {
    let (context, input) = (Context::default(), Arc::new(Numbers::new(3, 3)));
    let work = |_: &Context, block: Vec<u32>| if block == [4] { panic!("four") } else { Ok(block) };
    let error = stream(&context, &input, work, Vec::len, |_| Ok(ControlFlow::Continue(())));
    assert!(matches!(error, Err(Error::Panic { message, .. }) if message == "four"));
}
