use creel::Bag;

fn main() {
    let _ = Bag::from_iter([0.5_f64, 1.0]).frequencies();
}
