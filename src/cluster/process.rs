//! The ends of the processes that this one has started.

use std::io;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// How long a process may take to end: it gives up what it has asked for on the cluster.
pub(super) const ENDS: Duration = Duration::from_secs(10);

/// How often it is asked whether the process has ended.
const OFTEN: Duration = Duration::from_millis(5);

/// Waits for the end of a process that was told to end; one that does not is killed.
pub(super) fn ended(child: &mut Child, within: Duration) -> io::Result<ExitStatus> {
    let until = Instant::now() + within;
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(OFTEN);
    }
    child.kill()?;
    child.wait()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_that_does_not_end_is_killed() {
        let start = |seconds: &str| Command::new("sleep").arg(seconds).spawn().unwrap();
        let status = ended(&mut start("600"), Duration::from_millis(20)).unwrap();
        assert_eq!(status.signal(), Some(9));
        assert!(ended(&mut start("0"), ENDS).unwrap().success());
    }
}
