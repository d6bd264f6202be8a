//! Training on distinct call sequences, all of them in every step.

use burn::grad_clipping::GradientClippingConfig;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;

use super::core::Core;
use super::traces::Traces;
use crate::error::NpiError;

/// How a network is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Adam's rate.
    pub rate: f64,
    /// Steps to go on after the first at which every decision is right, so that none is so by a
    /// hair's breadth.
    pub settle: usize,
    /// Steps at most.
    pub most: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rate: 2e-3,
            settle: 200,
            most: 2000,
        }
    }
}

/// What a step met, before it changed the weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The mean loss of a call.
    pub loss: f64,
    /// Wrong decisions.
    pub wrong: usize,
}

/// A network in training.
pub struct Training {
    /// The network, on an autodiff device.
    pub core: Core,
    /// The optimizer with its state.
    pub optimizer: ModuleOptimizer,
    /// Steps so far.
    pub steps: usize,
    /// The first step at which every decision was right, counted from 1.
    pub exact_at: Option<usize>,
    settings: Settings,
}

impl std::fmt::Debug for Training {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Training")
            .field("steps", &self.steps)
            .field("exact_at", &self.exact_at)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Training {
    /// Of a network that was not trained before.
    pub fn new(core: Core, settings: Settings) -> Self {
        let clipping = GradientClippingConfig::Norm(1.0);
        // Burn's default of 1e-5 would slow down what has small gradients.
        let optimizer = AdamConfig::new()
            .with_epsilon(1e-8)
            .with_grad_clipping(Some(clipping));
        Self {
            core,
            optimizer: optimizer.init(),
            steps: 0,
            exact_at: None,
            settings,
        }
    }

    /// One step on all of `traces`, which are on a plain device.
    ///
    /// # Errors
    /// [`NpiError::Device`] if the device fails or the loss is no number.
    pub fn step(&mut self, traces: &Traces) -> Result<Step, NpiError> {
        let inputs = Tensor::from_inner(traces.inputs.clone());
        let outputs = self.core.packed(inputs, &traces.sizes);
        let wrong = traces.wrong(&outputs.clone().inner())?;
        let loss = traces.loss(outputs);
        let value = loss.clone().inner().into_scalar::<f64>();
        if !value.is_finite() {
            return Err(NpiError::Device(format!(
                "the loss is {value} after {} steps: train at a lower rate",
                self.steps
            )));
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &self.core);
        let core = self.core.clone();
        self.core = self.optimizer.step(self.settings.rate, core, gradients);
        self.steps += 1;
        if wrong == 0 {
            self.exact_at.get_or_insert(self.steps);
        }
        Ok(Step { loss: value, wrong })
    }

    /// Steps until every decision is right and has settled, or for as many as the settings allow
    /// beyond those made. Whether it was exact at the last one.
    ///
    /// # Errors
    /// Those of [`step`](Self::step).
    pub fn run(
        &mut self,
        traces: &Traces,
        mut watch: impl FnMut(usize, Step) -> bool,
    ) -> Result<bool, NpiError> {
        let end = self.steps + self.settings.most;
        let mut last = None;
        self.exact_at = None;
        while self.steps < end {
            let step = self.step(traces)?;
            last = Some(step.wrong);
            let settled = self
                .exact_at
                .is_some_and(|exact| self.steps >= exact + self.settings.settle);
            // A late step may have undone a decision: go on until it is right again.
            if !watch(self.steps, step) || (settled && step.wrong == 0) {
                break;
            }
        }
        Ok(last == Some(0))
    }
}
