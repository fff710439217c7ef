//! Reading of run files, which may end in a truncated line after a crash.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::error::Category;

use crate::PlotError;

/// Reads the records of a run's `metrics.jsonl`, of which a run that has just begun has none, and ignores a truncated last
/// line.
///
/// # Errors
/// The file is damaged, or lost after the run has finished.
pub(crate) fn read_metrics<R: DeserializeOwned>(run: &Path) -> Result<Vec<R>, PlotError> {
    let path = run.join("metrics.jsonl");
    let summary: Option<Value> = read_json(&run.join("summary.json")).unwrap_or_default();
    // Bytes, because the line may be truncated within a character.
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound && summary.is_none() => Vec::new(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(PlotError::NoMetricsFile { path }),
        read => read.map_err(PlotError::read(&path))?,
    };
    if bytes.is_empty() && summary.is_some_and(|summary| !summary["best"].is_null()) {
        return Err(PlotError::NoMetricsFile { path });
    }
    let mut records = Vec::new();
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        match serde_json::from_slice(line.trim_ascii_end()) {
            Ok(record) => records.push(record),
            Err(_) if !line.ends_with(b"\n") => {}
            Err(error) => {
                let problem = problem(&error, &format!("column {}", error.column()));
                return Err(PlotError::Metrics { path, line: index + 1, problem });
            }
        }
    }
    Ok(records)
}

/// Reads a JSON file of a run; none if it doesn't exist.
///
/// # Errors
/// [`PlotError::Read`], or [`PlotError::Json`] if it is damaged.
pub fn read_json<J: DeserializeOwned>(path: &Path) -> Result<Option<J>, PlotError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some) // null is no value of a type
            .map_err(|error| PlotError::Json { path: path.into(), problem: json_problem(&error) }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PlotError::Read { path: path.into(), source }),
    }
}

/// Describes the damage of a JSON file in words, as in "it is cut off".
pub fn json_problem(error: &serde_json::Error) -> String {
    problem(error, &format!("line {}, column {}", error.line(), error.column()))
}

fn problem(error: &serde_json::Error, place: &str) -> String {
    let text = error.to_string();
    let field = text.strip_prefix("missing field ").and_then(|rest| rest.split_whitespace().next());
    match (error.classify(), field) {
        (Category::Eof, _) if error.column() == 0 => "it is empty".into(),
        (Category::Eof, _) => "it is cut off".into(),
        (Category::Data, Some(field)) => format!("it has no field {field}"),
        (Category::Data, None) => format!("its value at {place} is not what the program writes"),
        (Category::Syntax, _) => format!("it is no JSON at {place}"),
        (Category::Io, _) => text,
    }
}

/// Reads null as NaN, because JSON can't represent NaN or infinity.
pub(crate) fn null_as_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
