//! `alrao-setup`: prepares this machine, and crates, for building with alrao.
//!
//! Exit codes: 0 for success, 2 for a usage error or a missing requirement, 1 for any other failure.

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use alrao_setup::{Project, SourceArgs, fill_cache, init, new_crate, provide};
use anyhow::Result;
use clap::{Args, Parser, Subcommand};

/// Download the libraries that alrao is built with, and prepare crates that depend on it.
///
/// Without a subcommand: set up the crate or checkout around the current folder again, or fill the cache if there is none.
#[derive(Parser)]
#[command(name = "alrao-setup", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    libraries: Libraries,
}

#[derive(Subcommand)]
enum Command {
    /// Write a new crate with an environment of its own.
    New {
        /// Folder of the crate; it must be empty or missing.
        dir: PathBuf,
        #[command(flatten)]
        source: SourceArgs,
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Prepare an existing crate, and print what changes.
    Init {
        /// Folder of the crate.
        #[arg(default_value = ".")]
        dir: PathBuf,
        #[command(flatten)]
        source: SourceArgs,
        #[command(flatten)]
        libraries: Libraries,
    },
}

#[derive(Args)]
struct Libraries {
    /// Install PyTorch with its CUDA libraries (needs an NVIDIA driver).
    #[arg(long)]
    cuda: bool,
}

fn main() -> ExitCode {
    match run(CommandLine::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !alrao_setup::is_closed_output(&error) {
                let _ = writeln!(std::io::stderr(), "error: {error:#}");
            }
            alrao_setup::exit_code(&error)
        }
    }
}

fn run(CommandLine { command, libraries }: CommandLine) -> Result<()> {
    match command {
        Some(Command::New { dir, source, libraries }) => {
            new_crate(&dir, &source.source()?, |project| provide(project, libraries.cuda))
        }
        Some(Command::Init { dir, source, libraries }) => {
            init(&dir, &source.source()?, |project| provide(project, libraries.cuda))
        }
        None => match Project::around(&env::current_dir()?) {
            Some(project) => provide(&project, libraries.cuda),
            None => {
                fill_cache(libraries.cuda)?;
                let _ = writeln!(
                    std::io::stderr(),
                    "no crate here was prepared for alrao: `alrao-setup new DIR` writes one, `alrao-setup init` prepares one"
                );
                Ok(())
            }
        },
    }
}
