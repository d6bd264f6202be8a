//! What a network computes, step by step.

use serde::{Deserialize, Serialize};

/// A function of each number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// `max(z, 0)`.
    Relu,
    /// `min(max(z, 0), 6)`.
    Relu6,
    /// `z σ(z)`.
    Silu,
    /// `z Φ(z)`.
    Gelu,
    /// Hyperbolic tangent.
    Tanh,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Relu, Self::Relu6, Self::Silu, Self::Gelu, Self::Tanh];

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Relu6 => "relu6",
            Self::Silu => "silu",
            Self::Gelu => "gelu",
            Self::Tanh => "tanh",
        }
    }
}

/// One step; a layer is named by its path, under which its weights are.
///
/// What is computed on is rows `[n]` or maps `[channels, height, width]` of one sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Step {
    /// Maps as a row, channel by channel.
    Flatten,
    /// `x W + b` of a row; `LAYER.weight` `[inputs, outputs]`, `LAYER.bias` `[outputs]`.
    Linear {
        /// The path.
        layer: String,
        /// Numbers read.
        inputs: usize,
        /// Numbers given.
        outputs: usize,
    },
    /// A convolution of maps, padded by half its odd kernel; `LAYER.weight`
    /// `[outputs, inputs / groups, kernel, kernel]`, no bias.
    Convolution {
        /// The path.
        layer: String,
        /// Channels read.
        inputs: usize,
        /// Channels given.
        outputs: usize,
        /// Height and width of the kernel, odd.
        kernel: usize,
        /// The step of the kernel.
        stride: usize,
        /// Groups of channels that are convolved apart.
        groups: usize,
        /// Whether `LAYER.bias` `[outputs]` is added.
        bias: bool,
    },
    /// Batch normalisation by running statistics: `LAYER.gamma`, `beta`, `running_mean` and
    /// `running_var`, each `[channels]`.
    Norm {
        /// The path.
        layer: String,
        /// Channels of maps, or numbers of a row.
        channels: usize,
        /// What is added to variances.
        epsilon: f64,
    },
    /// A function of each number.
    Activation {
        /// The function.
        function: Function,
    },
    /// The largest of each window of so many rows and columns, which do not overlap; a rest at the
    /// edges is left out.
    MaxPool {
        /// Height and width of a window.
        size: usize,
    },
    /// The mean of each such window.
    MeanPool {
        /// Height and width of a window.
        size: usize,
    },
    /// Each map's mean, as a row.
    GlobalMean,
    /// Adds what the step of this number gave, from 0.
    Add {
        /// The step.
        step: usize,
    },
}

/// Numbers that a sample may be anywhere in a network.
const MOST: usize = 1 << 30;

impl Step {
    /// The shape that the step gives of `input`, where `before` are the shapes that earlier steps
    /// gave.
    ///
    /// # Errors
    /// What does not fit.
    pub fn shape(&self, input: &[usize], before: &[Vec<usize>]) -> Result<Vec<usize>, String> {
        let maps = || match input {
            [channels, height, width] => Ok([*channels, *height, *width]),
            _ => Err("it reads maps, and what comes before gives a row".to_owned()),
        };
        let expected = |what: &str, own: usize, given: usize| match own == given {
            true => Ok(()),
            false => Err(format!("it reads {own} {what}, and {given} come before")),
        };
        let windows = |size: usize| {
            let [channels, height, width] = maps()?;
            match size > 0 && size <= height.min(width) {
                true => Ok(vec![channels, height / size, width / size]),
                false => Err(format!(
                    "its windows of {size}×{size} do not fit into maps of {height}×{width}"
                )),
            }
        };
        let shape = match self {
            Self::Flatten => vec![input.iter().product()],
            Self::Linear {
                inputs, outputs, ..
            } => {
                let [given] = input else {
                    return Err("it reads a row, and maps come before: flatten them".to_owned());
                };
                expected("numbers", *inputs, *given)?;
                vec![*outputs]
            }
            Self::Convolution {
                inputs,
                outputs,
                kernel,
                stride,
                groups,
                ..
            } => {
                let [channels, height, width] = maps()?;
                expected("channels", *inputs, channels)?;
                if kernel.is_multiple_of(2) || *stride == 0 || *kernel > 1024 {
                    return Err("its kernel must be odd, its stride at least 1".to_owned());
                }
                let divides = |channels: &usize| *groups > 0 && channels.is_multiple_of(*groups);
                if !divides(inputs) || !divides(outputs) {
                    return Err("its groups must divide its channels".to_owned());
                }
                let size = |size: usize| (size - 1) / stride + 1;
                if height == 0 || width == 0 {
                    return Err("its maps are empty".to_owned());
                }
                vec![*outputs, size(height), size(width)]
            }
            Self::Norm { channels, .. } => {
                let given = input.first().copied().unwrap_or_default();
                expected("channels", *channels, given)?;
                input.to_vec()
            }
            Self::Activation { .. } => input.to_vec(),
            Self::MaxPool { size } | Self::MeanPool { size } => windows(*size)?,
            Self::GlobalMean => vec![maps()?[0]],
            Self::Add { step } => match before.get(*step) {
                Some(other) if other == input => input.to_vec(),
                Some(other) => {
                    return Err(format!(
                        "it adds {other:?} to {input:?}: both must have the same shape"
                    ));
                }
                None => {
                    return Err(format!(
                        "it adds step {step}, which does not come before it"
                    ));
                }
            },
        };
        let numbers = shape.iter().try_fold(1_usize, |all, n| all.checked_mul(*n));
        match numbers {
            Some(1..=MOST) => Ok(shape),
            _ => Err(format!("it gives {shape:?}: none, or too many numbers")),
        }
    }
}
