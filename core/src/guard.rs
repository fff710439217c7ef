//! Guards against non-finite numbers: heads with a non-finite likelihood are skipped, and a non-finite gradient of a unit
//! counts as zero; all others are updated as usual.
//!
//! A unit whose learning rate is far too large may overflow without harming the other units; that is the paper's point.
//! On the CPU, a step first checks by one sum whether all numbers are finite. On a GPU, reading that sum would
//! synchronize the device, so masks are always applied; they change nothing if all numbers are finite.

use tch::{Kind, Tensor};

use crate::device::readable_without_sync;
use crate::heads::Heads;

/// Mask of the heads with a finite likelihood, `[K]` bool; `None` if all heads count. A step skips the other heads.
pub struct FiniteHeads(Option<Tensor>);

impl FiniteHeads {
    /// Creates the mask from each head's evidence, `[K]`; all heads count unless `guarded`.
    pub fn new(guarded: bool, log_evidence: &Tensor) -> Self {
        let all_are = !guarded || (readable_without_sync(log_evidence.device()) && sum_is_finite(log_evidence));
        FiniteHeads((!all_are).then(|| log_evidence.isfinite()))
    }

    /// Returns whether all heads are known to count.
    pub fn all(&self) -> bool {
        self.0.is_none()
    }

    /// Replaces the entries of skipped heads in `x`, `[K, ..]`, by `other`.
    pub fn mask(&self, x: Tensor, other: f64) -> Tensor {
        let Some(finite) = &self.0 else { return x };
        let mut column = vec![1; x.dim()];
        column[0] = -1;
        x.where_scalarother(&finite.view(&column[..]), other)
    }

    /// Sets the averaging weights of skipped heads to 0 and normalizes the sum to 1, `[K]`.
    pub fn renormalize(&self, a: Tensor) -> Tensor {
        if self.all() {
            return a;
        }
        let a = self.mask(a, 0.0);
        &a / a.sum(Kind::Double)
    }

    /// Computes [`Heads::feature_gradient`] from the finite heads only.
    pub fn feature_gradient(&self, heads: &Heads, gradient: &Tensor) -> Tensor {
        heads.feature_gradient(gradient, self.0.as_ref())
    }
}

/// Guard of the units of a flat gradient.
#[derive(Debug)]
pub struct UnitGuard {
    /// the unit of every element, `[P]`; created when first needed
    unit: Option<Tensor>,
    units: i64,
}

impl UnitGuard {
    /// Creates a guard of `units` units.
    pub fn new(units: usize) -> Self {
        UnitGuard { unit: None, units: units as i64 }
    }

    /// Sets the gradient, `[P]`, of each unit with a non-finite element to zero. `unit_of_element`, `[P]`, maps
    /// elements to units.
    pub fn zero_non_finite(&mut self, gradient: Tensor, unit_of_element: impl FnOnce() -> Vec<usize>) -> Tensor {
        if !readable_without_sync(gradient.device()) || !sum_is_finite(&gradient) {
            let device = gradient.device();
            let unit = self.unit.get_or_insert_with(|| {
                let unit: Vec<i32> = unit_of_element().into_iter().map(|unit| unit as i32).collect();
                Tensor::from_slice(&unit).to_device(device)
            });
            let non_finite = gradient.isfinite().logical_not().to_kind(Kind::Float); // [P]
            let counts = Tensor::zeros([self.units], (Kind::Float, device)).index_add(0, unit, &non_finite); // [units]
            let updated = counts.eq(0.0).index_select(0, unit); // [P]
            gradient.where_self(&updated, &gradient.zeros_like())
        } else {
            gradient
        }
    }

    /// Resets the guard to other elements of `units` units.
    pub fn reset(&mut self, units: usize) {
        *self = UnitGuard::new(units);
    }
}

/// Returns whether a tensor's sum is finite, which implies that all its elements are.
fn sum_is_finite(tensor: &Tensor) -> bool {
    tensor.sum(None::<Kind>).double_value(&[]).is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_non_finite_element_zeroes_its_units_gradient() {
        let mut guard = UnitGuard::new(3);
        let units = || vec![0, 0, 1, 1, 2, 2, 1];
        let gradient = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0, f32::NAN, 6.0, f32::INFINITY]);
        let zeroed = guard.zero_non_finite(gradient, units);
        assert_eq!(Vec::<f32>::try_from(zeroed).unwrap(), [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        // finite elements with an infinite sum
        let huge = Tensor::from_slice(&[3e38f32, 3e38, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(guard.zero_non_finite(huge.copy(), units), huge);
    }
}
