//! Files of a run, which may still be going on, or have been killed in the middle of a line.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::PlotError;

/// The records in a `metrics.jsonl`, whose last line a kill may have cut off.
pub(crate) fn read_lines<R: DeserializeOwned>(path: &Path) -> Result<Vec<R>, PlotError> {
    // Bytes, for a cut may fall within a character.
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

/// None if the file isn't there.
pub(crate) fn read_json<J: DeserializeOwned>(path: &Path) -> Result<Option<J>, PlotError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| PlotError::Json { path: path.into(), source }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PlotError::Read { path: path.into(), source }),
    }
}

/// JSON has no word for NaN or infinity: writers put null.
pub(crate) fn null_as_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
