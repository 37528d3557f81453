//! What a store said, as an error of ours: by the decision it asks for, and without secrets.

use std::error::Error as StdError;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};

use super::pattern::Kind;
use super::said::{Refusal, told};
use super::store::Store;
use super::trouble::{Trouble, causes, http, no_descriptors};
use super::variable::without_values;
use crate::error::{Shown, without_quotes};
use crate::{Error, Place};

/// The error of ours for an error of a store.
pub(super) fn explain(place: Place, store: &Store, error: &object_store::Error) -> Error {
    if let object_store::Error::Precondition { .. } = error {
        return Error::Changed { place };
    }
    match Trouble::find(error) {
        // Only what is known to be there is asked for: the object has become shorter. Servers look
        // at the range before they look at the version.
        Some(Trouble::PastEnd { .. }) => return Error::Changed { place },
        Some(Trouble::Corrupt(wrong)) => return corrupt(place, wrong),
        Some(Trouble::Setting(reason)) => {
            return Error::Pattern { pattern: place.object, reason: reason.clone() };
        }
        Some(Trouble::NoCredentials) => {
            let place = Place { offset: None, ..place };
            return Error::Unauthenticated { place, reason: looked(store.kind) };
        }
        Some(Trouble::Unfit(why)) => {
            let reason = format!("{why}; check what hands out credentials to this machine");
            return Error::Unauthenticated { place: Place { offset: None, ..place }, reason };
        }
        Some(Trouble::Credentials(_)) => {
            let said = innermost(error);
            let reason =
                status(&said).map_or_else(|| said.clone(), |status| summary(status, &said));
            let reason = match reason.contains("scheme is not allowed") {
                true => {
                    "the server that hands them out is not asked, as it is not https".to_owned()
                }
                false => mended(without_values(without_quotes(&reason)), error),
            };
            return Error::Unauthenticated { place: Place { offset: None, ..place }, reason };
        }
        _ => {}
    }
    let said = innermost(error);
    let status = status(&said);
    // The next ones are about the object, not about a byte of it.
    let object = Place { offset: None, ..place.clone() };
    let reason = status.map_or_else(|| said.clone(), |status| summary(status, &said));
    // What a store says in an answer of 200 decides as the status that it has for it.
    let status = match Trouble::find(error) {
        Some(Trouble::Refused { refusal: Some(Refusal::Missing), .. }) => Some(404),
        Some(Trouble::Refused { refusal: Some(Refusal::Denied), .. }) => Some(403),
        _ => status,
    };
    match (status, error) {
        (Some(404), _) | (_, object_store::Error::NotFound { .. }) => {
            Error::NotFound { place: object, reason: missing(store, &said) }
        }
        (Some(400), _) if refuses_key(&said) => {
            let reason = Shown::new(reason);
            let reason = format!("{reason}; this store takes no request for such a key");
            Error::NotFound { place: object, reason }
        }
        (Some(403), _) | (_, object_store::Error::PermissionDenied { .. }) => {
            let mend = match store {
                Store { kind: Kind::Http, .. } => "check the URL and that it is still valid",
                Store { anonymous: true, .. } => "it is not public: leave out --anonymous",
                _ => "check what these credentials may read; for public data use --anonymous",
            };
            Error::PermissionDenied { place: object, reason: format!("{reason}; {mend}") }
        }
        (Some(401), _) | (_, object_store::Error::Unauthenticated { .. }) => {
            let reason = format!("{reason}; {}", looked(store.kind));
            Error::Unauthenticated { place: object, reason }
        }
        _ => Error::Io { place, source: io::Error::new(kind(error), mended(reason, error)).into() },
    }
}

/// The error for bytes that are not those that were stored.
pub(super) fn corrupt(place: Place, wrong: &str) -> Error {
    let reason = format!("{wrong}; read it again, and if that does not help, store it again");
    Error::Corrupt { place, reason }
}

/// What went wrong on the way, with the mend where there is one.
fn mended(reason: String, error: &(dyn StdError + 'static)) -> String {
    if no_descriptors(error) {
        return format!("{reason}: {DESCRIPTORS}");
    }
    if let Some(Trouble::Dead(said)) = Trouble::find(error) {
        return format!("cannot connect: {said}; check the network and the endpoint");
    }
    if let Some(Trouble::Unwell { throttled: Some(after), .. }) = Trouble::find(error) {
        let asked = after.map(|after| format!(", it asks to wait {} s", after.as_secs()));
        let asked = asked.unwrap_or_default();
        return format!("{reason}: it asks for fewer requests{asked}; run again later");
    }
    if reason.contains("scheme is not allowed") {
        return "its endpoint is not https; set AWS_ALLOW_HTTP, GOOGLE_ALLOW_HTTP or \
                AZURE_ALLOW_HTTP to true if that is meant"
            .to_owned();
    }
    match http(error).map(HttpError::kind) {
        Some(HttpErrorKind::Connect) => {
            format!("cannot connect: {reason}; check the network and the endpoint")
        }
        Some(HttpErrorKind::Timeout) => format!("no answer in time: {reason}"),
        _ => reason,
    }
}

/// What to do about it.
const DESCRIPTORS: &str = "this process has no more descriptors; raise the limit with ulimit -n, or \
                           read fewer sources at a time";

/// Whether the process can open nothing now, for libraries that do not say so: those that look for
/// certificates and names of hosts take what they cannot open for absent.
fn is_out_of_descriptors() -> bool {
    cfg!(unix) && std::fs::File::open("/dev/null").is_err_and(|error| no_descriptors(&error))
}

/// Why a store could not even be set up.
pub(super) fn unusable(kind: Kind, error: &object_store::Error) -> String {
    // It may be of a file or a setting that holds secrets, and quotes them.
    let said = without_quotes(&innermost(error));
    if is_out_of_descriptors() {
        return format!("{said}: {DESCRIPTORS}");
    }
    match kind {
        Kind::Azure if said.contains("Account must be") => {
            format!("{said}; set AZURE_STORAGE_ACCOUNT_NAME or AZURE_STORAGE_CONNECTION_STRING")
        }
        _ => said,
    }
}

/// The last cause in the chain, which says what happened; the ones above it name URLs.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    // The last one says nothing of the header that it is about.
    let of_a_header = |e: &String| e.starts_with("Invalid last modified");
    let said = causes(error).map(ToString::to_string).find(of_a_header);
    said.or_else(|| causes(error).last().map(ToString::to_string)).unwrap_or_default()
}

/// What the operating system said, if it is in the chain. That there are no descriptors is no fault of
/// one object, and has no kind of its own.
fn kind(error: &(dyn StdError + 'static)) -> io::ErrorKind {
    if no_descriptors(error) {
        return io::ErrorKind::QuotaExceeded;
    }
    causes(error)
        .find_map(|e| e.downcast_ref::<io::Error>())
        .map_or(io::ErrorKind::Other, io::Error::kind)
}

/// The status in what a store's client says about an answer.
fn status(said: &str) -> Option<u16> {
    let (_, rest) = said.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// The status line, and code and message of the store if its answer has them.
fn summary(status: u16, said: &str) -> String {
    let line = said.split_once("status code: ").map_or(said, |(_, rest)| rest);
    let line = line.split_once(':').map_or(line, |(line, _)| line);
    let line = if line.is_empty() { status.to_string() } else { line.to_owned() };
    match told(said) {
        None => format!("the store answered {line}"),
        Some(told) => format!("the store answered {line} ({told})"),
    }
}

/// Whether a store says that a request is wrong for its key.
fn refuses_key(said: &str) -> bool {
    let codes = [
        "InvalidRequest",
        "InvalidURI",
        "InvalidUri",
        "InvalidObjectName",
        "InvalidResourceName",
        "KeyTooLong",
        "OutOfRangeInput",
    ];
    codes.iter().any(|code| said.contains(code))
}

fn missing(store: &Store, said: &str) -> String {
    let bucket = ["NoSuchBucket", "ContainerNotFound", "bucket does not exist"];
    if store.kind == Kind::Http {
        "the server has nothing at this address".to_owned()
    } else if bucket.iter().any(|b| said.contains(b)) {
        format!("there is no bucket {}; check its name, its region and the endpoint", store.base)
    } else {
        let mend = "if it is a directory, end it in a slash";
        format!("there is no such object in {}; {mend}", store.base)
    }
}

/// Where credentials were looked for.
fn looked(kind: Kind) -> String {
    let places = match kind {
        Kind::S3 => {
            "looked at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a web identity, a container's \
             credentials and this machine's metadata endpoint (not at ~/.aws); set them, or use \
             --anonymous for public data"
        }
        Kind::Gcs => {
            "looked at GOOGLE_SERVICE_ACCOUNT, GOOGLE_SERVICE_ACCOUNT_KEY, \
             GOOGLE_APPLICATION_CREDENTIALS, gcloud's login and this machine's metadata endpoint; \
             set one, or use --anonymous for public data"
        }
        Kind::Azure => {
            "looked at AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCOUNT_KEY, \
             AZURE_STORAGE_SAS_KEY, AZURE_STORAGE_TOKEN, AZURE_CLIENT_ID with AZURE_CLIENT_SECRET and this machine's metadata endpoint; set \
             one, or use --anonymous for public data"
        }
        Kind::Http => "the server asks for a login, and web addresses are read without one",
    };
    places.to_owned()
}
