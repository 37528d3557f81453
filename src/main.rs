//! The `creel` command.

use std::process::ExitCode;

creel_kernels::before_main!(creel::cli::before_main);

fn main() -> ExitCode {
    creel::cli::main()
}
