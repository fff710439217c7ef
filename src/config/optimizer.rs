//! The `[optimizer]` section of a configuration.

use alrao_core::averaging::Averaging;
use alrao_core::method::{Evidence, Method};
use alrao_core::optimizer::{SgdSettings, UpdateRule};
use alrao_core::rates::{LrGranularity, LrRange};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::usage_error::UsageError;

/// The settings of the optimizer: `alrao`, or one of the baselines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerSettings {
    /// The method.
    #[serde(default)]
    pub kind: OptimizerKind,
    /// The smallest learning rate (alrao).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr_min: Option<f64>,
    /// The largest learning rate (alrao).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr_max: Option<f64>,
    /// The parts of the body that have their own learning rate (alrao).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr_per: Option<LrGranularity>,
    /// The update rule that the learning rates are for (alrao).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseOptimizer>,
    /// Number of output heads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_heads: Option<i64>,
    /// The averaging of the heads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub averaging: Option<Averaging>,
    /// The unit of one observation of the averaging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The learning rate (sgd, adam).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Fraction of the velocity that a step keeps (SGD's rule).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Whether momentum is Nesterov's (SGD's rule).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nesterov: Option<bool>,
    /// Weight decay (SGD's rule).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Maximum norm of the body's gradient, and of each head's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_grad_norm: Option<f64>,
}

/// The name of a method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Alrao: a random learning rate for each unit, with nothing to tune.
    #[default]
    Alrao,
    /// Stochastic gradient descent; `lr` must be given.
    Sgd,
    /// Adam; `lr` is 1e-3 unless given.
    Adam,
}

/// The update rule under Alrao's learning rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BaseOptimizer {
    /// Stochastic gradient descent.
    Sgd,
    /// Adam.
    Adam,
}

impl BaseOptimizer {
    /// Returns the default of `optimizer.base`: Adam for agents of vectors and for text, SGD for images, of agents too, where
    /// Adam with bounded updates was tried on one small network only (docs/results.md).
    pub(crate) fn of(vectors_or_text: bool) -> Self {
        if vectors_or_text { BaseOptimizer::Adam } else { BaseOptimizer::Sgd }
    }
}

impl OptimizerSettings {
    /// Fills in the defaults of the kind's fields; `default_base` is that of `base`, which depends on the task.
    ///
    /// # Errors
    /// [`UsageError`], naming the invalid field.
    pub fn resolve(&self, default_base: BaseOptimizer) -> Result<Self> {
        let base = match self.kind {
            OptimizerKind::Alrao => self.base.unwrap_or(default_base),
            OptimizerKind::Sgd => BaseOptimizer::Sgd,
            OptimizerKind::Adam => BaseOptimizer::Adam,
        };
        self.reject_foreign(base)?;
        let alrao = self.kind == OptimizerKind::Alrao;
        let lr = match self.kind {
            OptimizerKind::Alrao => None,
            OptimizerKind::Sgd => Some(self.lr.ok_or_else(|| {
                UsageError("optimizer.lr: missing; `sgd` needs a learning rate, as in --set optimizer.lr=0.1".into())
            })?),
            OptimizerKind::Adam => Some(self.lr.unwrap_or(1e-3)),
        };
        let papers = LrRange::default();
        let sgd = (base == BaseOptimizer::Sgd).then(SgdSettings::default);
        let resolved = OptimizerSettings {
            kind: self.kind,
            lr_min: alrao.then(|| self.lr_min.unwrap_or(papers.min())),
            lr_max: alrao.then(|| self.lr_max.unwrap_or(papers.max())),
            lr_per: alrao.then(|| self.lr_per.unwrap_or_default()),
            base: alrao.then_some(base),
            num_heads: Some(self.num_heads.unwrap_or(if alrao { Method::alrao().num_heads } else { 1 })),
            averaging: Some(self.averaging.unwrap_or_default()),
            evidence: Some(self.evidence.unwrap_or_default()),
            lr,
            momentum: sgd.map(|sgd| self.momentum.unwrap_or(sgd.momentum)),
            nesterov: sgd.map(|sgd| self.nesterov.unwrap_or(sgd.nesterov)),
            weight_decay: sgd.map(|sgd| self.weight_decay.unwrap_or(sgd.weight_decay)),
            max_grad_norm: self.max_grad_norm,
        };
        resolved.check()?;
        Ok(resolved)
    }

    /// Returns the method with these settings, which are [resolved](Self::resolve).
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn method(&self) -> Result<Method> {
        let settings = self.resolve(BaseOptimizer::Sgd)?;
        let given = |value: Option<f64>| value.expect("resolved");
        let method = match settings.kind {
            OptimizerKind::Alrao => Method {
                lr_range: LrRange::new(given(settings.lr_min), given(settings.lr_max)).context("optimizer")?,
                lr_per: settings.lr_per.expect("resolved"),
                ..match settings.base.expect("resolved") {
                    BaseOptimizer::Sgd => Method::alrao(),
                    BaseOptimizer::Adam => Method::alrao_adam(),
                }
            },
            OptimizerKind::Sgd => Method::sgd(given(settings.lr)).context("optimizer")?,
            OptimizerKind::Adam => Method::adam(given(settings.lr)).context("optimizer")?,
        };
        let rule = match method.rule {
            UpdateRule::Sgd(_) => UpdateRule::Sgd(SgdSettings {
                momentum: given(settings.momentum),
                nesterov: settings.nesterov.expect("resolved"),
                weight_decay: given(settings.weight_decay),
            }),
            adam => adam,
        };
        Ok(Method {
            rule,
            max_relative_update: method.max_relative_update.filter(|_| !method.lr_range.is_single()),
            num_heads: settings.num_heads.expect("resolved"),
            averaging: settings.averaging.expect("resolved"),
            evidence: settings.evidence.expect("resolved"),
            max_grad_norm: settings.max_grad_norm,
            ..method
        })
    }

    /// Rejects fields of other kinds and base optimizers.
    fn reject_foreign(&self, base: BaseOptimizer) -> Result<(), UsageError> {
        let of_kind = match self.kind {
            OptimizerKind::Alrao => &[("lr", self.lr.is_some())][..],
            _ => &[
                ("lr_min", self.lr_min.is_some()),
                ("lr_max", self.lr_max.is_some()),
                ("lr_per", self.lr_per.is_some()),
                ("base", self.base.is_some()),
            ],
        };
        let of_sgd = [
            ("momentum", self.momentum.is_some()),
            ("nesterov", self.nesterov.is_some()),
            ("weight_decay", self.weight_decay.is_some()),
        ];
        let foreign =
            |fields: &[(&'static str, bool)]| fields.iter().find(|(_, given)| *given).map(|(field, _)| *field);
        if let Some(field) = foreign(of_kind) {
            return Err(UsageError(format!("optimizer.{field}: not a field of `{}`; remove it", self.kind.name())));
        }
        match foreign(&of_sgd) {
            Some(field) if base == BaseOptimizer::Adam => {
                let or = if self.kind == OptimizerKind::Alrao { ", or set optimizer.base = \"sgd\"" } else { "" };
                Err(UsageError(format!("optimizer.{field}: not a field of Adam, only of SGD; remove it{or}")))
            }
            _ => Ok(()),
        }
    }

    /// Checks the values of resolved settings.
    fn check(&self) -> Result<(), UsageError> {
        let (min, max) = (self.lr_min.or(self.lr), self.lr_max.or(self.lr));
        LrRange::new(min.expect("one of both"), max.expect("one of both"))
            .map_err(|error| UsageError(format!("optimizer: {error}")))?;
        if self.num_heads.is_some_and(|heads| heads < 1) {
            return Err(UsageError(format!("optimizer.num_heads: {}", alrao_core::Error::NoHeads)));
        }
        let momentum = self.momentum.unwrap_or(0.0);
        if !(0.0..1.0).contains(&momentum) {
            return Err(UsageError(format!("optimizer.momentum = {momentum}: must be at least 0 and below 1")));
        }
        if self.nesterov == Some(true) && momentum == 0.0 {
            let problem = "has no effect without momentum: set optimizer.momentum too";
            return Err(UsageError(format!("optimizer.nesterov = true: {problem}")));
        }
        if let Some(decay) = self.weight_decay.filter(|decay| !(*decay >= 0.0 && decay.is_finite())) {
            return Err(UsageError(format!("optimizer.weight_decay = {decay}: must be at least 0")));
        }
        match self.max_grad_norm.filter(|clip| !(*clip > 0.0 && clip.is_finite())) {
            Some(clip) => Err(UsageError(format!("optimizer.max_grad_norm = {clip}: must be above 0"))),
            None => Ok(()),
        }
    }
}

impl OptimizerKind {
    /// Returns the name used in configurations.
    pub fn name(&self) -> &'static str {
        match self {
            OptimizerKind::Alrao => "alrao",
            OptimizerKind::Sgd => "sgd",
            OptimizerKind::Adam => "adam",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<OptimizerSettings> {
        toml::from_str::<OptimizerSettings>(text).unwrap().resolve(BaseOptimizer::Sgd)
    }

    #[test]
    fn every_setting_of_a_method_can_be_set() {
        let all = "momentum = 0.9\nnesterov = true\nweight_decay = 0.01\naveraging = \"bayes\"\nevidence = \"sum\"\nmax_grad_norm = 2.0";
        for kind in ["", "kind = \"sgd\"\nlr = 0.1\n"] {
            let method = read(&format!("{kind}{all}")).unwrap().method().unwrap();
            assert_eq!(method.rule, UpdateRule::Sgd(SgdSettings { momentum: 0.9, nesterov: true, weight_decay: 0.01 }));
            assert_eq!((method.averaging, method.evidence), (Averaging::Bayes, Evidence::Sum));
            assert_eq!(method.max_grad_norm, Some(2.0));
        }
        assert_eq!(read("").unwrap().method().unwrap(), Method::alrao());
    }

    #[test]
    fn invalid_settings_are_errors_that_name_the_field() {
        for (text, words) in [
            ("kind = \"adam\"\nmomentum = 0.9", &["optimizer.momentum", "not a field of Adam"][..]),
            (
                "base = \"adam\"\nweight_decay = 0.9",
                &["optimizer.weight_decay", "not a field of Adam", "base = \"sgd\""],
            ),
            ("momentum = 1.0", &["optimizer.momentum = 1", "below 1"]),
            ("momentum = nan", &["optimizer.momentum = NaN", "below 1"]),
            ("nesterov = true", &["optimizer.nesterov", "optimizer.momentum"]),
            ("weight_decay = -1.0", &["optimizer.weight_decay = -1", "at least 0"]),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(words.iter().all(|word| message.contains(word)), "{text}: {message}");
        }
    }
}
