//! A graph of tasks of your own: the temperatures of thirty days, a file each, set against what is
//! usual, rolled in threes, compared, and reduced to the sharpest turn of the weather. Draws the
//! graph, too.
//!
//! ```text
//! cargo run --release --example delayed_pipeline -- graph.svg day-*.txt
//! ```
//!
//! A file holds the temperature of each hour, a line each. Without files it makes some.

use std::error::Error;
use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, io};

use creel::delayed;
use creel::delayed::{Delayed, all, call};

/// A temperature for each hour.
type Day = Vec<f64>;

/// A turn of the weather: the days before it, counted from one, and the degrees by which the next
/// are warmer.
type Turn = (usize, f64);

fn load(path: &PathBuf) -> Result<Day, String> {
    let place = |error: &dyn Error| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| place(&error))?;
    text.lines().map(|line| line.parse().map_err(|error| place(&error))).collect()
}

/// The mean of a day in spring.
const MEAN: f64 = 9.0;

/// What the hours of a day are usually like: stands for a table that is dear to make.
fn usual(mean: &f64) -> Day {
    (0..24).map(|hour| mean - 5.0 * (TAU * f64::from(hour - 3) / 24.0).cos()).collect()
}

fn normalise(day: &Day, usual: &Day) -> Day {
    day.iter().zip(usual).map(|(hour, usual)| hour - usual).collect()
}

fn roll(a: &Day, b: &Day, c: &Day) -> Day {
    a.iter().zip(b).zip(c).map(|((a, b), c)| (a + b + c) / 3.0).collect()
}

fn compare(before: &Day, after: &Day) -> f64 {
    let turns: Vec<f64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
    turns.iter().sum::<f64>() / turns.len() as f64
}

fn sharpest(turns: &[Arc<f64>]) -> Option<Turn> {
    let turns = (1..).zip(turns.iter().map(|turn| **turn));
    turns.max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()))
}

/// The graph. Nothing is read yet.
fn pipeline(files: Vec<PathBuf>) -> Delayed<Option<Turn>> {
    let usual = delayed(MEAN).named("mean").map(usual).named("usual");
    let loaded =
        files.into_iter().map(|file| delayed(file).named("file").try_map(load).named("load"));
    let normal: Vec<_> =
        loaded.map(|day| call(normalise, (day, &usual)).named("normalise")).collect();
    let rolled: Vec<_> = normal
        .windows(3)
        .map(|days| call(roll, (&days[0], &days[1], &days[2])).named("roll"))
        .collect();
    let turns = rolled.windows(2).map(|pair| call(compare, (&pair[0], &pair[1])).named("compare"));
    all(turns).named("all").map(|turns| sharpest(turns)).named("sharpest")
}

/// Thirty days of weather that wanders, the same in each run.
fn make(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut seed = 2_u64;
    // Evenly between -1 and 1, by a linear congruence.
    let mut chance = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    };
    let mut weather = 0.0;
    let mut day = |number| {
        weather = 0.8 * weather + 3.0 * chance();
        let hours: String = usual(&MEAN)
            .iter()
            .map(|usual| format!("{:.1}\n", usual + weather + chance()))
            .collect();
        let path = folder.join(format!("day-{number:02}.txt"));
        fs::write(&path, hours).map(|()| path)
    };
    (1..=30).map(&mut day).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let picture =
        arguments.next().unwrap_or_else(|| env::temp_dir().join("creel-delayed-pipeline.svg"));
    let mut files: Vec<_> = arguments.collect();
    let folder = tempfile::tempdir()?;
    if files.is_empty() {
        files = make(folder.path())?;
    }
    let days = files.len();

    let turn = pipeline(files);
    turn.visualize(&picture)?;
    println!("The graph is drawn in {}", picture.display());
    match turn.compute_blocking()? {
        Some((first, turn)) => println!(
            "Of {days} days the weather turned most from days {first}-{} to days {}-{}: by {turn:+.1} degrees.",
            first + 2,
            first + 1,
            first + 3
        ),
        None => println!("{days} days are too few: it takes four to see a turn."),
    }
    Ok(())
}
