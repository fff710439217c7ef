//! The program `alrao`.

/// The allocator, which also serves libtorch, because it replaces `malloc`. It keeps freed memory for the tensors of the
/// next step, as configured in `.cargo/config.toml`: fetching new pages from the system takes a large part of a step.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    alrao::command_line::main()
}
