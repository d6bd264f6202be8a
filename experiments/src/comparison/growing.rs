//! How networks grow, as a file says it.

use std::sync::Arc;

use burgeon_core::criterion::{
    Firefly, GradMax, Net2Net, RandomNeuron, RandomSignedSplit, RandomSplit, Refinement,
    SignedSteepestDescent, SteepestDescent, Tiny,
};
use burgeon_core::select::{Efficiency, Fraction, LinearProgramme, PerLayer};
use burgeon_core::{CoreError, Criterion, Selector, WeightBound};
use burgeon_nn::surgery::{CopiedMoments, OptimizerRules};
use burgeon_train::{Accept, SearchSamples, StepSize};
use serde::{Deserialize, Serialize};

/// What proposes growths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CriterionName {
    S2d,
    S3d,
    Firefly,
    FireflySplits,
    FireflyNew,
    Gradmax,
    Tiny,
    RandomNeuron,
    RandomNeuronZeroFanIn,
    RandomSplit,
    RandomSignedSplit,
    Net2net,
}

/// What chooses among proposals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SelectorName {
    /// All layers grow by the same share of their neurons.
    Together,
    /// The share of all neurons with the largest gains.
    Ranked,
    /// The largest sum of gains that the price of a step allows (arXiv 1910.03103).
    LinearProgramme,
    /// The share of all neurons with the largest gains per price to a power.
    Efficiency,
}

/// How far growths go.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Step {
    /// `"search"`: the step of least loss.
    Named(StepName),
    /// This one, whatever becomes of the loss.
    Fixed(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StepName {
    Search,
}

/// The rate after a growth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Rewarm {
    /// What it is multiplied by.
    pub factor: f64,
    /// Epochs over which that fades.
    pub epochs: usize,
}

/// How and when a network grows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Grow {
    pub criterion: CriterionName,
    /// `Σ|w_i|` of signed splits at most.
    pub bound: f64,
    /// New neurons that firefly tries in each layer.
    pub candidates: usize,
    /// The learning rate at which firefly's candidates are optimised: ten times the paper's unless
    /// told, because one pass over the captured samples is 8 steps here and 390 there.
    pub candidate_rate: f64,
    pub select: SelectorName,
    /// What the selector takes of all neurons.
    pub share: f64,
    /// The power of the price by which gains are divided.
    pub power: f64,
    pub step: Step,
    /// The samples whose loss chooses the step.
    pub search_on: SearchSamples,
    /// Growth steps.
    pub growths: usize,
    /// The share of the training cost at which the last one comes; those before it come at equal
    /// distances.
    pub until: f64,
    /// Of the network's price as it stands, what one step may add at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_share: Option<f64>,
    /// Training samples that a growth step looks at, at most.
    pub capture: usize,
    /// Rows on which each layer's spectra rest.
    pub rows: usize,
    /// Whether copies start with zero moments.
    pub zero_moments: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewarm: Option<Rewarm>,
}

impl Default for Grow {
    /// One doubling at 15 % of the cost by random new neurons that nothing reads yet.
    fn default() -> Self {
        Self {
            criterion: CriterionName::RandomNeuron,
            bound: 3.0,
            candidates: 32,
            candidate_rate: 0.01,
            select: SelectorName::Together,
            share: 1.0,
            power: 0.5,
            step: Step::Named(StepName::Search),
            search_on: SearchSamples::Captured,
            growths: 1,
            until: 0.15,
            step_share: None,
            capture: 1024,
            rows: 8192,
            zero_moments: true,
            rewarm: None,
        }
    }
}

impl Grow {
    pub fn criterion(&self) -> Result<Arc<dyn Criterion>, CoreError> {
        Ok(match self.criterion {
            CriterionName::S2d => Arc::new(SteepestDescent),
            CriterionName::S3d => {
                Arc::new(SignedSteepestDescent::new(WeightBound::new(self.bound)?))
            }
            CriterionName::Firefly => self.firefly(Firefly::new())?,
            CriterionName::FireflyNew => self.firefly(Firefly::new_neurons())?,
            CriterionName::FireflySplits => {
                Arc::new(Firefly::splits().with_refinement(self.refinement()?))
            }
            CriterionName::Gradmax => Arc::new(GradMax::new()),
            CriterionName::Tiny => Arc::new(Tiny::new()),
            CriterionName::RandomNeuron => Arc::new(RandomNeuron::zero_fan_out()),
            CriterionName::RandomNeuronZeroFanIn => Arc::new(RandomNeuron::zero_fan_in()),
            CriterionName::RandomSplit => Arc::new(RandomSplit),
            CriterionName::RandomSignedSplit => {
                Arc::new(RandomSignedSplit::new(WeightBound::new(self.bound)?))
            }
            CriterionName::Net2net => Arc::new(Net2Net),
        })
    }

    fn firefly(&self, way: Firefly) -> Result<Arc<dyn Criterion>, CoreError> {
        let way = way.with_new_neurons(self.candidates)?;
        Ok(Arc::new(way.with_refinement(self.refinement()?)))
    }

    fn refinement(&self) -> Result<Refinement, CoreError> {
        Refinement::PAPER.with_learning_rate(self.candidate_rate)
    }

    pub fn selector(&self) -> Result<Arc<dyn Selector>, CoreError> {
        Ok(match self.select {
            SelectorName::Together => Arc::new(PerLayer::new(self.share)?),
            SelectorName::Ranked => Arc::new(Fraction::new(self.share)?),
            SelectorName::LinearProgramme => Arc::new(LinearProgramme::default()),
            SelectorName::Efficiency => Arc::new(Efficiency::new(self.share, self.power)?),
        })
    }

    pub fn step_size(&self) -> StepSize {
        match self.step {
            Step::Named(StepName::Search) => StepSize::line_search(),
            Step::Fixed(epsilon) => StepSize::Fixed {
                epsilon,
                accept: Accept::Always,
            },
        }
    }

    pub fn optimizer_rules(&self) -> OptimizerRules {
        let moments = match self.zero_moments {
            true => CopiedMoments::ZeroForCopies,
            false => CopiedMoments::Carried,
        };
        OptimizerRules::default().with_copied_moments(moments)
    }

    /// `two growths, at 15 % and 30 % of the cost`.
    pub fn describe(&self) -> String {
        let share = |growth: usize| {
            let share = 100.0 * self.until * growth as f64 / self.growths.max(1) as f64;
            format!("{share:.0} %")
        };
        match self.growths {
            0 => "no growth".into(),
            1 => format!("one growth, at {} of the cost", share(1)),
            growths => format!(
                "{growths} growths at most, from {} to {} of the cost",
                share(1),
                share(growths)
            ),
        }
    }
}
