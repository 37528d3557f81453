//! The process that calls functions on a cluster: `python3 -m creel_dask client`.
//!
//! Requests go in on its standard input, and answers come out, each a line of JSON and the bytes whose length that
//! names. The process ends when its input does, and with it all that it has asked for.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use futures::channel::oneshot::{Receiver, Sender, channel};
use serde_json::{Value, json};

use super::passes::{failure, started};
use super::process::{ENDS, ended};
use super::python::{failed, missing, python};
use super::scheduler::Scheduler;
use super::submission::of_program;
use crate::{Error, Place, Result};

/// An answer: what the line says, and the bytes behind it.
pub(super) type Answer = (Value, Vec<u8>);

/// A process that is connected to a scheduler.
pub(super) struct Connection {
    input: Mutex<Option<ChildStdin>>,
    waiting: Arc<Mutex<Waiting>>,
}

/// Who waits for which answer.
#[derive(Default)]
struct Waiting {
    next: u64,
    of: HashMap<u64, Sender<Result<Answer>>>,
    /// Why there will be no more answers.
    over: Option<Error>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    /// Connects to a scheduler, and waits for that; returns its address too.
    pub(super) fn open(scheduler: &Scheduler) -> Result<(Arc<Self>, String)> {
        let Some(mut command) = python()? else { return Err(missing()) };
        command.args(["-m", "creel_dask", "client", "--errors=json"]);
        command.args(of_program(scheduler, &started()?)?);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().map_err(|error| failed("creel-dask cannot be started", &error))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let told = drained(child.stderr.take())?;
        let mut output = output.map(BufReader::new);
        let first = output.as_mut().and_then(|output| read(output).ok());
        let Some((Value::String(address), output)) =
            first.and_then(|(header, _)| header.get("connected").cloned()).zip(output)
        else {
            // It ends with its input, and says why before.
            drop(input);
            return Err(end(&mut child, told));
        };
        let waiting: Arc<Mutex<Waiting>> = Arc::default();
        let connection = Arc::new(Self { input: input.into(), waiting: Arc::clone(&waiting) });
        let of_thread = Arc::downgrade(&connection);
        let thread = std::thread::Builder::new().name("creel cluster".to_owned());
        let reading = thread.spawn(move || {
            answer_all(output, &waiting);
            // What answers no more may still wait for requests.
            if let Some(connection) = of_thread.upgrade() {
                *lock(&connection.input) = None;
            }
            let error = end(&mut child, told);
            let mut waiting = lock(&waiting);
            waiting.of.drain().for_each(|(_, sender)| drop(sender.send(Err(error.clone()))));
            waiting.over = Some(error);
        });
        reading.map_err(|error| failed("no thread can be started", &error))?;
        Ok((connection, address))
    }

    /// One that answers nothing, for this reason.
    pub(super) fn absent(error: Error) -> Self {
        let waiting = Waiting { over: Some(error), ..Waiting::default() };
        Self { input: None.into(), waiting: Arc::new(waiting.into()) }
    }

    /// Asks for something under this name; returns the number of the request, and its answer to come.
    pub(super) fn ask(
        &self,
        what: &str,
        header: Value,
        body: &[u8],
    ) -> Result<(u64, Receiver<Result<Answer>>)> {
        let (sender, answer) = channel();
        let mut waiting = lock(&self.waiting);
        if let Some(error) = &waiting.over {
            return Err(error.clone());
        }
        waiting.next += 1;
        let number = waiting.next;
        waiting.of.insert(number, sender);
        drop(waiting);
        let mut request = header;
        request[what] = json!(number);
        self.write(&request, body);
        Ok((number, answer))
    }

    /// Gives up a call.
    pub(super) fn cancel(&self, number: u64) {
        if lock(&self.waiting).of.remove(&number).is_some() {
            self.write(&json!({"cancel": number}), &[]);
        }
    }

    /// Writes a request. If the process has ended, whoever reads its answers tells that.
    fn write(&self, header: &Value, body: &[u8]) {
        let mut bytes = format!("{header}\n").into_bytes();
        bytes.extend_from_slice(body);
        if let Some(input) = &mut *lock(&self.input) {
            let _ = input.write_all(&bytes).and_then(|()| input.flush());
        }
    }
}

/// Reads the standard error of a process to its end, on a thread of its own: the process must not wait for that. The
/// thread gives the last of it.
fn drained(told: Option<ChildStderr>) -> Result<JoinHandle<String>> {
    /// The bytes that an error quotes at most.
    const LAST: usize = 64 << 10;
    let thread = std::thread::Builder::new().name("creel cluster errors".to_owned());
    let draining = thread.spawn(move || {
        let (mut text, mut told) = (Vec::new(), told.map(BufReader::new));
        while let Some(told) = &mut told
            && told.read_until(b'\n', &mut text).is_ok_and(|read| read > 0)
        {
            if text.len() > 2 * LAST {
                text.drain(..text.len() - LAST);
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    draining.map_err(|error| failed("no thread can be started", &error))
}

/// Why a process that has no input any more has ended, or ends now.
fn end(child: &mut Child, told: JoinHandle<String>) -> Error {
    let _ = ended(child, ENDS);
    why(&told.join().unwrap_or_default())
}

/// Hands on answers until there are no more.
fn answer_all(mut output: BufReader<ChildStdout>, waiting: &Mutex<Waiting>) {
    while let Ok((header, body)) = read(&mut output) {
        let number = header.get("id").and_then(Value::as_u64);
        let Some(sender) = number.and_then(|number| lock(waiting).of.remove(&number)) else {
            continue;
        };
        let _ = sender.send(match header.get("error") {
            Some(error) => Err(failure(error)),
            None => Ok((header, body)),
        });
    }
}

/// Reads an answer.
fn read(output: &mut impl BufRead) -> std::io::Result<Answer> {
    let mut line = String::new();
    if output.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let header: Value = serde_json::from_str(&line)?;
    let length = header.get("length").and_then(Value::as_u64).unwrap_or(0);
    let mut body = Vec::new();
    let read = output.take(length).read_to_end(&mut body)?;
    if (read as u64) < length {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok((header, body))
}

/// Why the process has ended, by what it wrote to standard error.
fn why(text: &str) -> Error {
    let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told = records.filter_map(|record| record.get("error").map(failure)).next_back();
    told.unwrap_or_else(|| {
        let (place, said) = (Place::object("the Dask cluster"), text.trim());
        let reason = format!(
            "creel-dask has ended: {}",
            if said.is_empty() { "no reason was told" } else { said }
        );
        Error::Unsupported { place, reason }
    })
}
