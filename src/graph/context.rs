//! Where and how a run happens.

use std::sync::Arc;

use super::Stop;
use crate::Progress;

/// Where and how a run happens.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Threads that work; the caller's may be one of them.
    pub(crate) threads: usize,
    /// How the run is told to end early.
    pub(crate) stop: Stop,
    /// What the run tells.
    pub(crate) progress: Arc<Progress>,
}

impl Default for Context {
    /// One thread a core that this process may use, which on Linux respects control groups.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, stop: Stop::default(), progress: Arc::default() }
    }
}
