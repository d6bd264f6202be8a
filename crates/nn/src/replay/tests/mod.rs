//! Replays of small functions at another batch size than they were traced at, against the
//! functions themselves.

mod gradients;
mod layers;
mod operations;
mod refusals;
mod widths;

use std::collections::{BTreeSet, HashMap};

use burgeon_backend_ndarray::NDARRAY;
use burgeon_core::SplitBackend;
use burn::backend::TensorMetadata;
use burn::backend::capture::{CaptureBackend, CapturedGraph};
use burn::backend::ir::{BaseOperationIr, OperationIr, TensorId};
use burn::tensor::{DType, Device, Int, Slice, Tensor, TensorData};

use super::{Frame, Unsupported, Value, evaluate, kind};

/// What is traced, on `[n, 6]` or on `[n, 4, 6, 6]`.
#[derive(Clone, Copy)]
enum Function {
    Rows(fn(Tensor<2>) -> Tensor<2>),
    Maps(fn(Tensor<4>) -> Tensor<4>),
}

/// A function of tensors of rank `D`, and its name.
type Named<const D: usize> = (&'static str, fn(Tensor<D>) -> Tensor<D>);

/// Batch sizes.
const TRACED: usize = 2;
const REPLAYED: usize = 5;

impl Function {
    fn input(self, batch: usize) -> TensorData {
        match self {
            Self::Rows(_) => data(&[batch, 6]),
            Self::Maps(_) => data(&[batch, 4, 6, 6]),
        }
    }

    fn trace(self, batch: usize) -> CapturedGraph {
        let input = self.input(batch);
        match self {
            Self::Rows(function) => trace(function, input),
            Self::Maps(function) => trace(function, input),
        }
    }

    fn direct(self, input: TensorData, device: &Device, dtype: DType) -> TensorData {
        match self {
            Self::Rows(function) => function(Tensor::from_data(input, (device, dtype))).into_data(),
            Self::Maps(function) => function(Tensor::from_data(input, (device, dtype))).into_data(),
        }
    }
}

/// Uneven numbers in `[-2, 2]` that every float type holds exactly.
fn data(dims: &[usize]) -> TensorData {
    let count: usize = dims.iter().product();
    let values = (0..count).map(|i| ((i * 37 + 11) % 129) as f32 / 32.0 - 2.0);
    TensorData::new(values.collect::<Vec<_>>(), dims.to_vec())
}

/// [`data`] where `like` is.
fn constant<const D: usize, const E: usize>(like: &Tensor<D>, dims: [usize; E]) -> Tensor<E> {
    Tensor::from_data(data(&dims), (&like.device(), like.dtype()))
}

/// `values` as indices where `like` is.
fn indices<const D: usize, const E: usize>(
    like: &Tensor<D>,
    values: &[i32],
    dims: [usize; E],
) -> Tensor<E, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), dims), &like.device())
}

fn trace<const D: usize, const E: usize>(
    function: impl Fn(Tensor<D>) -> Tensor<E>,
    input: TensorData,
) -> CapturedGraph {
    let device = Device::capture();
    device
        .capture_scope(|scope| {
            let input = Tensor::<D>::from_data(input, &device);
            let inputs = [primitive_id(&input)];
            let output = function(input);
            scope.complete(inputs, [primitive_id(&output)])
        })
        .expect("the function is captured")
}

/// How the graph names a captured tensor.
fn primitive_id<const D: usize>(tensor: &Tensor<D>) -> TensorId {
    let primitive = tensor.clone().try_into_primitive::<CaptureBackend>();
    primitive.expect("the tensor is captured").id()
}

/// The operations that compute.
fn computed(graph: &CapturedGraph) -> impl Iterator<Item = &OperationIr> {
    let is_idle = |op: &&OperationIr| !matches!(op, OperationIr::Init(_) | OperationIr::Drop(_));
    graph.graph.operations.iter().filter(is_idle)
}

/// What changes from one trace to another of the same operations.
#[derive(Default)]
struct Change {
    shapes: HashMap<TensorId, Vec<usize>>,
    /// By a slice's output.
    ranges: HashMap<TensorId, Vec<Slice>>,
}

impl Change {
    fn new(traced: &CapturedGraph, replayed: &CapturedGraph) -> Self {
        let mut change = Self::default();
        let kinds = |graph| computed(graph).map(kind).collect::<Vec<_>>();
        assert_eq!(kinds(traced), kinds(replayed));
        for (from, to) in computed(traced).zip(computed(replayed)) {
            for (from, to) in from.nodes().into_iter().zip(to.nodes()) {
                change.shapes.insert(from.id, to.shape.to_vec());
            }
            let out = from
                .outputs()
                .next()
                .expect("the operation has a result")
                .id;
            if let Some(ranges) = ranges(to) {
                change.ranges.insert(out, ranges.to_vec());
            }
        }
        change
    }
}

fn ranges(op: &OperationIr) -> Option<&[Slice]> {
    match op {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            match op {
                BaseOperationIr::Slice(op) => Some(&op.ranges),
                BaseOperationIr::SliceAssign(op) => Some(&op.ranges),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The traced output on `input`, with some leaves replaced; a value is dropped at its last use.
fn replay(
    traced: &CapturedGraph,
    frame: &Frame,
    input: Value,
    leaves: &HashMap<TensorId, Value>,
) -> Result<Value, Unsupported> {
    let mut uses: HashMap<TensorId, usize> = HashMap::new();
    for operand in computed(traced).flat_map(OperationIr::inputs) {
        *uses.entry(operand.id).or_default() += 1;
    }
    let output = traced.graph.outputs[0];
    *uses.entry(output).or_default() += 1;
    let mut values: HashMap<_, _> = traced
        .values
        .iter()
        .map(|(id, data)| {
            (
                *id,
                leaves
                    .get(id)
                    .cloned()
                    .unwrap_or_else(|| frame.constant(data)),
            )
        })
        .collect();
    values.insert(traced.graph.inputs[0], frame.adopt(input));
    for op in computed(traced) {
        let mut order = Vec::new();
        let value = evaluate(op, frame, &mut |tensor| {
            order.push(tensor.id);
            let left = uses.get_mut(&tensor.id).expect("the operand is counted");
            *left -= 1;
            match left {
                0 => values.remove(&tensor.id),
                _ => values.get(&tensor.id).cloned(),
            }
            .expect("the operand is known")
        })?;
        assert_eq!(
            order,
            op.inputs().map(|tensor| tensor.id).collect::<Vec<_>>(),
            "{}",
            kind(op)
        );
        let out = op.outputs().next().expect("the operation has a result");
        assert_eq!(value.shape().to_vec(), (frame.shapes)(out), "{}", kind(op));
        values.insert(out.id, value);
    }
    Ok(values.remove(&output).expect("the output is computed"))
}

/// `traced` replayed with what `change` says on `input`, as data.
fn replayed(
    traced: &CapturedGraph,
    change: &Change,
    input: TensorData,
    device: &Device,
    float: DType,
) -> TensorData {
    let frame = Frame {
        device: device.as_dispatch(),
        float,
        shapes: &|tensor| change.shapes[&tensor.id].clone(),
        ranges: &|op| change.ranges[&op.out.id].clone(),
        assigned: &|op| change.ranges[&op.out.id].clone(),
        fast: &|_| false,
        slope_at_zero: burgeon_core::SlopeAtZero::Trained,
    };
    let input = frame.constant(&input);
    let value = replay(traced, &frame, input, &HashMap::new());
    Tensor::<1>::from_dispatch(value.expect("every operation is supported")).into_data()
}

/// Every function of the tables, traced at one batch size and replayed at another.
fn functions() -> impl Iterator<Item = (&'static str, Function)> {
    let rows = operations::ROWS.iter();
    let rows = rows.map(|&(name, function)| (name, Function::Rows(function)));
    let maps = operations::MAPS.iter().chain(layers::MAPS);
    rows.chain(maps.map(|&(name, function)| (name, Function::Maps(function))))
}

fn assert_same(name: &str, replayed: &TensorData, direct: &TensorData) {
    let wide = |data: &TensorData| data.clone().convert_dtype(DType::F64);
    let (a, b) = (wide(replayed), wide(direct));
    let bits = |data: &TensorData| -> Vec<u64> {
        data.iter::<f64>().map(|value| value.to_bits()).collect()
    };
    assert_eq!(a.shape(), b.shape(), "{name}");
    assert_eq!(bits(&a), bits(&b), "{name}: {replayed} against {direct}");
}

/// Asserts that a replay is the function on `device`, and gives the kinds of its operations.
fn check(name: &str, function: Function, device: &Device, float: DType) -> Vec<String> {
    let (traced, other) = (function.trace(TRACED), function.trace(REPLAYED));
    let change = Change::new(&traced, &other);
    let input = function.input(REPLAYED);
    let direct = function.direct(input.clone(), device, float);
    assert_same(
        name,
        &replayed(&traced, &change, input, device, float),
        &direct,
    );
    computed(&traced).map(kind).collect()
}

#[test]
fn a_replay_at_another_batch_size_is_the_function_to_the_last_bit() {
    let device = Device::flex();
    let mut kinds = BTreeSet::new();
    for (name, function) in functions() {
        kinds.extend(check(name, function, &device, DType::F32));
        check(name, function, &device, DType::F64);
    }
    assert!(kinds.len() >= 150, "{} kinds: {kinds:?}", kinds.len());
}

#[test]
fn a_replay_is_the_function_on_another_device_too() {
    for (name, function) in functions() {
        check(name, function, &NDARRAY.device(), DType::F32);
        check(name, function, &NDARRAY.device(), DType::F64);
    }
}
