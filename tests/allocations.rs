//! Lent records cost no allocation.

use std::alloc::System;
use std::fs;

use creel::Run;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations of a word count over this many lines of the same ten words.
fn allocations(lines: usize) -> usize {
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let text = "the quick brown foxes jumped over seventeen lazily sleeping dachshunds\n";
    fs::write(file.path(), text.repeat(lines)).expect("it can be written");
    let top = creel::read_text(file.path().to_string_lossy())
        .expect("a path is a pattern")
        .lend(|lines| lines.words().filter(|word| word.len() > 5).frequencies())
        .topk(3);
    let region = Region::new(ALLOCATOR);
    let top = Run::new().threads(2).compute_blocking(&top).expect("the file can be read");
    let made = region.change().allocations;
    assert_eq!(top[0], ("dachshunds".to_owned(), lines as u64));
    made
}

// The only test of this binary: the counter counts the whole process.
#[test]
fn the_lent_word_count_allocates_nothing_per_word() {
    // Threads, buffers, listing: what a run costs however much it reads. A file of 20 blocks
    // against one of 2.
    let (small, large) = (allocations(30_000), allocations(300_000));
    let blocks = 20;
    assert!(large < small + 8 * blocks, "{small} allocations for 2 MB, {large} for 20 MB");
    assert!(large < 1_000, "{large} allocations for 3 million words");
}
