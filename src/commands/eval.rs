//! `alrao eval`: evaluates a run's best checkpoint with greedy actions or on the test data.

use std::path::PathBuf;

use alrao_agents::evaluation::Evaluation;
use alrao_agents::training::{self, TestEpisodes};
use alrao_core::device::DeviceChoice;
use alrao_tasks::data::{Split, check_skipped};
use alrao_tasks::metrics::{Metrics, evaluate};
use alrao_tasks::settings::SupervisedTask;
use anyhow::Result;
use serde::Serialize;
use tch::Device;

use crate::catalog::Catalog;
use crate::config::{AgentTask, Config, Task};
use crate::dataset::Dataset;
use crate::output::{note, say};
use crate::run_directory::load_best;
use crate::runs::{EvaluationDisplay, agent, limited, supervised};
use crate::seed::seed;
use crate::summary::metric;
use crate::usage_error::UsageError;

/// The arguments of `alrao eval`.
#[derive(clap::Args)]
pub struct EvalArgs {
    /// Run directory.
    pub run: PathBuf,
    /// Number of test episodes [default: as in the run's own test].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub episodes: Option<u32>,
    /// Random seed of the episodes [default: the run's seed, which repeats its test episodes].
    #[arg(long, value_parser = seed)]
    pub seed: Option<u64>,
    /// Print one JSON object, which has every episode's seed and return.
    #[arg(long)]
    pub json: bool,
    /// Dataset directory of a supervised task [default: as in training].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// What `--json` prints of an agent.
#[derive(Serialize)]
struct AgentEvaluation {
    task: String,
    seed: u64,
    test: Evaluation,
    episodes: Vec<Episode>,
}

#[derive(Serialize)]
struct Episode {
    seed: u64,
    #[serde(rename = "return")]
    episode_return: f64,
}

/// What `--json` prints of a supervised run.
#[derive(Serialize)]
struct SupervisedEvaluation {
    task: String,
    test: Metrics,
    skipped_files: usize,
}

/// Runs the command.
///
/// # Errors
/// [`UsageError`] if the run doesn't exist, has no best checkpoint yet, or an option is for runs of the other kind.
pub fn eval(args: &EvalArgs, catalog: &Catalog) -> Result<()> {
    let mut config = Config::of_run(&args.run)?;
    if let Some(folder) = &args.data {
        config.task.set_data(folder)?;
    }
    let config = config.resolve_run(&args.run, catalog)?;
    tch::set_num_threads(config.threads as i32);
    match &config.task {
        Task::Agent(task) => of_agent(args, catalog, &config, task),
        Task::Supervised(task) => of_supervised(args, &config, task),
    }
}

fn of_agent(args: &EvalArgs, catalog: &Catalog, config: &Config, task: &AgentTask) -> Result<()> {
    let network = agent::network(config, catalog, &load_best(&args.run)?, Device::Cpu)?;
    let episodes = args.episodes.map_or(task.schedule.test_episodes, |episodes| episodes as usize);
    let seed = args.seed.unwrap_or(config.seed);
    let test = TestEpisodes { episodes, ..task.test_episodes(seed) };
    let mut display = EvaluationDisplay::new();
    let watch = |progress| display.episodes("test", progress);
    let played = training::test(&network, &|| task.make_stacked(catalog), test, watch)?;
    let evaluation = played.summarize();
    if args.json {
        let each = played.seeds.iter().zip(&played.returns);
        let episodes = each.map(|(&seed, &episode_return)| Episode { seed, episode_return }).collect();
        let evaluated = AgentEvaluation { task: config.task.name(), seed, test: evaluation, episodes };
        return say!("{}", serde_json::to_string(&evaluated)?);
    }
    let returns = evaluation.returns;
    let limited = limited(&evaluation).map_or(String::new(), |limited| format!("; {limited}"));
    say!("return over {episodes} episodes of {}, seed {seed}{limited}", task.environment.name)?;
    let [mean, std, min, max] = [returns.mean, returns.std, returns.min, returns.max].map(|value| metric(value, 1));
    say!("mean {mean}  std {std}  min {min}  max {max}")
}

fn of_supervised(args: &EvalArgs, config: &Config, task: &SupervisedTask) -> Result<()> {
    for (option, given) in [("--episodes", args.episodes.is_some()), ("--seed", args.seed.is_some())] {
        if given {
            return Err(UsageError(format!(
                "{option}: {} is supervised and is evaluated on all its test data; leave {option} out",
                task.name()
            ))
            .into());
        }
    }
    let device = DeviceChoice::Auto.resolve()?;
    let data = Dataset::read_to_evaluate(&args.run, task, config.seed)?;
    data.notes().iter().for_each(|note| note!("{note}"));
    let network = supervised::network(config, task, &data, &load_best(&args.run)?, device)?;
    let (mut display, mut done) = (EvaluationDisplay::new(), 0);
    let mut go_on = || {
        display.batches(Split::Test, done, data.num_batches(Split::Test));
        done += 1;
        true
    };
    let batches = data.batches(Split::Test, 0, 0);
    let evaluated = evaluate(&network, batches, data.metric_kind(), device, &mut go_on)?;
    let (scores, skipped_files) = evaluated.expect("it went on");
    supervised::print_skipped(&skipped_files);
    let (count, of) = (skipped_files.len(), data.images());
    if let Some(last) = skipped_files.last() {
        check_skipped(count, of, last)?;
    }
    if args.json {
        let evaluated = SupervisedEvaluation { task: task.name(), test: scores, skipped_files: count };
        return say!("{}", serde_json::to_string(&evaluated)?);
    }
    let skipped = if count > 0 { format!("; {count} corrupt images skipped") } else { String::new() };
    say!("test of {}: {scores}{skipped}", task.name())
}
