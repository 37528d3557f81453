//! What a store says in an answer that is an error: its code, its message, and what the code decides.
//!
//! Most errors come with a status that decides. A listing may answer 200 and give an error all the same,
//! as a store that has begun its answer has no other way; there only the code tells a fault that passes
//! from one that does not. A status alone may be of a gateway before the store, which knows nothing of
//! what is stored.

use super::pattern::Kind;
use crate::error::{concealed, snippet};

/// What a code decides that waiting does not mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such bucket.
    Missing,
    /// Who asks may not have it.
    Denied,
    /// The request is not one that the store answers.
    Other,
}

/// What to do about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// It is a fault that passes.
    Again,
    /// It is the last word.
    Nothing(Refusal),
}

const PASSES: [&str; 11] = [
    "InternalError",
    "InternalFailure",
    "ServiceUnavailable",
    "ServiceFailure",
    "SlowDown",
    "ServerBusy",
    "Busy",
    "TooManyRequests",
    "OperationTimedOut",
    "RequestTimeout",
    "RequestLimitExceeded",
];
const MISSING: [&str; 4] =
    ["NoSuchBucket", "ContainerNotFound", "ContainerDisabled", "ResourceNotFound"];
const DENIED: [&str; 26] = [
    "AccessDenied",
    "AccountIsDisabled",
    "AccountProblem",
    "AllAccessDisabled",
    "AuthenticationFailed",
    "AuthorizationFailure",
    "AuthorizationPermissionMismatch",
    "AuthorizationProtocolMismatch",
    "AuthorizationResourceTypeMismatch",
    "AuthorizationServiceMismatch",
    "AuthorizationSourceIPMismatch",
    "ExpiredToken",
    "Forbidden",
    "InsufficientAccountPermissions",
    "InvalidAccessKeyId",
    "InvalidAuthenticationInfo",
    "InvalidPayer",
    "InvalidSecurity",
    "InvalidToken",
    "NoAuthenticationInformation",
    "NotSignedUp",
    "PublicAccessNotPermitted",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UserProjectAccessDenied",
];
const OTHERS: [&str; 14] = [
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "InvalidArgument",
    "InvalidBucketName",
    "InvalidBucketState",
    "InvalidQueryParameterValue",
    "InvalidRequest",
    "InvalidResourceName",
    "InvalidURI",
    "MethodNotAllowed",
    "NotImplemented",
    "PermanentRedirect",
    "UserProjectInconsistent",
    "UserProjectMissing",
];

/// What a code asks for; `None` if nobody knows it.
pub(super) fn asks(code: &str) -> Option<Asks> {
    let refusals =
        [(&MISSING[..], Refusal::Missing), (&DENIED, Refusal::Denied), (&OTHERS, Refusal::Other)];
    if PASSES.contains(&code) {
        return Some(Asks::Again);
    }
    let found = refusals.iter().find(|(codes, _)| codes.contains(&code));
    found.map(|(_, refusal)| Asks::Nothing(*refusal))
}

/// The code in what a store said.
pub(super) fn code(said: &str) -> Option<&str> {
    between(said, "<Code>", "</Code>").filter(|code| !code.is_empty())
}

/// Whether a body is the error of a store of this kind: XML, or JSON of Google's. A web server has no form
/// of its own.
pub(super) fn is_error_of(kind: Kind, body: &[u8]) -> bool {
    kind == Kind::Http
        || code(&String::from_utf8_lossy(body)).is_some()
        || kind == Kind::Gcs && is_googles(body)
}

/// Whether a body is an error as Google's services write it in JSON. Those of gateways are texts by the
/// same name.
#[cfg(feature = "gcs")]
fn is_googles(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body)
        .is_ok_and(|said| said["error"]["code"].is_u64())
}

#[cfg(not(feature = "gcs"))]
fn is_googles(_: &[u8]) -> bool {
    false
}

/// Code and message of a store, if its answer has them, for people. The rest of an answer may hold
/// identifiers of keys, or what was signed.
pub(super) fn told(said: &str) -> Option<String> {
    // Names of secrets are not found behind escapes.
    let plain =
        |text: &str| quick_xml::escape::unescape(text).map_or_else(|_| text.to_owned(), Into::into);
    let message = between(said, "<Message>", "</Message>").map(plain);
    let message = message.or_else(|| between(said, "\"message\": \"", "\"").map(str::to_owned));
    let told: Vec<_> = [code(said).map(str::to_owned), message].into_iter().flatten().collect();
    if told.is_empty() {
        return None;
    }
    // Before it is cut: half of a secret does not look like one.
    let told = concealed(&told.join(": ")).into_owned();
    Some(snippet(told.as_bytes()))
}

fn between<'s>(said: &'s str, start: &str, end: &str) -> Option<&'s str> {
    let (_, rest) = said.split_once(start)?;
    rest.split_once(end).map(|(text, _)| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_decides_whether_it_is_asked_again() {
        assert_eq!(asks("SlowDown"), Some(Asks::Again));
        assert_eq!(asks("AccessDenied"), Some(Asks::Nothing(Refusal::Denied)));
        assert_eq!(asks("NoSuchBucket"), Some(Asks::Nothing(Refusal::Missing)));
        assert_eq!(asks("UserProjectMissing"), Some(Asks::Nothing(Refusal::Other)));
        assert_eq!(asks("Surprise"), None);
    }

    #[test]
    fn an_error_of_a_store_is_told_from_the_page_of_a_gateway() {
        let xml = "<Error><Code> NoSuchBucket </Code></Error>";
        let json = " {\"error\": {\"code\": 404}}";
        for kind in [Kind::S3, Kind::Gcs, Kind::Azure] {
            assert!(is_error_of(kind, xml.as_bytes()), "{kind:?}");
            // Of the stores only Google's speaks JSON.
            let speaks = kind == Kind::Gcs && cfg!(feature = "gcs");
            assert_eq!(is_error_of(kind, json.as_bytes()), speaks, "{kind:?}");
            for body in [
                "",
                "Not Found",
                "<html>Not Found</html>",
                "<Error><Code></Code></Error>",
                "{}",
                "{\"status\": 404, \"error\": \"Not Found\"}",
                "{\"error\": {\"code\": 404}",
            ] {
                assert!(!is_error_of(kind, body.as_bytes()), "{kind:?}: {body}");
                assert!(is_error_of(Kind::Http, body.as_bytes()), "{body}");
            }
        }
        assert_eq!(code("<Error><Code> X </Code></Error>"), Some("X"));
        assert_eq!(told("<Code>X</Code><Message>a &lt; b</Message>").as_deref(), Some("X: a < b"));
        assert_eq!(told("{\"message\": \"no\"}").as_deref(), Some("no"));
        assert_eq!(told("<html>"), None);
    }
}
