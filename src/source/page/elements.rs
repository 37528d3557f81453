//! The elements that a page of a listing may have, and where.
//!
//! Stores add fields of their own, which are passed over: text that nobody reads. But an object in an
//! element that nobody knows, or under a name that differs from the right one in its case, would be
//! missing from the listing without a word. So an unknown element holds nothing but text, and what is
//! called like a known one stands in the place of that.

/// What an element may hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    Text,
    /// Elements of any name with text in them: fields that users and stores choose themselves.
    Fields,
    /// These, and unknown ones with text.
    Elements(&'static [(&'static str, Self)]),
}

use Holds::{Elements, Fields, Text};

/// A page of S3, and of Google by the same protocol.
pub(super) const BUCKET: Holds = Elements(&[
    ("Name", Text),
    ("Prefix", Text),
    ("Marker", Text),
    ("NextMarker", Text),
    ("StartAfter", Text),
    ("ContinuationToken", Text),
    ("NextContinuationToken", Text),
    ("IsTruncated", Text),
    ("KeyCount", Text),
    ("MaxKeys", Text),
    ("EncodingType", Text),
    ("Error", Fields),
    ("CommonPrefixes", Elements(&[("Prefix", Text)])),
    (
        "Contents",
        Elements(&[
            ("Key", Text),
            ("Size", Text),
            ("ETag", Text),
            ("LastModified", Text),
            ("Owner", Fields),
            ("RestoreStatus", Fields),
            ("RestoreInfo", Fields),
            ("UserMetadata", Fields),
            ("Internal", Fields),
        ]),
    ),
]);

/// A page of Azure.
pub(super) const CONTAINER: Holds = Elements(&[
    ("Prefix", Text),
    ("Marker", Text),
    ("NextMarker", Text),
    ("Error", Fields),
    (
        "Blobs",
        Elements(&[
            ("BlobPrefix", Elements(&[("Name", Text), ("Properties", Fields)])),
            (
                "Blob",
                Elements(&[
                    ("Name", Text),
                    (
                        "Properties",
                        Elements(&[
                            ("Content-Length", Text),
                            ("Etag", Text),
                            ("ResourceType", Text),
                        ]),
                    ),
                    ("Metadata", Fields),
                    ("OrMetadata", Fields),
                    ("Tags", TAGS),
                ]),
            ),
        ]),
    ),
]);

/// The tags of a blob.
const TAGS: Holds =
    Elements(&[("TagSet", Elements(&[("Tag", Elements(&[("Key", Text), ("Value", Text)]))]))]);

impl Holds {
    /// What an element of this name may hold in this one; `None` if it cannot be here, on a page of this
    /// root.
    pub(super) fn within(self, name: &str, root: Self) -> Option<Self> {
        match self {
            Text => None,
            Fields => Some(Text),
            Elements(known) => match known.iter().find(|(known, _)| *known == name) {
                Some((_, holds)) => Some(*holds),
                None => (!root.knows(name)).then_some(Text),
            },
        }
    }

    /// Whether an element of this name, in any case, is known anywhere in this one.
    fn knows(self, name: &str) -> bool {
        match self {
            Text | Fields => false,
            Elements(known) => known
                .iter()
                .any(|(known, holds)| known.eq_ignore_ascii_case(name) || holds.knows(name)),
        }
    }
}
