//! The Slurm executor: a job array whose tasks train one run each.
//!
//! A task is `alrao sweep --resume DIR --run N`, which manages one process of `alrao train` as a local sweep does: it
//! records a failure and stops the process when it ends itself. A task that Slurm preempts or requeues starts again and
//! resumes the run from its last checkpoint. The jobs need no supervision: progress is read from the run directories.
//!
//! Job ids are not stored; a sweep's jobs are those of the user that run its `slurm.sh`. Their command ends with the index
//! of the array's first run, because Slurm limits the size of arrays.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;
use std::time::{Duration, Instant};

use alrao_core::path::Shown;
use alrao_setup::shell;
use anyhow::{Context, Result, bail};

use crate::message::message;
use crate::output::note;
use crate::program;
use crate::sweep::directory::{State, SweepDirectory};
use crate::sweep::executor::{End, Executor};
use crate::usage_error::UsageError;

const SCRIPT: &str = "slurm.sh";
const LOG: &str = "slurm.log";

/// Interval between polls of the queue.
const POLL_INTERVAL: Duration = Duration::from_secs(10);

/// How long to wait for the result of a run whose job has left the queue: shared file systems show files late.
const END_SEEN_WITHIN: Duration = Duration::from_secs(30);

/// The maximum size of an array if Slurm doesn't report it: its default.
const USUAL_ARRAY_SIZE: usize = 1001;

/// Slurm sends SIGTERM to a job's script so many seconds before the time limit; the run then saves a checkpoint.
const STOP_BEFORE_LIMIT: &str = "B:TERM@90";

/// Options of `sbatch` that the sweep sets.
const OWN_OPTIONS: [&str; 11] = [
    "array",
    "chdir",
    "error",
    "input",
    "job-name",
    "no-requeue",
    "open-mode",
    "output",
    "parsable",
    "requeue",
    "wrap",
];

/// An option of `sbatch`, without its dashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlurmOption {
    key: String,
    /// `KEY=VALUE`, or `KEY` alone
    text: String,
}

/// The Slurm executor.
pub struct Slurm<'a> {
    sweep: &'a SweepDirectory,
    /// unfinished tasks by the index of their run in the sweep
    tasks: BTreeMap<usize, Task>,
    looked: Option<Instant>,
    /// whether the last query of Slurm succeeded
    answered: bool,
}

/// A run's task in a job array.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Task {
    job: String,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Queued,
    Training,
    /// not in the queue since this instant
    Gone(Instant),
}

/// Checks that `sbatch` is installed.
///
/// # Errors
/// [`UsageError`] if it isn't.
pub fn check() -> Result<()> {
    match Command::new("sbatch").arg("--version").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let problem = "there is no `sbatch` on the PATH; log in to a machine that submits Slurm jobs, load its Slurm \
                           module, or leave --executor out to train here";
            Err(UsageError(format!("--executor slurm: {problem}")).into())
        }
        Err(error) => Err(error).context("sbatch"),
        Ok(_) => Ok(()),
    }
}

impl<'a> Slurm<'a> {
    /// Submits the runs that aren't in the queue, to train at most `at_a_time` of them in parallel. The options are written
    /// to the script; without options, an existing script is kept.
    ///
    /// # Errors
    /// [`UsageError`] if Slurm rejects the jobs.
    pub fn new(
        sweep: &'a SweepDirectory,
        runs: &[usize],
        options: &[SlurmOption],
        at_a_time: Option<u32>,
    ) -> Result<Self> {
        let script = script(sweep)?;
        if !options.is_empty() || !script.exists() {
            let mut file = tempfile::NamedTempFile::new_in(sweep.path())?;
            file.write_all(script_text(options, sweep.most_threads()).as_bytes())?;
            file.persist(&script)?;
        }
        let mut slurm = Slurm { sweep, tasks: queue(sweep)?, looked: None, answered: true };
        slurm.tasks.retain(|run, _| runs.contains(run));
        let new: Vec<usize> = runs.iter().copied().filter(|run| !slurm.tasks.contains_key(run)).collect();
        let size = array_size()?;
        for array in new.chunk_by(|left, right| left / size == right / size) {
            for &run in array {
                if let State::Failed(_) = sweep.state(&sweep.runs[run])? {
                    sweep.prepare(&sweep.runs[run])?; // clears the failure
                }
            }
            let job = submit(sweep, array, array[0] / size * size, at_a_time).map_err(|error| {
                let queued = match slurm.tasks.len() {
                    0 => "no run is queued".to_string(),
                    count => format!("{count} runs were queued before, in Slurm job {}", slurm.jobs().join(" and ")),
                };
                let fewer = "if Slurm limits the number of submitted jobs, submit fewer runs with --submit N";
                UsageError(format!("{error:#}\n{queued}; {fewer}."))
            })?;
            slurm.tasks.extend(array.iter().map(|&run| (run, Task { job: job.clone(), place: Place::Queued })));
        }
        Ok(slurm)
    }

    /// Returns the ids of the jobs in the queue.
    fn jobs(&self) -> Vec<&str> {
        let mut jobs: Vec<&str> = self.tasks.values().map(|task| task.job.as_str()).collect();
        jobs.sort();
        jobs.dedup();
        jobs
    }

    fn at(&self, place: Place) -> Vec<usize> {
        self.tasks.iter().filter(|(_, task)| task.place == place).map(|(run, _)| *run).collect()
    }
}

impl Executor for Slurm<'_> {
    fn describe(&self) -> String {
        format!("by Slurm's job {}", self.jobs().join(" and "))
    }

    fn poll(&mut self) -> Result<Vec<(usize, End)>> {
        if self.looked.is_some_and(|looked| looked.elapsed() < POLL_INTERVAL) {
            return Ok(Vec::new());
        }
        self.looked = Some(Instant::now());
        match queue(self.sweep) {
            Ok(mut queue) => {
                for (run, task) in &mut self.tasks {
                    *task = match (queue.remove(run), task.place) {
                        (Some(found), _) => found,
                        (None, Place::Gone(_)) => continue,
                        (None, _) => Task { place: Place::Gone(Instant::now()), ..task.clone() },
                    };
                }
                self.answered = true;
            }
            // The controller may be down for a while; the jobs still run.
            Err(error) => {
                if std::mem::replace(&mut self.answered, false) {
                    note!("{}; retrying every {} s", message(&error), POLL_INTERVAL.as_secs());
                }
            }
        }
        let mut ended = Vec::new();
        for (&run, task) in &self.tasks {
            let end = match (self.sweep.state(&self.sweep.runs[run])?, task.place) {
                (State::Done(_), _) => End::Done,
                (State::Failed(_), _) => End::Failed,
                (_, Place::Gone(since)) if since.elapsed() > END_SEEN_WITHIN => End::Stopped,
                _ => continue,
            };
            ended.push((run, end));
        }
        self.tasks.retain(|run, _| ended.iter().all(|(ended, _)| ended != run));
        Ok(ended)
    }

    fn training(&self) -> Vec<usize> {
        self.at(Place::Training)
    }

    fn waiting(&self) -> Vec<usize> {
        self.at(Place::Queued)
    }

    /// Leaves the jobs running.
    fn detach(self: Box<Self>) -> Result<Option<String>> {
        let jobs = self.jobs();
        Ok(Some(match jobs[..] {
            [] => format!("see {LOG} for the output of Slurm"),
            _ => format!("their jobs continue; stop them with `scancel {}`", jobs.join(" ")),
        }))
    }
}

impl SlurmOption {
    /// Returns the option for an `#SBATCH` line, where blanks separate options unless they are quoted.
    fn quoted(&self) -> String {
        match self.text.split_once('=') {
            Some((key, value)) if value.contains([' ', '"', '\'', '\\', '#']) => {
                format!("{key}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
            }
            _ => self.text.clone(),
        }
    }
}

/// Returns the absolute path of the job script.
fn script(sweep: &SweepDirectory) -> Result<PathBuf> {
    Ok(sweep.path().canonicalize().with_context(|| sweep.path().shown())?.join(SCRIPT))
}

fn script_text(options: &[SlurmOption], threads: u32) -> String {
    let mut text = "#!/bin/sh\n".to_string();
    let own = [("cpus-per-task", threads.to_string()), ("signal", STOP_BEFORE_LIMIT.into())]
        .map(|(key, value)| SlurmOption { key: key.into(), text: format!("{key}={value}") });
    for option in own.iter().filter(|own| options.iter().all(|option| option.key != own.key)).chain(options) {
        writeln!(text, "#SBATCH --{}", option.quoted()).expect("memory");
    }
    text + "\n# Trains one run of the sweep in this directory; submitted by `alrao sweep --executor slurm`. You may change the\n\
            # options above and add lines here.\n\
            exec \"$1\" sweep --resume \"$2\" --run $(($3 + SLURM_ARRAY_TASK_ID))\n"
}

/// Submits these runs as an array whose index 0 is the run `first`, and returns the job id.
fn submit(sweep: &SweepDirectory, runs: &[usize], first: usize, at_a_time: Option<u32>) -> Result<String> {
    let script = script(sweep)?;
    let folder = script.parent().expect("the script lies in one");
    let places: Vec<usize> = runs.iter().map(|run| run - first).collect();
    let at_a_time = at_a_time.map_or(String::new(), |jobs| format!("%{jobs}"));
    let log = folder.join(LOG).shown().replace('%', "%%");
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut command = Command::new("sbatch");
    command.args(["--parsable", "--requeue", "--open-mode=append"]).arg(format!("--output={log}"));
    command.arg(format!("--job-name={name}")).arg(format!("--array={}{at_a_time}", ranges(&places)));
    command.arg(&script).arg(std::env::current_exe()?).arg(folder).arg(first.to_string());
    let job = answer(&mut command).map_err(|error| {
        let go_on = format!("{} sweep --resume {} --executor slurm", program::name(), shell::word(sweep.path()));
        let error = message(&error);
        UsageError(format!("{error}\nResume with `{go_on}`, and change options with --slurm KEY=VALUE if needed."))
    })?;
    Ok(job.trim().split(';').next().unwrap_or_default().into()) // the cluster's name may follow
}

/// Queries the queued tasks of a sweep.
fn queue(sweep: &SweepDirectory) -> Result<BTreeMap<usize, Task>> {
    let mut command = Command::new("squeue");
    command.args(["--me", "--array", "--noheader", "--format=%F|%K|%T|%o"]);
    let command_of_jobs = format!("{} ", script(sweep)?.shown());
    Ok(answer(&mut command)?.lines().filter_map(|line| task(line, &command_of_jobs)).collect())
}

/// Parses a line of the queue, `job id|array index|state|command`, into the run's index and its task.
fn task(line: &str, command: &str) -> Option<(usize, Task)> {
    let mut fields = line.splitn(4, '|');
    let (job, place, state) = (fields.next()?, fields.next()?, fields.next()?);
    let arguments = fields.next()?.trim_end().strip_prefix(command)?;
    let first: usize = arguments.rsplit(' ').next()?.parse().ok()?;
    let training = ["RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT"].contains(&state);
    let place_in_queue = if training { Place::Training } else { Place::Queued };
    Some((first + place.parse::<usize>().ok()?, Task { job: job.into(), place: place_in_queue }))
}

/// Queries the maximum size of an array.
fn array_size() -> Result<usize> {
    let config = answer(Command::new("scontrol").args(["show", "config"]))?;
    let size =
        config.lines().find_map(|line| line.strip_prefix("MaxArraySize")?.split('=').nth(1)?.trim().parse().ok());
    Ok(size.filter(|size| *size > 0).unwrap_or(USUAL_ARRAY_SIZE))
}

/// Runs a Slurm command and returns its output.
fn answer(command: &mut Command) -> Result<String> {
    let name = command.get_program().shown();
    let output = command.output().with_context(|| name.clone())?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Formats ascending numbers as Slurm does: `0-2,5`.
fn ranges(numbers: &[usize]) -> String {
    let words = |range: &[usize]| match range {
        [one] => one.to_string(),
        range => format!("{}-{}", range[0], range[range.len() - 1]),
    };
    numbers.chunk_by(|left, right| left + 1 == *right).map(words).collect::<Vec<_>>().join(",")
}

impl FromStr for SlurmOption {
    type Err = String;

    /// Parses `KEY=VALUE` or `KEY`, with or without leading dashes.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim_start_matches("--");
        let key = text.split('=').next().unwrap_or_default();
        if key.len() < 2 || !key.chars().all(|c| c.is_ascii_lowercase() || c == '-') || text.contains(char::is_control)
        {
            return Err(format!("`{text}` is not a long option of sbatch; write it as in partition=gpu"));
        }
        if OWN_OPTIONS.contains(&key) {
            return Err(format!("`{key}` is set by the sweep; leave it out"));
        }
        Ok(SlurmOption { key: key.into(), text: text.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweeps_tasks_are_identified_by_their_command() {
        let found = |line: &str| task(line, "/a sweep/slurm.sh ");
        let task = |place| Task { job: "7".into(), place };
        let line = "7|3|PENDING|/a sweep/slurm.sh /bin/alrao /a sweep 1000";
        assert_eq!(found(line), Some((1003, task(Place::Queued))));
        assert_eq!(found(&line.replace("PENDING", "RUNNING")), Some((1003, task(Place::Training))));
        assert_eq!(found("7|3|PENDING|/another sweep/slurm.sh /bin/alrao /another sweep 0"), None);
        assert_eq!(found("8|N/A|RUNNING|/bin/sh"), None);
    }

    #[test]
    fn numbers_are_formatted_as_ranges() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
    }

    #[test]
    fn options_are_written_to_the_script_and_the_sweeps_own_are_errors() {
        let options = ["gres=gpu:1", "--exclusive", "cpus-per-task=4"].map(|text| text.parse().unwrap());
        let lines = "#!/bin/sh\n#SBATCH --signal=B:TERM@90\n#SBATCH --gres=gpu:1\n#SBATCH --exclusive\n\
                     #SBATCH --cpus-per-task=4\n";
        assert!(script_text(&options, 1).starts_with(lines));
        let quoted = |text: &str| text.parse::<SlurmOption>().unwrap().quoted();
        assert_eq!(quoted("comment=my runs"), "comment=\"my runs\"");
        assert_eq!(quoted(r#"comment=a "b" \ #c"#), r#"comment="a \"b\" \\ #c""#);
        assert!(script_text(&options[..2], 3).contains("#SBATCH --cpus-per-task=3\n"));
        for wrong in ["array=0-3", "p=gpu", "=gpu", "time=1\n2", "partition gpu"] {
            let error = wrong.parse::<SlurmOption>().unwrap_err();
            assert!(error.contains(wrong.split('=').next().unwrap()), "{error}");
        }
    }
}
