//! Which cluster a computation runs on.

use std::ffi::OsString;

/// The scheduler of a Dask cluster, and how its workers come to the program.
///
/// It is named by its address, `tcp://host:8786` or `tls://host:8786`; by a file that the scheduler wrote,
/// `file:PATH`; or by `env`, for the address in `DASK_SCHEDULER_ADDRESS`.
///
/// Workers start the executable of this process, by its path. Where they have another file system,
/// [`ship_binary`](Self::ship_binary) sends it to each of them, once; [`worker_binary`](Self::worker_binary) names
/// the path there. It has to be the same build: another one is refused.
///
/// ```
/// use creel::{Run, cluster::Scheduler};
///
/// let run = Run::new().scheduler(Scheduler::new("tcp://127.0.0.1:8786").ship_binary());
/// let same = Run::new().scheduler("tcp://127.0.0.1:8786");
/// # let _ = (run, same);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduler {
    pub(super) address: String,
    pub(super) ships: bool,
    pub(super) worker_binary: Option<OsString>,
}

impl Scheduler {
    /// The scheduler at an address. Nothing is asked of it yet.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), ships: false, worker_binary: None }
    }

    /// Sends the executable of this process to each worker, once.
    pub fn ship_binary(mut self) -> Self {
        self.ships = true;
        self
    }

    /// The executable of the workers: a path, or a name on their `PATH`.
    ///
    /// ```
    /// use creel::cluster::Scheduler;
    ///
    /// let scheduler = Scheduler::new("tcp://10.0.0.1:8786").worker_binary("/opt/mail/bin/count");
    /// assert_ne!(scheduler, Scheduler::from("tcp://10.0.0.1:8786"));
    /// ```
    pub fn worker_binary(mut self, path: impl Into<OsString>) -> Self {
        self.worker_binary = Some(path.into());
        self
    }
}

impl From<&str> for Scheduler {
    fn from(address: &str) -> Self {
        Self::new(address)
    }
}

impl From<String> for Scheduler {
    fn from(address: String) -> Self {
        Self::new(address)
    }
}

impl From<&Self> for Scheduler {
    fn from(scheduler: &Self) -> Self {
        scheduler.clone()
    }
}
