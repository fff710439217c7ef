//! The table of a sweep: one row for each arm of each task, over its seeds.

use std::fmt::Write;

use alrao_agents::evaluation::Evaluation;
use anyhow::Result;
use serde::Serialize;

use crate::config::{Config, OptimizerKind, Task};
use crate::sweep::directory::{State, SweepDirectory};
use crate::sweep::plan::Run;
use crate::sweep::statistics::{interquartile_mean, interval};

/// How to write a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TableFormat {
    /// For reading.
    Markdown,
    /// For spreadsheets.
    Csv,
    /// For programs, with the return of each seed.
    Json,
}

/// Mean test returns, or bits per character, and their standard deviations in the paper's Table 1, SGD at its best rate.
const PAPER: [(&str, OptimizerKind, [f64; 2]); 9] = [
    ("pendulum", OptimizerKind::Sgd, [-372.0, 24.0]),
    ("pendulum", OptimizerKind::Adam, [-414.0, 64.0]),
    ("pendulum", OptimizerKind::Alrao, [-371.0, 36.0]),
    ("lunar-lander", OptimizerKind::Sgd, [188.0, 23.0]),
    ("lunar-lander", OptimizerKind::Adam, [155.0, 23.0]),
    ("lunar-lander", OptimizerKind::Alrao, [186.0, 45.0]),
    ("ptb-char", OptimizerKind::Sgd, [1.566, 0.003]),
    ("ptb-char", OptimizerKind::Adam, [1.587, 0.005]),
    ("ptb-char", OptimizerKind::Alrao, [1.706, 0.004]),
];

/// The table of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Table {
    rows: Vec<Row>,
}

/// One arm of one task.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row {
    task: String,
    arm: String,
    /// what `figure` is
    measure: &'static str,
    #[serde(skip)]
    smaller_is_better: bool,
    /// environment steps of a run, or its most epochs
    budget: u64,
    /// over the figures of the runs that have one
    statistics: Option<Statistics>,
    /// whether it is the best of several rates of SGD, chosen by this table
    best_rate: bool,
    /// mean and standard deviation
    paper: Option<[f64; 2]>,
    runs: usize,
    diverged: usize,
    failed: usize,
    unfinished: usize,
    tests: Vec<SeedFigure>,
    #[serde(skip)]
    config: Config,
}

/// What one run came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct SeedFigure {
    seed: u64,
    /// of its test: the mean return, bits per character, perplexity, or loss
    figure: f64,
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
    /// The table of what there is so far.
    ///
    /// # Errors
    /// As [`SweepDirectory::state`].
    pub fn of(sweep: &SweepDirectory) -> Result<Self> {
        let mut rows: Vec<Row> = Vec::new();
        for run in &sweep.runs {
            let state = sweep.state(run)?;
            match rows.iter_mut().find(|row| row.task == run.task && row.arm == run.arm) {
                Some(row) => row.add(run, &state),
                None => {
                    let mut row = Row::new(run);
                    row.add(run, &state);
                    rows.push(row);
                }
            }
        }
        rows.iter_mut().for_each(Row::sum_up);
        let best: Vec<bool> = (0..rows.len()).map(|index| is_best_rate(&rows, index)).collect();
        for (row, best_rate) in rows.iter_mut().zip(best) {
            row.best_rate = best_rate;
            row.paper = row.paper();
        }
        Ok(Table { rows })
    }

    /// The table in words.
    pub fn write(&self, format: TableFormat) -> String {
        match format {
            TableFormat::Markdown => self.markdown(),
            TableFormat::Csv => self.csv(),
            TableFormat::Json => serde_json::to_string_pretty(self).expect("numbers and texts") + "\n",
        }
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        let mut task = None;
        for row in &self.rows {
            if task != Some(&row.task) {
                let gap = if task.is_some() { "\n" } else { "" };
                task = Some(&row.task);
                let header = "| arm | mean ± std | seeds | worst | best | IQM [95 %] | diverged | paper |";
                let Row { task, measure, budget, .. } = row;
                let unit = if row.smaller_is_better { "epochs at most" } else { "steps" };
                write!(text, "{gap}## {task}: {measure} after {budget} {unit}\n\n{header}\n").expect("memory");
                text += "|---|---|---|---|---|---|---|---|\n";
            }
            text += &row.markdown();
        }
        for row in self.rows.iter().filter(|row| row.failed + row.unfinished > 0) {
            let Row { task, arm, failed, unfinished, runs, .. } = row;
            write!(text, "\n{task}, {arm}: of {runs} runs, {failed} failed and {unfinished} are unfinished.\n")
                .expect("memory");
        }
        if self.rows.iter().any(|row| row.best_rate) {
            text += "\n*: the best of the rates, known only after all of them were run.\n";
        }
        text
    }

    fn csv(&self) -> String {
        let mut text =
            "task,arm,measure,budget,mean,std,seeds,worst,best,iqm,iqm_low,iqm_high,best_rate,paper_mean,paper_std,\
                        runs,diverged,failed,unfinished\n"
                .to_string();
        for row in &self.rows {
            let (s, paper) = (row.statistics, row.paper);
            let interval = s.and_then(|s| s.interval);
            let cell = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
            let cells = [
                row.task.clone(),
                row.arm.clone(),
                row.measure.into(),
                row.budget.to_string(),
                cell(s.map(|s| s.mean)),
                cell(s.map(|s| s.std)),
                row.tests.len().to_string(),
                cell(s.map(|s| s.worst)),
                cell(s.map(|s| s.best)),
                cell(s.map(|s| s.interquartile_mean)),
                cell(interval.map(|[low, _]| low)),
                cell(interval.map(|[_, high]| high)),
                row.best_rate.to_string(),
                cell(paper.map(|[mean, _]| mean)),
                cell(paper.map(|[_, std]| std)),
                row.runs.to_string(),
                row.diverged.to_string(),
                row.failed.to_string(),
                row.unfinished.to_string(),
            ];
            text += &(cells.join(",") + "\n");
        }
        text
    }
}

impl Row {
    fn new(run: &Run) -> Self {
        let measure = match &run.config.task {
            Task::Agent(_) => "test return",
            Task::Supervised(task) => task.measure(),
        };
        Row {
            measure,
            smaller_is_better: matches!(run.config.task, Task::Supervised(_)),
            task: run.task.clone(),
            arm: run.arm.clone(),
            budget: run.config.budget(),
            statistics: None,
            best_rate: false,
            paper: None,
            runs: 0,
            diverged: 0,
            failed: 0,
            unfinished: 0,
            tests: Vec::new(),
            config: run.config.clone(),
        }
    }

    fn add(&mut self, run: &Run, state: &State) {
        self.runs += 1;
        match state {
            State::Done(summary) => {
                self.diverged += usize::from(summary.diverged);
                let seed = run.config.seed;
                self.tests.extend(summary.outcome.figure().map(|figure| SeedFigure { seed, figure }));
            }
            State::Failed(_) => self.failed += 1,
            State::Missing | State::Unfinished => self.unfinished += 1,
        }
    }

    fn sum_up(&mut self) {
        let figures: Vec<f64> = self.tests.iter().map(|of_seed| of_seed.figure).collect();
        self.statistics = (!figures.is_empty()).then(|| {
            let over_seeds = Evaluation::of(&figures).returns;
            let (min, max) = (over_seeds.min, over_seeds.max);
            let (worst, best) = if self.smaller_is_better { (max, min) } else { (min, max) };
            Statistics {
                mean: over_seeds.mean,
                std: over_seeds.std,
                worst,
                best,
                interquartile_mean: interquartile_mean(&figures),
                interval: interval(&figures),
            }
        });
    }

    /// The mean, if every run has its say.
    fn whole_mean(&self) -> Option<f64> {
        self.statistics.filter(|_| self.tests.len() == self.runs).map(|statistics| statistics.mean)
    }

    /// Whether both learn the same by SGD, and in the same way but for the rate.
    fn differs_in_rate_only(&self, other: &Row) -> bool {
        let without_rate = |row: &Row| {
            let mut config = Config { seed: 0, ..row.config.clone() };
            config.optimizer.eta = None;
            config
        };
        self.config.optimizer.kind == OptimizerKind::Sgd && without_rate(self) == without_rate(other)
    }

    /// What the paper has for this: of SGD, for the best rate.
    fn paper(&self) -> Option<[f64; 2]> {
        let optimizer = &self.config.optimizer;
        let papers_own = match optimizer.kind {
            OptimizerKind::Sgd => self.best_rate,
            OptimizerKind::Adam => optimizer.eta == Some(1e-3),
            OptimizerKind::Alrao => (optimizer.eta_min, optimizer.eta_max) == (Some(1e-5), Some(10.0)),
        };
        let papers_unit = match &self.config.task {
            Task::Agent(task) => task.environment.reward_scale.is_none_or(|scale| scale == 1.0),
            Task::Supervised(_) => true,
        };
        let name = self.config.task.name();
        let found = PAPER.iter().find(|(task, kind, _)| *task == name && *kind == optimizer.kind);
        found.filter(|_| papers_own && papers_unit).map(|(_, _, figures)| *figures)
    }

    fn markdown(&self) -> String {
        let s = self.statistics;
        let places = if self.smaller_is_better { 3 } else { 1 };
        let digits = |x: f64| format!("{x:.places$}");
        let number = |x: Option<f64>| x.map_or("-".into(), digits);
        let pair = |pair: Option<[f64; 2]>| {
            pair.map_or("-".into(), |[mean, std]| format!("{} ± {}", digits(mean), digits(std)))
        };
        let interval = s.and_then(|s| s.interval);
        let interval = interval.map_or(String::new(), |[low, high]| format!(" [{}, {}]", digits(low), digits(high)));
        let paper = self.paper.map_or(String::new(), |[mean, std]| match self.smaller_is_better {
            true => format!("{mean:.3} ± {std:.3}"),
            false => format!("{mean:.0} ± {std:.0}"),
        });
        format!(
            "| {}{} | {} | {} of {} | {} | {} | {}{interval} | {} | {} |\n",
            self.arm,
            if self.best_rate { " *" } else { "" },
            pair(s.map(|s| [s.mean, s.std])),
            self.tests.len(),
            self.runs,
            number(s.map(|s| s.worst)),
            number(s.map(|s| s.best)),
            number(s.map(|s| s.interquartile_mean)),
            self.diverged,
            paper,
        )
    }
}

/// Whether a row has the best mean of several rates of SGD. A rate at which a run has no return can't be the best.
fn is_best_rate(rows: &[Row], index: usize) -> bool {
    let row = &rows[index];
    let rates: Vec<&Row> = rows.iter().filter(|other| row.differs_in_rate_only(other)).collect();
    let means = rates.iter().filter_map(|rate| rate.whole_mean());
    let best = if row.smaller_is_better { means.min_by(f64::total_cmp) } else { means.max_by(f64::total_cmp) };
    rates.len() > 1 && best.is_some() && row.whole_mean() == best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::directory::tests::sweep;

    /// Ends a run of a sweep, with this mean test return if it has one.
    fn end(sweep: &SweepDirectory, name: &str, test_return: Option<f64>, diverged: bool) {
        let run = sweep.runs.iter().find(|run| run.name == name).unwrap();
        sweep.prepare(run).unwrap();
        let test = test_return.map(|x| Evaluation::of(&[x]));
        let summary = serde_json::json!({
            "task": run.task, "seed": run.config.seed, "optimizer": run.config.optimizer.kind, "steps": 1, "seconds": 1.0,
            "diverged": diverged, "best": null, "test": test, "random": Evaluation::of(&[0.0]), "diagnosis": null,
        });
        std::fs::write(sweep.of(run).join("summary.json"), summary.to_string()).unwrap();
    }

    #[test]
    fn a_table_sums_up_arms_and_counts_what_has_no_return() {
        let sgd = |eta| ["optimizer.kind=sgd", eta];
        let arms = [&sgd("optimizer.eta=0.1")[..], &sgd("optimizer.eta=1")[..], &["optimizer.kind=alrao"][..]];
        let (_root, sweep) = sweep(&["pendulum", "cartpole"], &arms, 2);
        end(&sweep, "pendulum-sgd-eta=0.1-seed0", Some(-100.0), false);
        end(&sweep, "pendulum-sgd-eta=0.1-seed1", Some(-200.0), true);
        end(&sweep, "pendulum-sgd-eta=1-seed0", Some(-10.0), false);
        end(&sweep, "pendulum-sgd-eta=1-seed1", None, true);
        end(&sweep, "pendulum-alrao-seed0", Some(-150.0), false);
        let table = Table::of(&sweep).unwrap();
        let markdown = table.write(TableFormat::Markdown);
        for line in [
            "## pendulum: test return after 50000 steps",
            // A rate at which a run came to nothing is not the best, however well the others did.
            "| sgd-eta=0.1 * | -150.0 ± 70.7 | 2 of 2 | -200.0 | -100.0 | -150.0 [-200.0, -100.0] | 1 | -372 ± 24 |",
            "| sgd-eta=1 | -10.0 ± 0.0 | 1 of 2 | -10.0 | -10.0 | -10.0 | 1 |  |",
            "| alrao | -150.0 ± 0.0 | 1 of 2 | -150.0 | -150.0 | -150.0 | 0 | -371 ± 36 |",
            "pendulum, alrao: of 2 runs, 0 failed and 1 are unfinished.",
            "| sgd-eta=1 | - | 0 of 2 | - | - | - | 0 |  |",
        ] {
            assert!(markdown.lines().any(|found| found == line), "no {line} in\n{markdown}");
        }
        let csv = table.write(TableFormat::Csv);
        let columns: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(columns, [19; 7]);
        assert!(csv.contains("pendulum,sgd-eta=1,test return,50000,-10,0,1,-10,-10,-10,,,false,,,2,1,0,0"), "{csv}");
        let json: serde_json::Value = serde_json::from_str(&table.write(TableFormat::Json)).unwrap();
        assert_eq!(json[0]["tests"][1], serde_json::json!({"seed": 1, "figure": -200.0}));
    }
}
