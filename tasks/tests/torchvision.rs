//! With torchvision's weights, our networks return torchvision's logits.
//!
//! `tasks/scripts/torchvision_weights.py FOLDER` writes the weights, 380 MB;
//! `ALRAO_TORCHVISION=FOLDER cargo test -p alrao-tasks --test torchvision -- --nocapture` compares.

use std::io::Write;
use std::path::PathBuf;

use alrao_core::network::Network;
use alrao_core::parameters::ParameterBuilder;
use alrao_core::state_dict::StateDict;
use alrao_core::streams::stream;
use alrao_tasks::networks::{Architecture, torchvision};
use tch::{Device, Kind};

const CLASSES: i64 = 1000;

#[test]
fn logits_equal_torchvisions() {
    let Some(folder) = std::env::var_os("ALRAO_TORCHVISION").map(PathBuf::from) else {
        let skipped = "skipped: set ALRAO_TORCHVISION to a folder written by tasks/scripts/torchvision_weights.py";
        writeln!(std::io::stderr(), "{skipped}").unwrap(); // the output of macros is captured
        return;
    };
    for (name, architecture) in [
        ("alexnet", Architecture::AlexNet),
        ("densenet121", Architecture::DenseNet121),
        ("resnet50", Architecture::ResNet50),
    ] {
        let body = |builder: &mut ParameterBuilder| architecture.build(builder, 1.0);
        let float = (Kind::Float, Device::Cpu);
        let mut network = Network::new(body, 1, CLASSES, &mut stream(0, "weights"), float).unwrap();
        torchvision::load(&mut network, architecture, &folder.join(format!("{name}.safetensors"))).unwrap();
        let expected = StateDict::read(&folder.join(format!("{name}-logits.safetensors"))).unwrap();
        for side in [64, 224] {
            let images = expected.get(&format!("images{side}"), &[-1, 3, side, side]).unwrap();
            let logits = expected.get(&format!("logits{side}"), &[-1, CLASSES]).unwrap();
            let difference = (network.mean(images).unwrap() - logits).abs().max().double_value(&[]);
            println!("{name} at {side} pixels: logits differ by at most {difference:.1e}");
            assert!(difference <= 1e-4, "{name} at {side} pixels: {difference}");
        }
    }
}
