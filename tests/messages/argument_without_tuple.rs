use creel::delayed::call;

fn main() {
    let _ = call(|n: &u32| n + 1, 1_u32);
}
