//! An error as programs print it that do not look at it.

use std::fmt;

use super::Error;

/// Its variant and its message. `unwrap`, and a `main` that returns the error, print this: the fields
/// themselves may hold what no terminal and no log should get.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(self.variant()).field(&format_args!("{self}")).finish()
    }
}

impl Error {
    fn variant(&self) -> &'static str {
        match self {
            Self::Pattern { .. } => "Pattern",
            Self::NotFound { .. } => "NotFound",
            Self::PermissionDenied { .. } => "PermissionDenied",
            Self::Unauthenticated { .. } => "Unauthenticated",
            Self::Changed { .. } => "Changed",
            Self::Truncated { .. } => "Truncated",
            Self::Corrupt { .. } => "Corrupt",
            Self::Unsupported { .. } => "Unsupported",
            Self::Trailing { .. } => "Trailing",
            Self::Ratio { .. } => "Ratio",
            Self::NotText { .. } => "NotText",
            Self::Encoding { .. } => "Encoding",
            Self::Record { .. } => "Record",
            Self::RecordTooLong { .. } => "RecordTooLong",
            Self::Io { .. } => "Io",
            Self::Output { .. } => "Output",
            Self::Panic { .. } => "Panic",
            Self::Task { .. } => "Task",
            Self::Memory { .. } => "Memory",
            Self::Plan { .. } => "Plan",
            Self::Cluster { .. } => "Cluster",
            Self::Cancelled => "Cancelled",
        }
    }
}
