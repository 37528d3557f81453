//! The standard streams, as the process was given them.
//!
//! Before `main`, the standard library opens `/dev/null` in place of a stream that is closed, and
//! it takes a stream that is open the other way for an empty one. Both lose data silently, so
//! streams are looked at before that, and before they are used.

use std::io;
#[cfg(unix)]
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

#[cfg(unix)]
use rustix::fs::OFlags;

/// The streams that were closed when the process began: bit 0 is standard input.
static CLOSED: AtomicU8 = AtomicU8::new(0);

/// Looks which standard streams are closed. It runs before `main`.
#[cfg(all(feature = "cli", unix))]
pub(crate) fn look() {
    let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    for (n, stream) in streams.into_iter().enumerate() {
        if rustix::io::fcntl_getfd(stream).is_err() {
            CLOSED.fetch_or(1 << n, Relaxed);
        }
    }
}

#[cfg(all(feature = "cli", not(unix)))]
pub(crate) fn look() {}

/// Whether a standard stream was closed when the process began.
pub(crate) fn is_closed(number: u8) -> bool {
    number < 8 && CLOSED.load(Relaxed) & (1 << number) != 0
}

/// Fails unless standard input can be read.
#[cfg(feature = "cli")]
pub(crate) fn check_input() -> io::Result<()> {
    if is_closed(0) {
        return Err(io::Error::new(io::ErrorKind::NotConnected, "it is closed"));
    }
    #[cfg(unix)]
    if mode(rustix::stdio::stdin())? == OFlags::WRONLY {
        let reason = "it is not open for reading";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    Ok(())
}

/// Whether a source is standard input, by one of the names that it has.
#[cfg(feature = "cli")]
pub(crate) fn is_input(source: &str) -> bool {
    matches!(source, "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0")
}

/// Fails unless a descriptor can be written. A number up to 2 is that of a standard stream.
#[cfg(unix)]
pub(super) fn check_output(number: u32, stream: impl AsFd) -> io::Result<()> {
    if number <= 2 && is_closed(number as u8) {
        return Err(io::Error::new(io::ErrorKind::NotConnected, "it is closed"));
    }
    let stream = stream.as_fd();
    let flags = rustix::fs::fcntl_getfl(stream)?;
    if flags & OFlags::ACCMODE == OFlags::RDONLY || flags.contains(OFlags::PATH) {
        let reason = "it is not open for writing";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    Ok(())
}

#[cfg(all(feature = "cli", unix))]
fn mode(stream: impl AsFd) -> io::Result<OFlags> {
    Ok(rustix::fs::fcntl_getfl(stream)? & OFlags::ACCMODE)
}
