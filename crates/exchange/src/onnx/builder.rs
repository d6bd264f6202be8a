//! The ONNX graph in the making: names, initializers, shapes that follow the batch.

use std::collections::{HashMap, HashSet};

use burgeon_graph::Size;
use burgeon_nn::{Recorded, Trace};
use burn::backend::capture::TensorId;
use burn::backend::ir::{ScalarIr, TensorIr};
use burn::module::ParamId;
use burn::tensor::{DType, TensorData};

use crate::int8::Int8Weight;

use super::proto::{AttributeProto, AttributeType, DataType, GraphProto, NodeProto, TensorProto};

/// A value's name in the graph.
pub type Name = String;

/// What a lowering says of an operation that it cannot write: what to do.
pub type Refusal = String;

/// Tensors that are known before anything is computed.
pub struct Known {
    pub path: String,
    pub data: TensorData,
}

/// The graph in the making.
pub struct Builder<'a> {
    pub trace: &'a Trace,
    pub recorded: Recorded<'a>,
    graph: GraphProto,
    /// Of all values that are computed or put in.
    names: HashMap<TensorId, Name>,
    known: HashMap<TensorId, Known>,
    taken: HashSet<Name>,
    int8: &'a HashMap<String, Int8Weight>,
    batch: Option<Name>,
    /// Where the operation in hand stands.
    place: String,
}

impl<'a> Builder<'a> {
    /// A graph for the recorded operations of `trace`, with weights by id, those that are written
    /// as int8 by path, and the names of its inputs and output.
    pub fn new(
        trace: &'a Trace,
        weights: &HashMap<ParamId, (String, TensorData)>,
        int8: &'a HashMap<String, Int8Weight>,
        inputs: &[String],
        output: &str,
    ) -> Self {
        let recorded = trace.recorded();
        let mut known = HashMap::new();
        for (tensor, id) in recorded.parameters {
            if let Some((path, data)) = weights.get(id) {
                let (path, data) = (path.clone(), data.clone());
                known.insert(*tensor, Known { path, data });
            }
        }
        for (tensor, data) in recorded.constants {
            let (path, data) = ("constant".to_owned(), data.clone());
            known.entry(*tensor).or_insert(Known { path, data });
        }
        let ends = inputs.iter().map(String::as_str).chain([output]);
        let taken = ends.map(str::to_owned).collect();
        let mut names: HashMap<TensorId, Name> = HashMap::new();
        for (tensor, name) in recorded.inputs.iter().zip(inputs) {
            names.insert(*tensor, name.clone());
        }
        Self {
            trace,
            recorded,
            graph: GraphProto::default(),
            names,
            known,
            taken,
            int8,
            batch: None,
            place: String::new(),
        }
    }

    /// The nodes and initializers.
    pub fn finish(self) -> GraphProto {
        self.graph
    }

    /// Says which operation the next nodes belong to.
    pub fn at(&mut self, layer: &str) {
        layer.clone_into(&mut self.place);
    }

    /// The name of an operand; weights enter the graph when they are first read.
    pub fn operand(&mut self, tensor: &TensorIr) -> Result<Name, Refusal> {
        if let Some(name) = self.names.get(&tensor.id) {
            return Ok(name.clone());
        }
        let Some(Known { path, data }) = self.known.get(&tensor.id) else {
            return Err(
                "it reads a tensor that is no float parameter of the model and no \
                        constant: keep such data in the model, or make them of the input"
                    .to_owned(),
            );
        };
        let (path, data) = (path.clone(), data.clone());
        let int8 = self.int8.get(&path);
        let name = match int8.filter(|own| own.shape[..] == data.shape()[..]) {
            Some(own) => self.dequantised(&path, own)?,
            None => self.initializer(&path, &data, tensor.dtype)?,
        };
        self.names.insert(tensor.id, name.clone());
        Ok(name)
    }

    /// Int8 numbers with their scales, and the node that makes floats of them.
    fn dequantised(&mut self, path: &str, own: &Int8Weight) -> Result<Name, Refusal> {
        let numbers = self.initializer(&format!("{path}.int8"), &own.numbers(), DType::I8)?;
        let scale = self.initializer(&format!("{path}.scale"), &own.scale(), DType::F32)?;
        let name = self.fresh(path);
        let attributes = vec![int("axis", own.axis as i64)];
        let inputs = vec![numbers, scale];
        self.push("DequantizeLinear", inputs, attributes, name.clone());
        Ok(name)
    }

    /// The values of a tensor that is known before anything is computed.
    pub fn known(&self, tensor: TensorId) -> Option<&Known> {
        self.known.get(&tensor)
    }

    /// Says that `tensor` is known.
    pub fn know(&mut self, tensor: TensorId, known: Known) {
        self.known.insert(tensor, known);
    }

    /// The lengths of a tensor's axes, for any batch.
    pub fn sizes(&self, tensor: &TensorIr) -> Vec<Size> {
        let known = self.trace.sizes(tensor.id).map(<[Size]>::to_vec);
        known.unwrap_or_else(|| tensor.shape.iter().map(|&n| Size::fixed(n)).collect())
    }

    /// Adds an initializer of `data` in the type `dtype`.
    pub fn initializer(
        &mut self,
        path: &str,
        data: &TensorData,
        dtype: DType,
    ) -> Result<Name, Refusal> {
        let name = self.fresh(path);
        let mut tensor = tensor_proto(data, dtype)?;
        tensor.name = Some(name.clone());
        self.graph.initializer.push(tensor);
        Ok(name)
    }

    /// Adds an initializer `[n]` of whole numbers.
    pub fn integers(&mut self, what: &str, values: &[i64]) -> Result<Name, Refusal> {
        let data = TensorData::new(values.to_vec(), [values.len()]);
        let path = self.local(what);
        self.initializer(&path, &data, DType::I64)
    }

    /// Adds an initializer `[]` of one number.
    pub fn scalar(&mut self, what: &str, value: ScalarIr, dtype: DType) -> Result<Name, Refusal> {
        let path = self.local(what);
        let data = TensorData::new(vec![value.elem::<f64>()], Vec::<usize>::new());
        self.initializer(&path, &data, dtype)
    }

    /// Adds the node whose result is `out`.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: Vec<Name>,
        attributes: Vec<AttributeProto>,
        out: &TensorIr,
    ) {
        let name = self.fresh(&self.local(operator));
        self.names.insert(out.id, name.clone());
        self.push(operator, inputs, attributes, name);
    }

    /// Adds a node whose result is read by other nodes of the same operation.
    pub fn part(
        &mut self,
        operator: &str,
        inputs: Vec<Name>,
        attributes: Vec<AttributeProto>,
    ) -> Name {
        let name = self.fresh(&self.local(operator));
        self.push(operator, inputs, attributes, name.clone());
        name
    }

    /// Gives the result, whatever makes it, the name `output`.
    pub fn answer(&mut self, result: Name, output: &str) {
        let is_computed = self.graph.node.iter().any(|n| n.output.contains(&result));
        if !is_computed {
            self.push("Identity", vec![result], Vec::new(), output.to_owned());
            return;
        }
        let nodes = self.graph.node.iter_mut();
        let values = nodes.flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        for name in values.filter(|name| **name == result) {
            output.clone_into(name);
        }
    }

    /// A shape `[rank]`, with the number of samples of the first input where it follows the batch.
    pub fn shape(&mut self, sizes: &[Size]) -> Result<Name, Refusal> {
        let fixed: Vec<i64> = sizes.iter().map(|size| size.fixed as i64).collect();
        if sizes.iter().all(|size| size.per_sample == 0) {
            return self.integers("shape", &fixed);
        }
        let mut parts = Vec::new();
        for size in sizes {
            if size.per_sample == 0 {
                parts.push(self.integers("length", &[size.fixed as i64])?);
                continue;
            }
            let mut length = self.batch();
            if size.per_sample != 1 {
                let factor = self.integers("per_sample", &[size.per_sample as i64])?;
                length = self.part("Mul", vec![length, factor], Vec::new());
            }
            if size.fixed != 0 {
                let more = self.integers("fixed", &[size.fixed as i64])?;
                length = self.part("Add", vec![length, more], Vec::new());
            }
            parts.push(length);
        }
        Ok(self.part("Concat", parts, vec![int("axis", 0)]))
    }

    /// The number of samples `[1]`.
    fn batch(&mut self) -> Name {
        if let Some(name) = &self.batch {
            return name.clone();
        }
        let input = self.recorded.inputs.first();
        let input = input.and_then(|tensor| self.names.get(tensor)).cloned();
        let attributes = vec![int("start", 0), int("end", 1)];
        let name = self.fresh("batch_size");
        let inputs = input.into_iter().collect();
        self.push("Shape", inputs, attributes, name.clone());
        self.batch = Some(name.clone());
        name
    }

    fn push(
        &mut self,
        operator: &str,
        input: Vec<Name>,
        attribute: Vec<AttributeProto>,
        out: Name,
    ) {
        self.graph.node.push(NodeProto {
            input,
            name: Some(format!("{out}_node")),
            output: vec![out],
            op_type: Some(operator.to_owned()),
            attribute,
        });
    }

    fn local(&self, what: &str) -> String {
        match self.place.as_str() {
            "" => what.to_owned(),
            place => format!("{place}.{what}"),
        }
    }

    /// `wanted`, or with a number behind it where that is taken.
    fn fresh(&mut self, wanted: &str) -> Name {
        let mut name = wanted.to_owned();
        let mut number = 1;
        while !self.taken.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        name
    }
}

/// An attribute that is a whole number.
pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        i: Some(value),
        ..attribute(name, AttributeType::Int)
    }
}

/// An attribute that is a list of whole numbers.
pub fn ints(name: &str, values: impl IntoIterator<Item = usize>) -> AttributeProto {
    AttributeProto {
        ints: values.into_iter().map(|value| value as i64).collect(),
        ..attribute(name, AttributeType::Ints)
    }
}

/// An attribute that is a number.
pub fn float(name: &str, value: ScalarIr) -> AttributeProto {
    AttributeProto {
        f: Some(value.elem::<f32>()),
        ..attribute(name, AttributeType::Float)
    }
}

/// An attribute that is a word.
pub fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        s: Some(value.as_bytes().to_vec()),
        ..attribute(name, AttributeType::String)
    }
}

/// An attribute that is a tensor `[1]`.
pub fn tensor(name: &str, value: ScalarIr, dtype: DType) -> Result<AttributeProto, Refusal> {
    let data = TensorData::new(vec![value.elem::<f64>()], [1]);
    Ok(AttributeProto {
        t: Some(tensor_proto(&data, dtype)?),
        ..attribute(name, AttributeType::Tensor)
    })
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(kind.into()),
        ..AttributeProto::default()
    }
}

fn tensor_proto(data: &TensorData, dtype: DType) -> Result<TensorProto, Refusal> {
    let data_type = data_type(dtype)?;
    let raw = match dtype {
        DType::Bool(_) => data.iter::<bool>().map(u8::from).collect(),
        DType::Flex32 => data.clone().convert_dtype(DType::F32).as_bytes().to_vec(),
        _ => data.clone().convert_dtype(dtype).as_bytes().to_vec(),
    };
    Ok(TensorProto {
        dims: data.shape().iter().map(|&n| n as i64).collect(),
        data_type: Some(data_type.into()),
        name: None,
        raw_data: Some(raw),
    })
}

/// ONNX's word for a type.
pub fn data_type(dtype: DType) -> Result<DataType, Refusal> {
    Ok(match dtype {
        DType::F64 => DataType::Double,
        DType::F32 | DType::Flex32 => DataType::Float,
        DType::F16 => DataType::Float16,
        DType::BF16 => DataType::Bfloat16,
        DType::I64 => DataType::Int64,
        DType::I32 => DataType::Int32,
        DType::I16 => DataType::Int16,
        DType::I8 => DataType::Int8,
        DType::U64 => DataType::Uint64,
        DType::U32 => DataType::Uint32,
        DType::U16 => DataType::Uint16,
        DType::U8 => DataType::Uint8,
        DType::Bool(_) => DataType::Bool,
        DType::QFloat(_) => {
            return Err(
                "quantised tensors have no type in ONNX here: cast the model to f32".into(),
            );
        }
    })
}
