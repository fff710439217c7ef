//! The final state of every unit of a body: its learning rate (paper, section 4.3) and how far its weights moved.

use std::ops::Range;

use serde::Serialize;

use crate::parameters::Parameters;

/// The units of a body, layer by layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Units {
    /// Layers, first to last.
    pub layers: Vec<LayerUnits>,
}

/// The units of one layer; each list has one number per unit. RMS is the root mean square over the unit's parameters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerUnits {
    /// Scope of the layer's parameters.
    pub layer: String,
    /// Learning rate `eta`.
    pub lr: Vec<f32>,
    /// RMS of the initial parameters.
    pub initial_rms: Vec<f32>,
    /// RMS of the current parameters.
    pub final_rms: Vec<f32>,
    /// RMS of the change of the parameters.
    pub change_rms: Vec<f32>,
}

impl Units {
    /// Compares the parameters `now` with the initial ones, `first`; `rates` are the learning rates per element, `[P]`.
    pub(crate) fn new(now: &Parameters, first: &Parameters, rates: &tch::Tensor) -> Self {
        let [lr, initial_rms, final_rms, change_rms] =
            [rates, first.theta(), now.theta(), &(now.theta() - first.theta())].map(|flat| now.rms_by_unit(flat));
        let part = |of_units: &[f64], units: &Range<usize>| of_units[units.clone()].iter().map(|&x| x as f32).collect();
        let layer = |(layer, units): (String, Range<usize>)| LayerUnits {
            layer,
            lr: part(&lr, &units),
            initial_rms: part(&initial_rms, &units),
            final_rms: part(&final_rms, &units),
            change_rms: part(&change_rms, &units),
        };
        Units { layers: now.layers().into_iter().map(layer).collect() }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::parameters::{Init, ParameterBuilder};
    use crate::streams::stream;

    /// Two units of a weight and a bias each, and one unit of two weights.
    #[test]
    fn units_match_values_by_hand() {
        let mut rng = stream(0, "weights");
        let mut builder = ParameterBuilder::new(&mut rng);
        builder.scope("first", |b| {
            let (weight, bias) =
                (b.add("weight", &[2, 1], Init::Constant(3.0)), b.add("bias", &[2], Init::Constant(4.0)));
            b.add_units(2, &[(weight, 1), (bias, 1)]);
        });
        builder.scope("second", |b| {
            let weight = b.add("weight", &[1, 2], Init::Constant(1.0));
            b.add_units(1, &[(weight, 2)]);
        });
        let first = builder.finish(Device::Cpu, Kind::Float).unwrap();
        let mut now = first.copy();
        let _ = now.theta_mut().g_add_(&Tensor::from_slice(&[0f32, 6., 0., 8., -1., f32::NAN]));
        let units = Units::new(&now, &first, &-first.broadcast(&[1e-5, 0.1, 10.0]));
        let size = |x: f64, y: f64| ((x * x + y * y) / 2.0).sqrt() as f32;
        let [of_first, of_second] = &units.layers[..] else { panic!("{units:?}") };
        assert_eq!((of_first.layer.as_str(), &of_first.lr), ("first", &vec![1e-5, 0.1]));
        assert_eq!((of_second.layer.as_str(), &of_second.lr), ("second", &vec![10.0]));
        assert_eq!(of_first.initial_rms, [size(3.0, 4.0); 2]);
        assert_eq!(of_first.final_rms, [size(3.0, 4.0), size(9.0, 12.0)]);
        assert_eq!(of_first.change_rms, [0.0, size(6.0, 8.0)]);
        assert!(of_second.change_rms[0].is_nan() && of_second.initial_rms == [1.0]);
        assert!(serde_json::to_string(&units).unwrap().contains(r#""change_rms":[null]"#));
    }
}
