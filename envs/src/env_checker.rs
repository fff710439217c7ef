//! Checks that an environment conforms to the API, for tests of custom environments: [`check_env`].

use std::fmt;

use crate::{Action, Environment, EnvironmentError, ObservationSpace, PassiveEnvChecker, Step};

/// The maximum length of an episode, in environment steps.
const MAX_STEPS: u64 = 1000;
/// The number of seeds that are compared.
const SEEDS: u64 = 8;
/// The number of environment steps that are compared between seeds.
const OPENING: u64 = 20;

/// The result of [`check_env`] for an environment that conforms to the API.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CheckReport {
    /// The observation and action spaces.
    pub spaces: EnvSpaces,
    /// The minimum and maximum of each value of the observations; false counts as 0 and true as 1.
    pub observations: Vec<[f32; 2]>,
    /// The minimum and maximum reward.
    pub rewards: [f64; 2],
    /// Likely mistakes.
    pub warnings: Vec<CheckWarning>,
    /// The length of the first episode with random actions that ended within 1000 steps, if one did. Environments without
    /// a terminal state have none unless a [`TimeLimit`](crate::TimeLimit) truncates episodes.
    pub episode_length: Option<u64>,
}

/// A likely mistake, which the API allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckWarning {
    /// All seeds gave the same episode.
    SeedIgnored,
    /// Every episode ended after its first step.
    OneStepEpisodes,
}

/// A violation of the API.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The environment can't be made.
    #[error("the environment can't be made")]
    Make(#[source] EnvironmentError),

    /// An empty observation space, or not exactly one action space.
    #[error("{0}: `obs_dim` must be above 0, and so must be exactly one of `num_actions` and `action_dim`")]
    InvalidSpaces(EnvSpaces),

    /// Spaces that change.
    #[error("the spaces were {first}, then {then}: they must not change")]
    SpacesChanged {
        /// The initial spaces.
        first: Box<EnvSpaces>,
        /// The spaces later, or of another instance of the environment.
        then: Box<EnvSpaces>,
    },

    /// A failed reset or step.
    #[error("seed {seed}, {}", .action.as_ref().map_or("reset".into(), |action| format!("action {action}")))]
    Failed {
        /// The seed of the episode.
        seed: u64,
        /// The action; none if the reset failed.
        action: Option<Action<'static>>,
        /// The environment's error.
        source: EnvironmentError,
    },

    /// Two different episodes with equal seeds and actions.
    #[error("seed {seed}, step {step}: {fresh} in a new environment, {other} in {}", describe(*.used))]
    NotReproducible {
        /// The seed of both episodes.
        seed: u64,
        /// Steps since the reset; 0 is the reset itself.
        step: u64,
        /// Whether the other environment was reset in the middle of an episode; otherwise both were new.
        used: bool,
        /// The result of a new environment.
        fresh: String,
        /// The result of the other environment.
        other: String,
    },
}

/// The observation and action spaces that an environment declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvSpaces {
    /// The number of an observation's values.
    pub obs_dim: usize,
    /// Shape and dtype of the observations.
    pub observations: ObservationSpace,
    /// The number of discrete actions; 0 if actions are continuous.
    pub num_actions: usize,
    /// The length of a continuous action; 0 if actions are discrete.
    pub action_dim: usize,
}

/// Checks with random actions that the environments returned by `make` conform to the API:
///
/// - observations have the declared length and dtype; observations and rewards are finite;
/// - an action mask has a value for each action and, before the end, a legal action;
/// - every legal discrete action is valid, or continuous actions from -1 to 1 are;
/// - an episode depends only on its seed and its actions, not on earlier episodes, even if it starts by a reset in the
///   middle of an episode.
///
/// ```
/// use alrao_envs::{Environment, EnvironmentError, Step, check_env};
///
/// /// A random walk that the agent keeps near 0.
/// struct Walk { place: [f32; 1], wind: u64 }
///
/// impl Environment for Walk {
///     fn obs_dim(&self) -> usize {
///         1
///     }
///     fn num_actions(&self) -> usize {
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
/// let report = check_env(|| Ok(Box::new(Walk { place: [0.0], wind: 0 })), 0)?;
/// assert_eq!((report.spaces.obs_dim, report.spaces.num_actions), (1, 2));
/// assert_eq!(report.warnings, []);
/// # Ok::<(), alrao_envs::CheckError>(())
/// ```
///
/// # Errors
/// The first violation.
pub fn check_env(
    make: impl Fn() -> Result<Box<dyn Environment>, EnvironmentError>,
    seed: u64,
) -> Result<CheckReport, CheckError> {
    let make = || Player::new(make().map_err(CheckError::Make)?);
    let mut player = make()?;
    let mut observed = Observed::default();
    let mut used = make()?;
    compare(&mut player, &mut used, seed, false, &mut observed)?;

    used.opening(seed)?; // this leaves most environments in the middle of an episode
    compare(&mut make()?, &mut used, seed.wrapping_add(1), true, &mut observed)?;

    for action in 0..player.spaces.num_actions {
        player.reset(seed)?;
        if player.env.action_mask().is_none_or(|mask| mask[action]) {
            player.step(&Action::Discrete(action))?;
        }
    }

    let openings = (0..SEEDS).map(|i| player.opening(seed.wrapping_add(i))).collect::<Result<Vec<_>, _>>()?;
    let warnings = [
        (CheckWarning::SeedIgnored, openings.iter().all(|opening| *opening == openings[0])),
        (CheckWarning::OneStepEpisodes, openings.iter().all(|opening| opening.len() == 2)),
    ];
    Ok(CheckReport {
        spaces: player.spaces,
        observations: observed.observations,
        rewards: observed.rewards.unwrap_or_default(),
        episode_length: observed.episode_length,
        warnings: warnings.into_iter().filter_map(|(warning, holds)| holds.then_some(warning)).collect(),
    })
}

/// Plays an episode in two environments and compares the results.
fn compare(
    fresh: &mut Player,
    other: &mut Player,
    seed: u64,
    used: bool,
    observed: &mut Observed,
) -> Result<(), CheckError> {
    if fresh.spaces != other.spaces {
        return Err(CheckError::SpacesChanged { first: fresh.spaces.into(), then: other.spaces.into() });
    }
    let mut outcomes = (fresh.reset(seed)?, other.reset(seed)?);
    for step in 0..=MAX_STEPS {
        observed.add(&outcomes.0, step);
        if let Some((fresh, other)) = difference(&outcomes.0, &outcomes.1) {
            return Err(CheckError::NotReproducible { seed, step, used, fresh, other });
        }
        if outcomes.0.ended() {
            break;
        }
        let action = fresh.random_action(seed, step);
        outcomes = (fresh.step(&action)?, other.step(&action)?);
    }
    Ok(())
}

/// An environment under check.
struct Player {
    env: PassiveEnvChecker<Box<dyn Environment>>,
    spaces: EnvSpaces,
    seed: u64,
}

impl Player {
    fn new(env: Box<dyn Environment>) -> Result<Self, CheckError> {
        let spaces = EnvSpaces::of(&env);
        if spaces.obs_dim == 0 || (spaces.num_actions == 0) == (spaces.action_dim == 0) {
            return Err(CheckError::InvalidSpaces(spaces));
        }
        Ok(Self { env: PassiveEnvChecker::new(env), spaces, seed: 0 })
    }

    fn reset(&mut self, seed: u64) -> Result<Outcome, CheckError> {
        self.seed = seed;
        let reset = self.env.reset(seed);
        reset.map_err(|source| CheckError::Failed { seed, action: None, source })?;
        self.outcome(None)
    }

    fn step(&mut self, action: &Action<'static>) -> Result<Outcome, CheckError> {
        let failed = |source| CheckError::Failed { seed: self.seed, action: Some(action.clone()), source };
        let step = action.take(&mut self.env).map_err(failed)?;
        self.outcome(Some(step))
    }

    fn outcome(&self, step: Option<Step>) -> Result<Outcome, CheckError> {
        let then = EnvSpaces::of(&self.env);
        if then != self.spaces {
            return Err(CheckError::SpacesChanged { first: self.spaces.into(), then: then.into() });
        }
        let mask = self.env.action_mask().map(<[bool]>::to_vec);
        Ok(Outcome { observation: self.env.typed_observation().to_f32(), mask, step })
    }

    /// Returns the `t`-th action of a random stream, of those that are legal.
    fn random_action(&self, stream: u64, t: u64) -> Action<'static> {
        let EnvSpaces { num_actions, action_dim, .. } = self.spaces;
        if num_actions > 0 {
            let mask = self.env.action_mask();
            let legal: Vec<usize> = (0..num_actions).filter(|&action| mask.is_none_or(|mask| mask[action])).collect();
            return Action::Discrete(legal[(split_mix(stream, t) % legal.len() as u64) as usize]);
        }
        let dim = action_dim as u64;
        let unit = |i| (split_mix(stream, t * dim + i) >> 40) as f32 / (1 << 24) as f32;
        Action::Continuous((0..dim).map(|i| 2.0 * unit(i) - 1.0).collect())
    }

    /// Plays the start of an episode with actions that don't depend on the seed.
    fn opening(&mut self, seed: u64) -> Result<Vec<Outcome>, CheckError> {
        let mut outcomes = vec![self.reset(seed)?];
        for t in 0..OPENING {
            outcomes.push(self.step(&self.random_action(0, t))?);
            if outcomes.last().is_some_and(Outcome::ended) {
                break;
            }
        }
        Ok(outcomes)
    }
}

impl EnvSpaces {
    fn of(env: &impl Environment) -> Self {
        let (obs_dim, num_actions) = (env.obs_dim(), env.num_actions());
        Self { obs_dim, observations: env.observation_space(), num_actions, action_dim: env.action_dim() }
    }
}

/// The result of a reset or step.
#[derive(PartialEq)]
struct Outcome {
    observation: Vec<f32>,
    mask: Option<Vec<bool>>,
    step: Option<Step>,
}

impl Outcome {
    fn ended(&self) -> bool {
        self.step.is_some_and(|step| step.ended())
    }
}

/// Describes the first difference between two outcomes, if there is one.
fn difference(a: &Outcome, b: &Outcome) -> Option<(String, String)> {
    let index = a.observation.iter().zip(&b.observation).position(|(a, b)| a != b);
    let observation = index.map(|i| [a, b].map(|outcome| format!("observation[{i}] = {}", outcome.observation[i])));
    let step = || (a.step != b.step).then(|| [a, b].map(|outcome| format!("{:?}", outcome.step)));
    let mask = || (a.mask != b.mask).then(|| [a, b].map(|outcome| format!("action_mask = {:?}", outcome.mask)));
    observation.or_else(step).or_else(mask).map(|[a, b]| (a, b))
}

fn describe(used: bool) -> &'static str {
    if used { "an environment reset in the middle of an episode" } else { "another new environment" }
}

/// The ranges of observations and rewards, and the length of the first episode that ended.
#[derive(Default)]
struct Observed {
    observations: Vec<[f32; 2]>,
    rewards: Option<[f64; 2]>,
    episode_length: Option<u64>,
}

impl Observed {
    fn add(&mut self, outcome: &Outcome, step: u64) {
        if self.observations.is_empty() {
            self.observations = outcome.observation.iter().map(|&value| [value; 2]).collect();
        }
        for ([low, high], value) in self.observations.iter_mut().zip(&outcome.observation) {
            *low = low.min(*value);
            *high = high.max(*value);
        }
        if let Some(Step { reward, .. }) = outcome.step {
            let [low, high] = self.rewards.unwrap_or([reward; 2]);
            self.rewards = Some([low.min(reward), high.max(reward)]);
        }
        if outcome.ended() {
            self.episode_length.get_or_insert(step);
        }
    }
}

/// Returns the `t`-th number of a stream of SplitMix64 (Steele, Lea and Flood, 2014).
fn split_mix(stream: u64, t: u64) -> u64 {
    let mut z = stream.wrapping_add((t + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = self.rewards;
        writeln!(f, "{}", self.spaces)?;
        writeln!(f, "rewards from {low} to {high}")?;
        if self.spaces.observations.image().is_some() {
            let low = self.observations.iter().fold(f32::INFINITY, |low, range| low.min(range[0]));
            let high = self.observations.iter().fold(f32::NEG_INFINITY, |high, range| high.max(range[1]));
            writeln!(f, "observations from {low} to {high}")?;
        } else {
            for (i, [low, high]) in self.observations.iter().enumerate() {
                writeln!(f, "observation[{i}] from {low} to {high}")?;
            }
        }
        match self.episode_length {
            Some(steps) => write!(f, "an episode with random actions ended after {steps} steps")?,
            None => write!(f, "no episode with random actions ended within {MAX_STEPS} steps")?,
        }
        self.warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}

impl fmt::Display for EnvSpaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.observations == ObservationSpace::vector(self.obs_dim) {
            true => write!(f, "observations of {} values, ", self.obs_dim)?,
            false => write!(f, "observations {}, ", self.observations)?,
        }
        match self.action_dim {
            0 => write!(f, "{} actions", self.num_actions),
            len => write!(f, "actions of {len} values"),
        }
    }
}

impl fmt::Display for CheckWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SeedIgnored => "all seeds gave the same episode",
            Self::OneStepEpisodes => "every episode ended after its first step",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::error::Error;
    use std::rc::Rc;

    /// A mistake in an environment.
    #[derive(Clone, Copy, PartialEq)]
    enum Flaw {
        None,
        SharedState,
        IncompleteReset,
        ChangingSpaces,
        InvalidAction,
        NonFinite,
        SeedIgnored,
        OneStepEpisodes,
    }

    /// An environment that observes the seed and the step, with a flaw.
    struct Flawed {
        flaw: Flaw,
        calls: Rc<Cell<u32>>,
        observation: Vec<f32>,
    }

    impl Environment for Flawed {
        fn obs_dim(&self) -> usize {
            self.observation.len()
        }

        fn num_actions(&self) -> usize {
            2
        }

        fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
            self.observation[0] = if self.flaw == Flaw::SeedIgnored { 0.0 } else { seed as f32 };
            if self.flaw != Flaw::IncompleteReset || self.observation[1] >= 30.0 {
                self.observation[1] = 0.0;
            }
            Ok(())
        }

        fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
            self.calls.set(self.calls.get() + 1);
            self.observation[1] += 1.0;
            match self.flaw {
                Flaw::SharedState => self.observation[0] += self.calls.get() as f32,
                Flaw::ChangingSpaces if self.observation[1] == 4.0 => self.observation.push(0.0),
                Flaw::InvalidAction if action == 1 => return Err(EnvironmentError::Other("jammed".into())),
                Flaw::NonFinite => self.observation[0] = f32::NAN,
                _ => {}
            }
            let last = if self.flaw == Flaw::OneStepEpisodes { 1.0 } else { 30.0 };
            Ok(Step { reward: action as f64, terminated: self.observation[1] >= last, truncated: false })
        }

        fn observation(&self) -> &[f32] {
            &self.observation
        }
    }

    fn checked(flaw: Flaw) -> Result<CheckReport, CheckError> {
        let calls = Rc::new(Cell::new(0));
        check_env(|| Ok(Box::new(Flawed { flaw, calls: calls.clone(), observation: vec![0.0; 2] })), 5)
    }

    #[test]
    fn the_report_has_ranges_episode_length_and_warnings() {
        let report = checked(Flaw::None).unwrap();
        assert_eq!(
            report.spaces,
            EnvSpaces { observations: ObservationSpace::vector(2), obs_dim: 2, num_actions: 2, action_dim: 0 }
        );
        assert_eq!(report.observations, [[5.0, 6.0], [0.0, 30.0]]);
        assert_eq!((report.rewards, report.episode_length, &*report.warnings), ([0.0, 1.0], Some(30), &[][..]));
        assert_eq!(checked(Flaw::SeedIgnored).unwrap().warnings, [CheckWarning::SeedIgnored]);
        assert_eq!(checked(Flaw::OneStepEpisodes).unwrap().warnings, [CheckWarning::OneStepEpisodes]);
    }

    #[test]
    fn every_violation_is_an_error() {
        let failure = |flaw| {
            let failure = checked(flaw).unwrap_err();
            let source = failure.source().map(|source| format!(": {source}"));
            format!("{failure}{}", source.unwrap_or_default())
        };
        assert_eq!(
            failure(Flaw::SharedState),
            "seed 5, step 1: observation[0] = 6 in a new environment, observation[0] = 7 in another new environment"
        );
        assert_eq!(
            failure(Flaw::IncompleteReset),
            "seed 6, step 0: observation[1] = 0 in a new environment, \
             observation[1] = 20 in an environment reset in the middle of an episode"
        );
        assert_eq!(
            failure(Flaw::ChangingSpaces),
            "seed 5, action 1: after step 4 the observation has 3 values, but `obs_dim` is 2"
        );
        assert_eq!(failure(Flaw::InvalidAction), "seed 5, action 1: jammed");
        assert!(failure(Flaw::NonFinite).ends_with("after step 1 the observation's value 0 is NaN"));
    }

    #[test]
    fn an_empty_observation_space_is_an_error() {
        let make = || {
            let calls = Rc::default();
            Ok(Box::new(Flawed { flaw: Flaw::None, calls, observation: vec![] }) as Box<dyn Environment>)
        };
        assert!(matches!(check_env(make, 0), Err(CheckError::InvalidSpaces(EnvSpaces { obs_dim: 0, .. }))));
        let make = || Err(EnvironmentError::StepBeforeReset);
        assert!(matches!(check_env(make, 0), Err(CheckError::Make(EnvironmentError::StepBeforeReset))));
    }
    /// Each of three actions may be taken once in an episode.
    #[derive(Default)]
    struct Once {
        left: [bool; 3],
        unlike: bool,
    }

    impl Environment for Once {
        fn obs_dim(&self) -> usize {
            1
        }

        fn num_actions(&self) -> usize {
            3
        }

        fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
            self.left = [true, seed.is_multiple_of(2) && !self.unlike, true];
            Ok(())
        }

        fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
            assert!(std::mem::take(&mut self.left[action]), "taken twice");
            Ok(Step { reward: 0.0, terminated: self.left == [false; 3], truncated: false })
        }

        fn observation(&self) -> &[f32] {
            &[0.0]
        }

        fn action_mask(&self) -> Option<&[bool]> {
            Some(&self.left)
        }
    }

    #[test]
    fn actions_are_legal_and_masks_must_be_reproducible() {
        assert_eq!(check_env(|| Ok(Box::new(Once::default())), 0).unwrap().episode_length, Some(3));
        let made = Cell::new(0);
        let unlike = || {
            made.set(made.get() + 1);
            Ok(Box::new(Once { unlike: made.get() > 1, ..Once::default() }) as Box<dyn Environment>)
        };
        let error = check_env(unlike, 0).unwrap_err().to_string();
        assert!(error.contains("action_mask = Some([true, true, true]) in a new environment"), "{error}");
    }
}
