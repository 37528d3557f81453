//! Reads a page from the XML that a store answers with.
//!
//! What it does not say for sure is an error: that more follows, how many entries there are, what an
//! object is called. Elements that change which objects a page names stand where they have to, or
//! there is no page (`elements`).

use object_store::ObjectMeta;
use object_store::path::Path;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesDecl, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use reqwest::header::HeaderValue;

use super::elements::{BUCKET, CONTAINER, Holds};
use super::{Found, Kind, LONGEST_NAME, NoPage, Page};
use crate::error::snippet;

/// The root of a page of Azure.
const AZURE: &str = "EnumerationResults";

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
    pub(in super::super) fn read(kind: Kind, body: &[u8]) -> Result<Self, NoPage> {
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
                Event::Decl(declared) => plain(&declared)?,
                Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }
}

/// Whether what a page says of its encoding is what it is read as: other bytes would be other keys.
fn plain(declared: &BytesDecl<'_>) -> Result<(), NoPage> {
    let Some(named) = declared.encoding() else { return Ok(()) };
    let named = named.map_err(|e| no_xml(&e))?;
    match ["utf-8", "utf8", "us-ascii", "ascii"]
        .iter()
        .any(|plain| plain.as_bytes().eq_ignore_ascii_case(&named))
    {
        true => Ok(()),
        false => Err(NoPage::Encoding(snippet(&named))),
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
    /// The names of the elements that are open, and what each may hold.
    open: Vec<String>,
    holds: Vec<Holds>,
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
    /// How many it may have.
    most: Option<u64>,
    /// Whether it has a list of blobs, and says how to go on, as pages of Azure do.
    lists: bool,
    ends: bool,
    whole: bool,
}

impl Reading {
    fn new(kind: Kind) -> Self {
        Self {
            root: if kind == Kind::Azure { AZURE } else { "ListBucketResult" },
            open: Vec::new(),
            holds: vec![if kind == Kind::Azure { CONTAINER } else { BUCKET }],
            text: String::new(),
            mixed: false,
            encoded: false,
            object: Partial::default(),
            page: Page::default(),
            more: None,
            count: None,
            came: [0; 2],
            most: None,
            lists: false,
            ends: false,
            whole: false,
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), NoPage> {
        let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
        if self.open.is_empty() && self.whole {
            return Err(NoPage::Behind);
        }
        if self.open.is_empty() && name != self.root {
            let found = snippet(name.as_bytes());
            return Err(NoPage::OtherKind { found, expected: self.root });
        }
        if !self.text.trim().is_empty() {
            return Err(mixed());
        }
        self.mixed = false;
        if let (Some(within), Some(holds)) = (self.open.last(), self.holds.last()) {
            let root = self.holds[0];
            let misplaced = || NoPage::Misplaced(snippet(format!("{within}/{name}").as_bytes()));
            let holds = holds.within(&name, root).ok_or_else(misplaced)?;
            self.holds.push(holds);
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
            // Only asked where nothing else says that more follows.
            [_, "MaxKeys"] => self.most = text.trim().parse().ok(),
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
        if !self.open.is_empty() {
            self.holds.pop();
        }
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
        // A store that says nothing of it has given all, unless it has given as much as it may.
        if self.root != AZURE
            && self.more.is_none()
            && self.page.next.is_none()
            && self.most.is_some_and(|most| most > 0 && objects + prefixes >= most)
        {
            return Err(NoPage::Full);
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
