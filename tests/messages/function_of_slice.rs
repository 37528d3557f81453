use creel::client::Client;

fn total(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}

fn main() {
    let _ = Client::local().submit(total, (vec![1_u64, 2],));
}
