//! No more is read than was asked for, and never twice.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use creel::operators::First;
use creel::{Bag, ReadOptions, Result, Run};
use futures::StreamExt;
use futures::executor::block_on;

/// A file of as many lines as this, of 64 bytes each.
fn lines(n: usize) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let line = "sixty-three letters and a line feed are a power of two in all..\n";
    fs::write(file.path(), line.repeat(n)).expect("written");
    file
}

#[test]
fn items_of_one_source_are_computed_in_one_pass() -> Result<()> {
    let file = lines(50_000);
    let text = creel::read_text(file.path().to_string_lossy())?;
    let items = (
        text.clone().count(),
        text.clone().map(|line| line.len()).sum(),
        text.clone().lend(|lines| lines.words().frequencies()).map(|words| words.get("power")),
        text.lend(|lines| lines.max()),
    );
    let run = Run::new();
    let (count, letters, power, max) = run.compute_blocking(&items)?;
    assert_eq!((count, letters, power), (50_000, 50_000 * 63, 50_000));
    assert!(max.is_some());
    assert_eq!(run.progress().bytes_read(), 50_000 * 64);
    Ok(())
}

#[test]
fn taking_a_few_records_reads_a_few_blocks() -> Result<()> {
    let file = lines(100_000);
    let options = ReadOptions::new().blocksize(10_000).partition_size(1_000_000);
    let text = options.read_text([file.path().to_string_lossy()])?;
    let few = |run: &Run| run.progress().bytes_read() < 1_000_000;
    for threads in 1..4 {
        let run = Run::new().threads(threads);
        assert_eq!(run.compute_blocking(&text.clone().take(5))?.len(), 5);
        assert!(few(&run), "{} bytes were read", run.progress().bytes_read());
        let run = Run::new().threads(threads);
        let failed = text.clone().lend_bag(|lines| lines.map(str::len).collect()).take(300);
        assert_eq!(run.compute_blocking(&failed)?, [63; 300]);
        assert!(few(&run), "{} bytes were read", run.progress().bytes_read());
        let run = Run::new().threads(threads);
        assert_eq!(run.compute_blocking(&text.clone().combine(First::new(2)))?.len(), 2);
        assert!(few(&run), "{} bytes were read", run.progress().bytes_read());
        let run = Run::new().threads(threads);
        assert!(run.compute_blocking(&text.clone().take(0))?.is_empty());
        assert_eq!(run.progress().bytes_read(), 0);
    }
    Ok(())
}

/// The other lanes wait for bytes that never come.
#[cfg(unix)]
#[test]
fn taking_what_a_pipe_gave_does_not_wait_for_more() -> Result<()> {
    use std::io::Write;

    let folder = tempfile::tempdir().expect("a folder");
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
    assert!(made.success());
    let lines = creel::read_text(fifo.to_string_lossy())?;
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut pipe = fs::OpenOptions::new().write(true).open(fifo).expect("a reader");
        pipe.write_all(b"one\ntwo\n").expect("written");
        // Open until the reader has what it wants.
        let _ = wait.recv();
    });
    assert_eq!(Run::new().threads(3).compute_blocking(&lines.take(2))?, ["one", "two"]);
    drop(done);
    writer.join().expect("no panic");
    Ok(())
}

#[test]
fn a_stream_does_not_run_away_from_its_reader() -> Result<()> {
    let made = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&made);
    let numbers = Bag::from_iter(0..3_000_000_u64).map(move |n| {
        counter.fetch_add(1, Relaxed);
        n
    });
    // The window holds some batches of a thousand for each thread.
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let ahead = 1024 * (8 * threads + 8);
    let mut stream = numbers.stream();
    for expected in 0..100_000 {
        assert_eq!(block_on(stream.next()).transpose()?, Some(expected));
        let made = made.load(Relaxed);
        assert!(made <= expected + ahead, "{made} records made, {expected} taken");
    }
    Ok(())
}

#[test]
fn the_answer_does_not_depend_on_threads_or_partitions() -> Result<()> {
    let mut answers = Vec::new();
    for (threads, partition_size, blocksize) in
        [(1, 1 << 30, 1 << 20), (2, 10_000, 1_000), (3, 777, 100), (5, 40_000, 7)]
    {
        let text = ReadOptions::new()
            .partition_size(partition_size)
            .blocksize(blocksize)
            .read_text(["fixtures/peps/pep-0[05]*.rst"])?;
        let items = (
            // Most words are equally common, so ties decide.
            text.clone().words().frequencies().topk(500),
            text.clone().topk_by(50, |line| line.len() / 10),
            text.clone().map(|line| 1.0 / (line.len() as f64 + 0.1)).sum(),
            text.clone().fold(String::new, |all, line| all + &line, |a, b| a + &b),
            text.collect(),
        );
        answers.push(Run::new().threads(threads).compute_blocking(&items)?);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    Ok(())
}

/// A record that counts its clones.
struct Cloned(Arc<AtomicU64>, u64);

impl Clone for Cloned {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Relaxed);
        Self(Arc::clone(&self.0), self.1)
    }
}

impl creel::Lend for Cloned {
    type Lent<'b> = std::slice::Iter<'b, Self>;

    fn lend(records: &[Self]) -> Self::Lent<'_> {
        records.iter()
    }
}

#[test]
fn records_of_a_sequence_are_cloned_only_where_they_are_taken() -> Result<()> {
    let clones = Arc::new(AtomicU64::new(0));
    let records: Vec<_> = (0..100_000).map(|n| Cloned(Arc::clone(&clones), n)).collect();
    let records: Arc<[Cloned]> = records.into();
    let bag = Bag::from_sequence(Arc::clone(&records), 7);
    assert_eq!(Arc::strong_count(&records), 2, "it is shared, and not copied");
    let sum = bag.clone().lend(|records| records.map(|record| record.1).sum());
    assert_eq!(sum.compute_blocking()?, (0..100_000).sum::<i128>());
    assert_eq!(clones.load(Relaxed), 0, "lent records are not cloned");
    let taken = bag.take(10).compute_blocking()?;
    assert!(taken.iter().map(|record| record.1).eq(0..10));
    let cloned = clones.load(Relaxed);
    assert!(cloned < 50_000, "{cloned} records were cloned for ten");
    Ok(())
}

#[test]
fn the_partitions_of_a_sequence_are_those_asked_for() -> Result<()> {
    for (records, asked, partitions) in [(10, 3, 3), (2, 5, 2), (0, 4, 1), (5, 0, 1)] {
        let bag = Bag::from_sequence((0..records).collect::<Vec<u32>>(), asked);
        let handles = bag.to_delayed_blocking()?;
        assert_eq!(handles.len(), partitions);
        let all =
            creel::delayed::all(handles).map(|parts| parts.iter().flat_map(|p| p.to_vec()).count());
        assert_eq!(all.compute_blocking()?, records as usize);
        assert!(bag.compute_blocking()?.into_iter().eq(0..records));
    }
    Ok(())
}

#[test]
fn a_function_that_makes_an_iterator_is_called_once_a_run() -> Result<()> {
    let calls = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&calls);
    let bag = Bag::from_fn(move || {
        counter.fetch_add(1, Relaxed);
        0..5000
    });
    assert_eq!(calls.load(Relaxed), 0);
    for run in 1..3 {
        assert_eq!(bag.clone().count().compute_blocking()?, 5000);
        assert_eq!(calls.load(Relaxed), run);
    }
    Ok(())
}

#[test]
fn records_before_a_failure_may_be_enough_on_any_number_of_threads() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let good: String = (0..500).map(|n| format!("{n:07}\n")).collect();
    fs::write(folder.path().join("1"), [good.as_bytes(), b"\xff\n"].concat()).expect("written");
    (2..6).for_each(|n| fs::write(folder.path().join(n.to_string()), &good).expect("written"));
    let options = ReadOptions::new().blocksize(800).partition_size(2_000);
    let lines = options.read_text([folder.path().to_string_lossy()])?;
    for threads in 1..5 {
        let run = Run::new().threads(threads);
        for _ in 0..20 {
            for enough in [1, 300, 500] {
                let first = run.compute_blocking(&lines.clone().combine(First::new(enough)))?;
                assert!(first.len() == enough && first.is_sorted(), "{threads} threads");
                let first = run.compute_blocking(&lines.clone().take(enough))?;
                assert!(first.len() == enough && first.is_sorted(), "{threads} threads");
            }
            let one_more = run.compute_blocking(&lines.clone().combine(First::new(501)));
            assert!(matches!(one_more, Err(creel::Error::Encoding { .. })), "{one_more:?}");
            let one_more = run.compute_blocking(&lines.clone().take(501));
            assert!(matches!(one_more, Err(creel::Error::Encoding { .. })), "{one_more:?}");
        }
    }
    Ok(())
}
