//! Requests to stop: SIGINT, SIGTERM, SIGHUP, or the closed standard input of a run that belongs to a sweep.
//!
//! While there is work to save, the first request is only noted: a training run finishes its step and saves a checkpoint, a
//! sweep stops its runs. A second signal, or one without work to save, ends the process at once. Exit codes are 128 plus
//! the signal's number: 129 for SIGHUP, 130 for SIGINT, 143 for SIGTERM.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level;

/// The time that a run of a sweep has to save a checkpoint after its standard input closed.
const GRACE: Duration = Duration::from_secs(60);

/// The signal that requested the stop; 0 for none.
static REQUESTED: AtomicI32 = AtomicI32::new(0);

/// Whether there is work to save.
static WORKING: AtomicBool = AtomicBool::new(false);

/// How to resume what is under way, for the message of a process that ends at once.
static HINT: Mutex<String> = Mutex::new(String::new());

/// The end of a command on request; its message says how to resume.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Stopped {
    /// The signal's number.
    pub signal: i32,
    /// The message.
    pub message: String,
}

/// Handles the signals from now on, except those that the parent process has this one ignore, as `nohup` does.
///
/// # Errors
/// The handlers can't be installed.
pub fn listen() -> Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal)))?;
    // A file that reaches the limit on its size is then an error of the write, which names the file.
    let _ = flag::register(SIGXFSZ, Arc::default())?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let repeated = REQUESTED.swap(signal, Ordering::SeqCst) != 0;
            if repeated || !WORKING.load(Ordering::SeqCst) {
                let hint = HINT.lock().map_or(String::new(), |hint| hint.clone());
                let _ = writeln!(std::io::stderr(), "stopped by {}{hint}", name(signal));
                low_level::exit(128 + signal);
            }
            let _ = writeln!(std::io::stderr(), "{}: stopping; once more to stop at once", name(signal));
        }
    });
    Ok(())
}

/// Returns whether this process ignores a signal; false where the system doesn't tell.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Requests a stop as soon as the standard input closes, because the parent process closed it or died. A run without work to
/// save ends at once, any other within a minute.
pub fn end_with_standard_input() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = REQUESTED.compare_exchange(0, SIGTERM, Ordering::SeqCst, Ordering::SeqCst);
        if WORKING.load(Ordering::SeqCst) {
            std::thread::sleep(GRACE);
        }
        low_level::exit(128 + SIGTERM)
    });
}

/// Sets the command that resumes what is under way.
pub fn resume_with(command: &str) {
    if let Ok(mut hint) = HINT.lock() {
        *hint = format!("; resume with `{command}`");
    }
}

/// Says whether there is work to save from now on.
pub fn set_working(working: bool) {
    WORKING.store(working, Ordering::SeqCst);
}

/// Returns the signal that requested a stop, if there was one.
pub fn requested() -> Option<i32> {
    Some(REQUESTED.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
}

/// Returns whether a stop was requested.
pub fn is_requested() -> bool {
    requested().is_some()
}

/// Returns the name of a signal.
pub fn name(signal: i32) -> &'static str {
    low_level::signal_name(signal).unwrap_or("a signal")
}
