//! The slices of a partition, one after another, as blocks.

use std::sync::Arc;

#[cfg(feature = "tar")]
use super::archive::Archive;
use super::cut::Cutter;
use super::open::Open;
use super::part::Part;
use super::{Block, BlockOptions, Next};
use crate::progress::Progress;
use crate::source::{Buffer, Fetch, HEAD, Opened, Partitions, Pool};
use crate::{Error, Result};

/// The blocks of one partition.
#[derive(Debug)]
pub(crate) struct Blocks {
    fetch: Fetch,
    open: Open,
    /// The archive that is being read.
    #[cfg(feature = "tar")]
    archive: Option<Archive>,
    current: Option<Cutter>,
    faults: Vec<Error>,
    progress: Arc<Progress>,
}

impl Blocks {
    pub(crate) fn new(
        partitions: &Partitions,
        partition: usize,
        options: &BlockOptions,
        pool: &Pool,
        progress: Arc<Progress>,
    ) -> Self {
        let open = Open::new(options, pool, partition, Arc::clone(&progress));
        let lookback = open.rule.ends.len() as u64;
        let fetch = Fetch::new(partitions, partition, lookback, Arc::clone(&progress));
        Self {
            fetch,
            open,
            #[cfg(feature = "tar")]
            archive: None,
            current: None,
            faults: Vec::new(),
            progress,
        }
    }

    /// The next block, or a piece of compressed data that one of so many lanes is to decode before
    /// there can be one; `None` after the last.
    pub(crate) async fn step(&mut self, lanes: usize) -> Result<Option<Next<Block>>> {
        loop {
            if let Some(cutter) = &mut self.current {
                let next = cutter.step(lanes, &mut self.faults).await;
                if let Some(next) = self.open.told(next)? {
                    return Ok(Some(next));
                }
                self.current = None;
            }
            if !self.open().await? {
                return Ok(None);
            }
        }
    }

    /// The next block, decoded here; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Block>> {
        loop {
            if let Some(cutter) = &mut self.current {
                let next = cutter.next(&mut self.faults).await;
                if let Some(block) = self.open.told(next)? {
                    return Ok(Some(block));
                }
                self.current = None;
            }
            if !self.open().await? {
                return Ok(None);
            }
        }
    }

    /// Opens the next slice, if there is one.
    async fn open(&mut self) -> Result<bool> {
        let place = self.open.rule.order.behind();
        self.faults.drain(..).for_each(|fault| self.progress.add_fault(place, fault));
        #[cfg(feature = "tar")]
        if let Some(archive) = self.archive.take() {
            // Rare and large: in a box, the future of each step stays small.
            Box::pin(self.member(archive)).await?;
            return Ok(true);
        }
        self.fetch.finish().await?;
        let Some(opened) = self.fetch.open().await? else { return Ok(false) };
        let object = Arc::clone(&opened.slice.object);
        self.open.rule.order = object.order();
        match self.begin(opened).await {
            // Another of its slices may have found that the object is not to be read.
            Ok(current) => self.current = current.filter(|_| Fetch::accept(&object)),
            Err(error) => self.fetch.refuse(&object, error)?,
        }
        Ok(true)
    }

    /// Looks at an object's first bytes, and begins to cut the slice if it has any records.
    async fn begin(&mut self, opened: Opened) -> Result<Option<Cutter>> {
        let Opened { slice, at, bytes } = opened;
        let mut part = Part {
            object: slice.object.name().into(),
            start: slice.start,
            end: slice.end,
            at,
            bytes,
            read: Buffer::default(),
            live: slice.object.is_live(),
            #[cfg(feature = "decompress")]
            pieces: None,
        };
        if slice.start > 0 {
            let head = Box::pin(slice.object.head()).await?;
            if self.open.undecoded(&slice.object, head).is_some() {
                return Ok(None);
            }
            return Ok(self.open.later(part, head));
        }
        self.open.gather(&mut part).await?;
        // Who reads the other slices asks for it; a whole object has none.
        if slice.end.is_some() {
            slice.object.set_head(&part.read[..part.read.len().min(HEAD)]);
        }
        let head = &part.read[..part.read.len().min(HEAD)];
        if let Some(error) = self.open.undecoded(&slice.object, head) {
            return Err(error);
        }
        let whole = self.open.decode(&mut part).await?;
        #[cfg(feature = "tar")]
        if self.open.is_archive(&part.read) {
            slice.object.set_divided(false);
            let (bytes, ratio, live) = (part.take_bytes(), self.open.max_ratio, part.live);
            self.archive = Some(Archive::new(bytes, slice.object, ratio, live));
            return Ok(None);
        }
        let cutter = self.open.begin(part, whole)?;
        slice.object.set_divided(!cutter.takes_all());
        Ok(Some(cutter))
    }

    /// Opens the next member of an archive, if there is one: then the archive goes on after it.
    #[cfg(feature = "tar")]
    async fn member(&mut self, mut archive: Archive) -> Result<()> {
        let (object, bytes) = match archive.next().await {
            Ok(Some(member)) => member,
            Ok(None) => return self.fetch.end_archive(&archive.object, archive.refused.take()),
            Err(fault) if self.open.rule.lets_pass(&fault) => {
                self.faults.push(fault);
                return Ok(());
            }
            Err(error) => return self.open.told(Err(error)),
        };
        self.open.rule.order.member = archive.number;
        let part = Part {
            object,
            start: 0,
            end: None,
            at: 0,
            bytes: Box::pin(bytes),
            read: Buffer::default(),
            live: archive.live,
            pieces: None,
        };
        match self.open.member(part).await {
            Ok(cutter) if Fetch::accept(&archive.object) => self.current = Some(cutter),
            Ok(_) => return Ok(()),
            Err(error) => {
                self.fetch.refuse_member(&archive.object, archive.number, &error)?;
                archive.refused.get_or_insert(error);
            }
        }
        self.archive = Some(archive);
        Ok(())
    }
}
