//! Output that is written in place: standard output, pipes, terminals, devices.

use std::fs::File;
#[cfg(feature = "cli")]
use std::io::IsTerminal;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

/// What an interrupt must know of the calls that may block as long as another process wants.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Counts beginnings and ends: it is odd while a call goes on.
    count: AtomicU64,
    /// What is written to, once it is open.
    #[cfg_attr(not(all(feature = "cli", unix)), allow(dead_code))]
    stream: OnceLock<File>,
}

impl Calls {
    /// Makes a call that may block.
    pub(super) fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        self.count.fetch_add(1, SeqCst);
        let result = call();
        self.count.fetch_add(1, SeqCst);
        result
    }

    /// The call that is waiting for another process right now, by its number.
    #[cfg(feature = "cli")]
    pub(crate) fn blocked(&self) -> Option<u64> {
        let number = self.count.load(SeqCst);
        let waits = number % 2 == 1 && !self.stream.get().is_some_and(is_ready);
        waits.then_some(number)
    }
}

/// Whether a stream takes more bytes at once. Files always do.
#[cfg(all(feature = "cli", unix))]
pub(crate) fn is_ready(stream: impl std::os::fd::AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // An error is an answer too: the call returns with it.
    !matches!(poll(&mut [PollFd::new(&stream, PollFlags::OUT)], Some(&now)), Ok(0))
}

#[cfg(all(feature = "cli", not(unix)))]
pub(crate) fn is_ready<T>(_: T) -> bool {
    true
}

/// An open stream, written without a buffer: callers gather what they write.
#[derive(Debug)]
pub(crate) struct Stream {
    file: File,
    /// Whether to wait for the disk, if there is one behind it.
    sync: bool,
    calls: Arc<Calls>,
}

impl Stream {
    pub(super) fn new(file: File, sync: bool, calls: Arc<Calls>) -> io::Result<Self> {
        // One stream for each process: there is none yet.
        let _ = calls.stream.set(file.try_clone()?);
        Ok(Self { file, sync, calls })
    }

    #[cfg(feature = "cli")]
    pub(super) fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }

    pub(super) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.calls.call(|| self.file.write(bytes)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Whoever started this process made the stream so; others may rely on it.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait()?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(unix)]
    fn wait(&self) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, poll};
        let mut stream = [PollFd::new(&self.file, PollFlags::OUT)];
        match self.calls.call(|| poll(&mut stream, None)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(unix))]
    fn wait(&self) -> io::Result<()> {
        std::thread::yield_now();
        Ok(())
    }

    /// Waits until what was written is on its disk, if that is asked for, or if errors show only then.
    pub(super) fn finish(self) -> io::Result<()> {
        let is_file = self.file.metadata()?.is_file();
        if !(self.sync && is_file || reports_late(&self.file)) {
            return Ok(());
        }
        match self.calls.call(|| self.file.sync_data()) {
            // Pipes, terminals and some devices have nothing to wait for.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        }
    }
}

/// Whether this is a file system over a network or in a process: these tell of a full disk as late
/// as when a file is closed, and closing cannot be told to report it. A disk is one too.
#[cfg(target_os = "linux")]
fn reports_late(file: &File) -> bool {
    use rustix::fs::FileType;
    /// NFS, SMB, CIFS, SMB2, FUSE, AFS, Ceph, 9P, Coda, Lustre, GPFS.
    const LATE: [u32; 11] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x6573_5546,
        0x5346_414f,
        0x00c3_6400,
        0x0102_1997,
        0x7375_7245,
        0x0bd0_0bd0,
        0x4750_4653,
    ];
    match rustix::fs::fstat(file).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::BlockDevice) => true,
        Ok(FileType::RegularFile) => {
            rustix::fs::fstatfs(file).is_ok_and(|stat| LATE.contains(&(stat.f_type as u32)))
        }
        _ => false,
    }
}

#[cfg(not(target_os = "linux"))]
fn reports_late(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}
