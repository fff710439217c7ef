//! Observations and their spaces: [`ObservationSpace`], [`ObservationRef`] and [`ObservationBuffer`].
//!
//! Most environments observe a vector of `f32`. Images are mostly bytes, a quarter of the memory of `f32`, and the way
//! from channels, height and width to a network must know which is which: so a space has a shape and a dtype.

use std::fmt;
use std::ops::Range;
use std::slice;

/// Shape and dtype of an environment's observations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservationSpace {
    /// The shape.
    pub shape: ObservationShape,
    /// The type of each value.
    pub dtype: ObservationDtype,
}

/// Shape of an observation. Values are in row-major order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObservationShape {
    /// A vector, `[n]`.
    Vector(usize),
    /// An image of one channel, `[height, width]`.
    OneChannel([usize; 2]),
    /// An image, `[channels, height, width]`.
    ChannelsFirst([usize; 3]),
    /// An image, `[height, width, channels]`.
    ChannelsLast([usize; 3]),
}

/// Type of an observation's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObservationDtype {
    /// `f32`.
    F32,
    /// `u8`, as pixels.
    U8,
    /// `bool`.
    Bool,
}

/// A borrowed observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ObservationRef<'a> {
    /// Values of `f32`.
    F32(&'a [f32]),
    /// Values of `u8`.
    U8(&'a [u8]),
    /// Values of `bool`.
    Bool(&'a [bool]),
}

/// A vector of observations' values, of one dtype.
#[derive(Clone, Debug, PartialEq)]
pub enum ObservationBuffer {
    /// Values of `f32`.
    F32(Vec<f32>),
    /// Values of `u8`.
    U8(Vec<u8>),
    /// Values of `bool`.
    Bool(Vec<bool>),
}

/// A borrowed observation that can be overwritten.
#[derive(Debug)]
pub(crate) enum ObservationMut<'a> {
    F32(&'a mut [f32]),
    U8(&'a mut [u8]),
    Bool(&'a mut [bool]),
}

/// Evaluates an expression for the values of any dtype, as `each!(ObservationRef, self, values => values.len())`.
macro_rules! each {
    ($kind:ident, $observation:expr, $values:ident => $result:expr) => {
        match $observation {
            $kind::F32($values) => $result,
            $kind::U8($values) => $result,
            $kind::Bool($values) => $result,
        }
    };
}

impl ObservationSpace {
    /// Creates the space of vectors of `n` values of `f32`.
    pub fn vector(n: usize) -> Self {
        Self { shape: ObservationShape::Vector(n), dtype: ObservationDtype::F32 }
    }

    /// Creates the space of images of `u8`.
    pub fn pixels(shape: ObservationShape) -> Self {
        Self { shape, dtype: ObservationDtype::U8 }
    }

    /// Returns the number of an observation's values.
    #[expect(clippy::len_without_is_empty, reason = "an observation has values")]
    pub fn len(&self) -> usize {
        self.shape.sizes().iter().product()
    }

    /// Returns an image's channels, height and width; none for a vector.
    pub fn image(&self) -> Option<[usize; 3]> {
        match self.shape {
            ObservationShape::Vector(_) => None,
            ObservationShape::OneChannel([height, width]) => Some([1, height, width]),
            ObservationShape::ChannelsFirst(sizes) => Some(sizes),
            ObservationShape::ChannelsLast([height, width, channels]) => Some([channels, height, width]),
        }
    }
}

impl ObservationShape {
    /// Returns the lengths of the dimensions.
    pub fn sizes(&self) -> &[usize] {
        match self {
            Self::Vector(n) => slice::from_ref(n),
            Self::OneChannel(sizes) => sizes,
            Self::ChannelsFirst(sizes) | Self::ChannelsLast(sizes) => sizes,
        }
    }
}

impl<'a> ObservationRef<'a> {
    /// Returns the number of values.
    pub fn len(self) -> usize {
        each!(ObservationRef, self, values => values.len())
    }

    /// Returns whether there are no values.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Returns the type of the values.
    pub fn dtype(self) -> ObservationDtype {
        match self {
            Self::F32(_) => ObservationDtype::F32,
            Self::U8(_) => ObservationDtype::U8,
            Self::Bool(_) => ObservationDtype::Bool,
        }
    }

    /// Returns some of the values.
    pub fn slice(self, range: Range<usize>) -> Self {
        match self {
            Self::F32(values) => Self::F32(&values[range]),
            Self::U8(values) => Self::U8(&values[range]),
            Self::Bool(values) => Self::Bool(&values[range]),
        }
    }

    /// Returns the values as `f32`; false is 0 and true is 1.
    pub fn to_f32(self) -> Vec<f32> {
        match self {
            Self::F32(values) => values.to_vec(),
            Self::U8(values) => values.iter().copied().map(f32::from).collect(),
            Self::Bool(values) => values.iter().copied().map(f32::from).collect(),
        }
    }

    /// Returns a copy.
    pub fn to_buffer(self) -> ObservationBuffer {
        match self {
            Self::F32(values) => ObservationBuffer::F32(values.to_vec()),
            Self::U8(values) => ObservationBuffer::U8(values.to_vec()),
            Self::Bool(values) => ObservationBuffer::Bool(values.to_vec()),
        }
    }
}

impl<'a> From<&'a [f32]> for ObservationRef<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self::F32(values)
    }
}

impl<'a> From<&'a [u8]> for ObservationRef<'a> {
    fn from(values: &'a [u8]) -> Self {
        Self::U8(values)
    }
}

impl<'a> From<&'a [bool]> for ObservationRef<'a> {
    fn from(values: &'a [bool]) -> Self {
        Self::Bool(values)
    }
}

impl ObservationBuffer {
    /// Creates an empty buffer. It reserves space for `capacity` values, if the system grants it: unused space takes no
    /// memory, while a vector that grows as it is filled leaves copies of itself behind, which the allocator keeps.
    pub fn with_capacity(dtype: ObservationDtype, capacity: usize) -> Self {
        let mut buffer = Self::zeros(dtype, 0);
        buffer.reserve(capacity);
        buffer
    }

    /// Reserves space for `capacity` values in all, as [`with_capacity`](Self::with_capacity).
    pub fn reserve(&mut self, capacity: usize) {
        // on failure, the vector grows instead
        let _ = each!(ObservationBuffer, self, values => {
            values.try_reserve_exact(capacity.saturating_sub(values.len()))
        });
    }

    /// Creates a buffer of `len` zeros.
    pub fn zeros(dtype: ObservationDtype, len: usize) -> Self {
        match dtype {
            ObservationDtype::F32 => Self::F32(vec![0.0; len]),
            ObservationDtype::U8 => Self::U8(vec![0; len]),
            ObservationDtype::Bool => Self::Bool(vec![false; len]),
        }
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        each!(ObservationBuffer, self, values => values.len())
    }

    /// Returns whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all values.
    pub fn as_ref(&self) -> ObservationRef<'_> {
        match self {
            Self::F32(values) => ObservationRef::F32(values),
            Self::U8(values) => ObservationRef::U8(values),
            Self::Bool(values) => ObservationRef::Bool(values),
        }
    }

    /// Returns some of the values.
    pub fn slice(&self, range: Range<usize>) -> ObservationRef<'_> {
        self.as_ref().slice(range)
    }

    /// Returns all values, mutably.
    pub(crate) fn as_mut(&mut self) -> ObservationMut<'_> {
        match self {
            Self::F32(values) => ObservationMut::F32(values),
            Self::U8(values) => ObservationMut::U8(values),
            Self::Bool(values) => ObservationMut::Bool(values),
        }
    }

    /// Appends values.
    ///
    /// # Panics
    /// If they have another dtype.
    pub fn extend(&mut self, values: ObservationRef<'_>) {
        match (self, values) {
            (Self::F32(buffer), ObservationRef::F32(values)) => buffer.extend_from_slice(values),
            (Self::U8(buffer), ObservationRef::U8(values)) => buffer.extend_from_slice(values),
            (Self::Bool(buffer), ObservationRef::Bool(values)) => buffer.extend_from_slice(values),
            (buffer, values) => panic!("{} for a buffer of {}", values.dtype(), buffer.as_ref().dtype()),
        }
    }

    /// Overwrites the values from index `start` on.
    ///
    /// # Panics
    /// If the values have another dtype or exceed the buffer.
    pub fn write(&mut self, start: usize, values: ObservationRef<'_>) {
        let mut rest = self.as_mut();
        rest.split_off(start);
        rest.split_off(values.len()).copy_from(values);
    }

    /// Moves a range of values to the index `start`; the ranges may overlap.
    pub fn move_within(&mut self, range: Range<usize>, start: usize) {
        each!(ObservationBuffer, self, values => values.copy_within(range, start));
    }
}

impl<'a> ObservationMut<'a> {
    /// Takes off and returns the first `len` values.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn split_off(&mut self, len: usize) -> ObservationMut<'a> {
        const ENOUGH: &str = "enough values";
        match self {
            Self::F32(values) => ObservationMut::F32(values.split_off_mut(..len).expect(ENOUGH)),
            Self::U8(values) => ObservationMut::U8(values.split_off_mut(..len).expect(ENOUGH)),
            Self::Bool(values) => ObservationMut::Bool(values.split_off_mut(..len).expect(ENOUGH)),
        }
    }

    /// Overwrites all values.
    ///
    /// # Panics
    /// If the new values have another dtype or length.
    pub fn copy_from(&mut self, values: ObservationRef<'_>) {
        match (self, values) {
            (Self::F32(to), ObservationRef::F32(values)) => to.copy_from_slice(values),
            (Self::U8(to), ObservationRef::U8(values)) => to.copy_from_slice(values),
            (Self::Bool(to), ObservationRef::Bool(values)) => to.copy_from_slice(values),
            (_, values) => panic!("{} in an observation of another dtype", values.dtype()),
        }
    }
}

impl fmt::Display for ObservationShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.sizes())
    }
}

impl fmt::Display for ObservationDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::U8 => "u8",
            Self::Bool => "bool",
        })
    }
}

impl fmt::Display for ObservationSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.shape, self.dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_channels_height_and_width_in_either_order() {
        let first = ObservationSpace::pixels(ObservationShape::ChannelsFirst([4, 84, 80]));
        let last = ObservationSpace { shape: ObservationShape::ChannelsLast([84, 80, 4]), ..first };
        let one = ObservationSpace::pixels(ObservationShape::OneChannel([84, 80]));
        assert_eq!((first.image(), last.image()), (Some([4, 84, 80]), Some([4, 84, 80])));
        assert_eq!((one.image(), ObservationSpace::vector(3).image()), (Some([1, 84, 80]), None));
        assert_eq!((first.len(), one.len(), ObservationSpace::vector(3).len()), (4 * 84 * 80, 84 * 80, 3));
        assert_eq!(
            (last.to_string(), ObservationShape::Vector(3).to_string()),
            ("[84, 80, 4] of u8".into(), "[3]".into())
        );
    }

    #[test]
    #[should_panic(expected = "u8 for a buffer of f32")]
    fn a_buffer_holds_values_of_one_dtype() {
        ObservationBuffer::zeros(ObservationDtype::F32, 3).extend([1u8].as_slice().into());
    }
}
