//! Gradients that are no longer than a bound (Pascanu et al. 2013), for recurrent networks.
//!
//! The body's gradient is one unit, each head's is one of its own: a head whose rate is far too large, and whose
//! gradient is therefore huge, must not hold the others back.

use tch::{Kind, Tensor};

/// Shortens gradients.
#[derive(Debug)]
pub struct GradClip {
    max_norm: f64,
    /// the unit that each element is of, `[P]` i64, and how many there are; none if all are of one
    units: Option<(Tensor, i64)>,
}

impl GradClip {
    /// For a flat gradient that is one unit.
    pub fn global(max_norm: f64) -> Self {
        GradClip { max_norm, units: None }
    }

    /// For one whose elements are of a unit each; `unit_of_element` says which, `[P]`.
    pub fn per_unit(max_norm: f64, unit_of_element: &[usize], like: &Tensor) -> Self {
        let count = unit_of_element.iter().max().map_or(0, |last| last + 1);
        let units: Vec<i64> = unit_of_element.iter().map(|unit| *unit as i64).collect();
        GradClip { max_norm, units: Some((Tensor::from_slice(&units).to_device(like.device()), count as i64)) }
    }

    /// The gradient, `[P]`, with every unit that is too long shortened to the bound.
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
    fn a_vector_that_is_too_long_keeps_its_direction_alone() {
        let clip = GradClip::global(1.0);
        assert_eq!(numbers(clip.clip(Tensor::from_slice(&[0.0f32, 0.6, 0.8]))), [0.0, 0.6, 0.8]);
        let long = numbers(clip.clip(Tensor::from_slice(&[0.0f32, 6.0, -8.0])));
        assert!(long.iter().zip([0.0, 0.6, -0.8]).all(|(found, expected)| (found - expected).abs() < 1e-6), "{long:?}");
        assert_eq!(numbers(clip.clip(Tensor::from_slice(&[0.0f32, 0.0]))), [0.0, 0.0]);
    }

    #[test]
    fn a_long_vector_does_not_shorten_the_others() {
        let gradient = Tensor::from_slice(&[30.0f32, 0.3, 40.0, 0.4]);
        let clip = GradClip::per_unit(5.0, &[0, 1, 0, 1], &gradient);
        let found = numbers(clip.clip(gradient));
        assert!(found.iter().zip([3.0, 0.3, 4.0, 0.4]).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }
}
