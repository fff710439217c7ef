//! A Q-network: 8 observation features, two layers of 64 units, 4 actions, batches of 128. The arithmetic is small; the
//! time mostly depends on the number of tensor operations.

use alrao_core::layers::{Mlp, layer_norm};
use alrao_core::likelihood::Huber;
use tch::nn;
use tch::{Reduction, Tensor};

use crate::case::{Case, numbers};

pub fn case() -> Case {
    let batch = (numbers(&[128, 8]), Huber { sigma: 1.0 }, numbers(&[128, 4]));
    Case::new("Q-network 2x64 B=128", |b| Mlp::new(b, 8, &[64, 64], 1.0), 4, batch, plain)
}

fn plain(path: nn::Path) -> impl Fn(&Tensor, &Tensor) -> Tensor + use<> {
    let first = nn::linear(&path / "first", 8, 64, Default::default());
    let second = nn::linear(&path / "second", 64, 64, Default::default());
    let head = nn::linear(&path / "head", 64, 4, Default::default());
    move |x, y| {
        let z = layer_norm(&x.apply(&first)).relu();
        let z = layer_norm(&z.apply(&second)).relu();
        z.apply(&head).huber_loss(y, Reduction::Sum, 1.0) / y.size()[0]
    }
}
