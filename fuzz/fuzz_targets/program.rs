//! Any text is a program or a fault with a caret.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| creel::cli::check(text));
