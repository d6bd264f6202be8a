//! Networks by the names that files give them.

use burgeon_nn::{AnyModel, Growable, NnError};
use burgeon_zoo::{Activation, DsCnn, MobileNetV1, MobileNetV2, ResNet, Stage, Stem, Vgg, VggHead};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::error::ExperimentError;
use crate::nets::{ConvNet, Mlp, SmallMobileNet};

/// A kind of network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NetKind {
    /// Two hidden layers.
    Mlp,
    /// Two 3×3 convolutions with BatchNorm and max pooling.
    ConvNorm,
    /// The same without normalisation.
    Conv,
    /// A stem and three separable blocks.
    SmallMobilenet,
    #[serde(rename = "vgg-11")]
    Vgg11,
    #[serde(rename = "vgg-19")]
    Vgg19,
    #[serde(rename = "mobilenet-v1")]
    MobilenetV1,
    #[serde(rename = "mobilenet-v2")]
    MobilenetV2,
    DsCnn,
    #[serde(rename = "resnet-20")]
    Resnet20,
}

/// A network.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Net {
    pub kind: NetKind,
    /// The widths that a run from scratch has, and whose cost no other may exceed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Widths>,
    /// Those that growing starts from: unless told, the target's halved as often as it doubles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Widths>,
    /// Strides of stem and blocks, of the kind that has them to choose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strides: Vec<usize>,
    #[serde(default = "silu", with = "activation")]
    pub activation: Activation,
}

/// The widths of a network's layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Widths {
    /// One for all layers.
    All(usize),
    /// One for each.
    Each(Vec<usize>),
    /// A share of the published ones.
    Share {
        /// The share.
        published: f64,
    },
}

/// What a network reads and answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Channels, height and width.
    pub input: [usize; 3],
    pub classes: usize,
}

impl NetKind {
    /// Whether its constructor takes the widths that growing finds: not where some of its layers
    /// have widths that follow from others'.
    pub fn takes_found_widths(self) -> bool {
        !matches!(self, Self::MobilenetV2 | Self::Resnet20)
    }

    fn count(self) -> usize {
        match self {
            Self::Mlp | Self::ConvNorm | Self::Conv => 2,
            Self::SmallMobilenet => SmallMobileNet::WIDTHS,
            kind => kind.published().len(),
        }
    }

    /// The published widths; none for a network of our own.
    fn published(self) -> Vec<usize> {
        match self {
            Self::Mlp | Self::ConvNorm | Self::Conv | Self::SmallMobilenet => Vec::new(),
            Self::Vgg11 => Vgg::widths(Vgg::VGG_11),
            Self::Vgg19 => Vgg::widths(Vgg::VGG_19),
            Self::MobilenetV1 => MobileNetV1::WIDTHS.to_vec(),
            Self::MobilenetV2 => {
                let stages = MobileNetV2::STAGES.map(|stage| stage.width);
                [&[32], &stages[..], &[1280]].concat()
            }
            Self::DsCnn => vec![64; 5],
            Self::Resnet20 => vec![16, 32, 64],
        }
    }
}

impl Net {
    /// `widths` as one number a layer.
    ///
    /// # Errors
    /// [`ExperimentError::Settings`] for another number of widths than the network has, or a share of
    /// widths that nobody published.
    pub fn widths(&self, widths: &Widths) -> Result<Vec<usize>, ExperimentError> {
        let count = self.kind.count();
        let published = self.kind.published();
        let problem = match widths {
            Widths::All(width) => return Ok(vec![*width; count]),
            Widths::Each(widths) if widths.len() == count => return Ok(widths.clone()),
            Widths::Each(widths) => format!("{count} widths are needed, not {}", widths.len()),
            Widths::Share { published: share } if *share > 0.0 && !published.is_empty() => {
                let of = |width: &usize| ((*width as f64 * share).round() as usize).max(1);
                return Ok(published.iter().map(of).collect());
            }
            Widths::Share { published: share } => {
                format!(
                    "a share of {share} of the published widths: there are none, or it is not above 0"
                )
            }
        };
        let kind = self.kind;
        Err(ExperimentError::Settings(format!("{kind:?}: {problem}")))
    }

    /// A network of `widths`.
    ///
    /// # Errors
    /// [`NnError::Settings`] for widths that it cannot have.
    pub fn make(
        &self,
        widths: &[usize],
        shape: Shape,
        device: &Device,
    ) -> Result<AnyModel, NnError> {
        let Shape { input, classes } = shape;
        let [channels, height, width] = input;
        let ends = [channels, classes];
        let act = self.activation;
        let stem = Stem::SmallImages;
        match self.kind {
            NetKind::Mlp => any(Mlp::new(
                channels * height * width,
                widths,
                classes,
                device,
            )?),
            NetKind::ConvNorm => any(ConvNet::new(height, widths, classes, true, device)?),
            NetKind::Conv => any(ConvNet::new(height, widths, classes, false, device)?),
            NetKind::SmallMobilenet => {
                any(SmallMobileNet::new(widths, &self.strides, ends, device)?)
            }
            NetKind::Vgg11 => zoo(Vgg::new(
                Vgg::VGG_11,
                widths,
                VggHead::Means,
                ends,
                act,
                device,
            )),
            NetKind::Vgg19 => zoo(Vgg::new(
                Vgg::VGG_19,
                widths,
                VggHead::Means,
                ends,
                act,
                device,
            )),
            NetKind::MobilenetV1 => zoo(MobileNetV1::new(widths, stem, ends, act, device)),
            NetKind::MobilenetV2 => {
                let [first, stages @ .., last] = widths else {
                    return Err(NnError::Settings("MobileNetV2 has nine widths".into()));
                };
                let of = |(stage, width): (Stage, &usize)| Stage {
                    width: *width,
                    ..stage
                };
                let stages: Vec<Stage> = MobileNetV2::STAGES
                    .into_iter()
                    .zip(stages)
                    .map(of)
                    .collect();
                zoo(MobileNetV2::new(
                    [*first, *last],
                    &stages,
                    stem,
                    ends,
                    act,
                    device,
                ))
            }
            NetKind::DsCnn => zoo(DsCnn::new(widths, classes, act, device)),
            NetKind::Resnet20 => zoo(ResNet::new(widths, 3, stem, ends, act, device)),
        }
    }
}

fn any(model: impl Growable) -> Result<AnyModel, NnError> {
    AnyModel::new(model)
}

fn zoo<M: Growable>(model: Result<M, burgeon_zoo::ZooError>) -> Result<AnyModel, NnError> {
    any(model.map_err(|error| NnError::Settings(error.to_string()))?)
}

fn silu() -> Activation {
    Activation::Silu
}

/// Activations by name.
mod activation {
    use burgeon_zoo::Activation;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    const NAMES: [(&str, Activation); 4] = [
        ("relu", Activation::Relu),
        ("relu6", Activation::Relu6),
        ("silu", Activation::Silu),
        ("gelu", Activation::Gelu),
    ];

    pub fn serialize<S: Serializer>(own: &Activation, to: S) -> Result<S::Ok, S::Error> {
        let found = NAMES.iter().find(|(_, activation)| activation == own);
        to.serialize_str(found.map_or("", |(name, _)| name))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Activation, D::Error> {
        let given = String::deserialize(from)?;
        let found = NAMES.iter().find(|(name, _)| *name == given);
        found.map(|(_, activation)| *activation).ok_or_else(|| {
            let names = NAMES.map(|(name, _)| name).join(", ");
            D::Error::custom(format!("unknown activation `{given}`: use one of {names}"))
        })
    }
}
