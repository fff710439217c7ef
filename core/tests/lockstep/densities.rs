//! Likelihoods of one head by their definitions: `log p(y|x)`, `[B, A] -> [B]`.

use std::f64::consts::PI;

use tch::{Kind, Tensor};

/// Likelihood scale of the regressions.
pub const SIGMA: f64 = 6.0;

/// Computes the log-likelihood of classes by the softmax, for outputs too small to overflow.
pub fn classify(out: &Tensor, classes: &Tensor) -> Tensor {
    let of_class = out.gather(1, &classes.unsqueeze(1), false).squeeze_dim(1);
    of_class - out.exp().sum_dim_intlist([1].as_slice(), false, Kind::Double).log()
}

/// Returns classes, `[B]`: the index of each row's largest value, `[B, A]`.
pub fn classes(numbers: &Tensor) -> Tensor {
    numbers.argmax(1, false)
}

/// Computes `log p` for `p = exp(-h(u)) / (Z sigma)` with `h(u) = u^2/2` for `|u| <= 1`, else `|u| - 1/2`.
pub fn huber(out: &Tensor, y: &Tensor) -> Tensor {
    let u = ((out - y) / SIGMA).abs();
    let h = (u.square() / 2.0).where_self(&u.le(1.0), &(&u - 0.5));
    let z = (2.0 * PI).sqrt() * 0.682_689_492_137_085_9 + 2.0 * (-0.5f64).exp();
    -(h + (z * SIGMA).ln()).sum_dim_intlist([1].as_slice(), false, Kind::Double)
}

/// Computes the log-density of a normal distribution with standard deviation sigma.
pub fn gaussian(out: &Tensor, y: &Tensor) -> Tensor {
    let normalizer = ((2.0 * PI).sqrt() * SIGMA).ln();
    -((out - y).square() / (2.0 * SIGMA * SIGMA) + normalizer).sum_dim_intlist([1].as_slice(), false, Kind::Double)
}
