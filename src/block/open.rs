//! How an object is read, by its first bytes: its codec, its encoding, and whether it is text.

use std::sync::Arc;

use super::codec::Codec;
use super::content::{self, Expected};
use super::cut::{Bytes, Cutter, Rule, Start};
use super::delimiter::Ends;
use super::encoding::{Encoding, Units};
use super::part::{Failed, Part};
use super::{BlockOptions, Compression, Delimiter, Windows, splittable};
use crate::error::{Place, snippet};
use crate::progress::{InputOrder, Progress};
use crate::source::{HEAD, Object, Pool};
use crate::{Error, Result};

/// The byte order marks, and what follows them.
const LITTLE: (Units, &[u8]) = (Units::Utf16 { big_endian: false }, b"\xff\xfe");
const BIG: (Units, &[u8]) = (Units::Utf16 { big_endian: true }, b"\xfe\xff");
const UTF8: (Units, &[u8]) = (Units::Bytes, b"\xef\xbb\xbf");

/// Decides, from an object's first bytes, how it is read.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) rule: Rule,
    compression: Compression,
    encoding: Encoding,
    splittable: bool,
    /// Data that is no text is read as text all the same.
    allow_binary: bool,
    nul_delimited: bool,
    /// Decoded bytes for each compressed one.
    #[cfg_attr(not(feature = "decompress"), expect(dead_code))]
    pub(super) max_ratio: u64,
    #[cfg_attr(not(feature = "decompress"), expect(dead_code))]
    windows: Windows,
    progress: Arc<Progress>,
}

impl Open {
    pub(super) fn new(
        options: &BlockOptions,
        pool: &Pool,
        partition: usize,
        progress: Arc<Progress>,
    ) -> Self {
        let rule = Rule {
            target: options.blocksize.clamp(1, pool.blocksize()),
            ends: Ends::new(&options.delimiter, options.encoding),
            line: options.delimiter == Delimiter::Line,
            max_record: options.max_record,
            nuls_pass: options.allow_binary
                || options.encoding == Encoding::Raw
                || options.delimiter.bytes().contains(&0),
            damaged: options.damaged,
            pool: pool.clone(),
            partition,
            order: InputOrder::default(),
        };
        Self {
            rule,
            compression: options.compression,
            encoding: options.encoding,
            splittable: splittable(options),
            allow_binary: options.allow_binary,
            nul_delimited: options.delimiter.bytes().contains(&0),
            max_ratio: options.max_ratio,
            windows: options.windows.clone(),
            progress,
        }
    }

    /// Tells where the run fails, if this is an error.
    pub(super) fn told<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.progress.fails(self.rule.order);
        }
        result
    }

    /// Reads until the first bytes, which decide, are there. An error is kept for whoever reads
    /// on: a damaged stream may hold records before the damage.
    ///
    /// # Errors
    /// One that says that the object cannot be read at all.
    pub(super) async fn gather(&self, part: &mut Part) -> Result<()> {
        let end = part.end.and_then(|end| usize::try_from(end).ok());
        let most = end.unwrap_or(usize::MAX).min(self.rule.target).max(HEAD);
        part.read = self.rule.pool.take();
        while part.read.len() < HEAD {
            match part.read.read(&mut part.bytes, most - part.read.len()).await {
                Ok(0) => return Ok(()),
                Ok(_) if part.live && self.decides(&part.read) => return Ok(()),
                Ok(_) => {}
                Err(error) => {
                    let error = Error::io(Place::object(&*part.object), error);
                    if part.read.is_empty() && !error.is_damage() {
                        return Err(error);
                    }
                    part.bytes = Box::pin(Failed(Some(error.into())));
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether these first bytes, of data that somebody is still writing, are enough to know how to
    /// read on.
    ///
    /// No record is held back for long: without a record's end there is none, and NULs are waited
    /// for only to see whether there are many.
    fn decides(&self, head: &[u8]) -> bool {
        const ENOUGH: usize = 1024;
        let marks = [LITTLE.1, BIG.1, UTF8.1];
        let short = |mark: &[u8]| head.len() < mark.len() && mark.starts_with(head);
        if Codec::undecided(head) || marks.into_iter().any(short) {
            return false;
        }
        let (_, units) = self.units(head);
        // A header of a tar archive has NULs after a name.
        if head.len() < 512 && head.contains(&0) && !self.nul_delimited {
            return false;
        }
        let checked = !self.allow_binary && units == Units::Bytes && self.encoding != Encoding::Raw;
        !checked
            || self.rule.ends.first(head, 0).is_some()
                && (self.nul_delimited || head.len() >= ENOUGH || !head.contains(&0))
    }

    /// What an object is that begins so, if it is not what is going to be read.
    fn refused(&self, head: &[u8]) -> Option<content::Kind> {
        if self.allow_binary || self.encoding == Encoding::Raw {
            return None;
        }
        let (_, units) = self.units(head);
        content::find(head, Expected { units, nul_delimited: self.nul_delimited })
    }

    /// The error for an object that its store names a content coding of, with which it is no text.
    pub(super) fn undecoded(&self, object: &Object, head: &[u8]) -> Option<Error> {
        if self.allow_binary || self.encoding == Encoding::Raw {
            return None;
        }
        let coding = object.undecoded(head)?;
        Some(Error::NotText {
            place: object.into(),
            found: format!("data in the Content-Encoding {:?}", snippet(coding.as_bytes())),
            mend: "decode it first, or correct the metadata of the object".to_owned(),
        })
    }

    /// Decompresses an object whose first bytes were gathered, and gathers again. Whether it is read
    /// whole by its first slice.
    pub(super) async fn decode(&self, part: &mut Part) -> Result<bool> {
        let Some(codec) = self.codec(part)? else { return Ok(false) };
        let place = self.place(part);
        self.decompress(part, codec, place)?;
        self.gather(part).await?;
        Ok(true)
    }

    /// Whether decoded bytes are an archive, whose members are read.
    #[cfg(feature = "tar")]
    pub(super) fn is_archive(&self, read: &[u8]) -> bool {
        self.compression != Compression::None && content::is_tar(read)
    }

    /// A member of an archive; an archive in it is not read.
    #[cfg(feature = "tar")]
    pub(super) async fn member(&self, mut part: Part) -> Result<Cutter> {
        self.gather(&mut part).await?;
        // The codec that was asked for is that of the archive.
        if let Some(codec) = Codec::of(&part.read[..part.read.len().min(HEAD)]) {
            let place = self.place(&part);
            self.decompress(&mut part, codec, place)?;
            self.gather(&mut part).await?;
        }
        self.begin(part, true)
    }

    /// An object's first slice, gathered.
    #[cfg(test)]
    pub(super) async fn first(&self, mut part: Part) -> Result<Cutter> {
        let whole = self.decode(&mut part).await?;
        self.begin(part, whole)
    }

    /// An object's first slice, decoded: all of the object, if it is not cut by slices.
    pub(super) fn begin(&self, mut part: Part, whole: bool) -> Result<Cutter> {
        let mut splittable = self.splittable && !whole;
        let head = &part.read[..part.read.len().min(HEAD)];
        if let Some(mut kind) = self.refused(head) {
            if whole && let Some(codec) = Codec::of(head) {
                kind = content::compressed_twice(codec);
            }
            return Err(kind.refuse(Place::object(&*part.object)));
        }
        let (mark, units) = self.units(&part.read);
        let foreign = self.is_foreign(units, &part.read);
        part.read.advance(mark);
        if let Units::Utf16 { big_endian } = units {
            splittable = false;
            part.bytes = Box::pin(decoded(part.take_bytes(), big_endian, self.place(&part))?);
        }
        if matches!(units, Units::SingleByte(_)) && cfg!(not(feature = "encoding")) {
            return Err(unsupported(self.place(&part), units.name(), "encoding"));
        }
        Ok(self.cutter(
            Part { end: part.end.filter(|_| splittable), ..part },
            units,
            foreign,
            mark as u64,
            None,
        ))
    }

    /// Another slice, of an object that begins with `head`; nothing if the first slice takes all, or
    /// refuses all.
    pub(super) fn later(&self, part: Part, head: &[u8]) -> Option<Cutter> {
        let compressed = self.compression == Compression::Auto && Codec::of(head).is_some();
        let (mark, units) = self.units(head);
        let whole = compressed || matches!(units, Units::Utf16 { .. });
        #[cfg(feature = "tar")]
        let whole = whole || self.is_archive(head);
        if !self.splittable || whole || self.refused(head).is_some() {
            return None;
        }
        // The mark is none of the first record's bytes, so no delimiter can begin in it.
        let after = part.start.saturating_sub(self.rule.ends.len() as u64).max(mark as u64);
        let (at, read) = (part.at, self.rule.pool.take());
        let foreign = self.is_foreign(units, head);
        Some(self.cutter(Part { read, ..part }, units, foreign, at, Some(after)))
    }

    /// Whether most records in an object's first bytes are not in UTF-8, as they should be.
    fn is_foreign(&self, units: Units, head: &[u8]) -> bool {
        let head = &head[..head.len().min(HEAD)];
        units == Units::Bytes
            && self.encoding != Encoding::Raw
            && content::is_foreign(head, &self.rule.ends)
    }

    fn cutter(
        &self,
        part: Part,
        units: Units,
        foreign: bool,
        offset: u64,
        after: Option<u64>,
    ) -> Cutter {
        let start = Start {
            object: part.object,
            units,
            foreign,
            bytes: part.bytes,
            buffer: part.read,
            offset,
            after,
            end: part.end,
            live: part.live,
            #[cfg(feature = "decompress")]
            pieces: part.pieces,
        };
        Cutter::new(self.rule.clone(), start)
    }

    /// Goes on with the bytes that are compressed in those of a part.
    #[cfg(feature = "decompress")]
    fn decompress(&self, part: &mut Part, codec: Codec, place: Place) -> Result<()> {
        use super::decompress::{Object, decompress, guarded, metered};
        let (bytes, compressed) = metered(part.take_bytes());
        let mut end = self.rule.order.behind();
        if end.member == 0 {
            // Behind all members, if it is an archive.
            end.member = u64::MAX;
        }
        let object = Object {
            place: place.clone(),
            progress: Arc::clone(&self.progress),
            end,
            windows: self.windows.clone(),
        };
        let (bytes, pieces) = decompress(codec, bytes, object, part.live)?;
        part.bytes = Box::pin(guarded(bytes, compressed, self.max_ratio, place));
        part.pieces = pieces;
        Ok(())
    }

    #[cfg(not(feature = "decompress"))]
    #[expect(clippy::unused_self)]
    fn decompress(&self, _: &mut Part, codec: Codec, place: Place) -> Result<()> {
        Err(unsupported(place, codec.name(), codec.name()))
    }

    /// The codec to read an object with, whose first bytes have been read.
    fn codec(&self, part: &Part) -> Result<Option<Codec>> {
        let head = &part.read[..part.read.len().min(HEAD)];
        if self.compression == Compression::None || head.is_empty() {
            return Ok(None);
        }
        let seen = Codec::of(head);
        let Some(asked) = Codec::asked(self.compression) else { return Ok(seen) };
        if seen == Some(asked) {
            return Ok(seen);
        }
        let name = asked.name();
        let looks = seen.map_or_else(|| content::name(head), Codec::name);
        let reason = format!(
            "wrong magic number for {name} ({}): it looks like {looks}; let the codec be found by \
             the first bytes, or name the right one",
            snippet(&head[..head.len().min(8)])
        );
        Err(Error::Corrupt { place: self.place(part).at(0), reason })
    }

    /// The length of the mark at the beginning, and what the text is made of.
    fn units(&self, head: &[u8]) -> (usize, Units) {
        let marked = match self.encoding {
            Encoding::Auto => {
                [LITTLE, BIG, UTF8].into_iter().find(|(_, mark)| head.starts_with(mark))
            }
            Encoding::Utf8 => Some(UTF8),
            Encoding::Utf16Le => Some(LITTLE),
            Encoding::Utf16Be => Some(BIG),
            other => return (0, other.table().map_or(Units::Bytes, Units::SingleByte)),
        };
        let (units, mark) = marked.unwrap_or((Units::Bytes, b""));
        (if head.starts_with(mark) { mark.len() } else { 0 }, units)
    }

    fn place(&self, part: &Part) -> Place {
        Place::object(&*part.object).partition(self.rule.partition)
    }
}

fn decoded(bytes: Bytes, big_endian: bool, object: Place) -> Result<Bytes> {
    #[cfg(feature = "encoding")]
    return {
        drop(object);
        Ok(Box::pin(super::utf16::Utf16::new(bytes, big_endian)))
    };
    #[cfg(not(feature = "encoding"))]
    return {
        drop((bytes, big_endian));
        Err(unsupported(object, "UTF-16", "encoding"))
    };
}

/// The error for data that this build cannot read.
#[allow(dead_code, reason = "used where a feature is off")]
pub(super) fn unsupported(object: Place, what: &str, feature: &str) -> Error {
    let reason = format!(
        "this is {what}, and this build of creel cannot read it: build it with the feature {feature:?}"
    );
    Error::Corrupt { place: object.at(0), reason }
}
