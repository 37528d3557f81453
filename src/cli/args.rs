//! The command line: options, their help, and how their values are read.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

use crate::block::{Compression, Encoding, MAX_RATIO};
use crate::program::{FORMATS, InputFormat, VERBS};
use crate::record::Invalid;
use crate::sink::Format;
use crate::source::Missing;

const EXAMPLES: &str = "\
Examples:
  creel 'words | filter(length > 5) | frequencies | topk(10)' book.txt
  creel 'filter(.status >= 500) | frequencies(.uri) | topk(10)' app.jsonl.gz
  creel -t text 'remove(startswith(\"#\")) | take(5)' 's3://bucket/conf/*'
  zcat app.log.gz | creel 'ascii_downcase | words | frequencies | topk(3)'

Exit codes: 0 done; 2 bad option, program or output; 3 a source not read, or not
to its end; 4 records not as they should be; 130 interrupted (result so far).";

const TEMPLATE: &str = "\
{name} {version}: word counts and log mining over files and object stores

{usage-heading} {usage}

SOURCE: a file, a folder, a pattern ('logs/**/*.gz'), a URL (s3, gs, az, http,
https), or - for standard input, which is also read if no source is named.

{options}{after-help}";

/// What was typed.
#[derive(Debug, Parser)]
#[command(
    name = "creel",
    version,
    help_template = TEMPLATE,
    override_usage = "creel [OPTIONS] PROGRAM [SOURCE...], or creel [OPTIONS] --merge STATE...",
    max_term_width = 80,
    hide_possible_values = true,
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true
)]
pub(crate) struct Args {
    #[arg(value_name = "PROGRAM", hide = true)]
    pub(crate) program: Option<String>,
    #[arg(value_name = "SOURCE", hide = true)]
    pub(crate) sources: Vec<String>,
    /// What sources hold: text, jsonl (else told by suffix)
    #[arg(short, long, value_name = "F", value_parser = from)]
    pub(crate) from: Option<InputFormat>,
    /// jsonl, text, or table (so are counts on a terminal)
    #[arg(short, long, value_name = "F", value_parser = to)]
    pub(crate) to: Option<Format>,
    #[command(flatten)]
    pub(crate) writing: Writing,
    /// Write the state of these sources, for --merge
    #[arg(long, value_name = "PATH", conflicts_with_all = ["output", "to", "dry_run"])]
    pub(crate) partial: Option<PathBuf>,
    /// Print the answer of all states given (or --partial)
    #[arg(long, conflicts_with_all = ["from", "compression", "text", "encoding", "invalid",
        "on_missing", "delimiter", "max_record", "max_ratio", "anonymous", "dry_run"])]
    pub(crate) merge: bool,
    /// Write the plan alone, for creel worker (its --help)
    #[arg(long, value_name = "PATH",
        conflicts_with_all = ["output", "to", "dry_run", "partial", "merge"])]
    pub(crate) plan_to: Option<PathBuf>,
    /// Run on Dask: tcp://HOST:8786, env, file:PATH
    #[arg(long, value_name = "ADDR",
        conflicts_with_all = ["dry_run", "partial", "merge", "plan_to"])]
    pub(crate) scheduler: Option<String>,
    /// Send this binary to the workers of the cluster
    #[arg(long, requires = "scheduler")]
    pub(crate) ship_binary: bool,
    #[command(flatten)]
    pub(crate) resources: Resources,
    /// Bytes worked on at a time: 64k, 1MiB (default), 4MB
    #[arg(long, value_name = "SIZE", value_parser = blocksize)]
    pub(crate) blocksize: Option<usize>,
    /// auto (first bytes), none, gzip, zstd, bzip2, xz, lz4
    #[arg(long, value_name = "C", value_parser = compression, default_value = "auto", hide_default_value = true)]
    pub(crate) compression: Compression,
    /// Read binary data as text all the same
    #[arg(short = 'a', long)]
    pub(crate) text: bool,
    /// auto (UTF-8 or by mark), utf-16le, latin1, ...
    #[arg(long, value_name = "E", value_parser = encoding, default_value = "auto", hide_default_value = true)]
    pub(crate) encoding: Encoding,
    /// Records not UTF-8 or not JSON: fail, replace, skip
    #[arg(long, value_name = "HOW", value_parser = invalid, default_value = "fail", hide_default_value = true)]
    pub(crate) invalid: Invalid,
    /// Sources that cannot be read: report, fail, skip
    #[arg(long, value_name = "HOW", value_parser = on_missing, default_value = "report", hide_default_value = true)]
    pub(crate) on_missing: Missing,
    /// What ends a record; \n \t \0 \x1E stand for bytes
    #[arg(long, value_name = "TEXT", value_parser = delimiter, allow_hyphen_values = true)]
    pub(crate) delimiter: Option<Bytes>,
    /// Refuse longer records (a 64th of the memory)
    #[arg(long, value_name = "SIZE", value_parser = max_record)]
    pub(crate) max_record: Option<u64>,
    /// Refuse data that decodes to N times its size (5000)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), default_value_t = MAX_RATIO, hide_default_value = true)]
    pub(crate) max_ratio: u64,
    /// Send no credentials to object stores
    #[arg(long)]
    pub(crate) anonymous: bool,
    /// List what would be read, and read nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) telling: Telling,
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
    /// Print what agg and groupby take, and what it does
    #[arg(long)]
    pub(crate) aggregates: bool,
    /// Print this
    #[arg(short, long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// Where the result goes.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Writing {
    /// A file, which appears when it is whole, or - (stdout)
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// Do not wait until the output is safe on the disk
    #[arg(long)]
    pub(crate) no_sync: bool,
}

/// What a process may use.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Resources {
    /// Threads (one for each core that may be used)
    #[arg(short = 'j', long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Memory to use, then the disk (half of what there is)
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub(crate) memory: Option<u64>,
    /// Folder of that file ($TMPDIR, or /tmp)
    #[arg(long, value_name = "FOLDER")]
    pub(crate) tmpdir: Option<PathBuf>,
    /// Fail if that file would be larger (no limit)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) spill_max: Option<u64>,
}

/// What is said on standard error, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Telling {
    /// auto (on a terminal), always, never, json (records)
    #[arg(long, value_name = "WHEN", value_parser = when, default_value = "auto", hide_default_value = true)]
    pub(crate) progress: When,
    /// How errors are told: text, json (a record a line)
    #[arg(long, value_name = "HOW", value_parser = errors, default_value = "text", hide_default_value = true)]
    pub(crate) errors: Errors,
    /// Only errors on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Tell what was read, and how fast
    #[arg(short, long, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

/// The least memory that can be asked for: below it there is not much to give away.
const LEAST_MEMORY: u64 = 64 << 20;

/// When progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
    /// As records of JSON, whatever standard error is.
    Json,
}

/// How errors are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errors {
    /// In lines for people.
    Text,
    /// As records of JSON.
    Json,
}

/// Bytes that were typed as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Args {
    /// Those of a process that is given none.
    pub(crate) fn none() -> Self {
        let none = Self::try_parse_from(["creel"]);
        none.unwrap_or_else(|error| unreachable!("all options have defaults: {error}"))
    }

    /// Reads arguments, of which the first is the name of the command.
    pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = Self::command().after_help(format!("{}\n{EXAMPLES}", stages()));
        let matches = command.try_get_matches_from_mut(arguments)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// Whether standard input is read.
    pub(crate) fn reads_input(&self) -> bool {
        !self.merge && self.sources.iter().any(|source| source == "-")
    }

    /// How the command is used, in two lines.
    pub(crate) fn usage() -> &'static str {
        "usage: creel [OPTIONS] PROGRAM [SOURCE...]      (creel --help tells more)\n\
         for example: creel 'words | frequencies | topk(10)' book.txt"
    }
}

/// The stages of the language, a line each, from their table.
fn stages() -> String {
    let mut text = String::from("Stages, joined by |; a, b gives both results of one pass:\n");
    for verb in VERBS.iter().filter(|verb| !verb.usage.is_empty()) {
        for (i, line) in verb.help.lines().enumerate() {
            let usage = if i == 0 { verb.usage } else { "" };
            text.push_str(&format!("  {usage:<13} {line}\n"));
        }
    }
    text
}

/// Whether arguments ask that errors are told as records: known before they are read, which may fail.
pub(crate) fn asks_for_records(arguments: &[OsString]) -> bool {
    let ends = |argument: &OsString| argument == "--";
    let options = arguments.split(ends).next().unwrap_or_default();
    let last = options.iter().enumerate().rev().find_map(|(at, argument)| {
        let argument = argument.to_str()?;
        match argument.strip_prefix("--errors")? {
            "" => options.get(at + 1)?.to_str(),
            value => value.strip_prefix('='),
        }
    });
    last == Some("json")
}

fn one_of<T: Copy>(given: &str, values: &[(&str, T)]) -> Result<T, String> {
    values.iter().find(|(name, _)| *name == given).map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
        format!("one of {}", names.join(", "))
    })
}

fn not_yet(given: &str, later: &[&str], error: String) -> String {
    let known = given.starts_with("regex:") || given.starts_with("json:") || later.contains(&given);
    if known { format!("{given} is not there yet; {error}") } else { error }
}

fn from(given: &str) -> Result<InputFormat, String> {
    const LATER: &[&str] = &["json", "csv", "tsv", "logfmt", "combined", "common"];
    let names = FORMATS.iter().flat_map(|format| {
        let aliases = format.reader().aliases().iter();
        std::iter::once(format.name()).chain(aliases.copied()).map(|name| (name, *format))
    });
    one_of(given, &names.collect::<Vec<_>>()).map_err(|error| not_yet(given, LATER, error))
}

pub(super) fn to(given: &str) -> Result<Format, String> {
    const LATER: &[&str] = &["json", "csv", "tsv", "bar", "line", "hist"];
    let formats = [("jsonl", Format::Jsonl), ("table", Format::Table), ("text", Format::Text)];
    one_of(given, &formats).map_err(|error| not_yet(given, LATER, error))
}

fn compression(given: &str) -> Result<Compression, String> {
    one_of(
        given,
        &[
            ("auto", Compression::Auto),
            ("none", Compression::None),
            ("gzip", Compression::Gzip),
            ("zstd", Compression::Zstd),
            ("bzip2", Compression::Bzip2),
            ("xz", Compression::Xz),
            ("lz4", Compression::Lz4),
        ],
    )
}

fn encoding(given: &str) -> Result<Encoding, String> {
    if given.eq_ignore_ascii_case("auto") {
        return Ok(Encoding::Auto);
    }
    Encoding::for_label(given).ok_or_else(|| {
        "auto, utf-8, utf-16le, utf-16be, latin1, windows-1252 or another encoding of one byte a \
         character, such as koi8-r; iconv converts from others"
            .to_owned()
    })
}

fn invalid(given: &str) -> Result<Invalid, String> {
    let policies =
        [("fail", Invalid::Fail), ("replace", Invalid::Replace), ("skip", Invalid::Skip)];
    one_of(given, &policies)
}

fn on_missing(given: &str) -> Result<Missing, String> {
    let policies = [("report", Missing::Report), ("fail", Missing::Fail), ("skip", Missing::Skip)];
    one_of(given, &policies)
}

fn when(given: &str) -> Result<When, String> {
    let when = [
        ("auto", When::Auto),
        ("always", When::Always),
        ("never", When::Never),
        ("json", When::Json),
    ];
    one_of(given, &when)
}

fn errors(given: &str) -> Result<Errors, String> {
    one_of(given, &[("text", Errors::Text), ("json", Errors::Json)])
}

fn threads(given: &str) -> Result<usize, String> {
    match given.parse() {
        Ok(n @ 1..=1024) => Ok(n),
        _ => Err("a number from 1 to 1024".to_owned()),
    }
}

fn blocksize(given: &str) -> Result<usize, String> {
    let size = size(given)?;
    match usize::try_from(size) {
        Ok(size @ 1..=0x4000_0000) => Ok(size),
        _ => Err("from 1 byte to 1 GiB".to_owned()),
    }
}

fn memory(given: &str) -> Result<u64, String> {
    match size(given)? {
        size @ LEAST_MEMORY.. => Ok(size),
        _ => Err(format!("at least {} MiB", LEAST_MEMORY >> 20)),
    }
}

fn max_record(given: &str) -> Result<u64, String> {
    match size(given)? {
        0 => Err("at least 1 byte".to_owned()),
        size => Ok(size),
    }
}

/// Bytes: a number, alone or with a unit. `k`, `M`, `G` and `KiB`, `MiB`, `GiB` are powers of
/// 1024; `kB`, `MB`, `GB` are powers of 1000.
fn size(given: &str) -> Result<u64, String> {
    let malformed = || "a size such as 65536, 64k, 1MiB or 4MB".to_owned();
    let digits = given.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = given.split_at(digits);
    let unit: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err(malformed()),
    };
    let number: u64 = number.parse().map_err(|_| malformed())?;
    number.checked_mul(unit).ok_or_else(malformed)
}

fn delimiter(given: &str) -> Result<Bytes, String> {
    let mut bytes = Vec::new();
    let mut chars = given.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        bytes.push(match chars.next() {
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some('0') => 0,
            Some('\\') => b'\\',
            Some('x') => {
                let hex: String = chars.by_ref().take(2).collect();
                // The conversion would take a sign as well.
                let digits = hex.len() == 2 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
                let byte = digits.then(|| u8::from_str_radix(&hex, 16).ok()).flatten();
                byte.ok_or("two hexadecimal digits after \\x")?
            }
            _ => return Err("after a backslash: n, r, t, 0, xHH or another backslash".to_owned()),
        });
    }
    if bytes.is_empty() { Err("at least one byte".to_owned()) } else { Ok(Bytes(bytes)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_stages_fit_into_80_columns() {
        for line in stages().lines() {
            assert!(line.chars().count() <= 80, "{line:?} is wrapped");
        }
    }

    #[test]
    fn the_options_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("64k"), Ok(65_536));
        assert_eq!(size("1MiB"), Ok(1 << 20));
        assert_eq!(size("4MB"), Ok(4_000_000));
        assert!(size("MiB").is_err() && size("1.5M").is_err() && size("-1").is_err());
        assert!(size("99999999999G").is_err());
    }

    #[test]
    fn delimiters_may_be_escaped() {
        assert_eq!(delimiter(r"\n--\x00\\").map(|bytes| bytes.0), Ok(b"\n--\0\\".to_vec()));
        for sign in [r"\x+1", r"\x-1", r"\x 1", r"\x1_", r"\xé"] {
            assert!(delimiter(sign).is_err(), "{sign}");
        }
        assert!(delimiter("").is_err() && delimiter(r"\q").is_err() && delimiter(r"\x1").is_err());
    }
}
