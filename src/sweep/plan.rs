//! A sweep file: tasks, variants and seeds, and the runs that they expand to.
//!
//! ```toml
//! seeds = "0-4"
//!
//! [[task]]
//! config = "pendulum"               # a built-in configuration or a file; without it, the task is one itself
//! schedule.steps = 20_000           # any field of it
//!
//! [[variant]]
//! optimizer.kind = "sgd"
//! optimizer.lr = [1e-3, 1e-2, 0.1] # a list defines a grid
//!
//! [[variant]]
//! optimizer.kind = "alrao"
//! ```
//!
//! A run's name consists of its task, its variant with the values from lists, and its seed, so it doesn't depend on the rest
//! of the file.

use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;

use alrao_core::path::{self, Shown};
use alrao_envs::GYMNASIUM_PREFIX;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use crate::catalog::Catalog;
use crate::config::{self, Config};
use crate::run_directory::plain;
use crate::usage_error::UsageError;

/// The built-in sweeps, by name.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sweeps.rs"));

/// The maximum number of runs of a sweep: more are a mistake.
const MOST_RUNS: usize = 10_000;

/// One run of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The run directory's name.
    pub name: String,
    /// The name of the task.
    pub task: String,
    /// The name of the variant.
    pub variant: String,
    /// The complete configuration.
    pub config: Config,
}

/// The seeds of a sweep, each once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Seeds(Vec<u64>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SweepFile {
    seeds: Option<Seeds>,
    task: Vec<Block>,
    #[serde(default = "one_plain_variant")]
    variant: Vec<Block>,
}

/// A `[[task]]` or a `[[variant]]`.
#[derive(Default, Deserialize)]
struct Block {
    name: Option<String>,
    config: Option<String>,
    #[serde(flatten)]
    settings: Table,
}

fn one_plain_variant() -> Vec<Block> {
    vec![Block::default()]
}

/// One field that a block sets.
#[derive(Clone)]
struct Setting {
    /// The place in the file.
    place: Place,
    /// The field's path, with its sections.
    key: String,
    value: Value,
    /// Whether the value is from a list.
    varies: bool,
}

/// A field of a block of a sweep file.
#[derive(Clone)]
struct Place {
    block: &'static str,
    index: usize,
    path: Vec<String>,
}

/// Reads the runs of the sweep file or built-in sweep `source`, with `sets` (`KEY=VALUE`) applied to each and `seeds`
/// instead of the file's. Every configuration is completed with `complete`.
///
/// # Errors
/// [`UsageError`] or a setting's error, naming the file with the line and the field or the run; also if there are no
/// runs, too many, or duplicates.
pub fn read(
    source: impl AsRef<Path>,
    sets: &[String],
    seeds: Option<&Seeds>,
    catalog: &Catalog,
    complete: impl Fn(Config) -> Result<Config>,
) -> Result<Vec<Run>> {
    let source = source.as_ref();
    let text = match BUILT_IN.iter().find(|(name, _)| source == Path::new(name)) {
        Some((_, text)) => text.to_string(),
        None => read_file(source)?,
    };
    let wrong = |error| UsageError(config::explain(&error));
    let file: SweepFile = toml::from_str(&text).map_err(wrong).with_context(|| source.shown())?;
    let folder = source.parent().unwrap_or(Path::new(""));
    let Some(seeds) = seeds.or(file.seeds.as_ref()) else {
        let problem = "has no `seeds`; add a line as in seeds = \"0-4\" at its top, or give --seeds 0-4";
        return Err(UsageError(format!("{}: {problem}", source.shown())).into());
    };
    Sweep { text: &text, folder, sets, seeds, catalog, complete: &complete }.runs(&file).with_context(|| source.shown())
}

fn read_file(source: &Path) -> Result<String> {
    if !source.exists() {
        let names = BUILT_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let problem = format!("no such file or built-in sweep; built in: {names}");
        return Err(UsageError(format!("{}: {problem}", source.shown())).into());
    }
    config::read_text(source)
}

/// Everything except the blocks of a sweep file that determines its runs.
struct Sweep<'a> {
    text: &'a str,
    folder: &'a Path,
    sets: &'a [String],
    seeds: &'a Seeds,
    catalog: &'a Catalog,
    complete: &'a dyn Fn(Config) -> Result<Config>,
}

impl Sweep<'_> {
    fn runs(&self, file: &SweepFile) -> Result<Vec<Run>> {
        let combinations = |kind, blocks: &[Block]| -> Result<Vec<Vec<Vec<Setting>>>> {
            blocks.iter().enumerate().map(|(index, block)| self.combinations(kind, index, block)).collect()
        };
        let (tasks, variants) = (combinations("task", &file.task)?, combinations("variant", &file.variant)?);
        let count = |combinations: &[Vec<Vec<Setting>>]| combinations.iter().map(Vec::len).sum::<usize>();
        let (task_count, variant_count, seed_count) = (count(&tasks), count(&variants), self.seeds.0.len());
        let total = task_count.saturating_mul(variant_count).saturating_mul(seed_count);
        let what_to_do = match total {
            0 => "give seeds at least one value",
            1..=MOST_RUNS => "",
            _ => "remove values from lists, or split the sweep",
        };
        if !what_to_do.is_empty() {
            let product = format!("{task_count} tasks x {variant_count} variants x {seed_count} seeds");
            let problem = format!("expands to {total} runs, {product}; must be from 1 to {MOST_RUNS}: {what_to_do}");
            return Err(UsageError(problem).into());
        }
        let mut runs = Vec::new();
        for (task_block, task_combinations) in file.task.iter().zip(&tasks) {
            let base = self.base(task_block)?;
            for task in task_combinations {
                for (variant_block, variant_combinations) in file.variant.iter().zip(&variants) {
                    for variant in variant_combinations {
                        let config = self.configure(base.as_ref(), task, variant)?;
                        let task = task_block.label(task, || config.task.name());
                        let variant = variant_block.label(variant, || config.optimizer.kind.name().into());
                        runs.extend(self.seeds.0.iter().map(|&seed| Run {
                            name: run_name(&format!("{task}-{variant}"), seed),
                            task: task.clone(),
                            variant: variant.clone(),
                            config: Config { seed, ..config.clone() },
                        }));
                    }
                }
            }
        }
        for run in &mut runs {
            run.config = (self.complete)(run.config.clone()).with_context(|| run.name.clone())?;
        }
        no_run_twice(&runs)?;
        Ok(runs)
    }

    /// Expands a block into the combinations of its listed values.
    fn combinations(&self, kind: &'static str, index: usize, block: &Block) -> Result<Vec<Vec<Setting>>> {
        let place = |path: Vec<String>| Place { block: kind, index, path };
        if kind == "variant" && block.config.is_some() {
            return Err(self
                .wrong(&place(vec!["config".into()]), "not a field of a variant; move it to a task")
                .into());
        }
        let allowed = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || "._=+-".contains(c));
        if let Some(name) = block.name.as_ref().filter(|name| name.is_empty() || !allowed(name)) {
            let problem = format!("`{name}` becomes part of a directory name; use only letters, digits and ._=+-");
            return Err(self.wrong(&place(vec!["name".into()]), &problem).into());
        }
        let mut leaves = Vec::new();
        collect(&block.settings, &mut Vec::new(), &mut leaves);
        let mut combinations = vec![Vec::new()];
        for (path, value) in leaves {
            let place = place(path.clone());
            let key = path.join(".");
            if key == "seed" || key.split('.').next() == Some("versions") {
                return Err(self.wrong(&place, "can't be set here; use `seeds` at the top of the file").into());
            }
            let (values, varies) = match value {
                Value::Array(values) => (values, true),
                value => (vec![value], false),
            };
            if values.is_empty() {
                return Err(self.wrong(&place, "an empty list gives no runs; give it a value, or leave it out").into());
            }
            if combinations.len().saturating_mul(values.len()) > MOST_RUNS {
                return Err(self.wrong(&place, &format!("expands to more than {MOST_RUNS} runs")).into());
            }
            let setting =
                |value: &Value| Setting { place: place.clone(), key: key.clone(), value: value.clone(), varies };
            let extended = |combination: &Vec<Setting>| -> Vec<Vec<Setting>> {
                values.iter().map(|value| combination.iter().cloned().chain([setting(value)]).collect()).collect()
            };
            combinations = combinations.iter().flat_map(extended).collect();
        }
        Ok(combinations)
    }

    /// Reads the base configuration of a task, if it has one.
    fn base(&self, task: &Block) -> Result<Option<Table>> {
        let Some(name) = &task.config else { return Ok(None) };
        let path = self.folder.join(path::of_text(name));
        let source = if path.is_file() { path } else { name.into() };
        config::read_table(&source, self.catalog).map(Some)
    }

    fn configure(&self, base: Option<&Table>, task: &[Setting], variant: &[Setting]) -> Result<Config> {
        let mut table = base.cloned().unwrap_or_default();
        for (position, setting) in task.iter().chain(variant).enumerate() {
            let wrong = |problem: String| {
                let of_list = setting.varies && problem.contains("expected a sequence");
                let hint = if of_list { "; lists define a grid; write a list value as [[64, 64]]" } else { "" };
                self.wrong(&setting.place, &format!("{problem}{hint}"))
            };
            config::insert(&mut table, &setting.key, setting.value.clone()).map_err(wrong)?;
            if setting.key == "data.folder" {
                config::place_data(&mut table, self.folder);
            }
            // A task without a base configuration is complete only after its last field.
            if base.is_some() || position + 1 >= task.len() {
                config::check(&table).map_err(wrong)?;
            }
        }
        for set in self.sets {
            if set.split('=').next().is_some_and(|key| key.trim() == "seed") {
                return Err(UsageError(format!("--set {set}: can't set the seed of a sweep; use --seeds")).into());
            }
            config::apply(&mut table, set)?;
        }
        config::check(&table).map_err(UsageError)?;
        Ok(table.try_into().expect("just checked"))
    }

    /// Returns the error of a field in the file, with its line.
    fn wrong(&self, place: &Place, problem: &str) -> UsageError {
        UsageError(format!("line {}: [[{}]] {}: {problem}", place.line(self.text), place.block, place.path.join(".")))
    }
}

impl Block {
    /// Returns the label of its runs: its name, or the usual one, and their values of its lists.
    fn label(&self, combination: &[Setting], usual: impl Fn() -> String) -> String {
        let stem = |config: &String| match config.starts_with(GYMNASIUM_PREFIX) {
            true => Some(plain(config)),
            false => Path::new(config).file_stem().map(|stem| plain(&stem.to_string_lossy())),
        };
        let usual = || plain(&usual());
        let name = self.name.clone().or_else(|| self.config.as_ref().and_then(stem)).unwrap_or_else(usual);
        let varying = combination.iter().filter(|setting| setting.varies).map(|setting| {
            let field = setting.key.rsplit('.').next().unwrap_or(&setting.key);
            format!("-{field}={}", words(&setting.value))
        });
        name + &varying.collect::<String>()
    }
}

impl Place {
    /// Returns the line in the sweep file, from 1.
    fn line(&self, text: &str) -> usize {
        fn find<'a, 'i>(table: &'a DeTable<'i>, key: &str) -> Option<&'a Spanned<DeValue<'i>>> {
            table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
        }
        let file = DeTable::parse(text).expect("it was read before");
        let block = find(file.get_ref(), self.block).and_then(|blocks| blocks.get_ref().get(self.index));
        let field = self.path.iter().fold(block, |section, key| find(section?.get_ref().as_table()?, key));
        let start = field.map_or(0, |value| value.span().start);
        text[..start].matches('\n').count() + 1
    }
}

/// Collects the fields of a table with their paths.
fn collect(table: &Table, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, Value)>) {
    for (key, value) in table {
        path.push(key.clone());
        match value {
            Value::Table(section) => collect(section, path, leaves),
            value => leaves.push((path.clone(), value.clone())),
        }
        path.pop();
    }
}

/// Formats a value as part of a name.
fn words(value: &Value) -> String {
    match value {
        Value::Float(x) => {
            let (plain, scientific) = (format!("{x}"), format!("{x:e}"));
            if scientific.len() < plain.len() { scientific } else { plain }
        }
        Value::Array(values) => values.iter().map(words).collect::<Vec<_>>().join("x"),
        Value::String(text) => plain(text),
        value => plain(&value.to_string()),
    }
}

/// Returns a run's name, which a file's name must have room for: a hash replaces the end of a long one.
fn run_name(task_and_variant: &str, seed: u64) -> String {
    const MOST: usize = 180; // of 255 bytes, which leaves room for what other programs add
    let hash = crc32c::crc32c(task_and_variant.as_bytes());
    match task_and_variant.get(..MOST) {
        Some(start) if task_and_variant.len() > MOST => format!("{start}-{hash:08x}-seed{seed}"),
        _ => format!("{task_and_variant}-seed{seed}"),
    }
}

fn no_run_twice(runs: &[Run]) -> Result<(), UsageError> {
    let (mut names, mut configs) = (HashMap::new(), HashMap::new());
    for run in runs {
        if names.insert(&run.name, run).is_some() {
            let problem =
                "two runs have this name; use different seeds and values, and give each block of one kind a `name`";
            return Err(UsageError(format!("{}: {problem}", run.name)));
        }
        let config = toml::to_string(&run.config).expect("a configuration can be written");
        if let Some(other) = configs.insert(config, run) {
            return Err(UsageError(format!("{} and {} have the same configuration; remove one", other.name, run.name)));
        }
    }
    Ok(())
}

impl FromStr for Seeds {
    type Err = String;

    /// Parses `0-4` or `3`.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.trim()
                .parse::<u64>()
                .map_err(|_| format!("`{text}` is not a seed; write a range as in 0-4 or a seed as in 3"))
        };
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(text)?, number(text)?),
        };
        match last.checked_sub(first) {
            Some(more) if more < MOST_RUNS as u64 => Ok(Seeds((first..=last).collect())),
            Some(_) => Err(format!("`{text}`: more than {MOST_RUNS} seeds")),
            None => Err(format!("`{text}`: the first seed must not be above the last")),
        }
    }
}

impl TryFrom<Value> for Seeds {
    type Error = String;

    /// Reads a range as text, or a list of numbers.
    fn try_from(value: Value) -> Result<Self, String> {
        let wrong = || format!("seeds = {value}: must be a range as in \"0-4\" or a list as in [0, 1, 2]");
        let seeds: Vec<u64> = match &value {
            Value::String(text) => return text.parse(),
            Value::Array(seeds) => {
                let seed = |seed: &Value| seed.as_integer().and_then(|seed| u64::try_from(seed).ok());
                seeds.iter().map(seed).collect::<Option<_>>().ok_or_else(wrong)?
            }
            _ => return Err(wrong()),
        };
        Ok(Seeds(seeds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_of_runs_are_shortened_and_stay_apart() {
        assert_eq!(run_name("pendulum-sgd", 3), "pendulum-sgd-seed3");
        let [one, two] = ["1", "2"].map(|end| run_name(&("x".repeat(300) + end), 3));
        assert!(one != two && one.len() < 255 && one.ends_with("-seed3"), "{one}");
    }

    use crate::config::Task;

    fn complete(config: Config) -> Result<Config> {
        config.complete(&Catalog::builtin())
    }

    fn expand(text: &str, complete: impl Fn(Config) -> Result<Config>) -> Result<Vec<Run>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path().to_str().unwrap(), &[], None, &Catalog::builtin(), complete)
            .map_err(|error| format!("{error:#}"))
    }

    fn runs(text: &str) -> Result<Vec<Run>, String> {
        expand(text, complete)
    }

    fn names(text: &str) -> Vec<String> {
        expand(text, Ok).unwrap().into_iter().map(|run| run.name).collect()
    }

    #[test]
    fn the_papers_table_has_ninety_runs() {
        let runs = read("table1-rl", &[], None, &Catalog::builtin(), complete).unwrap();
        assert_eq!(runs.len(), 2 * 9 * 5);
        let named = |name: &str| &runs.iter().find(|run| run.name == name).unwrap().config;
        assert_eq!(named("pendulum-sgd-lr=1e-5-seed0").optimizer.lr, Some(1e-5));
        assert_eq!(named("lunar-lander-sgd-lr=10-seed4").optimizer.lr, Some(10.0));
        assert_eq!(named("lunar-lander-adam-seed3").budget(), 100_000);
        assert_eq!(named("pendulum-alrao-seed4").seed, 4);
    }

    #[test]
    fn every_built_in_sweep_expands_and_states_its_duration() {
        let counts = BUILT_IN.iter().map(|&(name, text)| {
            let first = text.lines().next().unwrap();
            assert!(["minutes", "hour", "day"].iter().any(|time| first.contains(time)), "{name}: {first}");
            let with_data = |mut config: Config| {
                let _agents_have_none = config.task.set_data(Path::new("."));
                complete(config)
            };
            (name, read(name, &[], None, &Catalog::builtin(), with_data).unwrap().len())
        });
        let expected = [
            ("ablation-fast-units", 8 * 3),
            ("ablation-heads", 4 * 5),
            ("ablation-rates", 3 * 5),
            ("alrao-adam", 5 * 5),
            ("defaults", 6 * 10),
            ("figure2-cifar10", 9),
            ("figure2-imagenet", 2 * 9),
            ("figure3-rates", 9 * 8 / 2 + 9),
            ("figure3-width", 5 * 5),
            ("ptb-char-width", 2 * 3),
            ("ptb-word-heads", 4),
            ("reward-scale", 2 * 3 * 3),
            ("schedule-alrao", (1 + 3) * 2 * 5),
            ("table1-cifar10", 3 * 2 * 9 * 10),
            ("table1-imagenet", (3 + 1) * 9),
            ("table1-ptb", 9 * 3),
            ("table1-rl", 2 * 9 * 5),
        ];
        assert_eq!(counts.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_defaults_sweep_has_the_built_in_configurations() {
        let runs = read("defaults", &[], None, &Catalog::builtin(), complete).unwrap();
        assert_eq!(runs.len(), 6 * 10);
        for run in runs {
            let mut built_in =
                Config::read(run.config.task.name(), &[], &Catalog::builtin()).and_then(complete).unwrap();
            built_in.seed = run.config.seed;
            if let Task::Agent(task) = &mut built_in.task {
                task.schedule = run.config.task.agent().unwrap().schedule.clone();
            }
            assert_eq!(run.config, built_in);
        }
    }

    #[test]
    fn run_names_contain_the_reward_scale() {
        let runs = read("reward-scale", &[], None, &Catalog::builtin(), complete).unwrap();
        assert_eq!(runs.len(), 2 * 3 * 3);
        assert_eq!(runs[0].name, "pendulum-alrao-reward_scale=0.01-seed0");
    }

    #[test]
    fn lists_define_a_grid_and_a_list_in_a_list_is_one_value() {
        let text = r#"
            seeds = [3]
            [[task]]
            environment.name = "pendulum" # without a base configuration
            schedule.steps = [2000, 3000]
            [[variant]]
            name = "wide"
            agent.network.hidden_sizes = [[64], [64, 32]]
            optimizer.lr_max = [1, 10.0]
        "#;
        assert_eq!(
            names(text)[..4],
            [
                "pendulum-steps=2000-wide-hidden_sizes=64-lr_max=1-seed3",
                "pendulum-steps=2000-wide-hidden_sizes=64-lr_max=10-seed3",
                "pendulum-steps=2000-wide-hidden_sizes=64x32-lr_max=1-seed3",
                "pendulum-steps=2000-wide-hidden_sizes=64x32-lr_max=10-seed3",
            ]
        );
        assert_eq!(names(text).len(), 8);
        assert_eq!(runs(text).unwrap()[2].config.task.agent().unwrap().agent.network.hidden_sizes, [64, 32]);
    }

    #[test]
    fn names_of_gymnasium_become_plain_directory_names() {
        let text = "seeds = [3]\n[[variant]]\noptimizer.kind = \"adam\"\n[[task]]\n";
        let config = "config = \"gymnasium:ALE/Pong-v5\"";
        let settings = "environment.name = \"gymnasium:ALE/Pong-v5\"\nschedule.steps = 9000";
        for task in [config, settings] {
            assert_eq!(names(&format!("{text}{task}")), ["gymnasium_ALE_Pong-v5-adam-seed3"]);
        }
    }

    #[test]
    fn command_line_settings_override_the_file() {
        let sets = ["schedule.steps=7000".to_string()];
        let runs = read("table1-rl", &sets, Some(&"8".parse().unwrap()), &Catalog::builtin(), complete).unwrap();
        assert!(runs.len() == 18 && runs.iter().all(|run| run.config.budget() == 7000 && run.config.seed == 8));
        let error = format!(
            "{:#}",
            read("table1-rl", &["schedule.stepz=1".into()], None, &Catalog::builtin(), complete).unwrap_err()
        );
        assert!(error.contains("--set schedule.stepz=1") && error.contains("unknown field"), "{error}");
        let error =
            format!("{:#}", read("table1-rl", &["seed=1".into()], None, &Catalog::builtin(), complete).unwrap_err());
        assert!(error.contains("--seeds"), "{error}");
    }

    #[test]
    fn errors_name_the_line_or_the_run() {
        let task = "seeds = \"0-1\"\n[[task]]\nconfig = \"pendulum\"\n";
        for (text, words) in [
            (
                "[[variant]]\noptimizer.kind = \"sgd\"\noptimizer.etaa = [1]",
                &["line 6", "optimizer.etaa", "unknown field"][..],
            ),
            (
                "[[variant]]\nagent.network.hidden_sizes = [64, 32]",
                &["line 5", "agent.network.hidden_sizes", "[[64, 64]]"],
            ),
            ("[[variant]]\noptimizer.kind = \"sgd\"", &["pendulum-sgd-seed0", "optimizer.lr"]),
            ("[[variant]]\noptimizer.kind = \"sgd\"\noptimizer.lr = [0.1, -1]", &["pendulum-sgd-lr=-1-seed0", "-1"]),
            ("[[variant]]\n[[variant]]", &["pendulum-alrao-seed0", "name"]),
            (
                "[[variant]]\n[[variant]]\nname = \"b\"\noptimizer.num_heads = 10",
                &["pendulum-alrao-seed0 and pendulum-b-seed0", "same"],
            ),
            (
                "[[variant]]\n[[variant]]\noptimizer.lr_max = []",
                &["line 6", "optimizer.lr_max", "an empty list gives no runs"],
            ),
            ("[[variant]]\nconfig = \"pendulum\"", &["line 5", "config"]),
            ("[[variant]]\nname = \"../b\"", &["line 5", "../b"]),
            ("[[variant]]\nseed = [1, 2]", &["line 5", "seeds"]),
            ("schedule = 5", &["line 4", "[[task]] schedule: "]),
            ("schedule.steps = 500\nschedule.steps.x = 5", &["line 5"]),
            ("[[variants]]", &["variants", "unknown field"]),
            ("[[task]]\nconfig = \"pendulm\"", &["pendulm", "pendulum"]),
        ] {
            let error = runs(&format!("{task}{text}\n")).expect_err(text);
            assert!(words.iter().all(|word| error.contains(word)), "{text}: {error}");
        }
        for (seeds, word) in [
            ("\"4-0\"", "4-0"),
            ("\"0-x\"", "`x`"),
            ("[-1]", "[-1]"),
            ("3", "seeds = 3"),
            ("[]", "0 runs"),
            ("[1, 1]", "different seeds"),
            ("\"0-99999999999\"", "10000"),
        ] {
            let error = runs(&format!("seeds = {seeds}\n[[task]]\nconfig = \"pendulum\"\n")).expect_err(seeds);
            assert!(error.contains(word), "{seeds}: {error}");
        }
    }

    #[test]
    fn too_many_runs_are_an_error_before_they_are_expanded() {
        let list = format!("{:?}", (1..=200).collect::<Vec<_>>());
        let text = format!(
            "seeds = \"0-9\"\n[[task]]\nconfig = \"pendulum\"\nagent.batch_size = {list}\n[[variant]]\noptimizer.num_heads = {list}\n"
        );
        assert!(runs(&text).unwrap_err().contains("expands to 400000 runs"));
        let text = format!("{text}optimizer.lr_max = {list}\n");
        assert!(
            runs(&text).unwrap_err().contains("line 6: [[variant]] optimizer.num_heads: expands to more than 10000")
        );
    }
}
