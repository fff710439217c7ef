//! Named tensors, saved in safetensors files: parameters, buffers and optimizer states.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensorError;
use tch::{Device, TchError, Tensor};

use crate::Error;
use crate::error::fits;

/// Tensors by name, and the file that they were read from.
#[derive(Debug, Default)]
pub struct StateDict {
    path: PathBuf,
    by_name: BTreeMap<String, Tensor>,
}

impl StateDict {
    /// Reads a safetensors file.
    ///
    /// # Errors
    /// [`Error::TensorFile`] if the file is missing or not a safetensors file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let by_name = Tensor::read_safetensors(path).map_err(|error| tensor_file(path, error))?;
        Ok(StateDict { path: path.into(), by_name: by_name.into_iter().collect() })
    }

    /// Writes all tensors to a safetensors file.
    ///
    /// # Errors
    /// [`Error::TensorFile`] if the file can't be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let by_name: Vec<(&String, &Tensor)> = self.by_name.iter().collect();
        Tensor::write_safetensors(&by_name, path).map_err(|error| tensor_file(path, error))
    }

    /// Adds a copy of a tensor, on the CPU.
    pub fn insert(&mut self, name: impl Into<String>, tensor: &Tensor) {
        let tensor = tensor.detach().to_device(Device::Cpu).contiguous().copy();
        self.by_name.insert(name.into(), tensor);
    }

    /// Adds a vector of numbers.
    pub fn insert_slice<T: tch::kind::Element>(&mut self, name: impl Into<String>, values: &[T]) {
        self.by_name.insert(name.into(), Tensor::from_slice(values));
    }

    /// Returns the tensor with this name and shape; -1 fits any length.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`].
    pub fn get(&self, name: &str, shape: &[i64]) -> Result<&Tensor, Error> {
        let tensor = self
            .by_name
            .get(name)
            .ok_or_else(|| Error::MissingTensor { path: self.path.clone(), name: name.into() })?;
        let found = tensor.size();
        if fits(&found, shape) {
            Ok(tensor)
        } else {
            let (path, name) = (self.path.clone(), name.into());
            Err(Error::TensorShape { path, name, expected: shape.to_vec(), found })
        }
    }

    /// Returns the vector with this name and length; -1 fits any length.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`], and [`Error::TensorFile`] if the tensor has another dtype.
    pub fn get_vec<T: tch::kind::Element>(&self, name: &str, length: i64) -> Result<Vec<T>, Error> {
        let tensor = self.get(name, &[length])?;
        let mut values = vec![T::ZERO; tensor.numel()];
        let copied = tensor.f_copy_data(&mut values, tensor.numel());
        copied.map_err(|error| tensor_file(&self.path, error))?;
        Ok(values)
    }
}

fn tensor_file(path: &Path, error: TchError) -> Error {
    let problem = match error {
        TchError::SafeTensorError { err: SafeTensorError::IoError(error), .. } => error.to_string(),
        TchError::SafeTensorError { err, .. } => format!("not a whole safetensors file: {err}"),
        error => error.to_string(),
    };
    Error::TensorFile { path: path.into(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_restores_what_was_written() {
        let path = tempfile::tempdir().unwrap().keep().join("x.safetensors");
        let mut tensors = StateDict::default();
        tensors.insert("b", &Tensor::from_slice(&[1.5f32, f32::NEG_INFINITY]).view([1, 2]));
        tensors.insert_slice("a", &[0.1f64, -0.0]);
        tensors.write(&path).unwrap();
        let read = StateDict::read(&path).unwrap();
        assert_eq!(read.get("b", &[1, 2]).unwrap(), &Tensor::from_slice(&[1.5f32, f32::NEG_INFINITY]).view([1, 2]));
        assert_eq!(read.get_vec::<f64>("a", -1).unwrap(), [0.1, -0.0]);
        assert!(read.get_vec::<f64>("a", 3).unwrap_err().to_string().contains("x.safetensors"));
        assert!(StateDict::read(Path::new("/nowhere")).unwrap_err().to_string().starts_with("/nowhere"));
    }
}
