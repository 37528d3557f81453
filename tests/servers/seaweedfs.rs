//! S3 by SeaweedFS: signed requests, a bucket for all and one for those with the key.

use std::path::Path;
use std::process::Command;

use object_store::aws::AmazonS3Builder;

use crate::http::request;
use crate::process::{Process, free, installed};
use crate::store::{Store, remote};

const IDENTITIES: &str = r#"{"identities": [
    {"name": "tester", "actions": ["Admin", "Read", "Write", "List"],
     "credentials": [{"accessKey": "tester", "secretKey": "not-to-be-shown"}]},
    {"name": "anonymous", "actions": ["Read:public", "List:public"]}
]}"#;

pub(crate) fn start(dir: &Path) -> (Store, Process) {
    let dir = dir.join("seaweedfs");
    std::fs::create_dir_all(dir.join("data")).expect("a directory");
    std::fs::write(dir.join("s3.json"), IDENTITIES).expect("the identities");
    let [master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3, s3_grpc] = free::<8>();
    let mut command = Command::new(installed("venv/bin/weed"));
    command.args(["server", "-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
    // It would tell its makers that it runs; and two more services would take fixed ports.
    command.args(["-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
    command.args(["-master.volumeSizeLimitMB=64"]);
    // By itself it writes nothing where less than a hundredth of the disk is free, which may be
    // gigabytes; and it asks the disk how many volumes it may have.
    command.args(["-volume.max=64", "-volume.minFreeSpace=256MiB"]);
    command.args(["-s3", "-s3.config=s3.json"]);
    for (name, addr) in [
        ("master.port", master),
        ("master.port.grpc", master_grpc),
        ("volume.port", volume),
        ("volume.port.grpc", volume_grpc),
        ("filer.port", filer),
        ("filer.port.grpc", filer_grpc),
        ("s3.port", s3),
        ("s3.port.grpc", s3_grpc),
    ] {
        command.arg(format!("-{name}={}", addr.port()));
    }
    // The filer's directories below /buckets are the buckets. A write is the surest sign that all
    // parts are up: the S3 port answers seconds before there is a volume to write to.
    let ready = || {
        ["tests", "public"].iter().all(|bucket| {
            let bytes = b"ready";
            let line = format!("PUT /buckets/{bucket}/.ready");
            request(filer, &line, &["Content-Type: text/plain"], bytes).is_ok_and(|code| code < 300)
        }) && request(s3, "GET /public/.ready", &[], b"").is_ok_and(|code| code == 200)
    };
    let process = Process::start("seaweedfs", command, &dir).wait_until(ready);
    let endpoint = format!("http://{s3}");
    let writer = |bucket| {
        let client = AmazonS3Builder::new()
            .with_endpoint(&endpoint)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_bucket_name(bucket)
            .with_access_key_id("tester")
            .with_secret_access_key("not-to-be-shown");
        remote(client.build().expect("a client"))
    };
    let store = Store {
        name: "s3",
        base: "s3://tests/".to_owned(),
        public: Some(("s3://public/", writer("public"))),
        writer: writer("tests"),
        env: vec![
            ("AWS_ENDPOINT", endpoint.clone()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "tester".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "not-to-be-shown".to_owned()),
        ],
        credentials: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        endpoint: Some(s3),
        host: None,
    };
    (store, process)
}
