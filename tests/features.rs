//! The core stays light: what a feature brings is not there without it.

use std::process::Command;

/// The names of all crates that the library is built from with these features.
fn crates(features: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--package", "creel", "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}", "--no-default-features"])
        .args(features.iter().flat_map(|feature| ["--features", feature]))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo to start");
    let text = String::from_utf8(output.stdout).expect("names in UTF-8");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[track_caller]
fn without(crates: &[String], unwanted: &[&str]) {
    assert!(crates.iter().any(|name| name == "creel-operators"), "not a tree: {crates:?}");
    let found: Vec<_> = crates.iter().filter(|name| unwanted.contains(&name.as_str())).collect();
    assert!(found.is_empty(), "the tree holds {found:?}");
}

#[test]
fn without_features_there_is_no_tls_no_http_and_no_command_line() {
    without(
        &crates(&[]),
        &[
            "rustls",
            "ring",
            "openssl",
            "native-tls",
            "webpki",
            "reqwest",
            "hyper",
            "h2",
            "http",
            "object_store",
            "clap",
            "regex",
            "jaq-core",
            "indicatif",
            "comfy-table",
            "serde_json",
            "async-compression",
            "flate2",
            "zstd",
            "encoding_rs",
            "tracing",
        ],
    );
}

#[test]
fn the_command_alone_brings_no_tls() {
    without(&crates(&["cli"]), &["rustls", "ring", "reqwest", "hyper", "object_store"]);
}

#[test]
fn with_every_store_there_is_one_tls_stack() {
    let all = crates(&["s3", "gcs", "azure", "http"]);
    without(&all, &["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls"]);
    assert!(all.iter().any(|name| name == "rustls"));
}
