//! Detects that a run diverged: its loss became non-finite. With guards, that happens only if the features or the
//! likelihoods of all heads are non-finite.
//!
//! On the CPU, the failing step returns the error. On a GPU, reading the loss would synchronize the device at each
//! step, so the check is deferred: it runs every 64 updates, and no update is applied after the first failure.

use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::device::readable_without_sync;

/// Updates between deferred checks.
const CHECK_INTERVAL: u64 = 64;

/// Whether to apply an update, `[]` bool on the device; `None` if the loss is known to be finite.
pub struct UpdateGate(Option<Tensor>);

impl UpdateGate {
    /// Applies an in-place update to `theta`, `[P]`, unless the run has diverged.
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

/// Monitor of a run's loss and features.
#[derive(Debug)]
pub struct DivergenceMonitor {
    guarded: bool,
    /// the largest learning rates of units, in descending order
    largest_rates: Vec<f64>,
    deferred: Option<DeferredCheck>,
}

#[derive(Debug)]
struct DeferredCheck {
    /// whether all features, and all losses, were finite so far; `[2]` bool
    finite: Tensor,
    /// updates before the first failure, `[]`
    finite_steps: Tensor,
    checked_at: u64,
}

impl DivergenceMonitor {
    /// Creates the monitor of a network on `device` whose units have these learning rates.
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

    /// Defers checks on the CPU too.
    #[cfg(test)]
    pub fn defer_checks(&mut self) {
        self.deferred = Some(DeferredCheck::new(Device::Cpu));
    }

    /// Checks the loss, `[]`, and the features, `[B, H]`, of a step after `update` updates. The loss is read only if it
    /// is `maybe_non_finite`.
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
