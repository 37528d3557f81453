use creel::delayed::call;

fn add(a: u32, b: u32) -> u32 {
    a + b
}

fn main() {
    let _ = call(add, (1_u32, 2_u32));
}
