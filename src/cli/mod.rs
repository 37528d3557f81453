pub fn main() -> std::process::ExitCode {
    let _ = crate::program::Program::compile("words");
    std::process::ExitCode::SUCCESS
}
