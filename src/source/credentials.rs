//! Credentials as they are handed out while a run is under way: looked at as settings are.
//!
//! A server, a file or a tool may hand out what no header can hold, and the stores' clients panic
//! at that. White space at the ends is cut; whatever else is wrong is the last word, since what
//! hands credentials out was asked as often as that makes sense.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures::FutureExt;
use object_store::{CredentialProvider, Error};

use super::trouble::Trouble;
use crate::error::{fault, thrown};

/// A credential as requests carry it.
pub(super) trait Credential: std::fmt::Debug + Send + Sync + 'static {
    /// Itself without white space at the ends of its parts, or what is wrong with it: never shown
    /// itself.
    fn fit(credential: Arc<Self>) -> Result<Arc<Self>, String>;
}

#[cfg(feature = "s3")]
impl Credential for object_store::aws::AwsCredential {
    fn fit(credential: Arc<Self>) -> Result<Arc<Self>, String> {
        let token = credential.token.as_deref().map(|token| word("session token", token));
        let cut = Self {
            key_id: word("access key", &credential.key_id)?.to_owned(),
            // This one stands in no header.
            secret_key: credential.secret_key.trim().to_owned(),
            token: token.transpose()?.map(str::to_owned),
        };
        Ok(if cut == *credential { credential } else { Arc::new(cut) })
    }
}

#[cfg(feature = "gcs")]
impl Credential for object_store::gcp::GcpCredential {
    fn fit(credential: Arc<Self>) -> Result<Arc<Self>, String> {
        let cut = word("token", &credential.bearer)?;
        match cut.len() == credential.bearer.len() {
            true => Ok(credential),
            false => Ok(Arc::new(Self { bearer: cut.to_owned() })),
        }
    }
}

#[cfg(feature = "azure")]
impl Credential for object_store::azure::AzureCredential {
    fn fit(credential: Arc<Self>) -> Result<Arc<Self>, String> {
        let Self::BearerToken(token) = &*credential else { return Ok(credential) };
        let cut = word("token", token)?;
        match cut.len() == token.len() {
            true => Ok(credential),
            false => Ok(Arc::new(Self::BearerToken(cut.to_owned()))),
        }
    }
}

/// A part of a credential that stands in a header.
fn word<'a>(what: &str, part: &'a str) -> Result<&'a str, String> {
    let part = part.trim();
    match part.chars().position(|c| !c.is_ascii_graphic()) {
        None => Ok(part),
        Some(at) => Err(format!(
            "the {what} that was handed out holds a space, a control character or one that is not \
             ASCII, at character {}",
            at + 1
        )),
    }
}

/// Hands out what another provider does, if requests can carry it.
#[derive(Debug)]
pub(super) struct Checked<C>(Arc<dyn CredentialProvider<Credential = C>>);

impl<C: Credential> Checked<C> {
    #[allow(clippy::new_ret_no_self, reason = "the stores take any provider")]
    pub(super) fn new(
        inner: &Arc<dyn CredentialProvider<Credential = C>>,
    ) -> Arc<dyn CredentialProvider<Credential = C>> {
        Arc::new(Self(Arc::clone(inner)))
    }
}

impl<C: Credential> CredentialProvider for Checked<C> {
    type Credential = C;

    fn get_credential<'a, 'b>(
        &'a self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<C>>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let handed_out = AssertUnwindSafe(self.0.get_credential()).catch_unwind().await;
            let trouble = match handed_out {
                Ok(Ok(credential)) => match C::fit(credential) {
                    Ok(credential) => return Ok(credential),
                    Err(why) => Trouble::Unfit(why),
                },
                Ok(Err(error)) => match Trouble::find(&error) {
                    Some(Trouble::NoCredentials) => return Err(error),
                    _ => Trouble::Credentials(error),
                },
                Err(panic) => Trouble::Unfit(fault(&thrown(panic))),
            };
            Err(Error::Generic { store: "credentials", source: trouble.into() })
        })
    }
}

#[cfg(all(test, feature = "s3"))]
mod tests {
    use object_store::aws::AwsCredential;

    use super::*;

    fn handed_out(key: &str, token: &str) -> Result<Arc<AwsCredential>, String> {
        let (key_id, secret_key) = (key.to_owned(), "s/+=\r".to_owned());
        Credential::fit(Arc::new(AwsCredential {
            key_id,
            secret_key,
            token: Some(token.to_owned()),
        }))
    }

    #[test]
    fn white_space_at_the_ends_of_credentials_is_cut() {
        let cut = handed_out(" k\n", "t\r\n").unwrap();
        assert_eq!(
            (&*cut.key_id, &*cut.secret_key, cut.token.as_deref()),
            ("k", "s/+=", Some("t"))
        );
    }

    #[test]
    fn a_credential_that_no_header_can_hold_is_named_and_not_shown() {
        for wrong in ["S3CRET\nx", "S3CRET\0", "S3CRET x", "S3CRÉT"] {
            let why = handed_out("k", wrong).unwrap_err();
            assert!(why.contains("session token") && !why.contains("S3C"), "{why}");
            let why = handed_out(wrong, "t").unwrap_err();
            assert!(why.contains("access key") && !why.contains("S3C"), "{why}");
        }
    }
}
