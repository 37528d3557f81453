//! The Python that has creel-dask.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use crate::{Error, Place, Result};

/// The line that installs the package.
pub(crate) const INSTALL: &str =
    "python3 -m pip install ./python/creel-dask, in the folder of creel's source";

/// What tells whether Python has the package, without the time that it takes to load.
const FIND: &str =
    "import importlib.util as u, sys; sys.exit(0 if u.find_spec('creel_dask') else 3)";

/// What starts a Python that has the package; `None` if there are only others.
pub(super) fn python() -> Result<Option<Command>> {
    let mut is_there = false;
    for python in ["python3", "python"] {
        // What it prints is of nobody's concern: the stub of a store, say.
        let found = command(python)
            .args(["-c", FIND])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match found {
            Ok(status) if status.success() => return Ok(Some(command(python))),
            // On some systems one of the names is of a program that only says where to get Python.
            Ok(_) => is_there = true,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed("Python cannot be started", &error)),
        }
    }
    if is_there {
        return Ok(None);
    }
    let reason =
        format!("a scheduler needs Python 3, and there is no python3 on the path; then {INSTALL}");
    Err(Error::Unsupported { place: Place::object("the Dask cluster"), reason })
}

/// A Python that takes no module from the folder in which it is started.
fn command(python: &str) -> Command {
    let mut command = Command::new(python);
    command.env("PYTHONSAFEPATH", "1");
    command
}

/// The error for a Python without the package.
pub(super) fn missing() -> Error {
    let place = Place::object("the Dask cluster");
    let reason = format!(
        "a scheduler needs the Python package creel-dask, which python3 does not have; install it: {INSTALL}"
    );
    Error::Unsupported { place, reason }
}

pub(super) fn failed(what: &str, error: &std::io::Error) -> Error {
    let reason = format!("{what}: {error}");
    Error::Unsupported { place: Place::object("the Dask cluster"), reason }
}
