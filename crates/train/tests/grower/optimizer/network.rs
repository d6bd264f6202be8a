//! A small network, splits of signed weights, and what an optimizer keeps for it.

use std::collections::BTreeMap;

use burgeon_core::growth::Split;
use burgeon_core::{Growth, Offspring, Plan, PlannedGrowth, Scheme};
use burgeon_graph::Graph;
use burgeon_nn::{CrossEntropy, Growable, Objective, Samples, Targets};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Tensor, TensorData};

use crate::network::fixed;

/// Three layers without a norm: the gradient of a bias before one is rounding noise.
#[derive(Module, Debug)]
pub struct Plain {
    pub first: Linear,
    pub second: Linear,
    pub output: Linear,
}

pub const WIDTH: usize = 3;

impl Plain {
    pub fn new(device: &Device) -> Self {
        fixed(Self {
            first: LinearConfig::new(64, WIDTH).init(device),
            second: LinearConfig::new(WIDTH, WIDTH).init(device),
            output: LinearConfig::new(WIDTH, 10).init(device),
        })
    }
}

impl Growable for Plain {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        // Pixels are up to 1: half of them keeps tanh out of saturation.
        let first = tanh(self.first.forward(input.mul_scalar(0.5)));
        self.output.forward(tanh(self.second.forward(first)))
    }
}

/// One training step at a learning rate of `rate`.
pub fn step<M: Growable<Input = Tensor<2>, Output = Tensor<2>>>(
    model: M,
    optimizer: &mut ModuleOptimizer,
    samples: &Samples<Tensor<2>>,
    rate: f64,
) -> M {
    let output = model.predict(Tensor::from_inner(samples.inputs().clone()));
    let Targets::Classes(classes) = samples.targets() else {
        unreachable!("digits have classes");
    };
    let targets = Targets::Classes(Tensor::from_inner(classes.clone()));
    let loss = CrossEntropy.loss(output, &targets);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    optimizer.step(rate, model, gradients)
}

/// The copies' weights: one above 1, one negative, one small; they sum to 1.
pub const WEIGHTS: [f64; 3] = [1.5, -0.75, 0.25];

/// The neuron that [`plan`] splits in each layer.
pub const SPLIT: usize = 1;

/// A split in each layer.
pub fn plan(graph: &Graph) -> Plan {
    let growths = graph.growable().map(|site| {
        let mut offset = vec![0.0; site.dim()];
        offset[0] = 1.0;
        let copy = |weight| Offspring {
            weight,
            offset: offset.clone(),
        };
        PlannedGrowth {
            growth: Growth::Split(Split {
                site: site.name().to_owned(),
                neuron: SPLIT,
                scheme: Scheme::Positive3,
                offspring: WEIGHTS.map(copy).to_vec(),
            }),
            gain: None,
            price: 0,
        }
    });
    Plan {
        criterion: "test".into(),
        growths: growths.collect(),
    }
}

/// A dense array, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

/// A channel after the splits of [`plan`]: its source, its weight, and whether it was appended.
#[derive(Debug, Clone, Copy)]
pub struct Channel {
    source: usize,
    pub weight: f64,
    pub appended: bool,
}

fn channels() -> Vec<Channel> {
    let old = (0..WIDTH).map(|source| Channel {
        source,
        weight: if source == SPLIT { WEIGHTS[0] } else { 1.0 },
        appended: false,
    });
    let new = WEIGHTS[1..].iter().map(|&weight| Channel {
        source: SPLIT,
        weight,
        appended: true,
    });
    old.chain(new).collect()
}

/// The array of a parameter of [`Plain`] after the splits of [`plan`], each number multiplied by
/// what `factor` says of the channel that reads along it and the one that owns it.
pub fn expanded(
    parameter: &str,
    array: &Array,
    factor: &dyn Fn(Option<Channel>, Option<Channel>) -> f64,
) -> Array {
    let all = channels();
    let fixed = |length: usize| -> Vec<(usize, Option<Channel>)> {
        (0..length).map(|place| (place, None)).collect()
    };
    let grown: Vec<(usize, Option<Channel>)> = all.iter().map(|c| (c.source, Some(*c))).collect();
    let columns = array.shape.last().copied().expect("an axis");
    let rows = array.values.len() / columns;
    // A weight is `[in, out]`: what owns it lies along the columns.
    let (rows, columns_of) = match parameter {
        "first.weight" => (fixed(rows), grown),
        "second.weight" => (grown.clone(), grown),
        "output.weight" => (grown, fixed(columns)),
        "first.bias" | "second.bias" => (fixed(1), grown),
        _ => (fixed(1), fixed(columns)),
    };
    let mut values = Vec::new();
    for (row, read) in &rows {
        for (column, own) in &columns_of {
            values.push(array.values[row * columns + column] * factor(*read, *own));
        }
    }
    let shape = match array.shape.len() {
        1 => vec![columns_of.len()],
        _ => vec![rows.len(), columns_of.len()],
    };
    Array { shape, values }
}

/// What an optimizer keeps: by the parameter's path and the state's.
pub type Kept = BTreeMap<(String, String), Array>;

pub fn kept(optimizer: &ModuleOptimizer) -> Kept {
    let bytes = optimizer.into_bytes().expect("serialisable");
    let reader = burn_pack::Reader::from_bytes(bytes).expect("readable");
    let paths = reader.metadata().clone();
    let tensors = reader.into_tensors().expect("readable").into_iter();
    let named = tensors.map(|tensor| {
        let (name, dtype, shape, _, bytes) = tensor.into_parts().expect("in memory");
        let (id, state) = name.split_once('.').expect("an id and a path");
        let data = TensorData::from_bytes(bytes, shape.clone(), dtype);
        let values = data.convert::<f64>().try_to_vec().expect("f64");
        let shape = shape.to_vec();
        let key = (paths[id].clone(), state.to_owned());
        (key, Array { shape, values })
    });
    named.collect()
}

/// The floats of a model, by path.
pub fn weights<M: Module>(model: &M) -> BTreeMap<String, Array> {
    struct Weights(Vec<String>, BTreeMap<String, Array>);
    impl ModuleVisitor for Weights {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.0.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.0.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let data = param.val().into_data();
            let shape = data.shape().to_vec();
            let values = data.convert::<f64>().try_to_vec().expect("f64");
            self.1.insert(self.0.join("."), Array { shape, values });
        }
    }
    let mut weights = Weights(Vec::new(), BTreeMap::new());
    model.visit(&mut weights);
    weights.1
}

/// Checks two arrays up to `tolerance` times the largest number expected.
pub fn assert_close(found: &Array, expected: &Array, tolerance: f64, what: &str) {
    assert_eq!(found.shape, expected.shape, "{what}");
    let scale = expected.values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    for (x, y) in found.values.iter().zip(&expected.values) {
        assert!(
            (x - y).abs() <= tolerance * scale,
            "{what}: {x:e}, not {y:e}, of {scale:e}"
        );
    }
}
