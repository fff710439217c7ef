//! The message of an error: its causes once each, in one line.
//!
//! Libraries name the file or the field in an error and include its cause, which the error's chain then has again; libtorch
//! adds the frames of its stack. [`message`] leaves out what was already said, and the frames.

use std::panic::{self, PanicHookInfo};

use crate::output::note;

/// Returns the message of an error.
pub fn message(error: &anyhow::Error) -> String {
    message_of(&**error)
}

/// Returns the message of an error of any type.
pub fn message_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said = String::new();
    for cause in std::iter::successors(Some(error), |error| error.source()) {
        let cause = one_line(&cause.to_string());
        if said.is_empty() || (cause.contains(&said) && !said.ends_with('`')) {
            said = cause; // a path, and then the path with more about it
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// Returns libtorch's message without the frames of its stack; any other message as it is.
fn one_line(text: &str) -> String {
    let frames = ["\nException raised from", "\nframe #", "\\nException raised from", "\\nframe #"];
    let end = frames.iter().filter_map(|frame| text.find(frame)).min();
    let text = end.map_or(text, |end| &text[..end]);
    text.replacen("Internal torch error: ", "libtorch: ", 1).trim().to_string()
}

/// Has errors of libtorch that no caller expected end the process with a line and exit code 1. Other panics are bugs, and are
/// shown with all that Rust knows.
pub fn shorten_panics_of_libtorch() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info: &PanicHookInfo| match info.payload_as_str().and_then(of_libtorch) {
        Some(message) => {
            note!("error: {message}");
            signal_hook::low_level::exit(1);
        }
        None => usual(info),
    }));
}

/// Returns libtorch's message if a panic is an unexpected error of libtorch.
fn of_libtorch(panic: &str) -> Option<String> {
    let (_, debug) = panic.split_once("value: Torch(\"")?;
    let message = one_line(debug.strip_suffix("\")").unwrap_or(debug));
    Some("libtorch: ".to_string() + &message.replace("\\n", " ").replace("\\\"", "\"").replace("\\'", "'"))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::{Path, PathBuf};

    use alrao_plots::PlotError;

    use super::*;

    fn not_found() -> io::Error {
        io::Error::from_raw_os_error(2)
    }

    fn torch() -> tch::TchError {
        tch::Tensor::from_slice(&[1.0, 2.0]).f_reshape([3]).unwrap_err()
    }

    fn torch_error() -> alrao_core::Error {
        let path = tempfile::tempdir().unwrap().path().join("gone/file"); // its folder doesn't exist
        alrao_core::state_dict::StateDict::default().write(&path).unwrap_err()
    }

    /// An error of every kind that can reach a user and has a cause.
    fn all() -> Vec<anyhow::Error> {
        let path = || PathBuf::from("runs/x/file");
        let json = || serde_json::from_str::<u8>("{").unwrap_err();
        let environment = || alrao_envs::EnvironmentError::StepBeforeReset;
        let missing = alrao_core::state_dict::StateDict::read(Path::new("runs/x/file")).unwrap_err();
        vec![
            alrao_agents::Error::Core(torch_error()).into(),
            alrao_tasks::Error::Core(missing).into(),
            alrao_tasks::Error::Read { path: path(), source: not_found() }.into(),
            alrao_agents::Error::Environment(environment()).into(),
            alrao_envs::EnvironmentError::InVectorEnv { index: 3, source: Box::new(environment()) }.into(),
            PlotError::Read { path: path(), source: not_found() }.into(),
            PlotError::Write { path: path(), source: not_found() }.into(),
            PlotError::Metrics { path: path(), line: 3, problem: alrao_plots::json_problem(&json()) }.into(),
            PlotError::Json { path: path(), problem: alrao_plots::json_problem(&json()) }.into(),
            PlotError::Draw(Box::new(not_found())).into(),
            toml::from_str::<toml::Table>("a = [").unwrap_err().into(),
            not_found().into(),
            anyhow::Error::from(torch()),
        ]
    }

    #[test]
    fn every_cause_is_said_once() {
        for error in all().into_iter().chain(all().into_iter().map(|error| error.context("runs/x"))) {
            let message = message(&error);
            let twice = |part: &str| part.len() > 12 && message.matches(part).count() > 1;
            assert!(!message.split(": ").any(twice), "{message}");
            assert!(
                !["frame #", "Exception raised", "Os {", "safetensors error"]
                    .iter()
                    .any(|debug| message.contains(debug))
            );
        }
    }

    #[test]
    fn libtorchs_errors_are_one_line() {
        let error = message(&torch().into());
        assert!(error.starts_with("libtorch: shape '[3]' is invalid") && error.lines().count() == 1, "{error}");
        let panic = format!("called `Result::unwrap()` on an `Err` value: {:?}", torch());
        assert_eq!(of_libtorch(&panic).unwrap(), error);
        assert_eq!(of_libtorch("index out of bounds"), None);
    }
}
