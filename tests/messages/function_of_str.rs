use creel::delayed::call;

fn length(text: &str) -> usize {
    text.len()
}

fn main() {
    let _ = call(length, (String::from("text"),));
}
