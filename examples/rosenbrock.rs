//! A search that finds its next tasks while others run: the least value of Rosenbrock's valley.
//! Ten points are tried at once; as each one ends, another is tried near the best so far, ever
//! nearer, until the steps are small.
//!
//! ```text
//! cargo run --release --example rosenbrock
//! ```

use creel::client::{Client, as_completed};
use futures::StreamExt;
use futures::executor::block_on;

/// The valley, least at (1, 1). Stands for a simulation that takes minutes.
fn rosenbrock(&(x, y): &(f64, f64)) -> f64 {
    (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2)
}

/// Numbers by chance, from -1 to 1.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        // xorshift64, which needs no package.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn near(&mut self, (x, y): (f64, f64), scale: f64) -> (f64, f64) {
        (x + scale * self.next(), y + scale * self.next())
    }
}

fn main() -> creel::Result<()> {
    let client = Client::local();
    // Each future brings its point along, since they end in any order.
    let try_at = |point| client.submit(|point: &_| (*point, rosenbrock(point)), (point,));

    let (mut chance, mut scale) = (Chance(7), 5.0);
    let mut best = ((0.0, 0.0), f64::INFINITY);
    let mut tried = 0;
    let mut running = as_completed((0..10).map(|_| try_at(chance.near((0.0, 0.0), scale))));
    block_on(async {
        while let Some(ended) = running.next().await {
            let (point, value) = ended.await?;
            tried += 1;
            if value < best.1 {
                best = (point, value);
            }
            scale *= 0.999;
            if scale > 0.001 {
                running.add(try_at(chance.near(best.0, scale)));
            }
        }
        Ok::<(), creel::Error>(())
    })?;
    let ((x, y), value) = best;
    println!("tried {tried} points; the least is {value:.6} at ({x:.3}, {y:.3})");
    println!("{}", client.info());
    Ok(())
}
