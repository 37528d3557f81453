//! Passes over text that other processes make: workers of a cluster, each a part of the source.
//!
//! Reductions of bags over one source are one pass, a [`Group`]. Another process of the same program builds the same
//! group, so no code has to go there. A pass has the operations of a plan: it is listed, run over some partitions,
//! and states are merged. A computation here is one run all the same: the task of a pass has the state of all made
//! elsewhere when the values are there that its steps look at, so each task runs once.

mod made;
mod refused;

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

pub(super) use self::made::made_elsewhere;
pub(crate) use self::made::{Elsewhere, MakePass};
use self::refused::{called, goes, holds, stays, unknown_form};
use super::computation::Computation;
use super::group::{Group, States};
use super::origin::{Chunks, Origin};
use super::verbs::{Code, Verb};
use crate::graph::{self, Moved, Node, Shared};
use crate::output::is_input;
use crate::plan::{
    Digest, Listing, Partitions, PassReader, PassWriter, Piece, ReadPartitions, Report, StateTail,
    list_job,
};
use crate::run::{Context, Held, Job, Order, Pass, reduction, whole_of};
use crate::sink::Write;
use crate::source::Missing;
use crate::{Error, Result};

/// A pass of a computation over text.
pub(crate) struct TextPass(Arc<Group>);

/// A state that is read: its name in messages, and its bytes.
pub(crate) type NamedState = (String, Box<dyn Read>);

impl Computation {
    /// The passes over text of tasks that a run begins with, each behind those whose results it needs.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] if something that is asked for can be computed by this process alone.
    pub(crate) fn passes(&self, roots: &[Arc<Node>]) -> Result<Vec<TextPass>> {
        self.works().try_for_each(goes)?;
        let found = graph::passes(roots).into_iter().filter_map(|pass| pass.downcast().ok());
        let passes: Vec<TextPass> = found.map(TextPass).collect();
        if passes.is_empty() {
            return Err(stays("nothing of this", "it reads no text from sources"));
        }
        passes.iter().try_for_each(TextPass::check)?;
        Ok(passes)
    }
}

impl TextPass {
    fn job(&self) -> &Job {
        match self.0.origin() {
            Origin::Text(job) => job,
            _ => unreachable!("a pass over text reads text"),
        }
    }

    fn steps(&self) -> impl Iterator<Item = &Verb> {
        self.0.bags.iter().flat_map(|bag| bag.base.verbs.steps())
    }

    /// Fails if a step has captured something of this process, or a source is for it alone.
    fn check(&self) -> Result<()> {
        if let Some(verb) = self.steps().find(|verb| verb.code.held > 0) {
            return Err(holds(verb));
        }
        let source = &self.job().source;
        if let Some(shown) = source.with_credential() {
            let reason = format!(
                "{shown} has a login, a signature or a query, and workers find credentials in their own environment: \
                 name it without"
            );
            return Err(Error::Plan { reason });
        }
        match source.shown().find(|shown| is_input(shown)) {
            Some(shown) => Err(stays(&format!("`{shown}`"), "this process alone reads it")),
            None => Ok(()),
        }
    }

    /// Fails if it reads a path that begins in the folder in which the program was started, which is not here.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] with the path and the folder.
    pub(crate) fn check_paths(&self, folder: &str) -> Result<()> {
        let is_relative = |shown: &String| !shown.contains("://") && Path::new(shown).is_relative();
        let Some(path) = self.job().source.shown().find(is_relative) else { return Ok(()) };
        let reason = format!(
            "`{path}` begins in {folder}, where the program was started, and this worker has no such folder: name the \
             path from the root, of a file system that all workers have"
        );
        Err(Error::Plan { reason })
    }

    /// Bytes of a block.
    pub(crate) fn blocksize(&self) -> usize {
        self.job().blocks.blocksize
    }

    /// The policy for entries that cannot be read.
    pub(crate) fn missing(&self) -> Missing {
        self.job().source.access().missing
    }

    /// Its name in messages: the last step of each of its bags.
    pub(crate) fn name(&self) -> String {
        let ends = self.0.bags.iter().filter_map(|bag| bag.base.steps.last());
        ends.map(called).collect::<Vec<_>>().join(", ")
    }

    /// The digest of all that it is made of. That the executable is the same is known otherwise.
    pub(crate) fn digest(&self) -> Digest {
        let Job { source, blocks, partition_size } = self.job();
        let mut text = format!("{source:?} {:?}\n", source.access());
        let _ = writeln!(
            text,
            "{} {:?} {:?} {:?} {:?} {:?} {} {} {partition_size:?}",
            blocks.blocksize,
            blocks.compression,
            blocks.encoding,
            blocks.delimiter,
            blocks.max_record,
            blocks.damaged,
            blocks.allow_binary,
            blocks.max_ratio,
        );
        for bag in &self.0.bags {
            for Verb { step, text: verb, code } in bag.base.verbs.steps() {
                let Code { name, id, held, number } = code;
                let _ = writeln!(text, "{} {verb:?} {name} {id} {held} {number}", called(step));
            }
            let _ = writeln!(text, "{} {:?}", bag.ordered, bag.spills);
        }
        Digest::of(text.as_bytes())
    }

    /// Fails if a result has states without a form in bytes.
    pub(crate) fn check_forms(&self, context: &Context, shared: &[Shared]) -> Result<()> {
        let env = self.0.env(&context.progress, shared);
        for bag in &self.0.bags {
            if let Some(formless) = (bag.make)(&env).formless() {
                let step = bag.base.steps.last().map_or_else(String::new, called);
                return Err(unknown_form(&format!("{step} holds"), formless));
            }
        }
        Ok(())
    }

    /// The values that its steps look at, as bytes.
    pub(crate) fn encode(&self, values: &[Shared]) -> Result<Vec<Vec<u8>>> {
        let encode = |(value, form): (&Shared, &super::base::ValueForm)| {
            let mut bytes = Vec::new();
            match (form.save)(value, &mut bytes) {
                true => Ok(bytes),
                false => Err(unknown_form("the argument of a step is", form.name)),
            }
        };
        values.iter().zip(&self.0.forms).map(encode).collect()
    }

    /// Reads such values back.
    pub(crate) fn decode(&self, values: &[Vec<u8>]) -> Result<Vec<Shared>> {
        let damaged = || Error::Plan {
            reason: "the plan has other values than its steps look at".to_owned(),
        };
        if values.len() != self.0.forms.len() {
            return Err(damaged());
        }
        let decode = |(bytes, form): (&Vec<u8>, &super::base::ValueForm)| {
            (form.load)(bytes).ok_or_else(damaged)
        };
        values.iter().zip(&self.0.forms).map(decode).collect()
    }

    /// Lists what it reads, for so many tasks at least.
    pub(crate) fn list(
        &self,
        digest: Digest,
        tasks: Option<usize>,
        context: &Context,
    ) -> Result<Listing> {
        list_job(digest, self.job().clone(), Order::Any, tasks, context)
    }

    /// Reads partitions and writes what they come to; returns what was passed over.
    pub(crate) fn run(
        &self,
        digest: Digest,
        shared: &[Shared],
        partitions: &Partitions,
        context: &Context,
        out: &mut dyn Write,
    ) -> Result<Report> {
        let read = ReadPartitions::new(partitions, digest, self.job(), context)?;
        let objects = read.objects;
        let input = Arc::new(Chunks::Text(read.input));
        let states = reduction(context, input, Arc::clone(&self.0), shared.to_vec());
        let states = graph::run(context, &[states]);
        let mut states = states.map_err(|error| error.with_partitions_of(&read.numbers))?;
        if context.stop.is_set() {
            return Err(Error::Cancelled);
        }
        let own = Report::of(&context.progress, objects, &ToString::to_string);
        let mut tail = StateTail::of(read.range, read.all, read.listed);
        tail.report.add(own.clone().without_partitions());
        self.write(digest, Moved::out_of(states.remove(0)), &tail, context, out)?;
        Ok(own)
    }

    /// Writes the state of all states; returns what was passed over.
    pub(crate) fn merge(
        &self,
        digest: Digest,
        shared: &[Shared],
        states: Vec<NamedState>,
        context: &Context,
        out: &mut dyn Write,
    ) -> Result<()> {
        let (held, tail) = self.gather(shared, digest, states, context)?;
        let whole = whole_of(context, held, Arc::clone(&self.0))?;
        self.write(digest, whole, &tail, context, out)
    }

    /// One state of all states, in their order.
    fn gather(
        &self,
        shared: &[Shared],
        digest: Digest,
        states: Vec<NamedState>,
        context: &Context,
    ) -> Result<(Held<States>, StateTail)> {
        let mut held = Held::all(self.0.start(context, shared));
        let mut all = StateTail::default();
        for (name, bytes) in states {
            let mut reader = PassReader::new(bytes, digest, &name)?;
            loop {
                if context.stop.is_set() {
                    return Err(Error::Cancelled);
                }
                let is_read = match reader.next()? {
                    Piece::Tail(tail) => {
                        all.add(tail)?;
                        break;
                    }
                    Piece::Chunk { result, bytes } => {
                        self.0.receive(&mut held.state, result, bytes)
                    }
                };
                if !is_read {
                    return Err(reader.damaged());
                }
                held.weigh(context, &*self.0)?;
            }
        }
        Ok((held, all))
    }

    fn write(
        &self,
        digest: Digest,
        states: States,
        tail: &StateTail,
        context: &Context,
        out: &mut dyn Write,
    ) -> Result<()> {
        let mut writer = PassWriter::new(digest, out)?;
        self.0.send(context, states, &mut |result, bytes| writer.chunk(result, bytes))?;
        writer.end(tail)
    }
}
