//! The networks of the reference files.

use burgeon_core::{Activation, SplitBackend};
use burgeon_nn::{
    CrossEntropy, Growable, GrowableConv2d, GrowableConv2dConfig, GrowableDepthwiseConv2d,
    GrowableDepthwiseConv2dConfig, GrowableLinear, GrowableLinearConfig, MeanSquaredError, NnError,
    Objective, Samples, Topology,
};
use burn::module::{Module, Param, RunningState};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, PaddingConfig2d};
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::Case;
use super::file::Arrays;
use crate::error::ExperimentError;

/// Dense layers with one activation.
#[derive(Module, Debug)]
pub(super) struct Mlp {
    hidden: Vec<GrowableLinear>,
    output: Linear,
}

impl Growable for Mlp {
    type Input = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let features = self.hidden.iter().fold(input, |x, layer| layer.forward(x));
        self.output.forward(features)
    }

    fn topology(&self) -> Result<Topology, NnError> {
        let start = (0, Topology::chain());
        let (_, chain) = self.hidden.iter().fold(start, |(index, chain), layer| {
            (index + 1, chain.layer(&format!("layer{index}"), layer))
        });
        chain.layer("output", &self.output).build()
    }
}

/// Convolution, depthwise convolution, convolution with stride 2, global mean, linear.
#[derive(Module, Debug)]
pub(super) struct ConvNet {
    conv1: GrowableConv2d,
    depthwise: GrowableDepthwiseConv2d,
    conv2: GrowableConv2d,
    fc: Linear,
}

impl Growable for ConvNet {
    type Input = Tensor<4>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let x = self.depthwise.forward(self.conv1.forward(input));
        let x = self.conv2.forward(x).mean_dims(&[2, 3]);
        let [b, c, ..] = x.dims();
        self.fc.forward(x.reshape([b, c]))
    }

    fn topology(&self) -> Result<Topology, NnError> {
        Topology::chain()
            .layer("conv1", &self.conv1)
            .layer("depthwise", &self.depthwise)
            .layer("conv2", &self.conv2)
            .layer("fc", &self.fc)
            .build()
    }
}

pub(super) fn mlp_sites(net: &Mlp) -> Vec<(String, String)> {
    (0..net.hidden.len())
        .map(|index| (format!("layer{index}"), index.to_string()))
        .collect()
}

pub(super) fn conv_sites() -> Vec<(String, String)> {
    ["conv1", "depthwise", "conv2"]
        .map(|name| (name.to_owned(), format!("_{name}")))
        .into()
}

type Parts<M, I> = (M, Samples<I>, Box<dyn Objective>);

pub(super) fn mlp(
    case: &Case,
    arrays: &Arrays,
    backend: &dyn SplitBackend,
) -> Result<Parts<Mlp, Tensor<2>>, ExperimentError> {
    let device = backend.device();
    let activation: Activation = case.activation.parse()?;
    let training = device.clone().autodiff();
    let mut linears = Vec::new();
    while arrays.has_floats(&format!("w{}", linears.len())) {
        let layer = linears.len();
        let weight: Tensor<2> = tensor(arrays, &format!("w{layer}"), &device)?;
        let bias: Tensor<1> = tensor(arrays, &format!("b{layer}"), &device)?;
        linears.push(linear(weight, bias));
    }
    let Some(output) = linears.pop() else {
        return Err(ExperimentError::Settings(
            "a reference network has no layer".into(),
        ));
    };
    let mut hidden = Vec::new();
    for linear in linears {
        let [inputs, neurons] = linear.weight.dims();
        let config = GrowableLinearConfig::new(inputs, neurons).with_activation(activation);
        let mut layer = config.init(&training)?;
        layer.linear = linear;
        hidden.push(layer);
    }
    let samples = samples(arrays, &device)?;
    Ok((Mlp { hidden, output }, samples, objective(case)?))
}

pub(super) fn conv(
    case: &Case,
    arrays: &Arrays,
    backend: &dyn SplitBackend,
) -> Result<Parts<ConvNet, Tensor<4>>, ExperimentError> {
    let device = backend.device();
    let training = device.clone().autodiff();
    let activation: Activation = case.activation.parse()?;
    let convolution = |name: &str, stride| -> Result<GrowableConv2d, ExperimentError> {
        let weight: Tensor<4> = tensor(arrays, &format!("w_{name}"), &device)?;
        let [outputs, inputs, height, width] = weight.dims();
        let config = GrowableConv2dConfig::new([inputs, outputs], [height, width])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_activation(activation);
        let layer = config.init(&training)?;
        Ok(GrowableConv2d {
            conv: Conv2d {
                weight: leaf(weight),
                ..layer.conv
            },
            norm: Some(norm(arrays, name, &device)?),
            ..layer
        })
    };
    let weight: Tensor<4> = tensor(arrays, "w_depthwise", &device)?;
    let depthwise = GrowableDepthwiseConv2dConfig::new(weight.dims()[0], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .with_activation(activation)
        .init(&training)?;
    let net = ConvNet {
        conv1: convolution("conv1", 1)?,
        depthwise: GrowableDepthwiseConv2d {
            weight: leaf(weight),
            norm: Some(norm(arrays, "depthwise", &device)?),
            ..depthwise
        },
        conv2: convolution("conv2", 2)?,
        fc: linear(
            tensor(arrays, "w_fc", &device)?,
            tensor(arrays, "b_fc", &device)?,
        ),
    };
    Ok((net, samples(arrays, &device)?, objective(case)?))
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
    let array = arrays.floats(name)?;
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

fn norm(arrays: &Arrays, name: &str, device: &Device) -> Result<BatchNorm, ExperimentError> {
    let part = |what: &str| tensor::<1>(arrays, &format!("bn_{name}_{what}"), device);
    let gamma = part("gamma")?;
    let config = BatchNormConfig::new(gamma.dims()[0]);
    Ok(BatchNorm {
        gamma: leaf(gamma),
        beta: leaf(part("beta")?),
        running_mean: RunningState::new(Tensor::from_inner(part("mean")?)),
        running_var: RunningState::new(Tensor::from_inner(part("var")?)),
        ..config.init(&device.clone().autodiff())
    })
}
