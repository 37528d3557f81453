use creel::Bag;

#[derive(Clone)]
struct Visit;

fn main() {
    let _ = Bag::from_iter([Visit]).max();
}
