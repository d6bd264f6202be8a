//! Plain networks, as `torch.nn.Sequential` has them.

use std::collections::HashMap;
use std::fmt::Write;

use burn::module::Module;
use burn::tensor::TensorData;

use super::layouts::{from_state_dict, to_state_dict};
use super::state_dict::StateDict;
use crate::error::ExchangeError;

/// A layer of a [`Sequential`]; those with parameters name the layer of the Burn model that they
/// are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SequentialLayer {
    /// `Flatten()`.
    Flatten,
    /// `Linear(inputs, outputs)`.
    Linear {
        /// The path of the layer.
        path: String,
        /// Numbers read.
        inputs: usize,
        /// Numbers given.
        outputs: usize,
    },
    /// `Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=…, bias=…)`.
    Convolution {
        /// The path of the layer.
        path: String,
        /// Channels read.
        inputs: usize,
        /// Channels given.
        outputs: usize,
        /// Height and width of the kernel.
        kernel: usize,
        /// Its step.
        stride: usize,
        /// Groups of channels that are convolved apart.
        groups: usize,
        /// Whether there is a bias.
        bias: bool,
    },
    /// `BatchNorm2d(channels)`, or `BatchNorm1d(channels)` of rows.
    BatchNorm {
        /// The path of the layer.
        path: String,
        /// Channels.
        channels: usize,
        /// Whether it reads rows and not maps.
        rows: bool,
    },
    /// A layer without parameters, as Python writes it: `nn.ReLU()`.
    Plain(String),
}

impl SequentialLayer {
    fn path(&self) -> Option<&str> {
        match self {
            Self::Linear { path, .. }
            | Self::Convolution { path, .. }
            | Self::BatchNorm { path, .. } => Some(path),
            Self::Flatten | Self::Plain(_) => None,
        }
    }

    fn python(&self) -> String {
        match self {
            Self::Flatten => "nn.Flatten()".to_owned(),
            Self::Linear {
                inputs, outputs, ..
            } => format!("nn.Linear({inputs}, {outputs})"),
            Self::Convolution {
                inputs,
                outputs,
                kernel,
                stride,
                groups,
                bias,
                ..
            } => {
                let stride = match stride {
                    1 => String::new(),
                    stride => format!("stride={stride}, "),
                };
                let groups = match groups {
                    1 => String::new(),
                    groups => format!("groups={groups}, "),
                };
                let bias = if *bias { "True" } else { "False" };
                format!(
                    "nn.Conv2d({inputs}, {outputs}, {kernel}, {stride}padding={}, {groups}bias={bias})",
                    kernel / 2
                )
            }
            Self::BatchNorm { channels, rows, .. } => {
                format!("nn.BatchNorm{}d({channels})", if *rows { 1 } else { 2 })
            }
            Self::Plain(layer) => layer.clone(),
        }
    }
}

/// What a Burn model computes, layer by layer, as PyTorch would have it.
///
/// ```
/// use burgeon_exchange::{Sequential, SequentialLayer};
///
/// let layers = Sequential::new(vec![
///     SequentialLayer::Linear { path: "hidden".into(), inputs: 4, outputs: 8 },
///     SequentialLayer::Plain("nn.ReLU()".into()),
///     SequentialLayer::Linear { path: "output".into(), inputs: 8, outputs: 3 },
/// ]);
/// let program = layers.python("net.safetensors", &[]);
/// assert!(program.contains("nn.Linear(4, 8),\n        nn.ReLU(),"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequential(Vec<SequentialLayer>);

impl Sequential {
    /// A network of `layers`.
    pub fn new(layers: Vec<SequentialLayer>) -> Self {
        Self(layers)
    }

    /// The layers.
    pub fn layers(&self) -> &[SequentialLayer] {
        &self.0
    }

    /// The floats of `model`, whose layers these are, by their numbers.
    ///
    /// # Errors
    /// As [`to_state_dict`].
    pub fn state_dict<M: Module>(&self, model: &M) -> Result<StateDict, ExchangeError> {
        let names: HashMap<&str, String> = self
            .0
            .iter()
            .enumerate()
            .filter_map(|(number, layer)| Some((layer.path()?, number.to_string())))
            .collect();
        to_state_dict(model, |path| {
            names.get(path).cloned().unwrap_or_else(|| path.to_owned())
        })
    }

    /// A Python program that builds the network and loads the state dict in the file `weights`
    /// beside it. `notes` are lines of its heading.
    pub fn python(&self, weights: &str, notes: &[String]) -> String {
        let mut text = String::from("\"\"\"A network that Burgeon grew, as a PyTorch module.\n\n");
        for note in notes {
            let note = note.replace('\\', "\\\\").replace("\"\"\"", "'''");
            let _ = writeln!(text, "{note}");
        }
        text += "\"\"\"\n\nfrom pathlib import Path\n\nfrom safetensors.torch import load_file\n\
                 from torch import nn\n\n\ndef build() -> nn.Sequential:\n    \
                 \"\"\"The network with its first, random weights.\"\"\"\n    \
                 return nn.Sequential(\n";
        for layer in &self.0 {
            let _ = writeln!(text, "        {},", layer.python());
        }
        let _ = write!(
            text,
            "    )\n\n\ndef load(path=Path(__file__).with_name({weights})) -> nn.Sequential:\n    \
             \"\"\"The network as it was trained, ready to predict.\"\"\"\n    \
             network = build()\n    \
             network.load_state_dict(load_file(path))\n    \
             return network.eval()\n\n\nif __name__ == \"__main__\":\n    print(load())\n",
            weights = quoted(weights)
        );
        text
    }
}

/// A text as Python writes it.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}

/// A plain network in a state dict: what it is made of, and what its layers are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlainNetwork {
    /// Linear layers.
    Mlp {
        /// Numbers read, neurons of each hidden layer, numbers given.
        widths: Vec<usize>,
        /// The names of the linear layers.
        layers: Vec<String>,
    },
    /// Convolutions, each with a BatchNorm behind it, and a linear layer.
    Cnn {
        /// Channels read, channels of each convolution.
        widths: Vec<usize>,
        /// Numbers given.
        outputs: usize,
        /// The names of the convolutions, each with its norm's.
        convolutions: Vec<[String; 2]>,
        /// The name of the linear layer.
        output: String,
    },
}

impl PlainNetwork {
    /// The network in `state`, its layers in the order of their names. What lies between layers is
    /// not in a state dict: ReLU and pooling are taken to be where they belong.
    ///
    /// # Errors
    /// [`ExchangeError::File`] that says what the file holds, where it is neither;
    /// [`ExchangeError::WrongShape`] where two layers do not fit together, or a kernel is not 3×3.
    pub fn of(state: &StateDict) -> Result<Self, ExchangeError> {
        let mut kinds = Vec::new();
        for layer in state.layers() {
            let rank = state.get(&weight(layer)).map(|data| data.shape().len());
            let is_norm = state.get(&format!("{layer}.running_mean")).is_some();
            kinds.push(match rank {
                Some(4) => (layer, "convolution"),
                Some(2) => (layer, "linear"),
                Some(1) if is_norm => (layer, "norm"),
                _ => (layer, "unknown"),
            });
        }
        let names = |kind: &str| {
            let own = kinds.iter().filter(|(_, own)| *own == kind);
            own.map(|(layer, _)| (*layer).to_owned())
                .collect::<Vec<_>>()
        };
        let (linear, rest) = match kinds.split_last() {
            Some(((last, "linear"), rest)) => (*last, rest),
            _ => return Err(neither(state, &kinds)),
        };
        if rest.iter().all(|(_, kind)| *kind == "linear") {
            return mlp(state, names("linear"));
        }
        let pairs = rest.chunks(2).map(|pair| match pair {
            [(convolution, "convolution"), (norm, "norm")] => {
                Some([(*convolution).to_owned(), (*norm).to_owned()])
            }
            _ => None,
        });
        match pairs.collect() {
            Some(pairs) => cnn(state, pairs, linear.to_owned()),
            None => Err(neither(state, &kinds)),
        }
    }

    /// The hidden layers' widths.
    pub fn hidden(&self) -> &[usize] {
        match self {
            Self::Mlp { widths, .. } => &widths[1..widths.len() - 1],
            Self::Cnn { widths, .. } => &widths[1..],
        }
    }

    /// Numbers given.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Mlp { widths, .. } => widths.last().copied().unwrap_or_default(),
            Self::Cnn { outputs, .. } => *outputs,
        }
    }

    /// `model`, which has these widths, with the weights of `state`; `rename` says what the file
    /// calls the layer of a path in the model. A convolution's bias is taken off the running mean
    /// of the norm behind it, where it makes the same difference.
    ///
    /// # Errors
    /// As [`from_state_dict`].
    pub fn restore<M: Module>(
        &self,
        model: &M,
        state: &StateDict,
        rename: impl Fn(&str) -> String,
    ) -> Result<M, ExchangeError> {
        let mut state = state.clone();
        if let Self::Cnn {
            widths,
            convolutions,
            ..
        } = self
        {
            for ([convolution, norm], channels) in convolutions.iter().zip(&widths[1..]) {
                let bias = format!("{convolution}.bias");
                if state.get(&bias).is_none() {
                    continue;
                }
                let mean = format!("{norm}.running_mean");
                let values = |name: &str| -> Result<Vec<f32>, ExchangeError> {
                    Ok(state.floats(name, &[*channels])?.iter::<f32>().collect())
                };
                let (bias_values, means) = (values(&bias)?, values(&mean)?);
                let means = means
                    .iter()
                    .zip(bias_values)
                    .map(|(mean, bias)| mean - bias);
                let means = TensorData::new(means.collect::<Vec<f32>>(), [*channels]);
                state.remove(&bias);
                state.insert(mean, means);
            }
        }
        from_state_dict(model, &state, rename)
    }
}

fn weight(layer: &str) -> String {
    match layer {
        "" => "weight".to_owned(),
        layer => format!("{layer}.weight"),
    }
}

fn mlp(state: &StateDict, layers: Vec<String>) -> Result<PlainNetwork, ExchangeError> {
    let mut widths = Vec::new();
    for layer in &layers {
        let name = weight(layer);
        let [outputs, inputs] = state.axes(&name)?;
        match widths.last() {
            None => widths.push(inputs),
            Some(before) if *before != inputs => {
                return Err(state.wrong_shape(&name, &[outputs, *before]));
            }
            Some(_) => {}
        }
        widths.push(outputs);
    }
    if layers.len() < 2 {
        return Err(ExchangeError::file(
            state.path(),
            "one linear layer has no hidden neuron that could grow: at least two layers are needed",
        ));
    }
    Ok(PlainNetwork::Mlp { widths, layers })
}

fn cnn(
    state: &StateDict,
    convolutions: Vec<[String; 2]>,
    output: String,
) -> Result<PlainNetwork, ExchangeError> {
    let mut widths: Vec<usize> = Vec::new();
    for [convolution, _] in &convolutions {
        let name = weight(convolution);
        let [outputs, inputs, height, width] = state.axes(&name)?;
        let before = *widths.last().unwrap_or(&inputs);
        if before != inputs || [height, width] != [3, 3] {
            return Err(state.wrong_shape(&name, &[outputs, before, 3, 3]));
        }
        if widths.is_empty() {
            widths.push(inputs);
        }
        widths.push(outputs);
    }
    let name = weight(&output);
    let [outputs, inputs] = state.axes(&name)?;
    let before = widths.last().copied().unwrap_or_default();
    if inputs != before {
        return Err(state.wrong_shape(&name, &[outputs, before]));
    }
    Ok(PlainNetwork::Cnn {
        widths,
        outputs,
        convolutions,
        output,
    })
}

/// What is said of a file that holds another network.
fn neither(state: &StateDict, kinds: &[(&str, &str)]) -> ExchangeError {
    let shown = kinds.iter().take(6);
    let shown: Vec<String> = shown
        .map(|(layer, kind)| format!("`{layer}` ({kind})"))
        .collect();
    let more = if kinds.len() > 6 { ", …" } else { "" };
    ExchangeError::file(
        state.path(),
        format!(
            "its layers are {}{more}: known are linear layers only, or 3×3 convolutions that each \
             have a BatchNorm behind them and one linear layer at the end, in the order of their \
             names",
            shown.join(", ")
        ),
    )
}
