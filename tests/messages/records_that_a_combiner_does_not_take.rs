use creel::Bag;
use creel::operators::TopKBy;

fn main() {
    let _ = Bag::from_iter([1_u32, 2]).combine(TopKBy::<u32, u32>::new(3));
}
