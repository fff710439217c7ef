//! The table of a sweep: one row for each variant of each task, over its seeds.

use std::fmt::Write;

use alrao_plots::RunInfo;
use alrao_plots::statistics::{Spread, bootstrap_ci, interquartile_mean};
use anyhow::Result;
use serde::Serialize;

use crate::config::{Config, OptimizerKind, Task};
use crate::dataset::Dataset;
use crate::summary::{Outcome, metric, spread};
use crate::sweep::directory::{State, SweepDirectory};
use crate::sweep::paper::{Published, is_papers_dataset, published};
use crate::sweep::plan::Run;

/// The output format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TableFormat {
    /// Markdown, for reading.
    Markdown,
    /// CSV, for spreadsheets.
    Csv,
    /// JSON, for programs, with the metric of each seed.
    Json,
}

/// The table of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Table {
    rows: Vec<Row>,
}

/// One variant of one task.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row {
    task: String,
    variant: String,
    /// the name of the metric
    measure: String,
    #[serde(skip)]
    larger_is_better: bool,
    /// environment steps or maximum epochs of a run; none for all tasks together
    budget: Option<u64>,
    /// over the runs that have the metric
    statistics: Option<Statistics>,
    /// whether it is the best of several learning rates of SGD, chosen in hindsight
    best_rate: bool,
    /// mean and standard deviation of the top-1 accuracy, in %
    top1: Option<[f64; 2]>,
    paper: Option<Published>,
    runs: usize,
    diverged: usize,
    /// runs that ended early, because of `schedule.stop_at`, `schedule.patience` or a callback
    stopped: usize,
    failed: usize,
    unfinished: usize,
    /// why runs failed
    reasons: Vec<String>,
    tests: Vec<SeedResult>,
    #[serde(skip)]
    config: Config,
}

/// The result of one run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct SeedResult {
    seed: u64,
    /// the test metric: mean return, bits per character, perplexity, or loss
    value: f64,
    /// top-1 accuracy, in %
    #[serde(skip_serializing_if = "Option::is_none")]
    top1: Option<f64>,
    /// the mean return of a random policy
    #[serde(skip_serializing_if = "Option::is_none")]
    random_policy: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Statistics {
    mean: f64,
    /// n - 1
    std: f64,
    worst: f64,
    best: f64,
    interquartile_mean: f64,
    /// 95 %
    interval: Option<[f64; 2]>,
}

impl Table {
    /// Collects the results so far.
    ///
    /// # Errors
    /// As [`SweepDirectory::state`].
    pub fn of(sweep: &SweepDirectory) -> Result<Self> {
        let mut rows: Vec<Row> = Vec::new();
        for run in &sweep.runs {
            let state = sweep.state(run)?;
            match rows.iter_mut().find(|row| row.task == run.task && row.variant == run.variant) {
                Some(row) => row.add(run, &state),
                None => {
                    let mut row = Row::new(run, &sweep.info(run)?);
                    row.add(run, &state);
                    rows.push(row);
                }
            }
        }
        for row in &mut rows {
            row.aggregate(&[row.tests.iter().map(|of_seed| of_seed.value).collect()]);
        }
        let best: Vec<bool> = (0..rows.len()).map(|index| is_best_lr(&rows, index)).collect();
        for (row, best_rate) in rows.iter_mut().zip(best) {
            row.best_rate = best_rate;
            let of_row = sweep.runs.iter().filter(|run| run.task == row.task && run.variant == row.variant);
            let finished = of_row.filter(|run| matches!(sweep.state(run), Ok(State::Done(_))));
            let mut datasets = finished.map(|run| Dataset::read(&sweep.of(run)).ok());
            let papers_data =
                datasets.all(|known| is_papers_dataset(&row.config, known.as_ref().map(|known| &known.dataset)));
            row.paper = published(&row.config, best_rate).filter(|_| papers_data);
        }
        rows.extend(rows_over_all_tasks(&rows));
        Ok(Table { rows })
    }

    /// Formats the table.
    pub fn write(&self, format: TableFormat) -> String {
        match format {
            TableFormat::Markdown => self.markdown(),
            TableFormat::Csv => self.csv(),
            TableFormat::Json => serde_json::to_string_pretty(self).expect("numbers and texts") + "\n",
        }
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        for of_task in self.rows.chunk_by(|row, next| row.task == next.task) {
            let (first, papers) = (&of_task[0], of_task.iter().any(|row| row.paper.is_some()));
            let mut columns = vec!["variant", "mean ± std", "seeds", "worst", "best", "IQM [95 %]", "diverged"];
            columns.extend(first.is_supervised().then_some("top-1 %"));
            columns.extend(papers.then_some("paper"));
            columns.extend((papers && first.is_supervised()).then_some("paper's top-1 %"));
            let gap = if text.is_empty() { "" } else { "\n" };
            let rule = "---|".repeat(columns.len());
            write!(text, "{gap}## {}\n\n| {} |\n|{rule}\n", first.title(), columns.join(" | ")).expect("memory");
            of_task.iter().for_each(|row| text += &row.markdown(papers));
        }
        for row in self.rows.iter().filter(|row| row.failed + row.unfinished > 0) {
            const MOST_REASONS: usize = 3;
            let Row { task, variant, failed, unfinished, runs, reasons, .. } = row;
            write!(text, "\n{task}, {variant}: {failed} of {runs} runs failed, {unfinished} unfinished\n")
                .expect("memory");
            for reason in reasons.iter().take(MOST_REASONS) {
                writeln!(text, "- {reason}").expect("memory");
            }
        }
        for row in self.rows.iter().filter(|row| row.stopped > 0) {
            let Row { task, variant, stopped, runs, .. } = row;
            write!(text, "\n{task}, {variant}: {stopped} of {runs} runs stopped early\n").expect("memory");
        }
        if self.rows.iter().any(|row| row.best_rate) {
            text += "\n* best learning rate, chosen in hindsight\n";
        }
        text
    }

    fn csv(&self) -> String {
        let mut text =
            "task,variant,measure,budget,mean,std,seeds,worst,best,iqm,iqm_low,iqm_high,best_rate,top1_mean,top1_std,\
             paper_mean,paper_std,paper_top1_mean,paper_top1_std,runs,diverged,stopped,failed,unfinished\n"
                .to_string();
        for row in &self.rows {
            let (s, paper) = (row.statistics, row.paper);
            let (interval, papers_top1) = (s.and_then(|s| s.interval), paper.and_then(|paper| paper.top1));
            let cell = |x: Option<f64>| x.filter(|x| !x.is_nan()).map_or(String::new(), |x| x.to_string());
            let cells_of = |pair: Option<[f64; 2]>| [0, 1].map(|i| cell(pair.map(|pair| pair[i])));
            let ([top1, top1_std], [papers_top1, papers_top1_std]) = (cells_of(row.top1), cells_of(papers_top1));
            let [papers_mean, papers_std] = cells_of(paper.map(|paper| paper.value));
            let cells = [
                row.task.clone(),
                row.variant.clone(),
                row.measure.clone(),
                row.budget.map_or(String::new(), |budget| budget.to_string()),
                cell(s.map(|s| s.mean)),
                cell(s.map(|s| s.std)),
                row.tests.len().to_string(),
                cell(s.map(|s| s.worst)),
                cell(s.map(|s| s.best)),
                cell(s.map(|s| s.interquartile_mean)),
                cell(interval.map(|[low, _]| low)),
                cell(interval.map(|[_, high]| high)),
                row.best_rate.to_string(),
                top1,
                top1_std,
                papers_mean,
                papers_std,
                papers_top1,
                papers_top1_std,
                row.runs.to_string(),
                row.diverged.to_string(),
                row.stopped.to_string(),
                row.failed.to_string(),
                row.unfinished.to_string(),
            ];
            text += &(cells.join(",") + "\n");
        }
        text
    }
}

impl Row {
    fn new(run: &Run, info: &RunInfo) -> Self {
        Row {
            measure: format!("test {}", info.metric.name),
            larger_is_better: info.metric.larger_is_better,
            task: run.task.clone(),
            variant: run.variant.clone(),
            budget: Some(run.config.budget()),
            statistics: None,
            best_rate: false,
            top1: None,
            paper: None,
            runs: 0,
            diverged: 0,
            stopped: 0,
            failed: 0,
            unfinished: 0,
            reasons: Vec::new(),
            tests: Vec::new(),
            config: run.config.clone(),
        }
    }

    fn add(&mut self, run: &Run, state: &State) {
        self.runs += 1;
        match state {
            State::Done(summary) => {
                self.diverged += usize::from(summary.diverged);
                self.stopped += usize::from(matches!(&summary.outcome, Outcome::Agent { stopped: Some(_), .. }));
                let (seed, outcome) = (run.config.seed, &summary.outcome);
                let (top1, random_policy) = match outcome {
                    Outcome::Supervised { test, .. } => (test.map(|test| 100.0 * test.top1), None),
                    Outcome::Agent { random_policy, .. } => (None, Some(random_policy.returns.mean)),
                };
                // An undefined metric is none, as of a loss that is infinite.
                let value = outcome.primary_metric().filter(|value| value.is_finite());
                self.tests.extend(value.map(|value| SeedResult { seed, value, top1, random_policy }));
            }
            State::Failed(reason) => {
                self.failed += 1;
                let error = reason.lines().rfind(|line| line.starts_with("error: ")).or(reason.lines().next());
                self.reasons.push(format!("{}: {}", run.name, error.unwrap_or_default()));
            }
            State::Missing | State::Unfinished => self.unfinished += 1,
        }
    }

    /// Aggregates the metrics of its runs, `[task][run]`, if every task has some.
    fn aggregate(&mut self, tasks: &[Vec<f64>]) {
        let values = tasks.concat();
        self.statistics = tasks.iter().all(|runs| !runs.is_empty()).then(|| {
            let Spread { mean, std, min, max } = Spread::of(&values);
            let (worst, best) = if self.larger_is_better { (min, max) } else { (max, min) };
            Statistics {
                mean,
                std,
                worst,
                best,
                interquartile_mean: interquartile_mean(&values),
                interval: bootstrap_ci(tasks),
            }
        });
        let top1: Vec<f64> = self.tests.iter().filter_map(|of_seed| of_seed.top1).collect();
        self.top1 = (!top1.is_empty()).then(|| {
            let over_seeds = Spread::of(&top1);
            [over_seeds.mean, over_seeds.std]
        });
    }

    /// Returns the mean, if every run has the metric.
    fn complete_mean(&self) -> Option<f64> {
        self.statistics.filter(|_| self.tests.len() == self.runs).map(|statistics| statistics.mean)
    }

    /// Returns whether both are SGD and differ only in the learning rate.
    fn differs_only_in_lr(&self, other: &Row) -> bool {
        let without_rate = |row: &Row| {
            let mut config = Config { seed: 0, ..row.config.clone() };
            config.optimizer.lr = None;
            config
        };
        self.config.optimizer.kind == OptimizerKind::Sgd && without_rate(self) == without_rate(other)
    }

    fn is_supervised(&self) -> bool {
        matches!(self.config.task, Task::Supervised(_))
    }

    fn title(&self) -> String {
        let Row { task, measure, .. } = self;
        match self.budget {
            Some(budget) if self.is_supervised() => format!("{task}: {measure} after at most {budget} epochs"),
            Some(budget) => format!("{task}: {measure} after {budget} env steps"),
            None => format!("{task}: {measure} (0 = random policy, 1 = best run)"),
        }
    }

    /// Formats a row, with the paper's results or without.
    fn markdown(&self, papers: bool) -> String {
        let s = self.statistics;
        let places = if self.is_supervised() || self.budget.is_none() { 3 } else { 1 };
        let digits = |x: f64| metric(x, places);
        let number = |x: Option<f64>| x.map_or("-".into(), digits);
        let published = |pair: Option<[f64; 2]>| match pair {
            Some([mean, std]) if std.is_nan() => mean.to_string(),
            Some([mean, std]) => format!("{mean} ± {std}"),
            None => String::new(),
        };
        let interval = s.and_then(|s| s.interval);
        let interval = interval.map_or(String::new(), |[low, high]| format!(" [{}, {}]", digits(low), digits(high)));
        let (paper, papers_top1) = (self.paper.map(|paper| paper.value), self.paper.and_then(|paper| paper.top1));
        let mut cells = vec![
            format!("{}{}", self.variant, if self.best_rate { " *" } else { "" }),
            s.map_or("-".into(), |s| spread(s.mean, s.std, places)),
            format!("{} of {}", self.tests.len(), self.runs),
            number(s.map(|s| s.worst)),
            number(s.map(|s| s.best)),
            number(s.map(|s| s.interquartile_mean)) + &interval,
            self.diverged.to_string(),
        ];
        if self.is_supervised() {
            cells.push(self.top1.map_or("-".into(), |[mean, std]| spread(mean, std, 1)));
        }
        cells.extend(papers.then(|| published(paper)));
        cells.extend((papers && self.is_supervised()).then(|| published(papers_top1)));
        format!("| {} |\n", cells.join(" | "))
    }
}

/// Aggregates several variants of agents over several tasks: a run's normalized score is 0 at the return of the random
/// policy and 1 at that of the task's best run. Empty if no run of a task beats the random policy.
fn rows_over_all_tasks(rows: &[Row]) -> Vec<Row> {
    let (tasks, variants) = (distinct(rows.iter().map(|row| &row.task)), distinct(rows.iter().map(|row| &row.variant)));
    if tasks.len() < 2 || variants.len() < 2 || rows.iter().any(Row::is_supervised) {
        return Vec::new();
    }
    let scores = |row: &Row| -> Option<Vec<SeedResult>> {
        let of_task = rows.iter().filter(|other| other.task == row.task).flat_map(|other| &other.tests);
        let best = of_task.map(|test| test.value).fold(f64::NEG_INFINITY, f64::max);
        let score = |test: &SeedResult| {
            let random = test.random_policy.filter(|random| *random < best)?;
            Some(SeedResult { value: (test.value - random) / (best - random), random_policy: None, ..*test })
        };
        row.tests.iter().map(score).collect()
    };
    let of_variant = |variant: &String| {
        let of_tasks: Vec<&Row> = rows.iter().filter(|row| row.variant == *variant).collect();
        if of_tasks.len() < tasks.len() {
            return None;
        }
        let scores = of_tasks.iter().map(|row| scores(row)).collect::<Option<Vec<_>>>()?;
        let mut row = Row {
            task: "all tasks".into(),
            measure: "normalized score".into(),
            budget: None,
            best_rate: false,
            paper: None,
            runs: of_tasks.iter().map(|row| row.runs).sum(),
            diverged: of_tasks.iter().map(|row| row.diverged).sum(),
            failed: 0, // reported for each task
            unfinished: 0,
            stopped: 0,
            reasons: Vec::new(),
            tests: scores.concat(),
            ..of_tasks[0].clone()
        };
        let values = |tests: &Vec<SeedResult>| tests.iter().map(|test| test.value).collect();
        row.aggregate(&scores.iter().map(values).collect::<Vec<_>>());
        Some(row)
    };
    variants.into_iter().filter_map(of_variant).collect()
}

fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

/// Returns whether a row has the best mean of several learning rates of SGD, among those at which every run has the
/// metric.
fn is_best_lr(rows: &[Row], index: usize) -> bool {
    let row = &rows[index];
    let rates: Vec<&Row> = rows.iter().filter(|other| row.differs_only_in_lr(other)).collect();
    let means = rates.iter().filter_map(|rate| rate.complete_mean());
    let best = if row.larger_is_better { means.max_by(f64::total_cmp) } else { means.min_by(f64::total_cmp) };
    rates.len() > 1 && best.is_some() && row.complete_mean() == best
}

#[cfg(test)]
mod tests {
    use alrao_agents::evaluation::Evaluation;
    use alrao_tasks::data::{DatasetInfo, SplitInfo};

    use super::*;
    use crate::sweep::directory::tests::sweep;

    /// Writes the summary of a finished run, with this mean test return if given.
    fn end(sweep: &SweepDirectory, name: &str, test_return: Option<f64>, diverged: bool) {
        let run = sweep.runs.iter().find(|run| run.name == name).unwrap();
        sweep.prepare(run).unwrap();
        let test = test_return.map(|x| Evaluation::of(&[x]));
        let summary = serde_json::json!({
            "task": run.task, "seed": run.config.seed, "optimizer": run.config.optimizer.kind, "steps": 1, "seconds": 1.0,
            "diverged": diverged, "best": null, "test": test, "random_policy": Evaluation::of(&[-1000.0]), "lr_diagnostics": null,
        });
        std::fs::write(sweep.of(run).join("summary.json"), summary.to_string()).unwrap();
    }

    #[test]
    fn a_table_aggregates_variants_and_counts_diverged_runs() {
        let sgd = |eta| ["optimizer.kind=sgd", eta];
        let variants = [&sgd("optimizer.lr=0.1")[..], &sgd("optimizer.lr=1")[..], &["optimizer.kind=alrao"][..]];
        let (_root, sweep) = sweep(&["pendulum", "cartpole"], &variants, 2);
        end(&sweep, "pendulum-sgd-lr=0.1-seed0", Some(-100.0), false);
        end(&sweep, "pendulum-sgd-lr=0.1-seed1", Some(-200.0), true);
        end(&sweep, "pendulum-sgd-lr=1-seed0", Some(-10.0), false);
        end(&sweep, "pendulum-sgd-lr=1-seed1", None, true);
        end(&sweep, "pendulum-alrao-seed0", Some(-150.0), false);
        let table = Table::of(&sweep).unwrap();
        let markdown = table.write(TableFormat::Markdown);
        for line in [
            "## pendulum: test return after 50000 env steps",
            // A learning rate at which a run has no return is not the best, however good the others are.
            "| sgd-lr=0.1 * | -150.0 ± 70.7 | 2 of 2 | -200.0 | -100.0 | -150.0 [-200.0, -100.0] | 1 | -372 ± 24 |",
            "| sgd-lr=1 | -10.0 ± - | 1 of 2 | -10.0 | -10.0 | -10.0 | 1 |  |",
            "| alrao | -150.0 ± - | 1 of 2 | -150.0 | -150.0 | -150.0 | 0 | -371 ± 36 |",
            "pendulum, alrao: 0 of 2 runs failed, 1 unfinished",
            "| sgd-lr=1 | - | 0 of 2 | - | - | - | 0 |", // the paper has no CartPole
        ] {
            assert!(markdown.lines().any(|found| found == line), "no {line} in\n{markdown}");
        }
        let csv = table.write(TableFormat::Csv);
        let columns: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(columns, [24; 10]);
        assert!(
            csv.contains("pendulum,sgd-lr=1,test return,50000,-10,,1,-10,-10,-10,,,false,,,,,,,2,1,0,0,0"),
            "{csv}"
        );
        let json: serde_json::Value = serde_json::from_str(&table.write(TableFormat::Json)).unwrap();
        assert_eq!(json[0]["tests"][1], serde_json::json!({"seed": 1, "value": -200.0, "random_policy": -1000.0}));
    }

    #[test]
    fn a_table_uses_the_metric_of_run_json() {
        let (_root, sweep) = sweep(&["pendulum"], &[&["optimizer.kind=adam"]], 2);
        end(&sweep, "pendulum-adam-seed0", Some(5.0), false);
        end(&sweep, "pendulum-adam-seed1", Some(7.0), false);
        let path = sweep.of(&sweep.runs[0]).join(RunInfo::FILE);
        let mut info = RunInfo::read(path.parent().unwrap()).unwrap();
        (info.metric.name, info.metric.larger_is_better) = ("cost".into(), false);
        std::fs::write(path, serde_json::to_string(&info).unwrap()).unwrap();
        let markdown = Table::of(&sweep).unwrap().write(TableFormat::Markdown);
        assert!(markdown.starts_with("## pendulum: test cost after 50000 env steps\n"), "{markdown}");
        assert!(markdown.contains("| 2 of 2 | 7.0 | 5.0 |"), "{markdown}");
    }

    #[test]
    fn variants_are_compared_on_all_tasks() {
        let (_root, sweep) =
            sweep(&["pendulum", "cartpole"], &[&["optimizer.kind=adam"], &["optimizer.kind=alrao"]], 2);
        for (name, test_return) in [
            ("pendulum-adam-seed0", -600.0),
            ("pendulum-adam-seed1", -400.0),
            ("pendulum-alrao-seed0", -200.0),
            ("pendulum-alrao-seed1", 0.0), // the best of its task
            ("cartpole-adam-seed0", 1000.0),
            ("cartpole-adam-seed1", 500.0),
            ("cartpole-alrao-seed0", 600.0),
        ] {
            end(&sweep, name, Some(test_return), false);
        }
        let table = Table::of(&sweep).unwrap();
        let markdown = table.write(TableFormat::Markdown);
        for line in [
            "## all tasks: normalized score (0 = random policy, 1 = best run)",
            // 0.4, 0.6 and 1, 0.75; pairs are drawn within a task, or its interval would go down to 0.4
            "| adam | 0.688 ± 0.253 | 4 of 4 | 0.400 | 1.000 | 0.675 [0.575, 0.800] | 0 |",
            "| alrao | 0.867 ± 0.115 | 3 of 4 | 0.800 | 1.000 | 0.867 [0.800, 0.933] | 0 |",
        ] {
            assert!(markdown.lines().any(|found| found == line), "no {line} in\n{markdown}");
        }
        assert!(markdown.ends_with("\ncartpole, alrao: 0 of 2 runs failed, 1 unfinished\n"), "{markdown}");
        end(&sweep, "cartpole-alrao-seed1", Some(2000.0), false);
        std::fs::remove_dir_all(sweep.of(&sweep.runs[0])).unwrap();
        end(&sweep, "pendulum-adam-seed0", None, true);
        std::fs::remove_dir_all(sweep.of(&sweep.runs[1])).unwrap();
        let markdown = Table::of(&sweep).unwrap().write(TableFormat::Markdown);
        assert!(markdown.contains("| adam | - | 2 of 4 | - | - | - | 1 |\n"), "{markdown}");
    }

    #[test]
    fn tables_of_image_classifiers_have_accuracies_and_the_papers_results() {
        let variants = [&["data.folder=/data", "optimizer.kind=adam"][..], &["data.folder=/data"]];
        let (_root, sweep) = sweep(&["cifar10-googlenet", "imagenet-resnet50"], &variants, 2);
        for run in sweep.runs.iter().filter(|run| run.config.seed == 0 || run.task == "cifar10-googlenet") {
            sweep.prepare(run).unwrap();
            let loss = 0.5 + 0.1 * run.config.seed as f64;
            let summary = serde_json::json!({
                "task": run.task, "seed": run.config.seed, "optimizer": run.config.optimizer.kind, "epochs": 1,
                "updates": 1, "seconds": 1.0, "diverged": false, "best": null, "test": {"loss": loss, "top1": 0.9},
                "lr_diagnostics": null,
            });
            std::fs::write(sweep.of(run).join("summary.json"), summary.to_string()).unwrap();
        }
        let markdown = Table::of(&sweep).unwrap().write(TableFormat::Markdown);
        assert!(!markdown.contains("paper"), "no file says that the data are the paper's: {markdown}");
        for run in sweep.runs.iter().filter(|run| sweep.of(run).exists()) {
            let (classes, samples) = match run.task == "cifar10-googlenet" {
                true => (10, [40_000, 10_000, 10_000]),
                false => (1000, [1_271_167, 10_000, 50_000]),
            };
            let [train, validation, test] = samples.map(|samples| {
                let channel_means = Some([0.4914, 0.4822, 0.4465]);
                SplitInfo { channel_means, ..SplitInfo::new(samples, 0, 0, "contents") }
            });
            let classes = (0..classes).map(|class| class.to_string()).collect();
            let dataset = DatasetInfo { classes, preprocessing: [].into(), train, validation, test };
            let text = Dataset { dataset, changes: Vec::new() }.text().unwrap();
            std::fs::write(sweep.of(run).join(crate::dataset::FILE), text).unwrap();
        }
        let table = Table::of(&sweep).unwrap();
        let markdown = table.write(TableFormat::Markdown);
        for end in [
            "| variant | mean ± std | seeds | worst | best | IQM [95 %] | diverged | top-1 % | paper | paper's top-1 % |",
            "| 0.550 ± 0.071 | 2 of 2 | 0.600 | 0.500 | 0.550 [0.500, 0.600] | 0 | 90.0 ± 0.0 | 0.47 ± 0.04 | 89.8 ± 0.4 |",
            "| 90.0 ± 0.0 | 0.47 ± 0.03 | 88.9 ± 0.8 |",
            "| 0.500 ± - | 1 of 2 | 0.500 | 0.500 | 0.500 | 0 | 90.0 ± - | 1.42 | 67.5 |",
        ] {
            assert!(markdown.lines().any(|found| found.ends_with(end)), "no {end} in\n{markdown}");
        }
        let csv = table.write(TableFormat::Csv);
        assert!(csv.lines().any(|line| line.ends_with(",false,90,,1.42,,67.5,,2,0,0,0,1")), "{csv}");
        let json: serde_json::Value = serde_json::from_str(&table.write(TableFormat::Json)).unwrap();
        assert_eq!(json[3]["paper"], serde_json::json!({"value": [1.42, null], "top1": [67.5, null]}));
    }
}
