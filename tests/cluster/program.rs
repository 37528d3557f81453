//! A program of closures, for the tests of clusters: `on_cluster MODE SCHEDULER SOURCE`. It prints the same, here and
//! on a cluster; the scheduler `here` is none.

mod calls;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use creel::aggregate::{count, max, mean, p99};
use creel::client::Client;
use creel::cluster::Scheduler;
use creel::delayed::call;
use creel::operators::{Max, Spill, TopK};
use creel::{Bag, Compute, Error, ReadOptions, Result, Run, delayed, worker};
use futures::executor::block_on;

use self::calls::Calls;

/// A record of the program's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Word {
    length: usize,
    text: String,
}

impl Spill for Word {
    const HAS_FORM: bool = true;

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        self.length.save(bytes) && self.text.save(bytes)
    }

    fn load(bytes: &mut &[u8]) -> Option<Self> {
        let (length, text) = Spill::load(bytes)?;
        Some(Self { length, text })
    }

    fn heap_size(&self) -> usize {
        self.text.heap_size()
    }
}

/// A record without a form.
#[derive(Debug, Clone)]
struct Formless(#[expect(dead_code, reason = "it is printed")] usize);

struct Program {
    run: Run,
    lines: Bag<String>,
    source: String,
}

impl Program {
    fn print<C: Compute<Output: std::fmt::Debug>>(&self, what: &C) -> Result<()> {
        println!("{:?}", self.run.compute_blocking(what)?);
        Ok(())
    }

    fn words(&self) -> Bag<Word> {
        let words = self.lines.clone().words();
        words.map(|text| Word { length: text.len(), text })
    }

    fn run(&self, mode: &str) -> Result<()> {
        let lines = self.lines.clone();
        match mode {
            "count" | "shipped" | "stale" => {
                self.print(&lines.filter(|line| line.len() > 20).count())
            }
            "sum" => self.print(&(
                lines.clone().map(|line| line.len()).sum(),
                lines.map(|line| line.len() as f64 / 3.0).sum(),
            )),
            "frequencies" => {
                let words = lines.words().map(|word| word.to_lowercase());
                self.print(&words.frequencies().topk(20).map(|top| (top.len(), top)))
            }
            "extremes" => self.print(&(
                lines.clone().words().topk_by(5, |word| word.len()),
                lines.clone().map(|line| line.len()).min(),
                lines.clone().topk(3),
                lines.map(|line| line.len()).combine((Max::new(), TopK::new(2))),
            )),
            "fold" => {
                let lengths = lines.fold(
                    BTreeMap::<usize, u64>::new,
                    |mut counts, line| {
                        *counts.entry(line.len()).or_default() += 1;
                        counts
                    },
                    |mut counts, others| {
                        others
                            .into_iter()
                            .for_each(|(n, more)| *counts.entry(n).or_default() += more);
                        counts
                    },
                );
                self.print(&lengths)
            }
            "sort" => self.print(&self.words().sort_by_key(|word| word.length)),
            "sort-take" => self.print(&self.words().sort().take(7)),
            "distinct" => self.print(&(self.words().distinct(), self.words().distinct().count())),
            "collect" => self.print(&lines.map(|line| line.len())),
            "collect-own" => self.print(&self.words()),
            "groups" => {
                let by_length = self.words().group_by(|word| word.length).aggregate((
                    count(),
                    mean(|word: &Word| word.text.len()),
                    max(|word: &Word| word.text.clone()),
                ));
                let all = lines.map(|line| line.len()).aggregate(p99(|n: &usize| *n));
                self.print(&(by_length, all))
            }
            "lend" => self.print(
                &lines
                    .lend(|lines| lines.words().filter(|word| word.len() > 6).frequencies())
                    .topk(5),
            ),
            "phases" => {
                let counts = lines.words().frequencies();
                let of_counts = counts.clone().into_bag().map(|(_, n)| n).frequencies();
                self.print(&(counts.topk(3), of_counts.topk(3)))
            }
            "after-failure" => {
                // It fails at the client, and is not made again on a worker.
                let failed = self.run.compute_blocking(&lines.clone().map(panics).count());
                println!("{}", failed.is_err());
                // What a program does next may depend on the kind of a failure, and on whether it may go later.
                let nowhere = creel::read_text("nowhere/*.log")?;
                let missing = match self.run.compute_blocking(&nowhere.count()) {
                    Err(Error::NotFound { .. }) => true,
                    Err(Error::Cluster { kind, retry: false, .. }) if kind == "not_found" => true,
                    other => return other.map(|_| ()),
                };
                println!("{missing}");
                self.print(&lines.count())
            }
            "chains" => {
                // Two chains of futures on one thread: which is ahead differs in each process.
                let longer = |least: usize| {
                    let lines = lines.clone();
                    let longer =
                        lines.map_with(delayed(least), |line, least: &usize| line.len() > *least);
                    longer.filter(|is| *is).count()
                };
                let ahead = async {
                    let count = self.run.compute(lines.clone().count()).await?;
                    self.run.compute(longer((count % 50) as usize)).await
                };
                let behind = async {
                    let words = self.run.compute(lines.clone().map(slow).words().count()).await?;
                    let longest = self.run.compute(lines.clone().map(|line| line.len()).max());
                    Ok::<_, Error>((words, longest.await?))
                };
                println!("{:?}", block_on(async { futures::try_join!(ahead, behind) })?);
                Ok(())
            }
            "argument" => {
                let longest = lines.clone().map(|line| line.len()).max();
                let least = delayed(10_usize);
                let near = lines
                    .filter_with(&longest, |line, longest: &Option<usize>| {
                        Some(line.len() * 2) > *longest
                    })
                    .filter_with(least, |line, least: &usize| line.len() > *least);
                self.print(&near.count())
            }
            "once" => {
                // The task runs here, once, though two passes look at its value.
                static CALLS: AtomicUsize = AtomicUsize::new(0);
                let least = call(|| CALLS.fetch_add(1, Relaxed) + 20, ());
                let longer = |line: String, least: &usize| line.len() > *least;
                let others = creel::read_text(&self.source)?.map_with(&least, longer);
                self.print(&(
                    lines.map_with(&least, longer).filter(|is| *is).count(),
                    others.filter(|is| !*is).count(),
                    least,
                ))?;
                println!("{}", CALLS.load(Relaxed));
                Ok(())
            }
            "threads" => {
                // Each thread computes something else, and what main does next depends on both.
                let count = |least: usize| {
                    let (run, lines) = (self.run.clone(), lines.clone());
                    let counted =
                        lines.map_with(delayed(least), |line, least: &usize| line.len() > *least);
                    thread::spawn(move || run.compute_blocking(&counted.filter(|is| *is).count()))
                };
                let (run, words) = (self.run.clone(), lines.clone().words());
                let (long, longer) = (count(20), count(60));
                let words = thread::spawn(move || run.compute_blocking(&words.count()));
                let joined =
                    |thread: thread::JoinHandle<Result<u64>>| thread.join().expect("it ends");
                let (long, longer, words) = (joined(long)?, joined(longer)?, joined(words)?);
                println!("{long} {longer} {words}");
                let least = (words / long) as usize;
                let rest =
                    lines.map_with(delayed(least), |line, least: &usize| line.len() > *least);
                self.print(&rest.filter(|is| *is).count())
            }
            "little-memory" => {
                let run = self.run.clone().memory(1 << 20);
                println!(
                    "{}",
                    run.compute_blocking(&lines.words().sort().map(|word| word.len()).sum())?
                );
                Ok(())
            }
            "two" => {
                let mean =
                    self.run.compute_blocking(&lines.clone().map(|line| line.len()).mean())?;
                let mean = mean.unwrap_or_default() as usize;
                let longer = lines.map_with(delayed(mean), |line, mean: &usize| line.len() > *mean);
                println!("{mean}");
                self.print(&longer.filter(|longer| *longer).count())
            }
            "memory" => {
                let run = self.run.clone().memory(64 << 20);
                let sorted = self.words().sort();
                let count = run.compute_blocking(&sorted.map(|word| word.length).sum())?;
                println!("{count}");
                Ok(())
            }
            "large" => {
                let run = self.run.clone().memory(64 << 20);
                let counts = lines.clone().words().frequencies().map(|counts| counts.len());
                let (first, counts) =
                    run.compute_blocking(&(self.words().sort().take(2000), counts))?;
                println!("{:?} {counts}", first.last());
                println!(
                    "{}",
                    run.compute_blocking(&self.words().sort().map(|word| word.length).sum())?
                );
                Ok(())
            }
            "everything" => {
                let words = self.words();
                let lengths = lines.clone().map(|line| line.len());
                self.print(&(
                    (lengths.clone().count(), lengths.clone().sum()),
                    lines.clone().words().frequencies().topk(20),
                    lengths.clone().fold(Vec::new, pushed, joined),
                    (words.clone().sort(), words.clone().sort().take(3)),
                    words.clone().distinct(),
                    (lengths.clone(), words.clone()),
                    words
                        .group_by(|word| word.length)
                        .aggregate((count(), p99(|word: &Word| word.length))),
                    lengths.map(|n| n as f64 / 3.0).sum(),
                ))
            }
            "lines" => self.print(&lines.count()),
            "dropped" => {
                let dropped = block_on(async {
                    let count = self.run.compute(lines.clone().map(slow).count());
                    futures::pin_mut!(count);
                    // It is dropped once it has begun.
                    matches!(futures::poll!(count.as_mut()), std::task::Poll::Pending)
                });
                println!("{dropped}");
                Ok(())
            }
            _ => self.fail(mode),
        }
    }

    /// What cannot be computed on a cluster, or fails there.
    fn fail(&self, mode: &str) -> Result<()> {
        let lines = self.lines.clone();
        match mode {
            "captured" => {
                let needle = self.source.clone();
                self.print(&lines.filter(move |line| line.contains(&needle)).count())
            }
            "captured-aggregate" => {
                let scale = self.source.len();
                self.print(&lines.aggregate(mean(move |line: &String| line.len() * scale)))
            }
            "formless" => self.print(&lines.map(|line| Formless(line.len()))),
            "in-memory" => self.print(&Bag::from_iter(0..9).count()),
            "take" => self.print(&lines.take(2)),
            "panic" => {
                self.print(&lines.map(|line| line.chars().next().expect("a letter")).count())
            }
            "slow" => self.print(&lines.map(slow).count()),
            "beside" => {
                // Two passes that are made side by side, of which one fails.
                let others = creel::read_text("fixtures/peps/*.rst")?.map(panics);
                self.print(&(lines.map(stuck).count(), others.count()))
            }
            "elsewhere" => {
                // A worker that has another folder, as one with other disks.
                if let Some(folder) = std::env::var_os("ELSEWHERE") {
                    std::env::set_current_dir(folder).expect("it is there");
                }
                self.print(&lines.map(slow).count())
            }
            "spill" => {
                let run = self.run.clone().memory(64 << 20).spill_max(1 << 20);
                println!(
                    "{}",
                    run.compute_blocking(&self.words().sort().map(|word| word.length).sum())?
                );
                Ok(())
            }
            "replaced" | "replaced-shipped" => {
                if std::env::var_os("AT_CLIENT").is_some() {
                    let executable = std::env::current_exe().expect("it has a path");
                    std::fs::remove_file(executable).expect("it is removed");
                }
                self.print(&lines.count())
            }
            "differs" => {
                let at_client = std::env::var_os("AT_CLIENT").is_some();
                let lines = if at_client { lines.words() } else { lines.map(|line| line) };
                self.print(&lines.count())
            }
            "ends" if std::env::var_os("AT_CLIENT").is_none() => Ok(()),
            "ends" => self.print(&lines.count()),
            "loud" => {
                println!("to standard output");
                eprintln!("to standard error");
                // As loggers write, and as records of creel begin.
                eprintln!(r#"{{"level":"warn","error":"timeout","report":null,"progress":3}}"#);
                std::io::stdout().write_all(b"\xff\n").expect("it is written");
                self.print(&lines.count())
            }
            _ => Err(Error::Plan { reason: format!("there is no mode {mode}") }),
        }
    }
}

fn panics(line: String) -> usize {
    line.chars().next().map_or_else(|| panic!("an empty line"), char::len_utf8)
}

/// A list with one number more.
fn pushed(mut numbers: Vec<usize>, n: usize) -> Vec<usize> {
    numbers.push(n);
    numbers
}

/// Two lists, one behind the other.
fn joined(mut numbers: Vec<usize>, more: Vec<usize>) -> Vec<usize> {
    numbers.extend(more);
    numbers
}

/// Takes longer than any test.
fn stuck(line: String) -> String {
    std::thread::sleep(Duration::from_secs(600));
    line
}

/// Takes a while for some of the lines.
fn slow(line: String) -> String {
    if line.len().is_multiple_of(97) {
        std::thread::sleep(Duration::from_millis(30));
    }
    line
}

fn main() -> Result<()> {
    worker::init();
    worker::form::<Word>();
    let calls = Calls::new();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, scheduler, source, ..] = &arguments[..] else {
        return Err(Error::Plan { reason: "usage: on_cluster MODE SCHEDULER SOURCE".to_owned() });
    };
    if let Some(mode) = mode.strip_prefix("client-") {
        let cluster = Client::connect(&**scheduler)?;
        if let Err(error) = calls.make(&cluster, mode, source) {
            eprintln!("{error}");
            std::process::exit(1);
        }
        return Ok(());
    }
    let run = Run::new().threads(2);
    let run = match (&**scheduler, &**mode) {
        ("here", _) => run,
        (address, "shipped" | "replaced-shipped") => {
            run.scheduler(Scheduler::new(address).ship_binary())
        }
        (address, "stale") => {
            let stale = std::env::var_os("STALE").unwrap_or_default();
            run.scheduler(Scheduler::new(address).worker_binary(stale))
        }
        (address, _) => run.scheduler(address),
    };
    let lines = ReadOptions::new().partition_size(64 << 10).read_text([source])?;
    let program = Program { run, lines, source: source.clone() };
    if let Err(error) = program.run(mode) {
        eprintln!("{error}");
        std::process::exit(1);
    }
    Ok(())
}
