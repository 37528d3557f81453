//! Parts of a whole, which any thread takes.

use std::sync::{Mutex, PoisonError};

use crate::Result;
use crate::run::{Input, Reader};

/// Parts, each of them a partition of one block.
#[derive(Debug)]
pub(super) struct Parts<P>(Vec<Mutex<Option<P>>>);

impl<P> Parts<P> {
    pub(super) fn new(parts: impl Iterator<Item = P>) -> Self {
        Self(parts.map(|part| Mutex::new(Some(part))).collect())
    }
}

impl<P: Send + 'static> Input for Parts<P> {
    type Reader = OnePart<P>;

    fn partitions(&self) -> usize {
        self.0.len()
    }

    fn open(&self, partition: usize) -> OnePart<P> {
        OnePart(self.0[partition].lock().unwrap_or_else(PoisonError::into_inner).take())
    }
}

/// Gives a part, once.
#[derive(Debug)]
pub(super) struct OnePart<P>(Option<P>);

impl<P: Send + 'static> Reader for OnePart<P> {
    type Block = P;

    async fn next(&mut self) -> Result<Option<P>> {
        Ok(self.0.take())
    }
}
