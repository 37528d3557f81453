//! No secret in anything that is printed, however it came into the command, and none to another host.

use std::path::Path;
use std::process::Output;

use crate::command;

const SECRET: &str = "S3CRETq7";

/// Runs the command with an environment that names a store nobody answers for.
fn run(folder: &Path, args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = command(args);
    for (name, _) in std::env::vars() {
        if ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|start| name.starts_with(start)) {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).env("AWS_ENDPOINT", "http://127.0.0.1:1");
    command.env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s");
    command.env("AWS_REGION", "r").env("AWS_ALLOW_HTTP", "true");
    command.envs(environment.iter().copied());
    command.output().expect("the command runs")
}

fn is_silent_about_it(output: &Output, what: &str) {
    for stream in [&output.stdout, &output.stderr] {
        let said = String::from_utf8_lossy(stream);
        assert!(!said.contains("S3CRET"), "{what}: {said}");
    }
    assert_ne!(output.status.code(), Some(101), "{what}");
}

#[test]
fn no_spelling_of_a_url_shows_its_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let urls = [
        "s3://AKIA:S3CRETq7@b/x",
        "s3://AKIA:S3CRET/q7+x@b/x",
        "s3://S3CRETq7@b/x",
        "s3://b/x?Signature=S3CRETq7",
        "S3://AKIA:S3CRETq7@b/x?sig=S3CRETq7",
        "gs://u:S3CRETq7@b/x",
        "az://u:S3CRETq7@b/x?sv=1&sig=S3CRETq7",
        "abfss://u:S3CRETq7@h/x",
        "ftp://u:S3CRETq7@h/x",
        "ftp://h/x?S3CRETq7",
        "HTTPS://h/x?sig=S3CRETq7",
        "Http://u:S3CRETq7@h/x",
        "http://u:S3CRETq7@127.0.0.1:1/x",
        "http://S3CRETq7@127.0.0.1:1/x",
        "http://127.0.0.1:1/x?S3CRETq7",
        "http://127.0.0.1:1/x#S3CRETq7",
        "http://127.0.0.1:1/{a,b}?sig=S3CRETq7",
        "http://127.0.0.1:1/*?sig=S3CRETq7",
        "https:/h/x?sig=S3CRETq7",
        "https:h/x?S3CRETq7",
        " https://h/x?S3CRETq7",
        "//h/x?X-Amz-Signature=S3CRETq7",
        "h/x?a=1&sig=S3CRETq7",
        "file://u:S3CRETq7@h/x",
        "file:///nowhere/x?sig=S3CRETq7",
        "weird+scheme://u:S3CRETq7@h/x?S3CRETq7",
    ];
    // Some wait for a server that is not there.
    std::thread::scope(|scope| {
        for url in urls {
            let folder = folder.path();
            scope.spawn(move || {
                for args in [
                    &["-v", "--progress", "always", "--on-missing", "fail", "count", url][..],
                    &["-n", "count", url],
                    &[url, "count"],
                    &["-o", url, "count", "."],
                    &["--tmpdir", url, "count", "."],
                    &["--memory", url, "count"],
                    &["--encoding", url, "count"],
                    &["--no-such-option", url],
                ] {
                    is_silent_about_it(&run(folder, args, &[]), &format!("{args:?}"));
                }
            });
        }
    });
}

#[test]
fn a_program_with_a_secret_in_it_is_not_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    for program in [
        "filter(. == \"https://h/x?sig=S3CRETq7\") | wurds",
        "wurds # https://u:S3CRETq7@h",
        "filter(startswith(\"token=S3CRETq7\") | wurds",
    ] {
        let output = run(folder.path(), &[program], &[]);
        is_silent_about_it(&output, program);
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn settings_and_files_of_credentials_are_not_quoted() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let key = format!(
        "{{\"type\":\"service_account\",\"private_key\":\"{SECRET}\",\"private_key_id\":\"{SECRET}\",\"client_email\":\"{SECRET}\"}}"
    );
    let mut cases: Vec<(&str, String, &str)> = Vec::new();
    for content in [
        format!("\"{SECRET}\""),
        SECRET.to_owned(),
        format!("{{\"type\":\"{SECRET}\"}}"),
        format!("{{\"type\":\"authorized_user\",\"client_secret\":[\"{SECRET}\"]}}"),
        format!("{{\"{SECRET}\":1}}"),
        format!("{{\"type\":\"service_account\",\"private_key\":{{\"x\":\"{SECRET}\"}}}}"),
        format!("{{\"gcs_base_url\":\"{SECRET}\"}}"),
        format!("{{\"gcs_base_url\":\"https://h/?{SECRET}\"}}"),
        key,
    ] {
        cases.push(("GOOGLE_SERVICE_ACCOUNT_KEY", content.clone(), "gs://b/x"));
        let path = file(&format!("adc{}", cases.len()), &content);
        cases.push(("GOOGLE_APPLICATION_CREDENTIALS", path.clone(), "gs://b/x"));
        cases.push(("GOOGLE_SERVICE_ACCOUNT", path.clone(), "gs://b/x"));
        cases.push(("GOOGLE_SERVICE_ACCOUNT_PATH", path, "gs://b/x"));
    }
    for (name, url) in [
        ("AWS_SECRET_ACCESS_KEY", "s3://b/x"),
        ("AWS_SESSION_TOKEN", "s3://b/x"),
        ("AWS_CHECKSUM_ALGORITHM", "s3://b/x"),
        ("AWS_SERVER_SIDE_ENCRYPTION", "s3://b/x"),
        ("AWS_SSE_CUSTOMER_KEY_BASE64", "s3://b/x"),
        ("AWS_COPY_IF_NOT_EXISTS", "s3://b/x"),
        ("AWS_CONDITIONAL_PUT", "s3://b/x"),
        ("AWS_TIMEOUT", "s3://b/x"),
        ("AWS_ALLOW_HTTP", "s3://b/x"),
        ("AWS_PROXY_URL", "s3://b/x"),
        ("AZURE_STORAGE_ACCOUNT_KEY", "az://b/x"),
        ("AZURE_STORAGE_SAS_KEY", "az://b/x"),
        ("AZURE_STORAGE_TOKEN", "az://b/x"),
        ("AZURE_CLIENT_SECRET", "az://b/x"),
        ("AZURE_FEDERATED_TOKEN_FILE", "az://b/x"),
        ("AZURE_AUTHORITY_HOST", "az://b/x"),
    ] {
        for value in [
            SECRET.to_owned(),
            format!("{SECRET}\u{1}"),
            format!("?sv=1&sig={SECRET}"),
            format!("http://u:{SECRET}@127.0.0.1:1/?{SECRET}"),
        ] {
            cases.push((name, value, url));
        }
    }
    let check = |(name, value, url): &(&str, String, &str)| {
        let set = [
            ("AZURE_STORAGE_ACCOUNT_NAME", "a"),
            ("AZURE_ENDPOINT", "http://127.0.0.1:1"),
            ("AZURE_ALLOW_HTTP", "true"),
            ("GOOGLE_BASE_URL", "http://127.0.0.1:1"),
            ("GOOGLE_ALLOW_HTTP", "true"),
            (name, &**value),
        ];
        is_silent_about_it(&run(folder.path(), &["count", url], &set), &format!("{name}={value}"));
    };
    std::thread::scope(|scope| {
        for some in cases.chunks(cases.len().div_ceil(16)) {
            scope.spawn(|| some.iter().for_each(check));
        }
    });
}
