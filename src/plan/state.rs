//! The state of a run, written and read: its plan, what the first phase came to, and its report.
//!
//! After the frame of the plan come those of rows (whole lines of JSON), or of the state of a reduction in
//! pieces, and last the report. Where frames are cut depends on nothing but what is in them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bytes::{Digest, Kind, Reader, Writer};
use super::data::{Plan, decoded, encoded};
use super::report::Report;
use crate::block::Block;
use crate::sink::Write;
use crate::{Error, Place, Result, run};

/// What a frame is of: its first byte.
const PLAN: u8 = b'P';
const ROWS: u8 = b'R';
const STATE: u8 = b'S';
const REPORT: u8 = b'T';

/// Bytes of a frame, about.
const FRAME: usize = if cfg!(test) { 64 } else { 1 << 20 };

/// Writes a state.
pub(super) struct StateWriter<'w> {
    writer: Writer<'w>,
    /// The frame that is being filled, or nothing.
    frame: Vec<u8>,
}

impl<'w> StateWriter<'w> {
    pub(super) fn new(plan: &Plan, out: &'w mut dyn Write) -> Result<Self> {
        let mut writer = Writer::new(Kind::State, plan.digest(), out)?;
        let mut frame = vec![PLAN];
        frame.extend_from_slice(&plan.encoded());
        writer.frame(&frame)?;
        Ok(Self { writer, frame: Vec::new() })
    }

    /// Writes the state of a reduction.
    pub(super) fn state(&mut self, bytes: &[u8]) -> Result<()> {
        bytes.chunks(FRAME).try_for_each(|piece| {
            self.frame.clear();
            self.frame.push(STATE);
            self.frame.extend_from_slice(piece);
            self.writer.frame(&self.frame)
        })?;
        self.frame.clear();
        Ok(())
    }

    /// What writes rows: lines of JSON, in pieces of any length. It has to be
    /// [finished](RowsWriter::finish).
    pub(super) fn rows<'s>(&'s mut self) -> RowsWriter<'s, 'w> {
        RowsWriter(self)
    }

    /// Writes the report, and the end.
    pub(super) fn end(mut self, report: &Report) -> Result<()> {
        let mut frame = vec![REPORT];
        frame.extend_from_slice(&encoded(report));
        self.writer.frame(&frame)?;
        self.writer.end()
    }
}

/// Writes rows in frames of whole lines.
pub(super) struct RowsWriter<'s, 'w>(&'s mut StateWriter<'w>);

impl RowsWriter<'_, '_> {
    /// Writes what is left.
    pub(super) fn finish(self) -> Result<()> {
        let StateWriter { writer, frame } = self.0;
        if frame.len() > 1 {
            writer.frame(frame)?;
        }
        frame.clear();
        Ok(())
    }
}

impl Write for RowsWriter<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let StateWriter { writer, frame } = &mut *self.0;
        if frame.is_empty() {
            frame.push(ROWS);
        }
        let mut searched = frame.len();
        frame.extend_from_slice(bytes);
        // After the last line that ends within a frame, or else after the first.
        while frame.len() > FRAME {
            let within = memchr::memrchr(b'\n', &frame[..FRAME]);
            let behind = || Some(searched + memchr::memchr(b'\n', frame.get(searched..)?)?);
            let Some(end) = within.or_else(behind) else { break };
            writer.frame(&frame[..=end])?;
            // The first byte of the next frame says what it is of.
            frame.drain(1..=end);
            searched = 1;
        }
        Ok(())
    }
}

/// A state that was written: checked as a whole, and read again as often as it is needed.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    name: Arc<str>,
    home: Home,
    pub(super) plan: Plan,
    pub(super) digest: Digest,
    pub(super) report: Report,
    /// Rows that it holds.
    pub(super) rows: u64,
}

/// Where the bytes are.
#[derive(Debug, Clone)]
enum Home {
    Memory(Arc<[u8]>),
    Path(PathBuf),
    /// What came through a pipe.
    Spooled(Arc<File>),
}

impl Stored {
    /// Opens and checks all of a file: nothing that is damaged further on is printed half.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let fault = |error| Error::io(Place::object(&*name), error);
        let home = spooled(path).map_err(fault)?;
        Self::checked(&name, home.unwrap_or_else(|| Home::Path(path.to_owned())))
    }

    /// Checks bytes in memory.
    pub(super) fn of(bytes: Arc<[u8]>) -> Result<Self> {
        Self::checked("the state", Home::Memory(bytes))
    }

    fn checked(name: &str, home: Home) -> Result<Self> {
        let mut reader = open(name, &home)?;
        let mut frame = Vec::new();
        let plan = match reader.next(&mut frame)?.then(|| frame.split_first()).flatten() {
            Some((&PLAN, plan)) => Plan::decoded(plan, reader.digest, name)?,
            _ => return Err(reader.damaged("its plan is missing")),
        };
        let mut report = None;
        let mut rows = 0;
        let mut body = None;
        while reader.next(&mut frame)? {
            match frame.split_first() {
                _ if report.is_some() => return Err(reader.damaged("something follows its report")),
                Some((&REPORT, bytes)) => report = Some(decoded::<Report>(bytes, name)?.shown()),
                Some((&ROWS, lines)) if body != Some(STATE) && lines.ends_with(b"\n") => {
                    body = Some(ROWS);
                    rows += memchr::memchr_iter(b'\n', lines).count() as u64;
                }
                Some((&STATE, _)) if body != Some(ROWS) => body = Some(STATE),
                _ => return Err(reader.damaged("there is a part that nobody knows")),
            }
        }
        let Some(report) = report else { return Err(reader.damaged("its report is missing")) };
        let name = name.into();
        Ok(Self { name, home, digest: reader.digest, plan, report, rows })
    }

    /// As messages name it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The bytes of the state of a reduction.
    pub(super) fn state(&self) -> Result<Vec<u8>> {
        let (mut frames, mut state) = (self.frames(), Vec::new());
        while let Some(frame) = frames.next(STATE)? {
            state.extend_from_slice(frame);
        }
        Ok(state)
    }

    /// Its rows, or the pieces of its state, one frame after another.
    pub(super) fn frames(&self) -> Frames {
        Frames { stored: self.clone(), reader: None, frame: Vec::new() }
    }

    /// The error for a part of it that is not what it should be.
    pub(super) fn damaged(&self, reason: &str) -> Error {
        Error::Corrupt {
            place: Place::object(&*self.name),
            reason: format!("{reason}; write it again"),
        }
    }
}

/// The bytes of what can be read only once; `None` of a file.
fn spooled(path: &Path) -> io::Result<Option<Home>> {
    let mut file = File::open(path)?;
    if file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut spool = tempfile::tempfile()?;
    io::copy(&mut file, &mut spool)?;
    Ok(Some(Home::Spooled(Arc::new(spool))))
}

/// Reads from the start, whoever else reads it.
#[derive(Debug)]
struct FromStart {
    file: Arc<File>,
    at: u64,
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
        use std::io::{Seek, SeekFrom};
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.at))?;
        let read = file.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

fn open(name: &str, home: &Home) -> Result<Reader<Box<dyn Read + Send>>> {
    let input: Box<dyn Read + Send> = match home {
        Home::Memory(bytes) => Box::new(io::Cursor::new(Arc::clone(bytes))),
        Home::Spooled(file) => Box::new(FromStart { file: Arc::clone(file), at: 0 }),
        Home::Path(path) => match File::open(path) {
            Ok(file) => Box::new(file),
            Err(error) => return Err(Error::io(Place::object(name), error)),
        },
    };
    Reader::new(input, Kind::State, name)
}

/// The frames of rows, or of the state, of a file. It is opened when the first is asked for.
pub(super) struct Frames {
    stored: Stored,
    reader: Option<Reader<Box<dyn Read + Send>>>,
    frame: Vec<u8>,
}

impl Frames {
    /// The next one of this kind; `None` after the last. They were checked before, so others are no more
    /// than passed over.
    pub(super) fn next(&mut self, kind: u8) -> Result<Option<&[u8]>> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(open(&self.stored.name, &self.stored.home)?),
        };
        while reader.next(&mut self.frame)? {
            if self.frame.first() == Some(&kind) {
                return Ok(self.frame.get(1..));
            }
        }
        Ok(None)
    }

    /// The next rows.
    pub(super) fn next_rows(&mut self) -> Result<Option<&[u8]>> {
        self.next(ROWS)
    }
}

/// The rows of several states, one after another, as an input of blocks.
#[derive(Debug)]
pub(super) struct StoredRows(pub(super) Vec<Stored>);

impl run::Input for StoredRows {
    type Reader = RowsReader;

    fn partitions(&self) -> usize {
        self.0.len()
    }

    fn open(&self, partition: usize) -> RowsReader {
        RowsReader { frames: self.0[partition].frames(), partition }
    }
}

/// The rows of one state.
pub(super) struct RowsReader {
    frames: Frames,
    partition: usize,
}

impl run::Reader for RowsReader {
    type Block = Block;

    async fn next(&mut self) -> Result<Option<Block>> {
        let (name, partition) = (Arc::clone(&self.frames.stored.name), self.partition);
        let rows = self.frames.next_rows()?;
        Ok(rows.map(|rows| Block::made(rows, &name, partition)))
    }

    fn weight(block: &Block) -> usize {
        block.weight()
    }
}
