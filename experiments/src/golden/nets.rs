//! The networks of the reference files.

use burgeon_core::{Activation, SplitBackend};
use burgeon_nn::{CrossEntropy, Growable, MeanSquaredError, Objective, Samples};
use burgeon_ops::{FastBatchNorm, FastBatchNormConfig, FastConv2d};
use burgeon_zoo::ConvNorm;
use burn::module::{Module, Param, RunningState};
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::file::{Array, Arrays};
use super::{Case, Reference};
use crate::error::ExperimentError;

/// Dense layers with one activation.
#[derive(Module, Debug)]
pub(super) struct Mlp {
    hidden: Vec<Linear>,
    output: Linear,
    #[module(skip)]
    activation: Activation,
}

impl Growable for Mlp {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let features = self
            .hidden
            .iter()
            .fold(input, |x, layer| self.activation.value(layer.forward(x)));
        self.output.forward(features)
    }
}

/// Convolution, depthwise convolution, convolution with stride 2, global mean, linear.
///
/// The reference files have the papers' splitting matrices, of one layer at a time. A depthwise
/// convolution forms one site with what makes its channels, whose matrix has terms between the two
/// that the papers leave out; so it stands here as a full convolution of which only the taps from
/// each channel to itself are not 0.
#[derive(Module, Debug)]
pub(super) struct ConvNet {
    conv1: ConvNorm,
    depthwise: ConvNorm,
    conv2: ConvNorm,
    fc: Linear,
    #[module(skip)]
    activation: Activation,
}

impl Growable for ConvNet {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let layers = [&self.conv1, &self.depthwise, &self.conv2];
        let maps = layers.iter().fold(input, |maps, layer| {
            self.activation.value(layer.forward(maps))
        });
        self.fc.forward(maps.mean_dims(&[2, 3]).flatten(1, 3))
    }
}

pub(super) fn mlp_references(net: &Mlp) -> Vec<Reference> {
    let of = |index: usize| Reference {
        site: format!("hidden.{index}"),
        suffix: index.to_string(),
        depthwise: false,
    };
    (0..net.hidden.len()).map(of).collect()
}

pub(super) fn conv_references() -> Vec<Reference> {
    let of = |name: &str| Reference {
        site: format!("{name}.conv"),
        suffix: format!("_{name}"),
        depthwise: name == "depthwise",
    };
    ["conv1", "depthwise", "conv2"].map(of).into()
}

type ReferenceProblem<M, I> = (M, Samples<I>, Box<dyn Objective>);

pub(super) fn mlp(
    case: &Case,
    arrays: &Arrays,
    backend: &dyn SplitBackend,
) -> Result<ReferenceProblem<Mlp, Tensor<2>>, ExperimentError> {
    let device = backend.device();
    let mut hidden = Vec::new();
    while arrays.has_floats(&format!("w{}", hidden.len())) {
        let layer = hidden.len();
        let weight: Tensor<2> = tensor(arrays, &format!("w{layer}"), &device)?;
        let bias: Tensor<1> = tensor(arrays, &format!("b{layer}"), &device)?;
        hidden.push(linear(weight, bias));
    }
    let Some(output) = hidden.pop() else {
        return Err(ExperimentError::Settings(
            "a reference network has no layer".into(),
        ));
    };
    let net = Mlp {
        hidden,
        output,
        activation: case.activation.parse()?,
    };
    Ok((net, samples(arrays, &device)?, objective(case)?))
}

pub(super) fn conv(
    case: &Case,
    arrays: &Arrays,
    backend: &dyn SplitBackend,
) -> Result<ReferenceProblem<ConvNet, Tensor<4>>, ExperimentError> {
    let device = backend.device();
    let layer = |name: &str, weight, stride| -> Result<ConvNorm, ExperimentError> {
        Ok(ConvNorm {
            conv: FastConv2d {
                weight: leaf(weight),
                bias: None,
                stride: [stride; 2],
                dilation: [1; 2],
                groups: 1,
                padding: PaddingConfig2d::Explicit(1, 1, 1, 1),
            },
            norm: norm(arrays, name, &device)?,
        })
    };
    let filters = to_themselves(arrays.floats("w_depthwise")?)?;
    let net = ConvNet {
        conv1: layer("conv1", tensor(arrays, "w_conv1", &device)?, 1)?,
        depthwise: layer("depthwise", array("w_depthwise", &filters, &device)?, 1)?,
        conv2: layer("conv2", tensor(arrays, "w_conv2", &device)?, 2)?,
        fc: linear(
            tensor(arrays, "w_fc", &device)?,
            tensor(arrays, "b_fc", &device)?,
        ),
        activation: case.activation.parse()?,
    };
    Ok((net, samples(arrays, &device)?, objective(case)?))
}

/// Depthwise filters `[c, 1, kh, kw]` as those `[c, c, kh, kw]` of a full convolution.
fn to_themselves(filters: &Array) -> Result<Array, ExperimentError> {
    let [channels, 1, height, width] = filters.shape[..] else {
        let problem = format!("its shape is {:?}, not [c, 1, kh, kw]", filters.shape);
        return Err(ExperimentError::file("w_depthwise", problem));
    };
    let taps = height * width;
    let mut values = vec![0.0; channels * channels * taps];
    for (channel, filter) in filters.values.chunks_exact(taps).enumerate() {
        let start = channel * (channels + 1) * taps;
        values[start..start + taps].copy_from_slice(filter);
    }
    let shape = vec![channels, channels, height, width];
    Ok(Array { shape, values })
}

fn objective(case: &Case) -> Result<Box<dyn Objective>, ExperimentError> {
    match case.loss.as_str() {
        "cross_entropy" => Ok(Box::new(CrossEntropy)),
        "mse" => Ok(Box::new(MeanSquaredError)),
        other => Err(ExperimentError::Settings(format!("unknown loss `{other}`"))),
    }
}

fn samples<const D: usize>(
    arrays: &Arrays,
    device: &Device,
) -> Result<Samples<Tensor<D>>, ExperimentError> {
    let inputs: Tensor<D> = tensor(arrays, "x", device)?;
    if arrays.has_floats("y") {
        return Ok(Samples::regression(inputs, tensor(arrays, "y", device)?)?);
    }
    let labels: Vec<usize> = arrays
        .integers("y")?
        .iter()
        .map(|&label| usize::try_from(label).unwrap_or(usize::MAX))
        .collect();
    let classes = labels
        .iter()
        .max()
        .map_or(0, |largest| largest.saturating_add(1));
    Ok(Samples::classification(inputs, &labels, classes, device)?)
}

fn tensor<const D: usize>(
    arrays: &Arrays,
    name: &str,
    device: &Device,
) -> Result<Tensor<D>, ExperimentError> {
    array(name, arrays.floats(name)?, device)
}

fn array<const D: usize>(
    name: &str,
    array: &Array,
    device: &Device,
) -> Result<Tensor<D>, ExperimentError> {
    if array.shape.len() != D {
        let problem = format!("`{name}` has shape {:?}, not of rank {D}", array.shape);
        return Err(ExperimentError::file(name, problem));
    }
    let data = TensorData::new(array.values.clone(), array.shape.clone());
    Ok(Tensor::from_data(data, (device, DType::F64)))
}

fn leaf<const D: usize>(tensor: Tensor<D>) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::from_inner(tensor))
}

/// The reference stores weights `[out, in]`, Burn `[in, out]`.
fn linear(weight: Tensor<2>, bias: Tensor<1>) -> Linear {
    Linear {
        weight: leaf(weight.transpose()),
        bias: Some(leaf(bias)),
    }
}

fn norm(arrays: &Arrays, name: &str, device: &Device) -> Result<FastBatchNorm, ExperimentError> {
    let part = |what: &str| tensor::<1>(arrays, &format!("bn_{name}_{what}"), device);
    let gamma = part("gamma")?;
    let config = FastBatchNormConfig::new(gamma.dims()[0]);
    Ok(FastBatchNorm {
        gamma: leaf(gamma),
        beta: leaf(part("beta")?),
        running_mean: RunningState::new(Tensor::from_inner(part("mean")?)),
        running_var: RunningState::new(Tensor::from_inner(part("var")?)),
        ..config.init(&device.clone().autodiff())
    })
}
