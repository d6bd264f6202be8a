//! Inputs and weights from a generator of their own: Burn's is shared by the tests of a process.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::StandardNormal;

/// Standard normal values `[batch, ..shape]`.
pub fn normal<const D: usize>(
    batch: usize,
    shape: &[usize],
    device: &Device,
    dtype: DType,
    seed: u64,
) -> Tensor<D> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let shape = [&[batch], shape].concat();
    let count = shape.iter().product();
    let values = normals(&mut generator, count, 0.0, 1.0);
    Tensor::from_data(TensorData::new(values, shape), (device, dtype))
}

/// Ids `[batch, length]` below `count`.
pub fn tokens(
    batch: usize,
    length: usize,
    count: i64,
    device: &Device,
    seed: u64,
) -> Tensor<2, Int> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let ids: Vec<i64> = (0..batch * length)
        .map(|_| generator.random_range(0..count))
        .collect();
    Tensor::from_data(TensorData::new(ids, [batch, length]), device)
}

/// `model` with all its floats drawn anew from `seed`, so that nothing is zero, symmetric or
/// left at an initial constant: weights, biases, scales, running means and (positive) running
/// variances.
///
/// Clones share running statistics in Burn, so those of `model` change too.
pub fn filled<M: Module>(model: M, seed: u64) -> M {
    model.map(&mut Filler {
        generator: ChaCha8Rng::seed_from_u64(seed),
        path: Vec::new(),
    })
}

struct Filler {
    generator: ChaCha8Rng,
    path: Vec<String>,
}

impl Filler {
    /// Values for a parameter of this shape at the current path.
    fn draw(&mut self, shape: &[usize]) -> Vec<f64> {
        let count = shape.iter().product();
        let mut uniform = |low: f64, high: f64| -> Vec<f64> {
            (0..count)
                .map(|_| self.generator.random_range(low..high))
                .collect()
        };
        match self.path.last().map(String::as_str) {
            Some("gamma") => uniform(0.6, 1.4),
            Some("running_var") => uniform(0.4, 1.6),
            Some("alpha") => uniform(0.1, 0.4),
            _ => {
                // Linear weights are `[in, out]`, those of convolutions `[out, in, ..kernel]`.
                let spread = match shape {
                    [_] => 0.3,
                    [inputs, _] => 1.3 / (*inputs as f64).sqrt(),
                    [_, rest @ ..] => 1.3 / (rest.iter().product::<usize>() as f64).sqrt(),
                    [] => 1.0,
                };
                normals(&mut self.generator, count, 0.0, spread)
            }
        }
    }
}

impl ModuleMapper for Filler {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, old, mapper) = param.consume();
        let shape = old.dims();
        let data = TensorData::new(self.draw(&shape), shape);
        let device = old.device();
        let new = if old.is_autodiff() {
            Tensor::from_inner(Tensor::from_data(data, (&device.inner(), old.dtype())))
                .set_require_grad(old.is_require_grad())
        } else {
            Tensor::from_data(data, (&device, old.dtype()))
        };
        Param::from_mapped_value(id, new, mapper)
    }
}

fn normals(generator: &mut impl Rng, count: usize, mean: f64, spread: f64) -> Vec<f64> {
    (0..count)
        .map(|_| mean + spread * generator.sample::<f64, _>(StandardNormal))
        .collect()
}
