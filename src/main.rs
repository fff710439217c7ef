//! The program `alrao`.

fn main() -> std::process::ExitCode {
    alrao::core::memory::keep_freed();
    alrao::command_line::main()
}
