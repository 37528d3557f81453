//! What a plan asks, in the form in which it is written: everything that its answer depends on.

use serde::{Deserialize, Serialize};

use crate::block::{Compression, Delimiter, Encoding};
use crate::error::{Shown, printable};
use crate::program::InputFormat;
use crate::record::Invalid;
use crate::source::Missing;

/// Everything that the answer depends on, but for the sources. The order of the fields, and of the
/// variants below, is part of the form: see `bytes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    pub(super) program: String,
    /// The name of the format of the records.
    format: String,
    /// What ends a record, unless that is a line end.
    delimiter: Option<Vec<u8>>,
    compression: Codec,
    /// The label of the encoding.
    encoding: String,
    invalid: Policy,
    on_missing: Entries,
    pub(super) allow_binary: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Codec {
    Auto,
    None,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    Lz4,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Policy {
    Fail,
    Replace,
    Skip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Entries {
    Fail,
    Report,
    Skip,
}

/// The label that stands for [`Encoding::Auto`].
const AUTO: &str = "auto";

impl Question {
    pub(super) fn new(program: String, format: InputFormat) -> Self {
        Self {
            program,
            format: format.name().to_owned(),
            delimiter: None,
            compression: Codec::Auto,
            encoding: AUTO.to_owned(),
            invalid: Policy::Fail,
            on_missing: Entries::Fail,
            allow_binary: false,
        }
    }

    /// `None` for a name that this build does not know.
    pub(super) fn format(&self) -> Option<InputFormat> {
        InputFormat::named(&self.format)
    }

    pub(super) fn delimiter(&self) -> Delimiter {
        self.delimiter.clone().map_or(Delimiter::Line, Delimiter::Bytes)
    }

    pub(super) fn set_delimiter(&mut self, delimiter: Delimiter) {
        self.delimiter = match delimiter {
            Delimiter::Bytes(bytes) if bytes != b"\n" => Some(bytes),
            _ => None,
        };
    }

    pub(super) fn compression(&self) -> Compression {
        match self.compression {
            Codec::Auto => Compression::Auto,
            Codec::None => Compression::None,
            Codec::Gzip => Compression::Gzip,
            Codec::Zstd => Compression::Zstd,
            Codec::Bzip2 => Compression::Bzip2,
            Codec::Xz => Compression::Xz,
            Codec::Lz4 => Compression::Lz4,
        }
    }

    pub(super) fn set_compression(&mut self, compression: Compression) {
        self.compression = match compression {
            Compression::Auto => Codec::Auto,
            Compression::None => Codec::None,
            Compression::Gzip => Codec::Gzip,
            Compression::Zstd => Codec::Zstd,
            Compression::Bzip2 => Codec::Bzip2,
            Compression::Xz => Codec::Xz,
            Compression::Lz4 => Codec::Lz4,
        };
    }

    /// `None` for a label that this build does not know.
    pub(super) fn encoding(&self) -> Option<Encoding> {
        match &*self.encoding {
            AUTO => Some(Encoding::Auto),
            label => Encoding::for_label(label),
        }
    }

    pub(super) fn set_encoding(&mut self, encoding: Encoding) {
        self.encoding = encoding.label().unwrap_or(AUTO).to_owned();
    }

    pub(super) fn invalid(&self) -> Invalid {
        match self.invalid {
            Policy::Fail => Invalid::Fail,
            Policy::Replace => Invalid::Replace,
            Policy::Skip => Invalid::Skip,
        }
    }

    pub(super) fn set_invalid(&mut self, invalid: Invalid) {
        self.invalid = match invalid {
            Invalid::Fail => Policy::Fail,
            Invalid::Replace => Policy::Replace,
            Invalid::Skip => Policy::Skip,
        };
    }

    pub(super) fn on_missing(&self) -> Missing {
        match self.on_missing {
            Entries::Fail => Missing::Fail,
            Entries::Report => Missing::Report,
            Entries::Skip => Missing::Skip,
        }
    }

    pub(super) fn set_on_missing(&mut self, missing: Missing) {
        self.on_missing = match missing {
            Missing::Fail => Entries::Fail,
            Missing::Report => Entries::Report,
            Missing::Skip => Entries::Skip,
        };
    }

    /// How it differs from another question, in the options of the command: its own value first. `None`
    /// if both ask the same.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        if self.program != other.program {
            let [own, others] = [self, other].map(|question| Shown::new(&question.program));
            return Some(format!("its program is '{own}', not '{others}'"));
        }
        let differs = |option: &str, value: &dyn Fn(&Self) -> String| {
            let (own, others) = (value(self), value(other));
            (own != others).then(|| format!("its {option} is {own}, not {others}"))
        };
        let with = |yes: bool| (if yes { "used" } else { "left out" }).to_owned();
        differs("--from", &|asked| printable(&asked.format))
            .or_else(|| differs("--delimiter", &Self::shown_delimiter))
            .or_else(|| differs("--compression", &|asked| asked.compression.name().to_owned()))
            .or_else(|| differs("--encoding", &|asked| printable(&asked.encoding)))
            .or_else(|| differs("--invalid", &|asked| asked.invalid.name().to_owned()))
            .or_else(|| differs("--on-missing", &|asked| asked.on_missing.name().to_owned()))
            .or_else(|| differs("-a (--text)", &|asked| with(asked.allow_binary)))
    }

    /// The delimiter as it is typed.
    fn shown_delimiter(&self) -> String {
        let bytes = self.delimiter.as_deref().unwrap_or(b"\n");
        let escaped = |byte: &u8| match byte {
            b'\n' => "\\n".to_owned(),
            b'\r' => "\\r".to_owned(),
            b'\t' => "\\t".to_owned(),
            0 => "\\0".to_owned(),
            b'\\' => "\\\\".to_owned(),
            b' '..=b'~' => char::from(*byte).to_string(),
            byte => format!("\\x{byte:02X}"),
        };
        format!("'{}'", bytes.iter().map(escaped).collect::<String>())
    }
}

impl Codec {
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lz4 => "lz4",
        }
    }
}

impl Policy {
    fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Replace => "replace",
            Self::Skip => "skip",
        }
    }
}

impl Entries {
    fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Report => "report",
            Self::Skip => "skip",
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_in_the_options_of_the_command_with_the_own_value_first() {
        let asked = || Question::new("words | count".to_owned(), InputFormat::TEXT);
        let changed = |change: &dyn Fn(&mut Question)| {
            let mut other = asked();
            change(&mut other);
            let told = other.difference(&asked());
            assert_eq!(asked().difference(&other).is_some(), told.is_some());
            told
        };
        assert_eq!(changed(&|_| {}), None);
        type Change<'c> = (&'c str, &'c dyn Fn(&mut Question));
        let changes: &[Change<'_>] = &[
            ("its program is 'count', not 'words | count'", &|asked| {
                asked.program = "count".to_owned();
            }),
            ("its --from is jsonl, not text", &|asked| {
                asked.format = InputFormat::JSONL.name().to_owned();
            }),
            (r"its --delimiter is ',\0\xFF', not '\n'", &|asked| {
                asked.set_delimiter(Delimiter::Bytes(b",\0\xff".to_vec()));
            }),
            ("its --compression is xz, not auto", &|asked| asked.set_compression(Compression::Xz)),
            ("its --encoding is utf-16le, not auto", &|asked| {
                asked.set_encoding(Encoding::for_label("utf-16le").unwrap());
            }),
            ("its --invalid is skip, not fail", &|asked| asked.set_invalid(Invalid::Skip)),
            ("its --on-missing is report, not fail", &|asked| {
                asked.set_on_missing(Missing::Report);
            }),
            ("its -a (--text) is used, not left out", &|asked| asked.allow_binary = true),
        ];
        for (told, change) in changes {
            assert_eq!(changed(change).as_deref(), Some(*told));
        }
    }
}
