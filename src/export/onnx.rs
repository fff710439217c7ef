//! A policy as an ONNX graph: from `observation`, in the environment's shape and dtype, to `q_values` and `action`.
//!
//! Every module is one or two of ONNX's operators. Weights are initializers by the names that the safetensors file has.

use alrao_core::layers::Module;
use alrao_core::tch::Tensor;
use alrao_envs::ObservationDtype;
use prost::Message;

use super::onnx_messages::{
    AttributeProto, DataType, Dimension, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use super::policy::ExportedPolicy;

/// The version of the operators, the first that has `LayerNormalization`, and the file format's version of its time, 2022.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

/// The value of an attribute.
enum Attribute<'a> {
    Float(f32),
    Int(i64),
    Ints(&'a [i64]),
}

/// A graph in the making.
struct Graph {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// the last node's output
    x: String,
}

/// Returns the bytes of the file.
pub fn bytes(policy: &ExportedPolicy) -> Vec<u8> {
    let mut graph = Graph { nodes: Vec::new(), initializers: Vec::new(), x: "observation".into() };
    let dtype = policy.inputs.space.dtype;
    if dtype != ObservationDtype::F32 {
        graph.add("Cast", "numbers", &[], &[("to", Attribute::Int(DataType::Float as i64))]);
    }
    if dtype == ObservationDtype::U8 {
        graph.floats("pixel_max", &[], &[255.0]);
        graph.add("Div", "pixels", &["pixel_max"], &[]);
    }
    let shape: Vec<i64> = policy.observation_shape().iter().map(|&length| length as i64).collect();
    if shape.len() > 1 && !matches!(policy.modules[0], Module::Unflatten(_)) {
        graph.add("Flatten", "flat", &[], &[]);
    }
    policy.modules.iter().enumerate().for_each(|(i, module)| graph.module(i, module));
    graph.nodes.last_mut().expect("a head").output = vec!["q_values".into()];
    graph.x = "q_values".into();
    graph.add("ArgMax", "action", &[], &[("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))]);

    let input_type = match dtype {
        ObservationDtype::F32 => DataType::Float,
        ObservationDtype::U8 => DataType::Uint8,
        ObservationDtype::Bool => DataType::Bool,
    };
    let graph = GraphProto {
        node: graph.nodes,
        name: "policy".into(),
        initializer: graph.initializers,
        input: vec![value("observation", input_type, &shape)],
        output: vec![
            value("q_values", DataType::Float, &[policy.num_actions as i64]),
            value("action", DataType::Int64, &[]),
        ],
    };
    let metadata =
        policy.metadata.iter().map(|(&key, value)| StringStringEntryProto { key: key.into(), value: value.clone() });
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "alrao".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: format!("Greedy policy of an agent: {}", policy.describe()),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: OPSET }],
        metadata_props: metadata.collect(),
    };
    model.encode_to_vec()
}

/// Describes an input or output, `[batch, lengths..]`.
fn value(name: &str, dtype: DataType, lengths: &[i64]) -> ValueInfoProto {
    let dim = |value| Dimension { value: Some(value) };
    let batch = dim(DimensionValue::Name("batch".into()));
    let lengths = lengths.iter().map(|&length| dim(DimensionValue::Length(length)));
    let shape = TensorShapeProto { dim: [batch].into_iter().chain(lengths).collect() };
    let tensor_type = TensorTypeProto { elem_type: dtype as i32, shape: Some(shape) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

impl Graph {
    /// Appends a node of the last output and `others`.
    fn add(&mut self, op_type: &str, output: &str, others: &[&str], attributes: &[(&str, Attribute)]) {
        let x = std::mem::replace(&mut self.x, output.into());
        self.nodes.push(NodeProto {
            input: [x].into_iter().chain(others.iter().map(|&name| name.into())).collect(),
            output: vec![output.into()],
            name: output.into(),
            op_type: op_type.into(),
            attribute: attributes.iter().map(|(name, value)| value.named(name)).collect(),
        });
    }

    /// Appends the i-th module.
    fn module(&mut self, i: usize, module: &Module) {
        let names: Vec<String> = module.tensors().iter().map(|(name, _)| format!("{i}.{name}")).collect();
        for ((_, tensor), name) in module.tensors().into_iter().zip(&names) {
            self.tensor(name, tensor);
        }
        let others: Vec<&str> = names.iter().map(String::as_str).collect();
        let output = i.to_string();
        match module {
            Module::Normalize { .. } => {
                self.add("Sub", &format!("{i}.centered"), &others[..1], &[]);
                self.add("Div", &output, &others[1..], &[]);
            }
            Module::Linear { .. } => self.add("Gemm", &output, &others, &[("transB", Attribute::Int(1))]),
            &Module::Conv2d { stride, padding, dilation, groups, .. } => {
                let attributes = [
                    ("strides", Attribute::Ints(&[stride; 2])),
                    ("pads", Attribute::Ints(&[padding; 4])),
                    ("dilations", Attribute::Ints(&[dilation; 2])),
                    ("group", Attribute::Int(groups)),
                ];
                self.add("Conv", &output, &others, &attributes);
            }
            Module::LayerNorm(shape) => {
                let ones = format!("{i}.ones"); // the operator has no form without a scale
                self.floats(&ones, shape, &vec![1.0; shape.iter().product::<i64>() as usize]);
                let axis = ("axis", Attribute::Int(-(shape.len() as i64)));
                let epsilon = ("epsilon", Attribute::Float(Module::EPSILON as f32));
                self.add("LayerNormalization", &output, &[&ones], &[axis, epsilon]);
            }
            Module::ReLU => self.add("Relu", &output, &[], &[]),
            Module::Tanh => self.add("Tanh", &output, &[], &[]),
            Module::Flatten => self.add("Flatten", &output, &[], &[]),
            Module::Unflatten(lengths) => {
                let name = format!("{i}.shape");
                let shape: Vec<u8> = [0].iter().chain(lengths).flat_map(|length: &i64| length.to_le_bytes()).collect();
                self.initializer(&name, DataType::Int64, &[lengths.len() as i64 + 1], shape); // 0 keeps the batch's length
                self.add("Reshape", &output, &[&name], &[]);
            }
            Module::Permute(dims) => self.add("Transpose", &output, &[], &[("perm", Attribute::Ints(dims))]),
        }
    }

    fn tensor(&mut self, name: &str, tensor: &Tensor) {
        let values = Vec::<f32>::try_from(tensor.flatten(0, -1)).expect("parameters are f32");
        self.floats(name, &tensor.size(), &values);
    }

    fn floats(&mut self, name: &str, shape: &[i64], values: &[f32]) {
        self.initializer(name, DataType::Float, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect());
    }

    fn initializer(&mut self, name: &str, dtype: DataType, shape: &[i64], raw_data: Vec<u8>) {
        let tensor = TensorProto { dims: shape.to_vec(), data_type: dtype as i32, name: name.into(), raw_data };
        self.initializers.push(tensor);
    }
}

impl Attribute<'_> {
    fn named(&self, name: &str) -> AttributeProto {
        let attribute = AttributeProto { name: name.into(), ..AttributeProto::default() };
        match *self {
            Attribute::Float(f) => AttributeProto { f: Some(f), r#type: 1, ..attribute },
            Attribute::Int(i) => AttributeProto { i: Some(i), r#type: 2, ..attribute },
            Attribute::Ints(ints) => AttributeProto { ints: ints.to_vec(), r#type: 7, ..attribute },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use alrao_agents::inputs::Inputs;
    use alrao_agents::q_network::{QNetwork, QNetworkSettings};
    use alrao_core::method::Method;
    use alrao_core::tch::{Device, Kind};
    use alrao_envs::{ObservationShape, ObservationSpace};

    use super::*;

    fn attribute<'a>(node: &'a NodeProto, name: &str) -> &'a AttributeProto {
        node.attribute.iter().find(|attribute| attribute.name == name).unwrap()
    }

    fn int(node: &NodeProto, name: &str) -> i64 {
        attribute(node, name).i.unwrap()
    }

    fn initial(tensor: &TensorProto) -> (String, Tensor) {
        let kind = if tensor.data_type == 7 { Kind::Int64 } else { Kind::Float };
        (tensor.name.clone(), Tensor::from_data_size(&tensor.raw_data, &tensor.dims, kind))
    }

    /// Computes a node's output as ONNX defines its operator.
    fn output(node: &NodeProto, inputs: &[&Tensor]) -> Tensor {
        let ints = |name| &attribute(node, name).ints[..];
        match (&*node.op_type, inputs) {
            ("Cast", [x]) => {
                assert_eq!(int(node, "to"), 1);
                x.to_kind(Kind::Float)
            }
            ("Sub", &[a, b]) => a - b,
            ("Div", &[a, b]) => a / b,
            ("Relu", [x]) => x.relu(),
            ("Flatten", [x]) => x.reshape([x.size()[0], -1]), // axis 1
            ("Transpose", [x]) => x.permute(ints("perm")),
            ("Reshape", [x, shape]) => {
                let mut shape = Vec::<i64>::try_from(*shape).unwrap();
                assert_eq!(shape[0], 0);
                shape[0] = x.size()[0];
                x.reshape(shape)
            }
            ("Gemm", [x, weight, bias]) => {
                assert_eq!(int(node, "transB"), 1);
                x.matmul(&weight.tr()) + *bias
            }
            ("Conv", [x, weight, bias]) => {
                let (strides, pads, dilations) = (ints("strides"), ints("pads"), ints("dilations"));
                x.conv2d(weight, Some(*bias), strides, &pads[..2], dilations, int(node, "group"))
            }
            ("LayerNormalization", [x, scale]) => {
                let axis = (x.dim() as i64 + int(node, "axis")) as usize;
                let epsilon = attribute(node, "epsilon").f.unwrap();
                x.layer_norm(&x.size()[axis..], Some(*scale), None::<&Tensor>, epsilon.into(), false)
            }
            ("ArgMax", [x]) => x.argmax(int(node, "axis"), int(node, "keepdims") == 1),
            (op, inputs) => panic!("{op} of {} inputs", inputs.len()),
        }
    }

    /// Runs a file on a batch of observations; returns values and actions.
    fn run(bytes: &[u8], observations: &Tensor) -> (Tensor, Tensor) {
        let graph = ModelProto::decode(bytes).unwrap().graph.unwrap();
        let mut values: HashMap<String, Tensor> = graph.initializer.iter().map(initial).collect();
        values.insert("observation".into(), observations.shallow_clone());
        for node in &graph.node {
            let inputs: Vec<&Tensor> = node.input.iter().map(|name| &values[name]).collect();
            let output = output(node, &inputs);
            assert!(values.insert(node.output[0].clone(), output).is_none(), "a name is given once");
        }
        ["q_values", "action"].map(|name| values.remove(name).unwrap()).into()
    }

    /// Every body and kind of observation: the file's values are the network's.
    #[test]
    fn a_file_computes_the_networks_values() {
        use ObservationDtype::{Bool, F32, U8};
        let spaces = [
            (ObservationShape::Vector(6), F32, 1, "mlp"),
            (ObservationShape::Vector(6), F32, 3, "mlp"),
            (ObservationShape::Vector(6), U8, 1, "mlp"),
            (ObservationShape::ChannelsLast([5, 4, 2]), U8, 1, "mlp"),
            (ObservationShape::ChannelsLast([5, 4, 2]), Bool, 1, "minatar-cnn"),
            (ObservationShape::ChannelsLast([5, 4, 2]), U8, 3, "minatar-cnn"),
            (ObservationShape::ChannelsFirst([2, 5, 4]), F32, 3, "minatar-cnn"),
            (ObservationShape::OneChannel([36, 40]), U8, 4, "nature-cnn"),
        ];
        for ((shape, dtype, frame_stack, body), dueling) in spaces.into_iter().flat_map(|s| [(s, false), (s, true)]) {
            let inputs = Inputs::new(ObservationSpace { shape, dtype }, frame_stack);
            let settings = QNetworkSettings { body: body.into(), dueling, width_factor: 0.1, ..Default::default() };
            let mut q = QNetwork::new(inputs, 3, &settings, &Method::default(), 0, Device::Cpu).unwrap();
            q.set_obs_stats(&vec![0.2; inputs.len()], &vec![3.0; inputs.len()]);
            let modules = q.network().modules().unwrap();
            let policy = ExportedPolicy { inputs, num_actions: 3, modules, metadata: [("task", "a".into())].into() };

            let numbers = (Tensor::arange(7 * inputs.len() as i64, (Kind::Float, Device::Cpu)) * 0.7).sin();
            let (observations, ours) = match dtype {
                F32 => (numbers.shallow_clone(), numbers),
                U8 => {
                    let pixels = (numbers * 100.0 + 120.0).to_kind(Kind::Uint8);
                    (pixels.shallow_clone(), pixels.to_kind(Kind::Float) / 255.0)
                }
                Bool => (numbers.gt(0.0), numbers.gt(0.0).to_kind(Kind::Float)),
            };
            let batch: Vec<i64> = [7].into_iter().chain(policy.observation_shape().iter().map(|&n| n as i64)).collect();
            let (values, actions) = run(&bytes(&policy), &observations.view(&batch[..]));
            let expected = q.network().mean(&ours.view([7, -1])).unwrap();
            let error = (&values - &expected).abs().max().double_value(&[]);
            assert!(values.size() == [7, 3] && error < 1e-5, "{shape} of {dtype}, {frame_stack}, {body}: {error}");
            assert_eq!(actions, values.argmax(1, false));
            assert_eq!(policy.observation_shape().len(), usize::from(frame_stack > 1) + shape.sizes().len());
        }
    }
}
