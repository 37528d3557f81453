//! The checksum that a store gives with a whole object, and the one of what came.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crc_fast::{CrcAlgorithm, Digest as Crc, checksum_combine};
use md5::{Digest as _, Md5};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

/// A checksum that is being computed, and what it is to be.
#[derive(Clone)]
pub(super) struct Checksum {
    name: &'static str,
    expected: Vec<u8>,
    state: State,
    /// How many bytes were added.
    bytes: u64,
}

#[derive(Clone)]
enum State {
    Crc { algorithm: CrcAlgorithm, crc: Box<Crc>, width: usize },
    Hash(Box<Context>),
    Md5(Md5),
}

impl State {
    /// The bytes of a checksum of this kind.
    fn width(&self) -> usize {
        match self {
            Self::Crc { width, .. } => *width,
            Self::Hash(hash) => hash.algorithm().output_len(),
            Self::Md5(_) => 16,
        }
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checksum").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Checksum {
    /// The cheapest of those that the headers of an answer give of all of an object. Of an answer with a
    /// part these are the ones that their stores define so; others may be of the part.
    pub(super) fn of(whole: bool, header: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let of_whole = |name: &str| header(name).filter(|_| whole);
        let amazon = |name: &str| {
            if !whole {
                return None;
            }
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
        let crc = |algorithm, width| {
            let crc = Box::new(Crc::new(algorithm));
            State::Crc { algorithm, crc, width }
        };
        let (c, iso) = (CrcAlgorithm::Crc32Iscsi, CrcAlgorithm::Crc32IsoHdlc);
        let eight = || crc(CrcAlgorithm::Crc64Nvme, 8);
        let found = [
            ("crc64nvme", amazon("crc64nvme").map(|sum| (sum, eight()))),
            ("crc32c", amazon("crc32c").map(|sum| (sum, crc(c, 4)))),
            ("crc32c", google("crc32c").map(|sum| (sum, crc(c, 4)))),
            ("crc32", amazon("crc32").map(|sum| (sum, crc(iso, 4)))),
            ("sha256", amazon("sha256").map(|sum| (sum, hash(&SHA256)))),
            ("sha1", amazon("sha1").map(|sum| (sum, hash(&SHA1_FOR_LEGACY_USE_ONLY)))),
            ("md5", google("md5").map(|sum| (sum, State::Md5(Md5::new())))),
            ("md5", header("x-ms-blob-content-md5").map(|sum| (sum, State::Md5(Md5::new())))),
            ("md5", of_whole("content-md5").map(|sum| (sum, State::Md5(Md5::new())))),
        ];
        found.into_iter().find_map(|(name, found)| {
            let (sum, state) = found?;
            // What is none of its kind says nothing.
            let expected = BASE64_STANDARD.decode(sum.trim()).ok()?;
            (expected.len() == state.width()).then_some(Self { name, expected, state, bytes: 0 })
        })
    }

    /// Adds bytes that came.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        match &mut self.state {
            State::Crc { crc, .. } => crc.update(bytes),
            State::Hash(hash) => hash.update(bytes),
            State::Md5(md5) => md5.update(bytes),
        }
    }

    /// How many bytes were added.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The CRC of what was added, which can be joined with that of others.
    pub(super) fn crc(&self) -> Option<u64> {
        match &self.state {
            State::Crc { crc, .. } => Some(crc.finalize()),
            State::Hash(_) | State::Md5(_) => None,
        }
    }

    /// The CRC of two parts, the second of so many bytes.
    pub(super) fn joined(&self, first: u64, second: u64, bytes: u64) -> u64 {
        match &self.state {
            State::Crc { algorithm, .. } => checksum_combine(*algorithm, first, second, bytes),
            State::Hash(_) | State::Md5(_) => first,
        }
    }

    /// What is wrong with an object that has this CRC, if anything is.
    pub(super) fn differs(&self, crc: u64) -> Option<String> {
        match &self.state {
            State::Crc { width, .. } => self.compare(&crc.to_be_bytes()[8 - width..]),
            State::Hash(_) | State::Md5(_) => None,
        }
    }

    /// What is wrong with all that came, if anything is.
    pub(super) fn wrong(self) -> Option<String> {
        if let Some(crc) = self.crc() {
            return self.differs(crc);
        }
        let came = match self.state.clone() {
            State::Hash(hash) => hash.finish().as_ref().to_vec(),
            State::Md5(md5) => md5.finalize().to_vec(),
            State::Crc { .. } => return None,
        };
        self.compare(&came)
    }

    fn compare(&self, came: &[u8]) -> Option<String> {
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
                let mut sum = Checksum::of(true, header).unwrap();
                bytes.chunks(4).for_each(|part| sum.add(part));
                assert_eq!(sum.wrong().is_none(), right, "{name}: {value}");
            }
        }
    }

    #[test]
    fn crcs_of_parts_join_to_that_of_the_whole() {
        for (name, value) in SUMS {
            let header = |n: &str| (n == name).then(|| value.to_owned());
            let whole = Checksum::of(true, header).unwrap();
            for cut in 0..=9 {
                let parts = b"123456789".split_at(cut);
                let crc = |bytes: &[u8]| {
                    let mut part = whole.clone();
                    part.add(bytes);
                    part.crc()
                };
                let (Some(first), Some(second)) = (crc(parts.0), crc(parts.1)) else {
                    assert!(!value.contains("crc") && !name.contains("crc"), "{name}");
                    continue;
                };
                let bytes = parts.1.len() as u64;
                assert_eq!(whole.differs(whole.joined(first, second, bytes)), None, "{name}");
                assert!(whole.differs(whole.joined(first, second + 1, bytes)).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn of_a_part_only_what_is_defined_for_the_whole_is_looked_at() {
        for (name, value) in SUMS {
            let header = |n: &str| (n == name).then(|| value.to_owned());
            let whole = name == "x-goog-hash" || name == "x-ms-blob-content-md5";
            assert_eq!(Checksum::of(false, header).is_some(), whole, "{name}");
        }
    }

    #[test]
    fn checksums_of_something_else_are_not_looked_at() {
        let none = |headers: &[(&str, &str)]| {
            let header =
                |n: &str| headers.iter().find(|(name, _)| *name == n).map(|(_, v)| (*v).to_owned());
            Checksum::of(true, header).is_none()
        };
        assert!(none(&[]));
        for value in ["", "y/Q5", "25f9e794323b453885f5181f1b624d0b", "?"] {
            let names = ["x-amz-checksum-crc32", "x-amz-checksum-sha256", "content-md5"];
            assert!(names.iter().all(|name| none(&[(name, value)])), "{value}");
        }
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
