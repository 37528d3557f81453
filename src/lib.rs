//! creel: streaming bags.

mod block;
mod error;
mod graph;
mod progress;
mod record;
mod run;
mod source;

pub use block::{Compression, Damaged, Delimiter, Encoding};
pub use error::{Error, Place, Result};
pub use progress::Progress;
pub use record::{Invalid, Lines, RawLines};
