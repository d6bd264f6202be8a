//! The file that lists a network's layers.

use std::fs;
use std::path::Path;

use burgeon_run::Function;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::error::{PredictorError, file, io};

/// The most layers of a file.
const MOST_LAYERS: usize = 200;

/// The widest layer of a file.
const MOST_WIDTH: usize = 1 << 14;

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

/// A layer of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Layer {
    Linear {
        width: usize,
    },
    Conv {
        width: usize,
        kernel: usize,
        stride: usize,
    },
    Depthwise {
        kernel: usize,
        stride: usize,
    },
    Norm,
    Activation {
        function: Function,
    },
    MaxPool {
        size: usize,
    },
    MeanPool {
        size: usize,
    },
    GlobalMean,
    /// Adds what the layer of this number gave.
    Residual {
        layer: usize,
    },
    Dropout {
        rate: f64,
    },
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

/// Where in the text something is wrong, and what.
type Wrong = (usize, String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    activation: Option<Spanned<String>>,
    layers: Vec<Spanned<Entry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kind: Spanned<String>,
    name: Option<Spanned<String>>,
    width: Option<Spanned<i64>>,
    kernel: Option<Spanned<i64>>,
    stride: Option<Spanned<i64>>,
    size: Option<Spanned<i64>>,
    from: Option<Spanned<String>>,
    function: Option<Spanned<String>>,
    rate: Option<Spanned<f64>>,
}

/// What the fields of each kind of layer are called.
const KINDS: [(&str, &[&str]); 10] = [
    ("linear", &["width"]),
    ("conv", &["width", "kernel", "stride"]),
    ("depthwise", &["kernel", "stride"]),
    ("norm", &[]),
    ("activation", &["function"]),
    ("max-pool", &["size"]),
    ("mean-pool", &["size"]),
    ("global-mean", &[]),
    ("residual", &["from"]),
    ("dropout", &["rate"]),
];

fn parsed(text: &str) -> Result<(Vec<Layer>, Vec<usize>), Wrong> {
    let document: Document = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        (at, error.message().trim().to_owned())
    })?;
    let usual = document.activation.as_ref().map(function).transpose()?;
    let usual = usual.unwrap_or(Function::Relu);
    let (mut layers, mut lines) = (Vec::new(), Vec::new());
    let mut names: Vec<(&str, usize)> = Vec::new();
    let all: Vec<&str> = document
        .layers
        .iter()
        .filter_map(|entry| {
            entry
                .as_ref()
                .name
                .as_ref()
                .map(|name| name.as_ref().as_str())
        })
        .collect();
    for (number, entry) in document.layers.iter().enumerate() {
        let at = entry.as_ref().kind.span().start;
        lines.push(line(text, at));
        let find = |from: &Spanned<String>| -> Result<usize, Wrong> {
            let wanted = from.as_ref().as_str();
            let known = names.iter().find(|(name, _)| *name == wanted);
            let at = from.span().start;
            match known {
                Some((_, layer)) => Ok(*layer),
                None if all.contains(&wanted) => Err((
                    at,
                    format!(
                        "from = \"{wanted}\" does not come before this layer: a network has no \
                         cycles, so add what an earlier layer gave"
                    ),
                )),
                None => Err((
                    at,
                    format!("from = \"{wanted}\": no layer has this name: give one `name = …`"),
                )),
            }
        };
        layers.push(entry.as_ref().layer(usual, find)?);
        if let Some(name) = &entry.as_ref().name {
            let known = names.iter().any(|(known, _)| known == name.as_ref());
            if known {
                let problem = format!("name = \"{}\" is there twice", name.as_ref());
                return Err((name.span().start, problem));
            }
            names.push((name.as_ref().as_str(), number));
        }
    }
    let can_grow = |layer: &Layer| matches!(layer, Layer::Linear { .. } | Layer::Conv { .. });
    if !layers.iter().any(can_grow) {
        let problem = "no layer has a width that could grow: list at least one of kind linear or \
                       conv";
        return Err((0, problem.to_owned()));
    }
    if layers.len() > MOST_LAYERS {
        return Err((
            0,
            format!("{} layers: at most {MOST_LAYERS} are meant", layers.len()),
        ));
    }
    Ok((layers, lines))
}

impl Entry {
    fn layer(
        &self,
        usual: Function,
        find: impl Fn(&Spanned<String>) -> Result<usize, Wrong>,
    ) -> Result<Layer, Wrong> {
        let kind = self.kind.as_ref().as_str();
        let at = self.kind.span().start;
        let known = KINDS.iter().find(|(name, _)| *name == kind);
        let Some((_, fields)) = known else {
            let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            let problem = format!("kind = \"{kind}\" is none of {}", names.join(", "));
            return Err((at, problem));
        };
        for (name, place) in self.given() {
            if !fields.contains(&name) {
                let its = match fields {
                    [] => "it has none".to_owned(),
                    fields => format!("it has {}", fields.join(", ")),
                };
                return Err((
                    place,
                    format!("a layer of kind {kind} has no {name}: {its}"),
                ));
            }
        }
        let number = |name: &str, value: &Option<Spanned<i64>>, usual: Option<usize>, most| {
            let Some(value) = value else {
                return usual.ok_or_else(|| (at, format!("a layer of kind {kind} needs a {name}")));
            };
            let own = usize::try_from(*value.as_ref()).ok();
            own.filter(|own| (1..=most).contains(own)).ok_or_else(|| {
                let problem = format!(
                    "{name} = {}: a whole number from 1 to {most} is meant",
                    value.as_ref()
                );
                (value.span().start, problem)
            })
        };
        let kernel = || {
            let kernel = number("kernel", &self.kernel, Some(3), 31)?;
            match (kernel % 2, &self.kernel) {
                (0, Some(value)) => Err((
                    value.span().start,
                    format!(
                        "kernel = {kernel}: an odd number is meant, so that maps keep their size"
                    ),
                )),
                _ => Ok(kernel),
            }
        };
        let stride = || number("stride", &self.stride, Some(1), 16);
        let width = || number("width", &self.width, None, MOST_WIDTH);
        let size = || number("size", &self.size, Some(2), 64);
        Ok(match kind {
            "linear" => Layer::Linear { width: width()? },
            "conv" => Layer::Conv {
                width: width()?,
                kernel: kernel()?,
                stride: stride()?,
            },
            "depthwise" => Layer::Depthwise {
                kernel: kernel()?,
                stride: stride()?,
            },
            "norm" => Layer::Norm,
            "activation" => Layer::Activation {
                function: self
                    .function
                    .as_ref()
                    .map(function)
                    .transpose()?
                    .unwrap_or(usual),
            },
            "max-pool" => Layer::MaxPool { size: size()? },
            "mean-pool" => Layer::MeanPool { size: size()? },
            "global-mean" => Layer::GlobalMean,
            "residual" => Layer::Residual {
                layer: match &self.from {
                    Some(from) => find(from)?,
                    None => {
                        let problem = "a layer of kind residual needs `from`, the name of an \
                                       earlier layer";
                        return Err((at, problem.to_owned()));
                    }
                },
            },
            _ => Layer::Dropout {
                rate: self.dropped(at)?,
            },
        })
    }

    fn dropped(&self, at: usize) -> Result<f64, Wrong> {
        if let Some(name) = &self.name {
            let problem = "a layer of kind dropout has no name: name the layer before it";
            return Err((name.span().start, problem.to_owned()));
        }
        match &self.rate {
            None => Err((at, "a layer of kind dropout needs a rate".to_owned())),
            Some(rate) if (0.0..1.0).contains(rate.as_ref()) => Ok(*rate.as_ref()),
            Some(rate) => Err((
                rate.span().start,
                format!("rate = {}: from 0 to below 1 is meant", rate.as_ref()),
            )),
        }
    }

    /// The fields that are given, with their places.
    fn given(&self) -> Vec<(&'static str, usize)> {
        let numbers = [
            ("width", &self.width),
            ("kernel", &self.kernel),
            ("stride", &self.stride),
            ("size", &self.size),
        ];
        let texts = [("from", &self.from), ("function", &self.function)];
        let numbers = numbers
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?.span().start)));
        let texts = texts
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?.span().start)));
        let rate = self.rate.as_ref().map(|rate| ("rate", rate.span().start));
        numbers.chain(texts).chain(rate).collect()
    }
}

fn function(name: &Spanned<String>) -> Result<Function, Wrong> {
    let found = Function::ALL
        .into_iter()
        .find(|own| own.name() == name.as_ref());
    found.ok_or_else(|| {
        let names = Function::ALL.map(Function::name).join(", ");
        let problem = format!("\"{}\" is no activation: use one of {names}", name.as_ref());
        (name.span().start, problem)
    })
}

/// The line of a place in `text`, from 1.
fn line(text: &str, at: usize) -> usize {
    let before = text.bytes().take(at);
    1 + before.filter(|byte| *byte == b'\n').count()
}
