//! What the Criterion benchmarks share: the digit networks and their data.

use burgeon_core::{Activation, CurvatureBlock, SiteInput, SplitBackend};
use burgeon_data::optdigits;
use burgeon_nn::{Growable, GrowableLinear, GrowableLinearConfig, NnError, Samples, Topology};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Device, Distribution, Tensor, TensorData};

/// An MLP 64-h-10.
#[derive(Module, Debug)]
pub struct DigitMlp {
    hidden: GrowableLinear,
    output: Linear,
}

impl DigitMlp {
    /// A network with `neurons` hidden neurons.
    ///
    /// # Errors
    /// [`NnError::Layer`] if there are none.
    pub fn new(neurons: usize, device: &Device) -> Result<Self, NnError> {
        let hidden = GrowableLinearConfig::new(64, neurons).with_activation(Activation::Silu);
        Ok(Self {
            hidden: hidden.init(device)?,
            output: LinearConfig::new(neurons, 10).init(device),
        })
    }
}

impl Growable for DigitMlp {
    type Input = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.hidden.forward(input))
    }

    fn topology(&self) -> Result<Topology, NnError> {
        Topology::chain()
            .layer("hidden", &self.hidden)
            .layer("output", &self.output)
            .build()
    }
}

/// The first `count` training digits.
///
/// # Errors
/// Whatever the embedded data set or the samples report.
pub fn digits(
    count: usize,
    device: &Device,
) -> Result<Samples<Tensor<2>>, Box<dyn std::error::Error>> {
    let images = optdigits::load()?.train;
    let pixels = images.pixels[..count * 64].to_vec();
    let inputs = Tensor::from_data(TensorData::new(pixels, [count, 64]), device);
    Ok(Samples::classification(
        inputs,
        &images.labels[..count],
        10,
        device,
    )?)
}

/// A linear site's curvature of random rows, f32.
pub fn random_block(
    backend: &dyn SplitBackend,
    rows: usize,
    dim: usize,
    neurons: usize,
) -> CurvatureBlock {
    let device = backend.device();
    let random =
        |shape| Tensor::<2>::random(shape, Distribution::Normal(0.0, 1.0), (&device, DType::F32));
    CurvatureBlock {
        input: SiteInput::Rows(random([rows, dim])),
        bias: false,
        weights: random([rows, neurons]),
    }
}
