//! The requests for an object in a store: of one version, and for its checksum.

use std::ops::Range;
use std::sync::Arc;

use object_store::{GetOptions, GetRange, GetResult};

use super::answer::{Asked, Told};
use super::checksum::Checksum;
use super::coming::{Fault, disagrees};
use super::known::{Mismatch, Remote, told};
use super::patience::{Class, Patience, REASONED, pause, timeout};
use super::pattern::Kind;
use super::spell::{Name, Summed};
use super::trouble;

/// Whether an answer has all of the object.
fn is_whole(answer: &GetResult) -> bool {
    answer.extensions.get::<Told>().is_none_or(|told| told.whole)
}

impl Remote {
    /// Asks for a range of the version that is known, or for all of it.
    pub(super) async fn request(
        &self,
        range: Option<Range<u64>>,
    ) -> object_store::Result<GetResult> {
        self.store.objects.get_opts(&self.name.path(), self.options(range)).await
    }

    fn options(&self, range: Option<Range<u64>>) -> GetOptions {
        let mut options = GetOptions::default();
        if range.is_none() && self.sums() {
            options.extensions.insert(Summed(Arc::clone(&self.store.signer)));
        }
        options.extensions.insert(Asked {
            range: range.clone(),
            kind: self.store.kind,
            seen: self.version.get().is_some(),
            listed: self.listed,
        });
        options.range = range.map(GetRange::Bounded);
        if let Some(version) = self.version.get() {
            match self.tag() {
                // A weak one never matches.
                Some(tag) if !tag.starts_with("W/") => options.if_match = Some(self.quoted(tag)),
                _ if version.last_modified.timestamp() > 0 => {
                    options.if_unmodified_since = Some(version.last_modified);
                }
                _ => {}
            }
        }
        if let Some(spelled) = self.name.spelled(&self.store.signer) {
            options.extensions.insert(spelled);
        }
        options
    }

    /// Asks for a range, as [`Remote::request`], and once for the checksum of all of the object where
    /// the store tells that only with all of it.
    pub(super) async fn request_part(&self, range: Range<u64>) -> object_store::Result<GetResult> {
        if !self.sums() {
            return self.request(Some(range)).await;
        }
        if self.size().is_some() {
            return futures::join!(self.request(Some(range)), self.ask_sum()).0;
        }
        // Most objects that are named exactly are short, and one request is all that they need.
        let answer = self.request(Some(range)).await?;
        if !is_whole(&answer) {
            self.ask_sum().await;
        }
        Ok(answer)
    }

    /// Asks for the checksum by a request without a body. A store that does not answer it gives none.
    async fn ask_sum(&self) {
        let asked = tokio::time::timeout(timeout(REASONED), self.head());
        self.sums.ask(async { asked.await.ok().flatten() }).await;
    }

    /// The checksum that an answer without a body tells, and the version that it is of.
    async fn head(&self) -> Option<(Option<String>, Checksum)> {
        let mut patience = Patience::default();
        loop {
            let options = GetOptions { head: true, ..self.options(None) };
            match self.store.objects.get_opts(&self.name.path(), options).await {
                Ok(mut answer) => {
                    let sum = answer.extensions.remove::<Checksum>()?;
                    return Some((answer.meta.e_tag, sum));
                }
                Err(error) => {
                    let class = trouble::class(&error);
                    let wait = patience.next(class).filter(|_| class != Class::Wrong)?;
                    pause(wait, class, &self.store.base).await;
                }
            }
        }
    }

    /// The checksum of an answer that has all of the object. That of an answer with a part is kept for
    /// whoever reads all of them.
    pub(super) fn sum_of(&self, answer: &mut GetResult) -> Option<Checksum> {
        let sum = answer.extensions.remove::<Checksum>();
        if is_whole(answer) {
            return sum;
        }
        if let Some(sum) = sum {
            self.sums.tell(sum);
        }
        None
    }

    /// Whether a range is all of an object whose store then tells its checksum.
    pub(super) fn is_summed(&self, range: &Range<u64>) -> bool {
        self.sums() && self.size().is_some_and(|size| *range == (0..size))
    }

    /// Whether its store tells checksums on demand, and can be asked.
    fn sums(&self) -> bool {
        self.store.kind == Kind::S3 && matches!(self.name, Name::Path(_))
    }

    /// Whether the object ends at or before an offset, where the server has no bytes there and only
    /// a listing said that there are some.
    pub(super) async fn end_at(&self, at: u64, size: Option<u64>) -> Result<bool, Fault> {
        if size.is_some_and(|size| size <= at && self.confirm(size).is_ok()) {
            return Ok(true);
        }
        let answer = self.request(Some(0..1)).await.map_err(Fault::Store)?;
        match self.admit(&answer) {
            Ok(()) => Ok(told(answer.meta.size).is_some_and(|size| size <= at)),
            // The next answer says so as well.
            Err(Mismatch::Changed) => Ok(false),
            Err(Mismatch::Disagrees(why)) => Err(disagrees(&why)),
        }
    }

    /// Azure lists ETags without the quotes that it gives and takes them with elsewhere.
    fn quoted(&self, tag: &str) -> String {
        match self.store.kind == Kind::Azure && !tag.starts_with('"') {
            true => format!("\"{tag}\""),
            false => tag.to_owned(),
        }
    }
}
