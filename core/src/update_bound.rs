//! A bound on updates: no unit moves by more than a fraction of its size at once.
//!
//! The features of a unit whose learning rate is far too large are noise, from which only heads with small learning rates
//! learn. The bound keeps the direction of such a unit's update and limits its length; slower units are not affected. It
//! measures sizes as Adafactor does for its relative step sizes (Shazeer and Stern, 2018): as root mean squares, and never
//! as less than 1e-3, so that parameters that are zero can move.
//!
//! A unit that has grown counts as large as it was initially. Relative to its present size, each bounded update could be
//! larger than the one before, and successive updates by momentum or Adam's rule agree in direction: such units would grow
//! exponentially. Relative to its initial size, they grow as a random walk does, with the square root of the updates. A unit
//! that was smaller than 1e-3 has no initial size to speak of: its present size counts.

use tch::{Kind, Tensor};

use crate::parameters::{Parameters, UnitBlock};
use crate::slices::{Scalar, simd_dispatch, sum, sum_of_pairs, with_slices};

/// The smallest size of a unit.
const MIN_RMS: f64 = 1e-3;

/// A bound on the updates of a network's parameters.
#[derive(Debug)]
pub struct UpdateBound {
    max_relative_update: f64,
    blocks: Vec<UnitBlock>,
    /// the smallest and the largest sum of squares that count as a unit's, `[2, units]`, and the same on the parameters'
    /// device
    squares_range: [Vec<f64>; 2],
    squares_range_on_device: [Tensor; 2],
    /// the parameters before an update, `[P]`
    before: Tensor,
}

impl UpdateBound {
    /// Creates a bound of `max_relative_update` times a unit's root mean square, which counts as no more than it was
    /// initially: `initial_rms`, `[units]`, unless that was less than 1e-3.
    pub fn new(max_relative_update: f64, parameters: &Parameters, initial_rms: &[f64]) -> Self {
        let numels = parameters.unit_numels();
        let min_squares = numels.iter().map(|numel| MIN_RMS.powi(2) * numel).collect();
        let max_squares = initial_rms.iter().zip(&numels).map(|(&rms, numel)| match rms < MIN_RMS {
            true => f64::INFINITY,
            false => rms.powi(2) * numel,
        });
        let squares_range = [min_squares, max_squares.collect()];
        let theta = parameters.theta();
        let on_device =
            |squares: &Vec<f64>| Tensor::from_slice(squares).to_kind(theta.kind()).to_device(theta.device());
        let squares_range_on_device = squares_range.each_ref().map(on_device);
        let (blocks, before) = (parameters.unit_blocks(), theta.empty_like());
        UpdateBound { max_relative_update, blocks, squares_range, squares_range_on_device, before }
    }

    /// Updates `theta`, `[P]`, by `update`, then scales each unit's change down to the bound times `factor`, that of the
    /// learning rates' schedule. A unit whose change is not finite stays as it was.
    pub fn apply(&mut self, theta: &mut Tensor, factor: f64, update: impl FnOnce(&mut Tensor)) {
        self.before.copy_(theta);
        update(theta);
        let bound = self.max_relative_update * factor;
        if simd_dispatch!(scale_changes(theta, &self.before, &self.blocks, &self.squares_range, bound)).is_none() {
            self.via_libtorch(theta, bound);
        }
    }

    /// Sums by blocks, because `index_add` is not deterministic on a GPU.
    fn via_libtorch(&self, theta: &mut Tensor, bound: f64) {
        let changes = &*theta - &self.before;
        let parts = |flat: &Tensor| self.blocks.iter().map(|block| block.view(flat)).collect::<Vec<_>>();
        let [min_squares, max_squares] = &self.squares_range_on_device;
        let squares = |flat: &Tensor| {
            let sums = min_squares.zeros_like();
            for (block, part) in self.blocks.iter().zip(parts(flat)) {
                let of_block = part.square().sum_dim_intlist([0i64, 2].as_slice(), false, None::<Kind>);
                let _ = block.of_units(&sums).g_add_(&of_block);
            }
            sums
        };
        let limits = squares(&self.before).clamp_tensor(Some(min_squares), Some(max_squares)).sqrt() * bound;
        let scales = (limits / squares(&changes).sqrt()).nan_to_num(0.0, None::<f64>, None::<f64>).clamp_max(1.0);
        for (block, mut part) in self.blocks.iter().zip(parts(&changes)) {
            let _ = part.g_mul_(&block.of_units(&scales).view([1, -1, 1]));
        }
        // an infinite change, times a scale of 0, is NaN
        theta.copy_(&(&self.before + changes.nan_to_num(0.0, None::<f64>, None::<f64>)));
    }
}

/// Moves the units of `theta` that moved too far from `before` back to the bound, on the CPU.
#[inline(always)]
fn scale_changes<T: Scalar>(
    theta: &mut Tensor,
    before: &Tensor,
    blocks: &[UnitBlock],
    [min_squares, max_squares]: &[Vec<f64>; 2],
    bound: f64,
) -> Option<()> {
    let bound = T::from_f64(bound);
    with_slices::<T, _, _, _>(
        [theta],
        [before],
        #[inline(always)]
        |[theta], [before]| {
            let mut sizes = vec![T::zero(); min_squares.len()]; // squares, [units]
            let mut changes = sizes.clone();
            for block in blocks {
                let (sizes, changes) = (&mut sizes[block.units.clone()], &mut changes[block.units.clone()]);
                for (theta, before) in block.repeats(theta).zip(block.repeats(before)) {
                    if block.stride == 1 {
                        // a call for each element would cost more than the element
                        let elements = theta.iter().zip(before);
                        for ((size, change), (&x, &x0)) in sizes.iter_mut().zip(&mut *changes).zip(elements) {
                            (*size, *change) = (*size + x0 * x0, *change + (x - x0) * (x - x0));
                        }
                        continue;
                    }
                    let rows = theta.chunks_exact(block.stride).zip(before.chunks_exact(block.stride));
                    for ((size, change), (x, x0)) in sizes.iter_mut().zip(&mut *changes).zip(rows) {
                        *size = *size + sum(x0, |x0| x0 * x0);
                        *change = *change + sum_of_pairs(x, x0, |x, x0| (x - x0) * (x - x0));
                    }
                }
            }
            let mut scales = sizes; // [units]
            let ranges = min_squares.iter().zip(max_squares).map(|(min, max)| [min, max].map(|x| T::from_f64(*x)));
            for ((scale, &change), [min, max]) in scales.iter_mut().zip(&changes).zip(ranges) {
                let limit = bound * scale.max(min).min(max).sqrt();
                let ratio = limit / change.sqrt(); // infinite for a unit that did not move
                *scale = if change.is_finite() { ratio.min(T::one()) } else { T::zero() };
            }
            for block in blocks {
                let scales = &scales[block.units.clone()];
                for (theta, before) in block.repeats_mut(theta).zip(block.repeats(before)) {
                    let rows = theta.chunks_exact_mut(block.stride).zip(before.chunks_exact(block.stride));
                    for (&scale, (x, x0)) in scales.iter().zip(rows) {
                        if scale == T::zero() {
                            x.copy_from_slice(x0);
                        } else if scale < T::one() {
                            x.iter_mut().zip(x0).for_each(|(x, &x0)| *x = x0 + (*x - x0) * scale);
                        }
                    }
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::device::via_libtorch;
    use crate::parameters::{Init, ParameterBuilder};
    use crate::streams::stream;

    /// Returns parameters with rows, biases, gates and columns as units, all with `values` in turn.
    fn parameters(values: &[f32]) -> Parameters {
        let mut rng = stream(0, "weights");
        let mut builder = ParameterBuilder::new(&mut rng);
        let [rows, biases, gates, table] = [("rows", [2, 3]), ("biases", [2, 1]), ("gates", [4, 2]), ("table", [3, 2])]
            .map(|(name, shape)| {
                let id = builder.add(name, &shape, Init::Constant(0.0));
                (id, shape)
            });
        builder.add_units(2, &[(rows.0, 3), (biases.0, 1)]);
        builder.add_units(2, &[(gates.0, 2)]);
        builder.add_units(2, &[(table.0, 1)]);
        let parameters = builder.finish(Device::Cpu, Kind::Float).unwrap();
        let all: Vec<f32> = values.iter().copied().cycle().take(parameters.theta().numel()).collect();
        parameters.theta().shallow_clone().copy_(&Tensor::from_slice(&all));
        parameters
    }

    /// Updates by `change` with a bound of 1 % for units that were `initial_rms`, in a loop and by libtorch, and compares
    /// both.
    fn bounded(parameters: &Parameters, initial_rms: &[f64], factor: f64, change: &Tensor) -> Vec<f32> {
        let apply = || {
            let mut theta = parameters.theta().copy();
            let mut bound = UpdateBound::new(0.01, parameters, initial_rms);
            bound.apply(&mut theta, factor, |theta| {
                let _ = theta.g_add_(change);
            });
            Vec::<f32>::try_from(theta).unwrap()
        };
        let (found, expected) = (apply(), via_libtorch(apply));
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}, {expected:?}");
        found
    }

    #[test]
    fn units_move_by_at_most_the_bound_and_slower_ones_as_they_would() {
        let parameters = parameters(&[0.5, -1.0, 2.0, 0.25, 1.0]);
        let before = Vec::<f32>::try_from(parameters.theta()).unwrap();
        let units = parameters.unit_of_element();
        let rates = [1e-6f32, 10.0, 0.3, 1e-5, 2.0, 1e-7]; // of units
        let change: Vec<f32> = units.iter().enumerate().map(|(e, &unit)| rates[unit] * (e as f32).cos()).collect();
        let now = parameters.unit_rms();
        // of each unit, initial size divided by present size
        for (factor, initial) in [(1.0, 1.0), (0.1, 1.0), (1.0, 0.5), (1.0, 2.0), (1.0, 0.0)] {
            let initial_rms: Vec<f64> = now.iter().map(|size| size * initial).collect();
            let after = bounded(&parameters, &initial_rms, factor, &Tensor::from_slice(&change));
            for (unit, rate) in rates.into_iter().enumerate() {
                let of_unit = |x: &[f32]| -> Vec<f32> {
                    x.iter().zip(&units).filter(|(_, of)| **of == unit).map(|(x, _)| *x).collect()
                };
                let (x0, x, wanted) = (of_unit(&before), of_unit(&after), of_unit(&change));
                let norm = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>().sqrt();
                let moved: Vec<f32> = x.iter().zip(&x0).map(|(x, x0)| x - x0).collect();
                let counts_as = if initial == 0.0 { 1.0 } else { initial.min(1.0) };
                let limit = 0.01 * (factor * counts_as) as f32 * norm(&x0);
                let scale = (limit / norm(&wanted)).min(1.0);
                assert!(rate < 1e-4 || scale < 0.1);
                let close = |(moved, wanted): (&f32, &f32)| (moved - scale * wanted).abs() < 1e-6;
                assert!(moved.iter().zip(&wanted).all(close), "unit {unit}: {moved:?}");
            }
        }
    }

    #[test]
    fn a_unit_that_is_zero_can_move_and_one_with_an_infinite_change_stays() {
        let parameters = parameters(&[0.0]);
        let units = parameters.unit_of_element();
        for infinite in [f32::INFINITY, f32::NAN, 1e30] {
            let change: Vec<f32> = units.iter().map(|&unit| [infinite, 1.0][unit.min(1)]).collect();
            let after = bounded(&parameters, &parameters.unit_rms(), 1.0, &Tensor::from_slice(&change));
            for (x, unit) in after.into_iter().zip(&units) {
                let expected = if *unit == 0 { 0.0 } else { 1e-5 };
                assert!((x - expected).abs() < 1e-9, "unit {unit}: {x}");
            }
        }
    }
}
