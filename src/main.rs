//! The `creel` command.

use std::io::Write;
use std::process::ExitCode;

creel_kernels::before_main!(creel::cli::before_main);

/// Ends the process with a message where no memory is left for the small things that all code needs.
#[global_allocator]
static ALLOCATOR: creel_kernels::Telling = creel_kernels::Telling::new(no_memory);

/// Does not allocate.
fn no_memory() -> ! {
    const SAID: &str = "creel: the memory of this process: the system refused some bytes more; use fewer \
                        threads (-j), smaller blocks (--blocksize) or less --memory, or raise the limit of \
                        the process (ulimit -v, or its container's)\n";
    const RECORD: &str = "{\"error\":{\"kind\":\"io\",\"object\":null,\"partition\":null,\"offset\":null,\
                          \"message\":\"the memory of this process: the system refused some bytes more; use \
                          less --memory, or raise the limit of the process\",\"retry\":true}}\n";
    let said = if creel::cli::tells_records() { RECORD } else { SAID };
    // If this cannot be written either, the exit code says it.
    let _ = std::io::stderr().write_all(said.as_bytes());
    std::process::exit(3)
}

fn main() -> ExitCode {
    creel::cli::main()
}
