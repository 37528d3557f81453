use creel::delayed::call;

fn main() {
    let _ = call(|n| n + 1, (1_u32,));
}
