//! How growable layers tell a capture what went through them.
//!
//! During a capture, and only then, each growable layer sets a *probe* at its
//! post-activation: the probe's gradient is `∂L/∂a`.

use burgeon_core::{Activation, SiteInput};
use burn::module::ParamId;
use burn::tensor::{Gradients, Tensor};

use crate::mode::{Mode, in_mode};

/// Reads a probe's gradient.
pub(crate) type GradientReader = Box<dyn FnOnce(&Gradients) -> Option<Outputs>>;

/// One value for each neuron and row.
#[derive(Clone)]
pub(crate) enum Outputs {
    /// `[n, M]`.
    Rows(Tensor<2>),
    /// `[b, M, h, w]`, a row for each sample and position.
    Maps(Tensor<4>),
}

impl Outputs {
    /// Of a tensor whose last axis is the neuron.
    pub fn of_rows<const D: usize>(tensor: Tensor<D>) -> Self {
        Self::Rows(rows(tensor))
    }

    /// Bytes of the values.
    pub fn bytes(&self) -> usize {
        let (values, dtype) = match self {
            Self::Rows(rows) => (rows.shape().num_elements(), rows.dtype()),
            Self::Maps(maps) => (maps.shape().num_elements(), maps.dtype()),
        };
        values * dtype.size()
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.dims()[0],
            Self::Maps(maps) => {
                let [b, _, h, w] = maps.dims();
                b * h * w
            }
        }
    }
}

/// What a layer recorded in one forward pass.
pub(crate) struct Passage {
    /// The id of the layer's weight.
    pub weight: ParamId,
    /// The layer's input, off the graph.
    pub input: SiteInput,
    /// Whether the neurons have a bias.
    pub bias: bool,
    /// Pre-activations, off the graph.
    pub pre_activation: Outputs,
    /// `c` of each neuron, `[M]`, where a normalisation scales it.
    pub scale: Option<Tensor<1>>,
    /// The activation.
    pub activation: Activation,
    /// Reads `∂L/∂a`.
    pub gradient: GradientReader,
}

/// Runs `forward` and returns its result with what the growable layers on its way
/// recorded, in the order of their use.
pub(crate) fn record<T>(forward: impl FnOnce() -> T) -> (T, Vec<Passage>) {
    match in_mode(Mode::Recording(Vec::new()), forward) {
        (output, Mode::Recording(passages)) => (output, passages),
        (output, _) => (output, Vec::new()),
    }
}

/// Sets a probe at `post_activation`, which is returned with the reader of the probe's
/// gradient.
pub(crate) fn probe<const D: usize>(
    post_activation: Tensor<D>,
    outputs: impl FnOnce(Tensor<D>) -> Outputs + 'static,
) -> (Tensor<D>, GradientReader) {
    let (output, probe) = burgeon_ops::probed(post_activation);
    let gradient = move |gradients: &Gradients| probe.grad(gradients).map(outputs);
    (output, Box::new(gradient))
}

/// Rows `[n, M]` of a tensor whose last axis is the neuron.
pub(crate) fn rows<const D: usize>(tensor: Tensor<D>) -> Tensor<2> {
    let neurons = tensor.dims()[D - 1];
    let rows = tensor.shape().num_elements() / neurons.max(1);
    tensor.reshape([rows, neurons])
}
