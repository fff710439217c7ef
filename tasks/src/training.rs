//! The epoch loop, which trains one batch at a time and returns at the next event.
//!
//! Call [`SupervisedTrainer::advance`] until it returns [`SupervisedStopReason::Finished`]; log or save on each
//! [`SupervisedEvent`]. Training stops early when the validation loss hasn't improved for a number of epochs; the network
//! of the best epoch is tested (paper, section 5.1).
//!
//! Dropout is seeded at each update from a named stream of the run's seed, so that a resumed training is bit-identical.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use alrao_core::graphed::GraphedPasses;
use alrao_core::json::null_as_nan;
use alrao_core::layers::{Body, LstmState};
use alrao_core::learner::Learner;
use alrao_core::likelihood::Categorical;
use alrao_core::lr_diagnostics::LrDiagnostics;
use alrao_core::method::Method;
use alrao_core::network::Network;
use alrao_core::noise;
use alrao_core::optimizer::{Decay, LrScheduleKind};
use alrao_core::state_dict::StateDict;
use alrao_core::streams::{Stream, stream};
use alrao_core::units::Units;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::Error;
use crate::data::{Batch, Batches, Data, MetricKind, SkippedFile, Split, check_skipped};
use crate::metrics::{MetricAccumulator, Metrics, evaluate};
use crate::model::{self, Model};

/// Training accuracies are measured on one of this many batches.
const ACCURACY_EVERY: u64 = 10;

/// Number of images for recomputed batch-norm statistics.
const BN_IMAGES: usize = 2048;

/// Exponent of polynomial-decay averaging: update t has a weight of about t to this power, so that the average covers
/// roughly the last ninth of the updates, however many there are (Shamir and Zhang, 2013, section 4).
const AVERAGING_POWER: f64 = 8.0;

/// The training settings of a supervised task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingSettings {
    /// Maximum number of epochs.
    pub max_epochs: u64,
    /// Epochs without a better validation loss after which training stops.
    pub patience: u64,
    /// Learning-rate schedule; the cosine ends after `max_epochs`.
    pub lr_schedule: LrScheduleKind,
    /// Maximum change of a hidden unit in an update, as root mean squares, relative to its parameters now or
    /// initially, whichever is less; 0 is no bound. By default the method's own, see [`Method::max_relative_update`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_relative_update: Option<f64>,
    /// Epochs after which all heads but the top-weighted one are pruned (paper, section 4.4); 0 keeps them.
    pub prune_heads_after: u64,
    /// Epochs between tests, for learning curves; 0 for none. The validation data still select the best checkpoint.
    pub test_every: u64,
    /// Whether batch-norm statistics are recomputed from 2048 training images before each evaluation; otherwise running
    /// statistics are used, which lag behind units with large learning rates.
    pub precise_bn: bool,
    /// Whether the polynomial-decay average of the weights is evaluated and checkpointed, which averages out the noise of
    /// the last updates if learning rates stay constant; otherwise the current weights are, as in the paper.
    pub weight_averaging: bool,
    /// Updates between log records.
    pub log_every: u64,
    /// Seconds between checkpoints; each epoch ends with a checkpoint, too.
    pub checkpoint_seconds: u64,
}

impl Default for TrainingSettings {
    fn default() -> Self {
        TrainingSettings {
            max_epochs: 1_000,
            patience: 20,
            lr_schedule: LrScheduleKind::Constant,
            max_relative_update: None,
            prune_heads_after: 0,
            test_every: 0,
            precise_bn: true,
            weight_averaging: true,
            log_every: 100,
            checkpoint_seconds: 300,
        }
    }
}

impl TrainingSettings {
    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid field.
    pub fn check(&self) -> Result<(), Error> {
        let fields = [
            ("training.max_epochs", self.max_epochs),
            ("training.patience", self.patience),
            ("training.log_every", self.log_every),
            ("training.checkpoint_seconds", self.checkpoint_seconds),
        ];
        if let Some((field, value)) = fields.into_iter().find(|(_, value)| *value == 0) {
            return Err(Error::setting(field, value, "must be at least 1"));
        }
        let bound = self.max_relative_update.unwrap_or(0.0);
        if !bound.is_finite() || bound < 0.0 {
            return Err(Error::setting("training.max_relative_update", bound, "must be at least 0, and finite"));
        }
        if self.weight_averaging && !self.precise_bn {
            let problem = "averaged weights need recomputed batch-norm statistics: keep training.precise_bn on, or set \
                           this to false too";
            return Err(Error::setting("training.weight_averaging", true, problem));
        }
        Ok(())
    }
}

/// An event to log.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SupervisedEvent {
    /// Some updates were made.
    Update {
        /// The current epoch, from 1.
        epoch: u64,
        /// Updates so far.
        step: u64,
        /// Mean loss of the mixture over the updates since the previous record, in nats.
        loss: f64,
        /// The Switch's posterior over the heads, `[K]`.
        posterior: Vec<f64>,
        /// Number of exploded units of the body.
        exploded_units: usize,
    },
    /// The end of an epoch.
    Epoch {
        /// The epoch, from 1.
        epoch: u64,
        /// Updates so far.
        step: u64,
        /// Training metrics; accuracies are measured on every tenth batch.
        train: Metrics,
        /// Validation metrics.
        validation: Metrics,
        /// Test metrics, if a test was due.
        #[serde(skip_serializing_if = "Option::is_none")]
        test: Option<Box<Metrics>>,
        /// Whether the validation loss is the best so far.
        best: bool,
    },
    /// A corrupt file, whose image is skipped from now on.
    #[serde(rename = "skipped_file")]
    SkippedFile {
        /// Updates so far.
        step: u64,
        /// The file and its problem.
        #[serde(flatten)]
        file: SkippedFile,
        /// The number of skipped files so far.
        count: usize,
    },
}

/// The reason why [`SupervisedTrainer::advance`] returned.
#[derive(Clone, Debug, PartialEq)]
pub enum SupervisedStopReason {
    /// There is an event to log.
    Event(SupervisedEvent),
    /// A checkpoint is due: call [`save`](SupervisedTrainer::save).
    Checkpoint,
    /// Training has finished.
    Finished,
}

/// The best epoch so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestEpoch {
    /// The epoch, from 1.
    pub epoch: u64,
    /// The validation loss, in nats.
    #[serde(deserialize_with = "null_as_nan")]
    pub loss: f64,
}

/// What is called before each batch of an evaluation: with the split, the finished batches and the number of all batches.
pub type Watch = Box<dyn FnMut(Split, u64, u64)>;

/// A trainer of a supervised model.
pub struct SupervisedTrainer {
    schedule: TrainingSettings,
    data: Data,
    /// the trained network
    network: Network<Model>,
    /// the averaged network, if it is evaluated instead
    average: Option<Network<Model>>,
    learner: Learner,
    graphed: GraphedPasses,
    progress: Progress,
    /// the remaining batches of the current epoch
    batches: Option<Batches>,
    /// the recurrent state of a language model
    state: Option<LstmState>,
    since_log: MetricAccumulator,
    since_epoch: MetricAccumulator,
    saved: Instant,
    checkpoint_requested: fn() -> bool,
    watch: Watch,
    pending: VecDeque<SupervisedStopReason>,
    device: Device,
}

/// The changing state of a training run besides its tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Progress {
    /// finished epochs
    epochs: u64,
    /// finished batches of the current epoch
    batches: u64,
    samples: u64,
    best: Option<BestEpoch>,
    dropout: Stream,
    /// skipped files, by their paths in the dataset
    skipped_files: BTreeSet<String>,
}

/// The state of a [`SupervisedTrainer`] besides its tensors, for checkpoints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SupervisedTrainerState {
    progress: Progress,
    since_log: Vec<f64>,
    since_epoch: Vec<f64>,
}

impl SupervisedTrainer {
    /// Creates a trainer of `network` on `data` with `method`; `seed` determines all further random draws.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Core`] if a setting is invalid.
    pub fn new(
        schedule: &TrainingSettings,
        data: Data,
        network: Network<Model>,
        method: &Method,
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        schedule.check()?;
        let mut method = method.clone();
        method.max_relative_update = schedule.max_relative_update.or(method.max_relative_update);
        if schedule.lr_schedule == LrScheduleKind::Cosine {
            method.lr_schedule.decay = Decay::Cosine { updates: schedule.max_epochs * data.num_batches(Split::Train) };
        }
        let learner = Learner::new(&method, &network, &mut stream(seed, "rates"))?;
        Ok(SupervisedTrainer {
            schedule: schedule.clone(),
            data,
            average: schedule.weight_averaging.then(|| network.copy()),
            network,
            learner,
            graphed: GraphedPasses::new(device),
            progress: Progress {
                epochs: 0,
                batches: 0,
                samples: 0,
                best: None,
                dropout: stream(seed, "dropout"),
                skipped_files: BTreeSet::new(),
            },
            batches: None,
            state: None,
            since_log: MetricAccumulator::new(device),
            since_epoch: MetricAccumulator::new(device),
            saved: Instant::now(),
            checkpoint_requested: || false,
            watch: Box::new(|_, _, _| {}),
            pending: VecDeque::new(),
            device,
        })
    }

    /// Trains until the next stop reason.
    ///
    /// # Errors
    /// [`Error::Core`] if training diverged; a data error if a batch can't be read.
    pub fn advance(&mut self) -> Result<SupervisedStopReason, Error> {
        while self.pending.is_empty() && !self.is_done() {
            self.step()?;
        }
        Ok(self.pending.pop_front().unwrap_or(SupervisedStopReason::Finished))
    }

    /// Has `requested` called after each batch, also of evaluations; if it returns true, a checkpoint is due. The
    /// evaluations after an epoch are broken off for it, and made again when the training goes on.
    pub fn checkpoint_when(&mut self, requested: fn() -> bool) {
        self.checkpoint_requested = requested;
    }

    /// Has `watch` called before each batch of an evaluation.
    pub fn watch_evaluations(&mut self, watch: Watch) {
        self.watch = watch;
    }

    /// Returns the best epoch so far.
    pub fn best(&self) -> Option<BestEpoch> {
        self.progress.best
    }

    /// Returns the network to evaluate, with averaged or current weights; the best checkpoint stores it.
    pub fn eval_network(&self) -> &Network<Model> {
        self.average.as_ref().unwrap_or(&self.network)
    }

    /// Returns the dataset.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Returns the number of finished epochs.
    pub fn epochs(&self) -> u64 {
        self.progress.epochs
    }

    /// Returns the number of finished epochs, with the fraction of the current one.
    pub fn fractional_epochs(&self) -> f64 {
        self.progress.epochs as f64 + self.progress.batches as f64 / self.data.num_batches(Split::Train) as f64
    }

    /// Returns the number of training samples so far: images, characters or words.
    pub fn samples(&self) -> u64 {
        self.progress.samples
    }

    /// Returns the number of updates so far.
    pub fn updates(&self) -> u64 {
        self.learner.updates()
    }

    /// Diagnoses the learning rates.
    pub fn diagnose(&self) -> LrDiagnostics {
        self.learner.diagnose(&self.network)
    }

    /// Returns the final state of every unit, compared with the initial network `first`; none if units have no learning
    /// rates of their own.
    pub fn units(&self, first: &Network<Model>) -> Option<Units> {
        self.learner.units(&self.network, first)
    }

    /// Reads all test data once, so that corrupt files are known before the training rather than after it.
    ///
    /// # Errors
    /// A file can't be read; [`Error::TooManyCorrupt`].
    pub fn check_test_data(&mut self) -> Result<(), Error> {
        let all = self.data.num_batches(Split::Test);
        for (done, batch) in (0..).zip(self.data.batches(Split::Test, 0, 0)) {
            (self.watch)(Split::Test, done, all);
            self.skip_files(batch?.skipped_files)?;
        }
        Ok(())
    }

    /// Returns the number of skipped files so far.
    pub fn skipped_files(&self) -> usize {
        self.progress.skipped_files.len()
    }

    /// Tests `network`, and returns the files, too, that are skipped for the first time; `watch` is called before each
    /// batch.
    ///
    /// # Errors
    /// A batch can't be read; [`Error::TooManyCorrupt`].
    pub fn test(
        &self,
        network: &Network<Model>,
        mut watch: impl FnMut(Split, u64, u64),
    ) -> Result<(Metrics, Vec<SkippedFile>), Error> {
        let (mut done, all) = (0, self.data.num_batches(Split::Test));
        let mut go_on = || {
            watch(Split::Test, done, all);
            done += 1;
            true
        };
        let batches = self.data.batches(Split::Test, 0, 0);
        let evaluated = evaluate(network, batches, self.data.metric_kind(), self.device, &mut go_on)?;
        let (scores, mut skipped_files) = evaluated.expect("it went on");
        let before = &self.progress.skipped_files;
        skipped_files.retain(|file| !before.contains(&self.data.name_of(&file.path)));
        self.check_skipped(before.len() + skipped_files.len(), skipped_files.last())?;
        Ok((scores, skipped_files))
    }

    /// Returns everything needed to resume. Call it at a [`SupervisedStopReason::Checkpoint`], after all events.
    pub fn save(&self) -> (StateDict, SupervisedTrainerState) {
        assert!(self.pending.is_empty(), "events would be lost");
        let mut tensors = StateDict::default();
        self.network.save("network", &mut tensors);
        if let Some(average) = &self.average {
            average.save("average", &mut tensors);
        }
        self.learner.save(&self.network, "learner", &mut tensors);
        if let Some((h, c)) = &self.state {
            tensors.insert("state.h", h);
            tensors.insert("state.c", c);
        }
        let (since_log, since_epoch) = (self.since_log.numbers(), self.since_epoch.numbers());
        (tensors, SupervisedTrainerState { progress: self.progress.clone(), since_log, since_epoch })
    }

    /// Restores the state written by `save` of a training run with the same settings.
    ///
    /// # Errors
    /// [`Error::Core`] if the state is of another network.
    pub fn load(&mut self, tensors: &StateDict, saved: SupervisedTrainerState) -> Result<(), Error> {
        if self.heads_pruned(&saved.progress) {
            self.learner.prune_heads(&mut self.network, 0.0); // so that both have one head
        }
        self.network.load("network", tensors)?;
        if let Some(average) = &mut self.average {
            average.load("average", tensors)?;
        }
        self.learner.load(&self.network, "learner", tensors)?;
        let in_epoch = matches!(self.network.body(), Model::Text(_)) && saved.progress.batches > 0;
        if in_epoch {
            let part = |name| Ok::<_, Error>(tensors.get(name, &[-1, -1, -1])?.to_device(self.device));
            self.state = Some((part("state.h")?, part("state.c")?));
        }
        self.since_log = MetricAccumulator::of(&saved.since_log, self.device);
        self.since_epoch = MetricAccumulator::of(&saved.since_epoch, self.device);
        self.progress = saved.progress;
        self.batches = None;
        Ok(())
    }

    /// Returns whether heads have been pruned, which happens at the first batch after `prune_heads_after`.
    fn heads_pruned(&self, Progress { epochs, batches, .. }: &Progress) -> bool {
        let after = self.schedule.prune_heads_after;
        after > 0 && (*epochs > after || *epochs == after && *batches > 0)
    }

    fn is_done(&self) -> bool {
        let Progress { epochs, best, .. } = &self.progress;
        // until a loss is finite, patience counts from the first epoch
        let since_best = epochs - best.map_or(0, |best| best.epoch);
        *epochs >= self.schedule.max_epochs || since_best >= self.schedule.patience
    }

    /// Trains on a batch or ends an epoch, and schedules a checkpoint if one is due.
    fn step(&mut self) -> Result<(), Error> {
        let Progress { epochs, batches, .. } = self.progress;
        let remaining = self.batches.get_or_insert_with(|| self.data.batches(Split::Train, epochs, batches));
        let broken_off = match remaining.next() {
            Some(batch) => {
                self.learn(batch?.to_device(self.device))?;
                false
            }
            None => !self.end_epoch()?,
        };
        if self.saved.elapsed() >= Duration::from_secs(self.schedule.checkpoint_seconds)
            || self.progress.batches == 0
            || broken_off
            || (self.checkpoint_requested)()
        {
            self.saved = Instant::now();
            self.pending.push_back(SupervisedStopReason::Checkpoint);
        }
        Ok(())
    }

    fn learn(&mut self, batch: Batch) -> Result<(), Error> {
        self.skip_files(batch.skipped_files)?;
        self.progress.batches += 1;
        // not at the end of the previous epoch, whose validated network may become the best checkpoint
        if self.network.heads().k() > 1
            && self.heads_pruned(&self.progress)
            && let Some(head) = self.learner.prune_heads(&mut self.network, 0.0)
            && let Some(average) = &mut self.average
        {
            let _ = average.prune_to_head(head);
        }
        if matches!(self.network.body(), Model::Image(_)) && batch.y.size()[0] < 2 {
            return Ok(()); // too few images remain for batch normalization
        }
        self.network.body().check(&batch.x)?;
        let before = self.state.take();
        let (pass, after) = noise::with_seed(self.progress.dropout.random(), || {
            model::pass_with_state(&self.network, &mut self.graphed, &batch.x, before.as_ref())
        });
        self.state = after;
        if (self.progress.batches - 1).is_multiple_of(ACCURACY_EVERY) {
            self.since_epoch.add_hits(&self.network.log_probabilities_of(&pass), &batch.y);
        }
        let report = self.learner.step(&mut self.network, &pass, &Categorical, &batch.y)?;
        if let Some(average) = &mut self.average {
            average.soft_update(
                &self.network,
                (AVERAGING_POWER + 1.0) / (AVERAGING_POWER + self.learner.updates() as f64),
            );
        }
        let samples = batch.y.size()[0];
        self.since_log.add_loss(&report.loss, samples);
        self.since_epoch.add_loss(&report.loss, samples);
        self.progress.samples += samples as u64;
        if self.learner.updates().is_multiple_of(self.schedule.log_every) {
            self.emit_update();
        }
        Ok(())
    }

    /// Emits events for newly skipped files.
    fn skip_files(&mut self, files: Vec<SkippedFile>) -> Result<(), Error> {
        for file in files {
            if self.progress.skipped_files.insert(self.data.name_of(&file.path)) {
                let count = self.progress.skipped_files.len();
                self.check_skipped(count, Some(&file))?;
                self.pending.push_back(SupervisedStopReason::Event(SupervisedEvent::SkippedFile {
                    step: self.learner.updates(),
                    file,
                    count,
                }));
            }
        }
        Ok(())
    }

    /// Checks that not too many files are skipped.
    fn check_skipped(&self, count: usize, last: Option<&SkippedFile>) -> Result<(), Error> {
        last.map_or(Ok(()), |last| check_skipped(count, self.data.images(), last))
    }

    fn emit_update(&mut self) {
        let accumulator = std::mem::replace(&mut self.since_log, MetricAccumulator::new(self.device));
        self.pending.push_back(SupervisedStopReason::Event(SupervisedEvent::Update {
            epoch: self.progress.epochs + 1,
            step: self.learner.updates(),
            loss: accumulator.metrics(MetricKind::Loss).loss,
            posterior: self.learner.posterior(),
            exploded_units: self.learner.exploded_units(&self.network),
        }));
    }

    /// Evaluates and ends the epoch; returns false if the evaluation was broken off, and the epoch hasn't ended.
    fn end_epoch(&mut self) -> Result<bool, Error> {
        let kind = self.data.metric_kind();
        let epoch = self.progress.epochs + 1;
        if self.schedule.precise_bn {
            self.recompute_bn_stats(epoch)?;
        }
        let Some(validation) = self.evaluate(Split::Validation)? else { return Ok(false) };
        let test_is_due = self.schedule.test_every > 0 && epoch.is_multiple_of(self.schedule.test_every);
        let test = match test_is_due {
            true => match self.evaluate(Split::Test)? {
                Some(test) => Some(Box::new(test)),
                None => return Ok(false),
            },
            false => None,
        };
        let train = std::mem::replace(&mut self.since_epoch, MetricAccumulator::new(self.device)).metrics(kind);
        self.progress.epochs = epoch;
        self.progress.batches = 0;
        (self.batches, self.state) = (None, None);
        let best = validation.loss.is_finite() && self.progress.best.is_none_or(|best| validation.loss < best.loss);
        if best {
            self.progress.best = Some(BestEpoch { epoch, loss: validation.loss });
        }
        let step = self.learner.updates();
        self.pending.push_back(SupervisedStopReason::Event(SupervisedEvent::Epoch {
            epoch,
            step,
            train,
            validation,
            test,
            best,
        }));
        Ok(true)
    }

    /// Recomputes batch-norm statistics from the first images of an epoch.
    fn recompute_bn_stats(&mut self, epoch: u64) -> Result<(), Error> {
        let Data::Images(data) = &self.data else { return Ok(()) };
        let network = self.average.as_mut().unwrap_or(&mut self.network);
        if !network.parameters().has_buffers() {
            return Ok(());
        }
        let batches = data.batches(Split::Train, epoch, 0).take(BN_IMAGES.div_ceil(data.batch_size));
        let images = batches.map(|batch| batch.map(|batch| batch.to_device(self.device).x));
        let enough = images.filter(|x| x.as_ref().map_or(true, |x| x.size()[0] > 1));
        noise::with_seed(0, || network.recompute_bn_stats(enough))
    }

    /// Evaluates the network on a split, and skips its corrupt files from now on; none if a checkpoint was requested
    /// meanwhile.
    fn evaluate(&mut self, split: Split) -> Result<Option<Metrics>, Error> {
        let network = self.average.as_ref().unwrap_or(&self.network);
        let (mut done, all) = (0, self.data.num_batches(split));
        let (watch, requested) = (&mut self.watch, self.checkpoint_requested);
        let mut go_on = || {
            watch(split, done, all);
            done += 1;
            !requested()
        };
        let batches = self.data.batches(split, 0, 0);
        let evaluated = evaluate(network, batches, self.data.metric_kind(), self.device, &mut go_on)?;
        let Some((scores, skipped_files)) = evaluated else { return Ok(None) };
        self.skip_files(skipped_files)?;
        Ok(Some(scores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ImageDataLoader, ImageDataset, Symbol, Text};
    use crate::networks::{Architecture, ChannelStats, ComputeSettings, ImageModel, LanguageModel};
    use alrao_core::parameters::ParameterBuilder;
    use std::sync::Arc;
    use tch::Kind;

    /// Creates a trainer on the repeated alphabet, in 4 streams with 10 characters per batch.
    fn training(schedule: &TrainingSettings, method: &Method) -> SupervisedTrainer {
        tch::set_num_threads(1);
        let folder = tempfile::tempdir().unwrap();
        let alphabet = "abcdefghijklmnopqrstuvwxyz";
        for (name, times) in [("train", 20), ("valid", 4), ("test", 4)] {
            std::fs::write(folder.path().join(format!("ptb.{name}.txt")), alphabet.repeat(times)).unwrap();
        }
        let data = Data::Text(Text::read(folder.path(), Symbol::Character, 4, 10).unwrap());
        let model = |b: &mut ParameterBuilder| Model::Text(LanguageModel::new(b, 26, 0.2));
        let float = (Kind::Float, Device::Cpu);
        let network = Network::new(model, method.num_heads, 26, &mut stream(0, "weights"), float).unwrap();
        SupervisedTrainer::new(schedule, data, network, method, 0, Device::Cpu).unwrap()
    }

    /// 40 dark and bright images of 8 by 8 pixels; the first `corrupt` training images are corrupt.
    struct DarkAndBright {
        corrupt: usize,
    }

    impl ImageDataset for DarkAndBright {
        fn side(&self) -> usize {
            8
        }

        fn classes(&self) -> usize {
            2
        }

        fn channel_stats(&self) -> ChannelStats {
            ChannelStats { mean: [0.5; 3], std: [0.5; 3] }
        }

        fn labels(&self, _: Split) -> &[u16] {
            const LABELS: [u16; 40] = {
                let mut labels = [0; 40];
                let mut i = 0;
                while i < labels.len() {
                    labels[i] = (i as u16 * 5 / 3) % 2;
                    i += 1;
                }
                labels
            };
            &LABELS
        }

        fn image(&self, split: Split, index: usize, draws: Option<&mut Stream>, to: &mut [u8]) -> Result<(), Error> {
            if split == Split::Train && index < self.corrupt {
                return Err(Error::file(format!("{index}.jpg").as_ref(), "truncated"));
            }
            let noise = draws.map_or(0, |draws| draws.random_range(0..30));
            let class = self.labels(split)[index] as u8;
            to.iter_mut().enumerate().for_each(|(i, pixel)| *pixel = 120 * class + (i % 60) as u8 + noise);
            Ok(())
        }
    }

    fn image_training(schedule: &TrainingSettings, corrupt: usize) -> SupervisedTrainer {
        tch::set_num_threads(1);
        let images = DarkAndBright { corrupt };
        let (channel_stats, computation) = (images.channel_stats(), ComputeSettings::default());
        let model = |b: &mut ParameterBuilder| {
            let architecture = Architecture::MobileNet;
            Model::Image(ImageModel::new(b, architecture, 0.25, channel_stats, computation, Device::Cpu))
        };
        let (method, float) = (Method::alrao(), (Kind::Float, Device::Cpu));
        let network = Network::new(model, method.num_heads, 2, &mut stream(0, "weights"), float).unwrap();
        let data = Data::Images(ImageDataLoader { images: Arc::new(images), batch_size: 8, max_images: None, seed: 0 });
        SupervisedTrainer::new(schedule, data, network, &method, 0, Device::Cpu).unwrap()
    }

    #[test]
    fn training_on_images_learns_and_resumes_identically() {
        let schedule = TrainingSettings { max_epochs: 20, log_every: 3, checkpoint_seconds: 1, ..Default::default() };
        let whole = events_of(image_training(&schedule, 0), None);
        let again = events_of(image_training(&schedule, 0), Some(&|| image_training(&schedule, 0)));
        assert_eq!(whole.1, again.1);
        assert_eq!(whole.0.eval_network().parameters().theta(), again.0.eval_network().parameters().theta());
        let accuracies = whole.1.iter().filter_map(|event| match event {
            SupervisedEvent::Epoch { validation, .. } => Some(validation.top1),
            _ => None,
        });
        assert_eq!(accuracies.fold(0.0, f64::max), 1.0, "the best epoch, because batches of eight are noisy");
    }

    #[test]
    fn precise_bn_changes_predictions_but_not_training() {
        let end = |precise_bn| {
            let schedule =
                TrainingSettings { max_epochs: 3, precise_bn, weight_averaging: false, ..Default::default() };
            let (training, events) = events_of(image_training(&schedule, 0), None);
            let losses = events.into_iter().filter_map(|event| match event {
                SupervisedEvent::Epoch { train, validation, .. } => Some((train.loss, validation.loss)),
                _ => None,
            });
            (losses.collect::<Vec<_>>(), training)
        };
        let ((precise, of_precise), (running, of_running)) = (end(true), end(false));
        assert_eq!(of_precise.eval_network().parameters().theta(), of_running.eval_network().parameters().theta());
        for (precise, running) in precise.into_iter().zip(running) {
            assert_eq!(precise.0, running.0);
            assert_ne!(precise.1, running.1);
        }
    }

    #[test]
    fn corrupt_images_are_logged_once_and_too_many_are_an_error() {
        let schedule = TrainingSettings { max_epochs: 3, ..Default::default() };
        let (_, events) = events_of(image_training(&schedule, 1), None);
        let skipped = events.iter().filter_map(|event| match event {
            SupervisedEvent::SkippedFile { file, count, .. } => Some((file.path.clone(), *count)),
            _ => None,
        });
        assert_eq!(skipped.collect::<Vec<_>>(), [("0.jpg".into(), 1)]);

        let mut training = image_training(&schedule, 2);
        let error = loop {
            match training.advance() {
                Ok(reason) => assert_ne!(reason, SupervisedStopReason::Finished),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.starts_with("2 of 120 images are corrupt") && error.ends_with(".jpg: truncated"), "{error}");
    }

    #[test]
    fn an_evaluation_that_was_broken_off_is_made_again() {
        thread_local! {
            static ASKED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
        }
        fn requested() -> bool {
            ASKED.set(ASKED.get() + 1);
            ASKED.get().is_multiple_of(4)
        }
        let schedule = TrainingSettings { max_epochs: 12, log_every: 3, test_every: 2, ..Default::default() };
        let whole = events_of(image_training(&schedule, 1), None).1;
        let (mut training, mut events, mut broken_off) = (image_training(&schedule, 1), Vec::new(), 0);
        training.checkpoint_when(requested);
        loop {
            match training.advance().unwrap() {
                SupervisedStopReason::Event(event) => events.push(event),
                SupervisedStopReason::Checkpoint => {
                    let (tensors, state) = training.save();
                    broken_off += usize::from(state.progress.batches == training.data().num_batches(Split::Train));
                    training = image_training(&schedule, 1);
                    training.load(&tensors, state).unwrap();
                    training.checkpoint_when(requested);
                }
                SupervisedStopReason::Finished => break,
            }
        }
        assert!(broken_off > 3, "{broken_off}");
        assert_eq!(events, whole);
    }

    /// Trains to the end and returns the events. If `begin` is given, each checkpoint is saved and loaded into a new trainer
    /// from `begin`.
    fn events_of(
        mut training: SupervisedTrainer,
        begin: Option<&dyn Fn() -> SupervisedTrainer>,
    ) -> (SupervisedTrainer, Vec<SupervisedEvent>) {
        let mut events = Vec::new();
        let at_once = |training: &mut SupervisedTrainer| training.saved -= Duration::from_secs(1);
        if begin.is_some() {
            at_once(&mut training); // so that each batch ends with a checkpoint
        }
        loop {
            match (training.advance().unwrap(), begin) {
                (SupervisedStopReason::Event(event), _) => events.push(event),
                (SupervisedStopReason::Checkpoint, Some(begin)) => {
                    let (tensors, state) = training.save();
                    let state: SupervisedTrainerState =
                        serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
                    training = begin();
                    training.load(&tensors, state).unwrap();
                    at_once(&mut training);
                }
                (SupervisedStopReason::Checkpoint, None) => {}
                (SupervisedStopReason::Finished, _) => return (training, events),
            }
        }
    }

    /// Trains on the alphabet and returns the events.
    fn events(
        schedule: &TrainingSettings,
        method: &Method,
        interrupted: bool,
    ) -> (SupervisedTrainer, Vec<SupervisedEvent>) {
        let begin = || training(schedule, method);
        events_of(begin(), interrupted.then_some(&begin as &dyn Fn() -> SupervisedTrainer))
    }

    #[test]
    fn training_on_text_learns_with_default_settings() {
        let schedule = TrainingSettings { max_epochs: 40, log_every: 26, ..Default::default() };
        let (training, events) = events(&schedule, &Method::alrao(), false);
        let validation = |event: &SupervisedEvent| match event {
            SupervisedEvent::Epoch { validation, .. } => Some(*validation),
            _ => None,
        };
        let metrics: Vec<Metrics> = events.iter().filter_map(validation).collect();
        assert_eq!((metrics.len(), events.len()), (40, 40 + 40 * 13 / 26));
        assert!(metrics[0].bits_per_char.unwrap() > 4.0, "{:?}", metrics[0]);
        assert!(metrics[39].top1 > 0.9, "{:?}", metrics[39]);
        let (test, _) = training.test(training.eval_network(), |_, _, _| {}).unwrap();
        assert!((test.loss - metrics[39].loss).abs() < 1e-12, "the same text");
    }

    #[test]
    fn the_bound_on_updates_is_the_settings_or_else_the_methods() {
        let bound = |given, method: &Method| {
            let settings = TrainingSettings { max_relative_update: given, ..Default::default() };
            training(&settings, method).learner.method().max_relative_update
        };
        let (alrao, adam) = (Method::alrao(), Method::alrao_adam());
        assert_eq!([bound(None, &alrao), bound(None, &adam)], [None, adam.max_relative_update]);
        assert_eq!([bound(Some(0.1), &alrao), bound(Some(0.0), &adam)], [Some(0.1), Some(0.0)]);
        for invalid in [-0.1, f64::NAN, f64::INFINITY] {
            let settings = TrainingSettings { max_relative_update: Some(invalid), ..Default::default() };
            let message = settings.check().unwrap_err().to_string();
            assert!(message.contains("training.max_relative_update") && message.contains("at least 0"), "{message}");
        }
    }

    #[test]
    fn epochs_are_tested_every_test_every_epochs() {
        let test = |event: &SupervisedEvent| match event {
            SupervisedEvent::Epoch { validation, test, .. } => Some((*validation, test.clone())),
            _ => None,
        };
        for (test_every, expected) in [(0, [false; 4]), (1, [true; 4]), (2, [false, true, false, true])] {
            let schedule = TrainingSettings { max_epochs: 4, test_every, ..Default::default() };
            let (_, events) = events(&schedule, &Method::alrao(), false);
            let metrics: Vec<_> = events.iter().filter_map(test).collect();
            assert_eq!(metrics.iter().map(|(_, test)| test.is_some()).collect::<Vec<_>>(), expected);
            assert!(
                metrics.iter().all(|(validation, test)| test.as_ref().is_none_or(|test| **test == *validation)),
                "the same text"
            );
        }
    }

    #[test]
    fn an_interrupted_training_resumes_identically() {
        let schedule = TrainingSettings { max_epochs: 2, log_every: 5, checkpoint_seconds: 1, ..Default::default() };
        let (whole, expected) = events(&schedule, &Method::alrao(), false);
        let (again, found) = events(&schedule, &Method::alrao(), true);
        assert_eq!(found, expected);
        assert_eq!(again.eval_network().parameters().theta(), whole.eval_network().parameters().theta());
    }

    /// Expected: the weights after update t have weight `t (t+1) .. (t+7)` in the average.
    #[test]
    fn weight_averaging_equals_the_explicit_average_and_does_not_change_training() {
        let averaged = TrainingSettings { max_epochs: 2, weight_averaging: true, ..Default::default() };
        let (unaveraged, _) =
            events(&TrainingSettings { weight_averaging: false, ..averaged.clone() }, &Method::alrao(), false);
        let mut training = training(&averaged, &Method::alrao());
        let (mut sum, mut weights) = (training.network.parameters().theta().zeros_like().to_kind(Kind::Double), 0.0);
        for update in 1..=20 {
            while training.updates() < update {
                training.step().unwrap();
            }
            let t = update as f64;
            let weight: f64 = (0..8).map(|i| t + f64::from(i)).product();
            (sum, weights) =
                (sum + training.network.parameters().theta().to_kind(Kind::Double) * weight, weights + weight);
        }
        let distance = (training.eval_network().parameters().theta() - sum / weights).abs().max().double_value(&[]);
        let moved = (training.eval_network().parameters().theta() - training.network.parameters().theta()).abs().max();
        assert!(distance < 1e-5 && moved.double_value(&[]) > 1e-3, "{distance}");
        while training.advance().unwrap() != SupervisedStopReason::Finished {}
        assert_eq!(training.network.parameters().theta(), unaveraged.network.parameters().theta());
    }

    #[test]
    fn averaged_weights_resume_identically_also_with_pruned_heads() {
        let schedule = TrainingSettings {
            max_epochs: 3,
            prune_heads_after: 1,
            weight_averaging: true,
            checkpoint_seconds: 1,
            ..Default::default()
        };
        let (whole, expected) = events(&schedule, &Method::alrao(), false);
        let (again, found) = events(&schedule, &Method::alrao(), true);
        assert_eq!((found, whole.eval_network().heads().k()), (expected, 1));
        assert_eq!(again.eval_network().parameters().theta(), whole.eval_network().parameters().theta());
        let images =
            TrainingSettings { max_epochs: 3, weight_averaging: true, checkpoint_seconds: 1, ..Default::default() };
        let whole = events_of(image_training(&images, 0), None).1;
        assert_eq!(events_of(image_training(&images, 0), Some(&|| image_training(&images, 0))).1, whole);

        let running = TrainingSettings { weight_averaging: true, precise_bn: false, ..Default::default() };
        let error = running.check().unwrap_err().to_string();
        assert!(error.contains("training.weight_averaging = true") && error.contains("training.precise_bn"), "{error}");
    }

    #[test]
    fn heads_are_pruned_after_an_epoch_also_in_a_resumed_training() {
        let schedule = TrainingSettings {
            max_epochs: 3,
            log_every: 5,
            prune_heads_after: 1,
            checkpoint_seconds: 1,
            ..Default::default()
        };
        let (whole, expected) = events(&schedule, &Method::alrao(), false);
        let heads = |event: &SupervisedEvent| match event {
            SupervisedEvent::Update { epoch, posterior, .. } => Some((*epoch, posterior.len())),
            _ => None,
        };
        let heads: BTreeSet<_> = expected.iter().filter_map(heads).collect();
        assert_eq!(heads, [(1, 10), (2, 1), (3, 1)].into());
        assert_eq!(events(&schedule, &Method::alrao(), true).1, expected);

        let mut saved = StateDict::default();
        whole.eval_network().save("network", &mut saved);
        let mut fresh = training(&schedule, &Method::alrao());
        fresh.network.load("network", &saved).unwrap();
        assert_eq!(
            fresh.test(&fresh.network, |_, _, _| {}).unwrap(),
            whole.test(whole.eval_network(), |_, _, _| {}).unwrap()
        );
    }

    #[test]
    fn the_cosine_schedule_reaches_zero_at_the_last_epoch() {
        let schedule = TrainingSettings { max_epochs: 2, lr_schedule: LrScheduleKind::Cosine, ..Default::default() };
        let training = training(&schedule, &Method::alrao());
        let updates = 2 * training.data.num_batches(Split::Train);
        let factor = |update| training.learner.method().lr_schedule.factor(update);
        assert_eq!((factor(0), factor(updates)), (1.0, 0.0));
        assert!((factor(updates / 2) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn training_stops_early_without_a_better_validation_loss() {
        let schedule = TrainingSettings { patience: 3, ..Default::default() };
        // such a small learning rate changes no f32
        let (training, events) = events(&schedule, &Method::sgd(1e-30).unwrap(), false);
        assert_eq!((training.epochs(), training.best().unwrap().epoch), (4, 1));
        let best = |event: &SupervisedEvent| matches!(event, SupervisedEvent::Epoch { best: true, .. });
        assert_eq!(events.iter().filter(|event| best(event)).count(), 1);
    }
}
