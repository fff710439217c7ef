//! The program `alrao`.

fn main() -> std::process::ExitCode {
    alrao::command_line::main()
}
