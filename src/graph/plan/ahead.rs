//! Asking for what the next tasks will touch before it is their turn.

use creel_kernels::prefetch;

use super::Plan;
use super::slot::Slot;

/// How many tasks ahead those beside a task are asked for, and how many what hangs on these.
///
/// In a graph of a million tasks, of which each needs others anywhere, all of that is cache
/// misses; one after another they were most of the cost of a task.
const FAR: u32 = 8;
const NEAR: u32 = 4;

/// How many of a task's neighbours are asked for.
const FEW: usize = 8;

impl Plan {
    /// Asks for what the tasks will touch that stand some places behind this one: in a graph that
    /// was added at once they go next, and otherwise it is only a hint.
    pub(super) fn look_ahead(&self, at: u32) {
        if let Some(slot) = self.modest(at + FAR) {
            if let Some(node) = &slot.node {
                prefetch(&**node);
            }
            slot.inputs.iter().for_each(|input| self.slots[*input as usize].ask());
            match slot.users.first() {
                Some(first) if slot.users.spilled() => prefetch(first),
                _ => self.ask_users(slot),
            }
        }
        if let Some(slot) = self.modest(at + NEAR) {
            for input in slot.inputs.iter().map(|input| &self.slots[*input as usize]) {
                if let (Some(value), Some(node)) = (&input.value, &input.node) {
                    prefetch(&**value);
                    prefetch(&**node);
                }
            }
            if slot.users.spilled() {
                self.ask_users(slot);
            }
        }
    }

    /// The task at a place, if it needs few: of many, some would be gone from the caches when it is
    /// their turn.
    fn modest(&self, at: u32) -> Option<&Slot> {
        self.slots.get(at as usize).filter(|slot| slot.inputs.len() <= FEW)
    }

    fn ask_users(&self, slot: &Slot) {
        slot.users.iter().take(FEW).for_each(|user| self.slots[user.at as usize].ask());
    }
}
