//! An object in a store, and what is known of it: its version, its size, and how its server
//! answers.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use object_store::{GetResult, ObjectMeta};

use super::coding::Coding;
use super::spell::Name;
use super::store::Store;
use super::sums::Sums;
use super::transport::UNTOLD;
use crate::error::snippet;

/// An object in a store.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) store: Arc<Store>,
    pub(super) name: Name,
    /// When it was listed.
    pub(super) listed: Instant,
    /// ETag and date, as listed or as the first answer told them.
    pub(super) version: OnceLock<ObjectMeta>,
    /// The ETag that the first answer named, where the listing named none.
    adopted: OnceLock<String>,
    /// Whether the first answer named an ETag, as all others have to then, and none if it did not: a
    /// date, which is to the second, does not tell that bytes are of the version of an ETag.
    tagged: OnceLock<bool>,
    /// What the first answer named as its content coding.
    coding: OnceLock<String>,
    size: Mutex<Size>,
    /// Whether its server was found to know ranges.
    pub(super) ranged: AtomicBool,
    /// Whether its server was found to ignore ranges, or nothing but all of it can tell whether it
    /// is empty.
    pub(super) whole: AtomicBool,
    /// What its store says of all of its bytes, where several answers hold them.
    pub(super) sums: Sums,
}

/// What is known of an object's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Unknown,
    /// A listing told it.
    Listed(u64),
    /// A listing told one, and an answer of the same version another: one of them is wrong.
    Doubted {
        listed: u64,
        told: u64,
    },
    /// An answer with the object told it.
    Told(u64),
}

impl Remote {
    pub(super) fn new(store: &Arc<Store>, name: Name) -> Arc<Self> {
        Arc::new(Self::of(store, name, OnceLock::new(), Size::Unknown))
    }

    /// One that a listing has told of.
    pub(super) fn listed(
        store: &Arc<Store>,
        name: Name,
        meta: ObjectMeta,
        since: Instant,
    ) -> Arc<Self> {
        let size = Size::Listed(meta.size);
        // A listing that names no version leaves that to the first answer.
        let named = meta.e_tag.is_some() || meta.last_modified.timestamp() > 0;
        let version = if named { OnceLock::from(meta) } else { OnceLock::new() };
        Arc::new(Self { listed: since, ..Self::of(store, name, version, size) })
    }

    fn of(store: &Arc<Store>, name: Name, version: OnceLock<ObjectMeta>, size: Size) -> Self {
        Self {
            store: Arc::clone(store),
            name,
            listed: Instant::now(),
            version,
            adopted: OnceLock::new(),
            tagged: OnceLock::new(),
            coding: OnceLock::new(),
            size: Mutex::new(size),
            ranged: AtomicBool::new(false),
            whole: AtomicBool::new(false),
            sums: Sums::default(),
        }
    }

    /// The ETag of the version that is read, once that is known.
    pub(super) fn tag(&self) -> Option<&str> {
        let listed = self.version.get()?.e_tag.as_deref();
        listed.or_else(|| self.adopted.get().map(String::as_str))
    }

    /// Its size, to read by. That a listing says it is empty is to be seen.
    pub(super) fn size(&self) -> Option<u64> {
        match *self.lock() {
            Size::Unknown | Size::Listed(0) => None,
            Size::Listed(size) | Size::Told(size) => Some(size),
            Size::Doubted { listed, told } => Some(listed.max(told)),
        }
    }

    /// How many bytes an answer with all of it has that tells no length: its [`size`](Self::size), or none if a
    /// listing says that it is empty.
    pub(super) fn due(&self) -> Option<u64> {
        self.size().or_else(|| self.likely_size())
    }

    /// Its size, for people and for plans.
    pub(super) fn likely_size(&self) -> Option<u64> {
        match *self.lock() {
            Size::Unknown => None,
            Size::Listed(size) | Size::Told(size) | Size::Doubted { told: size, .. } => Some(size),
        }
    }

    /// Learns the size from an answer. One that differs from the listing's counts when a second
    /// answer says so too: a lie is told once more often than twice.
    ///
    /// # Errors
    /// The size that another answer or the listing told, if that was another.
    pub(super) fn confirm(&self, now: u64) -> Result<(), u64> {
        let mut size = self.lock();
        let (next, result) = match *size {
            Size::Told(known) if known != now => (*size, Err(known)),
            Size::Listed(listed) if listed != now => {
                (Size::Doubted { listed, told: now }, Err(listed))
            }
            Size::Doubted { listed, told } if now != listed && now != told => {
                (Size::Doubted { listed, told: now }, Err(listed))
            }
            _ => (Size::Told(now), Ok(())),
        };
        *size = next;
        result
    }

    /// Whether an answer told the size.
    pub(super) fn is_confirmed(&self) -> bool {
        matches!(*self.lock(), Size::Told(_))
    }

    fn lock(&self) -> MutexGuard<'_, Size> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what the first answer tells of the object, as all others have to.
    pub(super) fn admit(&self, answer: &GetResult) -> Result<(), Mismatch> {
        self.learn(&answer.meta)?;
        let now = answer.extensions.get::<Coding>().map_or("", |coding| &coding.0);
        let known = self.coding.get_or_init(|| now.to_owned());
        // Stores may leave out what bytes tell themselves. What they cannot tell is looked at once.
        match known == now || Coding::is_told(now) {
            true => Ok(()),
            false => {
                let why = format!(
                    "it names the Content-Encoding {:?}, and an answer before {:?}",
                    snippet(now.as_bytes()),
                    snippet(known.as_bytes())
                );
                Err(Mismatch::Disagrees(why))
            }
        }
    }

    /// The content coding that its store names and that is not undone, given its first bytes.
    pub(super) fn undecoded(&self, head: &[u8]) -> Option<&str> {
        let coding = self.coding.get()?;
        Coding::undecoded(coding, head, self.likely_size())
    }

    /// Remembers the version of the first answer, which all others have to be of. The size that a
    /// listing told is a hint; that of an answer counts.
    fn learn(&self, now: &ObjectMeta) -> Result<(), Mismatch> {
        let known = self.version.get_or_init(|| now.clone());
        let dates = [known, now].map(|meta| meta.last_modified.timestamp());
        // To the second, as the header is; 0 where there is none.
        let same_date = dates[0] == dates[1] && dates[0] > 0;
        let tags = [self.tag(), now.e_tag.as_deref()]
            .map(|tag| Some(tag?.trim_start_matches("W/").trim_matches('"')));
        let same = match tags {
            [Some(known), Some(now)] if known == now => true,
            [Some(_), Some(_)] => return Err(Mismatch::Changed),
            [None, None] if dates[0] == dates[1] => same_date,
            [None, None] if dates[0] > 0 && dates[1] > 0 => return Err(Mismatch::Changed),
            // A listing may name less.
            _ if same_date => true,
            _ => return Err(unnamed()),
        };
        if *self.tagged.get_or_init(|| now.e_tag.is_some()) != now.e_tag.is_some() {
            return Err(unnamed());
        }
        if known.e_tag.is_none()
            && let Some(tag) = &now.e_tag
            // From now on it is named by that.
            && self.adopted.get_or_init(|| tag.clone()) != tag
        {
            return Err(Mismatch::Changed);
        }
        match told(now.size).map_or(Ok(()), |size| self.confirm(size)) {
            Ok(()) => Ok(()),
            Err(known) if same => Err(Mismatch::Disagrees(format!(
                "it says that the object has {} bytes, and of the same version was said {known}",
                now.size
            ))),
            Err(_) => Err(Mismatch::Changed),
        }
    }
}

fn unnamed() -> Mismatch {
    let why = "one answer names a version (ETag, Last-Modified), and another does not";
    Mismatch::Disagrees(why.to_owned())
}

/// A size, if the server told it.
pub(super) fn told(size: u64) -> Option<u64> {
    (size != UNTOLD).then_some(size)
}

/// How an answer differs from what is known of its object.
pub(super) enum Mismatch {
    /// It is of another version.
    Changed,
    /// It says of the same version, or of one that it does not name, what cannot be.
    Disagrees(String),
}
