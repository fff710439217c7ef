//! The policy of a run, loaded for export.
//!
//! The network is described as a sequence of PyTorch's modules ([`Module`]), whose last one is the average of the heads,
//! divided by the scale of returns: it gives action values in raw units of reward.

use std::collections::BTreeMap;
use std::path::Path;

use alrao_agents::inputs::Inputs;
use alrao_core::layers::Module;
use alrao_core::state_dict::StateDict;
use anyhow::Result;
use tch::Device;

use crate::catalog::Catalog;
use crate::config::Config;
use crate::run_directory::load_best;
use crate::runs::agent;
use crate::usage_error::UsageError;

/// A policy that can be written to a file.
pub struct ExportedPolicy {
    pub(super) inputs: Inputs,
    pub(super) num_actions: usize,
    pub(super) modules: Vec<Module>,
    pub(super) metadata: BTreeMap<&'static str, String>,
}

impl ExportedPolicy {
    /// Loads the policy of a run's best checkpoint.
    ///
    /// # Errors
    /// [`UsageError`] if the run is not an agent's, has no best checkpoint, or its body can't be exported; else the
    /// checkpoint is damaged.
    pub fn of_run(run: &Path, catalog: &Catalog) -> Result<Self> {
        let config = Config::of_run(run)?.resolve_run(run, catalog)?;
        let task = config.task.agent()?;
        let best = load_best(run)?;
        let mut network = agent::network(&config, catalog, &best, Device::Cpu)?;
        network.scale_outputs(1.0 / agent::reward_factor(&best, run)?);
        let body = &task.agent.network.body;
        let modules = network.modules().ok_or_else(|| {
            let problem = "this body can't be exported, because its method `modules` doesn't describe it";
            UsageError(format!("agent.network.body = {body}: {problem}"))
        })?;
        let environment = task.make(catalog)?;
        let architecture = modules.iter().map(Module::to_string).collect::<Vec<_>>().join(", ");
        let versions = config.versions.as_ref();
        let metadata = [
            ("task", config.task.name()),
            ("environment", serde_json::to_string(&task.environment)?),
            ("frame_stack", task.agent.frame_stack.to_string()),
            ("seed", config.seed.to_string()),
            ("alrao", versions.map_or(String::new(), |versions| versions.alrao.clone())),
            ("libtorch", versions.map_or(String::new(), |versions| versions.libtorch.clone())),
            ("architecture", architecture),
        ];
        Ok(ExportedPolicy {
            inputs: Inputs::new(environment.observation_space(), task.agent.frame_stack),
            num_actions: environment.num_actions(),
            modules,
            metadata: metadata.into(),
        })
    }

    /// Returns the shape of an observation, without the batch's dimension: that of the environment, after the number of
    /// stacked observations if there are several.
    pub fn observation_shape(&self) -> Vec<usize> {
        let stack = Some(self.inputs.frame_stack).filter(|&stack| stack > 1);
        stack.into_iter().chain(self.inputs.space.shape.sizes().iter().copied()).collect()
    }

    /// Describes input and outputs.
    pub fn describe(&self) -> String {
        let shape: Vec<String> = self.observation_shape().iter().map(usize::to_string).collect();
        let (dtype, actions) = (self.inputs.space.dtype, self.num_actions);
        format!("observation [batch, {}] of {dtype} -> q_values [batch, {actions}]", shape.join(", "))
    }

    /// Returns the bytes of a safetensors file, whose tensors have their names in a `torch.nn.Sequential`: `2.weight` is the
    /// third module's.
    ///
    /// # Errors
    /// A dtype has no place in such a file.
    pub(super) fn safetensors(&self) -> Result<Vec<u8>> {
        let mut tensors = StateDict::default();
        for (i, module) in self.modules.iter().enumerate() {
            for (name, tensor) in module.tensors() {
                tensors.insert(format!("{i}.{name}"), tensor);
            }
        }
        with_metadata(&tensors.to_bytes()?, &self.metadata)
    }
}

/// Adds metadata to the bytes of a safetensors file, in the order of its keys: the crate `safetensors` takes it from a hash
/// map, so that the same policy would have other bytes each time.
fn with_metadata(file: &[u8], metadata: &BTreeMap<&str, String>) -> Result<Vec<u8>> {
    let (length, rest) = file.split_at(8); // of the header, which is JSON; then the tensors' bytes
    let (header, tensors) = rest.split_at(u64::from_le_bytes(length.try_into()?) as usize);
    let mut header: serde_json::Map<_, _> = serde_json::from_slice(header)?;
    header.insert("__metadata__".into(), serde_json::to_value(metadata)?);
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' '); // aligns the tensors
    Ok([&(header.len() as u64).to_le_bytes(), &header[..], tensors].concat())
}

#[cfg(test)]
mod tests {
    use alrao_agents::q_network::QNetworkSettings;
    use alrao_core::layers::{Body, Linear};
    use alrao_core::parameters::{ParameterBuilder, Weights};
    use alrao_core::tch::Tensor;
    use alrao_envs::EnvironmentSettings;

    use super::*;
    use crate::config::Task;
    use crate::{App, Run};

    /// A layer of hyperbolic tangents, which may describe itself.
    struct Custom {
        layer: Linear,
        described: bool,
    }

    impl Body for Custom {
        fn features(&self) -> i64 {
            8
        }

        fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
            self.layer.forward(weights, x).tanh()
        }

        fn modules(&self, weights: &Weights) -> Option<Vec<Module>> {
            self.described.then(|| vec![self.layer.module(weights), Module::Tanh])
        }
    }

    /// Trains CartPole briefly with a custom body.
    fn trained(path: &Path, described: bool) -> (Run, Catalog) {
        let new = move |builder: &mut ParameterBuilder, inputs: i64, _: &QNetworkSettings| Custom {
            layer: Linear::new(builder, inputs, 8),
            described,
        };
        let catalog = App::new().body("custom", new).catalog().unwrap();
        let mut config = Config::agent(EnvironmentSettings::new("cartpole"), 200);
        let Task::Agent(task) = &mut config.task else { unreachable!("an agent's") };
        (task.schedule.validate_every, task.schedule.validation_episodes, task.schedule.test_episodes) = (200, 1, 1);
        (task.agent.learning_starts, task.agent.network.body) = (100, "custom".into());
        let run = Run::create(path, config, &catalog).unwrap();
        run.train().unwrap();
        (run, catalog)
    }

    #[test]
    fn a_custom_body_gives_its_modules_or_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let (run, catalog) = trained(&root.path().join("described"), true);
        let policy = ExportedPolicy::of_run(run.path(), &catalog).unwrap();
        assert_eq!(policy.metadata["architecture"], "Normalize(4), Linear(4, 8), Tanh(), Linear(8, 2)");
        let observations = [0.1f32, -0.2, 0.03, 0.4];
        let found = policy.modules.iter().fold(Tensor::from_slice(&observations).view([1, 4]), |x, m| m.forward(&x));
        let ours = run.policy().unwrap().q_values(&observations, 1).unwrap();
        assert!((found - Tensor::from_slice(&ours)).abs().max().double_value(&[]) < 1e-4, "raw units: {ours:?}");

        let (run, catalog) = trained(&root.path().join("other"), false);
        let error = ExportedPolicy::of_run(run.path(), &catalog).err().unwrap();
        let expected = "agent.network.body = custom: this body can't be exported, because its method `modules`";
        assert!(error.is::<UsageError>() && error.to_string().starts_with(expected), "{error}");
    }

    #[test]
    fn a_checkpoint_without_the_scale_of_returns_is_refused() {
        let error = agent::reward_factor(&StateDict::default(), Path::new("runs/old")).unwrap_err();
        assert!(error.is::<UsageError>() && error.to_string().starts_with("runs/old: its best checkpoint"), "{error}");
    }
}
