//! Where along an axis the largest elements of a random array are: an array far larger than
//! memory, whose blocks are made by tasks, reduced one by one, and merged in a tree.
//!
//! ```text
//! cargo run --release --example block_argmax -- AXIS LENGTH LENGTH LENGTH BLOCK
//! ```
//!
//! Without arguments along axis 0 of 2048 x 1024 x 1024 doubles, in blocks of up to 128 x 128 x 128.

use std::error::Error;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use creel::delayed;
use creel::delayed::{Delayed, all, call};
use ndarray::{Array2, Array3, Axis, RemoveAxis, Zip, concatenate};

/// The largest element of a line along the axis, and where in it that is.
type Best = (f64, usize);

/// The indices that a block spans on each axis.
type Cut = [Range<usize>; 3];

/// Blocks that are alive now, and the most that ever were.
static ALIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Block {
    cut: Cut,
    elements: Array3<f64>,
}

impl Block {
    fn random(cut: &Cut) -> Self {
        MOST.fetch_max(ALIVE.fetch_add(1, SeqCst) + 1, SeqCst);
        let [a, b, c] = cut.each_ref().map(|range| range.start);
        let shape = cut.each_ref().map(Range::len);
        let elements = Array3::from_shape_fn(shape, |(i, j, k)| random([a + i, b + j, c + k]));
        Self { cut: cut.clone(), elements }
    }

    /// For each line along the axis.
    fn best(&self, axis: usize) -> Array2<Best> {
        let lines = self.elements.raw_dim().remove_axis(Axis(axis));
        let mut best = Array2::from_elem(lines, (f64::NEG_INFINITY, 0));
        for (at, slice) in self.cut[axis].clone().zip(self.elements.axis_iter(Axis(axis))) {
            Zip::from(&mut best).and(slice).for_each(|best, &element| {
                if element > best.0 {
                    *best = (element, at);
                }
            });
        }
        best
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, SeqCst);
    }
}

/// Evenly from 0 to 1. Depends on the index alone, so that blocks of any size make up one array.
fn random(index: [usize; 3]) -> f64 {
    let packed = index.into_iter().fold(1, |packed, i| (packed << 21) + i as u64);
    let mut bits = packed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Of equal elements the first, which is in `a`.
fn better(a: &Array2<Best>, b: &Array2<Best>) -> Array2<Best> {
    Zip::from(a).and(b).map_collect(|a, b| if b.0 > a.0 { *b } else { *a })
}

/// Merges neighbours until one is left: of n, no more than log2 n wait at a time.
fn tree(mut level: Vec<Delayed<Array2<Best>>>) -> Delayed<Array2<Best>> {
    while level.len() > 1 {
        let merge = |pair: &[Delayed<Array2<Best>>]| match pair {
            [a, b] => call(better, (a, b)).named("merge"),
            _ => pair[0].clone(),
        };
        level = level.chunks(2).map(merge).collect();
    }
    level.remove(0)
}

fn beside(axis: usize, parts: &[Arc<Array2<Best>>]) -> Result<Array2<Best>, String> {
    let parts: Vec<_> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(axis), &parts).map_err(|error| error.to_string())
}

/// The graph: a tree for each column of blocks along the axis, and the columns side by side.
fn argmax(shape: [usize; 3], axis: usize, block: usize) -> Delayed<Array2<Best>> {
    let (row, column) = [(1, 2), (0, 2), (0, 1)][axis];
    let cuts = |axis: usize| {
        let length = shape[axis];
        (0..length).step_by(block).map(move |first| first..length.min(first + block))
    };
    let rows = cuts(row).map(|rows| {
        let columns = cuts(column).map(|columns| {
            let blocks = cuts(axis).map(|along| {
                let mut cut = [const { 0..0 }; 3];
                (cut[axis], cut[row], cut[column]) = (along, rows.clone(), columns.clone());
                let block = delayed(cut).map(Block::random).named("block");
                block.map(move |block| block.best(axis)).named("best")
            });
            tree(blocks.collect())
        });
        all(columns).try_map(|columns| beside(1, columns)).named("row")
    });
    all(rows).try_map(|rows| beside(0, rows)).named("argmax")
}

/// The same, of an array that fits in memory, in the plain way.
fn plain_argmax(shape: [usize; 3], axis: usize) -> Array2<Best> {
    let whole = Array3::from_shape_fn(shape, |(i, j, k)| random([i, j, k]));
    whole.map_axis(Axis(axis), |line| {
        line.iter().zip(0..).fold((f64::NEG_INFINITY, 0), |best, (&element, at)| {
            if element > best.0 { (element, at) } else { best }
        })
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let given = std::env::args().skip(1).map(|argument| argument.parse());
    let (axis, shape, block) = match given.collect::<Result<Vec<usize>, _>>()?[..] {
        [] => (0, [2048, 1024, 1024], 128),
        [axis, a, b, c, block] if axis < 3 && ![a, b, c, block].contains(&0) => {
            (axis, [a, b, c], block)
        }
        _ => return Err("block_argmax AXIS LENGTH LENGTH LENGTH BLOCK".into()),
    };
    let elements: usize = shape.iter().product();
    let megabytes = |elements: usize| (elements * size_of::<f64>()) as f64 / 1e6;
    println!("A random array {shape:?}, {:.3} MB, along axis {axis}:", megabytes(elements));

    let best = argmax(shape, axis, block).compute_blocking()?;

    let lines = best.indexed_iter().map(|((i, j), &(element, at))| (element, at, vec![i, j]));
    if let Some((element, at, mut place)) = lines.max_by(|a, b| a.0.total_cmp(&b.0)) {
        place.insert(axis, at);
        println!("of {} largest elements the largest is {element:.12} at {place:?};", best.len());
    }
    let (most, largest) = (MOST.load(SeqCst), shape.map(|length| length.min(block)));
    let size = megabytes(largest.iter().product());
    println!("of blocks of {size:.3} MB at most {most} were alive at once.");
    if elements <= 1_000_000 {
        if best != plain_argmax(shape, axis) {
            return Err("the plain way finds others".into());
        }
        println!("The plain way finds the same elements.");
    }
    Ok(())
}
