//! creel: streaming bags.

mod block;
mod error;
mod progress;
mod record;
mod source;

pub use block::{Compression, Damaged, Delimiter, Encoding};
pub use error::{Error, Place, Result};
pub use progress::Progress;
pub use record::{Invalid, Lines, RawLines};
