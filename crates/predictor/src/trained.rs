//! A trained network, whatever its type.

use std::fmt::Debug;

use burgeon::backend::flex::FLEX;
use burgeon::core::SplitBackend;
use burgeon::core::cost::{CostModel, Macs};
use burgeon::nn::cost::layer_shapes;
use burgeon::nn::growable::parameter_count;
use burgeon::nn::stored::{Weights, collect, restore};
use burgeon::prelude::*;
use burgeon_exchange::{OnnxExporter, OnnxModel, Sequential, StateDict};
use burgeon_run::Step;
use burn::tensor::Tensor;

use crate::architecture::Architecture;
use crate::error::PredictorError;
use crate::sizing::pass;

/// Samples in a batch of predictions.
const BATCH: usize = 512;

/// What is done with a network on a plain device, where BatchNorm and the like infer. `shape` is
/// that of one input.
pub(crate) trait Trained: Debug {
    /// Answers `[n, outputs]` to inputs `[n, …]`, row-major.
    fn answers(&self, values: &[f32], shape: &[usize]) -> Tensor<2>;

    fn parameters(&self) -> u64;

    /// Multiply-accumulates for one sample.
    fn macs(&self, shape: &[usize], outputs: usize) -> Result<u64, PredictorError>;

    /// The median time of one pass of one sample, in nanoseconds.
    fn latency(&self, shape: &[usize]) -> u64;

    fn weights(&self) -> Weights;

    /// The same network with other weights of the same shapes.
    fn with_weights(&self, weights: &Weights) -> Result<Box<dyn Trained>, PredictorError>;

    fn steps(&self, shape: &[usize]) -> Vec<Step>;

    fn onnx(&self, exporter: &OnnxExporter, shape: &[usize]) -> Result<OnnxModel, PredictorError>;

    fn state_dict(&self, layers: &Sequential) -> Result<StateDict, PredictorError>;
}

impl<A: Architecture + Debug> Trained for A {
    fn answers(&self, values: &[f32], shape: &[usize]) -> Tensor<2> {
        let size: usize = shape.iter().product();
        let batches = values.chunks(BATCH * size.max(1)).map(|values| {
            let inputs = A::inputs(values.to_vec(), shape, &FLEX.device());
            self.predict(inputs)
        });
        Tensor::cat(batches.collect(), 0)
    }

    fn parameters(&self) -> u64 {
        parameter_count(self)
    }

    fn macs(&self, shape: &[usize], outputs: usize) -> Result<u64, PredictorError> {
        let device = FLEX.device();
        let input = A::inputs(vec![0.0; shape.iter().product()], shape, &device);
        let example = Samples::regression(input, Tensor::zeros([1, outputs], &device))?;
        Ok(Macs.cost(&layer_shapes(self, &example)?))
    }

    fn latency(&self, shape: &[usize]) -> u64 {
        pass(self, shape)
    }

    fn weights(&self) -> Weights {
        collect(self)
    }

    fn with_weights(&self, weights: &Weights) -> Result<Box<dyn Trained>, PredictorError> {
        let restored = restore(self, weights).map_err(NnError::Model)?;
        Ok(Box::new(restored))
    }

    fn steps(&self, shape: &[usize]) -> Vec<Step> {
        Architecture::steps(self, shape)
    }

    fn onnx(&self, exporter: &OnnxExporter, shape: &[usize]) -> Result<OnnxModel, PredictorError> {
        let example = A::inputs(vec![0.0; shape.iter().product()], shape, &FLEX.device());
        Ok(exporter.export(self, &example)?)
    }

    fn state_dict(&self, layers: &Sequential) -> Result<StateDict, PredictorError> {
        Ok(layers.state_dict(self)?)
    }
}
