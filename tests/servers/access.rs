//! Who may read: credentials that are wrong, missing or not needed. Nothing secret is ever shown.

use crate::proxy::{Fault, Rule};
use crate::store::Store;
use crate::{Case, For};

/// The promises.
pub(crate) const CASES: &[Case] = &[
    ("wrong_credentials_are_permission_denied", For::Guarded, wrong_key),
    ("a_refused_object_is_permission_denied", For::Network, refused),
    ("without_credentials_it_says_where_it_looked", For::Credentials, no_credentials),
    ("anonymous_access_reads_what_is_public", For::ListingNetwork, anonymous),
    ("anonymous_access_does_not_read_what_is_not", For::Guarded, anonymous_refused),
];

fn wrong_key(store: &Store) {
    // As long as the right one, and base64, as Azure wants it.
    let wrong = "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3JvbmctCg==";
    let mut store = store.clone();
    for (key, value) in &mut store.env {
        if matches!(*key, "AWS_SECRET_ACCESS_KEY" | "AZURE_STORAGE_ACCOUNT_KEY") {
            wrong.clone_into(value);
        }
    }
    let ran = store.creel(["count", &store.url("prose.txt")]);
    assert!(!ran.err.contains(wrong), "a secret in the message: {ran:#?}");
    ran.fails(3, &["prose.txt", "permission denied"]);
    store.creel(["count", &store.url("small/*.txt")]).fails(3, &["permission denied"]);
}

fn refused(store: &Store) {
    let rule = Rule { name: "prose.txt", skip: 0, times: usize::MAX, fault: Fault::Status(403) };
    let (store, proxy) = store.behind_proxy(Some(rule));
    store.creel(["count", &store.url("prose.txt")]).fails(3, &["prose.txt", "permission denied"]);
    assert_eq!(proxy.seen().len(), 1, "a refusal is not asked again");
}

fn no_credentials(store: &Store) {
    let looked_for = match store.name {
        "s3" => "AWS_ACCESS_KEY_ID",
        "gs" => "GOOGLE_",
        _ => "AZURE_STORAGE_",
    };
    for key in ["prose.txt", "small/*.txt"] {
        let ran =
            store.creel_with(["count", &store.url(key)], |name| !store.credentials.contains(&name));
        ran.fails(3, &["no credentials", looked_for]);
    }
}

fn anonymous(store: &Store) {
    let (base, _) = store.public.as_ref().expect("a public bucket");
    let url = format!("{base}greeting.txt");
    let ran = store.creel_with(["--anonymous", "words | count", &url], |name| {
        !store.credentials.contains(&name)
    });
    assert_eq!(ran.ok(), "2\n");
}

fn anonymous_refused(store: &Store) {
    let ran = store.creel_with(["--anonymous", "count", &store.url("prose.txt")], |name| {
        !store.credentials.contains(&name)
    });
    // Azure tells strangers that what they may not see is not there.
    ran.fails(3, &["prose.txt", if store.name == "az" { "" } else { "permission denied" }]);
}
