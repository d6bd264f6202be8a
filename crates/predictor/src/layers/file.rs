//! The file that lists a network's layers.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layer::Layer;
use super::toml::{line, parsed};
use crate::error::{PredictorError, file, io};

/// The layers of a network between its inputs and its output, as a TOML file lists them.
///
/// Widths are those that growing starts from. A last linear layer, to the classes or the number, is
/// added; before it maps are averaged, if the list ends with maps.
///
/// ```
/// use burgeon_predictor::NetworkFile;
///
/// let text = r#"
/// activation = "silu"
///
/// [[layers]]
/// kind = "linear"
/// width = 8
///
/// [[layers]]
/// kind = "activation"
/// "#;
/// let network = NetworkFile::parse("net.toml".as_ref(), text)?;
/// assert_eq!(network.len(), 2);
/// let wrong = NetworkFile::parse("net.toml".as_ref(), &text.replace("8", "0"));
/// assert!(wrong.is_err_and(|error| error.to_string().contains("line 6: width = 0")));
/// # Ok::<(), burgeon_predictor::PredictorError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkFile {
    layers: Vec<Layer>,
    /// Where each layer begins in the file; nothing once it comes from a run's folder.
    #[serde(skip)]
    places: Places,
}

/// Lines of a file. They are no part of what a network is.
#[derive(Debug, Clone, Default)]
struct Places {
    name: String,
    lines: Vec<usize>,
}

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What a layer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// So many numbers.
    Row(usize),
    /// `[channels, height, width]`.
    Maps([usize; 3]),
}

impl Reading {
    /// Of inputs of this shape.
    pub fn of(shape: &[usize]) -> Self {
        match *shape {
            [channels, height, width] => Self::Maps([channels, height, width]),
            _ => Self::Row(shape.iter().product()),
        }
    }

    /// What a row holds; maps are flattened.
    pub fn numbers(self) -> usize {
        match self {
            Self::Row(numbers) => numbers,
            Self::Maps(sizes) => sizes.iter().product(),
        }
    }

    /// Channels of maps, or numbers of a row.
    pub fn channels(self) -> usize {
        match self {
            Self::Row(numbers) => numbers,
            Self::Maps([channels, ..]) => channels,
        }
    }
}

impl NetworkFile {
    /// Reads a file.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and [`PredictorError::Io`] where there is none.
    pub fn read(path: &Path) -> Result<Self, PredictorError> {
        let text = fs::read_to_string(path).map_err(io(path))?;
        Self::parse(path, &text)
    }

    /// The layers in `text`; `path` names it in errors.
    ///
    /// # Errors
    /// [`PredictorError::File`] with the line, the field and what to do.
    pub fn parse(path: &Path, text: &str) -> Result<Self, PredictorError> {
        parsed(text)
            .map(|(layers, lines)| Self {
                layers,
                places: Places {
                    name: path.display().to_string(),
                    lines,
                },
            })
            .map_err(|(at, problem)| file(path, format!("line {}: {problem}", line(text, at))))
    }

    /// Number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there is none, which no file has.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// With every width `factor` times as large.
    pub(crate) fn scaled(&self, factor: usize) -> Self {
        let mut scaled = self.clone();
        for layer in &mut scaled.layers {
            if let Layer::Linear { width } | Layer::Conv { width, .. } = layer {
                *width *= factor;
            }
        }
        scaled
    }

    /// What each layer reads of inputs of `shape`, and at the end what the output does.
    ///
    /// # Errors
    /// What does not fit, with the line.
    pub(crate) fn readings(&self, shape: &[usize]) -> Result<Vec<Reading>, String> {
        let mut readings = vec![Reading::of(shape)];
        for (number, layer) in self.layers.iter().enumerate() {
            let given = layer
                .gives(readings[number], &readings[1..])
                .map_err(|problem| self.said(number, &problem))?;
            readings.push(given);
        }
        Ok(readings)
    }

    /// Weights of the linear layers and convolutions for inputs of `shape`, as
    /// [`Form::weights`](crate::architecture::Form::weights) counts them; none where layers do not
    /// fit.
    pub(crate) fn weights(&self, shape: &[usize], outputs: usize) -> u64 {
        let product = |sizes: &[usize]| {
            let sizes = sizes.iter().map(|size| *size as u64);
            sizes.fold(1, u64::saturating_mul)
        };
        let Ok(readings) = self.readings(shape) else {
            return 0;
        };
        let last = readings.last().map_or(1, |last| last.channels());
        let layers = self.layers.iter().zip(&readings);
        let own = layers.map(|(layer, reads)| match (layer, *reads) {
            (Layer::Linear { width }, Reading::Row(numbers)) => product(&[numbers, *width]),
            (Layer::Linear { width }, Reading::Maps([channels, height, columns])) => {
                product(&[channels, height, columns, *width])
            }
            (Layer::Conv { width, kernel, .. }, reads) => {
                product(&[reads.channels(), *width, *kernel, *kernel])
            }
            (Layer::Depthwise { kernel, .. }, reads) => {
                product(&[reads.channels(), *kernel, *kernel])
            }
            _ => 0,
        });
        own.fold(product(&[last, outputs]), u64::saturating_add)
    }

    /// Checks what a person may have changed in a run's folder.
    ///
    /// # Errors
    /// What is out of range, or does not fit for inputs of `shape`.
    pub(crate) fn check(&self, shape: &[usize]) -> Result<(), String> {
        for (number, layer) in self.layers.iter().enumerate() {
            let is_right = match *layer {
                Layer::Linear { width } => width > 0,
                Layer::Conv {
                    width,
                    kernel,
                    stride,
                } => width > 0 && kernel % 2 == 1 && stride > 0,
                Layer::Depthwise { kernel, stride } => kernel % 2 == 1 && stride > 0,
                Layer::MaxPool { size } | Layer::MeanPool { size } => size > 0,
                Layer::Dropout { rate } => (0.0..1.0).contains(&rate),
                Layer::Norm
                | Layer::Activation { .. }
                | Layer::GlobalMean
                | Layer::Residual { .. } => true,
            };
            if !is_right {
                return Err(self.said(number, "a number is out of range"));
            }
        }
        self.readings(shape).map(|_| ())
    }

    /// Checks that all widths are multiples of `lanes`.
    ///
    /// # Errors
    /// The first that is none, with its line.
    pub(crate) fn check_lanes(&self, lanes: usize) -> Result<(), String> {
        for (number, layer) in self.layers.iter().enumerate() {
            if let Layer::Linear { width } | Layer::Conv { width, .. } = layer
                && width % lanes != 0
            {
                let problem = format!("width = {width} is no multiple of {lanes} lanes");
                return Err(self.said(number, &problem));
            }
        }
        Ok(())
    }

    fn said(&self, layer: usize, problem: &str) -> String {
        match self.places.lines.get(layer) {
            Some(line) => format!("{}: line {line}: {problem}", self.places.name),
            None => format!("layer {layer}: {problem}"),
        }
    }
}

impl Layer {
    fn gives(&self, reads: Reading, before: &[Reading]) -> Result<Reading, String> {
        let maps = |what: &str| match reads {
            Reading::Maps(sizes) => Ok(sizes),
            Reading::Row(_) => Err(format!(
                "a {what} reads maps, and a row comes before it: take images, and put linear \
                 layers behind"
            )),
        };
        let stepped = |size: usize, stride: usize| (size - 1) / stride + 1;
        Ok(match self {
            Self::Linear { width } => Reading::Row(*width),
            Self::Conv { width, stride, .. } => {
                let [_, height, columns] = maps("convolution")?;
                Reading::Maps([*width, stepped(height, *stride), stepped(columns, *stride)])
            }
            Self::Depthwise { stride, .. } => {
                let [channels, height, columns] = maps("depthwise convolution")?;
                Reading::Maps([
                    channels,
                    stepped(height, *stride),
                    stepped(columns, *stride),
                ])
            }
            Self::Norm | Self::Activation { .. } | Self::Dropout { .. } => reads,
            Self::MaxPool { size } | Self::MeanPool { size } => {
                let [channels, height, columns] = maps("pooling")?;
                if *size > height.min(columns) {
                    return Err(format!(
                        "size = {size}, but the maps are {height} × {columns} here: pool less"
                    ));
                }
                Reading::Maps([channels, height / size, columns / size])
            }
            Self::GlobalMean => Reading::Row(maps("mean over positions")?[0]),
            Self::Residual { layer } => match before.get(*layer) {
                Some(other) if *other == reads => reads,
                Some(other) => {
                    return Err(format!(
                        "it adds {} to {}: give both the same widths and sizes",
                        shown(*other),
                        shown(reads)
                    ));
                }
                None => return Err("it adds a layer that does not come before it".into()),
            },
        })
    }
}

fn shown(reading: Reading) -> String {
    match reading {
        Reading::Row(numbers) => format!("a row of {numbers}"),
        Reading::Maps([channels, height, width]) => format!("maps of {channels}×{height}×{width}"),
    }
}
