//! The program `alrao`.

fn main() -> std::process::ExitCode {
    alrao::App::new().main()
}
