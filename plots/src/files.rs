//! Reading of run files, which may end in a truncated line after a crash.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::PlotError;

/// Reads the records of a `metrics.jsonl` and ignores a truncated last line.
pub(crate) fn read_lines<R: DeserializeOwned>(path: &Path) -> Result<Vec<R>, PlotError> {
    // Bytes, because the line may be truncated within a character.
    let bytes = fs::read(path).map_err(PlotError::read(path))?;
    let mut records = Vec::new();
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        match serde_json::from_slice(line) {
            Ok(record) => records.push(record),
            Err(_) if !line.ends_with(b"\n") => {}
            Err(source) => return Err(PlotError::Metrics { path: path.into(), line: index + 1, source }),
        }
    }
    Ok(records)
}

/// Reads a JSON file; none if it doesn't exist.
pub(crate) fn read_json<J: DeserializeOwned>(path: &Path) -> Result<Option<J>, PlotError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| PlotError::Json { path: path.into(), source }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PlotError::Read { path: path.into(), source }),
    }
}

/// Reads null as NaN, because JSON can't represent NaN or infinity.
pub(crate) fn null_as_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
