//! Named tensors, saved in safetensors files: parameters, buffers and optimizer states.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytemuck::NoUninit;
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, View, serialize, serialize_to_file};
use tch::kind::Element;
use tch::{Device, Kind, TchError, Tensor};

use crate::Error;
use crate::error::fits;

/// Tensors by name, and the file that they were read from.
#[derive(Debug, Default)]
pub struct StateDict {
    path: PathBuf,
    by_name: BTreeMap<String, Entry>,
}

/// A vector of numbers that a [`StateDict`] can hold and write without a copy, as a large replay buffer's.
pub trait Numbers {
    /// Returns the dtype.
    fn kind(&self) -> Kind;

    /// Returns the numbers' bytes.
    fn bytes(&self) -> &[u8];
}

impl<T: Element + NoUninit> Numbers for Vec<T> {
    fn kind(&self) -> Kind {
        T::KIND
    }

    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }
}

enum Entry {
    Tensor(Tensor),
    /// numbers, and a tensor of them once it was asked for
    Shared(Rc<dyn Numbers>, OnceCell<Tensor>),
}

impl Entry {
    fn tensor(&self) -> &Tensor {
        match self {
            Entry::Tensor(tensor) => tensor,
            Entry::Shared(numbers, tensor) => tensor.get_or_init(|| {
                let (kind, bytes) = (numbers.kind(), numbers.bytes());
                Tensor::from_data_size(bytes, &[(bytes.len() / kind.elt_size_in_bytes()) as i64], kind)
            }),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tensor().fmt(f)
    }
}

/// An entry in a safetensors file.
struct Stored<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    entry: &'a Entry,
}

impl<'a> Stored<'a> {
    fn new(entry: &'a Entry) -> Result<Self, TchError> {
        let (kind, shape) = match entry {
            Entry::Tensor(tensor) => (tensor.kind(), tensor.size().iter().map(|&n| n as usize).collect()),
            Entry::Shared(numbers, _) => {
                (numbers.kind(), vec![numbers.bytes().len() / numbers.kind().elt_size_in_bytes()])
            }
        };
        Ok(Stored { dtype: kind.try_into()?, shape, entry })
    }
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.entry {
            Entry::Tensor(tensor) => {
                let mut bytes = vec![0; self.data_len()];
                tensor.copy_data_u8(&mut bytes, tensor.numel());
                bytes.into()
            }
            Entry::Shared(numbers, _) => numbers.bytes().into(),
        }
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size()
    }
}

impl StateDict {
    /// Reads a safetensors file.
    ///
    /// # Errors
    /// [`Error::TensorFile`] if the file is missing or not a safetensors file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let by_name = Tensor::read_safetensors(path).map_err(|error| tensor_file(path, error))?;
        let by_name = by_name.into_iter().map(|(name, tensor)| (name, Entry::Tensor(tensor)));
        Ok(StateDict { path: path.into(), by_name: by_name.collect() })
    }

    /// Writes all tensors to a safetensors file.
    ///
    /// # Errors
    /// [`Error::TensorFile`] if the file can't be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let in_file = |err| TchError::SafeTensorError { path: path.display().to_string(), err };
        let written = self.stored().and_then(|stored| serialize_to_file(stored, &None, path).map_err(in_file));
        written.map_err(|error| tensor_file(path, error))
    }

    /// Returns the bytes of a safetensors file of all tensors.
    ///
    /// # Errors
    /// [`Error::TensorFile`] if a dtype has no place in such a file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let in_memory = |err| TchError::SafeTensorError { path: String::new(), err };
        let bytes = self.stored().and_then(|stored| serialize(stored, &None).map_err(in_memory));
        bytes.map_err(|error| tensor_file(&self.path, error))
    }

    fn stored(&self) -> Result<Vec<(&String, Stored<'_>)>, TchError> {
        self.by_name.iter().map(|(name, entry)| Ok((name, Stored::new(entry)?))).collect()
    }

    /// Adds a copy of a tensor, on the CPU.
    pub fn insert(&mut self, name: impl Into<String>, tensor: &Tensor) {
        let tensor = tensor.detach().to_device(Device::Cpu).contiguous().copy();
        self.by_name.insert(name.into(), Entry::Tensor(tensor));
    }

    /// Adds a vector of numbers.
    pub fn insert_slice<T: Element>(&mut self, name: impl Into<String>, values: &[T]) {
        self.by_name.insert(name.into(), Entry::Tensor(Tensor::from_slice(values)));
    }

    /// Adds a vector of numbers without a copy.
    pub fn insert_shared(&mut self, name: impl Into<String>, numbers: Rc<dyn Numbers>) {
        self.by_name.insert(name.into(), Entry::Shared(numbers, OnceCell::new()));
    }

    /// Returns the tensor with this name and shape; -1 fits any length.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`].
    pub fn get(&self, name: &str, shape: &[i64]) -> Result<&Tensor, Error> {
        let tensor = self
            .by_name
            .get(name)
            .ok_or_else(|| Error::MissingTensor { path: self.path.clone(), name: name.into() })?
            .tensor();
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
    /// [`Error::MissingTensor`], [`Error::TensorShape`], [`Error::TensorDtype`].
    pub fn get_vec<T: Element>(&self, name: &str, length: i64) -> Result<Vec<T>, Error> {
        let tensor = self.get(name, &[length])?;
        if tensor.kind() != T::KIND {
            let (path, name) = (self.path.clone(), name.into());
            return Err(Error::TensorDtype { path, name, expected: T::KIND, found: tensor.kind() });
        }
        let mut values = vec![T::ZERO; tensor.numel()];
        tensor.copy_data(&mut values, tensor.numel());
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
    use safetensors::SafeTensors;

    use super::*;

    #[test]
    fn reading_restores_what_was_written() {
        let path = tempfile::tempdir().unwrap().keep().join("x.safetensors");
        let mut tensors = StateDict::default();
        tensors.insert("b", &Tensor::from_slice(&[1.5f32, f32::NEG_INFINITY]).view([1, 2]));
        tensors.insert_slice("a", &[0.1f64, -0.0]);
        tensors.insert_shared("shared", Rc::new(vec![true, false, true]));
        tensors.write(&path).unwrap();
        let read = StateDict::read(&path).unwrap();
        let bytes = tensors.to_bytes().unwrap();
        assert_eq!(SafeTensors::deserialize(&bytes).unwrap().tensor("b").unwrap().shape(), [1, 2]);
        assert_eq!(read.get("b", &[1, 2]).unwrap(), &Tensor::from_slice(&[1.5f32, f32::NEG_INFINITY]).view([1, 2]));
        assert_eq!(read.get_vec::<f64>("a", -1).unwrap(), [0.1, -0.0]);
        for tensors in [&tensors, &read] {
            assert_eq!(tensors.get_vec::<bool>("shared", 3).unwrap(), [true, false, true]);
            let error = tensors.get_vec::<u8>("shared", 3).unwrap_err().to_string();
            assert!(error.contains("tensor `shared` is of Bool, but Uint8 is needed"), "{error}");
        }
        assert!(read.get_vec::<f64>("a", 3).unwrap_err().to_string().contains("x.safetensors"));
        assert!(StateDict::read(Path::new("/nowhere")).unwrap_err().to_string().starts_with("/nowhere"));
    }
}
