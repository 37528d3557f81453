//! Passes of a computation that are made elsewhere, in the place of what they would come to here.

use std::collections::HashSet;
use std::sync::Arc;

use super::refused::stays;
use super::{NamedState, TextPass};
use crate::Result;
use crate::bag::group::{Group, States};
use crate::graph::{Name, Node, Shared};
use crate::run::{Context, whole_outcome};
use crate::source::Missing;

/// Makes passes elsewhere.
pub(crate) trait MakePass: Send + Sync {
    /// The state of all that a pass reads, whose steps look at these values. A computation asks for it once.
    fn make(&self, pass: &TextPass, values: &[Shared], context: &Context) -> Result<NamedState>;
}

/// The passes of a computation, and who makes them.
pub(crate) struct Elsewhere {
    passes: HashSet<usize>,
    maker: Box<dyn MakePass>,
}

impl Elsewhere {
    /// Has all these passes made by the maker.
    pub(crate) fn new(passes: &[TextPass], maker: Box<dyn MakePass>) -> Self {
        Self { passes: passes.iter().map(|pass| key(&pass.0)).collect(), maker }
    }

    /// The same run, in which they are made there.
    pub(crate) fn known_to(self, context: &Context) -> Context {
        Context { elsewhere: Some(Arc::new(self)), ..context.clone() }
    }
}

/// The key of a group while a computation has it.
fn key(group: &Arc<Group>) -> usize {
    Arc::as_ptr(group) as usize
}

/// The task that has the state of a pass made elsewhere, in a run whose passes are.
pub(in crate::bag) fn made_elsewhere(
    context: &Context,
    group: &Arc<Group>,
    values: &[Shared],
) -> Option<Arc<Node>> {
    let elsewhere = Arc::clone(context.elsewhere.as_ref()?).downcast::<Elsewhere>().ok()?;
    let (group, values) = (Arc::clone(group), values.to_vec());
    Some(Node::new(Name::Only("states"), [], move |context, _| {
        let pass = TextPass(Arc::clone(&group));
        if !elsewhere.passes.contains(&key(&group)) {
            return Err(stays(&pass.name(), "a task has made it while others ran"));
        }
        pass.check_forms(context, &values)?;
        let state = elsewhere.maker.make(&pass, &values, context)?;
        let (held, tail) = pass.gather(&values, pass.digest(), vec![state], context)?;
        tail.check_whole()?;
        // As one machine that can read nothing: there is no answer.
        if pass.missing() == Missing::Report && tail.report.entries_read() == 0 {
            tail.report.first_unread()?;
        }
        tail.report.tell(&context.progress);
        whole_outcome(context, held, &group)
    }))
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
