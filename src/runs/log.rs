//! The logs of a run: `metrics.jsonl`, one JSON object per line, and TensorBoard event files with the same values.
//!
//! A line is an [`Event`] of the training, with `seconds` of training so far and, for updates, `steps_per_second` or
//! `samples_per_second`. Only these differ between two runs with the same configuration and seed.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use alrao_agents::training::DqnEvent;
use alrao_core::path::Shown;
use alrao_plots::EventWriter;
use alrao_tasks::training::SupervisedEvent;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::Event;
use crate::checkpoint::checksum_of;
use crate::output::note;
use crate::run_files::{METRICS, RESTORE, is_there, unread};

const TENSORBOARD: &str = "tensorboard";

/// The log files of a run.
pub struct Log {
    metrics: BufWriter<File>,
    metrics_length: u64,
    metrics_checksum: u32,
    tensorboard: EventWriter,
}

/// The lengths of the log files at a checkpoint, and the CRC-32C of `metrics.jsonl` up to there; a resumed run rewrites what
/// follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    metrics_length: u64,
    metrics_checksum: u32,
    event_file: String,
    event_file_length: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples_per_second: Option<f64>,
}

impl Log {
    /// Creates empty log files in a run directory, replacing existing ones.
    ///
    /// # Errors
    /// The files can't be written.
    pub fn create(run: &Path) -> Result<Self> {
        let path = run.join(METRICS);
        let metrics = File::create(&path).with_context(|| path.shown())?;
        let events = run.join(TENSORBOARD);
        if is_there(&events)? {
            fs::remove_dir_all(&events).with_context(|| events.shown())?;
        }
        let tensorboard = EventWriter::create(&events, now() as u64, "alrao")?;
        Ok(Log { metrics: BufWriter::new(metrics), metrics_length: 0, metrics_checksum: 0, tensorboard })
    }

    /// Opens the log files of a run directory and truncates them to a position. TensorBoard's file, which has nothing that
    /// `metrics.jsonl` lacks, is continued by a new one if it was lost.
    ///
    /// # Errors
    /// `metrics.jsonl` differs from what was logged up to there, or the files can't be written.
    pub fn resume(run: &Path, position: &LogPosition) -> Result<Self> {
        let LogPosition { metrics_length, metrics_checksum, ref event_file, event_file_length } = *position;
        let path = run.join(METRICS);
        let metrics = OpenOptions::new().read(true).append(true).open(&path).map_err(unread(&path))?;
        let (checksum, found) = checksum_of((&metrics).take(metrics_length)).map_err(unread(&path))?;
        if found < metrics_length {
            bail!("{}: has {found} bytes, but {metrics_length} at the last checkpoint; {RESTORE}", path.shown());
        }
        if checksum != metrics_checksum {
            bail!("{}: differs from what was logged up to the last checkpoint; {RESTORE}", path.shown());
        }
        let folder = run.join(TENSORBOARD);
        let tensorboard = match EventWriter::resume(&folder.join(event_file), event_file_length) {
            Ok(writer) => writer,
            Err(error) => {
                note!("{error}; TensorBoard's curves begin at the last checkpoint");
                EventWriter::create(&folder, now() as u64, "alrao-resumed")?
            }
        };
        metrics.set_len(metrics_length)?;
        Ok(Log { metrics: BufWriter::new(metrics), metrics_length, metrics_checksum, tensorboard })
    }

    /// Writes an event, with the environment steps or samples per second if measured.
    ///
    /// # Errors
    /// The files can't be written.
    pub fn record(&mut self, event: &Event, seconds: f64, per_second: Option<f64>) -> Result<()> {
        let (steps_per_second, samples_per_second) = match event {
            Event::Agent(_) => (per_second, None),
            Event::Supervised(_) => (None, per_second),
        };
        let line = serde_json::to_string(&Line { event, seconds, steps_per_second, samples_per_second })? + "\n";
        self.metrics.write_all(line.as_bytes()).context(METRICS)?;
        self.metrics_length += line.len() as u64;
        self.metrics_checksum = crc32c::crc32c_append(self.metrics_checksum, line.as_bytes());
        let (step, scalars) = scalars(event);
        let steps = steps_per_second.map(|speed| ("time/steps_per_second", speed));
        let samples = samples_per_second.map(|speed| ("time/samples_per_second", speed));
        for (tag, value) in scalars.into_iter().chain(steps).chain(samples) {
            self.tensorboard.scalar(tag, step as i64, now(), value as f32)?;
        }
        if event.is_update() {
            self.flush()?; // for live monitoring
        }
        Ok(())
    }

    /// Flushes the files, has the disk keep them, and returns their lengths, for a checkpoint.
    ///
    /// # Errors
    /// The files can't be written.
    pub fn sync(&mut self) -> Result<LogPosition> {
        let position = self.flush()?;
        self.metrics.get_ref().sync_data().context(METRICS)?;
        File::open(self.tensorboard.path()).and_then(|file| file.sync_data()).context(TENSORBOARD)?;
        Ok(position)
    }

    /// Flushes the files and returns their lengths.
    ///
    /// # Errors
    /// The files can't be written.
    pub fn flush(&mut self) -> Result<LogPosition> {
        self.metrics.flush().context(METRICS)?;
        let event_file_length = self.tensorboard.flush()?;
        let name = self.tensorboard.path().file_name().expect("a file").to_string_lossy();
        let (metrics_length, metrics_checksum) = (self.metrics_length, self.metrics_checksum);
        Ok(LogPosition { metrics_length, metrics_checksum, event_file: name.into_owned(), event_file_length })
    }
}

/// Returns an event's step and scalars.
fn scalars(event: &Event) -> (u64, Vec<(&str, f64)>) {
    let max_weight = |posterior: &[f64]| posterior.iter().copied().fold(0.0, f64::max);
    match event {
        Event::Agent(DqnEvent::Episode { step, episode_return, length, epsilon, .. }) => (
            *step,
            vec![("episode/return", *episode_return), ("episode/length", *length as f64), ("epsilon", *epsilon)],
        ),
        Event::Agent(DqnEvent::Update {
            step,
            loss,
            mean_max_q,
            max_q,
            reward_factor,
            posterior,
            exploded_units,
            ..
        }) => {
            let curves = [
                ("train/loss", *loss),
                ("train/mean_max_q", *mean_max_q),
                ("train/max_q", *max_q),
                ("train/reward_factor", *reward_factor),
                ("train/max_head_weight", max_weight(posterior)),
                ("train/exploded_units", *exploded_units as f64),
            ];
            (*step, curves.into())
        }
        Event::Agent(DqnEvent::Validation { step, evaluation, .. }) => {
            (*step, vec![("validation/return", evaluation.returns.mean)])
        }
        Event::Agent(DqnEvent::Metric { step, name, value }) => (*step, vec![(name, *value)]),
        Event::Supervised(SupervisedEvent::Update { step, loss, posterior, exploded_units, .. }) => {
            let curves = [
                ("train/loss", *loss),
                ("train/max_head_weight", max_weight(posterior)),
                ("train/exploded_units", *exploded_units as f64),
            ];
            (*step, curves.into())
        }
        Event::Supervised(SupervisedEvent::SkippedFile { step, count, .. }) => {
            (*step, vec![("skipped_files", *count as f64)])
        }
        Event::Supervised(SupervisedEvent::Epoch { step, train, validation, test, .. }) => {
            let mut curves = vec![
                ("train/loss_epoch", train.loss),
                ("train/top1_epoch", train.top1),
                ("validation/loss", validation.loss),
                ("validation/top1", validation.top1),
            ];
            curves.extend(test.iter().flat_map(|test| [("test/loss", test.loss), ("test/top1", test.top1)]));
            (*step, curves)
        }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episode(episode_return: f64) -> Event {
        let (length, terminated) = (200, false);
        Event::Agent(DqnEvent::Episode { step: 200, episode: 1, episode_return, length, terminated, epsilon: 0.5 })
    }

    #[test]
    fn a_resumed_log_is_truncated_to_its_position() {
        let run = tempfile::tempdir().unwrap();
        let mut log = Log::create(run.path()).unwrap();
        log.record(&episode(-1.0), 0.5, None).unwrap();
        let position = log.flush().unwrap();
        log.record(&episode(-2.0), 1.0, None).unwrap();
        log.flush().unwrap();
        let mut log = Log::resume(run.path(), &position).unwrap();
        log.record(&episode(-3.0), 1.0, Some(7.0)).unwrap();
        log.flush().unwrap();
        let text = fs::read_to_string(run.path().join(METRICS)).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let returns: Vec<f64> = lines.iter().map(|l| l["return"].as_f64().unwrap()).collect();
        assert_eq!(returns, [-1.0, -3.0]);
        assert_eq!(lines[1]["steps_per_second"], 7.0);
    }

    #[test]
    fn a_log_shorter_than_its_position_is_an_error() {
        let run = tempfile::tempdir().unwrap();
        let mut log = Log::create(run.path()).unwrap();
        log.record(&episode(-1.0), 0.5, None).unwrap();
        let position = log.flush().unwrap();
        fs::write(run.path().join(METRICS), "{}\n").unwrap();
        let error = Log::resume(run.path(), &position).err().unwrap().to_string();
        assert!(error.contains("metrics.jsonl: has 3 bytes"), "{error}");
    }

    /// The checksum goes on from that of the checkpoint.
    #[test]
    fn a_log_that_differs_before_its_position_is_an_error_and_unchanged() {
        let run = tempfile::tempdir().unwrap();
        let mut log = Log::create(run.path()).unwrap();
        log.record(&episode(-1.0), 0.5, None).unwrap();
        let first = log.flush().unwrap();
        let mut log = Log::resume(run.path(), &first).unwrap();
        log.record(&episode(-2.0), 1.0, None).unwrap();
        let position = log.flush().unwrap();
        log.record(&episode(-3.0), 1.0, None).unwrap();
        log.flush().unwrap();
        let file = run.path().join(METRICS);
        let whole = fs::read_to_string(&file).unwrap();
        let damaged = whole.replace("-2.0", "-7.0");
        fs::write(&file, &damaged).unwrap();
        let error = Log::resume(run.path(), &position).err().unwrap().to_string();
        assert!(error.contains("metrics.jsonl: differs from what was logged"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), damaged);
        fs::write(&file, whole.replace("-3.0", "-7.0")).unwrap();
        Log::resume(run.path(), &position).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().len(), position.metrics_length);
    }
}
