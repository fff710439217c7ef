//! Whether an environment keeps its promises: [`check`], for the tests of whoever writes one.

use std::fmt;

use crate::{Action, Checked, Environment, EnvironmentError, Step};

/// Longest episode that is played, in environment steps.
const STEPS: u64 = 1000;
/// How many seeds are looked at for a difference.
const SEEDS: u64 = 8;
/// How far their episodes are followed.
const OPENING: u64 = 20;

/// What was seen of an environment that keeps its promises.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CheckReport {
    /// How many numbers an observation has.
    pub observation_len: usize,
    /// How many actions there are; 0 where they are continuous.
    pub action_count: usize,
    /// How many numbers a continuous action has; 0 where actions are numbered.
    pub action_len: usize,
    /// The lowest and the highest value at each place of an observation.
    pub observations: Vec<[f32; 2]>,
    /// The lowest and the highest reward.
    pub rewards: [f64; 2],
    /// What is allowed, but likely a mistake.
    pub warnings: Vec<CheckWarning>,
    /// How many steps random actions led to an end in; none if they did not in 1000, as where only a
    /// [`TimeLimit`](crate::TimeLimit) ends episodes.
    pub end: Option<u64>,
}

/// What is allowed, but likely a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckWarning {
    /// All of several seeds gave the same episode.
    SeedsAlike,
    /// Every episode was over after its first step.
    EndsAtOnce,
}

/// Which promise an environment breaks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckFailure {
    /// There is no environment to check.
    #[error("the environment can't be made")]
    Make(#[source] EnvironmentError),

    /// There is nothing to see, or not one way to act.
    #[error("{0}: there must be something to observe, and either numbered actions or continuous ones")]
    Empty(CheckShape),

    /// The environment announces now this shape, now that.
    #[error("announced were {first}, then {then}")]
    Shape {
        /// What was announced at first.
        first: CheckShape,
        /// What was announced later, or by another environment made in the same way.
        then: CheckShape,
    },

    /// A reset or a step failed that should not.
    #[error("seed {seed}, {}", .action.as_ref().map_or("reset".into(), |action| format!("action {action}")))]
    Failed {
        /// What the episode was reset with.
        seed: u64,
        /// The action that was taken; none if the reset failed.
        action: Option<Action<'static>>,
        /// What went wrong, and in which step.
        source: EnvironmentError,
    },

    /// The same seed and the same actions led elsewhere.
    #[error("seed {seed}, step {step}: {fresh} in a new environment, {other} in {}", told(*.used))]
    NotReproducible {
        /// What both episodes were reset with.
        seed: u64,
        /// Steps since the reset; 0 is the reset itself.
        step: u64,
        /// Whether the other environment was reset in the middle of another episode, so that something of it may be
        /// left; otherwise both were new.
        used: bool,
        /// What a new environment gave.
        fresh: String,
        /// What the other gave.
        other: String,
    },
}

/// What an environment announces of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckShape {
    /// How many numbers an observation has.
    pub observation_len: usize,
    /// How many actions there are.
    pub action_count: usize,
    /// How many numbers a continuous action has.
    pub action_len: usize,
}

/// Plays episodes of random actions with environments that `make` makes, and looks whether they can be counted on:
///
/// - observations have the announced length, always the same, and are finite, and so are rewards;
/// - every numbered action can be taken, or continuous ones between -1 and 1;
/// - an episode depends on its seed and its actions alone: not on chance, not on what the environment did before, not
///   even when it is reset in the middle of an episode.
///
/// ```
/// use alrao_envs::{Environment, EnvironmentError, Step, check};
///
/// /// Stay near 0 while the wind blows.
/// struct Walk { place: [f32; 1], wind: u64 }
///
/// impl Environment for Walk {
///     fn observation_len(&self) -> usize {
///         1
///     }
///     fn action_count(&self) -> usize {
///         2
///     }
///     fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
///         *self = Walk { place: [0.0], wind: seed };
///         Ok(())
///     }
///     fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
///         self.wind = self.wind.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
///         self.place[0] += [-1.0, 1.0][action] + [-1.0, 1.0][(self.wind >> 63) as usize];
///         let away = self.place[0].abs();
///         Ok(Step { reward: -f64::from(away), terminated: away > 5.0, truncated: false })
///     }
///     fn observation(&self) -> &[f32] {
///         &self.place
///     }
/// }
///
/// let report = check(|| Ok(Box::new(Walk { place: [0.0], wind: 0 })), 0)?;
/// assert_eq!((report.observation_len, report.action_count), (1, 2));
/// assert_eq!(report.warnings, []);
/// # Ok::<(), alrao_envs::CheckFailure>(())
/// ```
///
/// # Errors
/// The first broken promise.
pub fn check(
    make: impl Fn() -> Result<Box<dyn Environment>, EnvironmentError>,
    seed: u64,
) -> Result<CheckReport, CheckFailure> {
    let make = || Player::new(make().map_err(CheckFailure::Make)?);
    let mut player = make()?;
    let mut seen = Seen::default();
    let mut used = make()?;
    agree(&mut player, &mut used, seed, false, &mut seen)?;

    used.opening(seed)?; // this leaves most environments in the middle of an episode
    agree(&mut make()?, &mut used, seed.wrapping_add(1), true, &mut seen)?;

    let CheckShape { observation_len, action_count, action_len } = player.shape;
    for action in 0..action_count {
        player.reset(seed)?;
        player.step(&Action::Discrete(action))?;
    }

    let openings = (0..SEEDS).map(|i| player.opening(seed.wrapping_add(i))).collect::<Result<Vec<_>, _>>()?;
    let warnings = [
        (CheckWarning::SeedsAlike, openings.iter().all(|opening| *opening == openings[0])),
        (CheckWarning::EndsAtOnce, openings.iter().all(|opening| opening.len() == 2)),
    ];
    Ok(CheckReport {
        observation_len,
        action_count,
        action_len,
        observations: seen.observations,
        rewards: seen.rewards.unwrap_or_default(),
        end: seen.end,
        warnings: warnings.into_iter().filter_map(|(warning, holds)| holds.then_some(warning)).collect(),
    })
}

/// Plays an episode in two environments; it must be the same.
fn agree(fresh: &mut Player, other: &mut Player, seed: u64, used: bool, seen: &mut Seen) -> Result<(), CheckFailure> {
    if fresh.shape != other.shape {
        return Err(CheckFailure::Shape { first: fresh.shape, then: other.shape });
    }
    let mut moments = (fresh.reset(seed)?, other.reset(seed)?);
    for step in 0..=STEPS {
        seen.add(&moments.0, step);
        if let Some((fresh, other)) = difference(&moments.0, &moments.1) {
            return Err(CheckFailure::NotReproducible { seed, step, used, fresh, other });
        }
        if moments.0.ended() {
            break;
        }
        let action = fresh.shape.chance(seed, step);
        moments = (fresh.step(&action)?, other.step(&action)?);
    }
    Ok(())
}

/// An environment whose promises are watched.
struct Player {
    env: Checked<Box<dyn Environment>>,
    shape: CheckShape,
    seed: u64,
}

impl Player {
    fn new(env: Box<dyn Environment>) -> Result<Self, CheckFailure> {
        let shape = CheckShape::of(&env);
        if shape.observation_len == 0 || (shape.action_count == 0) == (shape.action_len == 0) {
            return Err(CheckFailure::Empty(shape));
        }
        Ok(Self { env: Checked::new(env), shape, seed: 0 })
    }

    fn reset(&mut self, seed: u64) -> Result<Moment, CheckFailure> {
        self.seed = seed;
        let reset = self.env.reset(seed);
        reset.map_err(|source| CheckFailure::Failed { seed, action: None, source })?;
        self.moment(None)
    }

    fn step(&mut self, action: &Action<'static>) -> Result<Moment, CheckFailure> {
        let failed = |source| CheckFailure::Failed { seed: self.seed, action: Some(action.clone()), source };
        let step = action.take(&mut self.env).map_err(failed)?;
        self.moment(Some(step))
    }

    fn moment(&self, step: Option<Step>) -> Result<Moment, CheckFailure> {
        let then = CheckShape::of(&self.env);
        if then != self.shape {
            return Err(CheckFailure::Shape { first: self.shape, then });
        }
        Ok(Moment { observation: self.env.observation().to_vec(), step })
    }

    /// The first moments of an episode, under actions that don't depend on the seed.
    fn opening(&mut self, seed: u64) -> Result<Vec<Moment>, CheckFailure> {
        let mut moments = vec![self.reset(seed)?];
        for t in 0..OPENING {
            moments.push(self.step(&self.shape.chance(0, t))?);
            if moments.last().is_some_and(Moment::ended) {
                break;
            }
        }
        Ok(moments)
    }
}

impl CheckShape {
    fn of(env: &impl Environment) -> Self {
        let (observation_len, action_count) = (env.observation_len(), env.action_count());
        Self { observation_len, action_count, action_len: env.action_len() }
    }

    /// The `t`-th action of a stream.
    fn chance(&self, stream: u64, t: u64) -> Action<'static> {
        if self.action_count > 0 {
            return Action::Discrete((mixed(stream, t) % self.action_count as u64) as usize);
        }
        let len = self.action_len as u64;
        let unit = |i| (mixed(stream, t * len + i) >> 40) as f32 / (1 << 24) as f32;
        Action::Continuous((0..len).map(|i| 2.0 * unit(i) - 1.0).collect())
    }
}

/// What there is after a reset, or after a step.
#[derive(PartialEq)]
struct Moment {
    observation: Vec<f32>,
    step: Option<Step>,
}

impl Moment {
    fn ended(&self) -> bool {
        self.step.is_some_and(|step| step.ended())
    }
}

/// The first thing in which two moments of the same kind differ, in words.
fn difference(a: &Moment, b: &Moment) -> Option<(String, String)> {
    let index = a.observation.iter().zip(&b.observation).position(|(a, b)| a != b);
    let observation = index.map(|i| [a, b].map(|moment| format!("observation[{i}] = {}", moment.observation[i])));
    let step = || (a.step != b.step).then(|| [a, b].map(|moment| format!("{:?}", moment.step)));
    observation.or_else(step).map(|[a, b]| (a, b))
}

fn told(used: bool) -> &'static str {
    if used { "one that was reset in the middle of an episode" } else { "another" }
}

/// The ranges of what was seen, and the first end.
#[derive(Default)]
struct Seen {
    observations: Vec<[f32; 2]>,
    rewards: Option<[f64; 2]>,
    end: Option<u64>,
}

impl Seen {
    fn add(&mut self, moment: &Moment, step: u64) {
        if self.observations.is_empty() {
            self.observations = moment.observation.iter().map(|&value| [value; 2]).collect();
        }
        for ([low, high], value) in self.observations.iter_mut().zip(&moment.observation) {
            *low = low.min(*value);
            *high = high.max(*value);
        }
        if let Some(Step { reward, .. }) = moment.step {
            let [low, high] = self.rewards.unwrap_or([reward; 2]);
            self.rewards = Some([low.min(reward), high.max(reward)]);
        }
        if moment.ended() {
            self.end.get_or_insert(step);
        }
    }
}

/// The `t`-th number of a stream, as SplitMix64 mixes it (Steele, Lea and Flood, 2014).
fn mixed(stream: u64, t: u64) -> u64 {
    let mut z = stream.wrapping_add((t + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { observation_len, action_count, action_len, rewards: [low, high], .. } = *self;
        writeln!(f, "{}", CheckShape { observation_len, action_count, action_len })?;
        writeln!(f, "rewards from {low} to {high}")?;
        for (i, [low, high]) in self.observations.iter().enumerate() {
            writeln!(f, "observation[{i}] from {low} to {high}")?;
        }
        match self.end {
            Some(step) => write!(f, "random actions led to an end in {step} steps")?,
            None => write!(f, "random actions led to no end in {STEPS} steps")?,
        }
        self.warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}

impl fmt::Display for CheckShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "observations of {} values, ", self.observation_len)?;
        match self.action_len {
            0 => write!(f, "{} actions", self.action_count),
            len => write!(f, "actions of {len} values"),
        }
    }
}

impl fmt::Display for CheckWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SeedsAlike => "all seeds gave the same episode",
            Self::EndsAtOnce => "every episode was over after its first step",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::error::Error;
    use std::rc::Rc;

    /// Which promise the environment breaks.
    #[derive(Clone, Copy, PartialEq)]
    enum Flaw {
        None,
        Shared,
        Leftover,
        Wider,
        NoSecondAction,
        NotFinite,
        NoSeed,
        OneStep,
    }

    /// Shows the seed, the steps of the episode, and what `flaw` adds.
    struct Flawed {
        flaw: Flaw,
        calls: Rc<Cell<u32>>,
        observation: Vec<f32>,
    }

    impl Environment for Flawed {
        fn observation_len(&self) -> usize {
            self.observation.len()
        }

        fn action_count(&self) -> usize {
            2
        }

        fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
            self.observation[0] = if self.flaw == Flaw::NoSeed { 0.0 } else { seed as f32 };
            if self.flaw != Flaw::Leftover || self.observation[1] >= 30.0 {
                self.observation[1] = 0.0;
            }
            Ok(())
        }

        fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
            self.calls.set(self.calls.get() + 1);
            self.observation[1] += 1.0;
            match self.flaw {
                Flaw::Shared => self.observation[0] += self.calls.get() as f32,
                Flaw::Wider if self.observation[1] == 4.0 => self.observation.push(0.0),
                Flaw::NoSecondAction if action == 1 => return Err(EnvironmentError::Other("jammed".into())),
                Flaw::NotFinite => self.observation[0] = f32::NAN,
                _ => {}
            }
            let last = if self.flaw == Flaw::OneStep { 1.0 } else { 30.0 };
            Ok(Step { reward: action as f64, terminated: self.observation[1] >= last, truncated: false })
        }

        fn observation(&self) -> &[f32] {
            &self.observation
        }
    }

    fn checked(flaw: Flaw) -> Result<CheckReport, CheckFailure> {
        let calls = Rc::new(Cell::new(0));
        check(|| Ok(Box::new(Flawed { flaw, calls: calls.clone(), observation: vec![0.0; 2] })), 5)
    }

    #[test]
    fn the_report_holds_what_was_seen() {
        let report = checked(Flaw::None).unwrap();
        assert_eq!((report.observation_len, report.action_count), (2, 2));
        assert_eq!(report.observations, [[5.0, 6.0], [0.0, 30.0]]);
        assert_eq!((report.rewards, report.end, &*report.warnings), ([0.0, 1.0], Some(30), &[][..]));
        assert_eq!(checked(Flaw::NoSeed).unwrap().warnings, [CheckWarning::SeedsAlike]);
        assert_eq!(checked(Flaw::OneStep).unwrap().warnings, [CheckWarning::EndsAtOnce]);
    }

    #[test]
    fn every_broken_promise_is_named() {
        let failure = |flaw| {
            let failure = checked(flaw).unwrap_err();
            let source = failure.source().map(|source| format!(": {source}"));
            format!("{failure}{}", source.unwrap_or_default())
        };
        assert_eq!(
            failure(Flaw::Shared),
            "seed 5, step 1: observation[0] = 6 in a new environment, observation[0] = 7 in another"
        );
        assert_eq!(
            failure(Flaw::Leftover),
            "seed 6, step 0: observation[1] = 0 in a new environment, \
             observation[1] = 20 in one that was reset in the middle of an episode"
        );
        assert_eq!(
            failure(Flaw::Wider),
            "announced were observations of 2 values, 2 actions, then observations of 3 values, 2 actions"
        );
        assert_eq!(failure(Flaw::NoSecondAction), "seed 5, action 1: jammed");
        assert!(failure(Flaw::NotFinite).ends_with("after step 1 the observation's value 0 is NaN"));
    }

    #[test]
    fn an_environment_needs_something_to_see() {
        let make = || {
            let calls = Rc::default();
            Ok(Box::new(Flawed { flaw: Flaw::None, calls, observation: vec![] }) as Box<dyn Environment>)
        };
        assert!(matches!(check(make, 0), Err(CheckFailure::Empty(CheckShape { observation_len: 0, .. }))));
        let make = || Err(EnvironmentError::StepBeforeReset);
        assert!(matches!(check(make, 0), Err(CheckFailure::Make(EnvironmentError::StepBeforeReset))));
    }
}
