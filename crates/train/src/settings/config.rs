//! The settings of a run, joined.

use std::sync::Arc;

use burgeon_core::cost::Parameters;
use burgeon_core::criterion::RandomNeuron;
use burgeon_core::select::PerLayer;
use burgeon_core::{CostModel, Criterion, Selector};
use burgeon_nn::SpectrumConfig;
use burgeon_nn::surgery::OptimizerRules;

use crate::rate::RateSchedule;

use super::{
    Budget, GrowthConfig, NewWeightRate, Schedule, SearchSamples, StepSize, TrainConfig, Trigger,
    WidthLimits,
};

/// The settings of a [`Grower`](crate::Grower), checked when it is made.
#[derive(Debug, Clone)]
pub struct GrowerConfig {
    /// What proposes growths.
    pub criterion: Arc<dyn Criterion>,
    /// What chooses among them.
    pub selector: Arc<dyn Selector>,
    /// What they are priced by.
    pub cost: Arc<dyn CostModel>,
    /// How the network is trained.
    pub train: TrainConfig,
    /// How a growth step is made.
    pub growth: GrowthConfig,
    /// When it grows, and when the run ends.
    pub schedule: Schedule,
    /// What it may cost.
    pub budget: Budget,
    /// How the optimizer's state follows a growth.
    pub optimizer_rules: OptimizerRules,
}

impl Default for GrowerConfig {
    /// What is known to be best where nothing else is known: all layers double, by random new
    /// neurons that nothing reads yet.
    fn default() -> Self {
        Self::new(RandomNeuron::zero_fan_out(), PerLayer::DOUBLE)
    }
}

impl GrowerConfig {
    /// Growth by `criterion` and `selector`; everything else has a default.
    pub fn new(criterion: impl Criterion + 'static, selector: impl Selector + 'static) -> Self {
        Self {
            criterion: Arc::new(criterion),
            selector: Arc::new(selector),
            cost: Arc::new(Parameters),
            train: TrainConfig::default(),
            growth: GrowthConfig::default(),
            schedule: Schedule::default(),
            budget: Budget::default(),
            optimizer_rules: OptimizerRules::default(),
        }
    }

    /// How the network is trained.
    pub fn with_train(mut self, train: TrainConfig) -> Self {
        self.train = train;
        self
    }

    /// How a growth step is made.
    pub fn with_growth(mut self, growth: GrowthConfig) -> Self {
        self.growth = growth;
        self
    }

    /// When the network grows, and when the run ends.
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// What the network and the run may cost.
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// How the optimizer's state follows a growth: rules for states of one's own, and what copies
    /// start with.
    pub fn with_optimizer_rules(mut self, rules: OptimizerRules) -> Self {
        self.optimizer_rules = rules;
        self
    }

    /// Whether the run ends when growing does.
    pub fn with_end_of_growth(mut self, ends: bool) -> Self {
        self.schedule.ends_with_growth = ends;
        self
    }

    /// Epochs in a row without a lower held loss, since the last growth, after which to stop.
    pub fn with_patience(mut self, epochs: usize) -> Self {
        self.schedule.patience = Some(epochs);
        self
    }

    /// Multiply-accumulates of the whole run.
    pub fn with_training_macs(mut self, macs: u64) -> Self {
        self.budget.training_macs = Some(macs);
        self
    }

    /// When training gives way to growth.
    pub fn with_trigger(mut self, trigger: Trigger) -> Self {
        self.schedule.trigger = trigger;
        self
    }

    /// How far the copies move.
    pub fn with_step_size(mut self, step_size: StepSize) -> Self {
        self.growth.step_size = step_size;
        self
    }

    /// The samples whose loss chooses the step; those held out unless told.
    pub fn with_search_samples(mut self, samples: SearchSamples) -> Self {
        self.growth.search_samples = samples;
        self
    }

    /// The learning rate over the run.
    pub fn with_learning_rate(mut self, learning_rate: RateSchedule) -> Self {
        self.train.learning_rate = learning_rate;
        self
    }

    /// Samples in a training batch.
    pub fn with_batch_size(mut self, batch_size: usize) -> Self {
        self.train.batch_size = batch_size;
        self
    }

    /// Training samples on which sites are captured, drawn anew for each growth. Few of them
    /// cost most of what a growth gains: spectra of few rows have extreme eigenvalues that all
    /// rows do not have. [`SpectrumConfig::with_rows`] saves time at less of a loss.
    pub fn with_capture_samples(mut self, samples: usize) -> Self {
        self.growth.capture_samples = samples;
        self
    }

    /// How the spectra of captured sites are found.
    pub fn with_spectrum(mut self, spectrum: SpectrumConfig) -> Self {
        self.growth.spectrum = spectrum;
        self
    }

    /// Epochs of training altogether.
    pub fn with_max_epochs(mut self, epochs: usize) -> Self {
        self.schedule.max_epochs = epochs;
        self
    }

    /// Growth steps; 0 trains a network of fixed size.
    pub fn with_max_growths(mut self, growths: usize) -> Self {
        self.schedule.max_growths = Some(growths);
        self
    }

    /// Trained parameters that the network may have.
    pub fn with_parameter_budget(mut self, parameters: u64) -> Self {
        self.budget.parameters = Some(parameters);
        self
    }

    /// What candidates are priced by, and what the network may cost by it for one sample; the
    /// budget is never exceeded. Priced by parameters, without a budget, unless told.
    pub fn with_cost_budget(mut self, model: impl CostModel + 'static, budget: u64) -> Self {
        self.budget.cost = Some(budget);
        self.cost = Arc::new(model);
        self
    }

    /// One growth step may add at most this share of the network's cost as it stands, by the
    /// cost model of [`with_cost_budget`](Self::with_cost_budget), so that a selector which
    /// spends its budget does not spend all of it at once.
    pub fn with_step_share(mut self, share: f64) -> Self {
        self.budget.step_share = Some(share);
        self
    }

    /// Held accuracy, between 0 and 1, at which to stop.
    pub fn with_target_accuracy(mut self, accuracy: f64) -> Self {
        self.schedule.target_accuracy = Some(accuracy);
        self
    }

    /// Growths in a row that may be refused before growing ends; 1 by default.
    pub fn with_max_refusals(mut self, refusals: usize) -> Self {
        self.schedule.max_refusals = refusals;
        self
    }

    /// A growth is rolled back if, on the captured samples, its measured decrease
    /// differs from an exactly predicted one by more than this many times the
    /// prediction. 10 by default: at large ε terms of higher order may dominate.
    pub fn with_prediction_bound(mut self, bound: f64) -> Self {
        self.growth.prediction_bound = bound;
        self
    }

    /// What the widths of sites may become; anything unless told.
    pub fn with_widths(mut self, widths: WidthLimits) -> Self {
        self.growth.widths = widths;
        self
    }

    /// Whether training runs in bfloat16, forward and backward, on a narrowed copy of the weights
    /// ([`burgeon_ops::precision`]). The weights themselves, batch normalisations, the loss and the
    /// optimizer stay in the network's type, and so do evaluation, capture, spectra and line
    /// search. Off by default; refused on a device that does not compute in bfloat16.
    pub fn with_mixed_precision(mut self, mixed: bool) -> Self {
        self.train.mixed_precision = mixed;
        self
    }

    /// Whether the decrease that each site's growths bring alone is measured on the captured
    /// samples, at the price of one evaluation a site; off by default.
    pub fn with_site_decreases(mut self, measured: bool) -> Self {
        self.growth.site_decreases = measured;
        self
    }

    /// The rate of the weights that a growth added; that of all others unless told.
    pub fn with_new_weights(mut self, rate: NewWeightRate) -> Self {
        self.train.new_weights = Some(rate);
        self
    }

    /// Fixes the order of samples, the captured samples and every random choice.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.train.seed = seed;
        self
    }

    /// Whether the device's random generator is seeded at each epoch, which makes
    /// models that draw in `forward` (dropout) reproducible and resumable. Burn has one
    /// generator for the whole process, so turn it off where several runs share
    /// it; on by default.
    pub fn with_device_seeding(mut self, seeds_device: bool) -> Self {
        self.train.seeds_device = seeds_device;
        self
    }
}
