//! No secret in anything that is printed, however it came into the command, and none to another host.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};

use crate::server::{Reply, Server};
use crate::{command, text};

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
        "u:S3CRETq7@[::1]/x",
        "u:S3CRETq7@[2001:db8::1]:8080/x",
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
        "http://127.0.0.1:1/y,http://u:S3CRETq7@h/x",
        "http://127.0.0.1:1/a;https://u:S3CRETq7@h/b",
        "http://127.0.0.1:1/redirect=https://u:S3CRETq7@h/b",
        "{http://127.0.0.1:1/y,http://u:S3CRETq7@h/x}",
        "http://127.0.0.1:1/x%3Fsig=S3CRETq7",
        "http://127.0.0.1:1/x?a='S3CRETq7'",
        "http://127.0.0.1:1/x y?a=<b> \"S3CRETq7\"",
        "//u:S3CRETq7@h/x",
        "s3//AKIA:S3CRETq7@b/x",
        "abfss://S3CRETq7@h@x/y",
        "az://c/x%3Fsig%3DS3CRETq7",
        "az://c/x?sig%3DS3CRETq7",
        "s3://b/x%3fs%69g%253DS3CRETq7",
        "http://127.0.0.1:1/x;jsessionid=S3CRETq7",
        "http://[S3CRETq7",
        "u:S3CRETq7@h/x",
        "u:S3CRETq7@h:/x",
        "file://localhost/u:S3CRETq7@h",
        "az://c/x?sig[]=S3CRETq7",
        "az://c/x%3Fsig%5B0%5D=S3CRETq7",
        "my notes https://u:S3CRETq7@h/x",
        "https:\\/\\/u:S3CRETq7@h\\/x",
        "{\\\"access_token\\\":\\\"S3CRETq7\\\"}",
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
                    &[&*format!("--blocksize={url}"), "count"],
                    &[&*format!("--{url}")],
                    &["--no-such-option", url],
                ] {
                    is_silent_about_it(&run(folder, args, &[]), &format!("{args:?}"));
                }
            });
        }
    });
}

#[test]
fn the_words_of_a_name_are_no_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = "report secret 2024a.csv";
    let said = |args: &[&str]| {
        let output = run(folder.path(), args, &[]);
        format!("{}{}", text(&output.stdout), text(&output.stderr))
    };
    for args in [
        &["count", name][..],
        &["-n", "count", name],
        &["--on-missing", "report", "count", name, "Cargo.toml"],
        &["count", "report secret 2024a.csv/*"],
        &["count", "s3://b/report secret 2024a.csv"],
        &["-o", "no folder/report secret 2024a.csv", "count", "-"],
    ] {
        let said = said(args);
        assert!(said.contains(name) && !said.contains("***"), "{args:?}: {said}");
    }
    std::fs::write(folder.path().join(name), b"one\n{\n\xff\n").expect("a file");
    let json = folder.path().join("password a1b2c3.jsonl");
    std::fs::write(&json, "{}\n{\n").expect("a file");
    for (args, name) in [
        (&["-n", "count", name][..], name),
        (&["-f", "jsonl", "count", name], name),
        (&["--invalid", "skip", "count", "password a1b2c3.jsonl"], "password a1b2c3.jsonl"),
        (
            &["--partial", "s.creel", "--invalid", "skip", "count", "password a1b2c3.jsonl"],
            "password a1b2c3.jsonl",
        ),
        (&["--merge", "s.creel"], "password a1b2c3.jsonl"),
        (&["--merge", "s.creel", "s.creel"], "s.creel"),
        (&["--merge", name], name),
        (&["count", name, "password a1b2c3.jsonl"], name),
    ] {
        let said = said(args);
        assert!(said.contains(name) && !said.contains("***"), "{args:?}: {said}");
    }
    let state = std::fs::read(folder.path().join("s.creel")).expect("a state");
    let holds = |name: &str| state.windows(name.len()).any(|bytes| bytes == name.as_bytes());
    assert!(holds("password a1b2c3.jsonl") && !holds("***"));
}

#[test]
fn folders_and_objects_that_are_named_like_parameters_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = [
        "sig=1.txt",
        "pass=through.txt",
        "a:b@c.txt",
        "d/token=abc/part-0001",
        "d/token=9f8e7d6c5b4a/part-0001",
        "signature=v1/x.txt",
    ];
    for name in names {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, b"one\n").expect("a file");
    }
    let all = run(folder.path(), &["-n", "count", "."], &[]);
    for name in names {
        assert!(text(&all.stdout).contains(name), "{name}: {}", text(&all.stdout));
        for url in [format!("missing/{name}"), format!("s3://b/{name}")] {
            let output = run(folder.path(), &["count", &url], &[]);
            let said = text(&output.stderr);
            assert!(said.contains(&url) && !said.contains("***"), "{url}: {said}");
        }
        let output = run(folder.path(), &["-o", &format!("no/{name}"), "count", "-"], &[]);
        let said = text(&output.stderr);
        let folder = format!("no/{name}").rsplit_once('/').expect("a folder").0.to_owned();
        assert!(said.contains(&format!("no directory {folder}\n")), "{name}: {said}");
    }
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

#[test]
fn messages_of_a_store_are_shown_without_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    for said in [
        "Authorization: AWS4-HMAC-SHA256 Credential=S3CRETq7/x, Signature=S3CRETq7",
        "authorization: Bearer S3CRETq7",
        "see https://h/x?sig=S3CRETq7 and h/a,https://u:S3CRETq7@h/b",
        "x-amz-security-token: S3CRETq7",
        "aws_secret_access_key = S3CRETq7, session_token='S3CRETq7'",
        "{&quot;secret_access_key&quot;: &quot;S3CRETq7&quot;}",
        "https%3A%2F%2Fh%2Fx%3Fsv%3D1%26sig%3DS3CRETq7",
        "s%69g=S3CRETq7 and sig%253DS3CRETq7",
        "Bearer token S3CRETq7 is not valid",
        "user u password S3CRETq7",
        "apikey S3CRETq7, key=S3CRETq7",
        "u:S3CRETq7@h/x",
    ] {
        let body = format!("<Error><Code>Wrong</Code><Message>It says {said}</Message></Error>");
        let server = Server::start(move |_, _| Reply::new(403, body.clone()));
        for url in ["s3://b/x", "s3://b/*"] {
            let output = run(folder.path(), &["count", url], &[("AWS_ENDPOINT", &*server.url())]);
            assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
            assert!(text(&output.stderr).contains("It says"), "{}", text(&output.stderr));
            is_silent_about_it(&output, said);
        }
    }
}

#[test]
fn a_state_holds_no_secret_of_its_sources_and_knows_them_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(|_, _| Reply::new(200, "a line\n").with("ETag", "\"1\""));
    let (s3, http) = ("s3://b/x%3Fsig%3D", format!("{}/x;jsessionid=", server.url()));
    for start in [s3, &*http] {
        let one = |file: &str, secret: &str| {
            let url = format!("{start}{secret}");
            let args = ["--partial", file, "-q", "count", &url];
            let output = run(folder.path(), &args, &[("AWS_ENDPOINT", &*server.url())]);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
            let state = std::fs::read(folder.path().join(file)).expect("a state");
            assert!(!String::from_utf8_lossy(&state).contains("S3CRET"), "{start}");
        };
        one("one", "S3CRETq7");
        one("same", "S3CRETq7");
        let merged = run(folder.path(), &["--merge", "one", "same"], &[]);
        assert!(text(&merged.stderr).contains("both have read"), "{}", text(&merged.stderr));
        is_silent_about_it(&merged, start);
    }
}

/// A server that sends everybody on to this address, or gives a line of text; what it was asked.
fn server(to: Option<String>) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("127.0.0.1:{}", listener.local_addr().expect("an address").port());
    let asked = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = String::new();
            for line in BufReader::new(&stream).lines() {
                let Ok(line) = line else { break };
                if line.is_empty() {
                    break;
                }
                request += &format!("{line}\n");
            }
            log.lock().expect("no panic").push_str(&request);
            let answer = match &to {
                Some(to) => format!(
                    "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                ),
                None => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nline\n"
                    .to_owned(),
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, asked)
}

#[test]
fn a_redirect_to_another_host_takes_no_secret_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let (target, asked) = server(None);
    let (first, _) = server(Some(format!("http://{target}/b.txt")));
    let output = run(
        folder.path(),
        &["count", &format!("http://{first}/a.txt?X-Amz-Signature={SECRET}")],
        &[],
    );
    assert_eq!(text(&output.stdout), "1\n", "{}", text(&output.stderr));
    let asked = asked.lock().expect("no panic").to_ascii_lowercase();
    assert!(asked.contains("get /b.txt"), "{asked}");
    for word in ["s3cret", "referer", "authorization", "cookie"] {
        assert!(!asked.contains(word), "{asked}");
    }
}

#[test]
fn a_store_that_redirects_to_another_host_is_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (target, asked) = server(None);
    let (first, first_asked) = server(Some(format!("http://{target}/b/x")));
    for url in ["s3://b/x", "s3://b/*"] {
        let endpoint = format!("http://{first}");
        let set = [("AWS_ENDPOINT", &*endpoint), ("AWS_SESSION_TOKEN", SECRET)];
        let output = run(folder.path(), &["count", url], &set);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("another host"), "{}", text(&output.stderr));
        is_silent_about_it(&output, url);
    }
    assert!(first_asked.lock().expect("no panic").contains(SECRET), "the store itself is told");
    assert_eq!(*asked.lock().expect("no panic"), "");
}

#[test]
fn redirects_that_go_round_or_nowhere_are_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    for (to, said) in [
        ("/a.txt", "too many"),
        ("ftp://h/x", "redirects to an address"),
        ("http://u:S3CRETq7@127.0.0.1:1/x", ""),
    ] {
        let (first, _) = server(Some(to.to_owned()));
        let output = run(folder.path(), &["count", &format!("http://{first}/a.txt?{SECRET}")], &[]);
        is_silent_about_it(&output, to);
        assert_eq!(output.status.code(), Some(3), "{to}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{to}: {}", text(&output.stderr));
    }
}
