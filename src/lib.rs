//! creel: streaming bags.

mod block;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod error;
#[cfg(feature = "cli")]
mod program;
mod progress;
mod record;
mod run;
#[cfg(feature = "cli")]
mod sink;
mod source;

pub use block::{Compression, Damaged, Delimiter, Encoding};
pub use error::{Error, Place, Result};
pub use progress::Progress;
pub use record::{Invalid, Lines, RawLines};
