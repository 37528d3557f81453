//! Plain HTTP by nginx: with ranges, without them below `/whole/`, and `/closed/` to nobody.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::http::request;
use crate::process::{Process, free, installed};
use crate::store::{Store, files};

pub(crate) fn start(dir: &Path) -> (Store, Process) {
    let dir = dir.join("nginx");
    let root = dir.join("root");
    std::fs::create_dir_all(&root).expect("a directory");
    std::fs::write(root.join("ready"), "ready").expect("a file to ask for");
    let [addr] = free::<1>();
    // In the foreground and one process, so that its id is the one to kill; every path below
    // `dir`, so that no other nginx of this machine is met.
    let config = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr warn;
        events {{ worker_connections 512; }}
        http {{
            access_log off; default_type text/plain;
            client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
            uwsgi_temp_path t4; scgi_temp_path t5;
            server {{
                listen {addr}; root root;
                location /whole/ {{ max_ranges 0; alias root/; }}
                location /closed/ {{ return 403; }}
            }}
        }}"
    );
    std::fs::write(dir.join("nginx.conf"), config).expect("the configuration");
    let mut command = Command::new(binary());
    command.arg("-p").arg(&dir).args(["-c", "nginx.conf", "-e", "stderr"]);
    let ready = || request(addr, "GET /ready", &[], b"").is_ok_and(|code| code == 200);
    let process = Process::start("nginx", command, &dir).wait_until(ready);
    let base = format!("http://{addr}/");
    let store = Store {
        name: "http",
        base,
        public: None,
        env: Vec::new(),
        credentials: &[],
        endpoint: Some(addr),
        host: None,
        writer: files(root),
    };
    (store, process)
}

fn binary() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join("nginx"))
        .find(|nginx| nginx.exists())
        .unwrap_or_else(|| installed("nginx/usr/sbin/nginx"))
}
