//! `alrao completions`: prints a shell's completions of the command line.

use anyhow::Result;
use clap::Command;
use clap_complete::{Shell, generate};

use crate::output;
use crate::program;

/// The arguments of `alrao completions`.
#[derive(clap::Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Runs the command for the program's command line.
///
/// # Errors
/// Standard output can't be written.
pub fn completions(args: &CompletionsArgs, mut command_line: Command) -> Result<()> {
    let mut script = Vec::new();
    generate(args.shell, &mut command_line, program::name(), &mut script);
    output::print(format_args!("{}", String::from_utf8_lossy(&script)))
}
