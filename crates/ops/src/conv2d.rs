//! The convolution as an operation on Burn's tensors, with its gradients.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, NdArray, TensorMetadata, backend_extension,
};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Shape, Tensor, TensorData, module};

use crate::convolution::{self, Addend, Channels, Geometry};
use crate::host::{Host, into_values, is_host, with_slice};
use crate::lanes::Lanes;
use crate::window::Window;

/// Convolves maps `[b, inputs, h, w]` with filters `[outputs, inputs / groups, kh, kw]` and adds
/// `bias` `[outputs]`: `[b, outputs, h', w']`.
///
/// On Burn's CPU devices, in f32 and f64, by the kernels of this crate, gradients included;
/// everywhere else by Burn's own convolution. As Burn's own, it panics where shapes do not fit.
pub fn conv2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    window: Window,
    groups: usize,
) -> Tensor<4> {
    let shape = output_shape(&input, &weight, window, groups);
    let bias_fits = |bias: &Tensor<1>| bias.dims() == [weight.dims()[0]];
    let fits = shape.is_some() && bias.as_ref().is_none_or(bias_fits);
    if fits && is_ours(&input, &weight, bias.as_ref()) {
        let (input, weight) = (input.into_dispatch(), weight.into_dispatch());
        return Tensor::from_dispatch(match bias.map(Tensor::into_dispatch) {
            None => Dispatch::convolution(input, weight, window, groups),
            Some(bias) => Dispatch::biased_convolution(input, weight, bias, window, groups),
        });
    }
    let [[top, bottom], [left, right]] = window.padding;
    let padding = [(top, bottom), (left, right)];
    let options = ConvOptions::new_with_padding(window.stride, padding, window.dilation, groups);
    module::conv2d(input, weight, bias, options)
}

/// `maps` `[b, outputs, h', w']` plus the convolution of `input`, as [`conv2d`] has it; written
/// over `maps` where nothing else holds them and no gradients are asked for.
pub fn add_conv2d(
    maps: Tensor<4>,
    input: Tensor<4>,
    weight: Tensor<4>,
    window: Window,
    groups: usize,
) -> Tensor<4> {
    let tensors = [&maps, &input, &weight];
    let ours = output_shape(&input, &weight, window, groups) == Some(maps.dims())
        && maps.dtype() == input.dtype()
        && is_ours(&input, &weight, None)
        && !tensors.iter().any(|tensor| tensor.device().is_autodiff());
    if !ours {
        return maps + conv2d(input, weight, None, window, groups);
    }
    let [batch, inputs, height, width] = input.dims();
    let channels = Channels {
        inputs,
        outputs: weight.dims()[0],
        groups,
    };
    let geometry = Geometry::new(window, batch, inputs, [height, width]);
    match input.dtype() {
        DType::F64 => added::<f64>(&geometry, channels, maps, input, weight),
        _ => added::<f32>(&geometry, channels, maps, input, weight),
    }
}

fn added<T: Lanes>(
    geometry: &Geometry,
    channels: Channels,
    maps: Tensor<4>,
    input: Tensor<4>,
    weight: Tensor<4>,
) -> Tensor<4> {
    let (device, shape) = (maps.device(), maps.dims());
    let addend = Addend::Maps(into_values(maps));
    let values = with_slice(input, |input: &[T]| {
        with_slice(weight, |weight: &[T]| {
            convolution::forward(geometry, channels, input, weight, addend)
        })
    });
    Tensor::from_data(TensorData::new(values, shape), (&device, T::dtype()))
}

/// `[b, outputs, h', w']`; `None` where shapes do not fit or nothing comes out.
fn output_shape(
    input: &Tensor<4>,
    weight: &Tensor<4>,
    window: Window,
    groups: usize,
) -> Option<[usize; 4]> {
    let [batch, inputs, height, width] = input.dims();
    let [outputs, group_inputs, ..] = weight.dims();
    let [rows, columns] = window.output_size([height, width]);
    let fits = groups > 0 && inputs == group_inputs * groups && outputs % groups == 0;
    (fits && rows > 0 && columns > 0).then_some([batch, outputs, rows, columns])
}

fn is_ours(input: &Tensor<4>, weight: &Tensor<4>, bias: Option<&Tensor<1>>) -> bool {
    let dtype = input.dtype();
    is_host(&input.device())
        && matches!(dtype, DType::F32 | DType::F64)
        && weight.dtype() == dtype
        && bias.is_none_or(|bias| bias.dtype() == dtype)
}

/// The convolution on each backend; called through [`conv2d`].
#[backend_extension(Autodiff, Flex, NdArray)]
trait ConvolutionOp: Backend {
    fn convolution(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        window: Window,
        groups: usize,
    ) -> FloatTensor<Self>;

    fn biased_convolution(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        window: Window,
        groups: usize,
    ) -> FloatTensor<Self>;
}

macro_rules! on_the_host {
    ($backend:ty) => {
        impl ConvolutionOp for $backend {
            fn convolution(
                input: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                window: Window,
                groups: usize,
            ) -> FloatTensor<Self> {
                forward::<Self>(input, weight, None, window, groups)
            }

            fn biased_convolution(
                input: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                window: Window,
                groups: usize,
            ) -> FloatTensor<Self> {
                forward::<Self>(input, weight, Some(bias), window, groups)
            }
        }
    };
}

on_the_host!(Flex);
on_the_host!(NdArray);

impl<B: Host + ConvolutionOp, C: CheckpointStrategy> ConvolutionOp for Autodiff<B, C> {
    fn convolution(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        window: Window,
        groups: usize,
    ) -> FloatTensor<Self> {
        let [x, w] = [&input, &weight].map(|tensor| tensor.primitive().clone());
        let output = B::convolution(x, w, window, groups);
        let prepared = Convolution.prepare::<C>([input.node(), weight.node()]);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let kept = [prepared.checkpoint(&input), prepared.checkpoint(&weight)];
                prepared.finish((kept, window, groups), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn biased_convolution(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        window: Window,
        groups: usize,
    ) -> FloatTensor<Self> {
        let [x, w, b] = [&input, &weight, &bias].map(|tensor| tensor.primitive().clone());
        let output = B::biased_convolution(x, w, b, window, groups);
        let prepared = Convolution.prepare::<C>([input.node(), weight.node(), bias.node()]);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let kept = [prepared.checkpoint(&input), prepared.checkpoint(&weight)];
                prepared.finish((kept, window, groups), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[derive(Debug)]
struct Convolution;

/// Input and weight as they are kept, and how they were convolved.
type State = ([NodeId; 2], Window, usize);

impl<B: Host> Backward<B, 2> for Convolution {
    type State = State;

    fn backward(
        self,
        ops: Ops<State, 2>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [input, weight] = ops.parents;
        let gradient = gradients.consume::<B>(&ops.node);
        let asked = [input, weight].map(|node| node.map(|node| node.id));
        register::<B>(asked, ops.state, gradient, gradients, checkpointer);
    }
}

impl<B: Host> Backward<B, 3> for Convolution {
    type State = State;

    fn backward(
        self,
        ops: Ops<State, 3>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [input, weight, bias] = ops.parents;
        let gradient = gradients.consume::<B>(&ops.node);
        if let Some(bias) = bias {
            gradients.register::<B>(bias.id, bias_gradient::<B>(gradient.clone()));
        }
        let asked = [input, weight].map(|node| node.map(|node| node.id));
        register::<B>(asked, ops.state, gradient, gradients, checkpointer);
    }
}

/// Registers the gradients of input and weight, as far as they are asked for.
fn register<B: Host>(
    [input, weight]: [Option<NodeId>; 2],
    (kept, window, groups): State,
    gradient: FloatTensor<B>,
    gradients: &mut Gradients,
    checkpointer: &mut Checkpointer,
) {
    let [x, w] = kept.map(|node| checkpointer.retrieve_node_output::<FloatTensor<B>>(node));
    let setting = Setting::new::<B>(&x, &w, window, groups);
    if let Some(input) = input {
        let gradient = match gradient.dtype() {
            DType::F64 => setting.input_gradient::<B, f64>(gradient.clone(), w),
            _ => setting.input_gradient::<B, f32>(gradient.clone(), w),
        };
        gradients.register::<B>(input, gradient);
    }
    if let Some(weight) = weight {
        let gradient = match gradient.dtype() {
            DType::F64 => setting.weight_gradient::<B, f64>(gradient, x),
            _ => setting.weight_gradient::<B, f32>(gradient, x),
        };
        gradients.register::<B>(weight, gradient);
    }
}

/// One convolution's shapes.
struct Setting {
    geometry: Geometry,
    channels: Channels,
    input: Shape,
    weight: Shape,
}

impl Setting {
    fn new<B: Backend>(
        input: &FloatTensor<B>,
        weight: &FloatTensor<B>,
        window: Window,
        groups: usize,
    ) -> Self {
        let (input, weight) = (input.shape(), weight.shape());
        let [batch, inputs, height, width] = input.dims();
        Self {
            geometry: Geometry::new(window, batch, inputs, [height, width]),
            channels: Channels {
                inputs,
                outputs: weight[0],
                groups,
            },
            input,
            weight,
        }
    }

    fn forward<B: Host, T: Lanes>(
        self,
        input: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: Option<FloatTensor<B>>,
    ) -> FloatTensor<B> {
        let Self {
            geometry, channels, ..
        } = &self;
        let bias: Option<Vec<T>> = bias.map(|bias| B::read(bias, <[T]>::to_vec));
        let addend = bias.as_deref().map_or(Addend::Zero, Addend::Bias);
        let output = B::read(input, |input: &[T]| {
            B::read(weight, |weight: &[T]| {
                convolution::forward(geometry, *channels, input, weight, addend)
            })
        });
        let [height, width] = geometry.output();
        let shape = [self.input[0], channels.outputs, height, width];
        B::write(output, Shape::new(shape))
    }

    fn input_gradient<B: Host, T: Lanes>(
        &self,
        gradient: FloatTensor<B>,
        weight: FloatTensor<B>,
    ) -> FloatTensor<B> {
        let batch = self.input[0];
        let result = B::read(gradient, |gradient: &[T]| {
            B::read(weight, |weight: &[T]| {
                convolution::input_gradient(&self.geometry, self.channels, gradient, weight, batch)
            })
        });
        B::write(result, self.input.clone())
    }

    fn weight_gradient<B: Host, T: Lanes>(
        &self,
        gradient: FloatTensor<B>,
        input: FloatTensor<B>,
    ) -> FloatTensor<B> {
        let result = B::read(gradient, |gradient: &[T]| {
            B::read(input, |input: &[T]| {
                convolution::weight_gradient(&self.geometry, self.channels, input, gradient)
            })
        });
        B::write(result, self.weight.clone())
    }
}

fn forward<B: Host>(
    input: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    window: Window,
    groups: usize,
) -> FloatTensor<B> {
    let setting = Setting::new::<B>(&input, &weight, window, groups);
    match input.dtype() {
        DType::F64 => setting.forward::<B, f64>(input, weight, bias),
        _ => setting.forward::<B, f32>(input, weight, bias),
    }
}

/// The sum of `gradient` `[b, outputs, h', w']` for each output.
fn bias_gradient<B: Host>(gradient: FloatTensor<B>) -> FloatTensor<B> {
    match gradient.dtype() {
        DType::F64 => channel_sums::<B, f64>(gradient),
        _ => channel_sums::<B, f32>(gradient),
    }
}

fn channel_sums<B: Host, T: Lanes>(gradient: FloatTensor<B>) -> FloatTensor<B> {
    let [_, outputs, height, width] = gradient.shape().dims();
    let sums = B::read(gradient, |gradient: &[T]| {
        let mut sums = vec![0.0; outputs];
        for (index, plane) in gradient.chunks_exact((height * width).max(1)).enumerate() {
            let sum = plane.iter().fold(T::ZERO, |sum, value| sum + *value);
            sums[index % outputs] += sum.to_f64();
        }
        sums.into_iter().map(T::from_f64).collect::<Vec<T>>()
    });
    B::write(sums, Shape::new([outputs]))
}
