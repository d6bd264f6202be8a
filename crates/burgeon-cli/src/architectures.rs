//! Published architectures as lists of layers, to be priced.

use burgeon::core::{Geometry, LayerKind, LayerShape};

use crate::error::CliError;

/// The names that [`architecture`] knows.
pub const ARCHITECTURES: [&str; 4] = ["mobilenet-v1", "resnet-18", "vgg-11", "vgg-19"];

/// The most parameters, operations or entries of maps that a network may have altogether: priced at
/// 640,000 fJ or 4 bytes each, they still add up in 64 bits.
const MOST: u128 = 10_000_000_000_000;

/// The layers of the network `name` for inputs `[channels, height, width]`; VGG networks are
/// those for small images, with batch normalisation, convolution biases and one linear layer.
///
/// # Errors
/// [`CliError::Settings`] for an unknown name, no classes, or an input that is too small or too
/// large for its cost to be counted.
pub fn architecture(
    name: &str,
    input: [usize; 3],
    classes: usize,
) -> Result<Vec<LayerShape>, CliError> {
    let problem = |problem: String| Err(CliError::Settings(problem));
    if input.contains(&0) || classes == 0 {
        return problem(format!(
            "input {input:?} with {classes} classes: nothing may be 0"
        ));
    }
    let uncountable = || {
        problem(format!(
            "{name} for {input:?} and {classes} classes has more than {MOST} parameters, operations \
             or entries of maps, more than can be priced: give a smaller input"
        ))
    };
    if product(input.map(|size| size as u128)) > MOST {
        return uncountable();
    }
    let mut layers = Layers::new(input);
    match name {
        "mobilenet-v1" => mobilenet_v1(&mut layers),
        "resnet-18" => resnet_18(&mut layers),
        "vgg-11" => vgg(&mut layers, [1, 1, 2, 2, 2]),
        "vgg-19" => vgg(&mut layers, [2, 2, 4, 4, 4]),
        other => {
            let known = ARCHITECTURES.join(", ");
            return problem(format!("unknown network `{other}`: use one of {known}"));
        }
    }
    if layers.size.contains(&0) {
        let [_, height, width] = input;
        return problem(format!("{height}x{width} is too small for {name}"));
    }
    layers.linear("classifier", classes);
    if counts(&layers.layers).into_iter().any(|count| count > MOST) {
        return uncountable();
    }
    Ok(layers.layers)
}

/// Parameters, multiply-accumulate operations and entries of all maps, whatever their size.
fn counts(layers: &[LayerShape]) -> [u128; 3] {
    let mut sums = [0_u128; 3];
    for layer in layers {
        let [outputs, taps] = [layer.outputs as u128, layer.taps as u128];
        let [input, output] = [layer.input_positions, layer.output_positions].map(|n| n as u128);
        let inputs = layer.inputs as u128;
        let read = match layer.kind {
            LayerKind::Mixing => inputs,
            LayerKind::ChannelWise => 1,
        };
        let weights = product([outputs, read, taps]);
        let counts = [
            weights.saturating_add(product([outputs, layer.extra as u128, 1])),
            product([weights, output, 1]),
            product([inputs, input, 1]).saturating_add(product([outputs, output, 1])),
        ];
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum = sum.saturating_add(count);
        }
    }
    sums
}

fn product(factors: [u128; 3]) -> u128 {
    let [a, b, c] = factors;
    a.saturating_mul(b).saturating_mul(c)
}

/// A network under construction.
struct Layers {
    layers: Vec<LayerShape>,
    channels: usize,
    size: [usize; 2],
}

/// Kernel and stride of a convolution that pads by half its kernel.
#[derive(Clone, Copy)]
struct Step {
    kernel: usize,
    stride: usize,
}

const SAME: Step = Step {
    kernel: 3,
    stride: 1,
};
const HALVING: Step = Step {
    kernel: 3,
    stride: 2,
};
const POINTWISE: Step = Step {
    kernel: 1,
    stride: 1,
};

impl Layers {
    fn new([channels, height, width]: [usize; 3]) -> Self {
        Self {
            layers: Vec::new(),
            channels,
            size: [height, width],
        }
    }

    /// Size after a window that pads by half its kernel.
    fn halved(&self, step: Step) -> [usize; 2] {
        self.size.map(|size| {
            let padded = size + 2 * (step.kernel / 2);
            padded
                .checked_sub(step.kernel)
                .map_or(0, |room| room / step.stride + 1)
        })
    }

    fn push(&mut self, name: String, kind: LayerKind, outputs: usize, step: Step, extra: usize) {
        let output = self.halved(step);
        self.layers.push(LayerShape {
            name,
            kind,
            inputs: self.channels,
            outputs,
            taps: step.kernel * step.kernel,
            extra,
            input_positions: self.size[0] * self.size[1],
            output_positions: output[0] * output[1],
            geometry: Geometry {
                kernel: [step.kernel; 2],
                stride: [step.stride; 2],
                input: self.size,
                output,
                groups: 1,
            },
        });
        self.channels = outputs;
        self.size = output;
    }

    /// A convolution with batch normalisation, and a bias if `bias` is 1.
    fn convolution(&mut self, name: impl Into<String>, outputs: usize, step: Step, bias: usize) {
        self.push(name.into(), LayerKind::Mixing, outputs, step, 2 + bias);
    }

    /// A depthwise convolution with batch normalisation.
    fn depthwise(&mut self, name: String, step: Step) {
        self.push(name, LayerKind::ChannelWise, self.channels, step, 2);
    }

    fn pool(&mut self, step: Step) {
        self.size = match step.kernel {
            2 => self.size.map(|size| size / 2),
            _ => self.halved(step),
        };
    }

    /// Mean pooling and a linear layer with bias.
    fn linear(&mut self, name: &str, outputs: usize) {
        self.size = [1, 1];
        self.push(name.into(), LayerKind::Mixing, outputs, POINTWISE, 1);
    }
}

/// MobileNetV1, width 1.0 (arXiv 1704.04861, table 1).
fn mobilenet_v1(layers: &mut Layers) {
    layers.convolution("conv1", 32, HALVING, 0);
    let blocks = [
        (64, SAME),
        (128, HALVING),
        (128, SAME),
        (256, HALVING),
        (256, SAME),
        (512, HALVING),
        (512, SAME),
        (512, SAME),
        (512, SAME),
        (512, SAME),
        (512, SAME),
        (1024, HALVING),
        (1024, SAME),
    ];
    for (index, (outputs, step)) in blocks.into_iter().enumerate() {
        layers.depthwise(format!("block{}.depthwise", index + 1), step);
        layers.convolution(
            format!("block{}.pointwise", index + 1),
            outputs,
            POINTWISE,
            0,
        );
    }
}

/// ResNet-18 (arXiv 1512.03385, table 1; projections where the shape changes).
fn resnet_18(layers: &mut Layers) {
    layers.convolution(
        "conv1",
        64,
        Step {
            kernel: 7,
            stride: 2,
        },
        0,
    );
    layers.pool(HALVING);
    for (stage, outputs) in [64, 128, 256, 512].into_iter().enumerate() {
        for block in 0..2 {
            let name = format!("stage{}.{block}", stage + 1);
            let halves = stage > 0 && block == 0;
            let (inputs, size) = (layers.channels, layers.size);
            let first = if halves { HALVING } else { SAME };
            layers.convolution(format!("{name}.conv1"), outputs, first, 0);
            layers.convolution(format!("{name}.conv2"), outputs, SAME, 0);
            if halves {
                (layers.channels, layers.size) = (inputs, size);
                let step = Step {
                    kernel: 1,
                    stride: 2,
                };
                layers.convolution(format!("{name}.projection"), outputs, step, 0);
            }
        }
    }
}

/// VGG (arXiv 1409.1556, table 1) with so many convolutions in each of its five stages.
fn vgg(layers: &mut Layers, stages: [usize; 5]) {
    let widths = [64, 128, 256, 512, 512];
    for (stage, (count, outputs)) in stages.into_iter().zip(widths).enumerate() {
        for index in 0..count {
            layers.convolution(
                format!("stage{}.conv{}", stage + 1, index + 1),
                outputs,
                SAME,
                1,
            );
        }
        layers.pool(Step {
            kernel: 2,
            stride: 2,
        });
    }
}

#[cfg(test)]
mod tests {
    use burgeon::core::CostModel;
    use burgeon::core::cost::{Energy, Macs, Parameters, Precision};

    use super::*;

    /// Counts of the reference implementations (torchvision's resnet18 and the count of
    /// MobileNetV1 in its paper's reference code; VGG-19 with BatchNorm for CIFAR).
    #[test]
    fn counts_are_the_published_ones() -> Result<(), CliError> {
        let mobilenet = architecture("mobilenet-v1", [3, 224, 224], 1000)?;
        assert_eq!(Parameters.cost(&mobilenet), 4_231_976);
        assert_eq!(Macs.cost(&mobilenet), 568_740_352);
        let resnet = architecture("resnet-18", [3, 224, 224], 1000)?;
        assert_eq!(Parameters.cost(&resnet), 11_689_512);
        let vgg = architecture("vgg-19", [3, 32, 32], 10)?;
        assert_eq!(Parameters.cost(&vgg), 20_040_522);
        Ok(())
    }

    #[test]
    fn what_cannot_be_built_is_refused() {
        assert!(architecture("vgg-20", [3, 32, 32], 10).is_err());
        assert!(architecture("vgg-19", [3, 16, 16], 10).is_err());
        assert!(architecture("vgg-19", [3, 32, 0], 10).is_err());
        assert!(architecture("vgg-19", [3, 32, 32], 0).is_err());
    }

    /// Sizes whose products leave 64 bits are refused, and those accepted are priced without a
    /// wrap.
    #[test]
    fn what_cannot_be_counted_is_refused() -> Result<(), CliError> {
        let most = usize::MAX;
        for (input, classes) in [
            ([3, 1 << 32, 1 << 32], 10),
            ([most, most, most], 10),
            ([3, 224, most], 10),
            ([3, 224, 224], most),
            ([1, 1 << 20, 1 << 20], 10),
        ] {
            for name in ARCHITECTURES {
                let error = architecture(name, input, classes).unwrap_err().to_string();
                assert!(error.contains("smaller input"), "{name} {input:?}: {error}");
            }
        }
        let large = architecture("resnet-18", [3, 1 << 14, 1 << 14], 1000)?;
        let [parameters, macs, _] = counts(&large);
        assert_eq!(u128::from(Parameters.cost(&large)), parameters);
        assert_eq!(u128::from(Macs.cost(&large)), macs);
        // Each MAC takes 4,600 fJ.
        let energy = Energy::new(Precision::Float32).cost(&large);
        assert!(u128::from(energy) > 4600 * macs);
        Ok(())
    }
}
