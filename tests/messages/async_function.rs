use creel::delayed::call;

async fn double(n: &u32) -> u32 {
    n * 2
}

fn main() {
    let _ = call(double, (1_u32,));
}
