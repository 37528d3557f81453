//! Servers as child processes: on a free loopback port, polled until ready, killed on drop.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to start: ten times what the slowest takes on two idle cores.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running server. Dropped, also by a panic, it is killed by its process id and waited for.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program; what it says goes to a file in `dir` and is shown if it does not come up.
    pub(crate) fn start(name: &'static str, mut command: Command, dir: &Path) -> Self {
        let log = dir.join(format!("{name}.log"));
        let out = File::create(&log).expect("a log file");
        let err = out.try_clone().expect("a second handle on the log file");
        let child = command.current_dir(dir).stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("{name} does not start ({command:?}): {error}; run tests/servers/install.sh")
        });
        Self { name, child, log }
    }

    /// Asks again and again until the server answers as it should.
    pub(crate) fn wait_until(mut self, ready: impl Fn() -> bool) -> Self {
        let began = Instant::now();
        while !ready() {
            let ended = self.child.try_wait().expect("a child's state");
            if ended.is_some() || began.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(30).collect();
                let tail: Vec<&str> = tail.into_iter().rev().collect();
                panic!("{} is not ready (ended: {ended:?}):\n{}", self.name, tail.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Loopback addresses that nothing listens on, all different.
///
/// Another process may take one before the server does; then the server says so and the run fails.
pub(crate) fn free<const N: usize>() -> [SocketAddr; N] {
    let held: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a free loopback port"));
    held.map(|listener| listener.local_addr().expect("a bound address"))
}

/// A file that `install.sh` put below `target/servers/`.
pub(crate) fn installed(path: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    let path = target.join("servers").join(path);
    assert!(path.exists(), "{} is missing: run tests/servers/install.sh", path.display());
    path
}
