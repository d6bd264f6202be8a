//! Networks as ONNX (opset 18), for any number of samples.
//!
//! Burn's own exporter (`burn-onnx`) has no mean over an axis, with which all networks of the zoo
//! end, and takes no lowering from outside; so a network's trace is written here. What is written
//! is the trace: a model that grows is a model that can be exported.

mod builder;
mod lower;
mod proto;

use std::collections::HashMap;
use std::path::Path;

use burgeon_nn::stored::{collect, write_atomically};
use burgeon_nn::{Growable, Input, Output, Trace};
use burn::backend::ir::TensorIr;
use burn::module::Module;
use prost::Message;

use crate::error::ExchangeError;
use crate::int8::Int8Weight;
use builder::{Builder, data_type};
use proto::{
    DimensionProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};

/// The version of ONNX's operators.
const OPSET: i64 = 18;

/// The version of the file format, of which every reader of the opset knows.
const IR_VERSION: i64 = 8;

/// Bytes that a protobuf message may have.
const MOST_BYTES: usize = i32::MAX as usize;

/// How a network is written as ONNX.
///
/// ```
/// use burgeon_exchange::OnnxExporter;
/// use burgeon_zoo::{Activation, ResNet};
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let model = ResNet::resnet_20(2, [3, 10], Activation::Relu, &device)?;
/// let example = Tensor::zeros([1, 3, 32, 32], &device);
/// let onnx = OnnxExporter::new().export(&model, &example)?;
/// let folder = tempfile::tempdir()?;
/// onnx.save(&folder.path().join("resnet.onnx"))?;
/// assert_eq!(onnx.inputs(), [("input".to_owned(), "batch, 3, 32, 32".to_owned())]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct OnnxExporter {
    inputs: Vec<String>,
    output: String,
    metadata: Vec<(String, String)>,
    int8: HashMap<String, Int8Weight>,
}

impl Default for OnnxExporter {
    fn default() -> Self {
        Self {
            inputs: Vec::new(),
            output: "output".to_owned(),
            metadata: Vec::new(),
            int8: HashMap::new(),
        }
    }
}

/// A network as ONNX.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxModel(ModelProto);

impl OnnxExporter {
    /// An exporter that calls the input `input` (of several, `input_0` and so on) and the answer
    /// `output`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Other names of the inputs.
    #[must_use]
    pub fn with_inputs(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.inputs = names.into_iter().map(Into::into).collect();
        self
    }

    /// Another name of the answer.
    #[must_use]
    pub fn with_output(mut self, name: impl Into<String>) -> Self {
        self.output = name.into();
        self
    }

    /// A line of the file's metadata.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.push((key.into(), value.into()));
        self
    }

    /// Weights by their paths in the model that are written as int8, with a node behind each that
    /// makes floats of them.
    #[must_use]
    pub fn with_int8(mut self, weights: impl IntoIterator<Item = (String, Int8Weight)>) -> Self {
        self.int8.extend(weights);
        self
    }

    /// `model` in inference mode, for inputs like `example`, of which at least one row is needed.
    ///
    /// # Errors
    /// [`ExchangeError::UnsupportedOperation`] that names the operation, the layer and what to do;
    /// [`ExchangeError::Network`] where the model cannot be traced.
    pub fn export<M: Growable>(
        &self,
        model: &M,
        example: &M::Input,
    ) -> Result<OnnxModel, ExchangeError> {
        self.export_forward(model, example, |model: &M, input| {
            model.clone().rebuilt().predict(input)
        })
    }

    /// As [`export`](Self::export), of another forward pass than `predict`.
    ///
    /// # Errors
    /// As [`export`](Self::export).
    pub fn export_forward<M: Module, I: Input, O: Output>(
        &self,
        model: &M,
        example: &I,
        forward: impl Fn(&M, I) -> O,
    ) -> Result<OnnxModel, ExchangeError> {
        let trace = Trace::of(model, example, forward)?;
        let weights: HashMap<_, _> = collect(model)
            .into_iter()
            .map(|(path, weight)| (weight.id, (path, weight.data)))
            .collect();
        let recorded = trace.recorded();
        let inputs = self.input_names(recorded.inputs.len());
        let mut builder = Builder::new(&trace, &weights, &self.int8, &inputs, &self.output);
        for (operation, node) in recorded.operations.iter().zip(trace.graph().nodes()) {
            builder.at(&node.layer);
            lower::lower(&mut builder, operation).map_err(|advice| {
                ExchangeError::UnsupportedOperation {
                    operation: node.name.clone(),
                    layer: node.layer.clone(),
                    advice,
                }
            })?;
        }
        let ends = |advice: String| ExchangeError::UnsupportedOperation {
            operation: "inputs and outputs".to_owned(),
            layer: String::new(),
            advice,
        };
        let nodes = || recorded.operations.iter().flat_map(|o| o.nodes());
        let find = |id| nodes().find(|tensor: &&TensorIr| tensor.id == id);
        let mut values = Vec::new();
        for (id, name) in recorded.inputs.iter().zip(&inputs) {
            let tensor = find(*id).ok_or_else(|| ends(format!("nothing reads `{name}`")))?;
            values.push(value_info(&builder, name, tensor).map_err(ends)?);
        }
        let answer = find(recorded.output).ok_or_else(|| ends("nothing is computed".into()))?;
        let output = value_info(&builder, &self.output, answer).map_err(ends)?;
        let result = builder.operand(answer).map_err(ends)?;
        builder.answer(result, &self.output);
        let mut graph = builder.finish();
        graph.name = Some("network".to_owned());
        graph.input = values;
        graph.output = vec![output];
        let model = ModelProto {
            ir_version: Some(IR_VERSION),
            producer_name: Some("burgeon".to_owned()),
            producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            graph: Some(graph),
            opset_import: vec![OperatorSetIdProto {
                domain: Some(String::new()),
                version: Some(OPSET),
            }],
            metadata_props: self.metadata.iter().map(line).collect(),
        };
        match model.encoded_len() {
            length if length > MOST_BYTES => Err(ends(format!(
                "{length} bytes are more than an ONNX file may have in one piece ({MOST_BYTES}): \
                 take a smaller network, or safetensors"
            ))),
            _ => Ok(OnnxModel(model)),
        }
    }

    fn input_names(&self, count: usize) -> Vec<String> {
        let usual = |index: usize| match count {
            1 => "input".to_owned(),
            _ => format!("input_{index}"),
        };
        let given = |index: usize| self.inputs.get(index).cloned();
        (0..count)
            .map(|index| given(index).unwrap_or_else(|| usual(index)))
            .collect()
    }
}

impl OnnxModel {
    /// The names and shapes of the inputs: what follows the number of samples is called `batch`.
    pub fn inputs(&self) -> Vec<(String, String)> {
        let graph = self.0.graph.iter();
        graph.flat_map(|graph| &graph.input).map(shown).collect()
    }

    /// The name and shape of the answer.
    pub fn outputs(&self) -> Vec<(String, String)> {
        let graph = self.0.graph.iter();
        graph.flat_map(|graph| &graph.output).map(shown).collect()
    }

    /// The operators, in the order in which they are computed.
    pub fn operators(&self) -> Vec<&str> {
        let nodes = self.0.graph.iter().flat_map(|graph| &graph.node);
        nodes.map(proto::NodeProto::op_type).collect()
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`ExchangeError::Network`] where the file system refuses.
    pub fn save(&self, path: &Path) -> Result<(), ExchangeError> {
        Ok(write_atomically(path, &self.to_bytes())?)
    }
}

fn shown(info: &ValueInfoProto) -> (String, String) {
    let tensor = info
        .r#type
        .as_ref()
        .and_then(|own| own.tensor_type.as_ref());
    let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
    let lengths = shape.iter().flat_map(|shape| &shape.dim);
    let lengths: Vec<String> = lengths
        .map(|length| match (&length.dim_param, length.dim_value) {
            (Some(name), _) => name.clone(),
            (None, value) => value.unwrap_or_default().to_string(),
        })
        .collect();
    (info.name().to_owned(), lengths.join(", "))
}

fn line((key, value): &(String, String)) -> StringStringEntryProto {
    StringStringEntryProto {
        key: Some(key.clone()),
        value: Some(value.clone()),
    }
}

/// The type of an input or output; what follows the number of samples is called by it.
fn value_info(builder: &Builder, name: &str, tensor: &TensorIr) -> Result<ValueInfoProto, String> {
    let elem_type = data_type(tensor.dtype)?;
    let dim = builder.sizes(tensor).into_iter().map(|size| {
        let samples = match (size.per_sample, size.fixed) {
            (0, _) => None,
            (1, 0) => Some("batch".to_owned()),
            (each, fixed) => Some(format!("{each}*batch+{fixed}")),
        };
        DimensionProto {
            dim_value: samples.is_none().then_some(size.fixed as i64),
            dim_param: samples,
        }
    });
    let shape = TensorShapeProto { dim: dim.collect() };
    let tensor_type = TensorTypeProto {
        elem_type: Some(elem_type.into()),
        shape: Some(shape),
    };
    Ok(ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor_type),
        }),
    })
}
