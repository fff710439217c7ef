//! The program `alrao`.

/// libtorch's tensors come from it, too, because it stands for `malloc`. What is freed it keeps for the tensors of the next
/// step, as `.cargo/config.toml` tells it: pages that come anew from the system take as long as much of a step.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    alrao::command_line::main()
}
