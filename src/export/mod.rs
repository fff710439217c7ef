//! A policy for other programs: the best network of a run as an ONNX or a safetensors file.

mod onnx;
mod onnx_messages;
mod policy;

use std::path::Path;

use anyhow::Result;

use crate::output_file;
use crate::usage_error::UsageError;

pub use policy::ExportedPolicy;

/// Format of a file, by its ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ONNX, from the observation to values and action.
    Onnx,
    /// The tensors of a `torch.nn.Sequential`.
    Safetensors,
}

impl Format {
    /// Returns the format of a file that is to be written.
    ///
    /// # Errors
    /// [`UsageError`] if its name has another ending, or its folder takes no files.
    pub fn of(path: &Path) -> Result<Self, UsageError> {
        Ok(match output_file::check(path, &["onnx", "safetensors"])? {
            "onnx" => Format::Onnx,
            _ => Format::Safetensors,
        })
    }
}

/// Writes a policy to a file, whole or not at all; one that exists is replaced.
///
/// # Errors
/// [`UsageError`] if the file can't be written.
pub fn write(policy: &ExportedPolicy, path: &Path, format: Format) -> Result<()> {
    let bytes = match format {
        Format::Onnx => onnx::bytes(policy),
        Format::Safetensors => policy.safetensors()?,
    };
    Ok(output_file::write(path, bytes)?)
}
