//! How a supervised run went, and the figure of it: losses by update, of one run, or of several beside each other.

use std::f64::consts::LN_2;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::PlotError;
use crate::compare::{Curve, compared, group_name, points};
use crate::figure::{Figure, Mark, Point, Series};
use crate::image::save;
use crate::palette::{BLUE, GREEN, SKY_BLUE, VERMILION, YELLOW};
use crate::record::{Optimizer, null_as_nan, read_config, read_lines, read_summary};

/// What a run directory tells about one supervised run.
#[derive(Debug, Clone)]
pub struct LearningRecord {
    /// The run directory.
    pub dir: PathBuf,
    /// The data, and the network or the symbols of text.
    pub task: String,
    /// How the network was trained.
    pub optimizer: Optimizer,
    /// The run's seed.
    pub seed: u64,
    unit: Unit,
    /// finite losses by update, each of the updates since the last
    updates: Vec<(f64, f64)>,
    epochs: Vec<Epoch>,
    /// of the best network
    test: Option<f64>,
}

/// What losses are told in.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Nats,
    BitsPerCharacter,
    Perplexity,
}

#[derive(Debug, Clone, Deserialize)]
struct Epoch {
    step: u64,
    train: Scores,
    validation: Scores,
    best: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Scores {
    #[serde(deserialize_with = "null_as_nan")]
    loss: f64,
}

#[derive(Deserialize)]
struct Config {
    seed: u64,
    data: Data,
    #[serde(default)]
    model: Model,
    optimizer: Optimizer,
}

#[derive(Deserialize)]
struct Data {
    kind: String,
    symbol: Option<String>,
}

#[derive(Default, Deserialize)]
struct Model {
    architecture: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Record {
    Update {
        step: u64,
        #[serde(deserialize_with = "null_as_nan")]
        loss: f64,
    },
    Epoch(Epoch),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Summary {
    test: Option<Scores>,
}

impl LearningRecord {
    /// Reads `config.toml`, `metrics.jsonl` and, if it is there, `summary.json` in `dir`.
    ///
    /// # Errors
    /// A file is missing or malformed. A last line of `metrics.jsonl` that a kill cut off is no error.
    pub fn read(dir: &Path) -> Result<Self, PlotError> {
        let Config { seed, data, model, optimizer } = read_config(&dir.join("config.toml"))?;
        let unit = match data.symbol.as_deref() {
            Some("character") => Unit::BitsPerCharacter,
            Some("word") => Unit::Perplexity,
            _ => Unit::Nats,
        };
        let detail = model.architecture.or(data.symbol.map(|symbol| format!("by {symbol}")));
        let summary: Option<Summary> = read_summary(&dir.join("summary.json"))?;
        let (mut updates, mut epochs) = (Vec::new(), Vec::new());
        for record in read_lines(&dir.join("metrics.jsonl"))? {
            match record {
                Record::Update { step, loss } if loss.is_finite() => updates.push((step as f64, unit.of(loss))),
                Record::Epoch(epoch) => epochs.push(epoch),
                _ => {}
            }
        }
        Ok(LearningRecord {
            dir: dir.into(),
            task: [Some(data.kind), detail].into_iter().flatten().collect::<Vec<_>>().join(", "),
            optimizer,
            seed,
            unit,
            updates,
            epochs,
            test: summary.and_then(|summary| summary.test).map(|test| unit.of(test.loss)),
        })
    }

    /// Losses at the ends of epochs, where they are finite.
    fn by_epoch(&self, scores: impl Fn(&Epoch) -> Scores) -> Vec<(f64, f64)> {
        let losses = self.epochs.iter().map(|epoch| (epoch.step as f64, self.unit.of(scores(epoch).loss)));
        losses.filter(|(_, loss)| loss.is_finite()).collect()
    }
}

impl Unit {
    /// A loss in nats a sample in this unit.
    fn of(self, loss: f64) -> f64 {
        match self {
            Unit::Nats => loss,
            Unit::BitsPerCharacter => loss / LN_2,
            Unit::Perplexity => loss.exp(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Unit::Nats => "loss, nats per image",
            Unit::BitsPerCharacter => "bits per character",
            Unit::Perplexity => "perplexity",
        }
    }
}

/// Draws the losses of `runs` over updates into `out`, an `.svg` or a `.png`.
///
/// One run: the loss while learning, of some updates at a time and of whole epochs, that on the validation data, the best
/// epoch, and the test. Several runs: the validation loss of each, or what was seen while learning if one of them has not
/// come to the end of an epoch, thin, and of each group of one optimizer and rate, thick. The file is written whole or
/// not at all.
///
/// # Errors
/// There is no run, or one without a loss to show; the runs are of different tasks; the ending of `out` is another; `out`
/// can't be written.
pub fn plot_learning(runs: &[LearningRecord], out: &Path) -> Result<(), PlotError> {
    let (first, others) = runs.split_first().ok_or(PlotError::NoRuns)?;
    if let Some(other) = others.iter().find(|run| run.task != first.task) {
        return Err(PlotError::Tasks {
            dir: first.dir.clone(),
            name: first.task.clone(),
            other_dir: other.dir.clone(),
            other_name: other.task.clone(),
        });
    }
    if let Some(run) = runs.iter().find(|run| run.updates.is_empty() && run.epochs.is_empty()) {
        return Err(PlotError::NoLosses { dir: run.dir.clone() });
    }
    let (title, series) = match others {
        [] => (format!("{}, {}, seed {}", first.task, group_name(&first.optimizer), first.seed), single(first)),
        _ => {
            let validated = runs.iter().all(|run| !run.by_epoch(|epoch| epoch.validation).is_empty());
            let what = if validated { "validation" } else { "while learning" };
            let curve = |run: &LearningRecord| Curve {
                group: group_name(&run.optimizer),
                seed: run.seed,
                points: if validated { run.by_epoch(|epoch| epoch.validation) } else { run.updates.clone() },
            };
            let curves = runs.iter().map(curve).filter(|curve| !curve.points.is_empty()).collect();
            (format!("{}, {} runs, {what}", first.task, runs.len()), compared(curves))
        }
    };
    let figure = Figure { title, x_label: "updates", y_label: first.unit.name(), series };
    save(figure.to_svg()?, out)
}

fn single(run: &LearningRecord) -> Vec<Series> {
    let (train, validation) = (run.by_epoch(|epoch| epoch.train), run.by_epoch(|epoch| epoch.validation));
    let last = run.updates.iter().chain(&validation).map(|(step, _)| *step).fold(0.0, f64::max);
    let level = |loss: f64| vec![Point::new(0.0, loss), Point::new(last, loss)];
    let best = run.epochs.iter().enumerate().rfind(|(_, epoch)| epoch.best);
    let best = best.map(|(n, epoch)| (n + 1, vec![Point::new(epoch.step as f64, run.unit.of(epoch.validation.loss))]));
    let name = |loss: f64| format!("test: {loss:.3}");
    const LINE: Mark = Mark::Line { width: 2.6, opacity: 1.0 };
    const DOTS: Mark = Mark::Dots { radius: 4.2, opacity: 1.0 };
    let test = run.test.filter(|loss| loss.is_finite());
    let series: [(Option<String>, _, &'static [Mark], _); 5] = [
        (
            Some("learning, some updates".into()),
            SKY_BLUE,
            &[Mark::Line { width: 1.3, opacity: 0.7 }],
            points(&run.updates),
        ),
        (Some("learning, epoch".into()), BLUE, &[LINE, DOTS], points(&train)),
        (Some("validation".into()), VERMILION, &[LINE, DOTS], points(&validation)),
        (test.map(name), GREEN, &[Mark::Dashes { dash: 10.0, gap: 6.0 }], test.map(level).unwrap_or_default()),
        (
            best.as_ref().map(|(epoch, _)| format!("best, epoch {epoch}")),
            YELLOW,
            &[Mark::Star],
            best.map(|(_, point)| point).unwrap_or_default(),
        ),
    ];
    let shown = series.into_iter().filter(|(.., points)| !points.is_empty());
    shown.map(|(label, color, marks, points)| Series { label, color, marks, points }).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn run(symbol: &str, metrics: &str) -> Result<LearningRecord, PlotError> {
        let dir = tempfile::tempdir().unwrap();
        let config =
            format!("seed = 3\n[data]\nkind = \"text\"\n{symbol}[model]\ngamma = 1.0\n[optimizer]\nkind = \"alrao\"\n");
        fs::write(dir.path().join("config.toml"), config).unwrap();
        fs::write(dir.path().join("metrics.jsonl"), metrics).unwrap();
        fs::write(dir.path().join("summary.json"), r#"{"test":{"loss":0.6931471805599453,"top1":0.5}}"#).unwrap();
        LearningRecord::read(dir.path())
    }

    const METRICS: &str = r#"{"kind":"update","epoch":1,"step":5,"loss":1.3862943611198906}
{"kind":"update","epoch":1,"step":6,"loss":null}
{"kind":"epoch","epoch":1,"step":8,"train":{"loss":1.0,"top1":0.5},"validation":{"loss":0.0,"top1":0.5},"best":true}
"#;

    #[test]
    fn losses_are_told_in_the_unit_of_the_task() {
        let bits = run("symbol = \"character\"\n", METRICS).unwrap();
        assert_eq!((bits.updates.clone(), bits.test), (vec![(5.0, 2.0)], Some(1.0)));
        assert_eq!((bits.task.as_str(), bits.unit.name()), ("text, by character", "bits per character"));
        let perplexity = run("symbol = \"word\"\n", METRICS).unwrap();
        assert!((perplexity.updates[0].1 - 4.0).abs() < 1e-9);
        assert_eq!(perplexity.by_epoch(|epoch| epoch.validation), [(8.0, 1.0)]);
        assert_eq!(run("", METRICS).unwrap().test, Some(LN_2));
    }

    #[test]
    fn one_run_shows_all_there_is() {
        let labels = |metrics: &str| -> Vec<String> {
            single(&run("", metrics).unwrap()).into_iter().filter_map(|series| series.label).collect()
        };
        let all = ["learning, some updates", "learning, epoch", "validation", "test: 0.693", "best, epoch 1"];
        assert_eq!(labels(METRICS), all);
        assert_eq!(labels(METRICS.lines().next().unwrap()), [all[0], all[3]]);
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("losses.svg");
        let plot = |runs: &[LearningRecord]| plot_learning(runs, &out).map_err(|error| error.to_string());
        assert!(plot(&[run("", "").unwrap()]).unwrap_err().contains("no finite loss"));
        let two = [run("", METRICS).unwrap(), run("symbol = \"word\"\n", METRICS).unwrap()];
        assert!(plot(&two).unwrap_err().contains("text, by word"));
        assert!(!out.exists());
        plot(&[two[0].clone(), two[0].clone()]).unwrap();
        assert!(fs::read_to_string(&out).unwrap().contains("2 runs, validation"));
    }
}
