//! Runs the command against a server.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::Server;

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Ran {
    /// `None` if it did not end by itself.
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

/// No run takes so long unless it hangs: what is waited for in these tests are milliseconds.
const HANGS: Duration = Duration::from_secs(90);

/// Runs the command, with waits that are a thousandth, in an environment that knows this server.
pub(crate) fn creel(server: &Server, args: &[&str]) -> Ran {
    let (variables, _) = server.environment();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    creel_in(&variables, args)
}

/// The same in this environment.
pub(crate) fn creel_in(variables: &[(&str, &str)], args: &[&str]) -> Ran {
    let dir = tempfile::tempdir().expect("a directory");
    let [out, err] = ["out", "err"].map(|name| dir.path().join(name));
    let file = |path: &std::path::Path| std::fs::File::create(path).expect("a file");
    let mut child = Command::new(env!("CARGO_BIN_EXE_creel"))
        .args(args)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("CREEL_PATIENCE", "0.001")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(file(&out))
        .stderr(file(&err))
        .spawn()
        .expect("the command to start");
    let began = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().expect("its state") {
            break status.code();
        }
        if began.elapsed() > HANGS {
            child.kill().expect("to kill it");
            child.wait().expect("its end");
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let read = |path| std::fs::read(path).expect("what it said");
    Ran { code, out: read(&out), err: String::from_utf8_lossy(&read(&err)).into_owned() }
}
