//! What can go wrong in the core, in words that say what to do.

use std::path::PathBuf;

/// An error of the core.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The interval of learning rates is empty or not positive.
    #[error("learning rates must satisfy 0 < lr_min <= lr_max < infinity, but lr_min = {min:e} and lr_max = {max:e}")]
    LrRange {
        /// The lower end as given.
        min: f64,
        /// The upper end as given.
        max: f64,
    },
    /// A network without output layers.
    #[error("the number of heads must be at least 1")]
    NoHeads,
    /// A parameter that has no learning rate, because no unit has claimed it.
    #[error("no unit claims the parameter `{name}`: it would have no learning rate; its layer must claim it")]
    ParameterWithoutUnit {
        /// The parameter's name.
        name: String,
    },
    /// The training loss of an unguarded run is not a finite number any more.
    #[error("the training loss is no finite number at update {update}: it has diverged; use a smaller learning rate")]
    Diverged {
        /// Updates made before.
        update: u64,
    },
    /// No head explains the data with a finite likelihood.
    #[error(
        "no head's likelihood is a finite number at update {update}; the largest rates of units are {largest_rates:?}: \
         lower lr_max, or look for targets that are no numbers"
    )]
    NoFiniteHead {
        /// Updates made before.
        update: u64,
        /// The largest rates of the body's units, largest first.
        largest_rates: Vec<f64>,
    },
    /// The body's features are not finite.
    #[error(
        "the features are no finite numbers at update {update}; the largest rates of units are {largest_rates:?}: \
         lower lr_max, normalise the layers, clip gradients, or look for inputs that are no numbers"
    )]
    NoFiniteFeatures {
        /// Updates made before.
        update: u64,
        /// The largest rates of the body's units, largest first.
        largest_rates: Vec<f64>,
    },
    /// A tensor that doesn't fit the network.
    #[error("{what} must have the shape {expected:?} (-1: any length), but have {found:?}")]
    Shape {
        /// Which tensor.
        what: &'static str,
        /// The shape needed.
        expected: Vec<i64>,
        /// The shape given.
        found: Vec<i64>,
    },
    /// An index of something that isn't there.
    #[error("{what} must be from 0 to {last}, but one is {found}")]
    Index {
        /// Of what.
        what: &'static str,
        /// The index given.
        found: i64,
        /// The largest there is.
        last: i64,
    },
    /// Images that a network's pools leave nothing of.
    #[error("images must be at least {least} by {least} pixels for this network, but are {height} by {width}")]
    ImageSize {
        /// The smallest that will do.
        least: i64,
        /// The images' height.
        height: i64,
        /// The images' width.
        width: i64,
    },
    /// A network and a method that don't belong together.
    #[error("the network has {found} heads, the method needs {expected}")]
    HeadCount {
        /// The method's.
        expected: i64,
        /// The network's.
        found: i64,
    },
    /// A saved state has no tensor of this name.
    #[error("{}: no tensor named `{name}`; the file belongs to another network", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
    },
    /// A saved tensor does not fit the network it is loaded into.
    #[error("{}: tensor `{name}` has shape {found:?}, this network needs {expected:?}", path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// The shape needed.
        expected: Vec<i64>,
        /// The shape in the file.
        found: Vec<i64>,
    },
    /// A file of tensors can't be read or written.
    #[error("{}: {source}", path.display())]
    TensorFile {
        /// The file.
        path: PathBuf,
        /// What libtorch or the file system said.
        source: tch::TchError,
    },
    /// A device that isn't there.
    #[error("{0}")]
    Device(String),
}

impl Error {
    /// Checks that a tensor has a shape, in which -1 stands for any length.
    ///
    /// # Errors
    /// [`Error::Shape`] if it hasn't.
    pub fn check_shape(what: &'static str, expected: &[i64], tensor: &tch::Tensor) -> Result<(), Self> {
        let found = tensor.size();
        if fits(&found, expected) {
            return Ok(());
        }
        Err(Error::Shape { what, expected: expected.to_vec(), found })
    }
}

/// Whether a shape is another, in which -1 stands for any length.
pub(crate) fn fits(found: &[i64], expected: &[i64]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| f == e || *e == -1)
}
