//! The connection string of an Azure account, as its portal hands it out: `AccountName=...;AccountKey=...`.
//!
//! It says what the variables of an account say one by one, and these count before it.

use object_store::azure::AzureConfigKey as Key;
use reqwest::Url as WebAddress;

use super::variable::{Setting, checked_as, variable};

/// The variable.
const NAME: &str = "AZURE_STORAGE_CONNECTION_STRING";

/// How to mend one. Not by an example: what stands for a key there is hidden like one.
const FIELDS: &str =
    "it needs the fields AccountName and AccountKey, each with = and its value, separated by ;";

/// The end of the names of hosts in the public cloud.
const PUBLIC: &str = "core.windows.net";

/// What the connection string of the environment says.
///
/// # Errors
/// If it is none, or says something that no request can carry.
pub(super) fn settings() -> Result<Vec<Setting<Key>>, String> {
    variable(NAME)?.map_or(Ok(Vec::new()), |value| read(&value))
}

fn read(given: &str) -> Result<Vec<Setting<Key>>, String> {
    let (mut account, mut endpoint, mut suffix, mut protocol) = (None, None, None, None);
    let mut found = Vec::new();
    let mut add = |field: &str, key, value: String| {
        found.push(Setting { name: format!("{field} in {NAME}"), key, value });
    };
    for part in given.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        // Not shown: a key may have come into the wrong variable.
        let (field, value) = part
            .split_once('=')
            .ok_or_else(|| format!("{NAME} has a part that is no field; {FIELDS}"))?;
        // As the variable of the same meaning is looked at.
        let checked = |like: &str| {
            let value = checked_as(&format!("{field} in {NAME}"), like, value)?;
            value.ok_or_else(|| format!("{field} in {NAME} is empty"))
        };
        match &*field.trim().to_ascii_lowercase() {
            "accountname" => account = Some(checked("azure_storage_account_name")?),
            "accountkey" => {
                add("AccountKey", Key::AccessKey, checked("azure_storage_account_key")?);
            }
            "sharedaccesssignature" => {
                add("SharedAccessSignature", Key::SasKey, checked("azure_storage_sas_key")?);
            }
            "blobendpoint" => endpoint = Some(checked("azure_storage_endpoint")?),
            "endpointsuffix" => suffix = Some(checked("azure_tenant_id")?),
            "defaultendpointsprotocol" => protocol = Some(checked("azure_storage_text")?),
            "usedevelopmentstorage" => {
                add("UseDevelopmentStorage", Key::UseEmulator, checked("azure_storage_text")?);
            }
            // Of queues, tables and files.
            _ => {}
        }
    }
    let protocol = protocol.as_deref().unwrap_or("https");
    if !["http", "https"].contains(&protocol) {
        return Err(format!("DefaultEndpointsProtocol in {NAME} is neither http nor https"));
    }
    if let Some(endpoint) = &endpoint {
        account = account.or_else(|| account_of(endpoint));
    } else if let Some(account) = &account {
        let suffix = suffix.as_deref().unwrap_or(PUBLIC);
        // What the client takes by itself.
        if (protocol, suffix) != ("https", PUBLIC) {
            endpoint = Some(format!("{protocol}://{account}.blob.{suffix}"));
        }
    }
    if let Some(endpoint) = endpoint {
        add("BlobEndpoint", Key::Endpoint, endpoint.trim_end_matches('/').to_owned());
    }
    if let Some(account) = account {
        add("AccountName", Key::AccountName, account);
    }
    match found.is_empty() {
        true => Err(format!("{NAME} names no account; {FIELDS}")),
        false => Ok(found),
    }
}

/// The account of an endpoint: the first part of its host, or of its path where the host is an address.
fn account_of(endpoint: &str) -> Option<String> {
    let url = WebAddress::parse(endpoint).ok()?;
    let named = match url.domain() {
        Some(host) if host.contains('.') => host.split('.').next(),
        _ => url.path_segments()?.next(),
    };
    named.filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(given: &str) -> Vec<(Key, String)> {
        read(given).unwrap().into_iter().map(|setting| (setting.key, setting.value)).collect()
    }

    #[test]
    fn a_connection_string_says_what_the_variables_of_an_account_say() {
        let (name, key) = (Key::AccountName, Key::AccessKey);
        for (given, settings) in [
            (
                "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=aGk=;\
                 EndpointSuffix=core.windows.net",
                vec![(key, "aGk="), (name, "a")],
            ),
            (
                " accountname = a ;AccountKey=aGk=;EndpointSuffix=core.chinacloudapi.cn;\n",
                vec![
                    (key, "aGk="),
                    (Key::Endpoint, "https://a.blob.core.chinacloudapi.cn"),
                    (name, "a"),
                ],
            ),
            (
                "BlobEndpoint=https://a.blob.core.windows.net/;QueueEndpoint=x;\
                 SharedAccessSignature=sv=1&sig=s%3D",
                vec![
                    (Key::SasKey, "sv=1&sig=s%3D"),
                    (Key::Endpoint, "https://a.blob.core.windows.net"),
                    (name, "a"),
                ],
            ),
            (
                "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;AccountKey=aGk=",
                vec![
                    (key, "aGk="),
                    (Key::Endpoint, "http://127.0.0.1:10000/devstoreaccount1"),
                    (name, "devstoreaccount1"),
                ],
            ),
            ("UseDevelopmentStorage=true", vec![(Key::UseEmulator, "true")]),
        ] {
            let settings: Vec<_> =
                settings.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
            assert_eq!(said(given), settings, "{given}");
        }
    }

    #[test]
    fn a_part_that_is_wrong_is_named_and_not_shown() {
        for (given, field) in [
            ("S3CRET", "part"),
            ("AccountName=a;S3CRET", "part"),
            ("AccountName=a/S3CRET", "AccountName"),
            ("AccountName=a;AccountKey=S3CRET!", "AccountKey"),
            ("AccountName=a;BlobEndpoint=S3CRET", "BlobEndpoint"),
            ("AccountName=a;EndpointSuffix=S3CRET@h", "EndpointSuffix"),
            ("AccountName=a;DefaultEndpointsProtocol=S3CRET", "DefaultEndpointsProtocol"),
            ("AccountName=", "AccountName"),
            ("QueueEndpoint=S3CRET", "no account"),
        ] {
            let error = read(given).unwrap_err();
            assert!(error.contains(field) && error.contains(NAME), "{given}: {error}");
            assert!(!error.contains("S3CRET"), "{error}");
        }
    }
}
