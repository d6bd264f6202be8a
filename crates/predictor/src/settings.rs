//! What a fit is told.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::architecture::Kind;
use crate::error::PredictorError;
use crate::layers::NetworkFile;

/// The most growths by which all layers double.
const MOST_GROWTHS: usize = 6;

/// The most lanes of hardware.
const MOST_LANES: usize = 1024;

/// How large the network may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SizeBudget {
    /// Trained parameters.
    Parameters(u64),
    /// Multiply-accumulates for one sample.
    Macs(u64),
    /// Nanoseconds of one forward pass of one sample on this machine.
    Latency(u64),
}

impl Default for SizeBudget {
    fn default() -> Self {
        Self::Parameters(20_000)
    }
}

impl FromStr for SizeBudget {
    type Err = String;

    /// `50k-params`, `5M-macs`, `2ms`, `300us`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no budget: write a number and a unit, as 50k-params, 5M-macs or 2ms \
                 (of one forward pass, up to a minute)"
            )
        };
        for (unit, nanoseconds) in [("ms", 1e6), ("us", 1e3), ("µs", 1e3)] {
            let Some(value) = text.strip_suffix(unit).and_then(|n| n.parse::<f64>().ok()) else {
                continue;
            };
            let value = value * nanoseconds;
            return match (1e3..=6e10).contains(&value) {
                true => Ok(Self::Latency(value as u64)),
                false => Err(wrong()),
            };
        }
        let (number, unit) = text.split_once('-').ok_or_else(wrong)?;
        let (digits, factor) = match number.chars().last() {
            Some('k' | 'K') => (&number[..number.len() - 1], 1e3),
            Some('M') => (&number[..number.len() - 1], 1e6),
            Some('G') => (&number[..number.len() - 1], 1e9),
            _ => (number, 1.0),
        };
        let value = digits.parse::<f64>().map_err(|_| wrong())? * factor;
        if !(1.0..1e18).contains(&value) {
            return Err(wrong());
        }
        match unit {
            "params" | "parameters" => Ok(Self::Parameters(value as u64)),
            "macs" => Ok(Self::Macs(value as u64)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for SizeBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameters(count) => write!(f, "{count} parameters"),
            Self::Macs(count) => write!(f, "{count} multiply-accumulates for one sample"),
            Self::Latency(nanoseconds) => write!(
                f,
                "{} ms of one forward pass of one sample",
                *nanoseconds as f64 / 1e6
            ),
        }
    }
}

/// What a fit is told. All of it belongs to the identity of a run, but for the goals that end it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FitSettings {
    /// Which network; by the data where nothing is said: a CNN for images.
    pub kind: Option<Kind>,
    /// Hidden layers.
    pub layers: usize,
    /// The layers, where a file lists them; [`kind`](Self::kind) and [`layers`](Self::layers) say
    /// nothing then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkFile>,
    /// How large it may become.
    pub budget: SizeBudget,
    /// Growths by which all layers double; 0 trains a network that fills the budget from the
    /// start.
    pub growths: usize,
    /// What widths are multiples of once they have grown, because the hardware computes so many
    /// numbers at once.
    pub lanes: usize,
    /// Multiply-accumulates of the whole run after which it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training_macs: Option<u64>,
    /// Held accuracy, from 0 to 1, at which to stop.
    pub target_accuracy: Option<f64>,
    /// Epochs altogether; about 12,000 steps of the optimizer where nothing is said, in 20 to 500
    /// epochs.
    pub epochs: Option<usize>,
    /// Samples in a batch.
    pub batch_size: usize,
    /// Share of the rows that is held out where no set is given to be held.
    pub held_share: f64,
    /// Fixes the split, the first weights and every random choice.
    pub seed: u64,
    /// A trained network to start from, a state dict of PyTorch; what kind it is, how many layers
    /// it has and how wide they are is read from the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<PathBuf>,
}

impl Default for FitSettings {
    fn default() -> Self {
        Self {
            kind: None,
            layers: 2,
            network: None,
            budget: SizeBudget::default(),
            growths: 2,
            lanes: 1,
            training_macs: None,
            target_accuracy: None,
            epochs: None,
            batch_size: 64,
            held_share: 0.2,
            seed: 0,
            start: None,
        }
    }
}

impl FitSettings {
    /// # Errors
    /// [`PredictorError::Settings`] for what is out of range.
    pub(crate) fn check(&self) -> Result<(), PredictorError> {
        let refuse = |problem: String| Err(PredictorError::Settings(problem));
        if self.layers == 0 || self.layers > 20 {
            return refuse(format!(
                "{} hidden layers: between 1 and 20 are meant",
                self.layers
            ));
        }
        if self.growths > MOST_GROWTHS {
            return refuse(format!(
                "{} growths: each doubles all layers, so at most {MOST_GROWTHS} are meant",
                self.growths
            ));
        }
        if !(1..=MOST_LANES).contains(&self.lanes) {
            return refuse(format!(
                "{} lanes: a number from 1 to {MOST_LANES} is meant, as 8",
                self.lanes
            ));
        }
        if self.training_macs == Some(0) {
            return refuse("a training cost of 0 leaves nothing to train with".into());
        }
        if self.network.is_some() && (self.kind.is_some() || self.start.is_some()) {
            return refuse(
                "the layers come from a file: leave out the kind, and the network to start from"
                    .into(),
            );
        }
        if self.kind == Some(Kind::Layers) && self.network.is_none() {
            return refuse("a network of listed layers needs the list".into());
        }
        if self.batch_size == 0 || self.epochs == Some(0) {
            return refuse("the batch size and the number of epochs must be at least 1".into());
        }
        if !(self.held_share > 0.0 && self.held_share < 1.0) {
            return refuse(format!(
                "a held share of {}: it must be between 0 and 1",
                self.held_share
            ));
        }
        match self.target_accuracy {
            Some(target) if !(target > 0.0 && target <= 1.0) => refuse(format!(
                "a target accuracy of {target}: it must be above 0 and at most 1"
            )),
            _ => Ok(()),
        }
    }

    /// Epochs for so many training samples.
    pub(crate) fn epochs(&self, samples: usize) -> usize {
        const STEPS: usize = 12_000;
        let each = samples.div_ceil(self.batch_size).max(1);
        self.epochs.unwrap_or_else(|| (STEPS / each).clamp(20, 500))
    }
}
