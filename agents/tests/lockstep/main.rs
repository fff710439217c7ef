//! Whole updates of an agent compared with a plain reference: a replay buffer that overflows, terminated, truncated and
//! unfinished episodes, and a changing return scale, for each method, with CPU loops and with the libtorch calls of
//! GPUs.
//!
//! Both sides get equal initial values, transitions and random streams, and share nothing else. The agent computes in
//! f32, the reference in f64. After each update, a tensor's difference is divided by the reference's largest absolute
//! value. The core's lockstep test, whose reference this test uses, says why learning rates are small.

mod plain;
#[path = "../../../core/tests/lockstep/reference.rs"]
mod reference;

use alrao_agents::dqn::{Agent, AgentSettings, Update};
use alrao_agents::priority::PrioritizedReplaySettings;
use alrao_agents::q_network::QNetworkSettings;
use alrao_agents::replay::{End, Transition};
use alrao_core::device::via_libtorch;
use alrao_core::method::Method;
use alrao_core::optimizer;
use alrao_core::rates::LrRange;
use alrao_core::state_dict::StateDict;
use alrao_core::streams::{Stream, stream};
use alrao_core::tch::{self, Device, Kind, Tensor};
use alrao_envs::ObservationSpace;
use plain::{Plain, Step, UpdateStats, dueling};
use rand::RngExt;
use reference::{Outputs, Reference, Rule, Units, Values, linear};

const OBSERVATION: usize = 3;
const ACTIONS: usize = 3;
const UPDATES: u64 = 50;
const BOUND: f64 = 1e-5;

fn settings() -> AgentSettings {
    AgentSettings {
        gamma: 0.9,
        batch_size: Some(8),
        buffer_size: 40,
        n_step: Some(3),
        final_n_step: Some(1),
        tau: Some(0.05),
        final_tau: Some(0.2),
        max_relative_update: Some(1e-3),
        network: QNetworkSettings { hidden_sizes: vec![9, 6], sigma: 2.0, ..Default::default() },
        ..Default::default()
    }
}

fn alrao() -> Method {
    Method { lr_range: LrRange::new(1e-5, 0.1).unwrap(), ..Method::alrao() }
}

#[test]
fn alrao_with_adams_rule_and_default_settings() {
    check(&settings(), &Method { lr_range: alrao().lr_range, ..Method::alrao_adam() });
}

#[test]
fn alrao_with_sgds_rule_and_default_settings() {
    check(&settings(), &alrao());
}

#[test]
fn alrao_with_dueling_heads_and_prioritized_replay() {
    let priority = PrioritizedReplaySettings { alpha: 0.6, beta: 0.4 };
    let network = QNetworkSettings { dueling: true, ..settings().network };
    check(&AgentSettings { prioritized_replay: priority, network, ..settings() }, &alrao());
}

#[test]
fn alrao_with_action_masks() {
    let masked = true;
    check_with(&settings(), &alrao(), masked);
    check_with(&AgentSettings { double_q: false, ..settings() }, &alrao(), masked);
}

#[test]
fn sgd_without_normalization_and_double_dqn() {
    let network = QNetworkSettings { layer_norm: false, ..settings().network };
    let plain = AgentSettings { double_q: false, n_step: Some(1), network, ..settings() };
    check(&plain, &Method::sgd(0.01).unwrap());
}

#[test]
fn adam_with_prioritized_replay() {
    let priority = PrioritizedReplaySettings { alpha: 1.0, beta: 0.5 };
    check(&AgentSettings { prioritized_replay: priority, ..settings() }, &Method::adam(1e-3).unwrap());
}

/// Checks that both sides stay close, with loops and with libtorch calls.
fn check(settings: &AgentSettings, method: &Method) {
    check_with(settings, method, false);
}

fn check_with(settings: &AgentSettings, method: &Method, masked: bool) {
    tch::set_num_threads(1); // small tensors
    let run = || largest_difference(settings, method, masked);
    for (way, (name, difference)) in [("loops", run()), ("calls", via_libtorch(run))] {
        println!("by {way}: {difference:.1e} in {name}");
        assert!(difference < BOUND, "by {way}: {name} differs by {difference:e}");
    }
}

/// Returns the largest difference between both sides over all updates, with the tensor's name.
fn largest_difference(settings: &AgentSettings, method: &Method, masked: bool) -> (String, f64) {
    let mut agent =
        Agent::new(ObservationSpace::vector(OBSERVATION), ACTIONS, settings, method, 3, Device::Cpu).unwrap();
    let mut plain = reference(&agent, settings, method);
    let (mut drawn, mut drawn_by_plain) = (stream(3, "replay"), stream(3, "replay"));
    let mut world = World::new(masked);
    (0..20).for_each(|_| world.step(&mut agent, &mut plain));
    let mut largest = (String::new(), 0.0);
    let (mut scales, mut factor) = (0, plain.factor);
    for update in 0..UPDATES {
        (0..3).for_each(|_| world.step(&mut agent, &mut plain));
        let progress = update as f64 / UPDATES as f64;
        let found = agent.learn(progress, &mut drawn).unwrap();
        let expected = plain.learn(progress, &mut drawn_by_plain);
        scales += usize::from(std::mem::replace(&mut factor, plain.factor) != plain.factor);
        for (name, difference) in differences(&agent, &found, &plain, &expected) {
            assert!(difference.is_finite(), "{name} at update {update}: {difference}");
            if difference > largest.1 {
                largest = (format!("{name} at update {update}"), difference);
            }
        }
    }
    assert!(scales > 5, "the scale changed {scales} times");
    largest
}

/// Returns the differences between both sides' tensors, by name.
fn differences(agent: &Agent, found: &Update, plain: &Plain, expected: &UpdateStats) -> Vec<(String, f64)> {
    let near = |a: f64, b: f64| (a - b).abs() / b.abs().max(1.0);
    let mut differences = vec![
        ("loss".to_string(), near(found.loss, expected.loss)),
        ("mean_max_q".into(), near(found.mean_max_q, expected.mean_max_q)),
        ("max_q".into(), near(found.max_q, expected.max_q)),
        ("scale".into(), near(agent.reward_factor() / plain.factor, 1.0)),
    ];
    let saved = saved(agent);
    let online = (&plain.online.body, plain.online.heads.iter().map(|head| &head.values).collect::<Vec<_>>());
    let target = (&plain.target.body, plain.target.heads.iter().collect());
    for (network, (body, heads)) in [("q.network", online), ("target", target)] {
        for (name, value) in body {
            let name = format!("{network}.body.{name}");
            differences.push((name.clone(), relative_difference(&saved(&name), value)));
        }
        for (j, head) in heads.into_iter().enumerate() {
            for (name, value) in head {
                let name = format!("{network}.heads.{name}");
                differences.push((name.clone(), relative_difference(&saved(&name).get(j as i64), value)));
            }
        }
    }
    let a = Tensor::from_slice(&plain.target.a);
    differences.extend(["q.network.a", "target.a"].map(|name| (name.into(), relative_difference(&saved(name), &a))));
    if plain.settings.prioritized_replay.alpha > 0.0 {
        let leaves = relative_difference(&saved("replay.priorities.leaves"), &Tensor::from_slice(&plain.by_slot()));
        differences.push(("priorities".into(), leaves));
    }
    differences
}

/// Observations and rewards without sense, in episodes of every kind of end; rewards become larger.
struct World {
    rng: Stream,
    observation: Vec<f32>,
    mask: Option<[bool; ACTIONS]>,
    steps: u32,
}

impl World {
    /// With masks, some steps have none.
    fn new(masked: bool) -> Self {
        let mask = masked.then_some([true; ACTIONS]);
        World { rng: stream(3, "world"), observation: vec![0.1; OBSERVATION], mask, steps: 0 }
    }

    /// Makes a step and adds the transition to both sides.
    fn step(&mut self, agent: &mut Agent, plain: &mut Plain) {
        let mut draw = || self.rng.random::<f32>() * 2.0 - 1.0;
        let next: Vec<f32> = (0..OBSERVATION).map(|feature| draw() * [0.3, 1.0, 10.0][feature] + 0.5).collect();
        let reward = draw() * (1.0 + self.steps as f32 / 20.0);
        let action = self.rng.random_range(0..ACTIONS);
        let mask = self.mask;
        if mask.is_some() {
            let legal = self.rng.random_range(0..ACTIONS); // and the others, with probability 1/2 each
            self.mask = Some([0, 1, 2].map(|action| action == legal || self.rng.random()));
        }
        let end = [End::Terminated, End::Truncated].get(self.rng.random_range(0..12)).copied().unwrap_or(End::NotDone);
        let observation = std::mem::replace(&mut self.observation, next.clone());
        if end != End::NotDone {
            self.observation = next.iter().map(|x| -x).collect(); // the first observation of the next episode
        }
        self.steps += 1;
        let reward = f64::from(reward);
        let (of_agent, next_of_agent) = (observation.as_slice().into(), next.as_slice().into());
        let given = !self.steps.is_multiple_of(5); // if no mask is given, all actions are legal
        let masks = [mask, self.mask].map(|mask| mask.filter(|_| given));
        let [mask, next_mask] = masks.each_ref().map(|mask| mask.as_ref().map(|mask| &mask[..]));
        agent.add(Transition { observation: of_agent, mask, action, reward, next: next_of_agent, next_mask, end });
        let masks = masks.map(|mask| mask.unwrap_or([true; ACTIONS]));
        let double = |numbers: &[f32]| numbers.iter().copied().map(f64::from).collect();
        plain.add(Step { observation: double(&observation), action, reward, next: double(&next), masks, end });
    }
}

/// Creates the reference with the agent's values.
fn reference(agent: &Agent, settings: &AgentSettings, method: &Method) -> Plain {
    let saved = saved(agent);
    let (low, high) = (method.lr_range.min(), method.lr_range.max());
    let mut rng = stream(3, "rates");
    let rates = std::iter::repeat_with(move || low * (high / low).powf(rng.random::<f64>()));
    let names = ["inputs.mean", "inputs.std", "layer0.weight", "layer0.bias", "layer1.weight", "layer1.bias"];
    let body: Values = names.map(|name| (name.to_string(), saved(&format!("q.network.body.{name}")))).into();
    let layer = |count, weight, bias| Units { count, parameters: vec![(weight, 0), (bias, 0)] };
    let units = vec![layer(9, "layer0.weight", "layer0.bias"), layer(6, "layer1.weight", "layer1.bias")];
    let (parts, outputs): (&[&str], Outputs) = if settings.network.dueling {
        (&["value.weight", "value.bias", "advantages.weight", "advantages.bias"], dueling)
    } else {
        (&["weight", "bias"], linear)
    };
    let part = |name: &str, j| (name.to_string(), saved(&format!("q.network.heads.{name}")).get(j).copy());
    let heads = (0..method.num_heads).map(|j| parts.iter().map(|name| part(name, j)).collect()).collect();
    let rule = match method.rule {
        optimizer::UpdateRule::Sgd(_) => Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 },
        optimizer::UpdateRule::Adam(_) => Rule::Adam,
    };
    let mut online = Reference::new(body, units, rates, (heads, outputs), (low, high), rule);
    online.max_relative_update = settings.max_relative_update;
    Plain::new(settings.clone(), online, outputs)
}

/// Returns copies, in f64, of an agent's saved tensors, by name.
fn saved(agent: &Agent) -> impl Fn(&str) -> Tensor + use<> {
    let (mut tensors, mut replay) = (StateDict::default(), StateDict::default());
    let _ = agent.save(&mut tensors, &mut replay);
    move |name| {
        let of_rank =
            |rank: usize| tensors.get(name, &vec![-1; rank]).or_else(|_| replay.get(name, &vec![-1; rank])).ok();
        (0..=3).find_map(of_rank).unwrap_or_else(|| panic!("no {name}")).to_kind(Kind::Double)
    }
}

fn relative_difference(found: &Tensor, expected: &Tensor) -> f64 {
    let largest = |tensor: &Tensor| tensor.abs().max().double_value(&[]);
    assert_eq!(found.size(), expected.size());
    largest(&(found - expected)) / largest(expected).max(1e-3)
}
