//! Any text is a pattern or an error that shows no query.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = creel::read_text(text);
});
