//! Blocks through lanes: a stand-in on one thread.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use crate::block::{Block, BlockOptions, Blocks, Compression, Damaged, Delimiter, Encoding};
use crate::progress::Progress;
use crate::source::{Source, partitions};
use crate::{Error, Result};

pub(crate) struct Job {
    pub source: Source,
    pub blocks: BlockOptions,
    pub partition_size: Option<u64>,
    pub threads: usize,
    pub progress: Arc<Progress>,
    pub stop: Stop,
}

impl Job {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            blocks: BlockOptions {
                blocksize: 1 << 20,
                compression: Compression::Auto,
                encoding: Encoding::Auto,
                delimiter: Delimiter::Line,
                max_record: None,
                damaged: Damaged::Fail,
                ahead: 8 << 20,
            },
            partition_size: None,
            threads: 1,
            progress: Arc::default(),
            stop: Stop::default(),
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<AtomicU8>);

impl Stop {
    pub(crate) fn stop(&self) {
        self.0.fetch_max(1, Relaxed);
    }
    pub(crate) fn cancel(&self) {
        self.0.fetch_max(2, Relaxed);
    }
}

pub(crate) trait Pass<B>: Send + Sync + 'static {
    type State: Send + 'static;
    fn ordered(&self) -> bool;
    fn start(&self) -> Self::State;
    fn feed(&self, state: &mut Self::State, block: B) -> Result<()>;
    fn merge(&self, into: &mut Self::State, from: Self::State);
}

struct Unpark(std::thread::Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

pub(crate) fn reduce<P: Pass<Block>>(job: &Job, pass: P) -> Result<P::State> {
    let mut state = pass.start();
    let mut other = pass.start();
    let mut odd = false;
    each(job, |block| {
        odd = !odd;
        pass.feed(if odd { &mut state } else { &mut other }, block).map(ControlFlow::Continue)
    })?;
    pass.merge(&mut state, other);
    let _ = pass.ordered();
    Ok(state)
}

pub(crate) fn stream<T: Send, E, S>(job: &Job, emit: E, mut sink: S) -> Result<()>
where
    E: Fn(Block) -> Result<T> + Send + Sync,
    S: FnMut(T) -> Result<ControlFlow<()>>,
{
    each(job, |block| sink(emit(block)?))
}

fn each(job: &Job, mut f: impl FnMut(Block) -> Result<ControlFlow<()>>) -> Result<()> {
    block_on(async {
        let objects = job.source.list().await?;
        let size = job.partition_size.unwrap_or(64 << 20);
        let _ = job.threads;
        for partition in partitions(&objects, size, true) {
            let mut blocks = Blocks::new(partition, &job.blocks, Arc::clone(&job.progress));
            while let Some(block) = blocks.next().await? {
                match job.stop.0.load(Relaxed) {
                    0 => {}
                    1 => return Ok(()),
                    _ => return Err(Error::Cancelled),
                }
                job.progress.add_block();
                if f(block)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    })
}
