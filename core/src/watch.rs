//! Keeping watch over a run that can't go on, because its loss is not a finite number: with a guard, that is when no
//! head has a finite likelihood.
//!
//! On the CPU the step that meets this returns the error. On a GPU, looking would make every step wait, so the watch
//! looks once in a while; meanwhile the parameters stay as they were at the first failure.

use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::device::can_look;

/// Steps from one look to the next, where looking makes a step wait.
const LAG: u64 = 64;

/// Whether a run can go on, `[]` bool, where nobody is to look; none if it is known that it can.
pub struct Alive(Option<Tensor>);

impl Alive {
    /// Has `theta`, `[P]`, changed in place, if the run can go on.
    pub fn change(&self, theta: &mut Tensor, change: impl FnOnce(&mut Tensor)) {
        match &self.0 {
            None => change(theta),
            Some(alive) => {
                let before = theta.copy();
                change(theta);
                let after = theta.where_self(alive, &before);
                theta.copy_(&after);
            }
        }
    }
}

/// The watch over a run.
#[derive(Debug)]
pub struct Watch {
    guarded: bool,
    /// the largest rates of units, largest first
    largest_rates: Vec<f64>,
    lagging: Option<Lagging>,
}

#[derive(Debug)]
struct Lagging {
    /// whether the features, and the loss, have been finite so far; `[2]` bool
    well: Tensor,
    /// how many steps both have been, `[]`
    steps: Tensor,
    looked_at: u64,
}

impl Watch {
    /// A watch over a network on `device` whose units have these rates.
    pub fn new(guarded: bool, unit_rates: &[f64], device: Device) -> Self {
        let mut largest_rates = unit_rates.to_vec();
        largest_rates.sort_by(|a, b| b.total_cmp(a));
        largest_rates.truncate(3);
        Watch { guarded, largest_rates, lagging: (!can_look(device)).then(|| Lagging::new(device)) }
    }

    /// The same, lagging behind even on the CPU.
    #[cfg(test)]
    pub fn lag(&mut self) {
        self.lagging = Some(Lagging::new(Device::Cpu));
    }

    /// Sees the loss, `[]`, and the features, `[B, H]`, of the step after `update` others; `suspicious` says whether
    /// the loss may not be finite.
    ///
    /// # Errors
    /// As [`Learner::step`](crate::learner::Learner::step).
    pub fn see(&mut self, update: u64, suspicious: bool, loss: &Tensor, z: &Tensor) -> Result<Alive, Error> {
        let finite_features = || z.isfinite().all();
        let Some(lagging) = &mut self.lagging else {
            if !suspicious || loss.double_value(&[]).is_finite() {
                return Ok(Alive(None));
            }
            return Err(self.error(update, finite_features().int64_value(&[]) != 0));
        };
        lagging.well = lagging.well.logical_and(&Tensor::stack(&[finite_features(), loss.isfinite()], 0));
        let alive = lagging.well.all();
        lagging.steps = &lagging.steps + &alive;
        if update - lagging.looked_at >= LAG {
            lagging.looked_at = update;
            if alive.int64_value(&[]) == 0 {
                let (failed_at, features) =
                    (lagging.steps.int64_value(&[]) as u64, lagging.well.int64_value(&[0]) != 0);
                return Err(self.error(failed_at, features));
            }
        }
        Ok(Alive(Some(alive)))
    }

    fn error(&self, update: u64, finite_features: bool) -> Error {
        let largest_rates = self.largest_rates.clone();
        match (self.guarded, finite_features) {
            (false, _) => Error::Diverged { update },
            (true, true) => Error::NoFiniteHead { update, largest_rates },
            (true, false) => Error::NoFiniteFeatures { update, largest_rates },
        }
    }
}

impl Lagging {
    fn new(device: Device) -> Self {
        let well = Tensor::ones([2], (Kind::Bool, device));
        Lagging { well, steps: Tensor::zeros([], (Kind::Int64, device)), looked_at: 0 }
    }
}
