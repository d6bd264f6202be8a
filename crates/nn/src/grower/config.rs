//! The grower's settings.

use std::sync::Arc;

use burgeon_core::cost::Parameters;
use burgeon_core::{CostModel, Criterion, Selector};
use serde::{Deserialize, Serialize};

use super::widths::WidthLimits;
use crate::error::NnError;
use crate::spectra::SpectrumConfig;

/// When training gives way to growth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// After a fixed number of epochs.
    Every {
        /// Epochs between growths.
        epochs: usize,
    },
    /// When the training loss stalls.
    Stall {
        /// Epochs without enough progress.
        patience: usize,
        /// The relative decrease of the best training loss that counts as progress.
        min_decrease: f64,
        /// Epochs after which growth comes anyway.
        max_epochs: usize,
    },
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

    fn check(&self) -> Result<(), NnError> {
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

/// The learning rate over the epochs since the last growth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearningRate {
    /// Always the same.
    Constant(f64),
    /// Multiplied by `factor` at each milestone.
    Step {
        /// The first rate.
        initial: f64,
        /// Epochs since the last growth at which it changes.
        milestones: Vec<usize>,
        /// The factor.
        factor: f64,
    },
    /// From `initial` to `last` over `epochs`, along a cosine.
    Cosine {
        /// The first rate.
        initial: f64,
        /// The rate from `epochs` on.
        last: f64,
        /// Length of the descent.
        epochs: usize,
    },
}

impl LearningRate {
    /// The rate in the epoch that is `epoch` epochs (from 0) after the last growth.
    pub fn at(&self, epoch: usize) -> f64 {
        match self {
            Self::Constant(rate) => *rate,
            Self::Step {
                initial,
                milestones,
                factor,
            } => {
                let passed = milestones.iter().filter(|m| epoch >= **m).count();
                initial * factor.powi(i32::try_from(passed).unwrap_or(i32::MAX))
            }
            Self::Cosine {
                initial,
                last,
                epochs,
            } => {
                let progress = (epoch as f64 / (*epochs).max(1) as f64).min(1.0);
                last + 0.5 * (initial - last) * (1.0 + (std::f64::consts::PI * progress).cos())
            }
        }
    }

    fn check(&self) -> Result<(), NnError> {
        let rates = match self {
            Self::Constant(rate) => vec![*rate],
            Self::Step {
                initial, factor, ..
            } => vec![*initial, *factor],
            Self::Cosine { initial, last, .. } => vec![*initial, *last],
        };
        if rates.iter().all(|rate| rate.is_finite() && *rate >= 0.0) {
            return Ok(());
        }
        Err(NnError::Settings(format!(
            "learning rate {self:?}: it must be a number, and not negative"
        )))
    }
}

/// What ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Epochs of training altogether.
    pub max_epochs: usize,
    /// Growth steps.
    pub max_growths: Option<usize>,
    /// Trained parameters the network may have.
    pub parameter_budget: Option<u64>,
    /// Held accuracy at which to stop.
    pub target_accuracy: Option<f64>,
    /// Growths in a row that may be refused before growing ends.
    pub max_refusals: usize,
}

/// The settings of a [`Grower`](super::Grower), checked when it is made.
#[derive(Debug, Clone)]
pub struct GrowerConfig {
    pub(crate) criterion: Arc<dyn Criterion>,
    pub(crate) selector: Arc<dyn Selector>,
    pub(crate) cost: Arc<dyn CostModel>,
    pub(crate) values: Values,
}

/// The settings that are plain values; they are part of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Values {
    pub criterion: String,
    pub selector: String,
    #[serde(default)]
    pub cost_model: String,
    #[serde(default)]
    pub cost_budget: Option<u64>,
    #[serde(default)]
    pub step_share: Option<f64>,
    pub trigger: Trigger,
    pub step_size: StepSize,
    #[serde(default)]
    pub search_samples: SearchSamples,
    pub learning_rate: LearningRate,
    pub limits: Limits,
    pub batch_size: usize,
    pub capture_samples: usize,
    pub spectrum: SpectrumConfig,
    pub prediction_bound: f64,
    #[serde(default)]
    pub widths: WidthLimits,
    #[serde(default)]
    pub mixed_precision: bool,
    #[serde(default)]
    pub site_decreases: bool,
    pub seeds_device: bool,
    pub seed: u64,
}

impl GrowerConfig {
    /// Growth by `criterion` and `selector`; everything else has a default: growth
    /// when the loss stalls for 3 epochs, line search, learning rate 1e-3, batches
    /// of 128, capture on 2,048 samples, at most 100 epochs.
    pub fn new(criterion: impl Criterion + 'static, selector: impl Selector + 'static) -> Self {
        let values = Values {
            criterion: criterion.name().to_owned(),
            selector: format!("{selector:?}"),
            cost_model: Parameters.name().to_owned(),
            cost_budget: None,
            step_share: None,
            trigger: Trigger::Stall {
                patience: 3,
                min_decrease: 0.01,
                max_epochs: usize::MAX,
            },
            step_size: StepSize::line_search(),
            search_samples: SearchSamples::Held,
            learning_rate: LearningRate::Constant(1e-3),
            limits: Limits {
                max_epochs: 100,
                max_growths: None,
                parameter_budget: None,
                target_accuracy: None,
                max_refusals: 1,
            },
            batch_size: 128,
            capture_samples: 2048,
            spectrum: SpectrumConfig::default(),
            prediction_bound: 10.0,
            widths: WidthLimits::default(),
            mixed_precision: false,
            site_decreases: false,
            seeds_device: true,
            seed: 0,
        };
        Self {
            criterion: Arc::new(criterion),
            selector: Arc::new(selector),
            cost: Arc::new(Parameters),
            values,
        }
    }

    /// When training gives way to growth.
    pub fn with_trigger(mut self, trigger: Trigger) -> Self {
        self.values.trigger = trigger;
        self
    }

    /// How far the copies move.
    pub fn with_step_size(mut self, step_size: StepSize) -> Self {
        self.values.step_size = step_size;
        self
    }

    /// The samples whose loss chooses the step; those held out unless told.
    pub fn with_search_samples(mut self, samples: SearchSamples) -> Self {
        self.values.search_samples = samples;
        self
    }

    /// The learning rate over the epochs since the last growth.
    pub fn with_learning_rate(mut self, learning_rate: LearningRate) -> Self {
        self.values.learning_rate = learning_rate;
        self
    }

    /// Samples in a training batch.
    pub fn with_batch_size(mut self, batch_size: usize) -> Self {
        self.values.batch_size = batch_size;
        self
    }

    /// Training samples on which sites are captured, drawn anew for each growth. Few of them
    /// cost most of what a growth gains: spectra of few rows have extreme eigenvalues that all
    /// rows do not have. [`SpectrumConfig::with_rows`] saves time at less of a loss.
    pub fn with_capture_samples(mut self, samples: usize) -> Self {
        self.values.capture_samples = samples;
        self
    }

    /// How the spectra of captured sites are found.
    pub fn with_spectrum(mut self, spectrum: SpectrumConfig) -> Self {
        self.values.spectrum = spectrum;
        self
    }

    /// Epochs of training altogether.
    pub fn with_max_epochs(mut self, epochs: usize) -> Self {
        self.values.limits.max_epochs = epochs;
        self
    }

    /// Growth steps; 0 trains a network of fixed size.
    pub fn with_max_growths(mut self, growths: usize) -> Self {
        self.values.limits.max_growths = Some(growths);
        self
    }

    /// Trained parameters that the network may have.
    pub fn with_parameter_budget(mut self, parameters: u64) -> Self {
        self.values.limits.parameter_budget = Some(parameters);
        self
    }

    /// What candidates are priced by, and what the network may cost by it for one sample; the
    /// budget is never exceeded. Priced by parameters, without a budget, unless told.
    pub fn with_cost_budget(mut self, model: impl CostModel + 'static, budget: u64) -> Self {
        self.values.cost_model = format!("{model:?}");
        self.values.cost_budget = Some(budget);
        self.cost = Arc::new(model);
        self
    }

    /// One growth step may add at most this share of the network's cost as it stands, by the
    /// cost model of [`with_cost_budget`](Self::with_cost_budget), so that a selector which
    /// spends its budget does not spend all of it at once.
    pub fn with_step_share(mut self, share: f64) -> Self {
        self.values.step_share = Some(share);
        self
    }

    /// Held accuracy, between 0 and 1, at which to stop.
    pub fn with_target_accuracy(mut self, accuracy: f64) -> Self {
        self.values.limits.target_accuracy = Some(accuracy);
        self
    }

    /// Growths in a row that may be refused before growing ends; 1 by default.
    pub fn with_max_refusals(mut self, refusals: usize) -> Self {
        self.values.limits.max_refusals = refusals;
        self
    }

    /// A growth is rolled back if, on the captured samples, its measured decrease
    /// differs from an exactly predicted one by more than this many times the
    /// prediction. 10 by default: at large ε terms of higher order may dominate.
    pub fn with_prediction_bound(mut self, bound: f64) -> Self {
        self.values.prediction_bound = bound;
        self
    }

    /// What the widths of sites may become; anything unless told.
    pub fn with_widths(mut self, widths: WidthLimits) -> Self {
        self.values.widths = widths;
        self
    }

    /// Whether training runs in bfloat16, forward and backward, on a narrowed copy of the weights
    /// ([`burgeon_ops::precision`]). The weights themselves, batch normalisations, the loss and the
    /// optimizer stay in the network's type, and so do evaluation, capture, spectra and line
    /// search. Off by default; refused on a device that does not compute in bfloat16.
    pub fn with_mixed_precision(mut self, mixed: bool) -> Self {
        self.values.mixed_precision = mixed;
        self
    }

    /// Whether the decrease that each site's growths bring alone is measured on the captured
    /// samples, at the price of one evaluation a site; off by default.
    pub fn with_site_decreases(mut self, measured: bool) -> Self {
        self.values.site_decreases = measured;
        self
    }

    /// Fixes the order of samples, the captured samples and every random choice.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.values.seed = seed;
        self
    }

    /// Whether the device's random generator is seeded at each epoch, which makes
    /// models that draw in `forward` (dropout) reproducible and resumable. Burn has one
    /// generator for the whole process, so turn it off where several runs share
    /// it; on by default.
    pub fn with_device_seeding(mut self, seeds_device: bool) -> Self {
        self.values.seeds_device = seeds_device;
        self
    }

    pub(crate) fn check(&self, parameters: u64) -> Result<(), NnError> {
        let values = &self.values;
        values.step_size.check()?;
        values.widths.check()?;
        values.learning_rate.check()?;
        values.spectrum.check()?;
        let positive = [
            ("the batch size", values.batch_size),
            ("the number of captured samples", values.capture_samples),
            ("the number of epochs", values.limits.max_epochs),
            ("the number of refusals", values.limits.max_refusals),
        ];
        if let Some((what, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(NnError::Settings(format!("{what} must be at least 1")));
        }
        let trigger_is_right = match values.trigger {
            Trigger::Every { epochs } => epochs > 0,
            Trigger::Stall {
                patience,
                min_decrease,
                max_epochs,
            } => patience > 0 && max_epochs > 0 && min_decrease >= 0.0,
        };
        if !trigger_is_right {
            return Err(NnError::Settings(format!(
                "trigger {:?}: epochs and patience must be at least 1, the decrease not negative",
                values.trigger
            )));
        }
        if let Some(target) = values.limits.target_accuracy
            && !(0.0..=1.0).contains(&target)
        {
            return Err(NnError::Settings(format!(
                "target accuracy {target}: it must be between 0 and 1"
            )));
        }
        if let Some(budget) = values.limits.parameter_budget
            && budget < parameters
        {
            return Err(NnError::Settings(format!(
                "the budget of {budget} parameters is below the start network's {parameters}: \
                 raise the budget or start smaller"
            )));
        }
        if let Some(share) = values.step_share
            && (share.is_nan() || share <= 0.0 || values.cost_budget.is_none())
        {
            return Err(NnError::Settings(format!(
                "a step's share of {share}: it must be above 0 and needs a cost budget"
            )));
        }
        if values.prediction_bound.is_nan() || values.prediction_bound <= 0.0 {
            return Err(NnError::Settings(format!(
                "prediction bound {}: it must be above 0",
                values.prediction_bound
            )));
        }
        Ok(())
    }
}
