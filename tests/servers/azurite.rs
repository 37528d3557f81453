//! Azure Blob Storage by Azurite, with the account and the key that every emulator has.

use std::path::Path;
use std::process::Command;

use object_store::azure::MicrosoftAzureBuilder;

use crate::http::request;
use crate::process::{Process, free, installed};
use crate::store::{Store, remote};

const ACCOUNT: &str = "devstoreaccount1";
/// Public: Microsoft's documentation prints it for use with emulators.
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// Lets its bearer create containers until 2099: signed once with the key above, since a
/// signature of this kind does not depend on the request. object_store cannot create containers.
const MAY_CREATE: &str = "sv=2019-12-12&ss=b&srt=c&sp=cw&se=2099-01-01T00:00:00Z&sig=pj7iPWsxrQ7%2BFx6eKvYkKuPpD9r2qXnhM6TuvwOWRi8%3D";

pub(crate) fn start(dir: &Path) -> (Store, Process) {
    let dir = dir.join("azurite");
    std::fs::create_dir_all(&dir).expect("a directory");
    let [addr] = free::<1>();
    let mut command = Command::new("node");
    command.arg(installed("azurite/node_modules/azurite/dist/src/blob/main.js"));
    command.args(["--blobHost", "127.0.0.1", "--blobPort", &addr.port().to_string()]);
    // It checks the API version that a client names against those it knew when it was made.
    command.args(["--location", ".", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]);
    let ready = || {
        [("tests", &[][..]), ("public", &["x-ms-blob-public-access: container"][..])].iter().all(
            |(container, headers)| {
                let line = format!("PUT /{ACCOUNT}/{container}?restype=container&{MAY_CREATE}");
                // 409: made when this was asked before.
                request(addr, &line, headers, b"").is_ok_and(|code| code == 201 || code == 409)
            },
        )
    };
    let process = Process::start("azurite", command, &dir).wait_until(ready);
    let endpoint = format!("http://{addr}/{ACCOUNT}");
    let writer = |container| {
        let client = MicrosoftAzureBuilder::new()
            .with_endpoint(endpoint.clone())
            .with_allow_http(true)
            .with_account(ACCOUNT)
            .with_access_key(KEY)
            .with_container_name(container);
        remote(client.build().expect("a client"))
    };
    let store = Store {
        name: "az",
        base: "az://tests/".to_owned(),
        public: Some(("az://public/", writer("public"))),
        writer: writer("tests"),
        env: vec![
            ("AZURE_ENDPOINT", endpoint.clone()),
            ("AZURE_ALLOW_HTTP", "true".to_owned()),
            ("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT.to_owned()),
            ("AZURE_STORAGE_ACCOUNT_KEY", KEY.to_owned()),
        ],
        credentials: &["AZURE_STORAGE_ACCOUNT_KEY"],
        endpoint: Some(addr),
        host: None,
    };
    (store, process)
}
