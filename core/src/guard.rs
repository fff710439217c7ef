//! Numbers that are not finite: which heads and units they have reached, so that these are left out and the others go
//! on.
//!
//! A unit with a rate far too large may produce infinite numbers; the paper's point is that the others should not mind.
//! On the CPU a step first looks whether there is anything to guard against, which costs one sum. On a GPU looking
//! would make it wait, so it always takes the guarded way, which changes nothing where all is finite.

use tch::{Kind, Tensor};

use crate::device::readable_without_sync;
use crate::heads::Heads;

/// Which heads have a finite likelihood, `[K]` bool; none if it is known that all have, or nobody is to look. The others
/// have no part in a step.
pub struct FiniteHeads(Option<Tensor>);

impl FiniteHeads {
    /// Looks for them, if this is `guarded`, by the evidence of each, `[K]`.
    pub fn new(guarded: bool, log_evidence: &Tensor) -> Self {
        let all_are = !guarded || (readable_without_sync(log_evidence.device()) && sum_is_finite(log_evidence));
        FiniteHeads((!all_are).then(|| log_evidence.isfinite()))
    }

    /// Whether all heads have a part.
    pub fn all(&self) -> bool {
        self.0.is_none()
    }

    /// `x`, `[K, ..]`, with `other` in the place of what is of heads without a part.
    pub fn mask(&self, x: Tensor, other: f64) -> Tensor {
        let Some(finite) = &self.0 else { return x };
        let mut column = vec![1; x.dim()];
        column[0] = -1;
        x.where_scalarother(&finite.view(&column[..]), other)
    }

    /// The averaging weights, `[K]`, all of them with the sound heads.
    pub fn renormalize(&self, a: Tensor) -> Tensor {
        if self.all() {
            return a;
        }
        let a = self.mask(a, 0.0);
        &a / a.sum(Kind::Double)
    }

    /// As [`Heads::feature_gradient`], from the sound heads.
    pub fn feature_gradient(&self, heads: &Heads, gradient: &Tensor) -> Tensor {
        heads.feature_gradient(gradient, self.0.as_ref())
    }
}

/// The units of a flat gradient.
#[derive(Debug)]
pub struct UnitGuard {
    /// the unit of every element, `[P]`; made when first needed
    unit: Option<Tensor>,
    units: i64,
}

impl UnitGuard {
    /// A guard over so many units.
    pub fn new(units: usize) -> Self {
        UnitGuard { unit: None, units: units as i64 }
    }

    /// The gradient, `[P]`, with zeros for every unit that has an element which is not finite. `unit_of_element` says
    /// which unit each element belongs to, `[P]`.
    pub fn zero_non_finite(&mut self, gradient: Tensor, unit_of_element: impl FnOnce() -> Vec<usize>) -> Tensor {
        if !readable_without_sync(gradient.device()) || !sum_is_finite(&gradient) {
            let device = gradient.device();
            let unit = self.unit.get_or_insert_with(|| {
                let unit: Vec<i32> = unit_of_element().into_iter().map(|unit| unit as i32).collect();
                Tensor::from_slice(&unit).to_device(device)
            });
            let broken = gradient.isfinite().logical_not().to_kind(Kind::Float); // [P]
            let broken = Tensor::zeros([self.units], (Kind::Float, device)).index_add(0, unit, &broken); // [units]
            let moves = broken.eq(0.0).index_select(0, unit); // [P]
            gradient.where_self(&moves, &gradient.zeros_like())
        } else {
            gradient
        }
    }

    /// Forgets which elements there were.
    pub fn reset(&mut self, units: usize) {
        *self = UnitGuard::new(units);
    }
}

/// Whether a tensor's sum is finite; then so are its elements.
fn sum_is_finite(tensor: &Tensor) -> bool {
    tensor.sum(None::<Kind>).double_value(&[]).is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_with_a_number_that_is_not_finite_stand_still() {
        let mut guard = UnitGuard::new(3);
        let units = || vec![0, 0, 1, 1, 2, 2, 1];
        let gradient = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0, f32::NAN, 6.0, f32::INFINITY]);
        let still = guard.zero_non_finite(gradient, units);
        assert_eq!(Vec::<f32>::try_from(still).unwrap(), [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        // finite, but their sum is not
        let huge = Tensor::from_slice(&[3e38f32, 3e38, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(guard.zero_non_finite(huge.copy(), units), huge);
    }
}
