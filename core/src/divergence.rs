//! Keeping watch over a run that can't go on, because its loss is not a finite number: with a guard, that is when no
//! head has a finite likelihood.
//!
//! On the CPU the step that meets this returns the error. On a GPU, looking would make every step wait, so the watch
//! looks once in a while; meanwhile the parameters stay as they were at the first failure.

use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::device::readable_without_sync;

/// Steps from one look to the next, where looking makes a step wait.
const CHECK_INTERVAL: u64 = 64;

/// Whether a run can go on, `[]` bool, where nobody is to look; none if it is known that it can.
pub struct UpdateGate(Option<Tensor>);

impl UpdateGate {
    /// Has `theta`, `[P]`, changed in place, if the run can go on.
    pub fn apply(&self, theta: &mut Tensor, update_theta: impl FnOnce(&mut Tensor)) {
        match &self.0 {
            None => update_theta(theta),
            Some(apply_update) => {
                let before = theta.copy();
                update_theta(theta);
                let after = theta.where_self(apply_update, &before);
                theta.copy_(&after);
            }
        }
    }
}

/// The watch over a run.
#[derive(Debug)]
pub struct DivergenceMonitor {
    guarded: bool,
    /// the largest rates of units, largest first
    largest_rates: Vec<f64>,
    deferred: Option<DeferredCheck>,
}

#[derive(Debug)]
struct DeferredCheck {
    /// whether the features, and the loss, have been finite so far; `[2]` bool
    finite: Tensor,
    /// how many steps both have been, `[]`
    finite_steps: Tensor,
    checked_at: u64,
}

impl DivergenceMonitor {
    /// A watch over a network on `device` whose units have these rates.
    pub fn new(guarded: bool, unit_rates: &[f64], device: Device) -> Self {
        let mut largest_rates = unit_rates.to_vec();
        largest_rates.sort_by(|a, b| b.total_cmp(a));
        largest_rates.truncate(3);
        DivergenceMonitor {
            guarded,
            largest_rates,
            deferred: (!readable_without_sync(device)).then(|| DeferredCheck::new(device)),
        }
    }

    /// The same, deferred behind even on the CPU.
    #[cfg(test)]
    pub fn defer_checks(&mut self) {
        self.deferred = Some(DeferredCheck::new(Device::Cpu));
    }

    /// Sees the loss, `[]`, and the features, `[B, H]`, of the step after `update` others; `maybe_non_finite` says whether
    /// the loss may not be finite.
    ///
    /// # Errors
    /// As [`Learner::step`](crate::learner::Learner::step).
    pub fn check(
        &mut self,
        update: u64,
        maybe_non_finite: bool,
        loss: &Tensor,
        z: &Tensor,
    ) -> Result<UpdateGate, Error> {
        let finite_features = || z.isfinite().all();
        let Some(deferred) = &mut self.deferred else {
            if !maybe_non_finite || loss.double_value(&[]).is_finite() {
                return Ok(UpdateGate(None));
            }
            return Err(self.error(update, finite_features().int64_value(&[]) != 0));
        };
        deferred.finite = deferred.finite.logical_and(&Tensor::stack(&[finite_features(), loss.isfinite()], 0));
        let apply_update = deferred.finite.all();
        deferred.finite_steps = &deferred.finite_steps + &apply_update;
        if update - deferred.checked_at >= CHECK_INTERVAL {
            deferred.checked_at = update;
            if apply_update.int64_value(&[]) == 0 {
                let (failed_at, features) =
                    (deferred.finite_steps.int64_value(&[]) as u64, deferred.finite.int64_value(&[0]) != 0);
                return Err(self.error(failed_at, features));
            }
        }
        Ok(UpdateGate(Some(apply_update)))
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

impl DeferredCheck {
    fn new(device: Device) -> Self {
        let finite = Tensor::ones([2], (Kind::Bool, device));
        DeferredCheck { finite, finite_steps: Tensor::zeros([], (Kind::Int64, device)), checked_at: 0 }
    }
}
