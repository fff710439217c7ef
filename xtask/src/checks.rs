//! `cargo xtask test`: all checks, cheapest first, in the test profile.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::{downstream, export, gymnasium, setup};

const CHECKS: [(&str, &[&str]); 4] = [
    ("format", &["fmt", "--all", "--check"]),
    ("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ("documentation", &["doc", "--workspace", "--no-deps"]),
    ("tests", &["test", "--workspace"]),
];

/// Sets up, then runs the checks until one fails.
pub fn run(checkout: &Checkout) -> Result<()> {
    setup::run(checkout, false)?;
    let start = Instant::now();
    for (what, arguments) in CHECKS {
        check(what, &format!("cargo {}", arguments.join(" ")), |named| {
            run_command(named, cargo(checkout).args(arguments).env("RUSTDOCFLAGS", "-D warnings"))
        })?;
    }
    check("exported policies", "cargo xtask export", |_| export::run(checkout))?;
    check("Gymnasium", "cargo xtask gymnasium", |_| gymnasium::test(checkout))?;
    check("crates outside", "cargo xtask downstream", |_| downstream::run(checkout))?;
    println!("\n== all checks passed in {}", format_duration(start.elapsed()));
    Ok(())
}

/// Runs one check, which gets its name and command line, and prints its result and duration.
fn check(what: &str, command_line: &str, run: impl FnOnce(&str) -> Result<()>) -> Result<()> {
    println!("\n== {what}: {command_line}");
    let begin = Instant::now();
    let outcome = run(&format!("{what} (`{command_line}`)"));
    let verdict = if outcome.is_ok() { "passed" } else { "FAILED" };
    println!("== {what} {verdict} in {}", format_duration(begin.elapsed()));
    outcome
}

/// Formats a duration as `4.2 s` or `3 min 05 s`.
fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        return format!("{:.1} s", duration.as_secs_f64());
    }
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_formatted_in_seconds_and_minutes() {
        assert_eq!(format_duration(Duration::from_millis(4_240)), "4.2 s");
        assert_eq!(format_duration(Duration::from_secs(185)), "3 min 05 s");
    }
}
