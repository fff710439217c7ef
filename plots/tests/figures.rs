//! Figures of sample run directories, written to `tmp/figures` in the target directory for inspection.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use alrao_plots::{
    Figure, Measure, MethodInfo, Metric, PlotError, RunInfo, RunRecord, Source, heat_map, learning_of_agents,
    posterior, rates, returns,
};

/// A synthetic run on Pendulum with 250 episodes of 200 steps.
struct Sample {
    environment: &'static str,
    method: Method,
    seed: u64,
    /// The final return.
    level: f64,
    /// The episode of the steepest progress.
    midpoint: f64,
}

/// Name, learning rates, whether they are the default, whether the method is adaptive.
type Method = (&'static str, [f64; 2], bool, bool);

const USUAL: Method = ("Alrao", [1e-5, 10.0], true, false);

const ALRAO: Sample = Sample { environment: "pendulum", method: USUAL, seed: 0, level: -150.0, midpoint: 70.0 };

fn many(low: f64, high: f64) -> Method {
    ("Alrao", [low, high], false, false)
}

fn sgd(rate: f64) -> Method {
    ("SGD", [rate, rate], false, false)
}

fn adam(rate: f64) -> Method {
    ("Adam", [rate, rate], false, true)
}

/// Returns the `run.json` of an agent's run, or of an image classifier's for the task `cifar10`.
fn info(task: &str, (name, rates, usual, adaptive): Method, seed: u64, width: f64) -> String {
    let metric = match task {
        "cifar10" => Metric {
            name: "loss".into(),
            unit: Some("nats per image".into()),
            larger_is_better: false,
            measure: Measure::Nats,
        },
        _ => Metric { name: "return".into(), unit: None, larger_is_better: true, measure: Measure::Return },
    };
    let method = MethodInfo::new(name, rates, usual, adaptive);
    serde_json::to_string(&RunInfo { task: task.into(), seed, width, metric, method }).unwrap()
}

impl Sample {
    fn noise(&self, index: u64) -> f64 {
        let hashed = ((index * 7919 + self.seed * 104_729 + 17) as f64 * 12.9898).sin() * 43_758.545;
        2.0 * (hashed - hashed.floor()) - 1.0
    }

    fn mean(&self, episode: u64) -> f64 {
        let remaining = 1.0 / (1.0 + ((episode as f64 - self.midpoint) / 14.0).exp());
        self.level + (-1250.0 - self.level) * remaining
    }

    fn write(&self, root: &Path) -> PathBuf {
        let dir = root.join(format!("{}-{}", self.environment, self.seed));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("run.json"), info(self.environment, self.method, self.seed, 1.0)).unwrap();

        let (mut metrics, mut best) = (String::new(), (f64::NEG_INFINITY, 0));
        for episode in 1..=250 {
            let (step, mean) = (episode * 200, self.mean(episode));
            let value = (mean + self.noise(episode) * (90.0 - 0.25 * mean)).min(-1.0);
            writeln!(
                metrics,
                r#"{{"kind":"episode","step":{step},"episode":{episode},"return":{value},"length":200}}"#
            )
            .unwrap();
            if step % 2500 == 0 {
                let (mean, std) = (mean + 40.0 + 45.0 * self.noise(1000 + step), 60.0 - 0.08 * mean);
                let is_best = mean > best.0;
                if is_best {
                    best = (mean, step);
                }
                writeln!(metrics, r#"{{"kind":"validation","step":{step},"episodes":10,"return":{{"mean":{mean},"std":{std}}},"best":{is_best}}}"#)
                    .unwrap();
            }
        }
        fs::write(dir.join("metrics.jsonl"), metrics).unwrap();
        let summary = format!(
            r#"{{"seed":{},"best":{{"step":{}}},"test":{{"episodes":100,"return":{{"mean":{},"std":80}}}},"random_policy":{{"episodes":100,"return":{{"mean":-1213.4,"std":300}}}}}}"#,
            self.seed,
            best.1,
            self.level + 11.83
        );
        fs::write(dir.join("summary.json"), summary).unwrap();
        dir
    }
}

fn read(samples: &[Sample]) -> Vec<RunRecord> {
    let root = tempfile::tempdir().unwrap();
    samples.iter().map(|sample| RunRecord::read(&sample.write(root.path()).as_path().into()).unwrap()).collect()
}

fn comparison_runs() -> Vec<RunRecord> {
    let of = |seed, method, level, midpoint| Sample { seed, method, level, midpoint, ..ALRAO };
    let mut samples = vec![ALRAO];
    for seed in 1..3 {
        samples.push(of(seed, USUAL, -155.0 - 10.0 * seed as f64, 60.0 + 12.0 * seed as f64));
    }
    for seed in 3..6 {
        samples.push(of(seed, sgd(0.1), -330.0 + 20.0 * seed as f64, 60.0 + 14.0 * seed as f64));
    }
    for seed in 6..9 {
        samples.push(of(seed, adam(1e-4), -500.0 + 40.0 * seed as f64, 20.0 + 8.0 * seed as f64));
    }
    read(&samples)
}

/// Plots returns to a file and returns its bytes.
fn draw(runs: &[RunRecord], name: &str) -> Vec<u8> {
    save(&returns(runs).unwrap(), name)
}

fn save(figure: &Figure, name: &str) -> Vec<u8> {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("figures").join(name);
    figure.save(&out).unwrap();
    fs::read(out).unwrap()
}

/// Creates a run directory with this `run.json`, these metrics and this summary.
fn made(root: &Path, name: &str, info: &str, metrics: &str, summary: &str) -> Source {
    let dir = root.join(name);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("run.json"), info).unwrap();
    fs::write(dir.join("metrics.jsonl"), metrics).unwrap();
    fs::write(dir.join("summary.json"), summary).unwrap();
    dir.as_path().into()
}

fn texts(svg: &[u8]) -> Vec<&str> {
    let svg = str::from_utf8(svg).unwrap();
    svg.split("<text").skip(1).map(|text| text.split(['>', '<']).nth(1).unwrap().trim()).collect()
}

#[test]
fn the_figure_of_one_run_has_all_labels() {
    let svg = draw(&read(&[ALRAO]), "one.svg");
    assert!(svg.starts_with(br#"<svg width="960" height="635""#), "drawn fine, shown at its size");
    let texts = texts(&svg);
    for expected in [
        "pendulum, Alrao, seed 0",
        "environment steps",
        "return per episode",
        "10k",
        "\u{2212}500",
        "training episode",
        "moving average (25 episodes)",
        "validation, mean \u{b1} std",
        "test: \u{2212}138.2 (100 episodes)",
        "random policy: \u{2212}1213.4 (100 episodes)",
    ] {
        assert!(texts.contains(&expected), "{expected:?} is missing in {texts:?}");
    }
}

#[test]
fn an_outlier_is_outside_the_axis_range_and_mentioned() {
    let mut runs = read(&[ALRAO]);
    runs[0].episodes[100].value = -20_000.0;
    let svg = draw(&runs, "crash.svg");
    let texts = texts(&svg);
    assert!(texts.contains(&"training episode (1 outside the axis range)"), "{texts:?}");
    assert!(texts.contains(&"\u{2212}500"), "the scale stays: {texts:?}");
}

#[test]
fn several_runs_are_grouped_by_method() {
    let svg = draw(&comparison_runs(), "several.svg");
    let texts = texts(&svg);
    let adam = "Adam \u{3b7} = 1e\u{2212}4 (3 seeds)";
    for expected in ["pendulum, 9 runs: IQM, 95 % bootstrap CI", "Alrao (3 seeds)", "SGD \u{3b7} = 0.1 (3 seeds)", adam]
    {
        assert!(texts.contains(&expected), "{expected:?} is missing in {texts:?}");
    }
    // Nine thin lines and three thick ones.
    assert_eq!(str::from_utf8(&svg).unwrap().matches("opacity=\"0.5\"").count(), 9);
}

#[test]
fn two_runs_with_one_seed_count_as_one_seed() {
    assert!(texts(&draw(&read(&[ALRAO, ALRAO]), "twice.svg")).contains(&"Alrao (1 seed)"));
}

#[test]
fn learning_curves_of_agents_have_a_training_and_a_validation_panel() {
    let svg = save(&learning_of_agents(&comparison_runs()).unwrap(), "learning.svg");
    let texts = texts(&svg);
    for expected in ["training", "validation", "Alrao (3 seeds)", "SGD \u{3b7} = 0.1 (3 seeds)"] {
        assert!(texts.contains(&expected), "{expected:?} is missing in {texts:?}");
    }
}

#[test]
fn head_weights_are_stacked_and_continue_after_pruning() {
    let root = tempfile::tempdir().unwrap();
    let info = info("cifar10", many(1e-4, 1.0), 1, 1.0);
    let line = |step: u64, weights: &str| {
        format!("{{\"kind\":\"update\",\"step\":{step},\"loss\":1,\"posterior\":[{weights}]}}\n")
    };
    let metrics = line(100, "0.2,0.3,0.5") + &line(200, "0.0,0.9,0.1") + &line(300, "null,1,0") + &line(400, "1");
    let source = made(root.path(), "run", &info, &metrics, "{}");
    let svg = save(&posterior(&source).unwrap(), "posterior.svg");
    let texts = texts(&svg);
    for expected in ["1e\u{2212}4", "0.01", "1", "head weight", "updates"] {
        assert!(texts.contains(&expected), "{expected:?} is missing in {texts:?}");
    }
    // the second of three areas, with all the weight at the end
    let page = posterior(&source).unwrap().embed().unwrap();
    let data: serde_json::Value = serde_json::from_str(&page.data).unwrap();
    assert_eq!(data[0]["series"][1]["points"], serde_json::json!([[100.0, 0.3], [200.0, 0.9], [400.0, 1.0]]));

    let lone = made(root.path(), "lone", &info, &line(100, "1"), "{}");
    assert!(posterior(&lone).err().unwrap().to_string().contains("one head"));
}

#[test]
fn the_figure_of_units_has_a_histogram_and_weight_changes() {
    let root = tempfile::tempdir().unwrap();
    let source = made(root.path(), "run", &info("pendulum", USUAL, 1, 1.0), "", "{}");
    assert!(rates(&source).err().unwrap().to_string().contains("units.json"));
    let units = r#"{"layers":[
        {"layer":"layer0","lr":[1e-5,0.1,9.9],"initial_rms":[0.5,0.5,0.5],"final_rms":[0.5,1,null],"change_rms":[5e-6,0.5,null]},
        {"layer":"layer1","lr":[0.1,0.1],"initial_rms":[2,2],"final_rms":[2,2],"change_rms":[0,20]}]}"#;
    fs::write(source.dir.join("units.json"), units).unwrap();
    let figure = rates(&source).unwrap();
    let svg = save(&figure, "rates.svg");
    let texts = texts(&svg);
    for expected in ["layer 1 (3 units)", "layer 2 (2 units)", "1 unit non-finite", "1 unit unchanged", "units"] {
        assert!(texts.contains(&expected), "{expected:?} is missing in {texts:?}");
    }
    let data: serde_json::Value = serde_json::from_str(&figure.embed().unwrap().data).unwrap();
    // logarithms of the relative changes 1e-5, 1 and 10
    assert_eq!(data[1]["series"][0]["points"], serde_json::json!([[-5.0, -5.0], [-1.0, 0.0]]));
    assert_eq!(data[1]["series"][1]["points"], serde_json::json!([[-1.0, 1.0]]));
    fs::write(source.dir.join("units.json"), "{").unwrap();
    assert!(rates(&source).err().unwrap().to_string().contains("units.json"));
}

/// Creates a run of an image classifier with this test loss, or a diverged run.
fn finished(root: &Path, method: Method, width: f64, seed: u64, loss: Option<f64>) -> Source {
    let summary = match loss {
        Some(loss) => format!(r#"{{"diverged":false,"test":{{"loss":{loss},"top1":0.5}}}}"#),
        None => r#"{"diverged":true,"test":null}"#.into(),
    };
    let (name, [low, high], ..) = method;
    made(root, &format!("{name}-{low}-{high}-{width}-{seed}"), &info("cifar10", method, seed, width), "", &summary)
}

#[test]
fn a_heat_map_has_ranges_below_the_diagonal_and_sgd_on_it() {
    let root = tempfile::tempdir().unwrap();
    let run = |method, width, seed, loss| finished(root.path(), method, width, seed, loss);
    let mut runs = vec![
        run(many(1e-5, 0.1), 1.0, 0, Some(1.25)),
        run(many(1e-5, 0.1), 1.0, 1, Some(1.35)),
        run(many(1e-5, 10.0), 1.0, 0, Some(1.5)),
        run(many(1e-5, 10.0), 1.0, 1, None),
        run(many(0.1, 10.0), 1.0, 0, Some(2.0)),
        run(sgd(1e-5), 1.0, 0, Some(2.3)),
        run(sgd(0.1), 1.0, 0, Some(1.2)),
        run(sgd(10.0), 1.0, 0, None),
        run(adam(1e-3), 1.0, 0, Some(1.0)),
    ];
    let svg = save(&heat_map(&runs).unwrap(), "heatmap.svg");
    let texts = texts(&svg);
    for expected in [
        "cifar10: test loss, nats per image, 2 seeds",
        "1.30",
        "1.50",
        "2.00",
        "2.30",
        "1.20",
        "\u{3b7} min",
        "\u{3b7} max; SGD: \u{3b7}",
    ] {
        assert!(texts.contains(&expected), "{expected:?} is missing in {texts:?}");
    }
    assert!(texts.contains(&"diverged (corner: some seeds)"), "{texts:?}");
    // the legend entry, SGD at 10, and a corner of Alrao's cell
    assert_eq!(str::from_utf8(&svg).unwrap().matches("#A0A0A0").count(), 3);

    runs.push(run(many(1e-5, 0.1), 4.0, 0, Some(1.1)));
    let svg = save(&heat_map(&runs).unwrap(), "heatmap-width.svg");
    let texts = self::texts(&svg);
    for expected in [
        "by learning rate, SGD on the diagonal",
        "Alrao, by range and width",
        "width factor",
        "4",
        "1e\u{2212}5..0.1",
        "1.10",
    ] {
        assert!(texts.contains(&expected), "{expected:?} is missing in {texts:?}");
    }
}

#[test]
fn a_heat_map_needs_several_ranges_and_finished_runs_of_one_task() {
    let root = tempfile::tempdir().unwrap();
    let error = |runs: &[Source]| heat_map(runs).err().unwrap().to_string();
    let one = finished(root.path(), many(1e-5, 1.0), 1.0, 0, Some(1.0));
    assert!(error(std::slice::from_ref(&one)).contains("the number here is 1"));
    let agent = ALRAO.write(root.path());
    assert!(error(&[one.clone(), agent.as_path().into()]).contains("one task"));
    fs::remove_file(one.dir.join("summary.json")).unwrap();
    assert!(error(&[one]).contains("unfinished"));
}

#[test]
fn the_extension_selects_png() {
    assert!(draw(&read(&[ALRAO]), "one.PNG").starts_with(b"\x89PNG\r\n\x1a\n"));
}

#[test]
fn a_run_with_one_episode_can_be_plotted() {
    let mut runs = read(&[ALRAO]);
    runs[0].episodes.truncate(1);
    runs[0].validations.clear();
    runs[0].summary = None;
    runs[0].episodes[0].value = -1362.47;
    let svg = draw(&runs, "begun.svg");
    let texts = texts(&svg);
    assert!(texts.contains(&"moving average (5 episodes)"), "{texts:?}");
    assert!(texts.iter().all(|text| !text.contains("1362.")), "too many digits in {texts:?}");
}

#[test]
fn runs_without_a_shared_range_are_plotted_without_iqm() {
    let mut runs = read(&[ALRAO, ALRAO]);
    runs[0].validations.truncate(1);
    runs[1].validations.drain(..2);
    let svg = String::from_utf8(draw(&runs, "apart.svg")).unwrap();
    assert_eq!(svg.matches("opacity=\"0.5\"").count(), 2);
}

#[test]
fn figures_that_cannot_be_drawn_are_errors_and_write_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("figure.svg");
    let error_of = |runs: &[RunRecord], out: &Path| returns(runs).and_then(|figure| figure.save(out)).unwrap_err();

    let mixed = read(&[ALRAO, Sample { environment: "lunar-lander", ..ALRAO }]);
    let error = error_of(&mixed, &out).to_string();
    assert!(error.contains("pendulum") && error.contains("lunar-lander"), "{error}");

    let mut begun = read(&[ALRAO, Sample { seed: 1, ..ALRAO }]);
    begun[1].validations.clear();
    let error = error_of(&begun, &out).to_string();
    assert!(error.contains("pendulum-1 has no validation yet"), "{error}");
    begun[1].episodes.clear();
    let error = error_of(&begun[1..], &out).to_string();
    assert!(error.contains("pendulum-1 has no finished episode"), "{error}");

    assert!(matches!(error_of(&[], &out), PlotError::NoRuns));

    let error = error_of(&read(&[ALRAO]), &dir.path().join("figure.pdf")).to_string();
    assert!(error.contains("figure.pdf") && error.contains(".svg") && error.contains(".png"), "{error}");

    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
