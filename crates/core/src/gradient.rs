//! Gradients of the loss in the weights of growths.

use crate::growth::{Growth, NewNeuron, Side};

/// Samples over which a gradient is a mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GradientSamples {
    /// All that are captured.
    #[default]
    All,
    /// One of the [`minibatches`](crate::Landscape::minibatches): this one, counted round and
    /// round.
    Minibatch(usize),
}

/// What the derivative of `max(z, 0)` is taken to be at `z = 0`, where it has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SlopeAtZero {
    /// What training takes: 0 in Burn.
    #[default]
    Trained,
    /// 1, so that it can be seen what a neuron whose fan-in is 0 would do once it answers.
    One,
}

/// Where a gradient is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GradientRequest {
    /// The step ε of all growths.
    pub epsilon: f64,
    /// The samples.
    pub samples: GradientSamples,
    /// How a ReLU at 0 is differentiated.
    pub slope_at_zero: SlopeAtZero,
}

impl GradientRequest {
    /// At the step `epsilon`, over all samples.
    pub fn at(epsilon: f64) -> Self {
        Self {
            epsilon,
            ..Self::default()
        }
    }

    /// Over other samples.
    #[must_use]
    pub fn over(mut self, samples: GradientSamples) -> Self {
        self.samples = samples;
        self
    }

    /// With another slope of a ReLU at 0.
    #[must_use]
    pub fn with_slope_at_zero(mut self, slope: SlopeAtZero) -> Self {
        self.slope_at_zero = slope;
        self
    }
}

/// The gradient of the loss in what one growth adds to the weights.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GrowthGradient {
    /// In the fan-in, `[d]`, of each neuron that the growth makes or moves: a split's offspring in
    /// their order, or the new neuron; of a new layer in its opening weights.
    pub fan_in: Vec<Vec<f64>>,
    /// In the fan-out of a new neuron, `[k]`, or the closing weights of a new layer; empty for other
    /// growths.
    pub fan_out: Vec<f64>,
}

impl GrowthGradient {
    /// Zeros for `growth` of a site of fan-in `dim` and fan-out `fan_out`; a new layer's are as many
    /// as its weights.
    pub fn zeros(growth: &Growth, dim: usize, fan_out: usize) -> Self {
        let (neurons, dim, fan_out) = match growth {
            Growth::Split(split) => (split.offspring.len(), dim, 0),
            Growth::NewNeuron(_) => (1, dim, fan_out),
            Growth::NewLayer(layer) => (1, layer.opening.len(), layer.closing.len()),
            Growth::Removal(_) => (0, dim, 0),
        };
        Self {
            fan_in: vec![vec![0.0; dim]; neurons],
            fan_out: vec![0.0; fan_out],
        }
    }

    /// `∂L/∂ε` of `growth` alone: of the step by which its own weights are multiplied.
    pub fn along(&self, growth: &Growth) -> f64 {
        match growth {
            Growth::Split(split) => {
                let copies = split.offspring.iter().zip(&self.fan_in);
                copies.map(|(copy, found)| dot(&copy.offset, found)).sum()
            }
            Growth::NewNeuron(NewNeuron {
                scaled: Side::FanOut,
                fan_out,
                ..
            }) => dot(fan_out, &self.fan_out),
            Growth::NewNeuron(neuron) => {
                let found = self.fan_in.first();
                found.map_or(0.0, |found| dot(&neuron.fan_in, found))
            }
            Growth::NewLayer(layer) => dot(&layer.closing, &self.fan_out),
            Growth::Removal(_) => 0.0,
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The gradient of the loss in the weights of all growths of a plan, the network under the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanGradient {
    /// The loss there.
    pub loss: f64,
    /// Of each growth, in the plan's order.
    pub growths: Vec<GrowthGradient>,
}
