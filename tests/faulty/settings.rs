//! Settings that are wrong are named before the first request.

use crate::matrix::objects;
use crate::run::creel_in;
use crate::server::{Kind, Server};

const S3: [(&str, &str); 4] = [
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "k"),
    ("AWS_SECRET_ACCESS_KEY", "s"),
    ("AWS_ALLOW_HTTP", "true"),
];

#[test]
fn a_wrong_setting_is_named() {
    for (name, value) in [
        ("AWS_ENDPOINT", "localhost:9000"),
        ("AWS_ENDPOINT", ""),
        ("AWS_ENDPOINT", "http://"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:99999"),
        ("AWS_ENDPOINT", "http://127.0.0.1:1\u{7}"),
        ("AWS_ACCESS_KEY_ID", "k\rk"),
        ("AWS_SESSION_TOKEN", "k\nk"),
        ("AWS_REGION", "r r"),
    ] {
        let variables = [&S3[..], &[(name, value)]].concat();
        let ran = creel_in(&variables, &["count", "s3://b/x"]);
        assert_eq!(ran.code, Some(2), "{name}={value:?}: {}", ran.err);
        assert!(ran.err.contains(name), "{name}={value:?}: {}", ran.err);
    }
    for (variables, url) in [
        (&[("GOOGLE_BASE_URL", "localhost:1")][..], "gs://b/x"),
        (&[("AZURE_ENDPOINT", "localhost"), ("AZURE_STORAGE_ACCOUNT_NAME", "a")], "az://b/x"),
    ] {
        let ran = creel_in(variables, &["count", "--anonymous", url]);
        assert_eq!(ran.code, Some(2), "{url}: {}", ran.err);
        assert!(ran.err.contains(variables[0].0), "{url}: {}", ran.err);
    }
}

/// Variables and their values.
type Variables = &'static [(&'static str, &'static str)];

/// Values that no request can carry, or that lead elsewhere: a variable, its value, a URL that needs
/// it, and what is set beside it.
const WRONG: [(&str, &str, &str, Variables); 46] = [
    ("AWS_REGION", "r{x", "s3://b/x", &[]),
    ("AWS_REGION", "r#x", "s3://b/x", &[]),
    ("AWS_REGION", "r@127.0.0.1", "s3://b/x", &[]),
    ("AWS_DEFAULT_REGION", "r/x", "s3://b/x", &[]),
    ("AWS_TIMEOUT", "S3CRET", "s3://b/x", &[]),
    ("AWS_CONNECT_TIMEOUT", "0s", "s3://b/x", &[]),
    ("AWS_READ_TIMEOUT", "584542046090years", "s3://b/x", &[]),
    ("AWS_POOL_IDLE_TIMEOUT", "584542046090years", "s3://b/x", &[]),
    ("AWS_POOL_MAX_IDLE_PER_HOST", "-1", "s3://b/x", &[]),
    ("AWS_HTTP2_MAX_FRAME_SIZE", "1", "s3://b/x", &[("AWS_HTTP2_ONLY", "true")]),
    ("AWS_HTTP2_MAX_FRAME_SIZE", "4294967295", "s3://b/x", &[("AWS_HTTP2_ONLY", "true")]),
    ("AWS_ALLOW_HTTP", "S3CRET", "s3://b/x", &[]),
    ("AWS_SKIP_SIGNATURE", "S3CRET", "s3://b/x", &[]),
    ("AWS_CHECKSUM_ALGORITHM", "S3CRET", "s3://b/x", &[]),
    ("AWS_PROXY_URL", ":::", "s3://b/x", &[]),
    ("AWS_PROXY_URL", "ftp://u:S3CRET@h", "s3://b/x", &[]),
    ("AWS_ENDPOINT_URL_STS", "localhost:1", "s3://b/x", &[]),
    ("AWS_METADATA_ENDPOINT", "localhost", "s3://b/x", &[]),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "localhost:1/x", "s3://b/x", &[]),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://u:S3CRET@[/x", "s3://b/x", &[]),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@127.0.0.1:1/x", "s3://b/x", &[]),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x y", "s3://b/x", &[]),
    ("GOOGLE_TIMEOUT", "S3CRET", "gs://b/x", &[]),
    ("GOOGLE_SERVICE_ACCOUNT_KEY", "S3CRET", "gs://b/x", &[]),
    ("GOOGLE_SERVICE_ACCOUNT", "S3CRET", "gs://b/x", &[]),
    ("SERVICE_ACCOUNT", "S3CRET", "gs://b/x", &[]),
    ("GCE_METADATA_HOST", "u:S3CRET@h/x", "gs://b/x", &[]),
    ("GCE_METADATA_IP", "127.0.0.1 ", "gs://b/x", &[]),
    ("AZURE_STORAGE_ACCOUNT_NAME", "a{b", "az://b/x", &[]),
    ("AZURE_STORAGE_ACCOUNT_NAME", "a@127.0.0.1", "az://b/x", &[]),
    ("AZURE_STORAGE_ACCOUNT_KEY", "S3CRET!", "az://b/x", &[("AZURE_STORAGE_ACCOUNT_NAME", "a")]),
    ("AZURE_STORAGE_SAS_KEY", "S3CRET", "az://b/x", &[("AZURE_STORAGE_ACCOUNT_NAME", "a")]),
    ("AZURE_TENANT_ID", "t t", "az://b/x", &[]),
    ("AZURE_AUTHORITY_HOST", "localhost:1", "az://b/x", &[]),
    ("AZURE_MSI_ENDPOINT", "localhost", "az://b/x", &[]),
    ("IDENTITY_ENDPOINT", "http://h/?S3CRET", "az://b/x", &[]),
    ("IDENTITY_HEADER", "a\nS3CRET", "az://b/x", &[("IDENTITY_ENDPOINT", "http://127.0.0.1:1")]),
    ("AZURITE_BLOB_STORAGE_URL", "h:1", "az://b/x", &[("AZURE_STORAGE_USE_EMULATOR", "true")]),
    (
        "AWS_SSE_CUSTOMER_KEY_BASE64",
        "S3CRET!",
        "s3://b/x",
        &[("AWS_SERVER_SIDE_ENCRYPTION", "sse-c")],
    ),
    ("AWS_SSE_CUSTOMER_KEY_BASE64", "c2VjcmV0", "s3://b/x", &[]),
    // Only together they are wrong.
    ("AWS_SERVER_SIDE_ENCRYPTION", "sse-c", "s3://b/x", &[]),
    ("AZURE_STORAGE_CONNECTION_STRING", "S3CRET", "az://b/x", &[]),
    ("AZURE_STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=S3CRET!", "az://b/x", &[]),
    ("AZURE_STORAGE_CONNECTION_STRING", "AccountName=a{S3CRET", "az://b/x", &[]),
    ("AZURE_STORAGE_CONNECTION_STRING", "BlobEndpoint=S3CRET;AccountName=a", "az://b/x", &[]),
    (
        "AZURE_STORAGE_CONNECTION_STRING",
        "AccountName=a;SharedAccessSignature=S3CRET",
        "az://b/x",
        &[],
    ),
];

#[test]
fn messages_about_a_setting_hide_none_of_our_words() {
    for (name, value, url, said) in [
        (
            "AZURE_STORAGE_ACCOUNT_KEY",
            "x!",
            "az://b/x",
            "AZURE_STORAGE_ACCOUNT_KEY is not in Base64",
        ),
        (
            "GOOGLE_SERVICE_ACCOUNT_KEY",
            KEY,
            "gs://b/x",
            "GOOGLE_SERVICE_ACCOUNT_KEY: no items found",
        ),
        ("AWS_ENDPOINT", "h:1", "s3://b/x", "write it as https://host or http://host:9000"),
        ("AWS_PROXY_URL", "h:1", "s3://b/x", "write it as http://host:3128"),
        ("AWS_SESSION_TOKEN", "a b", "s3://b/x", "AWS_SESSION_TOKEN holds something else than"),
    ] {
        let ran = creel_in(&[(name, value), ("AZURE_STORAGE_ACCOUNT_NAME", "a")], &["count", url]);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.err);
        assert!(ran.err.contains(said) && !ran.err.contains("***"), "{name}: {}", ran.err);
    }
}

/// A key of Google's whose private part is none.
const KEY: &str =
    r#"{"type":"service_account","private_key":"x","private_key_id":"x","client_email":"x"}"#;

#[test]
fn a_connection_string_of_azure_is_read() {
    let server = Server::start(Kind::Azure, &objects(), None);
    let endpoint = format!("BlobEndpoint=http://{}/account", server.addr);
    for (given, signed) in [
        (format!("{endpoint};AccountName=account;AccountKey=bm90LXRvLWJlLXNob3du\n"), "SharedKey"),
        (format!("DefaultEndpointsProtocol=http;{endpoint};SharedAccessSignature=sv=1&sig=x;"), ""),
    ] {
        let variables =
            [("AZURE_STORAGE_CONNECTION_STRING", &*given), ("AZURE_ALLOW_HTTP", "true")];
        for name in ["b.txt", "b*"] {
            let ran = creel_in(&variables, &["count", &format!("az://bucket/{name}")]);
            assert_eq!((ran.code, &*ran.out), (Some(0), &b"2\n"[..]), "{given}: {}", ran.err);
        }
        let last = server.seen().pop().expect("a request");
        let header = last.header("authorization").unwrap_or_default();
        assert!(header.starts_with(signed) && last.path.starts_with("/account/bucket/"));
        assert_eq!(last.query.contains("sig=x"), signed.is_empty(), "{}", last.query);
    }
}

#[test]
fn a_proxy_of_the_environment_that_is_none_is_named_where_it_would_be_used() {
    for kind in [Kind::S3, Kind::Gcs, Kind::Azure, Kind::Http] {
        let server = Server::start(kind, &objects(), None);
        let (variables, base) = server.environment();
        let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
        let variables: Vec<_> = variables.collect();
        let url = format!("{base}b.txt");
        let run = |more: &[(&str, &str)]| {
            creel_in(&[&variables, more].concat(), &["--on-missing", "skip", "count", &url])
        };
        for (name, value) in [
            ("HTTP_PROXY", "::::"),
            ("http_proxy", "socks5://u:S3CRET@h"),
            ("ALL_PROXY", "http://"),
        ] {
            let ran = run(&[(name, value)]);
            assert_eq!((ran.code, &*ran.out), (Some(2), &b""[..]), "{kind:?}: {}", ran.err);
            assert!(ran.err.contains(&format!("{name} is no proxy")), "{kind:?}: {}", ran.err);
            assert!(!ran.err.contains("S3CRET"), "{}", ran.err);
            assert!(server.seen().is_empty(), "nothing goes round a proxy");
        }
    }
    let server = Server::start(Kind::Http, &objects(), None);
    let addr = server.addr.to_string();
    let nobody = "http://no-such-host.invalid/bucket/b.txt";
    let url = format!("http://{addr}/bucket/b.txt");
    for (variables, url) in [
        // Of another scheme, and of a host that is asked without.
        (&[("HTTPS_PROXY", "::::")][..], &*url),
        (&[("HTTP_PROXY", "::::"), ("NO_PROXY", "127.0.0.1")], &url),
        (&[("HTTP_PROXY", ""), ("ALL_PROXY", " ")], &url),
        (&[("HTTP_PROXY", &*format!(" http://{addr}\r\n"))], nobody),
        (&[("http_proxy", &*addr)], nobody),
    ] {
        let ran = creel_in(variables, &["count", url]);
        assert_eq!((ran.code, &*ran.out), (Some(0), &b"2\n"[..]), "{variables:?}: {}", ran.err);
    }
}

#[test]
fn a_setting_that_no_request_can_carry_is_named_and_not_shown() {
    for (name, value, url, with) in WRONG {
        let variables = [with, &[(name, value)]].concat();
        let ran = creel_in(&variables, &["count", url]);
        assert_eq!(ran.code, Some(2), "{name}={value:?}: {}", ran.err);
        assert!(ran.err.contains(name), "{name}={value:?}: {}", ran.err);
        assert!(!ran.err.contains("S3CRET"), "{name}={value:?}: {}", ran.err);
    }
}

/// All settings that the stores know, but for whether they are read over HTTP.
const SETTINGS: [(Kind, &str); 3] = [
    (
        Kind::S3,
        "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_DEFAULT_REGION AWS_REGION AWS_BUCKET \
         AWS_SESSION_TOKEN AWS_VIRTUAL_HOSTED_STYLE_REQUEST AWS_S3_EXPRESS AWS_IMDSV1_FALLBACK \
         AWS_METADATA_ENDPOINT AWS_UNSIGNED_PAYLOAD AWS_CHECKSUM_ALGORITHM \
         AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI \
         AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN \
         AWS_ROLE_SESSION_NAME AWS_ENDPOINT_URL_STS AWS_SKIP_SIGNATURE AWS_COPY_IF_NOT_EXISTS \
         AWS_CONDITIONAL_PUT AWS_DISABLE_TAGGING AWS_DISABLE_BULK_DELETE AWS_REQUEST_PAYER \
         AWS_SERVER_SIDE_ENCRYPTION AWS_SSE_KMS_KEY_ID AWS_SSE_BUCKET_KEY_ENABLED \
         AWS_SSE_CUSTOMER_KEY_BASE64 AWS_ALLOW_INVALID_CERTIFICATES AWS_DISABLE_SYSTEM_CERTIFICATES \
         AWS_CONNECT_TIMEOUT AWS_DEFAULT_CONTENT_TYPE AWS_HTTP1_ONLY AWS_HTTP2_ONLY \
         AWS_HTTP2_KEEP_ALIVE_INTERVAL AWS_HTTP2_KEEP_ALIVE_TIMEOUT AWS_HTTP2_KEEP_ALIVE_WHILE_IDLE \
         AWS_HTTP2_MAX_FRAME_SIZE AWS_POOL_IDLE_TIMEOUT AWS_POOL_MAX_IDLE_PER_HOST AWS_PROXY_URL \
         AWS_PROXY_CA_CERTIFICATE AWS_PROXY_EXCLUDES AWS_RANDOMIZE_ADDRESSES AWS_READ_TIMEOUT \
         AWS_TIMEOUT AWS_USER_AGENT",
    ),
    (
        Kind::Gcs,
        "GOOGLE_SERVICE_ACCOUNT GOOGLE_SERVICE_ACCOUNT_KEY GOOGLE_BUCKET SERVICE_ACCOUNT \
         GOOGLE_APPLICATION_CREDENTIALS GOOGLE_SKIP_SIGNATURE GOOGLE_BASE_URL GOOGLE_BEARER_TOKEN \
         GCE_METADATA_HOST GCE_METADATA_IP",
    ),
    (
        Kind::Azure,
        "AZURE_STORAGE_ACCOUNT_NAME AZURE_STORAGE_ACCOUNT_KEY AZURE_STORAGE_CLIENT_ID \
         AZURE_CLIENT_SECRET AZURE_TENANT_ID AZURE_AUTHORITY_HOST AZURE_STORAGE_SAS_KEY \
         AZURE_STORAGE_TOKEN AZURE_STORAGE_USE_EMULATOR AZURE_MSI_ENDPOINT AZURE_OBJECT_ID \
         AZURE_MSI_RESOURCE_ID AZURE_FEDERATED_TOKEN_FILE AZURE_USE_FABRIC_ENDPOINT \
         AZURE_USE_AZURE_CLI AZURE_SKIP_SIGNATURE AZURE_CONTAINER_NAME AZURE_DISABLE_TAGGING \
         AZURE_FABRIC_TOKEN_SERVICE_URL AZURE_FABRIC_WORKLOAD_HOST AZURE_FABRIC_SESSION_TOKEN \
         AZURE_FABRIC_CLUSTER_IDENTIFIER AZURE_CREDENTIAL_TYPE AZURE_STORAGE_ENCRYPTION_KEY \
         AZURE_STORAGE_CONNECTION_STRING HTTP_PROXY ALL_PROXY \
         IDENTITY_ENDPOINT IDENTITY_HEADER",
    ),
];

#[test]
fn no_value_of_any_setting_is_a_panic_or_is_shown() {
    let long = "a".repeat(70_000);
    let values = ["S3CRET\u{1}", "%zz@S3CRET{", "584542046090years", &long];
    std::thread::scope(|scope| {
        for ((kind, names), alone) in SETTINGS.iter().flat_map(|of| [(of, false), (of, true)]) {
            scope.spawn(move || {
                let server = Server::start(*kind, &objects(), None);
                let (variables, base) = server.environment();
                // Without keys the others have a say.
                let keys = ["ACCESS_KEY", "ACCOUNT_KEY", "SERVICE_ACCOUNT_KEY"];
                let kept = |name: &str| !alone || keys.iter().all(|key| !name.contains(key));
                let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
                let nobody = [
                    ("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1"),
                    ("GCE_METADATA_HOST", "127.0.0.1:1"),
                    ("GCE_METADATA_IP", "127.0.0.1:1"),
                    ("IDENTITY_ENDPOINT", "http://127.0.0.1:1"),
                ];
                let variables = variables.filter(|(name, _)| kept(name)).chain(nobody);
                let variables: Vec<_> = variables.collect();
                for (name, value) in names.split(' ').flat_map(|name| values.map(|v| (name, v))) {
                    let variables = [&variables[..], &[(name, value)]].concat();
                    let ran = creel_in(&variables, &["count", &format!("{base}b.txt")]);
                    let value = &value[..value.len().min(30)];
                    let told = format!("{name}={value:?}: {:?}: {}", ran.code, ran.err);
                    assert!(ran.code.is_some_and(|code| (0..=3).contains(&code)), "{told}");
                    assert!(!ran.err.contains("internal fault"), "{told}");
                    assert!(!ran.err.contains("S3CRET"), "{told}");
                }
            });
        }
    });
}

#[test]
fn the_file_that_a_setting_names_is_looked_at_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |content: &str| {
        let path = folder.path().join("file");
        std::fs::write(&path, content).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let base = |base: &str| {
        let rest = r#""disable_oauth":true,"client_email":"","private_key":"","private_key_id":"""#;
        format!("{{{base},{rest}}}")
    };
    let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/x");
    for (name, content, url) in [
        ("GOOGLE_SERVICE_ACCOUNT", base(r#""gcs_base_url":"localhost:9000""#), "gs://b/x"),
        ("GOOGLE_SERVICE_ACCOUNT_PATH", base(r#""gcs_base_\u0075rl":"S3CRET""#), "gs://b/x"),
        ("SERVICE_ACCOUNT", base(r#""gcs_base_url":["S3CRET"]"#), "gs://b/x"),
        ("GOOGLE_SERVICE_ACCOUNT", "S3CRET".to_owned(), "gs://b/x"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "{\"type\":\"S3CRET\"}".to_owned(), "gs://b/x"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "S3CRET\n".to_owned(), "s3://b/x"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "S3\nCRET".to_owned(), "s3://b/x"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", String::new(), "s3://b/x"),
    ] {
        let ran = creel_in(&[(name, &file(&content)), uri], &["count", url]);
        assert_eq!(ran.code, Some(2), "{name}={content:?}: {}", ran.err);
        assert!(ran.err.contains(name), "{name}={content:?}: {}", ran.err);
        assert!(!ran.err.contains("S3CRET"), "{name}={content:?}: {}", ran.err);
    }
    let missing = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/S3CRET"), ("AWS_ROLE_ARN", "r")];
    let ran = creel_in(&missing, &["count", "s3://b/x"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains(missing[0].0) && !ran.err.contains("S3CRET"), "{}", ran.err);
}

#[test]
fn no_variable_leads_to_another_bucket() {
    for (kind, names) in [
        (Kind::S3, &["AWS_BUCKET", "AWS_BUCKET_NAME"][..]),
        (Kind::Gcs, &["GOOGLE_BUCKET", "GOOGLE_BUCKET_NAME"]),
        (Kind::Azure, &["AZURE_CONTAINER_NAME"]),
    ] {
        let server = Server::start(kind, &objects(), None);
        let (variables, base) = server.environment();
        let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
        let variables: Vec<_> =
            variables.chain(names.iter().map(|name| (*name, "other"))).collect();
        for name in ["b.txt", "b*"] {
            let ran = creel_in(&variables, &["count", &format!("{base}{name}")]);
            assert_eq!((ran.code, &*ran.out), (Some(0), &b"2\n"[..]), "{kind:?}: {}", ran.err);
        }
        for request in server.seen() {
            let asked = format!("{}?{}", request.path, request.query);
            assert!(asked.contains("bucket") && !asked.contains("other"), "{kind:?}: {asked}");
        }
    }
    // The account of the URL counts as well.
    let server = Server::start(Kind::Azure, &objects(), None);
    let endpoint = format!("http://{}", server.addr);
    let variables = [
        ("AZURE_ENDPOINT", endpoint.as_str()),
        ("AZURE_ALLOW_HTTP", "true"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "other"),
        ("AZURE_CONTAINER_NAME", "other"),
        ("AZURE_STORAGE_ACCOUNT_KEY", "bm90LXRvLWJlLXNob3du"),
    ];
    let url = "abfss://bucket@account.dfs.core.windows.net/b.txt";
    let ran = creel_in(&variables, &["count", url]);
    assert_eq!((ran.code, &*ran.out), (Some(0), &b"2\n"[..]), "{}", ran.err);
    for request in server.seen() {
        let signed = request.header("authorization").unwrap_or_default();
        assert!(signed.starts_with("SharedKey account:"), "{signed}");
        assert!(request.path.starts_with("/bucket/"), "{}", request.path);
    }
}

#[test]
fn white_space_at_the_ends_of_a_setting_is_cut() {
    let server = Server::start(Kind::S3, &objects(), None);
    let endpoint = format!(" http://{} \r\n", server.addr);
    let padded = [
        ("AWS_ENDPOINT", endpoint.as_str()),
        ("AWS_REGION", "us-east-1\r"),
        ("AWS_ACCESS_KEY_ID", "k\r"),
        ("AWS_SECRET_ACCESS_KEY", "s\n"),
        ("AWS_SESSION_TOKEN", " t\n"),
        ("AWS_ALLOW_HTTP", "true "),
    ];
    let ran = creel_in(&padded, &["count", "s3://bucket/b.txt"]);
    assert_eq!((ran.code, &*ran.out), (Some(0), &b"2\n"[..]), "{}", ran.err);
}

#[test]
fn odd_buckets_and_addresses_are_errors_of_usage() {
    for url in ["s3://a b/x", "s3://b\r/x", "s3://a%0db/x", "http://a b/x", "http://h:99999/x"] {
        let ran = creel_in(&S3, &["count", url]);
        assert_eq!(ran.code, Some(2), "{url:?}: {}", ran.err);
    }
}

#[test]
fn no_character_of_an_address_is_a_panic() {
    let server = Server::start(Kind::Http, &objects(), None);
    for c in (1..128_u8).map(char::from).chain(['é', '\u{202e}']) {
        let url = format!("http://{}/bucket/x{c}y", server.addr);
        let ran = creel_in(&[], &["count", &url]);
        let code = ran.code.unwrap_or_default();
        assert!((2..=3).contains(&code), "{url:?}: {code}: {}", ran.err);
        assert!(!ran.err.contains("panicked"), "{url:?}: {}", ran.err);
    }
}
