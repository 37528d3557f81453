//! The store of one bucket, or of one web address, by what the environment says of it.
//!
//! What the environment says is looked at before the first request: the stores' clients would
//! panic at some of it, in the middle of a run. White space at the ends is cut, since files with
//! settings often end in a line feed that nobody sees. What else is wrong is an error that names
//! the variable, and never shows what may be a secret.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::client::HttpRequest;
use object_store::list::PaginatedListStore;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use reqwest::Url as WebAddress;

use super::patience::{SILENT, timeout};
use super::pattern::{Kind, Url};
use super::refused;
use super::spell::Signer;
use super::transport::Connector;

/// A store, its listing by any prefix, and what signs its requests.
pub(super) type Built = (Arc<dyn ObjectStore>, Option<Arc<dyn PaginatedListStore>>, Signer);

/// A connection is made within this, if the environment says nothing else.
pub(super) const CONNECT: Duration = Duration::from_secs(3);
/// No time that is set may be longer: some clocks cannot tell what comes after it.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// Connections to a host that are kept for the next request.
const KEPT: usize = 128;

/// What the environment does not say. A body may take as long as it needs if only it moves.
fn defaults() -> [(ClientConfigKey, String); 4] {
    let time = |time| format!("{}ms", timeout(time).as_millis());
    [
        (ClientConfigKey::ConnectTimeout, time(CONNECT)),
        (ClientConfigKey::ReadTimeout, time(SILENT)),
        (ClientConfigKey::Timeout, "1 day".to_owned()),
        (ClientConfigKey::PoolMaxIdlePerHost, KEPT.to_string()),
    ]
}

/// The stores' clients try nothing again: `transport` and `range` do, and know when.
fn retry() -> RetryConfig {
    let backoff = BackoffConfig::default();
    RetryConfig { backoff, max_retries: 0, retry_timeout: Duration::ZERO }
}

/// The variables of this beginning that a store knows, with their values.
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
fn variables<K>(
    start: &str,
    known: impl Fn(&str) -> Option<K>,
) -> Result<Vec<(K, String)>, String> {
    let mut found = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with(start)) else { continue };
        let Some(key) = known(&name.to_ascii_lowercase()) else { continue };
        let value = value.to_str().ok_or_else(|| format!("{name} is not UTF-8"))?;
        if let Some(value) = checked(name, value)? {
            found.push((key, value));
        }
    }
    Ok(found)
}

/// What is wrong with a setting, without any that may be quoted there.
fn without_values(said: String) -> String {
    let is_setting = |name: &str| ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|s| name.starts_with(s));
    let settings = std::env::vars_os().filter_map(|(name, value)| {
        name.to_str().is_some_and(is_setting).then_some(value)?.into_string().ok()
    });
    // Words that messages are made of are no secrets.
    let values = settings.map(|value| value.trim().to_owned()).filter(|value| value.len() > 3);
    values.fold(said, |said, value| said.replace(&value, "..."))
}

/// The value of a variable; `None` if it says nothing.
fn checked(name: &str, value: &str) -> Result<Option<String>, String> {
    let lower = name.to_ascii_lowercase();
    let value = value.trim();
    if value.is_empty() {
        // Set by tools for whoever has none.
        return match lower.ends_with("token") {
            true => Ok(None),
            false => Err(format!("{name} is empty; give it a value, or unset it")),
        };
    }
    // A key in JSON or PEM has lines.
    let lines = value.starts_with('{') || value.starts_with("-----BEGIN");
    if !lines && let Some(at) = value.chars().position(char::is_control) {
        return Err(format!("{name} holds a control character, at character {}", at + 1));
    }
    // These stand in headers and in names of hosts.
    let word = ["access_key_id", "token", "region", "account_name"];
    if word.iter().any(|end| lower.ends_with(end))
        && let Some(at) = value.chars().position(|c| !c.is_ascii_graphic())
    {
        let what = "a space, or a character that is not ASCII";
        return Err(format!("{name} holds {what}, at character {}", at + 1));
    }
    // And these in names of hosts and in paths of addresses alone.
    let plain = ["_region", "_account_name", "_tenant_id", "_authority_id"];
    if plain.iter().any(|end| lower.ends_with(end))
        && let Some(at) =
            value.chars().position(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(c))
    {
        let what = "a character that is no letter, no digit and none of - _ .";
        return Err(format!("{name} holds {what}, at character {}", at + 1));
    }
    if lower.ends_with("container_credentials_relative_uri")
        && !(value.starts_with('/') && can_be_sent(&format!("http://169.254.170.2{value}")))
    {
        return Err(format!("{name} is no path of an address; write it as /path"));
    }
    if lower.ends_with("credentials_full_uri")
        && !(value.starts_with("http") && WebAddress::parse(value).is_ok() && can_be_sent(value))
    {
        return Err(format!("{name} is no address; write it as http://host/path"));
    }
    if lower.ends_with("authorization_token_file") {
        header_in(name, value)?;
    }
    let times = ["timeout", "_interval"];
    if times.iter().any(|end| lower.ends_with(end))
        && humantime::parse_duration(value).is_ok_and(|time| time > LONGEST)
    {
        return Err(format!("{name} is longer than a year; write a shorter time"));
    }
    if lower.ends_with("http2_max_frame_size")
        && !value.parse().is_ok_and(|size: u32| (1 << 14..1 << 24).contains(&size))
    {
        return Err(format!("{name} is no size of a frame; write one from 16384 to 16777215"));
    }
    let is_address = lower.ends_with("_endpoint") && !lower.ends_with("use_fabric_endpoint")
        || lower.contains("endpoint_url")
        || lower.ends_with("authority_host")
        || lower.ends_with("base_url");
    if is_address {
        address(name, value)?;
    } else if value.starts_with('{') {
        base_in(name, value)?;
    } else if lower.contains("service_account") || lower.ends_with("application_credentials") {
        // That it cannot be read, the store's client says.
        let file = std::fs::read_to_string(value).unwrap_or_default();
        base_in(&format!("the file of {name}"), &file)?;
    }
    // A second is what tells the clients of metadata endpoints from all others.
    let second = ["1s", "1sec", "1second", "1000ms"].contains(&&*value.replace(' ', ""));
    let longer = lower.ends_with("connect_timeout") && second;
    Ok(Some(if longer { "1001ms".to_owned() } else { value.to_owned() }))
}

/// Whether the address in the JSON of a service account is one.
fn base_in(name: &str, json: &str) -> Result<(), String> {
    // A key of JSON may be spelled by numbers of its characters.
    let mut parts = json.split("\\u00");
    let mut json = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(code) => json.extend([char::from(code)].into_iter().chain(part[2..].chars())),
            None => json.push_str(part),
        }
    }
    let base = json.split_once("\"gcs_base_url\"").and_then(|(_, rest)| rest.split('"').nth(1));
    base.map_or(Ok(()), |base| address(&format!("gcs_base_url in {name}"), base))
}

/// Whether a file holds what can be sent in a header.
fn header_in(name: &str, path: &str) -> Result<(), String> {
    // That it cannot be read, the store's client says.
    let Ok(token) = std::fs::read_to_string(path) else { return Ok(()) };
    match token.chars().position(char::is_control) {
        None => Ok(()),
        Some(at) => Err(format!(
            "the file of {name} holds a control character, as a line feed, at character {}; take it out",
            at + 1
        )),
    }
}

/// Whether a value is the address of a server.
fn address(name: &str, value: &str) -> Result<(), String> {
    let wrong = |why: &str| {
        // With its credentials, if it has some, or out of a file that holds a key.
        let secret = value.contains(['@', '?', '#'])
            || name.contains(' ')
            || name.to_ascii_lowercase().ends_with("authority_host");
        let shown = if secret { String::new() } else { format!(" ({value:?})") };
        Err(format!("{name}{shown} {why}; write it as https://host or http://host:port"))
    };
    if !value.starts_with("http://") && !value.starts_with("https://") {
        return wrong("does not begin with http:// or https://");
    }
    match WebAddress::parse(value) {
        Err(error) => wrong(&format!("is no address of a server: {error}")),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            wrong("holds more than the address of a server")
        }
        Ok(_) if !can_be_sent(value) => wrong("is no address of a server"),
        Ok(_) => Ok(()),
    }
}

/// Whether the client under the stores takes an address; it panics if it does not.
fn can_be_sent(address: &str) -> bool {
    let mut request = HttpRequest::new(Bytes::new().into());
    address.parse().map(|uri| *request.uri_mut() = uri).is_ok()
}

/// Whether a bucket can be asked for: what it is called is a part of a URL.
fn bucket(url: Url<'_>) -> Result<(), String> {
    if url.bucket.len() > 512 {
        return Err("no bucket has a name of so many bytes".to_owned());
    }
    match url.bucket.chars().find(|&c| !c.is_ascii_graphic() || "\"#%<>?[\\]^`{|}".contains(c)) {
        None => Ok(()),
        Some(c) => Err(format!("no bucket has a name with {c:?} in it")),
    }
}

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
fn both<S: ObjectStore + PaginatedListStore>(store: S, signer: Signer) -> Built {
    let store = Arc::new(store);
    (Arc::clone(&store) as Arc<dyn ObjectStore>, Some(store), signer)
}

/// The store of one bucket, or of one web address, or why there is none.
pub(super) fn build(
    whole: &str,
    url: Url<'_>,
    kind: Kind,
    anonymous: bool,
) -> Result<Built, String> {
    let unusable = |error: object_store::Error| without_values(refused::unusable(kind, &error));
    if kind != Kind::Http {
        bucket(url)?;
    }
    match kind {
        #[cfg(feature = "s3")]
        Kind::S3 => {
            use object_store::aws::AmazonS3Builder;
            use object_store::aws::AmazonS3ConfigKey::Client;
            let given = variables("AWS_", |name| name.parse().ok())?;
            let builder = AmazonS3Builder::new();
            let builder =
                defaults().into_iter().fold(builder, |b, (k, v)| b.with_config(Client(k), v));
            let builder = given.into_iter().fold(builder, |b, (k, v)| b.with_config(k, v));
            // Last: the environment may name a bucket, and the URL's is meant.
            let builder = builder.with_bucket_name(url.bucket);
            let builder =
                builder.with_retry(retry()).with_http_connector(Connector { signed: true });
            let unsigned = if anonymous { builder.with_skip_signature(true) } else { builder };
            let store = unsigned.build().map_err(unusable)?;
            let credentials = Arc::clone(store.credentials());
            Ok(both(store, Signer::S3 { credentials }))
        }
        #[cfg(feature = "gcs")]
        Kind::Gcs => {
            use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey::Client};
            let mut builder = GoogleCloudStorageBuilder::new();
            if let Ok(path) = std::env::var("SERVICE_ACCOUNT")
                && let Some(path) = checked("SERVICE_ACCOUNT", &path)?
            {
                builder = builder.with_service_account_path(path);
            }
            let given = variables("GOOGLE_", |name| name.parse().ok())?;
            let builder =
                defaults().into_iter().fold(builder, |b, (k, v)| b.with_config(Client(k), v));
            let builder = given.into_iter().fold(builder, |b, (k, v)| b.with_config(k, v));
            let builder = builder.with_bucket_name(url.bucket);
            let builder =
                builder.with_retry(retry()).with_http_connector(Connector { signed: true });
            let unsigned = if anonymous { builder.with_skip_signature(true) } else { builder };
            unsigned.build().map(|store| both(store, Signer::None)).map_err(unusable)
        }
        #[cfg(feature = "azure")]
        Kind::Azure => {
            use object_store::azure::AzureConfigKey::{AccountName, Client, MsiEndpoint};
            use object_store::azure::MicrosoftAzureBuilder;
            let builder = MicrosoftAzureBuilder::new();
            let given = variables("AZURE_", |name| name.parse().ok())?;
            let builder =
                defaults().into_iter().fold(builder, |b, (k, v)| b.with_config(Client(k), v));
            let mut builder = given.into_iter().fold(builder, |b, (k, v)| b.with_config(k, v));
            if let Ok(endpoint) = std::env::var("IDENTITY_ENDPOINT")
                && let Some(endpoint) = checked("IDENTITY_ENDPOINT", &endpoint)?
            {
                builder = builder.with_config(MsiEndpoint, endpoint);
            }
            // The store's client reads it as it stands, into a header.
            if std::env::var("IDENTITY_HEADER").is_ok_and(|value| value.contains(char::is_control))
            {
                return Err("IDENTITY_HEADER holds a control character, as a line feed".to_owned());
            }
            let builder = match url.scheme {
                "az" => builder.with_container_name(url.bucket),
                // These may name the account as well.
                _ => builder.with_url(url.base),
            };
            let builder =
                builder.with_retry(retry()).with_http_connector(Connector { signed: true });
            let unsigned = if anonymous { builder.with_skip_signature(true) } else { builder };
            // As the crate has it: named by the URL, or set, or the emulator's.
            let named = url.bucket.split_once('@').and_then(|(_, host)| host.split('.').next());
            let account = named.map(str::to_owned).or(unsigned.get_config_value(&AccountName));
            let account = account.unwrap_or("devstoreaccount1".to_owned());
            let store = unsigned.build().map_err(unusable)?;
            let credentials = Arc::clone(store.credentials());
            Ok(both(store, Signer::Azure { credentials, account }))
        }
        #[cfg(feature = "http")]
        Kind::Http => {
            use object_store::http::HttpBuilder;
            let sent = WebAddress::parse(whole).ok().is_none_or(|url| can_be_sent(url.as_str()));
            if !sent {
                return Err("it holds characters that no web address has; write them as %XX".into());
            }
            let builder = HttpBuilder::new().with_config(ClientConfigKey::AllowHttp, "true");
            let builder = defaults().into_iter().fold(builder, |b, (k, v)| b.with_config(k, v));
            let builder =
                builder.with_retry(retry()).with_http_connector(Connector { signed: false });
            let built = builder.with_url(whole).build().map_err(unusable)?;
            Ok((Arc::new(built), None, Signer::None))
        }
        #[allow(unreachable_patterns, reason = "with every feature on, every kind is above")]
        _ => {
            let _ = (
                whole,
                anonymous,
                Connector { signed: true },
                retry(),
                defaults(),
                can_be_sent,
                checked,
                unusable,
            );
            Err("this build does not know this scheme".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_at_the_ends_is_cut() {
        let value = |name, value| checked(name, value).unwrap();
        assert_eq!(value("AWS_REGION", "r\r").as_deref(), Some("r"));
        let endpoint = value("AWS_ENDPOINT", " http://127.0.0.1:1 \n");
        assert_eq!(endpoint.as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(value("AWS_SESSION_TOKEN", "\n"), None);
    }

    #[test]
    fn wrong_settings_are_named_and_secrets_are_not_shown() {
        for (name, value) in [
            ("AWS_ENDPOINT", "localhost:9000"),
            ("AWS_ENDPOINT", ""),
            ("AWS_ENDPOINT_URL_S3", "http://"),
            ("AWS_ENDPOINT", "http://127.0.0.1:99999"),
            ("AWS_ENDPOINT", "http://user:secret@:1"),
            ("AWS_ENDPOINT", "http://host/?query"),
            ("AWS_ACCESS_KEY_ID", "secret\rsecret"),
            ("AWS_ACCESS_KEY_ID", "secret secret"),
            ("AWS_SESSION_TOKEN", "sécret"),
            ("AWS_SECRET_ACCESS_KEY", "secret\u{1b}"),
            ("AWS_REGION", "us east"),
            ("GOOGLE_BASE_URL", "storage"),
            ("GOOGLE_SERVICE_ACCOUNT_KEY", "{\"gcs_base_url\": \"localhost:1\"}"),
            ("AZURE_ENDPOINT", "host:1"),
            ("IDENTITY_ENDPOINT", "ftp://host"),
            ("AWS_REGION", "r#secret"),
            ("AWS_REGION", "{secret}"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "r@secret"),
            ("AZURE_TENANT_ID", "t/t"),
            ("AZURE_AUTHORITY_HOST", "localhost:1"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@127.0.0.1:1"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x y"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "localhost:1/x"),
            ("AWS_READ_TIMEOUT", "584542046090years"),
            ("AWS_POOL_IDLE_TIMEOUT", "2years"),
            ("AWS_HTTP2_MAX_FRAME_SIZE", "1"),
            ("AWS_HTTP2_MAX_FRAME_SIZE", "4294967295"),
            ("GOOGLE_SERVICE_ACCOUNT_KEY", "{\"gcs_base_\\u0075rl\": \"localhost:1\"}"),
        ] {
            let said = checked(name, value).unwrap_err();
            assert!(said.contains(name), "{said}");
            assert!(!said.contains("sécret") && !said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn right_settings_are_taken_as_they_are() {
        for (name, value) in [
            ("AWS_ENDPOINT", "https://minio.example:9000/base"),
            ("AWS_SECRET_ACCESS_KEY", "a+b/c d"),
            ("AZURE_USE_FABRIC_ENDPOINT", "true"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/a-b?c=d"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
            ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com"),
            ("AWS_READ_TIMEOUT", "30s"),
            ("AWS_HTTP2_MAX_FRAME_SIZE", "16384"),
            ("GOOGLE_SERVICE_ACCOUNT_KEY", "{\n\"gcs_base_url\": \"http://h:1\"\n}"),
        ] {
            assert_eq!(checked(name, value).unwrap().as_deref(), Some(value));
        }
        assert_eq!(checked("AWS_CONNECT_TIMEOUT", "1 s").unwrap().as_deref(), Some("1001ms"));
    }

    #[test]
    fn files_that_settings_name_are_looked_at() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        for (name, wrong, right) in [
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "secret\n", "secret"),
            ("GOOGLE_SERVICE_ACCOUNT", "{\"gcs_base_url\": \"localhost:1\"}", "{\"a\": \"b\"}"),
            ("SERVICE_ACCOUNT", "{\"gcs_base_url\": \"localhost:1\"}", "{\"a\": \"b\"}"),
        ] {
            std::fs::write(path, wrong).unwrap();
            let said = checked(name, path).unwrap_err();
            assert!(said.contains(name) && !said.contains("secret"), "{said}");
            std::fs::write(path, right).unwrap();
            assert_eq!(checked(name, path).unwrap().as_deref(), Some(path));
        }
    }

    #[test]
    fn a_bucket_is_a_word() {
        let named = |url| bucket(Url::split(url, Kind::S3).unwrap());
        for url in ["s3://a-b.c_d/x", "abfs://box@account.dfs.core.windows.net/x", "az://$web/x"] {
            assert_eq!(named(url), Ok(()), "{url}");
        }
        for url in ["s3://a b/x", "s3://a\r/x", "s3://a%20/x", "s3://bücket/x"] {
            assert!(named(url).is_err(), "{url}");
        }
    }
}
