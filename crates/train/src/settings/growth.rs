//! How a growth step is made.

use burgeon_nn::{NnError, SpectrumConfig};
use serde::{Deserialize, Serialize};

use super::{WidthLimits, check_counts};

/// How a growth step is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GrowthConfig {
    /// How far growths go.
    pub step_size: StepSize,
    /// The samples whose loss chooses the step.
    pub search_samples: SearchSamples,
    /// Training samples on which sites are captured, drawn anew for each growth. Few of them
    /// cost most of what a growth gains: spectra of few rows have extreme eigenvalues that all
    /// rows do not have. [`SpectrumConfig::with_rows`] saves time at less of a loss.
    pub capture_samples: usize,
    /// How the spectra of captured sites are found.
    pub spectrum: SpectrumConfig,
    /// A growth is rolled back if, on the captured samples, its measured decrease
    /// differs from an exactly predicted one by more than this many times the
    /// prediction. At large ε terms of higher order may dominate.
    pub prediction_bound: f64,
    /// Whether the decrease that each site's growths bring alone is measured on the captured
    /// samples, at the price of one evaluation a site.
    pub site_decreases: bool,
    /// What the widths of sites may become.
    pub widths: WidthLimits,
    /// The running statistics of new neurons in front of batch normalisations.
    pub statistics: NewStatistics,
    /// Whether layers that read more than before are rescaled.
    pub fan_in: FanIn,
}

impl Default for GrowthConfig {
    /// A line search on held samples; capture on 2,048.
    fn default() -> Self {
        Self {
            step_size: StepSize::line_search(),
            search_samples: SearchSamples::Held,
            capture_samples: 2048,
            spectrum: SpectrumConfig::default(),
            prediction_bound: 10.0,
            site_decreases: false,
            widths: WidthLimits::default(),
            statistics: NewStatistics::default(),
            fan_in: FanIn::default(),
        }
    }
}

impl GrowthConfig {
    /// # Errors
    /// [`NnError::Settings`] that says what is out of range.
    pub fn check(&self) -> Result<(), NnError> {
        self.step_size.check()?;
        self.widths.check()?;
        self.spectrum.check()?;
        check_counts(&[("the number of captured samples", self.capture_samples)])?;
        if self.prediction_bound.is_nan() || self.prediction_bound <= 0.0 {
            return Err(NnError::Settings(format!(
                "prediction bound {}: it must be above 0",
                self.prediction_bound
            )));
        }
        Ok(())
    }
}

/// The running statistics of new neurons in front of batch normalisations, until training has its
/// own. The network at ε = 0 is the same either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewStatistics {
    /// Those that they have on the captured samples.
    #[default]
    Measured,
    /// Those of a neuron there is.
    Copied,
}

/// What becomes of the weights by which layers read what has grown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FanIn {
    /// They stay as the growth left them.
    #[default]
    Kept,
    /// Each layer's are multiplied by one number, so that its outputs vary as much as before over
    /// the captured samples (variance transfer). The step is searched for and checked without it.
    /// What changes no output, such as new neurons that nothing reads yet, rescales nothing.
    Rescaled,
}

/// How far the copies move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepSize {
    /// The ε of least loss on the grid `largest · shrink^k`, `k < steps`, over the
    /// [`SearchSamples`].
    /// Without a measured decrease the growth is not made.
    LineSearch {
        /// The first ε.
        largest: f64,
        /// The factor between neighbours.
        shrink: f64,
        /// Number of ε tried.
        steps: usize,
    },
    /// One ε (1e-2 in the papers).
    Fixed {
        /// The step.
        epsilon: f64,
        /// Which growths are made.
        accept: Accept,
    },
}

/// Which growths at a fixed step are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    /// Those whose loss over the [`SearchSamples`] decreases.
    Decrease,
    /// All: what the papers do, and what baselines without a direction need.
    Always,
}

/// The samples whose loss chooses the step and decides whether a growth is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchSamples {
    /// Those held out of training.
    #[default]
    Held,
    /// The training samples that sites were captured on. The search starts from the forward
    /// passes of the capture, which are kept within [`SpectrumConfig::with_memory_budget`].
    Captured,
}

/// Steps of a line search.
const MOST_STEPS: usize = 1000;

impl StepSize {
    /// ε = 1, ½, ¼, … 1/64.
    pub const fn line_search() -> Self {
        Self::LineSearch {
            largest: 1.0,
            shrink: 0.5,
            steps: 7,
        }
    }

    /// The steps to try, in order.
    pub fn grid(&self) -> Vec<f64> {
        match *self {
            Self::LineSearch {
                largest,
                shrink,
                steps,
            } => (0..steps)
                .map(|k| largest * shrink.powi(i32::try_from(k).unwrap_or(i32::MAX)))
                .collect(),
            Self::Fixed { epsilon, .. } => vec![epsilon],
        }
    }

    pub(crate) fn check(&self) -> Result<(), NnError> {
        let right = match *self {
            Self::LineSearch {
                largest,
                shrink,
                steps,
            } => {
                let factors = largest > 0.0 && largest.is_finite() && shrink > 0.0 && shrink < 1.0;
                factors && (1..=MOST_STEPS).contains(&steps)
            }
            Self::Fixed { epsilon, .. } => epsilon > 0.0 && epsilon.is_finite(),
        };
        if right {
            return Ok(());
        }
        Err(NnError::Settings(format!(
            "step size {self:?}: ε must be above 0, the shrink factor between 0 and 1, with 1 to \
             {MOST_STEPS} steps"
        )))
    }
}
