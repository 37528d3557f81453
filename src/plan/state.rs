//! The state of a run, read: its plan, what the first phase came to, the objects it is of, and its report.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use creel_operators::aggregate::{Damaged, Reader as AggregateReader};

use super::bytes::{Digest, Kind, Reader};
use super::coverage::{Covered, Ordered};
use super::data::{Plan, decoded};
use super::index::{ChunkPlace, Index, Indexed, IndexedChunks, IndexedRows, rows};
use super::report::Report;
use super::shard::Shard;
use super::writer::{CHUNK, MORE, OBJECTS, PLAN, REPORT, ROWS, SHARD};
use crate::block::Block;
use crate::program::{ReadChunks, Run};
use crate::progress::Progress;
use crate::run::{self, Context, Stop};
use crate::source::{Local, Object, Opener};
use crate::{Error, Place, Result};

/// A state that was written: checked as a whole, and read again as often as it is needed.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    name: Arc<str>,
    home: Home,
    pub(super) plan: Plan,
    pub(super) digest: Digest,
    pub(super) report: Report,
    /// The shard of keys that it has, if not all.
    pub(super) shard: Option<Shard>,
    /// The frames of the objects that it is of.
    objects: Arc<[ChunkPlace]>,
    /// A reader that stands nowhere.
    reader: Arc<Reader<io::Empty>>,
    /// What it has of each result of the plan.
    results: Vec<Of>,
    /// Bytes that it takes.
    pub(super) size: u64,
}

/// What a file has of a result.
#[derive(Debug, Clone)]
enum Of {
    Chunks(Arc<Chunks>),
    Rows(IndexedRows),
}

/// The chunks of a state, and where they are.
#[derive(Debug)]
struct Chunks {
    home: Home,
    /// A reader that stands nowhere.
    reader: Arc<Reader<io::Empty>>,
    indexed: IndexedChunks,
}

/// Where the bytes are.
#[derive(Debug, Clone)]
enum Home {
    Memory(Arc<[u8]>),
    File(Opener),
    /// What came through a pipe.
    Spooled(Arc<File>),
}

impl Stored {
    /// Opens and checks all of a file: nothing that is damaged further on is printed half. What can be
    /// read only once is kept in a temporary file, in this folder if there is one.
    ///
    /// # Errors
    /// What stands in the way of reading it, and [`Error::Unsupported`] for an object in a store.
    pub(crate) fn open(object: &Object, folder: Option<&Path>) -> Result<Self> {
        let home = match object.local() {
            None => {
                let reason =
                    "a state is read from a file or a pipe, not from a store; copy it first";
                let place = Place::object(object.name());
                return Err(Error::Unsupported { place, reason: reason.to_owned() });
            }
            Some(Local::Stdin) => Home::Spooled(spooled(&mut io::stdin().lock(), object, folder)?),
            Some(Local::File(file)) => Home::File(file.opener()),
            Some(Local::Pipe(path)) => {
                let mut pipe = File::open(path).map_err(|error| object.failed(error))?;
                Home::Spooled(spooled(&mut pipe, object, folder)?)
            }
        };
        Self::checked(object.name(), home)
    }

    /// Checks bytes in memory.
    pub(super) fn of(bytes: Arc<[u8]>) -> Result<Self> {
        Self::checked("the state", Home::Memory(bytes))
    }

    /// The same, by another name.
    pub(super) fn named(self, name: String) -> Self {
        Self { name: name.into(), ..self }
    }

    fn checked(name: &str, home: Home) -> Result<Self> {
        let mut reader = open(name, &home)?;
        let mut frame = Vec::new();
        let plan = match reader.next(&mut frame)?.then(|| frame.split_first()).flatten() {
            Some((&PLAN, plan)) => Plan::decoded(plan, reader.digest, name)?,
            _ => return Err(reader.damaged("its plan is missing")),
        };
        let (mut shard, mut report) = (None, None);
        let mut index = Index::new(&plan);
        let (mut objects, mut ordered) = (Vec::new(), Ordered::default());
        loop {
            let place = ChunkPlace { frame: reader.frames, at: reader.at, frames: 1 };
            if !reader.next(&mut frame)? {
                break;
            }
            match frame.split_first() {
                _ if report.is_some() => return Err(reader.damaged("something follows its report")),
                Some((&SHARD, bytes)) if place.frame == 1 => {
                    let read = decoded::<Shard>(bytes, name)?;
                    let sound = Some(read).filter(|shard| shard.is_sound());
                    shard = Some(sound.ok_or_else(|| reader.damaged("there is no such shard"))?);
                }
                Some((&REPORT, bytes)) => {
                    report = Some(decoded::<Report>(bytes, name)?);
                }
                Some((&OBJECTS, bytes)) => {
                    ordered.check(bytes).map_err(|what| reader.damaged(what))?;
                    objects.push(place);
                }
                _ if !objects.is_empty() => {
                    return Err(
                        reader.damaged("something stands between its objects and its report")
                    );
                }
                Some((&ROWS, bytes)) => {
                    index.add_rows(place, bytes).map_err(|what| reader.damaged(what))?;
                }
                Some((&CHUNK, bytes)) => {
                    index.begin(place, bytes).map_err(|what| reader.damaged(what))?;
                }
                Some((&MORE, bytes)) => index.go_on(bytes).map_err(|what| reader.damaged(what))?,
                _ => return Err(reader.damaged("there is a part that nobody knows")),
            }
        }
        let Some(report) = report else {
            return Err(reader.damaged("its report is missing"));
        };
        let indexed = index.finish().map_err(|what| reader.damaged(what))?;
        let (report, size, digest) = (report.shown(), reader.at, reader.digest);
        let reader = Arc::new(reader.again(io::empty(), 0, 0));
        let results = indexed.into_iter().map(|indexed| match indexed {
            Indexed::Rows(rows) => Of::Rows(rows),
            Indexed::Chunks(indexed) => {
                let (home, reader) = (home.clone(), Arc::clone(&reader));
                Of::Chunks(Arc::new(Chunks { home, reader, indexed }))
            }
        });
        let (name, results, objects) = (name.into(), results.collect(), objects.into());
        Ok(Self { name, home, digest, plan, report, shard, objects, reader, results, size })
    }

    /// As messages name it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The chunks that it has of a result, if that is carried in chunks.
    pub(super) fn run(&self, result: usize, context: &Context) -> Option<Run> {
        let Of::Chunks(chunks) = self.results.get(result)? else { return None };
        let IndexedChunks { places, largest, bytes } = &chunks.indexed;
        let (number, largest, bytes) = (places.len(), *largest, *bytes);
        let (chunks, progress) = (Arc::clone(chunks), Arc::clone(&context.progress));
        Some(Run {
            number,
            largest,
            bytes,
            chunks: Arc::new(StoredChunks { chunks, progress, read: AtomicUsize::new(0) }),
        })
    }

    fn indexed_rows(&self, result: usize) -> IndexedRows {
        match self.results.get(result) {
            Some(Of::Rows(rows)) => *rows,
            Some(Of::Chunks(_)) | None => IndexedRows::default(),
        }
    }

    /// How many rows it has of a result.
    pub(super) fn rows(&self, result: usize) -> u64 {
        self.indexed_rows(result).rows
    }

    /// The objects that it is of, in the order of their ids.
    pub(super) fn objects(&self) -> Objects<'_> {
        Objects { stored: self, frame: 0, objects: Vec::new().into_iter() }
    }

    /// The rows of a result, one frame after another.
    pub(super) fn frames(&self, result: usize, stop: &Stop, progress: &Arc<Progress>) -> Frames {
        let place = self.indexed_rows(result).place;
        let (stop, progress) = (stop.clone(), Arc::clone(progress));
        Frames { stored: self.clone(), place, reader: None, frame: Vec::new(), stop, progress }
    }
}

/// Reads the objects of a state, a frame of them at a time. The file is opened for each, as for chunks.
pub(super) struct Objects<'s> {
    stored: &'s Stored,
    /// The next of its frames.
    frame: usize,
    objects: std::vec::IntoIter<Covered>,
}

impl Objects<'_> {
    /// The next of them; `None` after the last.
    ///
    /// # Errors
    /// As for reading a state.
    pub(super) fn next(&mut self) -> Result<Option<Covered>> {
        if let Some(object) = self.objects.next() {
            return Ok(Some(object));
        }
        let Stored { name, home, objects, .. } = self.stored;
        let Some(&place) = objects.get(self.frame) else { return Ok(None) };
        self.frame += 1;
        let input =
            home.open(place.at).map_err(|error| Error::io(Place::object(&**name), error))?;
        let mut reader = self.stored.reader.again(input, place.frame, place.at);
        let mut frame = Vec::new();
        reader.next(&mut frame)?;
        let objects = Covered::of(frame.get(1..).unwrap_or_default());
        self.objects = objects.map_err(|what| reader.damaged(what))?.into_iter();
        Ok(self.objects.next())
    }
}

/// The bytes of what can be read only once, in a file without a name.
fn spooled(input: &mut impl Read, object: &Object, folder: Option<&Path>) -> Result<Arc<File>> {
    let folder = folder.map_or_else(std::env::temp_dir, Path::to_owned);
    let written = |error: io::Error| {
        let place = Place::object(format!("the temporary file in {}", folder.display()));
        let told = format!("{error}; choose another folder");
        Error::io(place, io::Error::new(error.kind(), told))
    };
    let mut spool = tempfile::tempfile_in(&folder).map_err(written)?;
    let mut bytes = vec![0; 64 << 10];
    loop {
        match input.read(&mut bytes) {
            Ok(0) => return Ok(Arc::new(spool)),
            Ok(read) => spool.write_all(&bytes[..read]).map_err(written)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(object.failed(error)),
        }
    }
}

/// Reads from the start, whoever else reads it.
#[derive(Debug)]
pub(super) struct FromStart {
    pub(super) file: Arc<File>,
    pub(super) at: u64,
}

impl Read for FromStart {
    #[cfg(unix)]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }

    #[cfg(not(unix))]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.at))?;
        let read = file.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

fn open(name: &str, home: &Home) -> Result<Reader<Box<dyn Read + Send>>> {
    let input = home.open(0).map_err(|error| Error::io(Place::object(name), error))?;
    Reader::new(input, Kind::State, name)
}

impl Home {
    /// Opens the bytes from a byte on.
    fn open(&self, at: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Memory(bytes) => {
                let mut cursor = io::Cursor::new(Arc::clone(bytes));
                cursor.set_position(at);
                Box::new(cursor)
            }
            Self::Spooled(file) => Box::new(FromStart { file: Arc::clone(file), at }),
            Self::File(opener) => {
                let mut file = opener.open()?;
                file.seek(SeekFrom::Start(at))?;
                Box::new(file)
            }
        })
    }
}

/// Reads chunks of a state as a run asks for them. The file is opened for each: the states of a merge may
/// be more than files that a process can have open.
#[derive(Debug)]
struct StoredChunks {
    chunks: Arc<Chunks>,
    progress: Arc<Progress>,
    /// How many chunks were read.
    read: AtomicUsize,
}

impl ReadChunks for StoredChunks {
    fn read(&self, number: usize, bytes: &mut Vec<u8>) -> Result<()> {
        let Chunks { home, reader, indexed } = &*self.chunks;
        let place = indexed.places[number];
        let input = home.open(place.at).map_err(|error| reader.fault(error))?;
        let mut reader = reader.again(input, place.frame, place.at);
        let mut frame = Vec::new();
        bytes.clear();
        for piece in 0..place.frames {
            reader.next(&mut frame)?;
            let mut rest = AggregateReader::new(&frame);
            let head = rest.byte().and_then(|_| if piece == 0 { rest.u64() } else { Ok(0) });
            let body = head.and_then(|_| rest.take(rest.left()));
            bytes.extend_from_slice(body.map_err(|damaged| self.damaged(number, &damaged))?);
        }
        // A merge that has no room for a chunk reads it again; chunks of a run are read in order.
        if self.read.fetch_max(number + 1, Relaxed) <= number {
            self.progress.add_read(reader.at - place.at);
        }
        Ok(())
    }

    fn damaged(&self, number: usize, damaged: &Damaged) -> Error {
        let Chunks { reader, indexed, .. } = &*self.chunks;
        let at = indexed.places[number].at;
        reader.again(io::empty(), 0, at).damaged(&format!("{}; write it again", damaged.what))
    }
}

/// The frames of the rows of a result in a file. It is opened when the first is asked for.
pub(super) struct Frames {
    stored: Stored,
    /// Where those are that were not read.
    place: Option<ChunkPlace>,
    reader: Option<Reader<Box<dyn Read + Send>>>,
    frame: Vec<u8>,
    stop: Stop,
    progress: Arc<Progress>,
}

impl Frames {
    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the run is told to stop, and as for reading a state.
    pub(super) fn next_rows(&mut self) -> Result<Option<&[u8]>> {
        if self.stop.is_set() {
            return Err(Error::Cancelled);
        }
        let Some(place) = self.place.as_mut().filter(|place| place.frames > 0) else {
            return Ok(None);
        };
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => {
                let Stored { name, home, reader, .. } = &self.stored;
                let input = home.open(place.at);
                let input = input.map_err(|error| Error::io(Place::object(&**name), error))?;
                none.insert(reader.again(input, place.frame, place.at))
            }
        };
        place.frames -= 1;
        let before = reader.at;
        reader.next(&mut self.frame)?;
        self.progress.add_read(reader.at - before);
        Ok(Some(rows(self.frame.get(1..).unwrap_or_default())))
    }
}

/// The rows of a result of several states, one after another, as an input of blocks.
#[derive(Debug)]
pub(crate) struct StoredRows {
    states: Vec<Stored>,
    result: usize,
    stop: Stop,
    progress: Arc<Progress>,
}

impl StoredRows {
    /// Those of a result of these states, which a run reads.
    pub(super) fn new(states: &[Stored], result: usize, context: &Context) -> Self {
        let (stop, progress) = (context.stop.clone(), Arc::clone(&context.progress));
        Self { states: states.to_vec(), result, stop, progress }
    }
}

impl run::Input for StoredRows {
    type Reader = RowsReader;

    fn partitions(&self) -> usize {
        self.states.len()
    }

    fn open(&self, partition: usize) -> RowsReader {
        let stored = &self.states[partition];
        let name = format!("rows of {}", stored.name).into();
        let frames = stored.frames(self.result, &self.stop, &self.progress);
        RowsReader { frames, name, partition, offset: 0 }
    }
}

/// The rows of one state.
pub(crate) struct RowsReader {
    frames: Frames,
    /// As messages name the rows: their bytes are none of the file's.
    name: Arc<str>,
    partition: usize,
    /// Where the next rows begin among all of the state.
    offset: u64,
}

impl run::Reader for RowsReader {
    type Block = Block;

    async fn next(&mut self) -> Result<Option<Block>> {
        let Self { frames, name, partition, offset } = self;
        // What was read until a run is told to stop is its input.
        let rows = match frames.next_rows() {
            Err(Error::Cancelled) => None,
            rows => rows?,
        };
        Ok(rows.map(|rows| {
            let block = Block::made(rows, name, *partition, *offset);
            *offset += rows.len() as u64;
            block
        }))
    }

    fn weight(block: &Block) -> usize {
        block.weight()
    }
}
