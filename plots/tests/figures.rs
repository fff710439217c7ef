//! Whole figures from sample run directories; what is drawn stays in the target directory's `tmp/figures`, to look at.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use alrao_plots::{PlotError, RunRecord, plot_returns};

/// A run of 250 episodes of 200 steps that learns Pendulum, more or less well.
struct Sample {
    environment: &'static str,
    optimizer: &'static str,
    seed: u64,
    /// The return it arrives at.
    level: f64,
    /// The episode by which most is learnt.
    learnt: f64,
}

const ALRAO: Sample =
    Sample { environment: "pendulum", optimizer: "kind = \"alrao\"", seed: 0, level: -150.0, learnt: 70.0 };

impl Sample {
    fn noise(&self, index: u64) -> f64 {
        let hashed = ((index * 7919 + self.seed * 104_729 + 17) as f64 * 12.9898).sin() * 43_758.545;
        2.0 * (hashed - hashed.floor()) - 1.0
    }

    fn mean(&self, episode: u64) -> f64 {
        let learning = 1.0 / (1.0 + ((episode as f64 - self.learnt) / 14.0).exp());
        self.level + (-1250.0 - self.level) * learning
    }

    fn write(&self, root: &Path) -> PathBuf {
        let dir = root.join(format!("{}-{}", self.environment, self.seed));
        fs::create_dir_all(&dir).unwrap();
        let config = format!(
            "seed = {}\n[environment]\nname = \"{}\"\n[optimizer]\n{}\n",
            self.seed, self.environment, self.optimizer
        );
        fs::write(dir.join("config.toml"), config).unwrap();

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
            r#"{{"seed":{},"best":{{"step":{}}},"test":{{"episodes":100,"return":{{"mean":{},"std":80}}}},"random":{{"episodes":100,"return":{{"mean":-1213.4,"std":300}}}}}}"#,
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
    samples.iter().map(|sample| RunRecord::read(&sample.write(root.path())).unwrap()).collect()
}

fn compared() -> Vec<RunRecord> {
    let of = |seed, optimizer, level, learnt| Sample { seed, optimizer, level, learnt, ..ALRAO };
    let mut samples = vec![ALRAO];
    for seed in 1..3 {
        samples.push(of(seed, ALRAO.optimizer, -155.0 - 10.0 * seed as f64, 60.0 + 12.0 * seed as f64));
    }
    for seed in 3..6 {
        samples.push(of(seed, "kind = \"sgd\"\neta = 0.1", -330.0 + 20.0 * seed as f64, 60.0 + 14.0 * seed as f64));
    }
    for seed in 6..9 {
        samples.push(of(seed, "kind = \"adam\"\neta = 0.0001", -500.0 + 40.0 * seed as f64, 20.0 + 8.0 * seed as f64));
    }
    read(&samples)
}

/// Draws into the target directory and gives what was written.
fn draw(runs: &[RunRecord], name: &str) -> Vec<u8> {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("figures").join(name);
    plot_returns(runs, &out).unwrap();
    fs::read(out).unwrap()
}

fn texts(svg: &[u8]) -> Vec<&str> {
    let svg = str::from_utf8(svg).unwrap();
    svg.split("<text").skip(1).map(|text| text.split(['>', '<']).nth(1).unwrap().trim()).collect()
}

#[test]
fn one_run_as_svg_says_all_about_it() {
    let svg = draw(&read(&[ALRAO]), "one.svg");
    assert!(svg.starts_with(br#"<svg width="960" height="600""#), "drawn fine, shown at its size");
    let texts = texts(&svg);
    for expected in [
        "pendulum, alrao, seed 0",
        "environment steps",
        "return per episode",
        "10k",
        "\u{2212}500",
        "training episode",
        "mean of last 25 episodes",
        "validation, mean \u{b1} std",
        "test: \u{2212}138.2 (100 episodes)",
        "random policy: \u{2212}1213.4 (100 episodes)",
    ] {
        assert!(texts.contains(&expected), "{expected:?} is missing in {texts:?}");
    }
}

#[test]
fn a_rare_crash_is_left_off_the_scale_and_told() {
    let mut runs = read(&[ALRAO]);
    runs[0].episodes[100].value = -20_000.0;
    let svg = draw(&runs, "crash.svg");
    let texts = texts(&svg);
    assert!(texts.contains(&"training episode (1 off the scale)"), "{texts:?}");
    assert!(texts.contains(&"\u{2212}500"), "the scale stays: {texts:?}");
}

#[test]
fn several_runs_as_svg_are_compared_by_group() {
    let svg = draw(&compared(), "several.svg");
    let texts = texts(&svg);
    let adam = "adam \u{3b7} = 1e\u{2212}4 (3 seeds)";
    for expected in ["pendulum, 9 runs", "alrao (3 seeds)", "sgd \u{3b7} = 0.1 (3 seeds)", adam] {
        assert!(texts.contains(&expected), "{expected:?} is missing in {texts:?}");
    }
    // Nine thin lines and three thick ones.
    assert_eq!(str::from_utf8(&svg).unwrap().matches("opacity=\"0.5\"").count(), 9);
}

#[test]
fn one_seed_run_twice_counts_once() {
    assert!(texts(&draw(&read(&[ALRAO, ALRAO]), "twice.svg")).contains(&"alrao (1 seed)"));
}

#[test]
fn png_is_written_by_its_ending() {
    assert!(draw(&read(&[ALRAO]), "one.PNG").starts_with(b"\x89PNG\r\n\x1a\n"));
}

#[test]
fn a_run_that_has_just_begun_is_drawn() {
    let mut runs = read(&[ALRAO]);
    runs[0].episodes.truncate(1);
    runs[0].validations.clear();
    runs[0].summary = None;
    runs[0].episodes[0].value = -1362.47;
    let svg = draw(&runs, "begun.svg");
    let texts = texts(&svg);
    assert!(texts.contains(&"mean of last 5 episodes"), "{texts:?}");
    assert!(texts.iter().all(|text| !text.contains("1362.")), "too many digits in {texts:?}");
}

#[test]
fn runs_that_share_no_stretch_are_drawn_without_their_mean() {
    let mut runs = read(&[ALRAO, ALRAO]);
    runs[0].validations.truncate(1);
    runs[1].validations.drain(..2);
    let svg = String::from_utf8(draw(&runs, "apart.svg")).unwrap();
    assert_eq!(svg.matches("opacity=\"0.5\"").count(), 2);
}

#[test]
fn what_cannot_be_drawn_is_refused_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("figure.svg");
    let refused = |runs: &[RunRecord], out: &Path| plot_returns(runs, out).unwrap_err();

    let mixed = read(&[ALRAO, Sample { environment: "lunar-lander", ..ALRAO }]);
    let error = refused(&mixed, &out).to_string();
    assert!(error.contains("pendulum") && error.contains("lunar-lander"), "{error}");

    let mut begun = read(&[ALRAO, Sample { seed: 1, ..ALRAO }]);
    begun[1].validations.clear();
    let error = refused(&begun, &out).to_string();
    assert!(error.contains("pendulum-1 has no validation yet"), "{error}");
    begun[1].episodes.clear();
    let error = refused(&begun[1..], &out).to_string();
    assert!(error.contains("pendulum-1 has no finished episode"), "{error}");

    assert!(matches!(refused(&[], &out), PlotError::NoRuns));

    let error = refused(&read(&[ALRAO]), &dir.path().join("figure.pdf")).to_string();
    assert!(error.contains("figure.pdf") && error.contains(".svg") && error.contains(".png"), "{error}");

    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
