//! Models with stacks, and plans for them.

use std::sync::Arc;

use burgeon_backend_flex::FLEX;
use burgeon_core::growth::{NewLayer, NewNeuron, Side, Split};
use burgeon_core::{Growth, Landscape, Plan, PlannedGrowth, Scheme, SplitBackend, WeightBound};
use burgeon_nn::growable::cast;
use burgeon_nn::stack::{Block, ResidualConv2d, ResidualLinear, Stack, Stacks, parameters_of};
use burgeon_nn::{Growable, MeanSquaredError, ModelLandscape, Samples, Trace, trace};
use burgeon_ops::{FastConv2d, FastConv2dConfig};
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::tanh;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A stem, residual blocks, a head.
#[derive(Module, Debug)]
pub struct Mlp {
    pub stem: Linear,
    pub body: Stack<ResidualLinear>,
    pub head: Linear,
}

impl Growable for Mlp {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let stream = self.body.forward(tanh(self.stem.forward(input)));
        self.head.forward(tanh(stream))
    }

    fn stacks(&mut self) -> Stacks<'_> {
        let (device, width) = (self.stem.weight.device(), self.stem.weight.dims()[1]);
        let front = move || ResidualLinear::new(width, 3, &device);
        Stacks::new().with_front("body", &mut self.body, front)
    }
}

/// Convolutions: a stem, residual blocks with norms, a mean over places, a head.
#[derive(Module, Debug)]
pub struct Conv {
    pub stem: FastConv2d,
    pub body: Stack<ResidualConv2d>,
    pub head: Linear,
}

impl Growable for Conv {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let maps = self.body.forward(tanh(self.stem.forward(input)));
        let means = tanh(maps).mean_dims(&[2, 3]).flatten(1, 3);
        self.head.forward(means)
    }

    fn stacks(&mut self) -> Stacks<'_> {
        Stacks::new().with("body", &mut self.body)
    }
}

/// A plain layer; a new one is `x + W₂ tanh(W₁ x + b₁)`.
#[derive(Module, Debug)]
pub struct Layer {
    pub linear: Linear,
    pub project: Option<Linear>,
}

impl Block for Layer {
    type Data = Tensor<2>;

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = tanh(self.linear.forward(input.clone()));
        match &self.project {
            Some(project) => input + project.forward(hidden),
            None => hidden,
        }
    }

    fn fresh(&self) -> Self {
        let last = self.project.as_ref().unwrap_or(&self.linear);
        let (width, device) = (last.weight.dims()[1], last.weight.device());
        let project = LinearConfig::new(width, width).with_bias(false);
        Self {
            linear: LinearConfig::new(width, width).init(&device),
            project: Some(project.init(&device)),
        }
    }

    fn closing(&self) -> Vec<ParamId> {
        self.project.as_ref().map(parameters_of).unwrap_or_default()
    }
}

/// A stack of plain layers, each of another width, and an empty one.
#[derive(Module, Debug)]
pub struct Plain {
    pub layers: Stack<Layer>,
    pub tail: Stack<OneMap>,
    pub head: Linear,
}

/// `x + W tanh(x)`: all weights are closing ones.
#[derive(Module, Debug)]
pub struct OneMap {
    pub map: Linear,
}

impl Block for OneMap {
    type Data = Tensor<2>;

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        input.clone() + self.map.forward(tanh(input))
    }

    fn fresh(&self) -> Self {
        let width = self.map.weight.dims()[1];
        Self {
            map: LinearConfig::new(width, width).init(&self.map.weight.device()),
        }
    }

    fn closing(&self) -> Vec<ParamId> {
        parameters_of(&self.map)
    }
}

impl Growable for Plain {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let stream = self.tail.forward(self.layers.forward(input));
        self.head.forward(stream)
    }

    fn stacks(&mut self) -> Stacks<'_> {
        let (device, width) = (self.head.weight.device(), self.head.weight.dims()[0]);
        let front = move || OneMap {
            map: LinearConfig::new(width, width).init(&device),
        };
        Stacks::new()
            .with("layers", &mut self.layers)
            .with_front("tail", &mut self.tail, front)
    }
}

fn linear(from: usize, to: usize, device: &Device) -> Linear {
    LinearConfig::new(from, to).init(device)
}

pub fn device() -> Device {
    FLEX.device().autodiff()
}

pub fn mlp(blocks: usize, dtype: DType) -> Mlp {
    let device = device();
    let block = |_| ResidualLinear::new(5, 4, &device);
    filled(
        Mlp {
            stem: linear(6, 5, &device),
            body: Stack::new((0..blocks).map(block).collect()),
            head: linear(5, 2, &device),
        },
        dtype,
    )
}

pub fn conv(dtype: DType) -> Conv {
    let device = device();
    let block = |_| ResidualConv2d::new(4, 3, &device);
    filled(
        Conv {
            stem: FastConv2dConfig::new([2, 4], [3, 3]).init(&device),
            body: Stack::new((0..2).map(block).collect()),
            head: linear(4, 2, &device),
        },
        dtype,
    )
}

pub fn plain(dtype: DType) -> Plain {
    let device = device();
    let layer = |from, to| Layer {
        linear: linear(from, to, &device),
        project: None,
    };
    filled(
        Plain {
            layers: Stack::new(vec![layer(6, 5), layer(5, 4)]),
            tail: Stack::new(Vec::new()),
            head: linear(4, 2, &device),
        },
        dtype,
    )
}

/// `model` in a type, with the same weights every time; running variances stay positive.
pub fn filled<M: Module>(model: M, dtype: DType) -> M {
    struct Fill(ChaCha8Rng, Vec<String>);
    impl ModuleMapper for Fill {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.1.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.1.pop();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, tensor, mapper) = param.consume();
            let shape = tensor.dims();
            let is_scale = self
                .1
                .last()
                .is_some_and(|name| ["gamma", "running_var"].contains(&name.as_str()));
            let mut draw = || match is_scale {
                true => self.0.random_range(0.5..1.5_f64),
                false => self.0.random_range(-0.7..0.7),
            };
            let values: Vec<f64> = (0..shape.iter().product()).map(|_| draw()).collect();
            let data = TensorData::new(values, shape);
            let value = Tensor::from_data(data, (&tensor.device(), tensor.dtype()));
            let value = value.set_require_grad(tensor.is_require_grad());
            Param::from_mapped_value(id, value, mapper)
        }
    }
    let model = model.map(&mut Fill(ChaCha8Rng::seed_from_u64(3), Vec::new()));
    cast(&model, dtype)
}

/// Samples of rows or maps.
pub trait Drawn: Growable {
    fn samples(count: usize, dtype: DType) -> Samples<Self::Input>;
}

fn tensor<const D: usize>(shape: [usize; D], seed: u64, dtype: DType) -> Tensor<D> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f64> = (0..shape.iter().product())
        .map(|_| rng.random_range(-1.0..1.0))
        .collect();
    Tensor::from_data(TensorData::new(values, shape), (&FLEX.device(), dtype))
}

impl Drawn for Mlp {
    fn samples(count: usize, dtype: DType) -> Samples<Tensor<2>> {
        let values = tensor([count, 2], 2, dtype);
        Samples::regression(tensor([count, 6], 1, dtype), values).expect("sound")
    }
}

impl Drawn for Plain {
    fn samples(count: usize, dtype: DType) -> Samples<Tensor<2>> {
        Mlp::samples(count, dtype)
    }
}

impl Drawn for Conv {
    fn samples(count: usize, dtype: DType) -> Samples<Tensor<4>> {
        let values = tensor([count, 2], 2, dtype);
        Samples::regression(tensor([count, 2, 6, 6], 1, dtype), values).expect("sound")
    }
}

/// A model with its samples and trace.
pub struct Study<M: Growable> {
    pub model: M,
    pub samples: Samples<M::Input>,
    pub trace: Arc<Trace>,
}

impl<M: Drawn> Study<M> {
    pub fn new(model: M, dtype: DType) -> Self {
        let samples = M::samples(11, dtype);
        let trace = Arc::new(trace(&model, &samples).expect("traceable"));
        Self {
            model,
            samples,
            trace,
        }
    }

    pub fn landscape(&self) -> ModelLandscape<'_, M> {
        let trace = self.trace.clone();
        ModelLandscape::new(
            &self.model,
            trace,
            &MeanSquaredError,
            &self.samples,
            4,
            &FLEX,
        )
    }

    /// A new layer at each place, with numbers of `seed`.
    pub fn layers(&self, seed: u64) -> Vec<Growth> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let landscape = self.landscape();
        let places = landscape.places().iter();
        let layers = places.map(|place| {
            let count = |of: &[burgeon_core::BlockWeights]| of.iter().map(|w| w.count).sum();
            let mut draw = |count: usize| -> Vec<f64> {
                (0..count).map(|_| rng.random_range(-0.6..0.6)).collect()
            };
            Growth::NewLayer(NewLayer {
                stack: place.stack.clone(),
                after: place.after,
                opening: draw(count(&place.opening)),
                closing: draw(count(&place.closing)),
            })
        });
        layers.collect()
    }

    /// A split and a new neuron at each site.
    pub fn wider(&self, seed: u64) -> Vec<Growth> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |count: usize| -> Vec<f64> {
            (0..count).map(|_| rng.random_range(-0.6..0.6)).collect()
        };
        let mut growths = Vec::new();
        for site in self.landscape().sites() {
            let (one, other) = (draw(site.dim), draw(site.dim));
            growths.push(Growth::Split(Split {
                site: site.name.clone(),
                neuron: site.neurons - 1,
                scheme: Scheme::Positive2,
                offspring: Scheme::Positive2.offspring(&one, &other, WeightBound::POSITIVE),
            }));
            growths.push(Growth::NewNeuron(NewNeuron {
                site: site.name.clone(),
                fan_in: draw(site.dim),
                fan_out: draw(site.fan_out),
                scaled: Side::FanOut,
                statistics: Vec::new(),
                like: None,
            }));
        }
        growths
    }
}

pub fn plan_of(growths: impl IntoIterator<Item = Growth>) -> Plan {
    let growths = growths.into_iter().map(|growth| PlannedGrowth {
        growth,
        gain: None,
        price: 0,
    });
    Plan {
        criterion: "by hand".into(),
        growths: growths.collect(),
    }
}
