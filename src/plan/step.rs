//! Plans of passes of a program in Rust: what another process of the same program needs to make one.
//!
//! A program in Rust has no text that another process could compile. The other process is the same executable,
//! which builds the same bags, so its plan only says which pass is meant: it has the digest of all that the pass is
//! made of. The values that its steps look at are there too, and what computations before it came to.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bytes::{Digest, Kind, Reader, Writer};
use super::data::{decoded, encoded};
use super::failure::Failure;
use super::state::FromStart;
use crate::sink::Write;
use crate::{Error, Place, Result};

/// What a process needs to make a pass.
#[derive(Debug)]
pub(crate) struct StepPlan {
    /// The digest of all that the pass is made of.
    pub(crate) digest: Digest,
    /// The values that its steps look at.
    pub(crate) values: Vec<Vec<u8>>,
    pub(crate) before: Before,
}

/// What a program has computed before a plan was made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Before {
    pub(crate) outcomes: Vec<Outcome>,
    /// The computations that the thread of `main` has begun one behind the other, up to the pass of the plan.
    pub(crate) begun: Vec<Digest>,
}

/// What a computation came to.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// What it is made of, and how many of that digest were begun before it.
    pub(crate) computation: Digest,
    pub(crate) nth: u32,
    /// The states of its passes, or why it failed: the program may have gone on.
    pub(crate) made: Result<Vec<KnownState>, Failure>,
}

/// The state of a pass that was made with some values.
#[derive(Debug, Clone)]
pub(crate) struct KnownState {
    pub(crate) pass: Digest,
    /// The digest of the values that its steps looked at.
    pub(crate) values: Digest,
    pub(crate) bytes: StateBytes,
}

/// The digest of values that steps look at.
pub(crate) fn digest_of_values(values: &[Vec<u8>]) -> Digest {
    Digest::of(&encoded(&values))
}

/// The bytes of a state, wherever they are.
#[derive(Debug, Clone)]
pub(crate) struct StateBytes(Home);

/// Where the bytes of a state are.
#[derive(Debug, Clone)]
enum Home {
    /// In a file, from a byte on.
    File { file: Arc<File>, at: u64, len: u64 },
    /// In the frames of a plan, from this one on, which stands there.
    Plan { file: Arc<File>, reader: Arc<Reader<io::Empty>>, frame: u64, at: u64, len: u64 },
}

impl StateBytes {
    /// How many there are.
    fn len(&self) -> u64 {
        match &self.0 {
            Home::File { len, .. } | Home::Plan { len, .. } => *len,
        }
    }

    /// Reads them from the first.
    pub(crate) fn open(&self) -> Box<dyn Read> {
        match &self.0 {
            Home::File { file, at, len } => {
                let input = FromStart { file: Arc::clone(file), at: *at };
                Box::new(BufReader::new(input.take(*len)))
            }
            Home::Plan { file, reader, frame, at, len } => {
                let input = BufReader::new(FromStart { file: Arc::clone(file), at: *at });
                let reader = reader.again(input, *frame, *at);
                Box::new(OfFrames { reader, frame: Vec::new(), at: 0 }.take(*len))
            }
        }
    }
}

/// Reads what stands in frames one behind the other.
struct OfFrames<R> {
    reader: Reader<R>,
    frame: Vec<u8>,
    /// How much of the frame was read: its first byte says what it holds.
    at: usize,
}

impl<R: Read> Read for OfFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.frame.len() {
            self.at = 1;
            if !self.reader.next(&mut self.frame)? {
                return Ok(0);
            }
        }
        let read = (&self.frame[self.at..]).read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

/// States that this process has made, one behind the other in a file without a name.
#[derive(Debug)]
pub(crate) struct StateFile {
    file: Arc<File>,
    end: u64,
    place: Place,
}

impl StateFile {
    /// A file in a folder, or in that for temporary files.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there can be none.
    pub(crate) fn new(folder: Option<&Path>) -> Result<Self> {
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        let place = Place::object(format!("the temporary file in {}", folder.display()));
        let file = tempfile::tempfile_in(&folder);
        let file = file.map_err(|error| Error::io(place.clone(), error))?;
        Ok(Self { file: Arc::new(file), end: 0, place })
    }

    /// Writes a state behind the others.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be written or read.
    pub(crate) fn keep(&mut self, state: &mut dyn Read) -> Result<StateBytes> {
        let mut file = &*self.file;
        let copied = file.seek(SeekFrom::Start(self.end)).and_then(|_| io::copy(state, &mut file));
        let len = copied.map_err(|error| Error::io(self.place.clone(), error))?;
        let at = self.end;
        self.end += len;
        Ok(StateBytes(Home::File { file: Arc::clone(&self.file), at, len }))
    }
}

/// The first frame of such a plan; values and states follow.
#[derive(Serialize, Deserialize)]
struct StepHead {
    values: u32,
    outcomes: Vec<OutcomeHead>,
    begun: Vec<Digest>,
}

#[derive(Serialize, Deserialize)]
struct OutcomeHead {
    computation: Digest,
    nth: u32,
    /// Of each state what it is of, and how many bytes it has.
    made: Result<Vec<(Digest, Digest, u64)>, Failure>,
}

impl OutcomeHead {
    fn of(outcome: &Outcome) -> Self {
        let head = |state: &KnownState| (state.pass, state.values, state.bytes.len());
        let made = outcome.made.as_ref().map_err(Failure::clone);
        let made = made.map(|states| states.iter().map(head).collect());
        Self { computation: outcome.computation, nth: outcome.nth, made }
    }
}

/// What stands before the bytes of a value, or of a piece of a state, as a frame has one byte at least.
const BYTES: u8 = b'B';

/// The most bytes of a state that are in a frame.
const PIECE: usize = 1 << 20;

impl StepPlan {
    /// Writes the plan.
    ///
    /// # Errors
    ///
    /// Those of the output; [`Error::Io`] for a state that cannot be read.
    pub(crate) fn write(&self, out: &mut dyn Write) -> Result<()> {
        let Before { outcomes, begun } = &self.before;
        let mut writer = Writer::new(Kind::Step, self.digest, out)?;
        writer.frame(&encoded(&StepHead {
            values: self.values.len() as u32,
            outcomes: outcomes.iter().map(OutcomeHead::of).collect(),
            begun: begun.clone(),
        }))?;
        for value in &self.values {
            writer.frame_of(&[&[BYTES], value])?;
        }
        let mut piece = Vec::with_capacity(PIECE);
        for state in outcomes.iter().filter_map(|outcome| outcome.made.as_ref().ok()).flatten() {
            let mut bytes = state.bytes.open();
            loop {
                piece.clear();
                let read = bytes.by_ref().take(PIECE as u64).read_to_end(&mut piece);
                read.map_err(|error| Error::io(Place::object("the state of a pass"), error))?;
                if piece.is_empty() {
                    break;
                }
                writer.frame_of(&[&[BYTES], &piece])?;
            }
        }
        writer.end()
    }

    /// The plan in a file without a name, and its length.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub(crate) fn spooled(&self, folder: Option<&Path>) -> Result<(File, u64)> {
        let StateFile { file, place, .. } = StateFile::new(folder)?;
        let failed = |error| Error::io(place.clone(), error);
        let mut out = Spooled { out: io::BufWriter::new(&*file), place: &place };
        self.write(&mut out)?;
        out.out.flush().map_err(failed)?;
        drop(out);
        let mut file = Arc::into_inner(file)
            .unwrap_or_else(|| unreachable!("nobody else has the file of a plan"));
        let len = file.stream_position().map_err(failed)?;
        file.rewind().map_err(failed)?;
        Ok((file, len))
    }

    /// Reads the plan in a file back. States stay there until they are asked for.
    ///
    /// # Errors
    ///
    /// For a file that cannot be read, is damaged, or is no such plan.
    pub(crate) fn read(path: &str) -> Result<Self> {
        let failed = |error| Error::io(Place::object(path), error);
        let file = Arc::new(File::open(path).map_err(failed)?);
        let input = BufReader::new(FromStart { file: Arc::clone(&file), at: 0 });
        let mut reader = Reader::new(input, Kind::Step, path)?;
        let mut frame = Vec::new();
        if !reader.next(&mut frame)? {
            return Err(reader.damaged("it has no beginning; submit it again"));
        }
        let StepHead { values, outcomes, begun } = decoded(&frame, path)?;
        let values = (0..values).map(|_| {
            part(&mut reader, &mut frame)?;
            Ok(frame.split_off(1))
        });
        let values = values.collect::<Result<_>>()?;
        let again = Arc::new(reader.again(io::empty(), 0, 0));
        let mut state = |(pass, values, len): (Digest, Digest, u64)| {
            let (file, of, at) = (Arc::clone(&file), Arc::clone(&again), reader.at);
            let bytes = StateBytes(Home::Plan { file, reader: of, frame: reader.frames, at, len });
            let mut left = len;
            while left > 0 {
                part(&mut reader, &mut frame)?;
                let rest = left.checked_sub(frame.len() as u64 - 1);
                left = rest.ok_or_else(|| missing(&reader))?;
            }
            Ok(KnownState { pass, values, bytes })
        };
        let outcomes = outcomes.into_iter().map(|OutcomeHead { computation, nth, made }| {
            let made = match made {
                Ok(states) => Ok(states.into_iter().map(&mut state).collect::<Result<_>>()?),
                Err(told) => Err(told),
            };
            Ok(Outcome { computation, nth, made })
        });
        let outcomes = outcomes.collect::<Result<_>>()?;
        match reader.next(&mut frame)? {
            true => Err(missing(&reader)),
            false => Ok(Self { digest: reader.digest, values, before: Before { outcomes, begun } }),
        }
    }
}

/// Reads a frame that holds a value or a piece of a state.
fn part<R: Read>(reader: &mut Reader<R>, frame: &mut Vec<u8>) -> Result<()> {
    match reader.next(frame)? && frame.first() == Some(&BYTES) {
        true => Ok(()),
        false => Err(missing(reader)),
    }
}

fn missing<R: Read>(reader: &Reader<R>) -> Error {
    reader.damaged("parts of it are missing, or are of another plan; submit it again")
}

/// Writes to a file.
struct Spooled<'p, W: io::Write + Send> {
    out: W,
    place: &'p Place,
}

impl<W: io::Write + Send> Write for Spooled<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(|error| Error::io(self.place.clone(), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(state: &KnownState) -> Vec<u8> {
        let mut bytes = Vec::new();
        state.bytes.open().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_plan_is_read_back_with_its_values_and_states() {
        let [pass, other, values] = [b"a pass".as_slice(), b"another", b"values"].map(Digest::of);
        let mut kept = StateFile::new(None).unwrap();
        // One is longer than a frame, and one has no byte.
        let contents = [vec![7; PIECE + 3], Vec::new(), vec![1, 2]];
        let states = contents.iter().map(|content| {
            let bytes = kept.keep(&mut &content[..]).unwrap();
            KnownState { pass: other, values, bytes }
        });
        let made: Vec<KnownState> = states.collect();
        let lost = Failure::of(&Error::Cancelled);
        let outcomes = vec![
            Outcome { computation: other, nth: 0, made: Err(lost.clone()) },
            Outcome { computation: other, nth: 1, made: Ok(made) },
        ];
        let before = Before { outcomes, begun: vec![other, other, pass] };
        let plan = StepPlan { digest: pass, values: vec![Vec::new(), vec![7]], before };
        let (mut spooled, len) = plan.spooled(None).unwrap();
        let mut bytes = Vec::new();
        spooled.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, len);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan");
        std::fs::write(&path, &bytes).unwrap();
        let path = path.to_str().unwrap();
        let read = StepPlan::read(path).unwrap();
        assert_eq!((read.digest, &read.values), (plan.digest, &plan.values));
        assert_eq!(read.before.begun, plan.before.begun);
        let [failed, made] = &read.before.outcomes[..] else { panic!("there are two") };
        assert_eq!((failed.computation, failed.nth), (other, 0));
        assert_eq!(*failed.made.as_ref().unwrap_err(), lost);
        assert_eq!((made.computation, made.nth), (other, 1));
        let states = made.made.as_ref().unwrap();
        assert!(states.iter().all(|state| (state.pass, state.values) == (other, values)));
        assert_eq!(states.iter().map(content).collect::<Vec<_>>(), contents);

        for len in [0, 60, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(path, &bytes[..len]).unwrap();
            assert!(StepPlan::read(path).is_err(), "{len} bytes");
        }
    }
}
