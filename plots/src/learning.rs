//! Learning curves, for supervised models and agents: the losses of one supervised run, or training and test (or validation)
//! curves of several runs, as in the paper's Figure 2.

use plotters::style::RGBColor;
use serde::Deserialize;

use crate::PlotError;
use crate::compare::{Curve, Group, colors, group_names, grouped, if_several_seeds, points};
use crate::figure::{Figure, Layout};
use crate::files::{null_as_nan, read_metrics};
use crate::info::MethodInfo;
use crate::marks::{Mark, Point, Series};
use crate::palette::{BLUE, GREEN, SKY_BLUE, VERMILION, YELLOW};
use crate::panel::{Axis, Panel, padded, result, with_non_finite};
use crate::record::{Header, RunRecord, Source, check_one_task, read_summary};
use crate::returns::{training_curves, validation_curves};

/// The logged losses of one supervised run.
#[derive(Debug, Clone)]
pub struct LearningRecord {
    /// The run's description.
    pub header: Header,
    /// finite losses by update, each averaged over the updates since the previous one
    updates: Vec<(f64, f64)>,
    /// number of updates with a non-finite loss
    non_finite_updates: usize,
    epochs: Vec<Epoch>,
    diverged: bool,
    /// test metric of the best checkpoint
    test: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
struct Epoch {
    epoch: u64,
    step: u64,
    train: Metrics,
    validation: Metrics,
    test: Option<Metrics>,
    best: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Metrics {
    #[serde(deserialize_with = "null_as_nan")]
    loss: f64,
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
    #[serde(default)]
    diverged: bool,
    test: Option<Metrics>,
}

impl LearningRecord {
    /// Reads `run.json`, `metrics.jsonl` and, if it is there, `summary.json`.
    ///
    /// # Errors
    /// A file is missing or malformed, or the run is an agent's. A truncated last line of `metrics.jsonl` is ignored.
    pub fn read(source: &Source) -> Result<Self, PlotError> {
        let header = Header::read(source)?;
        let (measure, dir) = (header.metric.measure, &source.dir);
        if header.is_agent() {
            return Err(PlotError::NotSupervised { dir: dir.clone() });
        }
        let summary: Option<Summary> = read_summary(dir)?;
        let (mut updates, mut non_finite_updates, mut epochs) = (Vec::new(), 0, Vec::new());
        for record in read_metrics(dir)? {
            match record {
                Record::Update { step, loss } if measure.of(loss).is_finite() => {
                    updates.push((step as f64, measure.of(loss)));
                }
                Record::Update { .. } => non_finite_updates += 1,
                Record::Epoch(epoch) => epochs.push(epoch),
                _ => {}
            }
        }
        let diverged = summary.as_ref().is_some_and(|summary| summary.diverged);
        let test = summary.and_then(|summary| summary.test).map(|test| measure.of(test.loss));
        Ok(LearningRecord { header, updates, non_finite_updates, epochs, diverged, test })
    }

    /// Returns the number of epochs whose losses are not all finite.
    fn non_finite_epochs(&self) -> usize {
        let finite = |scores: &Metrics| self.header.metric.measure.of(scores.loss).is_finite();
        let sound = |epoch: &&Epoch| [&epoch.train, &epoch.validation].into_iter().chain(&epoch.test).all(finite);
        self.epochs.len() - self.epochs.iter().filter(sound).count()
    }

    /// Returns the finite losses of the epochs over `x`.
    fn losses(&self, x: impl Fn(&Epoch) -> u64, scores: impl Fn(&Epoch) -> Option<Metrics>) -> Vec<(f64, f64)> {
        let of_epoch = |epoch: &Epoch| Some((x(epoch) as f64, self.header.metric.measure.of(scores(epoch)?.loss)));
        let losses = self.epochs.iter().filter_map(of_epoch);
        losses.filter(|(_, loss)| loss.is_finite()).collect()
    }
}

/// Plots the learning curves of supervised `runs`.
///
/// One run, over updates: the training loss of updates and of epochs, the validation loss, the test loss if epochs were
/// tested, the best epoch, and its test. Several runs, over epochs: the interquartile mean of each group of seeds, of the
/// training loss on the left and of the test loss on the right (validation loss unless all runs tested their epochs).
///
/// # Errors
/// There is no run, or one without a loss to show; the runs are of different tasks.
pub fn learning(runs: &[LearningRecord]) -> Result<Figure, PlotError> {
    let first = check_one_task(runs.iter().map(|run| &run.header))?;
    if let [run] = runs {
        if run.updates.is_empty() && run.epochs.is_empty() {
            return Err(PlotError::NoLosses { dir: first.dir.clone() });
        }
        let title = format!("{}, {}, seed {}", first.task, first.method.label, first.seed);
        return Ok(Figure::one(title, Panel::new(Axis::new("updates"), Axis::new(first.metric.label()), single(run))));
    }
    let names = group_names(&runs.iter().map(|run| &run.header).collect::<Vec<_>>());
    let curves = |scores: fn(&Epoch) -> Option<Metrics>| -> Vec<Curve> {
        let curve = |(run, group): (&LearningRecord, &String)| Curve {
            group: group.clone(),
            method: run.header.method.clone(),
            seed: run.header.seed,
            diverged: run.diverged,
            points: run.losses(|epoch| epoch.epoch, scores),
            non_finite: run.non_finite_epochs(),
        };
        runs.iter().zip(&names).map(curve).collect()
    };
    let (train, validation) = (curves(|epoch| Some(epoch.train)), curves(|epoch| Some(epoch.validation)));
    if let Some((run, _)) = runs.iter().zip(&validation).find(|(run, curve)| curve.points.is_empty() && !run.diverged) {
        return Err(PlotError::NoEpochs { dir: run.header.dir.clone() });
    }
    let tested = |run: &LearningRecord| run.epochs.is_empty() || run.epochs.iter().any(|epoch| epoch.test.is_some());
    let evaluated =
        if runs.iter().all(tested) { ("test", curves(|epoch| epoch.test)) } else { ("validation", validation) };
    Ok(beside(first, "epochs", &first.metric.label(), [("training", train), evaluated]))
}

/// Plots the learning curves of agents: the interquartile mean of each group of seeds over environment steps, of the
/// training returns on the left and of the validation returns on the right.
///
/// # Errors
/// There is no run, or one without a validation; the runs are of different environments.
pub fn learning_of_agents(runs: &[RunRecord]) -> Result<Figure, PlotError> {
    let first = check_one_task(runs.iter().map(|run| &run.header))?;
    let (train, validation) = (training_curves(runs), validation_curves(runs)?);
    let y = first.metric.label() + " per episode";
    Ok(beside(first, "environment steps", &y, [("training", train), ("validation", validation)]))
}

/// Draws two titled panels with a shared legend and a shared y range.
fn beside(first: &Header, x: &str, y: &str, curves: [(&'static str, Vec<Curve>); 2]) -> Figure {
    let how = if_several_seeds(&curves[0].1, ": IQM");
    let title = format!("{}, {} runs{how}", first.task, curves[0].1.len());
    let titles = curves.each_ref().map(|(title, _)| *title);
    let groups = curves.map(|(_, curves)| grouped(curves));
    let iqms = groups.iter().flatten().map(Group::iqm).filter(|points| !points.is_empty());
    let (low, high) = robust_range(&iqms.collect::<Vec<_>>(), first.metric.larger_is_better);
    let series = |(group, color): (&Group, RGBColor)| {
        let points = group.iqm();
        let marks = marks(group.method());
        // dots would run into each other
        let marks = if points.len() > 40 { &marks[..1] } else { marks };
        let hidden = !points.is_empty() && points.iter().all(|point| !(low..=high).contains(&point.y));
        let remark = if hidden { ", outside the axis range" } else { "" };
        Series { label: Some(group.label() + remark), color, marks, points }
    };
    let panel = |title: &str, y: &str, groups: &[Group]| {
        let mut series: Vec<_> = groups.iter().zip(colors(groups)).map(series).collect();
        series.sort_by_key(|series| series.color == BLUE); // Alrao above the others
        let panel = Panel::new(Axis::new(x), Axis::new(y).within(low, high), series);
        Panel { title: Some(title.into()), ..panel }
    };
    let mut panels = vec![panel(titles[0], y, &groups[0]), panel(titles[1], "", &groups[1])];
    let labels: Vec<_> = panels[1].series.iter().map(|series| series.label.clone()).collect();
    // a curve that only one panel shows has one entry
    panels[0].series.iter_mut().zip(labels).for_each(|(series, label)| series.label = label);
    Figure { title, panels, layout: Layout::Beside }
}

/// Returns the marks of a method: thin lines of SGD's learning rates, dashes of adaptive methods, as Adam, and thick lines of
/// learning-rate ranges, as Alrao's.
fn marks(method: &MethodInfo) -> &'static [Mark] {
    match method.lr() {
        Some(_) if method.adaptive => {
            &[Mark::Dashes { width: 3.0, dash: 9.0, gap: 5.0 }, Mark::Dots { radius: 4.0, opacity: 1.0 }]
        }
        Some(_) => &[Mark::Line { width: 2.0, opacity: 1.0 }, Mark::Dots { radius: 2.6, opacity: 1.0 }],
        None => &[Mark::Line { width: 4.0, opacity: 1.0 }, Mark::Dots { radius: 4.4, opacity: 1.0 }],
    }
}

/// Returns the y range from the best value to slightly beyond most curves' initial values, so that a learning rate that
/// learns nothing or an exploding loss doesn't flatten the rest.
fn robust_range(curves: &[Vec<Point<f64>>], larger_is_better: bool) -> (f64, f64) {
    let sign = if larger_is_better { -1.0 } else { 1.0 };
    let best = curves.iter().flatten().map(|point| sign * point.y).fold(f64::INFINITY, f64::min);
    let worst = curves.iter().flatten().map(|point| sign * point.y).fold(f64::NEG_INFINITY, f64::max);
    let mut firsts: Vec<f64> = curves.iter().map(|curve| sign * curve[0].y).collect();
    firsts.sort_by(f64::total_cmp);
    let usual = firsts.get(firsts.len() / 2).map_or(worst, |middle| best + 1.8 * (middle - best));
    let (a, b) = (sign * best, sign * worst.min(usual));
    if a.is_finite() { padded((a.min(b), a.max(b))) } else { (0.0, 1.0) }
}

fn single(run: &LearningRecord) -> Vec<Series> {
    let losses = |scores: fn(&Epoch) -> Option<Metrics>| run.losses(|epoch| epoch.step, scores);
    let (train, validation, tests) =
        (losses(|epoch| Some(epoch.train)), losses(|epoch| Some(epoch.validation)), losses(|epoch| epoch.test));
    let last = run.updates.iter().chain(&validation).map(|(step, _)| *step).fold(0.0, f64::max);
    let level = |loss: f64| vec![Point::new(0.0, loss), Point::new(last, loss)];
    let best = run.epochs.iter().enumerate().rfind(|(_, epoch)| epoch.best);
    let best = best.map(|(n, epoch)| {
        (n + 1, vec![Point::new(epoch.step as f64, run.header.metric.measure.of(epoch.validation.loss))])
    });
    let name = |loss: f64| format!("test, best checkpoint: {}", result(loss, 3));
    const LINE: Mark = Mark::Line { width: 2.6, opacity: 1.0 };
    const DOTS: Mark = Mark::Dots { radius: 4.2, opacity: 1.0 };
    let lost = |points: &[(f64, f64)], all: usize, label: &str| Some(with_non_finite(label.into(), all - points.len()));
    let tested = run.epochs.iter().filter(|epoch| epoch.test.is_some()).count();
    let series: [(Option<String>, _, &'static [Mark], _); 6] = [
        (
            lost(&run.updates, run.updates.len() + run.non_finite_updates, "training, updates"),
            SKY_BLUE,
            &[Mark::Line { width: 1.3, opacity: 0.7 }],
            points(&run.updates),
        ),
        (lost(&train, run.epochs.len(), "training, epochs"), BLUE, &[LINE, DOTS], points(&train)),
        (lost(&validation, run.epochs.len(), "validation"), VERMILION, &[LINE, DOTS], points(&validation)),
        (lost(&tests, tested, "test"), GREEN, &[LINE, DOTS], points(&tests)),
        (
            run.test.map(name),
            GREEN,
            &[Mark::Dashes { width: 2.2, dash: 10.0, gap: 6.0 }],
            run.test.filter(|loss| loss.is_finite()).map(level).unwrap_or_default(),
        ),
        (
            best.as_ref().map(|(epoch, _)| format!("best checkpoint, epoch {epoch}")),
            YELLOW,
            &[Mark::Star],
            best.map(|(_, point)| point).unwrap_or_default(),
        ),
    ];
    // Series of non-finite values only are in the legend.
    let logged = |label: &Option<String>| label.as_ref().is_some_and(|label| label.contains("non-finite"));
    let shown = series.into_iter().filter(|(label, .., points)| !points.is_empty() || logged(label));
    shown.map(|(label, color, marks, points)| Series { label, color, marks, points }).collect()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;
    use std::fs;

    use super::*;
    use crate::info::tests::nats;
    use crate::info::{Measure, Metric, RunInfo};

    fn run_of(method: MethodInfo, metric: Metric, metrics: &str, summary: &str) -> Result<LearningRecord, PlotError> {
        let dir = tempfile::tempdir().unwrap();
        let info = RunInfo { task: "text".into(), seed: 3, width: 1.0, metric, method };
        fs::write(dir.path().join("run.json"), serde_json::to_string(&info).unwrap()).unwrap();
        fs::write(dir.path().join("metrics.jsonl"), metrics).unwrap();
        fs::write(dir.path().join("summary.json"), summary).unwrap();
        LearningRecord::read(&dir.path().into())
    }

    fn run(measure: Measure, metrics: &str) -> Result<LearningRecord, PlotError> {
        let metric = Metric { measure, ..nats() };
        run_of(many("Many"), metric, metrics, r#"{"test":{"loss":0.6931471805599453,"top1":0.5}}"#)
    }

    fn many(name: &str) -> MethodInfo {
        MethodInfo::new(name, [1e-5, 10.0], true, false)
    }

    fn single(name: &str, rate: f64, adaptive: bool) -> MethodInfo {
        MethodInfo::new(name, [rate, rate], false, adaptive)
    }

    const METRICS: &str = r#"{"kind":"update","epoch":1,"step":5,"loss":1.3862943611198906}
{"kind":"update","epoch":1,"step":6,"loss":null}
{"kind":"epoch","epoch":1,"step":8,"train":{"loss":1.0,"top1":0.5},"validation":{"loss":0.0,"top1":0.5},"best":true}
"#;

    /// Adds a test with a loss of 2 to the epoch.
    fn tested(metrics: &str) -> String {
        metrics.replace(",\"best\"", ",\"test\":{\"loss\":2.0,\"top1\":0.5},\"best\"")
    }

    #[test]
    fn losses_are_converted_to_the_tasks_metric() {
        let bits = run(Measure::Bits, METRICS).unwrap();
        assert_eq!((bits.updates.clone(), bits.test), (vec![(5.0, 2.0)], Some(1.0)));
        let perplexity = run(Measure::Perplexity, METRICS).unwrap();
        assert!((perplexity.updates[0].1 - 4.0).abs() < 1e-9);
        assert_eq!(perplexity.losses(|epoch| epoch.step, |epoch| Some(epoch.validation)), [(8.0, 1.0)]);
        assert_eq!(run(Measure::Nats, METRICS).unwrap().test, Some(LN_2));
        let figure = learning(&[run(Measure::Nats, METRICS).unwrap()]).unwrap();
        assert_eq!((figure.title.as_str(), &*figure.panels[0].y.label), ("text, Many, seed 3", "loss, nats per image"));
    }

    #[test]
    fn the_figure_of_one_run_has_all_series() {
        let labels = |metrics: &str| -> Vec<String> {
            super::single(&run(Measure::Nats, metrics).unwrap()).into_iter().filter_map(|series| series.label).collect()
        };
        let all = [
            "training, updates (1 non-finite)",
            "training, epochs",
            "validation",
            "test, best checkpoint: 0.693",
            "best checkpoint, epoch 1",
        ];
        assert_eq!(labels(METRICS), all);
        assert_eq!(labels(METRICS.lines().next().unwrap()), ["training, updates", all[3]]);
        assert_eq!(labels(&tested(METRICS))[2..4], ["validation", "test"]);
    }

    #[test]
    fn several_runs_have_a_training_and_a_validation_panel() {
        let of = |method, metrics: &str, summary: &str| run_of(method, nats(), metrics, summary).unwrap();
        let huge = METRICS.replace("\"loss\":1.0", "\"loss\":1e9").replace("\"loss\":0.0", "\"loss\":1e9");
        let runs = [
            of(many("Many"), METRICS, "{}"),
            of(single("Plain", 0.1, false), METRICS, "{}"),
            of(single("Plain", 10.0, false), &huge, "{}"),
            of(single("Plain", 1000.0, false), "", r#"{"diverged":true}"#),
            of(single("Moments", 0.001, true), METRICS, "{}"),
        ];
        let figure = learning(&runs).unwrap();
        let labels: Vec<&str> = figure.panels[0].series.iter().filter_map(|series| series.label.as_deref()).collect();
        assert_eq!(
            labels,
            [
                "Plain \u{3b7} = 0.1 (1 seed)",
                "Plain \u{3b7} = 10 (1 seed), outside the axis range",
                "Plain \u{3b7} = 1000 (diverged)",
                "Moments \u{3b7} = 1e\u{2212}3 (1 seed)",
                "Many (1 seed)",
            ]
        );
        let values = |panel: &Panel| -> Vec<f64> {
            panel.series.iter().flat_map(|series| &series.points).map(|point| point.y).collect()
        };
        assert_eq!(values(&figure.panels[0]), [1.0, 1e9, 1.0, 1.0]);
        assert_eq!(values(&figure.panels[1]), [0.0, 1e9, 0.0, 0.0]);
        let (low, high) = figure.panels[0].y.range.unwrap();
        assert!(low < 0.0 && (1.0..2.0).contains(&high), "{low} {high}");
    }

    #[test]
    fn several_runs_with_tested_epochs_have_a_test_panel() {
        let (untested, tested) = (run(Measure::Nats, METRICS).unwrap(), run(Measure::Nats, &tested(METRICS)).unwrap());
        let right = |runs: &[LearningRecord]| {
            let panel = learning(runs).unwrap().panels.remove(1);
            (panel.title.unwrap(), panel.series[0].points[0].y)
        };
        assert_eq!(right(&[tested.clone(), tested.clone()]), ("test".into(), 2.0));
        assert_eq!(right(&[tested, untested]), ("validation".into(), 0.0));
    }

    #[test]
    fn figures_that_cannot_be_drawn_are_errors() {
        let error = |runs: &[LearningRecord]| learning(runs).err().unwrap().to_string();
        assert!(error(&[run(Measure::Nats, "").unwrap()]).contains("no finite loss"));
        let begun = run(Measure::Nats, METRICS.lines().next().unwrap()).unwrap();
        assert!(error(&[begun.clone(), begun]).contains("no finished epoch yet"));
        let two = [run(Measure::Nats, METRICS).unwrap(), run(Measure::Perplexity, METRICS).unwrap()];
        assert!(error(&two).contains("one task"));
    }
}
