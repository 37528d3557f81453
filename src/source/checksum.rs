//! The checksum that a store gives with a whole object, and the one of what came.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use md5::{Digest as _, Md5};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

/// A checksum that is being computed, and what it is to be.
#[derive(Clone)]
pub(super) struct Checksum {
    name: &'static str,
    expected: Vec<u8>,
    state: State,
}

#[derive(Clone)]
enum State {
    Crc { crc: Box<Crc>, bytes: usize },
    Hash(Box<Context>),
    Md5(Md5),
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checksum").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Checksum {
    /// The cheapest of those that the headers of an answer give.
    pub(super) fn of(header: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let amazon = |name: &str| {
            // Of an object of several parts it may be one of their checksums.
            let composite = header("x-amz-checksum-type").is_some_and(|kind| kind == "COMPOSITE");
            header(&format!("x-amz-checksum-{name}")).filter(|sum| !composite && !sum.contains('-'))
        };
        let google = |name: &str| {
            let stored = header("x-goog-stored-content-encoding").unwrap_or_default();
            // What the store decompresses on the way has another.
            let as_stored = matches!(&*stored, "" | "identity")
                || header("content-encoding").is_some_and(|encoding| encoding == stored);
            let hashes = header("x-goog-hash").filter(|_| as_stored)?;
            let mut hashes = hashes.split(',').filter_map(|hash| hash.trim().split_once('='));
            hashes.find(|(n, _)| *n == name).map(|(_, hash)| hash.to_owned())
        };
        let crc = |algorithm| State::Crc { crc: Box::new(Crc::new(algorithm)), bytes: 4 };
        let eight = || State::Crc { crc: Box::new(Crc::new(CrcAlgorithm::Crc64Nvme)), bytes: 8 };
        let (c, iso) = (CrcAlgorithm::Crc32Iscsi, CrcAlgorithm::Crc32IsoHdlc);
        let found = [
            ("crc64nvme", amazon("crc64nvme").map(|sum| (sum, eight()))),
            ("crc32c", amazon("crc32c").map(|sum| (sum, crc(c)))),
            ("crc32c", google("crc32c").map(|sum| (sum, crc(c)))),
            ("crc32", amazon("crc32").map(|sum| (sum, crc(iso)))),
            ("sha256", amazon("sha256").map(|sum| (sum, hash(&SHA256)))),
            ("sha1", amazon("sha1").map(|sum| (sum, hash(&SHA1_FOR_LEGACY_USE_ONLY)))),
            ("md5", google("md5").map(|sum| (sum, State::Md5(Md5::new())))),
            ("md5", header("x-ms-blob-content-md5").map(|sum| (sum, State::Md5(Md5::new())))),
            ("md5", header("content-md5").map(|sum| (sum, State::Md5(Md5::new())))),
        ];
        let (name, (sum, state)) = found.into_iter().find_map(|(name, sum)| Some((name, sum?)))?;
        let expected = BASE64_STANDARD.decode(sum.trim()).ok()?;
        Some(Self { name, expected, state })
    }

    /// Adds bytes that came.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc { crc, .. } => crc.update(bytes),
            State::Hash(hash) => hash.update(bytes),
            State::Md5(md5) => md5.update(bytes),
        }
    }

    /// What is wrong with all that came, if anything is.
    pub(super) fn wrong(self) -> Option<String> {
        let came = match self.state {
            State::Crc { crc, bytes } => crc.finalize().to_be_bytes()[8 - bytes..].to_vec(),
            State::Hash(hash) => hash.finish().as_ref().to_vec(),
            State::Md5(md5) => md5.finalize().to_vec(),
        };
        let name = self.name;
        (came != self.expected)
            .then(|| format!("what came does not have the checksum that the store gives ({name})"))
    }
}

fn hash(algorithm: &'static ring::digest::Algorithm) -> State {
    State::Hash(Box::new(Context::new(algorithm)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `123456789`, as published for each algorithm.
    const SUMS: [(&str, &str); 9] = [
        ("x-ms-blob-content-md5", "JfnnlDI7RTiF9RgfG2JNCw=="),
        ("x-amz-checksum-crc32", "y/Q5Jg=="),
        ("x-amz-checksum-crc32c", "4waSgw=="),
        ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
        ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
        ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ("x-goog-hash", "crc32c=4waSgw==,md5=JfnnlDI7RTiF9RgfG2JNCw=="),
        ("x-goog-hash", "md5=JfnnlDI7RTiF9RgfG2JNCw=="),
        ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw=="),
    ];

    #[test]
    fn each_checksum_is_that_of_the_bytes_and_of_no_others() {
        for (name, value) in SUMS {
            for (bytes, right) in [(&b"123456789"[..], true), (b"123456788", false), (b"", false)] {
                let header = |n: &str| (n == name).then(|| value.to_owned());
                let mut sum = Checksum::of(header).unwrap();
                bytes.chunks(4).for_each(|part| sum.add(part));
                assert_eq!(sum.wrong().is_none(), right, "{name}: {value}");
            }
        }
    }

    #[test]
    fn checksums_of_something_else_are_not_looked_at() {
        let none = |headers: &[(&str, &str)]| {
            let header =
                |n: &str| headers.iter().find(|(name, _)| *name == n).map(|(_, v)| (*v).to_owned());
            Checksum::of(header).is_none()
        };
        assert!(none(&[]));
        assert!(none(&[("x-amz-checksum-crc32", "y/Q5Jg==-3")]));
        assert!(none(&[
            ("x-amz-checksum-crc32", "y/Q5Jg=="),
            ("x-amz-checksum-type", "COMPOSITE")
        ]));
        assert!(none(&[
            ("x-goog-hash", "crc32c=4waSgw=="),
            ("x-goog-stored-content-encoding", "gzip")
        ]));
    }
}
