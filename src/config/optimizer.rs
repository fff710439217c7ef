//! How a network learns, as it is written down: `[optimizer]`.

use alrao_core::averaging::Averaging;
use alrao_core::method::{Evidence, Method};
use alrao_core::optimizer::{AdamRule, Rule, SgdRule};
use alrao_core::rates::{RateInterval, RatesOf};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::wrong_request::WrongRequest;

/// How the network learns: `alrao`, or one of the baselines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerSettings {
    /// The method.
    #[serde(default)]
    pub kind: OptimizerKind,
    /// The smallest learning rate (alrao).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_min: Option<f64>,
    /// The largest learning rate (alrao).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_max: Option<f64>,
    /// What has a rate of its own in the body (alrao).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<RatesOf>,
    /// The rule that the rates are for (alrao).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleName>,
    /// Copies of the output layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<i64>,
    /// What averages the heads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub averaging: Option<Averaging>,
    /// What counts as one observation of the averaging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The learning rate (sgd, adam).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<f64>,
    /// What is left of the velocity after a step (SGD's rule).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Whether momentum looks ahead (SGD's rule).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nesterov: Option<bool>,
    /// Weight decay (SGD's rule).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// The longest that the gradient of the body, and that of each head, may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
}

/// The name of a method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// A random rate for each unit; nothing to choose.
    #[default]
    Alrao,
    /// Stochastic gradient descent; `eta` must be given.
    Sgd,
    /// Adam; `eta` is 1e-3 unless given.
    Adam,
}

/// The name of a rule of descent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleName {
    /// Stochastic gradient descent.
    Sgd,
    /// Adam.
    Adam,
}

impl OptimizerSettings {
    /// With every field that the kind has, and none that it doesn't.
    ///
    /// # Errors
    /// [`WrongRequest`], naming the field that can't be.
    pub fn resolve(&self) -> Result<Self> {
        let rule = match self.kind {
            OptimizerKind::Alrao => self.rule.unwrap_or(RuleName::Sgd),
            OptimizerKind::Sgd => RuleName::Sgd,
            OptimizerKind::Adam => RuleName::Adam,
        };
        self.refuse_foreign(rule)?;
        let alrao = self.kind == OptimizerKind::Alrao;
        let eta = match self.kind {
            OptimizerKind::Alrao => None,
            OptimizerKind::Sgd => {
                Some(self.eta.ok_or_else(|| WrongRequest("optimizer.eta: `sgd` needs a learning rate".into()))?)
            }
            OptimizerKind::Adam => Some(self.eta.unwrap_or(1e-3)),
        };
        let papers = RateInterval::default();
        let sgd = (rule == RuleName::Sgd).then(SgdRule::default);
        let resolved = OptimizerSettings {
            kind: self.kind,
            eta_min: alrao.then(|| self.eta_min.unwrap_or(papers.eta_min())),
            eta_max: alrao.then(|| self.eta_max.unwrap_or(papers.eta_max())),
            rates: alrao.then(|| self.rates.unwrap_or_default()),
            rule: alrao.then_some(rule),
            heads: Some(self.heads.unwrap_or(if alrao { Method::alrao().heads } else { 1 })),
            averaging: Some(self.averaging.unwrap_or_default()),
            evidence: Some(self.evidence.unwrap_or_default()),
            eta,
            momentum: sgd.map(|sgd| self.momentum.unwrap_or(sgd.momentum)),
            nesterov: sgd.map(|sgd| self.nesterov.unwrap_or(sgd.nesterov)),
            weight_decay: sgd.map(|sgd| self.weight_decay.unwrap_or(sgd.weight_decay)),
            clip: self.clip,
        };
        resolved.check()?;
        Ok(resolved)
    }

    /// The method that the settings stand for.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn method(&self) -> Result<Method> {
        let settings = self.resolve()?;
        let given = |value: Option<f64>| value.expect("resolved");
        let method = match settings.kind {
            OptimizerKind::Alrao => Method {
                interval: RateInterval::new(given(settings.eta_min), given(settings.eta_max)).context("optimizer")?,
                rates: settings.rates.expect("resolved"),
                rule: match settings.rule.expect("resolved") {
                    RuleName::Sgd => Rule::Sgd(SgdRule::default()),
                    RuleName::Adam => Rule::Adam(AdamRule::default()),
                },
                ..Method::alrao()
            },
            OptimizerKind::Sgd => Method::sgd(given(settings.eta)).context("optimizer")?,
            OptimizerKind::Adam => Method::adam(given(settings.eta)).context("optimizer")?,
        };
        let rule = match method.rule {
            Rule::Sgd(_) => Rule::Sgd(SgdRule {
                momentum: given(settings.momentum),
                nesterov: settings.nesterov.expect("resolved"),
                weight_decay: given(settings.weight_decay),
            }),
            adam => adam,
        };
        Ok(Method {
            rule,
            heads: settings.heads.expect("resolved"),
            averaging: settings.averaging.expect("resolved"),
            evidence: settings.evidence.expect("resolved"),
            clip: settings.clip,
            ..method
        })
    }

    /// Refuses fields that the kind, or the rule, hasn't.
    fn refuse_foreign(&self, rule: RuleName) -> Result<(), WrongRequest> {
        let of_kind = match self.kind {
            OptimizerKind::Alrao => &[("eta", self.eta.is_some())][..],
            _ => &[
                ("eta_min", self.eta_min.is_some()),
                ("eta_max", self.eta_max.is_some()),
                ("rates", self.rates.is_some()),
                ("rule", self.rule.is_some()),
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
            return Err(WrongRequest(format!("optimizer.{field}: `{}` has no such field", self.kind.name())));
        }
        match foreign(&of_sgd) {
            Some(field) if rule == RuleName::Adam => {
                Err(WrongRequest(format!("optimizer.{field}: Adam's rule has no such field, only SGD's has")))
            }
            _ => Ok(()),
        }
    }

    /// Checks the values of resolved settings.
    fn check(&self) -> Result<(), WrongRequest> {
        let (min, max) = (self.eta_min.or(self.eta), self.eta_max.or(self.eta));
        RateInterval::new(min.expect("one of both"), max.expect("one of both"))
            .map_err(|error| WrongRequest(format!("optimizer: {error}")))?;
        if self.heads.is_some_and(|heads| heads < 1) {
            return Err(WrongRequest(format!("optimizer.heads: {}", alrao_core::Error::NoHeads)));
        }
        let momentum = self.momentum.unwrap_or(0.0);
        if !(0.0..1.0).contains(&momentum) {
            return Err(WrongRequest(format!("optimizer.momentum = {momentum}: must be at least 0 and below 1")));
        }
        if self.nesterov == Some(true) && momentum == 0.0 {
            let problem = "has no effect without momentum: set optimizer.momentum too";
            return Err(WrongRequest(format!("optimizer.nesterov = true: {problem}")));
        }
        if let Some(decay) = self.weight_decay.filter(|decay| !(*decay >= 0.0 && decay.is_finite())) {
            return Err(WrongRequest(format!("optimizer.weight_decay = {decay}: must be at least 0")));
        }
        match self.clip.filter(|clip| !(*clip > 0.0 && clip.is_finite())) {
            Some(clip) => Err(WrongRequest(format!("optimizer.clip = {clip}: must be above 0"))),
            None => Ok(()),
        }
    }
}

impl OptimizerKind {
    /// As it stands in a configuration.
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
        toml::from_str::<OptimizerSettings>(text).unwrap().resolve()
    }

    #[test]
    fn everything_that_a_method_has_can_be_set() {
        let all = "momentum = 0.9\nnesterov = true\nweight_decay = 0.01\naveraging = \"bayes\"\nevidence = \"sum\"\nclip = 2.0";
        for kind in ["", "kind = \"sgd\"\neta = 0.1\n"] {
            let method = read(&format!("{kind}{all}")).unwrap().method().unwrap();
            assert_eq!(method.rule, Rule::Sgd(SgdRule { momentum: 0.9, nesterov: true, weight_decay: 0.01 }));
            assert_eq!((method.averaging, method.evidence), (Averaging::Bayes, Evidence::Sum));
            assert_eq!(method.clip, Some(2.0));
        }
        assert_eq!(read("").unwrap().method().unwrap(), Method::alrao());
    }

    #[test]
    fn what_a_rule_has_not_or_what_cant_be_is_refused_by_its_name() {
        for (text, words) in [
            ("kind = \"adam\"\nmomentum = 0.9", &["optimizer.momentum", "Adam's rule"][..]),
            ("rule = \"adam\"\nweight_decay = 0.9", &["optimizer.weight_decay", "Adam's rule"]),
            ("momentum = 1.0", &["optimizer.momentum = 1", "below 1"]),
            ("momentum = nan", &["optimizer.momentum = NaN", "below 1"]),
            ("nesterov = true", &["optimizer.nesterov", "optimizer.momentum"]),
            ("weight_decay = -1.0", &["optimizer.weight_decay = -1", "at least 0"]),
        ] {
            let told = read(text).unwrap_err().to_string();
            assert!(words.iter().all(|word| told.contains(word)), "{text}: {told}");
        }
    }
}
