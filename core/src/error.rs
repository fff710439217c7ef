//! Errors of the core. Each message says what happened, then what to do.

use crate::path::Shown;
use std::path::PathBuf;

/// An error of the core.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The learning-rate range is empty, not positive or infinite.
    #[error(
        "learning rates must satisfy 0 < lr_min <= lr_max < infinity as 32-bit numbers, but lr_min = {min:e} and lr_max = {max:e}"
    )]
    LrRange {
        /// The given lower bound.
        min: f64,
        /// The given upper bound.
        max: f64,
    },
    /// The number of heads is below 1.
    #[error("the number of heads must be at least 1")]
    NoHeads,
    /// The cutoffs of an adaptive softmax don't divide the classes.
    #[error("the cutoffs {cutoffs:?} must increase, from at least 1 to less than the {classes} classes")]
    Cutoffs {
        /// The given cutoffs.
        cutoffs: Vec<usize>,
        /// The number of classes.
        classes: usize,
    },
    /// An adaptive softmax was trained with another likelihood than the categorical one.
    #[error("an adaptive softmax predicts classes; train it with the likelihood `Categorical`")]
    NotClasses,
    /// A parameter belongs to no unit, so it has no learning rate.
    #[error(
        "the parameter `{name}` belongs to no unit, so it has no learning rate; its layer must pass it to `add_units`"
    )]
    ParameterWithoutUnit {
        /// The parameter's name.
        name: String,
    },
    /// The training loss of an unguarded run became non-finite.
    #[error("diverged: the training loss became non-finite at update {update}; use a smaller learning rate")]
    Diverged {
        /// Updates made before the failure.
        update: u64,
    },
    /// The likelihoods of all heads are non-finite.
    #[error(
        "the likelihood of every head became non-finite at update {update}; the largest learning rates of units are \
         {largest_rates:?}: lower lr_max, or check the targets for NaN"
    )]
    NoFiniteHead {
        /// Updates made before the failure.
        update: u64,
        /// The largest learning rates of the body's units, in descending order.
        largest_rates: Vec<f64>,
    },
    /// The body's features are non-finite.
    #[error(
        "the features became non-finite at update {update}; the largest learning rates of units are {largest_rates:?}: \
         lower lr_max, normalize the layers, clip gradients, or check the inputs for NaN"
    )]
    NoFiniteFeatures {
        /// Updates made before the failure.
        update: u64,
        /// The largest learning rates of the body's units, in descending order.
        largest_rates: Vec<f64>,
    },
    /// A tensor's shape doesn't fit the network.
    #[error("{what} must have the shape {expected:?} (-1: any length), but have {found:?}")]
    Shape {
        /// Name of the tensor.
        what: &'static str,
        /// Expected shape; -1 fits any length.
        expected: Vec<i64>,
        /// Shape found.
        found: Vec<i64>,
    },
    /// An index is out of range.
    #[error("{what} must be from 0 to {last}, but the batch contains {found}")]
    Index {
        /// What is indexed.
        what: &'static str,
        /// The index found.
        found: i64,
        /// The largest valid index.
        last: i64,
    },
    /// Images are too small for a network's pooling layers.
    #[error("images must be at least {least} by {least} pixels for this network, but are {height} by {width}")]
    ImageSize {
        /// The smallest valid side, in pixels.
        least: i64,
        /// The images' height, in pixels.
        height: i64,
        /// The images' width, in pixels.
        width: i64,
    },
    /// The network and the method have different numbers of heads.
    #[error("the network has {found} heads, the method needs {expected}")]
    HeadCount {
        /// The method's number of heads.
        expected: i64,
        /// The network's number of heads.
        found: i64,
    },
    /// A file of tensors has none of this name.
    #[error("{}: no tensor named `{name}`; the file belongs to another network", path.shown())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
    },
    /// A saved tensor's shape doesn't fit the network that loads it.
    #[error("{}: tensor `{name}` has shape {found:?}, this network needs {expected:?}", path.shown())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// Expected shape; -1 fits any length.
        expected: Vec<i64>,
        /// Shape in the file.
        found: Vec<i64>,
    },
    /// A saved tensor has another dtype.
    #[error("{}: tensor `{name}` is of {found:?}, but {expected:?} is needed", path.display())]
    TensorDtype {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// Expected dtype.
        expected: tch::Kind,
        /// Dtype in the file.
        found: tch::Kind,
    },
    /// A file of tensors can't be read or written.
    #[error("{}: {problem}", path.shown())]
    TensorFile {
        /// The file.
        path: PathBuf,
        /// The reason, from libtorch or the file system.
        problem: String,
    },
    /// The machine lacks the memory to train a network.
    #[error(
        "a network with a part of {parameters:.0} parameters needs about {needed:.0} GB to be trained, but this machine has \
         {total:.0} GB: choose smaller layers (hidden_sizes, width_factor), fewer heads (num_heads) or fewer outputs"
    )]
    Memory {
        /// The parameters of the body or of the heads.
        parameters: f64,
        /// The memory they need, in GB.
        needed: f64,
        /// The machine's memory, in GB.
        total: f64,
    },
    /// The device is not available.
    #[error("{0}")]
    Device(String),
}

impl Error {
    /// Checks a tensor's shape; -1 in `expected` fits any length.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shape differs.
    pub fn check_shape(what: &'static str, expected: &[i64], tensor: &tch::Tensor) -> Result<(), Self> {
        let found = tensor.size();
        if fits(&found, expected) {
            return Ok(());
        }
        Err(Error::Shape { what, expected: expected.to_vec(), found })
    }
}

/// Returns whether a shape is the expected one, where -1 fits any length.
pub(crate) fn fits(found: &[i64], expected: &[i64]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| f == e || *e == -1)
}
