//! Every figure ends, whatever numbers a run logged: infinities, NaN, huge, subnormal or equal ones, one point or none.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use alrao_plots::{
    Figure, LearningRecord, Measure, MethodInfo, Metric, PlotError, RunInfo, RunRecord, Source, heat_map, learning,
    learning_of_agents, posterior, rates, returns,
};
use proptest::prelude::*;

/// The time within which a figure of a few points is drawn, with a wide margin for a busy machine.
const ENOUGH: Duration = Duration::from_secs(60);

/// Returns what `draw` returns, and fails if it doesn't within [`ENOUGH`].
fn in_bounded_time<T: Send + 'static>(draw: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || done.send(draw()));
    ended.recv_timeout(ENOUGH).expect("a figure is drawn in bounded time and without a panic")
}

/// A number as a run may log it; JSON has `null` for NaN and infinities.
fn number() -> impl Strategy<Value = Option<f64>> {
    let named = [0.0, -0.0, 1.0, 1e308, -1e308, f64::MAX, f64::MIN, 5e-324, 1e-310, 700.0, 710.0, -1e-300];
    prop_oneof![
        2 => prop::sample::select(named.to_vec()).prop_map(Some),
        2 => any::<f64>().prop_map(|number| number.is_finite().then_some(number)),
        1 => (-10.0..10.0).prop_map(Some),
        1 => Just(None),
    ]
}

/// None, one or several numbers, also equal ones.
fn numbers() -> impl Strategy<Value = Vec<Option<f64>>> {
    prop_oneof![prop::collection::vec(number(), 0..12), (number(), 0..12usize).prop_map(|(n, times)| vec![n; times])]
}

fn json(number: Option<f64>) -> String {
    serde_json::to_string(&number).unwrap()
}

/// Writes the directory of a run with these numbers, as losses of a supervised run or returns of an agent.
fn write(dir: &Path, measure: Measure, interval: [f64; 2], seed: u64, numbers: &[Option<f64>]) -> Source {
    fs::create_dir_all(dir).unwrap();
    let metric = Metric { name: "metric".into(), unit: None, larger_is_better: measure == Measure::Return, measure };
    let method = MethodInfo::new("Alrao", interval, false, false);
    let info = RunInfo { task: "task".into(), seed, width: 1.0, metric, method };
    fs::write(dir.join("run.json"), serde_json::to_string(&info).unwrap()).unwrap();
    let at = |index: usize| json(numbers.get(index % numbers.len().max(1)).copied().flatten());
    let mut metrics = String::from("{\"kind\":\"other\"}\n"); // a finished run has a log
    for i in 0..numbers.len() {
        let (a, b, step) = (at(i), at(i + 1), 100 * i);
        metrics += &match measure {
            Measure::Return => format!(
                "{{\"kind\":\"episode\",\"step\":{step},\"return\":{a}}}\n\
                 {{\"kind\":\"validation\",\"step\":{step},\"episodes\":3,\"return\":{{\"mean\":{a},\"std\":{b}}},\
                 \"best\":true}}\n"
            ),
            _ => format!(
                "{{\"kind\":\"epoch\",\"epoch\":{i},\"step\":{step},\"train\":{{\"loss\":{a}}},\
                 \"validation\":{{\"loss\":{b}}},\"test\":{{\"loss\":{a}}},\"best\":true}}\n"
            ),
        };
        metrics += &format!("{{\"kind\":\"update\",\"step\":{step},\"loss\":{a},\"posterior\":[{a},{b}]}}\n");
    }
    fs::write(dir.join("metrics.jsonl"), metrics).unwrap();
    let trial = format!("{{\"episodes\":3,\"return\":{{\"mean\":{},\"std\":{}}}}}", at(0), at(1));
    let test = if measure == Measure::Return { trial.clone() } else { format!("{{\"loss\":{}}}", at(0)) };
    let summary = format!("{{\"best\":{{\"step\":0}},\"test\":{test},\"random_policy\":{trial}}}");
    fs::write(dir.join("summary.json"), summary).unwrap();
    let positive = |shift: usize| {
        let size = |i: usize| numbers[(i + shift) % numbers.len()].map_or("1".into(), |n| json(Some(n.abs())));
        (0..numbers.len()).map(size).collect::<Vec<_>>().join(",")
    };
    let units = format!(
        "{{\"layers\":[{{\"lr\":[{}],\"initial_rms\":[{}],\"change_rms\":[{}]}}]}}",
        positive(0),
        positive(1),
        positive(2)
    );
    fs::write(dir.join("units.json"), units).unwrap();
    Source::from(dir)
}

/// Draws every figure of these numbers for files and for pages; figures that lack data are refused.
fn draw_all(numbers: &[Vec<Option<f64>>]) {
    let root = tempfile::tempdir().unwrap();
    let drawn = |figure: Result<Figure, PlotError>| {
        if let Ok(figure) = figure {
            figure.save(&root.path().join("figure.svg")).unwrap();
            let page = figure.embed().unwrap();
            let texts = fs::read_to_string(root.path().join("figure.svg")).unwrap();
            let texts = texts.split("</text>").filter_map(|text| text.split("<text").nth(1)?.split('>').nth(1));
            texts.for_each(|text| assert!(text.trim().len() < 100, "{text}"));
            serde_json::from_str::<serde_json::Value>(&page.data).unwrap();
        }
    };
    for measure in [Measure::Return, Measure::Nats, Measure::Perplexity] {
        let interval = |i: usize| [1e-5, [10.0, 1e308, 1.0][i % 3]];
        let sources: Vec<Source> = (0..numbers.len())
            .map(|i| write(&root.path().join(format!("{measure:?}{i}")), measure, interval(i), i as u64, &numbers[i]))
            .collect();
        drawn(posterior(&sources[0]));
        drawn(rates(&sources[0]));
        drawn(heat_map(&sources));
        for some in [&sources[..1], &sources[..]] {
            if measure == Measure::Return {
                let runs: Vec<_> = some.iter().map(|source| RunRecord::read(source).unwrap()).collect();
                drawn(returns(&runs));
                drawn(learning_of_agents(&runs));
            } else {
                let runs: Vec<_> = some.iter().map(|source| LearningRecord::read(source).unwrap()).collect();
                drawn(learning(&runs));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_figure_of_any_numbers_is_drawn_in_bounded_time(numbers in prop::collection::vec(numbers(), 3)) {
        in_bounded_time(move || draw_all(&numbers));
    }
}

#[test]
fn a_perplexity_that_overflows_is_marked_in_the_legend() {
    let root = tempfile::tempdir().unwrap();
    let losses = [Some(5.0), Some(800.0), Some(1000.0), Some(4.0), None];
    let source = write(root.path(), Measure::Perplexity, [1e-5, 10.0], 0, &losses);
    let figure = root.path().join("figure.svg");
    let file = figure.clone();
    in_bounded_time(move || learning(&[LearningRecord::read(&source).unwrap()]).unwrap().save(&file).unwrap());
    let svg = fs::read_to_string(&figure).unwrap();
    assert!(svg.contains("training, updates (3 non-finite)"), "{svg}");
}
