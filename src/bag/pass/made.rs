//! The states of passes that other processes have made, in the place of what the passes would come to here.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use super::{NamedState, TextPass};
use crate::Result;
use crate::bag::group::{Group, States};
use crate::graph::{Name, Node, Shared};
use crate::plan::Digest;
use crate::run::{Context, whole_outcome};
use crate::source::Missing;

/// The states of passes that were made elsewhere, by the group.
#[derive(Clone, Default)]
pub(crate) struct MadePasses(HashMap<usize, Made>);

#[derive(Clone)]
struct Made {
    digest: Digest,
    state: Arc<[u8]>,
}

impl MadePasses {
    /// Adds the state of all that a pass reads.
    pub(crate) fn add(&mut self, pass: &TextPass, digest: Digest, state: Arc<[u8]>) {
        self.0.insert(key(&pass.0), Made { digest, state });
    }

    /// The same run, to which these are known.
    pub(crate) fn known_to(self, context: &Context) -> Context {
        Context { made: Some(Arc::new(self)), ..context.clone() }
    }
}

/// The key of a group while a computation has it.
fn key(group: &Arc<Group>) -> usize {
    Arc::as_ptr(group) as usize
}

/// The task that makes the state of a pass which was made elsewhere, if it was.
pub(in crate::bag) fn made_elsewhere(
    context: &Context,
    group: &Arc<Group>,
    shared: &[Shared],
) -> Option<Arc<Node>> {
    let made = Arc::clone(context.made.as_ref()?).downcast::<MadePasses>().ok()?;
    let key = key(group);
    made.0.get(&key)?;
    let (group, shared) = (Arc::clone(group), shared.to_vec());
    Some(Node::new(Name::Only("states"), [], move |context, _| {
        let Some(Made { digest, state }) = made.0.get(&key) else {
            unreachable!("it was there before")
        };
        let pass = TextPass(Arc::clone(&group));
        let state: NamedState = ("the state of all".to_owned(), Box::new(ReadShared::of(state)));
        let (held, tail) = pass.gather(&shared, *digest, vec![state], context)?;
        tail.check_whole()?;
        // As one machine that can read nothing: there is no answer.
        if pass.missing() == Missing::Report && tail.report.entries_read() == 0 {
            tail.report.first_unread()?;
        }
        tail.report.tell(&context.progress);
        whole_outcome(context, held, &group)
    }))
}

/// Reads shared bytes.
struct ReadShared {
    bytes: Arc<[u8]>,
    at: usize,
}

impl ReadShared {
    fn of(bytes: &Arc<[u8]>) -> Self {
        Self { bytes: Arc::clone(bytes), at: 0 }
    }
}

impl Read for ReadShared {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = (&self.bytes[self.at..]).read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

/// States that go to other processes, and come from them.
impl Group {
    /// Gives the pieces of the state of each reduction, with its number.
    pub(super) fn send(
        &self,
        context: &Context,
        States(states): States,
        out: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        for (n, (reduction, state)) in states.into_iter().enumerate() {
            if let Some(state) = state {
                reduction.send(context, state, &mut |bytes| out(n, bytes))?;
            }
        }
        Ok(())
    }

    /// Adds a piece to the state of a reduction; `false` if it is none of it.
    pub(super) fn receive(&self, States(states): &mut States, n: usize, bytes: &[u8]) -> bool {
        states.get_mut(n).is_some_and(|(reduction, state)| {
            reduction.receive(state.get_or_insert_with(|| reduction.start()), bytes)
        })
    }
}
