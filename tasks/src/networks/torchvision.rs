//! Initial or pretrained weights of torchvision's networks, as written by `scripts/torchvision_weights.py`.
//!
//! Parameters have torchvision's names, except batch normalization's scale and shift, which are weight and bias there.

use std::path::Path;

use alrao_core::layers::Body;
use alrao_core::network::Network;
use alrao_core::state_dict::StateDict;

use super::Architecture;
use crate::Error;

/// Loads body and output layer from a safetensors file with the state dict of torchvision's network; all heads get the
/// same output layer.
///
/// # Errors
/// - [`Error::Core`] if the file can't be read, or a tensor is missing or has another shape; the network is unchanged;
/// - [`Error::File`] if torchvision doesn't have the network.
pub fn load<B: Body>(network: &mut Network<B>, architecture: Architecture, path: &Path) -> Result<(), Error> {
    let output = match architecture {
        Architecture::AlexNet => "classifier.6",
        Architecture::DenseNet121 => "classifier",
        Architecture::ResNet50 => "fc",
        _ => {
            let problem = "torchvision has no weights of networks for images of 32 by 32 pixels";
            return Err(Error::file(path, problem));
        }
    };
    let mut tensors = StateDict::read(path)?;
    let (k, classes) = (network.heads().k(), network.heads().outputs());
    let weight = tensors.get(&format!("{output}.weight"), &[classes, network.body().features()])?.repeat([k, 1, 1]);
    let bias = tensors.get(&format!("{output}.bias"), &[classes])?.repeat([k, 1]);
    tensors.insert("heads.weight", &weight); // [K, A, H]
    tensors.insert("heads.bias", &bias); // [K, A]
    network.load_renamed(&tensors, torchvision_name)?;
    Ok(())
}

/// Returns the name of a parameter or buffer in torchvision's state dict.
fn torchvision_name(ours: &str) -> String {
    let name = ours.strip_prefix("body.").unwrap_or(ours);
    match name.rsplit_once('.') {
        Some((layer, "scale")) => format!("{layer}.weight"),
        Some((layer, "shift")) => format!("{layer}.bias"),
        _ => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alrao_core::noise;
    use alrao_core::parameters::ParameterBuilder;
    use alrao_core::streams::stream;
    use tch::{Device, Kind, Tensor};

    const NARROW: f64 = 1.0 / 32.0;

    fn network(architecture: Architecture, heads: i64, seed: u64) -> Network<Box<dyn Body>> {
        let body = |b: &mut ParameterBuilder| architecture.build(b, NARROW);
        Network::new(body, heads, 5, &mut stream(seed, "weights"), (Kind::Float, Device::Cpu)).unwrap()
    }

    /// Returns the state dict of a network with one head, with torchvision's names.
    fn state(network: &Network<Box<dyn Body>>, output: &str) -> Vec<(String, Tensor)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut tensors = StateDict::default();
        network.save("network", &mut tensors);
        tensors.write(file.path()).unwrap();
        let theirs = |(name, value): (String, Tensor)| {
            let name = name.strip_prefix("network.").unwrap();
            match name.strip_prefix("heads.") {
                Some(kind) => (format!("{output}.{kind}"), value.squeeze_dim(0)),
                None => (torchvision_name(name), value),
            }
        };
        Tensor::read_safetensors(file.path()).unwrap().into_iter().map(theirs).collect()
    }

    fn written(state: &[(String, Tensor)]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        Tensor::write_safetensors(state, file.path()).unwrap();
        file
    }

    #[test]
    fn every_head_predicts_like_the_loaded_network() {
        for (architecture, output) in [
            (Architecture::AlexNet, "classifier.6"),
            (Architecture::DenseNet121, "classifier"),
            (Architecture::ResNet50, "fc"),
        ] {
            let source = network(architecture, 1, 0);
            let x = (Tensor::arange(2 * 3 * 64 * 64, (Kind::Float, Device::Cpu)) * 0.7).sin().view([2, 3, 64, 64]);
            let _ = noise::with_seed(0, || source.forward(&x)).unwrap(); // updates the running statistics
            let file = written(&state(&source, output));
            let mut loaded = network(architecture, 3, 1);
            load(&mut loaded, architecture, file.path()).unwrap();
            let distance = (loaded.outputs(&x).unwrap() - source.outputs(&x).unwrap()).abs().max().double_value(&[]);
            assert!(distance < 1e-6, "{architecture:?}: {distance}");
        }
    }

    #[test]
    fn invalid_weights_are_errors_and_leave_the_network_unchanged() {
        let architecture = Architecture::ResNet50;
        let whole = state(&network(architecture, 1, 0), "fc");
        let mut target = network(architecture, 2, 1);
        let before = target.parameters().theta().copy();
        let mut refusal = |name: &str, replacement: Option<Tensor>| {
            let mut state: Vec<_> =
                whole.iter().filter(|(n, _)| n != name).map(|(n, t)| (n.clone(), t.copy())).collect();
            state.extend(replacement.map(|tensor| (name.into(), tensor)));
            let error = load(&mut target, architecture, written(&state).path()).unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
            assert_eq!(target.parameters().theta(), &before);
            error
        };
        refusal("layer2.3.bn2.running_var", None);
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, Device::Cpu));
        let error = refusal("layer1.0.bn1.weight", Some(zeros(&[3])));
        assert!(error.contains("[3]") && error.contains("[2]"), "{error}");
        let error = refusal("fc.weight", Some(zeros(&[1000, 64])));
        assert!(error.contains("[1000, 64]") && error.contains("[5, 64]"), "{error}");

        let error = load(&mut target, Architecture::Vgg19, Path::new("vgg.safetensors")).unwrap_err().to_string();
        assert!(error.contains("vgg.safetensors"), "{error}");
    }
}
