//! All there is to save of a run, besides weights and optimizer.

use std::collections::BTreeMap;
use std::fmt;

use burgeon_core::{Capture, Plan, Trial};
use serde::{Deserialize, Serialize};

use crate::newborn::Newborn;
use crate::rate::PlateauState;

use burgeon_nn::Evaluation;

/// One epoch of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Mean loss over the epoch's batches, as training saw them.
    pub train_loss: f64,
    /// The held set at the epoch's end.
    pub held: Evaluation,
    /// The learning rate.
    pub learning_rate: f64,
    /// Trained parameters.
    pub parameters: u64,
    /// Multiply-accumulates of the run so far: three forward passes for each sample trained on,
    /// and what growth steps took.
    #[serde(default)]
    pub training_macs: u64,
}

/// What became of a growth step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The network grew.
    Committed,
    /// The criterion found no candidate with gain, or none fitted the budget.
    NoCandidate,
    /// No step decreased the held loss.
    NoDecrease,
    /// The output changed at ε = 0; rolled back.
    OutputChanged,
    /// The measured change contradicts the prediction; rolled back.
    PredictionContradicted,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Committed => "committed",
            Self::NoCandidate => "no candidate with gain within the budget",
            Self::NoDecrease => "no step decreases the held loss",
            Self::OutputChanged => "the output changes at ε = 0",
            Self::PredictionContradicted => "the measured change contradicts the prediction",
        })
    }
}

/// One growth step, made or refused: a line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrowthRecord {
    /// The growth step, from 1.
    pub step: usize,
    /// Epochs trained before it.
    pub epoch: usize,
    /// Why it came.
    pub trigger: String,
    /// What became of it.
    pub verdict: Verdict,
    /// What was chosen.
    pub plan: Plan,
    /// The step taken; 0 if there was none.
    pub epsilon: f64,
    /// The steps tried.
    pub trials: Vec<Trial>,
    /// Predicted decrease of the loss where the criterion predicts one.
    pub predicted_decrease: Option<f64>,
    /// Decrease measured on the captured samples.
    pub measured_decrease: Option<f64>,
    /// What was chosen, site by site; empty where nothing was.
    #[serde(default)]
    pub sites: Vec<SiteGrowth>,
    /// The spectra before it, of sites whose spectra it looked at.
    #[serde(default)]
    pub spectra: Vec<SiteSpectrum>,
    /// Largest change of an output at ε = 0, relative to the largest output.
    pub output_change_at_zero: f64,
    /// What the weights of layers that read what has grown were multiplied with, by path, where
    /// the settings ask for it: after the decrease was measured.
    #[serde(default)]
    pub fan_in_factors: Vec<(String, f64)>,
    /// Held loss before.
    pub held_loss_before: f64,
    /// Held loss after.
    pub held_loss_after: f64,
    /// Trained parameters before.
    pub parameters_before: u64,
    /// Trained parameters after.
    pub parameters_after: u64,
    /// Neurons of each site before.
    pub widths_before: Vec<(String, usize)>,
    /// Neurons of each site after.
    pub widths_after: Vec<(String, usize)>,
    /// Multiply-accumulates that the step took: capture, spectra, line search, checks.
    #[serde(default)]
    pub macs: u64,
    /// Wall time of the step, in seconds.
    pub seconds: f64,
}

/// The spectra of one site's splitting matrices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteSpectrum {
    /// The site.
    pub site: String,
    /// The smallest eigenvalue of each neuron's matrix: below 0 where splitting it lowers the loss.
    pub smallest: Vec<f64>,
}

impl SiteSpectrum {
    /// Of all sites of `capture` whose spectra are known.
    pub fn all(capture: &Capture) -> Vec<Self> {
        let known = capture.sites.iter().filter_map(|site| {
            let spectra = site.spectra.as_ref()?;
            Some(Self {
                site: site.name.clone(),
                smallest: spectra.iter().map(|neuron| neuron.min.value).collect(),
            })
        });
        known.collect()
    }
}

/// What a growth step did to one site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteGrowth {
    /// The site.
    pub site: String,
    /// How many growths there were of each kind: a split's scheme, or what else it was.
    pub kinds: BTreeMap<String, usize>,
    /// Predicted decrease of the loss by this site's growths, where the criterion predicts one.
    pub predicted_decrease: Option<f64>,
    /// Decrease that this site's growths alone bring on the captured samples, where the settings
    /// ask for it.
    pub measured_decrease: Option<f64>,
}

impl SiteGrowth {
    /// The sites of `plan` with the step `epsilon`, nothing measured.
    pub fn of(plan: &Plan, epsilon: f64) -> Vec<Self> {
        let mut sites: Vec<Self> = Vec::new();
        for (site, part) in plan.by_site() {
            let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
            for growth in part.growths() {
                *kinds.entry(growth.label().to_owned()).or_default() += 1;
            }
            sites.push(Self {
                site,
                kinds,
                predicted_decrease: part.predicted_decrease(epsilon),
                measured_decrease: None,
            });
        }
        sites
    }
}

/// Why growing ended. Training goes on, unless the settings end it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrowthEnd {
    /// Nothing more fits the parameter budget.
    ParameterBudget,
    /// Nothing more fits the budget of the cost model.
    CostBudget,
    /// All growth steps were made.
    GrowthLimit,
    /// Growth was refused as often as allowed.
    Refused(Verdict),
}

impl fmt::Display for GrowthEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ParameterBudget => f.write_str("parameter budget spent"),
            Self::CostBudget => f.write_str("cost budget spent"),
            Self::GrowthLimit => f.write_str("all growth steps made"),
            Self::Refused(verdict) => write!(f, "growth refused: {verdict}"),
        }
    }
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The held accuracy reached its target.
    TargetAccuracy,
    /// All epochs were trained.
    EpochLimit,
    /// The training cost is spent.
    TrainingCost,
    /// The held loss made no progress for as long as the settings wait.
    NoProgress,
    /// Growing ended, and the run with it.
    GrowthEnded(GrowthEnd),
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetAccuracy => f.write_str("target accuracy reached"),
            Self::EpochLimit => f.write_str("all epochs trained"),
            Self::TrainingCost => f.write_str("training cost spent"),
            Self::NoProgress => f.write_str("the held loss makes no progress"),
            Self::GrowthEnded(end) => write!(f, "{end}"),
        }
    }
}

/// The epoch of least held loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BestEpoch {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Its held loss.
    pub loss: f64,
}

/// The state of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GrowerState {
    /// Epochs trained.
    pub epoch: usize,
    /// Epochs since the last growth step.
    pub phase_epoch: usize,
    /// Growth steps made.
    pub growths: usize,
    /// Growth steps refused in a row.
    pub refusals: usize,
    /// Least training loss since the last growth step.
    pub best_loss: Option<f64>,
    /// Epochs since it decreased enough.
    pub stalled: usize,
    /// Least held loss since the last growth step.
    pub least_held: Option<f64>,
    /// Epochs since the held loss was lower than ever since the last growth step.
    pub without_progress: usize,
    /// What the learning rate keeps of the losses.
    #[serde(default)]
    pub plateau: PlateauState,
    /// The weights that have a rate of their own.
    #[serde(default)]
    pub newborn: Newborn,
    /// Multiply-accumulates so far.
    pub training_macs: u64,
    /// The epoch of least held loss of the whole run.
    pub best: Option<BestEpoch>,
    /// Every epoch.
    pub epochs: Vec<EpochRecord>,
    /// Every growth step, refused ones included.
    pub journal: Vec<GrowthRecord>,
    /// Why growing ended, once it has.
    pub growing_ended: Option<GrowthEnd>,
    /// Why the run ended, once it has.
    pub stopped: Option<StopReason>,
}
