//! A store under test: where it is, how the command is told, and a way to put objects into it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::{ObjectStore, ObjectStoreExt};

use crate::proxy::{Proxy, Rule};

/// One kind of store, running, with everything that the tests need of it.
#[derive(Clone)]
pub(crate) struct Store {
    /// The scheme, or `file`: the first part of the tests' names.
    pub(crate) name: &'static str,
    /// What goes before a key to make a source; ends in a slash.
    pub(crate) base: String,
    /// The same for a bucket that may be read without credentials, and a way to write there.
    pub(crate) public: Option<(&'static str, Writer)>,
    /// Endpoint and credentials, by environment.
    pub(crate) env: Vec<(&'static str, String)>,
    /// Those of the above that are credentials.
    pub(crate) credentials: &'static [&'static str],
    /// Where the server listens; `None` for a disk.
    pub(crate) endpoint: Option<SocketAddr>,
    /// The name by which the server routes, if it looks at it.
    pub(crate) host: Option<String>,
    pub(crate) writer: Writer,
}

/// Puts an object under a key, in the place of one that is there.
pub(crate) type Writer = Arc<dyn Fn(&str, &[u8]) + Send + Sync>;

/// Objects as files below a folder.
pub(crate) fn files(root: PathBuf) -> Writer {
    Arc::new(move |key, bytes| {
        let path = root.join(key);
        let parent = path.parent().expect("a key below the root");
        std::fs::create_dir_all(parent).expect("a directory for the object");
        // Renamed into place, as whoever replaces a file that is served should.
        let temporary = path.with_extension("part");
        std::fs::write(&temporary, bytes).expect("an object to be written");
        std::fs::rename(&temporary, &path).expect("an object to be put in place");
    })
}

/// Objects by the store's own protocol.
pub(crate) fn remote(client: impl ObjectStore) -> Writer {
    Arc::new(move |key, bytes| {
        let path = object_store::path::Path::parse(key).expect("a key");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let put = client.put(&path, bytes.to_vec().into());
        let done = runtime.expect("a runtime").block_on(put);
        done.unwrap_or_else(|error| panic!("cannot put {key}: {error}"));
    })
}

impl Store {
    /// Whether globs and directories work: plain HTTP has no listing.
    pub(crate) fn lists(&self) -> bool {
        self.name != "http"
    }

    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        (self.writer)(key, bytes);
    }

    pub(crate) fn url(&self, key: &str) -> String {
        format!("{}{key}", self.base)
    }

    /// The same store behind a proxy that counts, and applies the rule.
    pub(crate) fn behind_proxy(&self, rule: Option<Rule>) -> (Self, Proxy) {
        let endpoint = self.endpoint.expect("a store that is reached over the network");
        let proxy = Proxy::start(endpoint, self.host.clone(), rule);
        let (from, to) = (endpoint.to_string(), proxy.addr.to_string());
        let env = self.env.iter().map(|(key, value)| (*key, value.replace(&from, &to)));
        let store = Self {
            base: self.base.replace(&from, &to),
            env: env.collect(),
            endpoint: Some(proxy.addr),
            ..self.clone()
        };
        (store, proxy)
    }

    /// The command, with these arguments, in an environment that knows only this store.
    pub(crate) fn creel<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        self.creel_with(args, |_| true)
    }

    /// The same, with only some of the variables of [`Store::env`].
    pub(crate) fn creel_with<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        keep: impl Fn(&str) -> bool,
    ) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_creel"));
        command.args(args);
        self.run(command, keep)
    }

    /// These tests as a process of their own, with some variables, in the same environment.
    pub(crate) fn this_process(&self, env: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(std::env::current_exe().expect("this executable"));
        command.env_clear().envs(env.iter().copied());
        self.run(command, |_| true)
    }

    /// Runs a command in an environment that knows only this store, and what was set before.
    fn run(&self, mut command: Command, keep: impl Fn(&str) -> bool) -> Ran {
        let own: Vec<_> = command
            .get_envs()
            .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
            .collect();
        command.env_clear().envs(own).env("HOME", "/nonexistent");
        // Nobody waits for minutes here.
        command.env("CREEL_PATIENCE", "0.01");
        // Where clouds answer who a machine is. Nothing listens there on this one, and no test
        // asks beyond the loopback.
        command.env("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9");
        command.env("GCE_METADATA_HOST", "127.0.0.1:9").env("GCE_METADATA_IP", "127.0.0.1:9");
        command.env("IDENTITY_ENDPOINT", "http://127.0.0.1:9");
        command.envs(self.env.iter().filter(|(key, _)| keep(key)).map(|(k, v)| (k, v)));
        run(command)
    }
}

/// What a run of the command gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Asserts success; gives what was printed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "it failed: {self:#?}");
        self.out
    }

    /// Asserts this exit code, and one message that holds all of these.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, says: &[&str]) {
        assert_eq!(self.code, Some(code), "the exit code is another: {self:#?}");
        for part in says {
            let found = self.err.to_lowercase().contains(&part.to_lowercase());
            assert!(found, "the message lacks {part:?}: {self:#?}");
        }
        assert!(!self.err.contains("panicked"), "it panicked: {self:#?}");
    }
}

/// Runs to the end, or to the end of patience: nothing here takes a minute unless it hangs.
fn run(mut command: Command) -> Ran {
    let dir = tempfile::tempdir().expect("a directory");
    let [out, err] = ["out", "err"].map(|name| dir.path().join(name));
    let file = |path: &Path| std::fs::File::create(path).expect("a file for the output");
    command.stdin(Stdio::null()).stdout(file(&out)).stderr(file(&err));
    let mut child = command.spawn().expect("the command to start");
    let began = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().expect("the command's state") {
            break status.code();
        }
        if began.elapsed() > Duration::from_secs(60) {
            child.kill().expect("the command to be killed");
            child.wait().expect("the command to end");
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |path: &Path| {
        String::from_utf8_lossy(&std::fs::read(path).expect("the output")).into_owned()
    };
    Ran { code, out: read(&out), err: read(&err) }
}
