//! Makes the text that the end-to-end benchmark reads: mail-like, seeded, the same every time.
//!
//!     cargo run --release --example generate -- target/bench/mail --files 16 --size 64
//!
//! Words are drawn from 1.5 million by Zipf's law with exponent 1.05, the commonest ones short, as
//! in a language; header lines bring addresses, times and message ids, most of which occur once.
//! The 16 files of 64 MiB hold some 1.66 million distinct words of more than five letters. All is
//! ASCII and words stand apart by single spaces, so that tools which count bytes, or split at
//! one space, agree with those that count code points and split at white space.

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const SEED: u64 = 20_260_101;
const VOCABULARY: usize = 1_500_000;
const EXPONENT: f64 = 1.05;
const PEOPLE: u64 = 20_000;

/// SplitMix64: a few lines, good enough for text, and never different after an update.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }
}

/// Draws ranks by their weight in constant time: Walker's alias method.
struct Alias {
    slots: Vec<(u32, u32)>,
}

impl Alias {
    fn zipf(n: usize, exponent: f64) -> Self {
        let weights: Vec<f64> = (1..=n).map(|rank| (rank as f64).powf(-exponent)).collect();
        let mean = weights.iter().sum::<f64>() / n as f64;
        let mut left: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let mut slots: Vec<(u32, u32)> = (0..n as u32).map(|rank| (u32::MAX, rank)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..n).partition(|&rank| left[rank] < 1.0);
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            slots[poor] = ((left[poor] * f64::from(u32::MAX)) as u32, rich as u32);
            left[rich] -= 1.0 - left[poor];
            if left[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Self { slots }
    }

    fn draw(&self, random: &mut Random) -> usize {
        let slot = random.below(self.slots.len() as u64) as usize;
        let (keep, other) = self.slots[slot];
        if (random.next() as u32) < keep { slot } else { other as usize }
    }
}

/// Different pronounceable words, the commonest first and mostly shortest.
fn vocabulary(random: &mut Random) -> Vec<String> {
    let mut seen = HashSet::with_capacity(VOCABULARY);
    let mut words = Vec::with_capacity(VOCABULARY);
    while words.len() < VOCABULARY {
        let length = match words.len() {
            0..20 => random.between(1, 3),
            20..200 => random.between(2, 6),
            200..5_000 => random.between(3, 9),
            5_000..100_000 => random.between(4, 11),
            _ => random.between(4, 13),
        };
        let word = word(random, length as usize);
        if seen.insert(word.clone()) {
            words.push(word);
        }
    }
    words
}

fn word(random: &mut Random, length: usize) -> String {
    const CONSONANTS: &[u8] = b"bcdfghjklmnprstvwz";
    const VOWELS: &[u8] = b"aeiouy";
    let mut vowel = random.below(3) == 0;
    let letters = (0..length).map(|_| {
        let from = if vowel { VOWELS } else { CONSONANTS };
        vowel = !vowel;
        char::from(from[random.below(from.len() as u64) as usize])
    });
    letters.collect()
}

struct Text {
    words: Vec<String>,
    zipf: Alias,
}

impl Text {
    fn words(&self, random: &mut Random, count: u64, into: &mut Vec<u8>) {
        for at in 0..count {
            if at > 0 {
                into.push(b' ');
            }
            into.extend_from_slice(self.words[self.zipf.draw(random)].as_bytes());
        }
    }

    fn address(&self, random: &mut Random) -> String {
        // The lesser of two numbers: some people write more than others.
        let person = random.below(PEOPLE).min(random.below(PEOPLE)) as usize;
        let (first, last) = (&self.words[5_000 + person], &self.words[50_000 + person / 7]);
        format!("{first}.{last}@{}.example", self.words[300 + person % 40])
    }

    fn mail(&self, random: &mut Random, into: &mut Vec<u8>) -> std::io::Result<()> {
        const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (id, time) = (random.below(100_000_000), random.below(1_000_000_000_000));
        writeln!(into, "Message-ID: <{id}.1{time:012}.mail@{}.example>", self.words[300])?;
        let (day, month) = (random.below(28), random.below(12));
        let clock = random.below(86_400);
        writeln!(
            into,
            "Date: {}, {} {} {} {:02}:{:02}:{:02} -0700 (PDT)",
            DAYS[(day % 7) as usize],
            day + 1,
            MONTHS[month as usize],
            1999 + random.below(4),
            clock / 3600,
            clock / 60 % 60,
            clock % 60,
        )?;
        writeln!(into, "From: {}", self.address(random))?;
        write!(into, "To: {}", self.address(random))?;
        for _ in 0..random.below(3) {
            write!(into, ", {}", self.address(random))?;
        }
        write!(into, "\nSubject: ")?;
        let length = random.between(2, 7);
        self.words(random, length, into);
        into.extend_from_slice(
            b"\nMime-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n\n",
        );
        // Most are short; one in four holds the mails that it answers.
        let quoted = if random.below(4) == 0 { random.below(600) } else { 0 };
        for _ in 0..random.between(4, 40) + quoted {
            // One line in eight is empty: a paragraph ends.
            if random.below(8) > 0 {
                let length = random.between(5, 15);
                self.words(random, length, into);
            }
            into.push(b'\n');
        }
        into.push(b'\n');
        Ok(())
    }

    /// A file of its own stream of random numbers, cut back to whole mails.
    fn file(&self, index: u64, size: usize, path: &Path) -> std::io::Result<()> {
        let mut random = Random(SEED ^ (index + 1).wrapping_mul(0xD134_2543_DE82_EF95));
        let mut text = Vec::with_capacity(size + 8192);
        loop {
            let end = text.len();
            self.mail(&mut random, &mut text)?;
            if text.len() > size {
                text.truncate(end);
                return fs::write(path, text);
            }
        }
    }
}

struct Options {
    into: PathBuf,
    files: u64,
    /// In MiB.
    size: usize,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options { into: "target/bench/mail".into(), files: 16, size: 64 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--files" => options.files = arguments.next().ok_or("--files N")?.parse()?,
            "--size" => options.size = arguments.next().ok_or("--size MIB")?.parse()?,
            path if !path.starts_with('-') => options.into = path.into(),
            _ => return Err("generate DIRECTORY [--files N] [--size MIB]".into()),
        }
    }
    Ok(options)
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    fs::create_dir_all(&options.into)?;
    let words = vocabulary(&mut Random(SEED));
    let text = Text { words, zipf: Alias::zipf(VOCABULARY, EXPONENT) };
    let threads = std::thread::available_parallelism()?.get() as u64;
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..threads)
            .map(|thread| {
                let (text, options) = (&text, &options);
                scope.spawn(move || {
                    let mut mine = (0..options.files).filter(|index| index % threads == thread);
                    mine.try_for_each(|index| {
                        let path = options.into.join(format!("mail-{index:02}.txt"));
                        text.file(index, options.size << 20, &path)
                    })
                })
            })
            .collect();
        writers.into_iter().try_for_each(|writer| writer.join().expect("a writer that ends"))
    })?;
    Ok(())
}
