//! One page of a listing, read from the XML of a store.
//!
//! The stores' crate gives keys as paths, and there are keys that no path can spell: with an empty
//! component, with `.` or `..`, with a slash at the start. One such key would end its listing. So
//! the client reads the answers to listings here, hands the page on beside the crate, and gives
//! the crate an empty one.
//!
//! A page is used only if it is whole and of the kind that was asked for: a gateway's HTML page
//! with status 200, an error in an answer that began well, or a document that breaks off must not
//! be taken for the end of a listing.

use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectMeta;
use object_store::path::Path;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use reqwest::header::HeaderValue;

use super::pattern::Kind;
use crate::error::snippet;

/// A page: some objects, and what to ask for the next one with.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Page {
    pub(super) objects: Vec<Found>,
    pub(super) next: Option<String>,
    /// Of which bucket it says that it is.
    bucket: Option<String>,
    /// Of which prefix it says that it is.
    prefix: Option<String>,
    /// Which token it says that it was asked for with; an empty one for the first page.
    token: Option<String>,
    /// It begins behind a key, it says.
    starts_after: bool,
    /// A prefix that it has in place of the objects below.
    folder: Option<String>,
}

/// An object as a listing tells it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) key: String,
    /// Without a location.
    pub(super) meta: ObjectMeta,
}

/// Travels with a request for a listing, and takes its page back.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) kind: Kind,
    /// The bucket, where pages name it as requests do.
    bucket: Option<Arc<str>>,
    prefix: Arc<str>,
    /// The page that comes after the one that gave this.
    token: Option<Arc<str>>,
    /// Only one level was asked for, so that the page may have folders.
    level: bool,
    page: Arc<Mutex<Option<Page>>>,
}

impl Slot {
    /// For the page behind a token, or the first one.
    pub(super) fn new(kind: Kind, prefix: &str, token: Option<&str>, level: bool) -> Self {
        let token = token.map(Arc::from);
        Self { kind, bucket: None, prefix: prefix.into(), token, level, page: Arc::default() }
    }

    /// The same, whose page has to be of this bucket if it names one.
    pub(super) fn of_bucket(self, bucket: Option<&str>) -> Self {
        Self { bucket: bucket.map(Arc::from), ..self }
    }

    /// Reads the page out of an answer.
    ///
    /// # Errors
    /// Why it is none, or not the one that was asked for.
    pub(super) fn put(&self, body: &[u8]) -> Result<(), NoPage> {
        let page = Page::read(self.kind, body)?;
        if let (Some(asked), Some(named)) = (&self.bucket, &page.bucket)
            && **asked != **named
        {
            return Err(NoPage::OtherBucket(snippet(named.as_bytes())));
        }
        let mut keys = page.objects.iter().map(|object| &object.key);
        // A page of a longer prefix lacks objects, even if all that it has are below this one.
        let other = page.prefix.as_ref().filter(|prefix| **prefix != *self.prefix);
        let other = other.or_else(|| keys.find(|key| !key.starts_with(&*self.prefix)));
        if let Some(other) = other {
            return Err(NoPage::OtherPrefix(snippet(other.as_bytes())));
        }
        // Stores that say nothing of these are not asked to.
        if page.starts_after || !self.is_asked_with(page.token.as_deref()) {
            return Err(NoPage::OtherPage);
        }
        // What is below them would be missing.
        if let Some(folder) = page.folder.as_ref().filter(|_| !self.level) {
            return Err(NoPage::Folder(snippet(folder.as_bytes())));
        }
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = Some(page);
        Ok(())
    }

    /// Whether a page that says that it was asked for with this token can be the one that was.
    fn is_asked_with(&self, told: Option<&str>) -> bool {
        match told {
            None => true,
            // Stores like Azure's may say nothing by this. A bucket that names no token says that this
            // is the first page.
            Some("") => self.kind == Kind::Azure || self.token.is_none(),
            Some(told) => self.token.as_deref() == Some(told),
        }
    }

    pub(super) fn take(&self) -> Option<Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// An empty page, for the stores' crate.
    pub(super) fn empty(&self) -> &'static str {
        match self.kind {
            Kind::Azure => "<EnumerationResults><Blobs></Blobs></EnumerationResults>",
            _ => "<ListBucketResult></ListBucketResult>",
        }
    }
}

/// Why an answer is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPage {
    #[error("the answer to a listing is not UTF-8")]
    NotText,
    #[error("the answer to a listing is no XML: {0}")]
    NotXml(String),
    #[error("the answer to a listing breaks off")]
    Unfinished,
    #[error("the answer to a listing is {found:?}, not {expected:?}")]
    OtherKind { found: String, expected: &'static str },
    #[error("the answer to a listing says that more follows, and not how to ask for it")]
    NoToken,
    #[error("the answer to a listing has an object with no {0}, or with one that is none")]
    Lacks(&'static str),
    #[error("the answer to a listing says {0} twice, or something that it cannot say")]
    Muddled(&'static str),
    #[error("the answer to a listing has no entries, and does not say that it has none")]
    Nothing,
    #[error("the answer to a listing says that it has {told} entries, and has {came}")]
    Count { told: u64, came: u64 },
    #[error("the answer to a listing is one of another bucket: {0}")]
    OtherBucket(String),
    #[error("the answer to a listing is one of another prefix: {0}")]
    OtherPrefix(String),
    #[error("the answer to a listing is another page than the one that was asked for")]
    OtherPage,
    #[error("the answer to a listing has a folder in place of the objects in it: {0}")]
    Folder(String),
    #[error("the answer to a listing is longer than {} MiB", LONGEST >> 20)]
    TooLong,
}

/// More elements inside of each other than any page has.
const DEEPEST: usize = 16;
/// Longer keys and tokens do not fit into the address of a request; stores allow 1024 characters.
pub(super) const LONGEST_NAME: usize = 8 << 10;
/// The root of a page of Azure.
const AZURE: &str = "EnumerationResults";
/// The longest page that is read; a thousand keys of a kibibyte each take two MiB.
pub(super) const LONGEST: usize = 64 << 20;

/// What is known of the object that is being read.
#[derive(Default)]
struct Partial {
    key: Option<String>,
    size: Option<u64>,
    e_tag: Option<String>,
    modified: Option<String>,
    directory: bool,
}

impl Page {
    /// Reads a page of this kind of store.
    pub(super) fn read(kind: Kind, body: &[u8]) -> Result<Self, NoPage> {
        let text = str::from_utf8(body).map_err(|_| NoPage::NotText)?;
        let mut reading = Reading::new(kind);
        let mut reader = Reader::from_str(text);
        loop {
            let event = reader.read_event().map_err(|e| no_xml(&e))?;
            match event {
                Event::Start(start) => reading.start(&start)?,
                Event::Empty(start) => {
                    reading.start(&start)?;
                    reading.end()?;
                }
                Event::End(_) => reading.end()?,
                Event::Text(text) => reading.add_text(&text.decode().map_err(|e| no_xml(&e))?)?,
                Event::CData(data) => reading.add_text(&data.decode().map_err(|e| no_xml(&e))?)?,
                Event::GeneralRef(reference) => {
                    let name = reference.decode().map_err(|e| no_xml(&e))?;
                    match reference.resolve_char_ref().map_err(|e| no_xml(&e))? {
                        Some(c) => reading.add_text(c.encode_utf8(&mut [0; 4]))?,
                        None => reading.add_text(
                            resolve_xml_entity(&name).ok_or(NoPage::NotXml(name.to_string()))?,
                        )?,
                    }
                }
                Event::Eof => return reading.finish(),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }
}

fn mixed() -> NoPage {
    NoPage::NotXml("text beside elements".to_owned())
}

fn no_xml(error: &impl ToString) -> NoPage {
    NoPage::NotXml(snippet(error.to_string().as_bytes()))
}

/// A page that is being read.
struct Reading {
    root: &'static str,
    /// The names of the elements that are open.
    open: Vec<String>,
    text: String,
    /// An element has ended inside of the one that is open.
    mixed: bool,
    /// The name that is being read is percent-encoded.
    encoded: bool,
    object: Partial,
    page: Page,
    more: Option<bool>,
    /// How many entries it says that it has, and how many it has: objects, and prefixes of more.
    count: Option<u64>,
    came: [u64; 2],
    /// Whether it has a list of blobs, and says how to go on, as pages of Azure do.
    lists: bool,
    ends: bool,
    whole: bool,
}

impl Reading {
    fn new(kind: Kind) -> Self {
        let root = if kind == Kind::Azure { AZURE } else { "ListBucketResult" };
        Self {
            root,
            open: Vec::new(),
            text: String::new(),
            mixed: false,
            encoded: false,
            object: Partial::default(),
            page: Page::default(),
            more: None,
            count: None,
            came: [0; 2],
            lists: false,
            ends: false,
            whole: false,
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), NoPage> {
        let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
        if self.open.is_empty() && (self.whole || name != self.root) {
            let found = snippet(name.as_bytes());
            return Err(NoPage::OtherKind { found, expected: self.root });
        }
        if !self.text.trim().is_empty() {
            return Err(mixed());
        }
        self.mixed = false;
        if self.open.len() == DEEPEST {
            return Err(NoPage::NotXml("its elements are nested too deep".to_owned()));
        }
        self.encoded = attribute(start, "Encoded")?.is_some_and(|value| value == "true");
        if self.open.is_empty()
            && let Some(name) = attribute(start, "ContainerName")?
        {
            // Versions of Azure before 2013-08-15 name its address.
            self.add_bucket(name.trim_end_matches('/').rsplit('/').next().unwrap_or_default())?;
        }
        self.open.push(name);
        self.text.clear();
        if matches!(self.path()[..], [_, "Contents"] | [_, "Blobs", "Blob"]) {
            self.object = Partial::default();
        }
        Ok(())
    }

    fn add_text(&mut self, text: &str) -> Result<(), NoPage> {
        let is_outside = self.open.is_empty() && !text.trim_matches('\u{feff}').trim().is_empty();
        if self.mixed && !self.open.is_empty() && !text.trim().is_empty() {
            return Err(mixed());
        }
        if is_outside {
            let text = snippet(text.trim().as_bytes());
            return Err(NoPage::NotXml(format!("text outside of its root: {text}")));
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Keeps the name of the bucket; an empty one names none.
    fn add_bucket(&mut self, name: &str) -> Result<(), NoPage> {
        match name {
            "" => Ok(()),
            name => once(&mut self.page.bucket, name.to_owned(), "its bucket"),
        }
    }

    fn path(&self) -> Vec<&str> {
        self.open.iter().map(String::as_str).collect()
    }

    fn end(&mut self) -> Result<(), NoPage> {
        let text = std::mem::take(&mut self.text);
        let path = self.path();
        match path[..] {
            [_, "NextContinuationToken" | "NextMarker"] if !text.is_empty() => {
                if text.len() > LONGEST_NAME {
                    return Err(NoPage::Lacks("token for the next page"));
                }
                self.ends = true;
                once(&mut self.page.next, text, "how to go on")?;
            }
            [_, "EncodingType"] if !text.is_empty() => {
                return Err(NoPage::Muddled("an encoding of keys that was not asked for"));
            }
            [_, "Blobs"] => self.lists = true,
            [_, "NextMarker"] => self.ends = true,
            [_, "IsTruncated"] => {
                let more = match &*text.trim().to_ascii_lowercase() {
                    "true" => true,
                    "false" => false,
                    _ => return Err(NoPage::Muddled("whether more follows")),
                };
                once(&mut self.more, more, "whether more follows")?;
            }
            [_, "KeyCount"] => {
                let count = text.trim().parse().map_err(|_| NoPage::Lacks("count"))?;
                once(&mut self.count, count, "how many entries it has")?;
            }
            [_, "Prefix"] if !text.is_empty() && !self.encoded => {
                once(&mut self.page.prefix, text, "its prefix")?;
            }
            // In an answer that began well.
            [_, "Error"] => {
                return Err(NoPage::OtherKind { found: "Error".to_owned(), expected: self.root });
            }
            [_, "CommonPrefixes"] => self.came[1] += 1,
            [_, "CommonPrefixes", "Prefix"] | [_, "Blobs", "BlobPrefix", "Name"] => {
                self.page.folder.get_or_insert(text);
            }
            [_, "Name"] => self.add_bucket(&text)?,
            [_, "Marker"] if text.is_empty() => {}
            [_, "ContinuationToken" | "Marker"] => {
                once(&mut self.page.token, text, "which page it is")?;
            }
            [_, "StartAfter"] => self.page.starts_after = !text.is_empty(),
            [_, "Contents"] | [_, "Blobs", "Blob"] => {
                self.came[0] += 1;
                self.add()?;
            }
            [_, "Contents", "Key"] => once(&mut self.object.key, text, "a key")?,
            [_, "Blobs", "Blob", "Name"] => {
                let key = if self.encoded { decoded(&text)? } else { text };
                once(&mut self.object.key, key, "a key")?;
            }
            [_, "Contents", "Size"] | [_, "Blobs", "Blob", "Properties", "Content-Length"] => {
                let text = text.trim();
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let size = text.parse().ok().filter(|_| digits).ok_or(NoPage::Lacks("size"))?;
                once(&mut self.object.size, size, "a size")?;
            }
            [_, "Contents", "ETag"] | [_, "Blobs", "Blob", "Properties", "Etag"] => {
                once(&mut self.object.e_tag, text, "an ETag")?;
            }
            [_, "Contents", "LastModified"] => self.object.modified = Some(text),
            [_, "Blobs", "Blob", "Properties", "ResourceType"] => {
                self.object.directory = text == "directory";
            }
            [_] => self.whole = true,
            _ => {}
        }
        self.open.pop();
        self.mixed = true;
        Ok(())
    }

    /// Adds the object that ends here; a directory is none.
    fn add(&mut self) -> Result<(), NoPage> {
        let object = std::mem::take(&mut self.object);
        if object.directory {
            return Ok(());
        }
        let is_key = |key: &String| (1..=LONGEST_NAME).contains(&key.len());
        let key = object.key.filter(is_key).ok_or(NoPage::Lacks("key"))?;
        let is_tag = |tag: &String| HeaderValue::from_str(tag).is_ok();
        if object.e_tag.as_ref().is_some_and(|tag| !is_tag(tag)) {
            return Err(NoPage::Lacks("ETag"));
        }
        let size = object.size.ok_or(NoPage::Lacks("size"))?;
        let meta = ObjectMeta {
            location: Path::default(),
            // Only asked for where there is no ETag.
            last_modified: object.modified.and_then(|m| m.trim().parse().ok()).unwrap_or_default(),
            size,
            e_tag: object.e_tag.filter(|tag| !tag.is_empty()),
            version: None,
        };
        self.page.objects.push(Found { key, meta });
        Ok(())
    }

    fn finish(self) -> Result<Page, NoPage> {
        if !self.whole {
            return Err(NoPage::Unfinished);
        }
        let [objects, prefixes] = self.came;
        let is_page = match self.root {
            AZURE => self.lists && self.ends,
            // One without entries says so by either.
            _ => self.more.is_some() || self.count.is_some() || objects + prefixes > 0,
        };
        if !is_page {
            return Err(NoPage::Nothing);
        }
        if self.more == Some(true) && self.page.next.is_none() {
            return Err(NoPage::NoToken);
        }
        // Some stores count the prefixes, and some do not.
        if let Some(told) = self.count
            && told != objects
            && told != objects + prefixes
        {
            return Err(NoPage::Count { told, came: objects + prefixes });
        }
        Ok(self.page)
    }
}

/// The value of an attribute, as it reads once what is escaped in it is decoded.
fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, NoPage> {
    let mut value = None;
    for found in start.attributes() {
        // One that is there twice is no XML.
        let found = found.map_err(|e| no_xml(&e))?;
        if found.key.as_ref() == name.as_bytes() {
            let read = found.normalized_value(XmlVersion::Implicit1_0).map_err(|e| no_xml(&e))?;
            value = Some(read.into_owned());
        }
    }
    Ok(value)
}

/// Sets what a page says once.
fn once<T>(place: &mut Option<T>, value: T, what: &'static str) -> Result<(), NoPage> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(NoPage::Muddled(what)),
    }
}

/// A name that was encoded because XML cannot hold it.
fn decoded(text: &str) -> Result<String, NoPage> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex =
            after.get(..2).filter(|_| *first == b'%').and_then(|hex| str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).map_err(|_| NoPage::Lacks("key"))
}
