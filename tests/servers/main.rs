//! The same program over every store: one list of promises, run against real servers.
//!
//! `make test` installs the servers and runs this; by hand it is `tests/servers/install.sh` once,
//! then `cargo test --test servers [FILTER]`. It has its own main function, since libtest gives no
//! moment after the last test at which the servers could be stopped.

mod access;
mod azurite;
mod conformance;
mod corpus;
mod faults;
mod gcs;
mod http;
mod lies;
mod local;
mod nginx;
mod plain_http;
mod plans;
mod process;
mod proxy;
mod seaweedfs;
mod store;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use crate::process::Process;
use crate::store::Store;

/// A promise: its name, the stores that it is for, and the test.
pub(crate) type Case = (&'static str, For, fn(&Store));

/// Which stores a promise is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Every store, and the disk.
    All,
    /// Those that list: all but plain HTTP.
    Listing,
    /// Those behind a network: all but the disk.
    Network,
    /// Those that list over a network.
    ListingNetwork,
    /// Those whose server checks who asks.
    Guarded,
    /// Those that need credentials, whether their server checks them or not.
    Credentials,
    /// Plain HTTP alone.
    Http,
}

impl For {
    fn takes(self, store: &Store) -> bool {
        let network = store.endpoint.is_some();
        match self {
            Self::All => true,
            Self::Listing => store.lists(),
            Self::Network => network,
            Self::ListingNetwork => network && store.lists(),
            Self::Guarded => matches!(store.name, "s3" | "az"),
            Self::Credentials => !store.credentials.is_empty(),
            Self::Http => store.name == "http",
        }
    }
}

fn main() -> ExitCode {
    if let Some(code) = plans::run_if_asked() {
        return code;
    }
    let arguments = Arguments::from_args();
    if arguments.list {
        let trials = names().map(|name| Trial::test(name, || Ok(()))).collect();
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    // Needed by the tests' own client; the command brings its own.
    rustls::crypto::ring::default_provider().install_default().expect("the first provider");
    let dir = tempfile::tempdir().expect("a directory for the servers");
    let (stores, servers) = start(dir.path());
    let trials = stores.iter().flat_map(|store| {
        cases().filter(|(_, stores, _)| stores.takes(store)).map(|(name, _, test)| {
            let for_trial = Arc::clone(store);
            Trial::test(format!("{}::{name}", store.name), move || {
                test(&for_trial);
                Ok(())
            })
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    drop(servers);
    conclusion.exit_code()
}

fn cases() -> impl Iterator<Item = Case> {
    let lists = [conformance::CASES, access::CASES, faults::CASES, lies::CASES, plain_http::CASES];
    lists.into_iter().chain([plans::CASES]).flatten().copied()
}

fn names() -> impl Iterator<Item = String> {
    cases().map(|(name, stores, _)| format!("{stores:?}::{name}").to_lowercase())
}

/// Starts all servers at once and fills them; the slowest takes some ten seconds.
fn start(dir: &std::path::Path) -> (Vec<Arc<Store>>, Vec<Process>) {
    let starts = [seaweedfs::start, gcs::start, azurite::start, nginx::start];
    let started: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = starts
            .into_iter()
            .map(|start| {
                scope.spawn(move || {
                    let (store, process) = start(dir);
                    corpus::fill(&store);
                    (store, process)
                })
            })
            .collect();
        // Join all before any panic goes on, so that those that did start are dropped.
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let (mut stores, mut servers) = (Vec::new(), Vec::new());
    for result in started {
        let (store, process) = result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        stores.push(Arc::new(store));
        servers.push(process);
    }
    let disk = local::start(dir);
    corpus::fill(&disk);
    stores.push(Arc::new(disk));
    (stores, servers)
}
