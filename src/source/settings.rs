//! The store of one bucket, or of one web address, by what the environment says of it.
//!
//! Each variable is looked at by itself first (`variable`). What the URL names is set behind all of
//! them: no variable leads to another bucket. If no store can be made then, each setting is tried
//! alone, so that the error names the variable.

use std::sync::Arc;
use std::time::Duration;

use object_store::list::PaginatedListStore;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
#[cfg(feature = "http")]
use reqwest::Url as WebAddress;

#[cfg(feature = "azure")]
use super::connection_string;
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
use super::credentials::Checked;
use super::patience::{SILENT, timeout};
use super::pattern::{Kind, Url};
use super::refused;
use super::spell::Signer;
use super::transport::Connector;
#[cfg(any(feature = "s3", feature = "gcs"))]
use super::variable::file_of;
#[cfg(feature = "gcs")]
use super::variable::{KEY, service_account};
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
use super::variable::{Setting, variables};
#[cfg(feature = "s3")]
use super::variable::{TOKEN, token_file};
use super::variable::{can_be_sent, checked, without_values};
#[cfg(any(feature = "gcs", feature = "azure"))]
use super::variable::{read_elsewhere, variable};
use crate::error::{Shown, caught, fault};

/// A store, its listing by any prefix, and what signs its requests.
pub(super) type Built = (Arc<dyn ObjectStore>, Option<Arc<dyn PaginatedListStore>>, Signer);

/// A connection is made within this, if the environment says nothing else.
pub(super) const CONNECT: Duration = Duration::from_secs(3);
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

/// Why there is no store, with the variable that is to blame: the one that gives the same error
/// alone; or those without each of which there is another.
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
fn unusable<K: Clone, S>(
    kind: Kind,
    error: &object_store::Error,
    given: &[Setting<K>],
    made: impl Fn(&[Setting<K>]) -> object_store::Result<S>,
) -> String {
    let said = refused::unusable(kind, error);
    let fails = |settings: &[Setting<K>]| {
        made(settings).is_err_and(|e| refused::unusable(kind, &e) == said)
    };
    let without = |at: usize| {
        let others = given.iter().enumerate().filter(|(number, _)| *number != at);
        others.map(|(_, setting)| setting.clone()).collect::<Vec<_>>()
    };
    let blamed: Vec<_> = match given.iter().find(|one| fails(std::slice::from_ref(*one))) {
        _ if fails(&[]) => Vec::new(),
        Some(one) => vec![&*one.name],
        None => {
            let together = given.iter().enumerate().filter(|(at, _)| !fails(&without(*at)));
            together.map(|(_, setting)| &*setting.name).collect()
        }
    };
    let shown = Shown::new(without_values(said.clone()));
    match blamed.is_empty() {
        true => shown.to_string(),
        false => format!("{}: {shown}", blamed.join(" and ")),
    }
}

/// The store of one bucket, or of one web address, or why there is none.
pub(super) fn build(
    whole: &str,
    url: Url<'_>,
    kind: Kind,
    anonymous: bool,
) -> Result<Built, String> {
    if kind != Kind::Http {
        bucket(url)?;
    }
    let built = caught(|| match kind {
        #[cfg(feature = "s3")]
        Kind::S3 => s3(url, anonymous),
        #[cfg(feature = "gcs")]
        Kind::Gcs => gcs(url, anonymous),
        #[cfg(feature = "azure")]
        Kind::Azure => azure(url, anonymous),
        #[cfg(feature = "http")]
        Kind::Http => http(whole),
        #[allow(unreachable_patterns, reason = "with every feature on, every kind is above")]
        _ => {
            let _ = (whole, anonymous, Connector { signed: true }, retry(), defaults());
            let _ = (can_be_sent, checked, refused::unusable, without_values);
            Err("this build does not know this scheme".to_owned())
        }
    });
    built.unwrap_or_else(|panic| Err(Shown::new(without_values(fault(&panic))).to_string()))
}

#[cfg(feature = "s3")]
fn s3(url: Url<'_>, anonymous: bool) -> Result<Built, String> {
    use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};
    let given = variables("AWS_", |name| name.parse().ok())?;
    let value = |key| given.iter().find(|setting| setting.key == key);
    // Of several ways to credentials this one is the last but the machine's own.
    let before =
        [Key::AccessKeyId, Key::WebIdentityTokenFile, Key::ContainerCredentialsRelativeUri];
    if let Some(file) = value(Key::ContainerAuthorizationTokenFile)
        && value(Key::ContainerCredentialsFullUri).is_some()
        && before.into_iter().all(|key| value(key).is_none())
        && !anonymous
    {
        token_file(&file.name, &file.value)?;
    }
    if let Some(file) = value(Key::WebIdentityTokenFile)
        && value(Key::RoleArn).is_some()
        && value(Key::AccessKeyId).is_none()
        && !anonymous
    {
        file_of(&file.name, &file.value, TOKEN)?;
    }
    let of = |given: &[Setting<Key>]| {
        let builder = AmazonS3Builder::new();
        let builder =
            defaults().into_iter().fold(builder, |b, (k, v)| b.with_config(Key::Client(k), v));
        let builder = given.iter().fold(builder, |b, s| b.with_config(s.key, s.value.clone()));
        let builder = builder.with_bucket_name(url.bucket).with_retry(retry());
        let builder = builder.with_http_connector(Connector { signed: true });
        if anonymous { builder.with_skip_signature(true) } else { builder }
    };
    let builder = of(&given);
    let unusable = |e| unusable(Kind::S3, &e, &given, |some| of(some).build());
    let store = builder.clone().build().map_err(unusable)?;
    let credentials = Checked::new(store.credentials());
    let builder = builder.with_credentials(Arc::clone(&credentials));
    Ok(both(builder.build().map_err(unusable)?, Signer::S3 { credentials }))
}

#[cfg(feature = "gcs")]
fn gcs(url: Url<'_>, anonymous: bool) -> Result<Built, String> {
    use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey as Key};
    let mut given = variables("GOOGLE_", |name| name.parse().ok())?;
    if let Some(value) = variable("SERVICE_ACCOUNT")? {
        // The other names say it better.
        let name = "SERVICE_ACCOUNT".to_owned();
        given.insert(0, Setting { name, key: Key::ServiceAccount, value });
    }
    for Setting { name, key, value } in &given {
        match key {
            Key::ServiceAccount => {
                let file = format!("the file that {name} names");
                service_account(&file, &file_of(name, value, KEY)?)?;
            }
            Key::ServiceAccountKey => service_account(name, value)?,
            _ => {}
        }
    }
    let is_credential = |key: &Key| {
        use Key::{ApplicationCredentials, ServiceAccount, ServiceAccountKey};
        matches!(key, ServiceAccount | ServiceAccountKey | ApplicationCredentials)
    };
    if !anonymous && !given.iter().any(|setting| is_credential(&setting.key)) {
        ["GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"]
            .map(read_elsewhere)
            .into_iter()
            .collect::<Result<(), _>>()?;
    }
    let of = |given: &[Setting<Key>]| {
        let builder = GoogleCloudStorageBuilder::new();
        let builder =
            defaults().into_iter().fold(builder, |b, (k, v)| b.with_config(Key::Client(k), v));
        let builder = given.iter().fold(builder, |b, s| b.with_config(s.key, s.value.clone()));
        let builder = builder.with_bucket_name(url.bucket).with_retry(retry());
        let builder = builder.with_http_connector(Connector { signed: true });
        if anonymous { builder.with_skip_signature(true) } else { builder }
    };
    let builder = of(&given);
    let unusable = |e| unusable(Kind::Gcs, &e, &given, |some| of(some).build());
    let store = builder.clone().build().map_err(unusable)?;
    let builder = builder.with_credentials(Checked::new(store.credentials()));
    Ok(both(builder.build().map_err(unusable)?, Signer::None))
}

#[cfg(feature = "azure")]
fn azure(url: Url<'_>, anonymous: bool) -> Result<Built, String> {
    use object_store::azure::{AzureConfigKey as Key, MicrosoftAzureBuilder};
    let mut given = connection_string::settings()?;
    given.extend(variables("AZURE_", |name| name.parse().ok())?);
    if let Some(value) = variable("IDENTITY_ENDPOINT")? {
        given.push(Setting { name: "IDENTITY_ENDPOINT".to_owned(), key: Key::MsiEndpoint, value });
    }
    if !anonymous {
        read_elsewhere("IDENTITY_HEADER")?;
    }
    if given.iter().any(|setting| setting.key == Key::UseEmulator) {
        read_elsewhere("AZURITE_BLOB_STORAGE_URL")?;
    }
    let of = |given: &[Setting<Key>]| {
        let builder = MicrosoftAzureBuilder::new();
        let builder =
            defaults().into_iter().fold(builder, |b, (k, v)| b.with_config(Key::Client(k), v));
        let builder = given.iter().fold(builder, |b, s| b.with_config(s.key, s.value.clone()));
        let builder = match url.scheme {
            "az" => builder.with_container_name(url.bucket),
            // These may name the account as well.
            _ => builder.with_url(url.base),
        };
        let builder = builder.with_retry(retry());
        let builder = builder.with_http_connector(Connector { signed: true });
        if anonymous { builder.with_skip_signature(true) } else { builder }
    };
    let builder = of(&given);
    // As the crate has it: named by the URL, or set, or the emulator's.
    let named = url.bucket.split_once('@').and_then(|(_, host)| host.split('.').next());
    let set = builder.get_config_value(&Key::AccountName);
    let account = named.map(str::to_owned).or(set.clone());
    let account = account.unwrap_or("devstoreaccount1".to_owned());
    // One without an account says nothing of any other setting.
    let unusable = |e| {
        unusable(Kind::Azure, &e, &given, |some| match &set {
            Some(set) => of(some).with_account(set).build(),
            None => of(some).build(),
        })
    };
    let store = builder.clone().build().map_err(unusable)?;
    let credentials = Checked::new(store.credentials());
    let builder = builder.with_credentials(Arc::clone(&credentials));
    Ok(both(builder.build().map_err(unusable)?, Signer::Azure { credentials, account }))
}

#[cfg(feature = "http")]
fn http(whole: &str) -> Result<Built, String> {
    use object_store::http::HttpBuilder;
    let sent = WebAddress::parse(whole).ok().is_none_or(|url| can_be_sent(url.as_str()));
    if !sent {
        return Err("it holds characters that no web address has; write them as %XX".into());
    }
    let builder = HttpBuilder::new().with_config(ClientConfigKey::AllowHttp, "true");
    let builder = defaults().into_iter().fold(builder, |b, (k, v)| b.with_config(k, v));
    let builder = builder.with_retry(retry()).with_http_connector(Connector { signed: false });
    let built = builder.with_url(whole).build();
    let said = |error| Shown::new(without_values(refused::unusable(Kind::Http, &error)));
    let built = built.map_err(|error| said(error).to_string())?;
    Ok((Arc::new(built), None, Signer::None))
}

#[cfg(test)]
mod tests {
    use super::*;

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
