use creel::delayed::call;

fn main() {
    let _ = call(|text: &String| text.len(), ("text",));
}
