//! The paper's Table 1, to compare with the results of runs.

use alrao_tasks::data::{DatasetInfo, SplitInfo};
use alrao_tasks::settings::DataSettings;
use serde::Serialize;

use crate::catalog::Catalog;
use crate::config::{Config, OptimizerKind, Task};

/// A published result: mean and standard deviation over runs, which is NaN for a single run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Published {
    /// The return or the loss; in bits for characters.
    pub value: [f64; 2],
    /// The top-1 accuracy, in %.
    pub top1: Option<[f64; 2]>,
}

/// Results by task and width: SGD at its best learning rate, Adam, Alrao.
#[rustfmt::skip] // a table
const TABLE_1: [(&str, f64, [Option<Published>; 3]); 13] = [
    ("cifar10-mobilenet", 1.0, [
        classes([0.37, 0.01], [90.2, 0.3]), classes([1.01, 0.95], [78.0, 11.0]), classes([0.42, 0.02], [88.1, 0.6]),
    ]),
    ("cifar10-mobilenet", 3.0, [
        classes([0.33, 0.01], [90.3, 0.5]), classes([0.32, 0.02], [90.8, 0.4]), classes([0.35, 0.01], [89.0, 0.6]),
    ]),
    ("cifar10-googlenet", 1.0, [
        classes([0.45, 0.05], [89.6, 1.0]), classes([0.47, 0.04], [89.8, 0.4]), classes([0.47, 0.03], [88.9, 0.8]),
    ]),
    ("cifar10-googlenet", 3.0, [
        classes([0.34, 0.02], [90.5, 0.8]), classes([0.41, 0.02], [88.6, 0.6]), classes([0.37, 0.01], [89.8, 0.8]),
    ]),
    ("cifar10-vgg19", 1.0, [
        classes([0.42, 0.02], [89.5, 0.2]), classes([0.43, 0.02], [88.9, 0.4]), classes([0.45, 0.03], [87.5, 0.4]),
    ]),
    ("cifar10-vgg19", 3.0, [
        classes([0.35, 0.01], [90.0, 0.6]), classes([0.37, 0.01], [89.5, 0.8]), classes([0.381, 0.004], [88.4, 0.7]),
    ]),
    ("imagenet-alexnet", 1.0, [one_run(2.15, 53.2), one_run(6.91, 0.10), one_run(2.56, 43.2)]),
    ("imagenet-densenet121", 1.0, [one_run(1.35, 69.7), one_run(1.39, 67.9), one_run(1.41, 67.3)]),
    ("imagenet-resnet50", 1.0, [one_run(1.49, 67.4), one_run(1.39, 67.1), one_run(1.42, 67.5)]),
    ("imagenet-resnet50", 3.0, [None, one_run(1.99, 60.8), one_run(1.33, 70.9)]),
    ("ptb-char", 1.0, [
        classes([1.566, 0.003], [66.1, 0.1]), classes([1.587, 0.005], [65.6, 0.1]), classes([1.706, 0.004], [63.4, 0.1]),
    ]),
    ("pendulum", 1.0, [returns(-372.0, 24.0), returns(-414.0, 64.0), returns(-371.0, 36.0)]),
    ("lunar-lander", 1.0, [returns(188.0, 23.0), returns(155.0, 23.0), returns(186.0, 45.0)]),
];

/// Returns the paper's result for this configuration: SGD at its best learning rate, Adam at its default, Alrao on the
/// paper's learning-rate range.
pub fn published(config: &Config, best_rate: bool) -> Option<Published> {
    let optimizer = &config.optimizer;
    let (of_three, papers_own) = match optimizer.kind {
        OptimizerKind::Sgd => (0, best_rate),
        OptimizerKind::Adam => (1, optimizer.lr == Some(1e-3)),
        OptimizerKind::Alrao => (2, (optimizer.lr_min, optimizer.lr_max) == (Some(1e-5), Some(10.0))),
    };
    let (width, papers_task) = match &config.task {
        Task::Agent(_) => (1.0, is_papers_environment(config)),
        Task::Supervised(task) => (task.model.width_factor, task.data.is_all()),
    };
    let name = config.task.name();
    let (_, _, published) = TABLE_1.iter().find(|(task, gamma, _)| *task == name && *gamma == width)?;
    published[of_three].filter(|_| papers_own && papers_task)
}

/// Returns whether a run's dataset can be the paper's: by the size of Penn Treebank or ImageNet; by the channel means of
/// CIFAR-10, whose format any images of its size can have. A supervised run without a readable `dataset.json` shows nothing.
pub fn is_papers_dataset(config: &Config, dataset: Option<&DatasetInfo>) -> bool {
    const PENN_TREEBANK: [u64; 3] = [5_101_618, 399_782, 449_945]; // bytes
    const IMAGENET: [usize; 3] = [1000, 1_281_167, 50_000]; // classes, training and test images
    /// Of the training and validation images, as published; images that were encoded again differ by less than the tolerance.
    const CIFAR10: ([f64; 3], f64) = ([0.4914, 0.4822, 0.4465], 1e-3);
    let Task::Supervised(task) = &config.task else { return true };
    let Some(DatasetInfo { classes, train, validation, test, .. }) = dataset else { return false };
    match task.data {
        DataSettings::Text { .. } => [train, validation, test].map(|split| split.bytes) == PENN_TREEBANK,
        DataSettings::Cifar10 { .. } => {
            let mean = |channel: usize| {
                let mean = |split: &SplitInfo| Some(split.channel_means?[channel] * split.samples as f64);
                Some((mean(train)? + mean(validation)?) / (train.samples + validation.samples) as f64)
            };
            let (published, tolerance) = CIFAR10;
            (0..3).all(|channel| mean(channel).is_some_and(|mean| (mean - published[channel]).abs() < tolerance))
        }
        DataSettings::ImageFolder { .. } => {
            [classes.len(), train.samples + validation.samples, test.samples] == IMAGENET
        }
    }
}

/// The fewest environment steps of an agent that is compared with the paper's: as in the built-in sweep `table1-rl`.
const LEAST_STEPS: u64 = 50_000;

/// Returns whether an agent learns the built-in configuration's environment, and for long enough.
fn is_papers_environment(config: &Config) -> bool {
    let catalog = Catalog::default();
    let task = |config: Config| match config.resolve(&catalog).ok()?.task {
        Task::Agent(task) => Some(task),
        Task::Supervised(_) => None,
    };
    let papers = Config::read(config.task.name(), &[], &catalog).ok().and_then(task);
    let own = task(config.clone()).filter(|own| own.schedule.steps >= LEAST_STEPS);
    papers.is_some_and(|papers| own.is_some_and(|own| own.environment == papers.environment))
}

const fn classes(loss: [f64; 2], top1: [f64; 2]) -> Option<Published> {
    Some(Published { value: loss, top1: Some(top1) })
}

const fn one_run(loss: f64, top1: f64) -> Option<Published> {
    classes([loss, f64::NAN], [top1, f64::NAN])
}

const fn returns(mean: f64, std: f64) -> Option<Published> {
    Some(Published { value: [mean, std], top1: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BaseOptimizer;

    #[test]
    fn data_of_cifar10s_format_are_the_papers_by_their_channel_means_only() {
        let config = Config::read("cifar10-vgg19", &[], &Catalog::builtin()).unwrap();
        let is_papers = |means: Option<[f64; 3]>| {
            let split = |samples| SplitInfo { channel_means: means, ..SplitInfo::new(samples, 0, 0, "contents") };
            let (train, validation, test) = (split(40_000), split(10_000), split(10_000));
            let dataset = DatasetInfo { classes: vec![], preprocessing: [].into(), train, validation, test };
            is_papers_dataset(&config, Some(&dataset))
        };
        assert!(is_papers(Some([0.49141, 0.48215, 0.44652])));
        assert!(!is_papers(Some([0.5, 0.5, 0.5])) && !is_papers(Some([0.4914, 0.4822, 0.45])) && !is_papers(None));
        assert!(!is_papers_dataset(&config, None), "without a dataset.json");
    }

    #[test]
    fn only_the_papers_configurations_have_published_results() {
        let value = |task: &str, sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
            let config = Config::read(task, &sets, &Catalog::builtin()).unwrap();
            let config = Config { optimizer: config.optimizer.resolve(BaseOptimizer::Sgd).unwrap(), ..config };
            published(&config, true).map(|published| published.value[0])
        };
        assert_eq!(value("cifar10-vgg19", &[]), Some(0.45));
        assert_eq!(value("cifar10-vgg19", &["model.width_factor=3"]), Some(0.381));
        assert_eq!(value("imagenet-resnet50", &["model.width_factor=3", "optimizer.kind=adam"]), Some(1.99));
        assert_eq!(value("imagenet-resnet50", &["model.width_factor=3", "optimizer.kind=sgd", "optimizer.lr=1"]), None);
        assert_eq!(value("pendulum", &["optimizer.kind=sgd", "optimizer.lr=1e-4"]), Some(-372.0));
        for (task, set) in [
            ("cifar10-vgg19", "model.width_factor=2"),
            ("cifar10-vgg19", "data.max_train_images=1000"),
            ("pendulum", "environment.reward_scale=100"),
            ("pendulum", "environment.torques=2"),
            ("pendulum", "schedule.steps=4000"),
            ("lunar-lander", "environment.gravity=-1"),
            ("pendulum", "optimizer.lr_max=1"),
            ("cartpole", "seed=0"),
        ] {
            assert_eq!(value(task, &[set]), None, "{task} {set}");
        }
    }
}
