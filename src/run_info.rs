//! The description of a run: names of its task, metric and method. A run writes it to its directory for figures, tables
//! and reports.

use alrao_core::optimizer::UpdateRule;
use alrao_core::rates::LrRange;
use alrao_plots::{Measure, MethodInfo, Metric, RunInfo};
use alrao_tasks::data::Symbol;
use alrao_tasks::settings::DataSettings;
use anyhow::Result;

use crate::config::{Config, Task};

/// Describes a run of this configuration.
///
/// # Errors
/// As [`Config::method`].
pub fn run_info(config: &Config) -> Result<RunInfo> {
    let width = match &config.task {
        Task::Agent(task) => task.agent.network.width_factor,
        Task::Supervised(task) => task.model.width_factor,
    };
    let (metric, method) = (metric(&config.task), method(config)?);
    Ok(RunInfo { task: config.task.name(), seed: config.seed, width, metric, method })
}

fn metric(task: &Task) -> Metric {
    let (name, unit, measure) = match task {
        Task::Agent(_) => ("return", None, Measure::Return),
        Task::Supervised(task) => match task.data {
            DataSettings::Text { symbol: Symbol::Character, .. } => ("bits per character", None, Measure::Bits),
            DataSettings::Text { symbol: Symbol::Word, .. } => ("perplexity", None, Measure::Perplexity),
            DataSettings::Cifar10 { .. } | DataSettings::ImageFolder { .. } => {
                ("loss", Some("nats per image".into()), Measure::Nats)
            }
        },
    };
    Metric { name: name.into(), unit, larger_is_better: measure == Measure::Return, measure }
}

fn method(config: &Config) -> Result<MethodInfo> {
    let method = config.method()?;
    let (low, high) = (method.lr_range.min(), method.lr_range.max());
    let (of_rule, adaptive) = match method.rule {
        UpdateRule::Sgd(_) => ("SGD", false),
        UpdateRule::Adam(_) => ("Adam", true),
    };
    let name = if method.lr_range.is_single() { of_rule } else { "Alrao" };
    Ok(MethodInfo::new(name, [low, high], method.lr_range == LrRange::default(), adaptive))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn run_info_has_the_names_of_task_metric_and_method() {
        let info = |task: &str, sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
            run_info(&Config::read(task, &sets, &Catalog::builtin()).unwrap()).unwrap()
        };
        let named = |task: &str| {
            let RunInfo { task, metric, .. } = info(task, &[]);
            (task, metric.name, metric.unit.unwrap_or_default(), metric.larger_is_better, metric.measure)
        };
        let expected = |task: &str, name: &str, unit: &str, larger, measure| {
            (task.to_string(), name.to_string(), unit.to_string(), larger, measure)
        };
        assert_eq!(named("pendulum"), expected("pendulum", "return", "", true, Measure::Return));
        assert_eq!(named("ptb-char"), expected("ptb-char", "bits per character", "", false, Measure::Bits));
        assert_eq!(named("ptb-word"), expected("ptb-word", "perplexity", "", false, Measure::Perplexity));
        let images = expected("cifar10-vgg19", "loss", "nats per image", false, Measure::Nats);
        assert_eq!(named("cifar10-vgg19"), images);

        let method = |sets: &[&str]| {
            let method = info("pendulum", sets).method;
            (method.label, method.rates, method.adaptive)
        };
        assert_eq!(method(&[]), ("Alrao".into(), [1e-5, 10.0], false));
        let narrow = method(&["optimizer.lr_max=1", "optimizer.base=adam"]);
        assert_eq!(narrow, ("Alrao [1e\u{2212}5, 1]".into(), [1e-5, 1.0], true));
        let sgd = method(&["optimizer.kind=sgd", "optimizer.lr=0.1"]);
        assert_eq!(sgd, ("SGD \u{3b7} = 0.1".into(), [0.1, 0.1], false));
        assert_eq!(method(&["optimizer.kind=adam"]), ("Adam \u{3b7} = 1e\u{2212}3".into(), [1e-3, 1e-3], true));
        assert_eq!(info("ptb-char", &["model.width_factor=0.5", "seed=7"]).width, 0.5);
        assert_eq!(info("ptb-char", &["model.width_factor=0.5", "seed=7"]).seed, 7);
    }
}
