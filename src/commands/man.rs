//! `alrao man`: prints a manual page, of the program or of a command.

use anyhow::Result;
use clap::Command;
use clap_mangen::Man;

use crate::output;
use crate::usage_error::UsageError;

/// The arguments of `alrao man`.
#[derive(clap::Args)]
pub struct ManArgs {
    /// A command, as in `man env trace`; without one, the page of the program, which lists them.
    pub command: Vec<String>,
}

/// Runs the command for the program's command line.
///
/// # Errors
/// [`UsageError`] for an unknown command; else standard output can't be written.
pub fn man(args: &ManArgs, mut command_line: Command) -> Result<()> {
    command_line.build();
    let version = command_line.get_version().unwrap_or_default().to_string();
    let mut command = &command_line;
    for name in &args.command {
        let known = || command.get_subcommands().map(Command::get_name).collect::<Vec<_>>().join(", ");
        let found = command.find_subcommand(name);
        command = found.ok_or_else(|| {
            UsageError(match command.has_subcommands() {
                true => format!("there is no command `{name}`: choose one of {}", known()),
                false => format!("`{}` has no commands of its own: leave out `{name}`", command.get_name()),
            })
        })?;
    }
    let mut page = Vec::new();
    Man::new(command.clone()).source(format!("{} {version}", command_line.get_name())).render(&mut page)?;
    output::print(format_args!("{}", String::from_utf8_lossy(&page)))
}
