//! How growable layers tell a capture what went through them.
//!
//! During a capture, and only then, each growable layer adds a zero *probe* to
//! its post-activation: the probe's gradient is `∂L/∂a`. The recording belongs to
//! the thread that runs the forward pass, so an ordinary `forward` needs no
//! argument for it.

use std::cell::RefCell;

use burgeon_core::{Activation, SiteInput};
use burn::module::ParamId;
use burn::tensor::{Gradients, Tensor};

/// Reads a probe's gradient.
pub(crate) type GradientReader = Box<dyn FnOnce(&Gradients) -> Option<Tensor<2>>>;

/// What a layer recorded in one forward pass.
pub(crate) struct Passage {
    /// The id of the layer's weight.
    pub weight: ParamId,
    /// The layer's input, off the graph.
    pub input: SiteInput,
    /// Whether the neurons have a bias.
    pub bias: bool,
    /// Pre-activations `[n, M]`, off the graph.
    pub pre_activation: Tensor<2>,
    /// `c` of each neuron, `[M]`, where a normalisation scales it.
    pub scale: Option<Tensor<1>>,
    /// The activation.
    pub activation: Activation,
    /// Reads `∂L/∂a` as `[n, M]`.
    pub gradient: GradientReader,
}

thread_local! {
    static PASSAGES: RefCell<Option<Vec<Passage>>> = const { RefCell::new(None) };
}

/// Ends the recording when it goes out of scope, a panic included.
struct Recording;

impl Drop for Recording {
    fn drop(&mut self) {
        PASSAGES.with_borrow_mut(Option::take);
    }
}

/// Runs `forward` and returns its result with what the growable layers on its way
/// recorded, in the order of their use.
pub(crate) fn record<T>(forward: impl FnOnce() -> T) -> (T, Vec<Passage>) {
    PASSAGES.with_borrow_mut(|passages| *passages = Some(Vec::new()));
    let _recording = Recording;
    let output = forward();
    let passages = PASSAGES.with_borrow_mut(Option::take).unwrap_or_default();
    (output, passages)
}

pub(crate) fn is_recording() -> bool {
    PASSAGES.with_borrow(Option::is_some)
}

pub(crate) fn push(passage: Passage) {
    PASSAGES.with_borrow_mut(|passages| {
        if let Some(passages) = passages {
            passages.push(passage);
        }
    });
}

/// Adds a probe to `post_activation` and returns the sum with the reader of
/// the probe's gradient; `flatten` brings it to `[n, M]`.
pub(crate) fn probe<const D: usize>(
    post_activation: Tensor<D>,
    flatten: impl FnOnce(Tensor<D>) -> Tensor<2> + 'static,
) -> (Tensor<D>, GradientReader) {
    let probe = post_activation.zeros_like().detach().require_grad();
    let sum = post_activation + probe.clone();
    let gradient = move |gradients: &Gradients| probe.grad(gradients).map(flatten);
    (sum, Box::new(gradient))
}

/// Rows `[n, M]` of a tensor whose last axis is the neuron.
pub(crate) fn rows<const D: usize>(tensor: Tensor<D>) -> Tensor<2> {
    let neurons = tensor.dims()[D - 1];
    let rows = tensor.shape().num_elements() / neurons.max(1);
    tensor.reshape([rows, neurons])
}

/// Rows `[b·h·w, c]` of maps `[b, c, h, w]`.
pub(crate) fn map_rows(maps: Tensor<4>) -> Tensor<2> {
    rows(maps.permute([0, 2, 3, 1]))
}
