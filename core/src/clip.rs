//! Gradient clipping by norm (Pascanu et al., 2013).
//!
//! The body's gradient is clipped by its global norm, each head's gradient by its own: a head whose learning rate is
//! far too large, and whose gradient is therefore huge, must not scale down the other heads' gradients.

use tch::{Kind, Tensor};

/// Gradient clipping to a maximum norm.
#[derive(Debug)]
pub struct GradClip {
    max_norm: f64,
    /// the unit of every element, `[P]` i64, and the number of units; `None` for the global norm
    units: Option<(Tensor, i64)>,
}

impl GradClip {
    /// Creates clipping by the global norm of a flat gradient.
    pub fn global(max_norm: f64) -> Self {
        GradClip { max_norm, units: None }
    }

    /// Creates clipping by the norm of each unit of a flat gradient, on the device of `like`. `unit_of_element`, `[P]`,
    /// maps elements to units.
    pub fn per_unit(max_norm: f64, unit_of_element: &[usize], like: &Tensor) -> Self {
        let count = unit_of_element.iter().max().map_or(0, |last| last + 1);
        let units: Vec<i64> = unit_of_element.iter().map(|unit| *unit as i64).collect();
        GradClip { max_norm, units: Some((Tensor::from_slice(&units).to_device(like.device()), count as i64)) }
    }

    /// Clips a gradient, `[P]`.
    pub fn clip(&self, mut gradient: Tensor) -> Tensor {
        let squares = gradient.square();
        let factor = |squares: Tensor| (squares.rsqrt() * self.max_norm).clamp_max(1.0);
        match &self.units {
            None => gradient.g_mul_(&factor(squares.sum(None::<Kind>))),
            Some((units, count)) => {
                let sums = Tensor::zeros([*count], (squares.kind(), squares.device())).index_add(0, units, &squares);
                gradient.g_mul_(&factor(sums).index_select(0, units))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(tensor: Tensor) -> Vec<f32> {
        Vec::try_from(tensor).unwrap()
    }

    #[test]
    fn clipping_keeps_the_direction() {
        let clip = GradClip::global(1.0);
        assert_eq!(numbers(clip.clip(Tensor::from_slice(&[0.0f32, 0.6, 0.8]))), [0.0, 0.6, 0.8]);
        let long = numbers(clip.clip(Tensor::from_slice(&[0.0f32, 6.0, -8.0])));
        assert!(long.iter().zip([0.0, 0.6, -0.8]).all(|(found, expected)| (found - expected).abs() < 1e-6), "{long:?}");
        assert_eq!(numbers(clip.clip(Tensor::from_slice(&[0.0f32, 0.0]))), [0.0, 0.0]);
    }

    #[test]
    fn units_are_clipped_separately() {
        let gradient = Tensor::from_slice(&[30.0f32, 0.3, 40.0, 0.4]);
        let clip = GradClip::per_unit(5.0, &[0, 1, 0, 1], &gradient);
        let found = numbers(clip.clip(gradient));
        assert!(found.iter().zip([3.0, 0.3, 4.0, 0.4]).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }
}
