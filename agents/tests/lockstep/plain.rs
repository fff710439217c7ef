//! Deep Q-learning as in its papers, simple and slow, in f64: all transitions in one list, samples one at a time,
//! statistics recomputed from all values. The core's plain reference updates the networks. Of the code under test, only
//! settings and random streams are used.

use std::collections::BTreeMap;

use alrao_agents::dqn::AgentSettings;
use alrao_agents::replay::End;
use alrao_core::streams::Stream;
use alrao_core::tch::{Kind, Tensor};
use rand::RngExt;

use crate::reference::{Outputs, Reference, Values};

/// A reference agent.
pub struct Plain {
    pub settings: AgentSettings,
    pub online: Reference,
    pub target: Averaged,
    pub outputs: Outputs,
    /// all transitions, oldest first
    steps: Vec<Step>,
    /// `p_i^alpha` of each transition, and the largest so far
    priorities: Vec<f64>,
    largest: f64,
    /// factor on raw returns
    pub factor: f64,
    /// number of observations in the network's statistics
    known: usize,
}

/// Parameters of a body and its heads, and the averaging weights.
pub struct Averaged {
    pub body: Values,
    pub heads: Vec<Values>,
    pub a: Vec<f64>,
}

pub struct Step {
    pub observation: Vec<f64>,
    pub action: usize,
    pub reward: f64,
    pub next: Vec<f64>,
    pub masks: [[bool; 3]; 2],
    pub end: End,
}

/// Statistics of an update, in raw units.
pub struct UpdateStats {
    pub loss: f64,
    pub mean_max_q: f64,
    pub max_q: f64,
}

impl Plain {
    pub fn new(settings: AgentSettings, online: Reference, outputs: Outputs) -> Self {
        let target = Averaged::of(&online);
        let (steps, priorities) = (vec![], vec![]);
        Plain { settings, online, target, outputs, steps, priorities, largest: 1.0, factor: 1.0, known: 0 }
    }

    pub fn add(&mut self, step: Step) {
        self.priorities.push(self.largest); // the largest so far, so that it is sampled soon
        self.steps.push(step);
    }

    pub fn learn(&mut self, progress: f64, rng: &mut Stream) -> UpdateStats {
        let AgentSettings { n_step, final_n_step, gamma, double_q, tau, final_tau, .. } = self.settings;
        // from n_step to final_n_step in equal ratios, and from tau to final_tau
        let n_step = n_step.unwrap();
        let ratio = final_n_step.unwrap() as f64 / n_step as f64;
        let n_step = (n_step as f64 * ratio.powf(progress)).round() as usize;
        let tau = tau.unwrap() * (final_tau.unwrap() / tau.unwrap()).powf(progress);
        let (drawn, weights) = self.draw(progress, rng);
        self.update_return_scale();
        self.update_obs_stats();

        let (mut y, mut taken, mut best) = (vec![], vec![], vec![]);
        for &i in &drawn {
            // the rewards of n steps, or fewer at the end of the episode or of the buffer
            let ahead = &self.steps[i..(i + n_step).min(self.steps.len())];
            let m = ahead.iter().position(|step| step.end != End::NotDone).map_or(ahead.len(), |last| last + 1);
            let steps = &ahead[..m];
            let sum: f64 = steps.iter().zip(0..).map(|(step, power)| gamma.powi(power) * step.reward).sum();
            let last = &steps[m - 1];
            let mut target = self.factor * sum;
            if last.end != End::Terminated {
                let values = self.values(&self.target, &last.next);
                let online = self.values(&Averaged::of(&self.online), &last.next);
                target +=
                    gamma.powi(m as i32) * values[argmax(if double_q { &online } else { &values }, last.masks[1])];
            }
            y.push(target);
            let now = self.values(&Averaged::of(&self.online), &self.steps[i].observation);
            taken.push(now[self.steps[i].action]);
            best.push(now[argmax(&now, self.steps[i].masks[0])]);
        }

        let rows: Vec<f64> = drawn.iter().flat_map(|&i| self.steps[i].observation.clone()).collect();
        let x = Tensor::from_slice(&rows).view([drawn.len() as i64, -1]);
        let actions: Vec<i64> = drawn.iter().map(|&i| self.steps[i].action as i64).collect();
        let actions = Tensor::from_slice(&actions).unsqueeze(1); // [B, 1]
        let (values, sigma, settings) = (Tensor::from_slice(&y), self.settings.network.sigma, &self.settings);
        let loss = self.online.step(
            |body, _| features(settings, body, &x),
            |out| huber(&out.gather(1, &actions, false).squeeze_dim(1), &values, sigma),
            &Tensor::from_slice(&weights),
            1.0,
            1.0,
        );

        // soft update of the target network's parameters; buffers and averaging weights are copied
        let online = Averaged::of(&self.online);
        let towards = |target: &mut Values, online: &Values| {
            for (name, value) in target {
                let tau = if name.starts_with("inputs") { 1.0 } else { tau };
                *value = &*value + (&online[name] - &*value) * tau;
            }
        };
        towards(&mut self.target.body, &online.body);
        self.target.heads.iter_mut().zip(&online.heads).for_each(|(target, online)| towards(target, online));
        self.target.a = online.a;

        for ((&i, taken), y) in drawn.iter().zip(taken).zip(y) {
            self.priorities[i] = ((taken - y).abs() + 1e-3).powf(self.settings.prioritized_replay.alpha);
            self.largest = self.largest.max(self.priorities[i]);
        }
        let mean_max_q = best.iter().sum::<f64>() / best.len() as f64 / self.factor;
        UpdateStats { loss, mean_max_q, max_q: best.into_iter().fold(f64::MIN, f64::max) / self.factor }
    }

    /// Returns the indices of the buffer's transitions by slot: the most recent ones, in a ring.
    fn ring(&self) -> Vec<usize> {
        let (made, slots) = (self.steps.len(), self.settings.buffer_size);
        (0..made.min(slots)).map(|slot| (0..made).rev().find(|i| i % slots == slot).unwrap()).collect()
    }

    /// Returns the priorities of the buffer's transitions by slot.
    pub fn by_slot(&self) -> Vec<f64> {
        self.ring().into_iter().map(|i| self.priorities[i]).collect()
    }

    /// Samples transitions with replacement, and returns their importance weights.
    fn draw(&self, progress: f64, rng: &mut Stream) -> (Vec<usize>, Vec<f64>) {
        let AgentSettings { batch_size, prioritized_replay: priority, .. } = self.settings;
        let batch_size = batch_size.expect("a batch size");
        let ring = self.ring();
        if priority.alpha == 0.0 {
            return ((0..batch_size).map(|_| ring[rng.random_range(0..ring.len())]).collect(), vec![1.0; batch_size]);
        }
        let total: f64 = ring.iter().map(|&i| self.priorities[i]).sum();
        let mut drawn = vec![];
        for part in 0..batch_size {
            let mut at = (part as f64 + rng.random::<f64>()) / batch_size as f64 * total;
            let mut slots = ring.iter();
            let mut i = *slots.next().unwrap();
            while at >= self.priorities[i] {
                at -= self.priorities[i];
                i = *slots.next().unwrap();
            }
            drawn.push(i);
        }
        let beta = priority.beta + (1.0 - priority.beta) * progress;
        let weight = |&i: &usize| (ring.len() as f64 * self.priorities[i] / total).powf(-beta);
        let largest = drawn.iter().map(weight).fold(0.0, f64::max);
        let weights = drawn.iter().map(|i| weight(i) / largest).collect();
        (drawn, weights)
    }

    /// Scales the discounted returns of whole episodes to standard deviation `return_std`, once they are more than 1 %
    /// off.
    fn update_return_scale(&mut self) {
        let (mut returns, mut begin) = (vec![], 0);
        for end in (0..self.steps.len()).filter(|&i| self.steps[i].end != End::NotDone) {
            for i in begin..=end {
                let rewards = self.steps[i..=end].iter().zip(0..);
                returns.push(rewards.map(|(step, t)| self.settings.gamma.powi(t) * step.reward).sum());
            }
            begin = end + 1;
        }
        let (_, std) = mean_std(&returns);
        let change = if std > 0.0 { self.settings.return_std / std / self.factor } else { 1.0 / self.factor };
        if (change - 1.0).abs() > 0.01 {
            self.factor *= change;
            let online = self.online.heads.iter_mut().map(|head| &mut head.values);
            for value in online.chain(&mut self.target.heads).flat_map(BTreeMap::values_mut) {
                *value = &*value * change;
            }
        }
    }

    /// Normalizes by the statistics of all observations, once there are 1 % more.
    fn update_obs_stats(&mut self) {
        let seen = self.steps.len();
        if seen as f64 >= 1.01 * self.known as f64 {
            self.known = seen;
            let feature = |f: usize| mean_std(&self.steps.iter().map(|step| step.observation[f]).collect::<Vec<_>>());
            let (mean, std): (Vec<f64>, Vec<f64>) = (0..self.steps[0].observation.len()).map(feature).unzip();
            self.online.body.insert("inputs.mean".into(), Tensor::from_slice(&mean));
            self.online.body.insert("inputs.std".into(), Tensor::from_slice(&std));
        }
    }

    /// Returns the averaged values of all actions for one observation.
    fn values(&self, network: &Averaged, observation: &[f64]) -> Vec<f64> {
        let z = features(&self.settings, &network.body, &Tensor::from_slice(observation).unsqueeze(0));
        let heads = network.heads.iter().map(|head| (self.outputs)(head, &z));
        let mean = heads.zip(&network.a).map(|(out, a)| out * *a).reduce(|sum, out| sum + out).unwrap();
        Vec::try_from(mean.squeeze_dim(0)).unwrap()
    }
}

impl Averaged {
    fn of(network: &Reference) -> Self {
        let copy = |values: &Values| values.iter().map(|(name, value)| (name.clone(), value.copy())).collect();
        let heads = network.heads.iter().map(|head| copy(&head.values)).collect();
        Averaged { body: copy(&network.body), heads, a: network.switch.posterior() }
    }
}

/// Computes the features, `[B, I] -> [B, H]`: input normalization, then two layers with optional layer normalization
/// and ReLU.
fn features(settings: &AgentSettings, body: &Values, x: &Tensor) -> Tensor {
    let mut z = (x - &body["inputs.mean"]) / &body["inputs.std"];
    for layer in ["layer0", "layer1"] {
        z = z.matmul(&body[&format!("{layer}.weight")].tr()) + &body[&format!("{layer}.bias")];
        if settings.network.layer_norm {
            let mean = z.mean_dim([1].as_slice(), true, Kind::Double);
            let variance = (&z - &mean).square().mean_dim([1].as_slice(), true, Kind::Double);
            z = (z - mean) / (variance + 1e-5).sqrt();
        }
        z = z.clamp_min(0.0);
        if settings.network.layer_norm {
            // the mean and standard deviation of the ReLU of a standard normal variable
            let pi = std::f64::consts::PI;
            z = (z - (2.0 * pi).sqrt().recip()) / ((1.0 - pi.recip()) / 2.0).sqrt();
        }
    }
    z
}

/// Computes `q_i = v + adv_i - mean(adv)`: the value from the first half of the features, the advantages from the
/// second.
pub fn dueling(head: &Values, z: &Tensor) -> Tensor {
    let half = z.size()[1] / 2;
    let stream =
        |part: &str, z: Tensor| z.matmul(&head[&format!("{part}.weight")].tr()) + &head[&format!("{part}.bias")];
    let (value, advantages) = (stream("value", z.narrow(1, 0, half)), stream("advantages", z.narrow(1, half, half)));
    value + &advantages - advantages.mean_dim([1].as_slice(), true, Kind::Double)
}

/// Computes `log p(y)`, `[B]`, with `p = exp(-h(u)) / (Z sigma)`, where `h(u) = u^2/2` for `|u| <= 1`, else `|u| -
/// 1/2`.
fn huber(out: &Tensor, y: &Tensor, sigma: f64) -> Tensor {
    let u = ((out - y) / sigma).abs();
    let h = (u.square() / 2.0).where_self(&u.le(1.0), &(&u - 0.5));
    let z = (2.0 * std::f64::consts::PI).sqrt() * 0.682_689_492_137_085_9 + 2.0 * (-0.5f64).exp();
    -(h + (z * sigma).ln())
}

/// Returns the first index of the largest value of a legal action.
fn argmax(values: &[f64], mask: [bool; 3]) -> usize {
    (0..values.len()).rev().filter(|&action| mask[action]).max_by(|&i, &j| values[i].total_cmp(&values[j])).unwrap()
}

/// Returns mean and standard deviation; 0 for no values.
fn mean_std(numbers: &[f64]) -> (f64, f64) {
    let n = numbers.len().max(1) as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    (mean, (numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
}
