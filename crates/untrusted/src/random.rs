//! Networks made of random bytes, each an operation.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_core::growth::Split;
use burgeon_core::{Growth, Offspring, Plan, PlannedGrowth, Scheme};
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{Growable, Samples, trace};
use burn::module::{Module, ModuleMapper, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{gelu, relu, sigmoid, silu, softmax};
use burn::tensor::{Device, Tensor, TensorData};

use crate::files::told;

/// Numbers of an input.
const INPUTS: usize = 6;

/// The most operations of a network, and the most numbers of a sample between two of them.
const MOST_OPERATIONS: usize = 20;
const MOST_NUMBERS: usize = 192;

/// A network that does what its bytes say: each changes the maps `[n, c, h, w]` at hand, or what is
/// kept for later.
#[derive(Module, Debug)]
struct Random {
    linear: Vec<Linear>,
    convolutions: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
    output: Option<Linear>,
    #[module(skip)]
    code: Vec<u8>,
}

/// Where layers come from: made on the way, or taken in their order.
trait Layers {
    fn linear(&mut self, ends: [usize; 2]) -> Option<Linear>;
    fn convolution(&mut self, channels: [usize; 2], kernel: usize) -> Option<Conv2d>;
    fn norm(&mut self, channels: usize) -> Option<BatchNorm>;
}

struct Making<'a>(&'a mut Random, Device);

impl Layers for Making<'_> {
    fn linear(&mut self, [inputs, outputs]: [usize; 2]) -> Option<Linear> {
        let layer = filled(LinearConfig::new(inputs, outputs).init(&self.1));
        self.0.linear.push(layer.clone());
        Some(layer)
    }

    fn convolution(&mut self, channels: [usize; 2], kernel: usize) -> Option<Conv2d> {
        let half = kernel / 2;
        let config = Conv2dConfig::new(channels, [kernel; 2])
            .with_padding(PaddingConfig2d::Explicit(half, half, half, half));
        let layer = filled(config.init(&self.1));
        self.0.convolutions.push(layer.clone());
        Some(layer)
    }

    fn norm(&mut self, channels: usize) -> Option<BatchNorm> {
        let layer = filled(BatchNormConfig::new(channels).init(&self.1));
        self.0.norms.push(layer.clone());
        Some(layer)
    }
}

#[derive(Default)]
struct Taking<'a> {
    linear: std::slice::Iter<'a, Linear>,
    convolutions: std::slice::Iter<'a, Conv2d>,
    norms: std::slice::Iter<'a, BatchNorm>,
}

impl Layers for Taking<'_> {
    fn linear(&mut self, _: [usize; 2]) -> Option<Linear> {
        self.linear.next().cloned()
    }

    fn convolution(&mut self, _: [usize; 2], _: usize) -> Option<Conv2d> {
        self.convolutions.next().cloned()
    }

    fn norm(&mut self, _: usize) -> Option<BatchNorm> {
        self.norms.next().cloned()
    }
}

impl Random {
    fn new(code: &[u8], device: &Device) -> Self {
        let mut own = Self {
            linear: Vec::new(),
            convolutions: Vec::new(),
            norms: Vec::new(),
            output: None,
            code: code[..code.len().min(MOST_OPERATIONS)].to_vec(),
        };
        let input = Tensor::ones([2, INPUTS], device);
        let code = own.code.clone();
        let maps = run(&code, &mut Making(&mut own, device.clone()), input);
        let [_, channels, height, width] = maps.dims();
        let config = LinearConfig::new(channels * height * width, 2);
        own.output = Some(filled(config.init(device)));
        own
    }
}

impl Growable for Random {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let mut layers = Taking {
            linear: self.linear.iter(),
            convolutions: self.convolutions.iter(),
            norms: self.norms.iter(),
        };
        let rows = run(&self.code, &mut layers, input).flatten::<2>(1, 3);
        match &self.output {
            Some(output) => output.forward(rows),
            None => rows,
        }
    }
}

/// What `code` makes of rows `[n, 6]`.
fn run(code: &[u8], layers: &mut impl Layers, input: Tensor<2>) -> Tensor<4> {
    let mut maps = input.unsqueeze_dims::<4>(&[2, 3]);
    let mut kept: Vec<Tensor<4>> = Vec::new();
    for byte in code {
        let (operation, operand) = (byte % 20, usize::from(byte / 20));
        if let Some(next) = step(operation, operand, layers, &maps, &mut kept) {
            maps = next;
        }
    }
    maps
}

/// What one operation makes of `maps`; nothing where it does not fit them.
fn step(
    operation: u8,
    operand: usize,
    layers: &mut impl Layers,
    maps: &Tensor<4>,
    kept: &mut Vec<Tensor<4>>,
) -> Option<Tensor<4>> {
    let [rows, channels, height, width] = maps.dims();
    let numbers = channels * height * width;
    let outputs = 1 + operand % 5;
    let x = maps.clone();
    let fits = |numbers: usize| numbers <= MOST_NUMBERS;
    Some(match operation {
        0 if fits(outputs) => {
            let layer = layers.linear([numbers, outputs])?;
            let rows = layer.forward(x.flatten::<2>(1, 3));
            rows.unsqueeze_dims::<4>(&[2, 3])
        }
        1 if fits(channels * height * outputs) => layers.linear([width, outputs])?.forward(x),
        2 | 3 if fits(outputs * height * width) => {
            let kernel = if operation == 2 { 1 } else { 3 };
            layers.convolution([channels, outputs], kernel)?.forward(x)
        }
        4 => layers.norm(channels)?.forward(x),
        5 => match operand % 5 {
            0 => relu(x),
            1 => silu(x),
            2 => gelu(x),
            3 => sigmoid(x),
            _ => x.tanh(),
        },
        6 => {
            kept.push(x);
            return None;
        }
        7 => x + kept.pop().filter(|other| other.dims() == maps.dims())?,
        8 => x * kept.pop().filter(|other| other.dims() == maps.dims())?,
        9 => {
            let other = kept.pop()?;
            let [_, more, ..] = other.dims();
            let joins = other.dims() == [rows, more, height, width];
            if !joins || !fits(numbers + more * height * width) {
                return None;
            }
            Tensor::cat(vec![x, other], 1)
        }
        10 if channels % (1 + outputs) == 0 => x.reshape([
            -1,
            (channels / (1 + outputs)) as i32,
            ((1 + outputs) * height) as i32,
            width as i32,
        ]),
        11 => x.swap_dims(1, 2),
        12 => x.swap_dims(2, 3),
        13 if channels > 1 => {
            let start = operand % channels;
            x.narrow(1, start, channels - start)
        }
        14 if height > 1 => x.narrow(2, 0, height / 2),
        15 => x.mean_dim(2 + operand % 2),
        16 => x.sum_dim(1),
        17 => softmax(x, 1 + operand % 3),
        18 => x.mul_scalar(0.5 + operand as f32).add_scalar(-0.25),
        19 if height == width => x.clone().matmul(x),
        _ => return None,
    })
}

/// A network of the bytes: traced, its graph printed, and each site that may grow split without a
/// change of what the network computes.
pub fn model(bytes: &[u8]) {
    let device = FLEX.device();
    let random = Random::new(bytes, &device);
    let values = (0..4 * INPUTS).map(|at| ((at * 37 % 19) as f32 - 9.0) / 7.0);
    let values = TensorData::new(values.collect::<Vec<f32>>(), [4, INPUTS]);
    let inputs = Tensor::<2>::from_data(values, &device);
    let samples = Samples::regression(inputs.clone(), Tensor::zeros([4, 2], &device));
    let samples = samples.expect("sound samples");
    let Some(trace) = told(trace(&random, &samples)) else {
        return;
    };
    let graph = trace.graph();
    graph.to_string();
    let before: Vec<f32> = random.predict(inputs.clone()).into_data().iter().collect();
    for site in graph.growable() {
        let offspring = Offspring {
            weight: 0.5,
            offset: vec![0.0; site.dim()],
        };
        let split = Split {
            site: site.name().to_owned(),
            neuron: site.width() - 1,
            scheme: Scheme::Positive2,
            offspring: vec![offspring; 2],
        };
        let plan = Plan {
            criterion: "none".to_owned(),
            growths: vec![PlannedGrowth {
                growth: Growth::Split(split),
                gain: None,
                price: 0,
            }],
        };
        let Some((grown, _)) = told(apply_plan(&random, graph, &plan, 0.0)) else {
            continue;
        };
        let after: Vec<f32> = grown.predict(inputs.clone()).into_data().iter().collect();
        let close =
            |(a, b): (&f32, &f32)| !a.is_finite() || (a - b).abs() <= 1e-3 * a.abs().max(1.0);
        assert!(
            before.iter().zip(&after).all(close),
            "splitting `{}` changes {before:?} to {after:?}\n{graph}",
            site.name()
        );
    }
}

/// `model` with floats that are the same every time: none is 0, variances are above it.
pub(crate) fn filled<M: Module>(model: M) -> M {
    struct Fill(f32);
    impl ModuleMapper for Fill {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, tensor, mapper) = param.consume();
            let shape = tensor.dims();
            let values = (0..shape.iter().product()).map(|_| {
                self.0 += 1.0;
                let wave = (self.0 * 12.9898).sin() * 0.4;
                if D == 1 { wave.abs() + 0.5 } else { wave }
            });
            let values = TensorData::new(values.collect::<Vec<f32>>(), shape);
            let value = Tensor::from_data(values, &tensor.device());
            let value = value.set_require_grad(tensor.is_require_grad());
            Param::from_mapped_value(id, value, mapper)
        }
    }
    model.map(&mut Fill(0.0))
}
