//! The `creel` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    creel::cli::main()
}
