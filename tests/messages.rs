//! What the compiler says where a function, an argument or a record does not fit.
//!
//! The messages are those of the toolchain that is pinned here. After a change of either,
//! `TRYBUILD=overwrite cargo test --test messages` writes what it says now, to be read.

/// The release of the compiler that the messages were written by.
const RELEASE: &str = "1.95";

#[test]
fn the_compiler_says_what_to_write() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output();
    let version = version.expect("the compiler runs").stdout;
    if !String::from_utf8_lossy(&version).contains(&format!("rustc {RELEASE}.")) {
        println!("messages are compared by rustc {RELEASE}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/messages/*.rs");
}
