//! Likelihoods of one head, written out: `log p(y|x)`, `[B, A] -> [B]`.

use std::f64::consts::PI;

use tch::{Kind, Tensor};

/// The width of every regression.
pub const SIGMA: f64 = 6.0;

/// The softmax, where nothing is so large that it overflows.
pub fn classify(out: &Tensor, classes: &Tensor) -> Tensor {
    let of_class = out.gather(1, &classes.unsqueeze(1), false).squeeze_dim(1);
    of_class - out.exp().sum_dim_intlist([1].as_slice(), false, Kind::Double).log()
}

/// Classes, `[B]`: which of the numbers of a row, `[B, A]`, is the largest.
pub fn classes(numbers: &Tensor) -> Tensor {
    numbers.argmax(1, false)
}

/// `p = exp(-h(u)) / (Z sigma)` with `h(u) = u^2/2` up to 1 and `|u| - 1/2` from there on.
pub fn huber(out: &Tensor, y: &Tensor) -> Tensor {
    let u = ((out - y) / SIGMA).abs();
    let h = (u.square() / 2.0).where_self(&u.le(1.0), &(&u - 0.5));
    let z = (2.0 * PI).sqrt() * 0.682_689_492_137_085_9 + 2.0 * (-0.5f64).exp();
    -(h + (z * SIGMA).ln()).sum_dim_intlist([1].as_slice(), false, Kind::Double)
}

/// The normal density of deviation sigma.
pub fn gaussian(out: &Tensor, y: &Tensor) -> Tensor {
    let normaliser = ((2.0 * PI).sqrt() * SIGMA).ln();
    -((out - y).square() / (2.0 * SIGMA * SIGMA) + normaliser).sum_dim_intlist([1].as_slice(), false, Kind::Double)
}
