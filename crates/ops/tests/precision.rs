//! Training steps in bfloat16 with parameters in f32.

use std::sync::{Mutex, PoisonError};

use burgeon_ops::precision::{narrowed, widened};
use burgeon_ops::{
    DepthwiseConv2d, DepthwiseConv2dConfig, FastBatchNorm, FastBatchNormConfig, FastConv2d,
    FastConv2dConfig,
};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{DType, Device, Distribution, Tensor, activation};

/// Held by a test that draws: a device has one generator for the whole process.
static DRAWING: Mutex<()> = Mutex::new(());

#[derive(Module, Debug)]
struct Net {
    conv: FastConv2d,
    norm: FastBatchNorm,
    depthwise: DepthwiseConv2d,
    head: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        Self {
            conv: FastConv2dConfig::new([2, 6], [3, 3]).init(device),
            norm: FastBatchNormConfig::new(6).init(device),
            depthwise: DepthwiseConv2dConfig::new(6, [3, 3]).init(device),
            head: LinearConfig::new(6 * 4 * 4, 3).init(device),
        }
    }

    fn forward(&self, maps: Tensor<4>) -> Tensor<2> {
        let maps = activation::relu(self.norm.forward(self.conv.forward(maps)));
        self.head
            .forward(self.depthwise.forward(maps).flatten(1, 3))
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter().collect()
}

/// The loss and the gradients of a step; the outputs' type is that of `maps`.
fn step(net: &Net, maps: Tensor<4>) -> (Tensor<1>, GradientsParams) {
    let dtype = maps.dtype();
    let output = net.forward(maps);
    assert_eq!(output.dtype(), dtype);
    let loss = output.cast(DType::F32).square().mean();
    let gradients = GradientsParams::from_grads(loss.backward(), net);
    (loss, gradients)
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}

#[test]
fn gradients_are_near_those_of_a_step_in_f32_and_parameters_stay_in_it() {
    let _alone = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    let device = Device::flex().autodiff();
    device.seed(1);
    let net = Net::new(&device);
    let normal = Distribution::Normal(0.5, 1.0);
    let maps = Tensor::<4>::random([16, 2, 8, 8], normal, (&device, DType::F32));

    let narrow = narrowed(&net, DType::BF16);
    assert_eq!(narrow.conv.weight.val().dtype(), DType::BF16);
    assert_eq!(narrow.norm.gamma.val().dtype(), DType::F32);
    let (loss, gradients) = step(&narrow, maps.clone().cast(DType::BF16));
    let gradients = widened(gradients, &net);
    // The statistics are those of the model itself, and not narrowed.
    let mean = net.norm.running_mean.value_sync();
    assert_eq!(mean.dtype(), DType::F32);
    assert!(values(mean.inner()).iter().all(|mean| *mean != 0.0));

    let (exact_loss, exact) = step(&net, maps);
    let [loss, exact_loss] = [loss, exact_loss].map(|loss| values(loss.inner())[0]);
    assert!(loss != exact_loss && (loss - exact_loss).abs() < 0.02 * exact_loss);
    fn check<const D: usize>(found: Option<Tensor<D>>, exact: Option<Tensor<D>>) {
        let (found, exact) = (found.expect("asked for"), exact.expect("asked for"));
        assert_eq!(found.dtype(), DType::F32);
        let apart = distance(&values(found), &values(exact));
        assert!(apart > 0.0 && apart < 0.05, "{apart}");
    }
    for id in [net.conv.weight.id, net.depthwise.weight.id] {
        check::<4>(gradients.get(id), exact.get(id));
    }
    check::<2>(
        gradients.get(net.head.weight.id),
        exact.get(net.head.weight.id),
    );
    for id in [net.norm.gamma.id, net.norm.beta.id] {
        check::<1>(gradients.get(id), exact.get(id));
    }

    let before = values(net.conv.weight.val().inner());
    let mut optimizer = AdamConfig::new().init();
    let net = optimizer.step(1e-4, net, gradients);
    let after = net.conv.weight.val().inner();
    assert_eq!(after.dtype(), DType::F32);
    // A step that bfloat16 would round away.
    let after = values(after);
    assert!(after.iter().zip(&before).all(|(a, b)| (a - b).abs() < 2e-4));
    assert!(distance(&after, &before) > 1e-6);
}

#[test]
fn what_is_frozen_stays_so() {
    let _alone = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    let device = Device::flex().autodiff();
    let mut net = Net::new(&device);
    net.head = net.head.freeze();
    let maps = Tensor::<4>::ones([2, 2, 8, 8], (&device, DType::BF16));
    let narrow = narrowed(&net, DType::BF16);
    assert_eq!(narrow.head.weight.val().dtype(), DType::BF16);
    let (_, gradients) = step(&narrow, maps);
    assert!(gradients.get::<2>(net.head.weight.id).is_none());
    assert!(gradients.get::<4>(net.conv.weight.id).is_some());
}
