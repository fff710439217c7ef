//! A policy as an ONNX graph: from `observation`, in the environment's shape and dtype, to `q_values` and `action`.
//!
//! Every module is one or two of ONNX's operators. Weights are initializers by the names that the safetensors file has.

use alrao_core::layers::Module;
use alrao_core::tch::Tensor;
use alrao_envs::ObservationDtype;
use prost::Message;

use super::ExportedPolicy;
use super::onnx_messages::{
    AttributeProto, DataType, Dimension, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

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
            Module::Conv2d { settings, .. } => {
                let attributes = [
                    ("strides", Attribute::Ints(&[settings.stride; 2])),
                    ("pads", Attribute::Ints(&[settings.padding; 4])),
                    ("dilations", Attribute::Ints(&[settings.dilation; 2])),
                    ("group", Attribute::Int(settings.groups)),
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
