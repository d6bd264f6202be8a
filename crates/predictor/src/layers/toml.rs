//! The TOML of a list of layers.

use ::toml::Spanned;
use burgeon_run::Function;
use serde::Deserialize;

use super::layer::Layer;

/// The most layers of a file.
const MOST_LAYERS: usize = 200;

/// The widest layer of a file.
const MOST_WIDTH: usize = 1 << 14;

/// Where in the text something is wrong, and what.
pub(super) type Wrong = (usize, String);

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

/// The layers of a file, with the line of each.
pub(super) fn parsed(text: &str) -> Result<(Vec<Layer>, Vec<usize>), Wrong> {
    let document: Document = ::toml::from_str(text).map_err(|error| {
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
pub(super) fn line(text: &str, at: usize) -> usize {
    let before = text.bytes().take(at);
    1 + before.filter(|byte| *byte == b'\n').count()
}
