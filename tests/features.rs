//! The core stays light: what a feature brings is not there without it.

use std::collections::HashSet;
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

/// What cargo prints of this workspace.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo to start");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text in UTF-8")
}

#[test]
fn no_dependency_needs_a_newer_compiler_than_this_package() {
    let version = |text: &str| -> Vec<u64> {
        text.split('.').map(|part| part.parse().expect("a number")).collect()
    };
    let tree = cargo(&[
        "tree",
        "--workspace",
        "--all-features",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
    ]);
    let built: HashSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| line.split_once(" v"))
        .map(|(name, rest)| (name, rest.split(' ').next().unwrap_or_default()))
        .collect();
    // Of other systems nothing may have been downloaded.
    let rustc = Command::new("rustc").arg("-vV").output().expect("rustc to start");
    let rustc = String::from_utf8(rustc.stdout).expect("text in UTF-8");
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let metadata = cargo(&["metadata", "--format-version", "1", "--filter-platform", host]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    let least = version(env!("CARGO_PKG_RUST_VERSION"));
    let packages = metadata["packages"].as_array().expect("a list").iter();
    let (mut seen, mut newer) = (0, Vec::new());
    for package in packages {
        let text = |key: &str| package[key].as_str();
        let named = (text("name").expect("a name"), text("version").expect("a version"));
        if !built.contains(&named) {
            continue;
        }
        seen += 1;
        if let Some(needs) = text("rust_version").filter(|needs| version(needs) > least) {
            newer.push((named, needs));
        }
    }
    assert_eq!(seen, built.len(), "packages of the tree are missing");
    assert!(newer.is_empty(), "they need a newer compiler: {newer:?}");
}
