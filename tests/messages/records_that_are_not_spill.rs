use creel::Bag;

#[derive(Clone, PartialEq, PartialOrd)]
struct Reading {
    degrees: f64,
}

fn main() {
    let readings = Bag::from_iter([Reading { degrees: 7.5 }]);
    let _ = readings.sort_by(|a, b| a.degrees.total_cmp(&b.degrees));
}
