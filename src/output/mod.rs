//! Output paths: what they name, and how bytes go there. A file appears when it is whole.
//!
//! Whatever writes a whole file does so here: results of the command, and pictures.

#[cfg(unix)]
mod destination;
#[cfg(unix)]
mod file;
#[cfg(unix)]
mod permissions;
#[cfg(not(unix))]
mod portable;
mod standard;
mod stream;
mod target;
#[cfg(unix)]
mod temporary;

#[cfg(all(feature = "cli", not(unix)))]
pub(crate) use portable::remove_unfinished;
#[cfg(feature = "cli")]
pub(crate) use standard::{check_input, is_closed, is_input, look};
#[cfg(feature = "cli")]
pub(crate) use stream::{Calls, is_ready};
pub(crate) use target::write_whole;
#[cfg(feature = "cli")]
pub(crate) use target::{Output, Target};
#[cfg(all(feature = "cli", unix))]
pub(crate) use temporary::remove_unfinished;
