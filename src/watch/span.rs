//! Spans of the crate `tracing` around the work of tasks.

#[cfg(feature = "tracing")]
mod with {
    use std::fmt::Display;

    use tracing::field::Empty;
    use tracing::span::Entered;

    use crate::watch::Task;

    /// A span that lasts as long as this.
    #[derive(Debug)]
    pub(crate) struct Span(tracing::Span);

    /// A span for the work on a task, which may go on in pieces.
    ///
    /// The name is formatted only if somebody listens.
    pub(crate) fn span(task: Task<'_>) -> Span {
        let Task { id, kind, name } = task;
        Span(tracing::debug_span!(target: "creel", "task", kind, %name, id, error = Empty))
    }

    impl Span {
        /// Is in it on this thread, until what this gives is dropped.
        pub(crate) fn enter(&self) -> Entered<'_> {
            self.0.enter()
        }

        /// Notes that the work failed.
        pub(crate) fn failed(&self, error: &dyn Display) {
            self.0.record("error", tracing::field::display(error));
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod without {
    use std::fmt::Display;

    use crate::watch::Task;

    /// Nothing, without the feature `tracing`.
    #[derive(Debug)]
    pub(crate) struct Span;

    /// Nothing that is entered.
    #[derive(Debug)]
    pub(crate) struct Entered;

    /// No span.
    pub(crate) fn span(_task: Task<'_>) -> Span {
        Span
    }

    impl Span {
        /// Enters nothing.
        pub(crate) fn enter(&self) -> Entered {
            Entered
        }

        /// Notes nothing.
        pub(crate) fn failed(&self, _error: &dyn Display) {}
    }
}

#[cfg(feature = "tracing")]
pub(crate) use with::{Span, span};
#[cfg(not(feature = "tracing"))]
pub(crate) use without::{Span, span};
