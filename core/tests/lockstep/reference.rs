//! Reference implementation of the method, simple and slow, in f64: separate tensors for parameters, a loop over heads,
//! losses differentiated by autograd, and a loop over units. It does not call the code under test.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

/// Parameters and buffers of a body, by name.
pub type Values = BTreeMap<String, Tensor>;

/// Units with one learning rate each: unit i owns the slices `i`, `i + count`, `i + 2 count`, ... along an axis of each
/// parameter (several slices where the gates of a cell are stacked).
pub struct Units {
    pub count: usize,
    pub parameters: Vec<(&'static str, i64)>,
}

/// Update rule.
#[derive(Clone, Copy)]
pub enum Rule {
    Sgd { momentum: f64, nesterov: bool, weight_decay: f64 },
    Adam,
}

pub struct Reference {
    pub body: Values,
    units: Vec<(Units, Vec<f64>)>,
    pub heads: Vec<Head>,
    outputs: Outputs,
    pub switch: Switch,
    rule: Rule,
    /// the body at first
    initial: Values,
    /// the maximum root mean square of a unit's change in a step, relative to that of its parameters before the step or at
    /// first, whichever is less
    pub max_relative_update: Option<f64>,
    memory: BTreeMap<String, [Tensor; 2]>,
    t: i32,
}

pub struct Head {
    pub values: Values,
    eta: f64,
}

/// Function from a head's parameters and features to its outputs, `[B, H] -> [B, A]`.
pub type Outputs = fn(&Values, &Tensor) -> Tensor;

/// Computes `z W^T + b`.
pub fn linear(head: &Values, z: &Tensor) -> Tensor {
    z.matmul(&head["weight"].tr()) + &head["bias"]
}

impl Reference {
    /// Creates the reference; `rates` are the learning rates of all units, in order.
    pub fn new(
        body: Values,
        units: Vec<Units>,
        mut rates: impl Iterator<Item = f64>,
        (heads, outputs): (Vec<Values>, Outputs),
        (eta_min, eta_max): (f64, f64),
        rule: Rule,
    ) -> Self {
        let units = units.into_iter().map(|u| {
            let rates = rates.by_ref().take(u.count).collect();
            (u, rates)
        });
        let k = heads.len();
        let share = |j: usize| if k == 1 { 0.5 } else { j as f64 / (k - 1) as f64 };
        let eta = |j: usize| (eta_min.ln() + share(j) * (eta_max / eta_min).ln()).exp();
        let heads = heads.into_iter().enumerate().map(|(j, values)| Head { values, eta: eta(j) });
        let (units, heads, switch) = (units.collect(), heads.collect(), Switch::new(k));
        let max_relative_update = None;
        let initial = body.iter().map(|(name, value)| (name.clone(), value.copy())).collect();
        Reference {
            body,
            initial,
            units,
            heads,
            outputs,
            switch,
            rule,
            max_relative_update,
            memory: BTreeMap::new(),
            t: 0,
        }
    }

    /// Makes one step of Algorithm 1 with all learning rates multiplied by `factor`, and returns the mixture's loss
    /// before it. The batch's mean log-likelihood counts as `observations` observations. `features` may set the body's
    /// buffers; `log_prob` is `log p(y|x)` of one head, `[B, A] -> [B]`. `weights`, `[B]` or `[]`, multiply the
    /// samples' losses but not their evidence.
    pub fn step(
        &mut self,
        features: impl Fn(&Values, &mut Values) -> Tensor,
        log_prob: impl Fn(&Tensor) -> Tensor,
        weights: &Tensor,
        factor: f64,
        observations: f64,
    ) -> f64 {
        self.t += 1;
        let leaves: Values =
            self.body.iter().map(|(name, value)| (name.clone(), value.copy().set_requires_grad(true))).collect();
        let z = features(&leaves, &mut self.body);

        // Equation 2: the body's gradient of the mixture's loss, with constant heads
        let a = self.switch.posterior();
        let mixture = self.heads.iter().zip(&a).map(|(head, a)| log_prob(&(self.outputs)(&head.values, &z)).exp() * *a);
        let log_mixture = mixture.reduce(|sum, p| sum + p).unwrap().log(); // [B]
        let loss = -(&log_mixture * weights).mean(Kind::Double);
        let trained: Vec<&str> = self.units.iter().flat_map(|(u, _)| u.parameters.iter().map(|p| p.0)).collect();
        let inputs: Vec<&Tensor> = trained.iter().map(|name| &leaves[*name]).collect();
        let gradients = Tensor::run_backward(&[&loss], &inputs, true, false);
        let gradients: BTreeMap<&str, Tensor> = trained.into_iter().zip(gradients).collect();

        // Equation 3: each head's gradient of its own loss, with constant features
        let z = z.detach();
        let mut log_evidence = Vec::new();
        for (j, head) in self.heads.iter_mut().enumerate() {
            let leaf = |(name, value): (&String, &Tensor)| (name.clone(), value.copy().set_requires_grad(true));
            let alone: Values = head.values.iter().map(leaf).collect();
            let log_p = log_prob(&(self.outputs)(&alone, &z)); // [B]
            log_evidence.push(observations * log_p.mean(Kind::Double).double_value(&[]));
            let loss = -(log_p * weights).mean(Kind::Double);
            let gradients = Tensor::run_backward(&[loss], &alone.values().collect::<Vec<_>>(), false, false);
            for ((name, value), gradient) in head.values.iter().zip(&gradients) {
                let memory = self.memory.entry(format!("head {j} {name}")).or_insert_with(|| zeros(value));
                descend(self.rule, self.t, factor * head.eta, value, gradient, memory);
            }
        }

        let before: Values = self.body.iter().map(|(name, value)| (name.clone(), value.copy())).collect();
        for (units, rates) in &self.units {
            for (name, axis) in &units.parameters {
                let (value, gradient) = (&self.body[*name], &gradients[name]);
                let memory = self.memory.entry(name.to_string()).or_insert_with(|| zeros(value));
                for slice in 0..value.size()[*axis as usize] {
                    let of_unit = |tensor: &Tensor| tensor.select(*axis, slice);
                    let eta = rates[slice as usize % units.count];
                    let memory = [of_unit(&memory[0]), of_unit(&memory[1])];
                    descend(self.rule, self.t, factor * eta, &of_unit(value), &of_unit(gradient), &memory);
                }
            }
        }
        if let Some(max) = self.max_relative_update {
            self.bound(factor * max, &before);
        }
        self.switch.observe(&log_evidence);
        -log_mixture.mean(Kind::Double).double_value(&[])
    }
}

impl Reference {
    /// Shortens the change since `before` of each unit that changed by more than `bound` times its size.
    fn bound(&self, bound: f64, before: &Values) {
        for (units, _) in &self.units {
            for unit in 0..units.count {
                let (mut slices, mut initial, mut old, mut change, mut numel) = (vec![], 0.0, 0.0, 0.0, 0.0);
                for (name, axis) in &units.parameters {
                    for slice in (unit as i64..before[*name].size()[*axis as usize]).step_by(units.count) {
                        let of_unit = |values: &Values| values[*name].select(*axis, slice);
                        let squares = |x: &Tensor| x.square().sum(Kind::Double).double_value(&[]);
                        let (x, x0) = (of_unit(&self.body), of_unit(before));
                        initial += squares(&of_unit(&self.initial));
                        old += squares(&x0);
                        change += squares(&(&x - &x0));
                        numel += x.numel() as f64;
                        slices.push((x, x0));
                    }
                }
                let [initial, old, change] = [initial, old, change].map(|squares: f64| (squares / numel).sqrt());
                let size = if initial < 1e-3 { old } else { old.min(initial) }.max(1e-3);
                if change > bound * size {
                    for (mut x, x0) in slices {
                        x.copy_(&(&x0 + (&x - &x0) * (bound * size / change)));
                    }
                }
            }
        }
    }
}

fn zeros(like: &Tensor) -> [Tensor; 2] {
    [like.zeros_like(), like.zeros_like()]
}

/// Updates a unit in place with learning rate `eta`. `memory` is the velocity, or Adam's two moments.
fn descend(rule: Rule, t: i32, eta: f64, value: &Tensor, gradient: &Tensor, memory: &[Tensor; 2]) {
    let set = |tensor: &Tensor, to: Tensor| tensor.shallow_clone().copy_(&to);
    let [first, second] = memory;
    match rule {
        Rule::Sgd { momentum, nesterov, weight_decay } => {
            let g = gradient + value * weight_decay;
            set(first, first * momentum + &g);
            let direction = if nesterov { g + first * momentum } else { first.copy() };
            set(value, value - direction * eta);
        }
        Rule::Adam => {
            set(first, first * 0.9 + gradient * (1.0 - 0.9));
            set(second, second * 0.999 + gradient * gradient * (1.0 - 0.999));
            let (m, v) = (first / (1.0 - 0.9f64.powi(t)), second / (1.0 - 0.999f64.powi(t)));
            set(value, value - m / (v.sqrt() + 1e-8) * eta);
        }
    }
}

/// The Switch, one number at a time: `switching[j]` is the weight of the sequences of models that are at j and will
/// switch again, `staying[j]` the weight of those that stay at j.
pub struct Switch {
    switching: Vec<f64>,
    staying: Vec<f64>,
    t: f64,
}

const THETA: f64 = 0.9999;

impl Switch {
    pub fn new(k: usize) -> Self {
        Switch { switching: vec![THETA / k as f64; k], staying: vec![(1.0 - THETA) / k as f64; k], t: 0.0 }
    }

    pub fn posterior(&self) -> Vec<f64> {
        self.switching.iter().zip(&self.staying).map(|(a, b)| a + b).collect()
    }

    pub fn observe(&mut self, log_evidence: &[f64]) {
        self.t += 1.0;
        let k = log_evidence.len() as f64;
        let hazard = 1.0 / (self.t + 1.0);
        let best = log_evidence.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for (j, log_p) in log_evidence.iter().enumerate() {
            self.switching[j] *= (log_p - best).exp();
            self.staying[j] *= (log_p - best).exp();
        }
        let total: f64 = self.posterior().iter().sum();
        let pool = hazard * self.switching.iter().sum::<f64>() / total;
        for weight in &mut self.switching {
            *weight = *weight / total * (1.0 - hazard) + THETA * pool / k;
        }
        for weight in &mut self.staying {
            *weight = *weight / total + (1.0 - THETA) * pool / k;
        }
    }
}
