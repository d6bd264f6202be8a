//! Jets against differences of the replayed function, and against closed forms.

mod kinks;
mod layers;
mod masks;
mod smooth;

use super::{Jet, jet};
use crate::replay::{Frame, Unsupported, Value, evaluate};
use burn::backend::capture::{CaptureBackend, TensorId};
use burn::backend::ir::{OperationIr, TensorIr};
use burn::backend::ops::FloatTensorOps;
use burn::backend::{AutodiffBackend, Dispatch, DispatchDevice, TensorMetadata};
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::collections::HashMap;

/// A function of a vector, recorded. Whatever it needs, weights too, it cuts out of the vector.
struct Traced {
    operations: Vec<OperationIr>,
    constants: Vec<(TensorId, TensorData)>,
    input: TensorId,
    output: TensorId,
    device: DispatchDevice,
    float: DType,
}

impl Traced {
    fn new<const D: usize>(len: usize, function: impl Fn(Tensor<1>) -> Tensor<D>) -> Self {
        let device = Device::capture();
        let mut ends = None;
        let captured = device
            .capture_scope(|scope| {
                let x = Tensor::<1>::zeros([len], &Device::flex()).to_device(&device);
                let id = |x: Tensor<1>| x.try_into_primitive::<CaptureBackend>().unwrap().id();
                let input = id(x.clone());
                let y = function(x).try_into_primitive::<CaptureBackend>();
                let output = y.unwrap().id();
                ends = Some((input, output));
                scope.complete([input], [output])
            })
            .unwrap();
        let (input, output) = ends.unwrap();
        let constants = captured.values.into_iter().filter(|(id, _)| *id != input);
        Traced {
            constants: constants.collect(),
            operations: captured.graph.operations,
            input,
            output,
            device: Device::flex().as_dispatch().clone(),
            float: DType::F64,
        }
    }

    fn vector(&self, x: &[f64]) -> Value {
        Dispatch::float_from_data(TensorData::from(x).convert_dtype(self.float), &self.device)
    }

    fn with_frame<T>(&self, f: impl FnOnce(&Frame) -> T) -> T {
        f(&Frame {
            device: &self.device,
            float: self.float,
            shapes: &|t| t.shape.iter().copied().collect(),
            ranges: &|o| o.ranges.clone(),
            assigned: &|o| o.ranges.clone(),
            fast: &|_| false,
            slope_at_zero: burgeon_core::SlopeAtZero::Trained,
        })
    }

    fn leaves(&self, x: Value) -> HashMap<TensorId, Value> {
        let constant = |data: &TensorData| match data.dtype() {
            d if d.is_float() => {
                Dispatch::float_from_data(data.clone().convert_dtype(self.float), &self.device)
            }
            d if d.is_bool() => bools(data.clone(), &self.device),
            _ => ints(data.clone(), &self.device),
        };
        let constants = self
            .constants
            .iter()
            .map(|(id, data)| (*id, constant(data)));
        constants.chain([(self.input, x)]).collect()
    }

    fn compute(&self) -> impl Iterator<Item = (&OperationIr, TensorId)> {
        let skipped =
            |op: &&OperationIr| !matches!(op, OperationIr::Init(_) | OperationIr::Drop(_));
        let operations = self.operations.iter().filter(skipped);
        operations.map(|op| (op, op.outputs().next().unwrap().id))
    }

    fn values(&self, x: &[f64]) -> HashMap<TensorId, Value> {
        self.with_frame(|frame| {
            let mut values = self.leaves(self.vector(x));
            for (op, out) in self.compute() {
                let y = evaluate(op, frame, &mut |t| values[&t.id].clone()).unwrap();
                values.insert(out, y);
            }
            values
        })
    }

    fn run(&self, x: &[f64]) -> Vec<f64> {
        numbers(&self.values(x)[&self.output])
    }

    /// The output's jet, with values as recorded or computed again.
    fn jet(
        &self,
        x: &[f64],
        first: Value,
        second: impl Into<Option<Value>>,
        recorded: bool,
    ) -> Result<Jet, Unsupported> {
        let known = self.values(x);
        self.with_frame(|frame| {
            let leaves = self.leaves(self.vector(x));
            let mut jets: HashMap<_, _> = leaves
                .into_iter()
                .map(|(id, value)| (id, Jet::still(value)))
                .collect();
            let moved = Jet::new(self.vector(x), Some(first), second.into());
            jets.insert(self.input, moved);
            for (op, out) in self.compute() {
                let read = |t: &TensorIr| jets[&t.id].clone();
                let known = known.get(&out).filter(|_| recorded);
                let jet = jet(op, frame, known, &read)?;
                jets.insert(out, jet);
            }
            Ok(jets[&self.output].clone())
        })
    }
}

fn bools(data: TensorData, device: &DispatchDevice) -> Value {
    use burn::backend::ops::BoolTensorOps;
    Dispatch::bool_from_data(data, device)
}

fn ints(data: TensorData, device: &DispatchDevice) -> Value {
    use burn::backend::ops::IntTensorOps;
    Dispatch::int_from_data(data, device)
}

fn numbers(value: &Value) -> Vec<f64> {
    let data = Tensor::<1>::from_dispatch(value.clone()).into_data();
    data.iter::<f64>().collect()
}

/// Numbers in `[-1, 1)` that look random.
fn noise(len: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn close(name: &str, what: &str, is: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(is.len(), wanted.len(), "{name}: length of the {what}");
    let scale = wanted.iter().fold(1.0_f64, |scale, w| scale.max(w.abs()));
    for (k, (a, b)) in is.iter().zip(wanted).enumerate() {
        let error = (a - b).abs() / scale;
        assert!(
            error <= tolerance,
            "{name}: {what}[{k}] is {a}, not {b} ({error:e})"
        );
    }
}

/// The jet along `x + ε d + ½ ε² e` against differences in ε (sixth order, step `h`), and the
/// gradient in `d` of a linear function of the second derivative: a quadratic form in `d` when
/// `e = 0`, so `⟨∇q, d⟩ = 2 q`.
fn against_differences(name: &str, traced: &Traced, x: &[f64], h: f64, tolerance: f64) {
    let (d, e) = (noise(x.len(), 11), noise(x.len(), 12));
    let at = |t: f64| {
        let point = (0..x.len()).map(|k| x[k] + t * d[k] + 0.5 * t * t * e[k]);
        traced.run(&point.collect::<Vec<_>>())
    };
    let ys: Vec<_> = (-3..=3).map(|t| at(f64::from(t) * h)).collect();
    let stencil = |weights: [f64; 7], over: f64| -> Vec<f64> {
        let at = |k: usize| (0..7).map(|s| weights[s] * ys[s][k]).sum::<f64>() / over;
        (0..ys[3].len()).map(at).collect()
    };
    let first = stencil([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0], 60.0 * h);
    let second = stencil(
        [2.0, -27.0, 270.0, -490.0, 270.0, -27.0, 2.0],
        180.0 * h * h,
    );
    for recorded in [true, false] {
        let jet = traced.jet(x, traced.vector(&d), traced.vector(&e), recorded);
        let jet = jet.unwrap_or_else(|e| panic!("{name}: {}", e.operation));
        close(name, "value", &numbers(&jet.value), &ys[3], 1e-14);
        let zero = vec![0.0; ys[3].len()];
        let part = |part: &Option<Value>| part.as_ref().map_or(zero.clone(), numbers);
        close(name, "first", &part(&jet.first), &first, tolerance);
        close(name, "second", &part(&jet.second), &second, tolerance);
    }
    gradient(name, traced, x, &d);
}

fn gradient(name: &str, traced: &Traced, x: &[f64], d: &[f64]) {
    let leaf = Dispatch::float_set_require_grad(Dispatch::from_inner(traced.vector(d)), true);
    let jet = traced.jet(x, leaf.clone(), None, true).unwrap();
    let Some(second) = jet.second else { return };
    let weights = traced.vector(&noise(numbers(&jet.value).len(), 13));
    let weights = Dispatch::float_reshape(weights, second.shape());
    let q = Dispatch::float_sum(Dispatch::float_mul(weights, second));
    let value = numbers(&Dispatch::inner(q.clone()))[0];
    let gradient = numbers(&Dispatch::grad(&leaf, &Dispatch::backward(q)).unwrap());
    let along: f64 = gradient.iter().zip(d).map(|(g, d)| g * d).sum();
    close(
        name,
        "gradient along the direction",
        &[along],
        &[2.0 * value],
        1e-12,
    );
}

/// What a kink of unit height at `z = 0` is given: `3 s (1 - s)` with `s = sigmoid(3 z)`.
fn surrogate(z: f64) -> f64 {
    let s = 1.0 / (1.0 + (-3.0 * z).exp());
    3.0 * s * (1.0 - s)
}

fn step(z: f64) -> f64 {
    if z > 0.0 { 1.0 } else { 0.0 }
}

/// A pointwise function against its derivatives.
fn against_closed_form(
    name: &str,
    function: impl Fn(Tensor<1>) -> Tensor<1>,
    x: &[f64],
    slope: impl Fn(f64) -> f64,
    curvature: impl Fn(f64) -> f64,
) {
    let traced = Traced::new(x.len(), function);
    let (d, e) = (noise(x.len(), 11), noise(x.len(), 12));
    let jet = traced.jet(x, traced.vector(&d), traced.vector(&e), true);
    let jet = jet.unwrap_or_else(|e| panic!("{name}: {}", e.operation));
    let each = |f: &dyn Fn(usize) -> f64| (0..x.len()).map(f).collect::<Vec<_>>();
    let first = each(&|k| slope(x[k]) * d[k]);
    let second = each(&|k| curvature(x[k]) * d[k] * d[k] + slope(x[k]) * e[k]);
    close(name, "first", &numbers(&jet.first.unwrap()), &first, 1e-10);
    close(
        name,
        "second",
        &numbers(&jet.second.unwrap()),
        &second,
        1e-10,
    );
    gradient(name, &traced, x, &d);
}
