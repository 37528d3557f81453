//! What a plan asks, in the form in which it is written: everything that its answer depends on.

use serde::{Deserialize, Serialize};

use crate::block::{Compression, Delimiter, Encoding};
use crate::error::printable;
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

    /// How another question differs, both named; `None` if it asks the same.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let differ = |what: &str, mine: &dyn std::fmt::Debug, theirs: &dyn std::fmt::Debug| {
            Some(format!("its {what} is {mine:?}, not {theirs:?}"))
        };
        if self.program != other.program {
            let [mine, theirs] = [self, other].map(|question| printable(&question.program));
            return Some(format!("its program is '{mine}', not '{theirs}'"));
        }
        if self.format != other.format {
            return differ("format", &self.format, &other.format);
        }
        if self.delimiter != other.delimiter {
            return differ("delimiter", &self.delimiter(), &other.delimiter());
        }
        if self.compression != other.compression {
            return differ("compression", &self.compression, &other.compression);
        }
        if self.encoding != other.encoding {
            return differ("encoding", &self.encoding, &other.encoding);
        }
        if self.invalid != other.invalid {
            return differ("policy for invalid records", &self.invalid, &other.invalid);
        }
        if self.on_missing != other.on_missing {
            return differ("policy for missing sources", &self.on_missing, &other.on_missing);
        }
        if self.allow_binary != other.allow_binary {
            return differ("reading of binary data", &self.allow_binary, &other.allow_binary);
        }
        None
    }
}
