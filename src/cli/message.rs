//! What the command says on standard error, and the exit code that goes with it.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::record::{self, ErrorRecord, Record};
use crate::Error;
use crate::error::{Shown, concealed, concealed_url, is_hidden};
use crate::output::is_closed;
use crate::program::Fault;
use crate::record::json::TORN;
use crate::record::{NAME_DELIMITER, NAME_ENCODING};
use crate::watch::bytes;

/// A wrong command line or program, or an output that cannot be written.
pub(crate) const USAGE: u8 = 2;
/// A source that could not be read to its end.
pub(crate) const SOURCE: u8 = 3;
/// Records that are not what they should be.
pub(crate) const RECORDS: u8 = 4;
/// Stopped by Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

/// Whether something was to be said that standard error did not take.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints a line on standard error; whatever is in it shows no secret and does nothing to a terminal.
pub(crate) fn say(message: impl std::fmt::Display) {
    note(&Shown::new(message).to_string());
}

/// The same, of words of ours, of names, and of what was made a message before.
pub(crate) fn say_ours(message: impl std::fmt::Display) {
    note(&Shown::ours(message).to_string());
}

fn note(message: &str) {
    if record::are_told() {
        return tell(&Record::Note { message });
    }
    print(&format!("creel: {message}\n"));
}

/// Says what is wrong with a command line; returns the exit code.
pub(super) fn usage(message: impl std::fmt::Display) -> u8 {
    refuse("usage", &Shown::ours(message).to_string());
    USAGE
}

/// The same, in a text of several lines.
pub(super) fn usage_lines(text: &str) -> u8 {
    let lines: Vec<_> = text.lines().map(|line| Shown::new(line).to_string()).collect();
    refuse("usage", &lines.join("\n"));
    USAGE
}

/// Says that the process was interrupted, and what of its work there is; returns the exit code.
pub(super) fn interrupted(message: impl std::fmt::Display) -> u8 {
    let message = Shown::ours(message).to_string();
    if record::are_told() {
        let error = ErrorRecord { retry: true, ..ErrorRecord::new("cancelled", message) };
        tell(&Record::Error(error));
    } else {
        print(&format!("creel: {message}\n"));
    }
    INTERRUPTED
}

/// Says why the process ends, in a message that shows no secret.
pub(super) fn refuse(kind: &'static str, message: &str) {
    if record::are_told() {
        return tell(&Record::Error(ErrorRecord::new(kind, message.to_owned())));
    }
    print(&format!("creel: {message}\n"));
}

/// Prints a record.
pub(super) fn tell(record: &Record<'_>) {
    print(&(record.line() + "\n"));
}

/// Whether a message was lost: standard error is closed, or on a disk that is full. Nobody misses
/// what a reader that went away was not told.
pub(crate) fn was_lost() -> bool {
    LOST.load(Relaxed)
}

/// What was said and not printed.
#[cfg(fuzzing)]
static SAID: std::sync::Mutex<String> = std::sync::Mutex::new(String::new());

#[cfg(fuzzing)]
pub(crate) fn take_said() -> String {
    SAID.lock().map(|mut said| std::mem::take(&mut *said)).unwrap_or_default()
}

fn print(text: &str) {
    #[cfg(fuzzing)]
    if let Ok(mut said) = SAID.lock() {
        said.push_str(text);
        return;
    }
    let printed = io::stderr().lock().write_all(text.as_bytes());
    let lost = printed.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe);
    if lost || is_closed(2) {
        LOST.store(true, Relaxed);
    }
}

/// Says what failed, with the options that would mend it, and gives the exit code.
pub(crate) fn fail(error: &Error) -> u8 {
    if record::are_told() {
        tell(&Record::Error(ErrorRecord::of(error)));
    } else {
        say_ours(with_options(error));
    }
    code(error)
}

/// How JSON that is laid out over several lines is read all the same.
fn one_a_line(object: &str) -> String {
    let from = match object {
        "standard input" => String::new(),
        url if url.contains("://") => " of it".to_owned(),
        path => format!(" {}", Shown::name(path)),
    };
    format!("JSON over several lines is read with jq -c .{from} | creel -f jsonl ...")
}

/// The memory that was asked for, in bytes, as messages name it.
static MEMORY: OnceLock<u64> = OnceLock::new();

/// Tells messages how much memory was asked for.
pub(crate) fn memory_is(asked: u64) {
    // The fuzzer runs in one process many times.
    let _ = MEMORY.set(asked);
}

/// The message for states that do not fit, in the words of the command.
fn unfit(task: &str, limit: u64, held: &str) -> String {
    let memory = match MEMORY.get() {
        Some(asked) if asked.is_multiple_of(1 << 20) => format!("--memory {}M", asked >> 20),
        Some(asked) => format!("--memory {asked}"),
        None => "the memory (half of what there is, if --memory says nothing)".to_owned(),
    };
    let mend = if held.contains("--memory") { "" } else { "; allow more with --memory" };
    let limit = bytes(limit);
    let said =
        format!("{task} does not fit into {memory}, of which {limit} are for states: {held}{mend}");
    Shown::new(said).to_string()
}

/// An error's message, and the options that would mend it.
pub(crate) fn with_options(error: &Error) -> String {
    match error {
        Error::Encoding { mend, .. } if *mend == NAME_ENCODING => format!("{error} (--encoding)"),
        Error::Encoding { mend, .. } if *mend == NAME_DELIMITER => format!("{error} (--delimiter)"),
        Error::Encoding { .. } => format!("{error} (--invalid, --encoding)"),
        Error::NotText { .. } => format!("{error} (-a reads it as text all the same)"),
        Error::Record { place, reason, .. } if *reason == TORN => {
            let one_a_line = one_a_line(&place.object);
            format!("{error} (--invalid, --from); {one_a_line}")
        }
        Error::Record { .. } => format!("{error} (--invalid, --from)"),
        Error::RecordTooLong { .. } => format!("{error} (--max-record, --delimiter)"),
        Error::Memory { task, limit, held } => unfit(task, *limit, held),
        Error::Ratio { .. } => format!("{error} (--max-ratio)"),
        Error::Io { source, .. } if source.kind() == io::ErrorKind::OutOfMemory => {
            format!("{error} (--memory, -j, --blocksize)")
        }
        _ => error.to_string(),
    }
}

/// The exit code of an error.
pub(crate) fn code(error: &Error) -> u8 {
    match error {
        Error::Pattern { .. } | Error::Output { .. } | Error::Plan { .. } => USAGE,
        Error::Encoding { .. } | Error::Record { .. } | Error::RecordTooLong { .. } => RECORDS,
        Error::Cancelled => INTERRUPTED,
        Error::Panic { .. } => 101,
        _ => SOURCE,
    }
}

/// Shows what is wrong with a program, with a caret under the place.
pub(crate) fn fault(program: &str, fault: &Fault) -> u8 {
    let terminal = io::stderr().is_terminal();
    if record::are_told() {
        let hint = fault.hint.as_deref().map_or_else(String::new, |hint| format!("; {hint}"));
        let message = Shown::new(format_args!("{}{hint}", fault.message)).to_string();
        let offset = Some(fault.span.start as u64);
        tell(&Record::Error(ErrorRecord { offset, ..ErrorRecord::new("program", message) }));
    } else if concealed(program) == program && concealed_url(program) == program {
        print(&format!("{}\n", drawn(program, fault, terminal)));
    } else {
        // It is not drawn: there is a secret in it.
        let hint = fault.hint.as_deref().map_or_else(String::new, |hint| format!("; {hint}"));
        say(format_args!("{}{hint}", fault.message));
    }
    USAGE
}

pub(crate) fn drawn(program: &str, fault: &Fault, terminal: bool) -> String {
    let renderer = if terminal && std::env::var_os("NO_COLOR").is_none() {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let message = Shown::new(&fault.message).to_string();
    let hint = fault.hint.as_deref().map(|hint| Shown::new(hint).to_string());
    let shown: String = program.chars().map(harmless).collect();
    let mut group = Level::ERROR.with_name("creel").primary_title(&message).element(
        Snippet::source(&shown).annotation(AnnotationKind::Primary.span(fault.span.clone())),
    );
    if let Some(hint) = &hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    renderer.decor_style(DecorStyle::Ascii).render(&[group])
}

/// A character that does nothing to a terminal, of the same width in bytes: offsets stay right.
fn harmless(c: char) -> char {
    match (c, c.len_utf8()) {
        ('\n' | '\t', _) => c,
        _ if !is_hidden(c) => c,
        (_, 1) => '?',
        (_, 2) => '¿',
        (_, 3) => char::REPLACEMENT_CHARACTER,
        _ => '\u{1f6c7}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{InputFormat, Program};
    use proptest::prelude::*;

    fn drawing_of(program: &str) -> String {
        drawn(program, &Program::compile(program, InputFormat::TEXT).unwrap_err(), false)
    }

    #[test]
    fn a_caret_stands_under_the_unknown_name() {
        let drawing = drawing_of("words | frequency");
        let lines: Vec<_> = drawing.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "creel: unknown name `frequency`",
                "  |",
                "1 | words | frequency",
                "  |         ^^^^^^^^^",
                "  |",
                "  = help: did you mean `frequencies`?",
            ]
        );
    }

    #[test]
    fn a_program_shows_no_control_character_to_the_terminal() {
        assert!(!drawing_of("words | \x1b[31m").contains('\x1b'));
        assert!(!drawing_of("words | \u{9b}31m").contains('\u{9b}'));
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_a_program_or_a_fault_that_can_be_drawn(
            tokens in prop::collection::vec(prop::sample::select(vec![
                "words", "filter", "take", "test", "length", "def f:", "(", ")", "[", "]", "{",
                "}", "|", ";", ",", ".", ".a", "..", "$x", "as", "\"", "\"a\"", "\\(", "\\", "é",
                "\u{9b}", "\0", "\n", "#", "5", "-1", "1e", "==", "<", "and", "not", "?", "@x",
                "if", "then", "end", "reduce", "//", "|=", " ",
            ]), 0..12)
        ) {
            let program = tokens.concat();
            if let Err(fault) = Program::compile(&program, InputFormat::JSONL) {
                prop_assert!(fault.span.start <= fault.span.end);
                prop_assert!(program.get(fault.span.clone()).is_some(), "{:?}", fault);
                prop_assert!(drawn(&program, &fault, false).contains("creel: "));
            }
        }
    }
}
