//! Batch normalisation.

use burn::config::Config;
use burn::module::{Content, DisplaySettings, Flag, Module, ModuleDisplay, Param, RunningState};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor, module};

use crate::batch_norm::batch_norm_train;

/// Configuration of a [`FastBatchNorm`], as Burn's [`BatchNormConfig`].
#[derive(Config, Debug)]
pub struct FastBatchNormConfig {
    /// Number of channels, at least 1.
    pub num_features: usize,
    /// What is added to variances, above 0.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// The share of a batch in the running statistics, in `[0, 1]`.
    #[config(default = 0.1)]
    pub momentum: f64,
}

impl FastBatchNormConfig {
    /// A layer with γ = 1, β = 0, running mean 0 and running variance 1.
    ///
    /// # Panics
    /// As Burn's own, where a setting is outside its range.
    pub fn init(&self, device: &Device) -> FastBatchNorm {
        BatchNormConfig::new(self.num_features)
            .with_epsilon(self.epsilon)
            .with_momentum(self.momentum)
            .init(device)
            .into()
    }
}

/// Burn's [`BatchNorm`], in training by [`batch_norm_train`].
///
/// It computes in the type of its own parameters and answers in that of its input.
///
/// ```
/// use burgeon_ops::{FastBatchNorm, FastBatchNormConfig};
/// use burn::tensor::{Device, Tensor};
///
/// let norm = FastBatchNormConfig::new(3).init(&Device::flex());
/// let maps = norm.forward(Tensor::<4>::ones([2, 3, 5, 5], &Device::flex()));
/// assert_eq!(maps.dims(), [2, 3, 5, 5]);
/// ```
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct FastBatchNorm {
    /// γ, `[channels]`.
    pub gamma: Param<Tensor<1>>,
    /// β, `[channels]`.
    pub beta: Param<Tensor<1>>,
    /// Whether the layer takes part in training.
    pub training: Param<Flag>,
    /// The running mean, `[channels]`.
    pub running_mean: RunningState<Tensor<1>>,
    /// The running variance, `[channels]`.
    pub running_var: RunningState<Tensor<1>>,
    /// The share of a batch in the running statistics.
    pub momentum: f64,
    /// What is added to variances.
    pub epsilon: f64,
}

impl FastBatchNorm {
    /// Maps `[b, channels, …]` to the same shape: by the batch's statistics, which the running
    /// ones then follow, on an autodiff device; by the running ones elsewhere, and where the
    /// layer is frozen.
    ///
    /// # Panics
    /// As Burn's operations do, where the input has other channels.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        let (asked, dtype) = (input.dtype(), gamma.dtype());
        let input = match asked == dtype {
            true => input,
            false => input.cast(dtype),
        };
        let output = match input.device().is_autodiff() && self.training.is_enabled() {
            true => self.train(input, gamma, beta),
            false => self.infer(input, gamma, beta),
        };
        match asked == dtype {
            true => output,
            false => output.cast(asked),
        }
    }

    fn infer<const D: usize>(
        &self,
        input: Tensor<D>,
        gamma: Tensor<1>,
        beta: Tensor<1>,
    ) -> Tensor<D> {
        let device = input.device();
        let mean = self.running_mean.value().to_device(&device);
        let variance = self.running_var.value().to_device(&device);
        module::batch_norm(input, gamma, beta, mean, variance, self.epsilon)
    }

    fn train<const D: usize>(
        &self,
        input: Tensor<D>,
        gamma: Tensor<1>,
        beta: Tensor<1>,
    ) -> Tensor<D> {
        let device = input.device();
        let found = batch_norm_train(input, gamma, beta, self.epsilon);
        for (running, batch) in [
            (&self.running_mean, found.mean),
            (&self.running_var, found.variance),
        ] {
            let kept = running.value_sync().to_device(&device);
            let kept = kept.mul_scalar(1.0 - self.momentum);
            let next = kept + batch.mul_scalar(self.momentum);
            running.update(next.detach());
        }
        found.output
    }
}

impl From<BatchNorm> for FastBatchNorm {
    fn from(norm: BatchNorm) -> Self {
        Self {
            gamma: norm.gamma,
            beta: norm.beta,
            training: norm.training,
            running_mean: norm.running_mean,
            running_var: norm.running_var,
            momentum: norm.momentum,
            epsilon: norm.epsilon,
        }
    }
}

impl ModuleDisplay for FastBatchNorm {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [channels] = self.gamma.dims();
        let content = content
            .add("num_features", &channels)
            .add("momentum", &self.momentum)
            .add("epsilon", &self.epsilon);
        match self.training.is_enabled() {
            true => content.optional(),
            false => content.add("training", &self.training).optional(),
        }
    }
}
