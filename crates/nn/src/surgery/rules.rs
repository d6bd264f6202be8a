//! What becomes of an optimizer's state when a neuron is split: one rule for each kind of state.

use std::collections::{BTreeMap, HashSet};

use burgeon_graph::{Graph, Source};
use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};

use super::ParamEdits;
use super::optimizer::{State, StateRecord};
use crate::edits::{Owner, Select};
use crate::error::NnError;

/// How a kept state depends on the gradient.
///
/// In the own slices of a copy of weight `w` (its fan-in, bias, norm) the gradient is `w` times the
/// parent's; where the copy is read the gradient is the parent's. So in own slices the state
/// is multiplied by [`factor`](Self::factor), and where the copy is read it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MomentRule {
    /// A mean, sum or maximum of `g^p`: multiplied by `w^p`.
    GradientPower(u8),
    /// A mean of updates that do not depend on the gradient's size, such as `g / √(mean g²)`:
    /// multiplied by the sign of `w`. Exact but for the number that keeps the division finite.
    Sign,
    /// Not laid out as the parameter, and no function of its gradient: kept as it is.
    Kept,
}

impl MomentRule {
    /// What the parent's state is multiplied with in the own slices of a copy of this weight.
    pub fn factor(self, weight: f64) -> f64 {
        match self {
            Self::GradientPower(power) => weight.powi(i32::from(power)),
            Self::Sign if weight == 0.0 => 0.0,
            Self::Sign => weight.signum(),
            Self::Kept => 1.0,
        }
    }
}

/// What a split's copies start with. The parent's place, which the first copy takes, keeps its
/// state by the rule either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CopiedMoments {
    /// What the grown network's own gradients would have built up.
    #[default]
    Carried,
    /// Zero, in the appended copies' own slices and where they are read. Step counters are of the
    /// whole parameter and stay, so Adam does not correct the bias of the new zeros: a copy's first
    /// update is `(1 - β₁) / √(1 - β₂)` times the rate, 3.2 by default.
    ZeroForCopies,
}

/// How to carry an optimizer's state through surgery: a rule for each state, by its name.
///
/// [`default`](Self::default) knows all that Adam and AdamW (with AMSGrad), LAMB, SGD with momentum,
/// RMSprop, AdaGrad, Lion, Adan and Muon keep. The carried state is what the grown network's
/// gradients would have built up, up to the optimizer's own settings: weight decay that is put on
/// the gradient (not AdamW's, LAMB's, Lion's and Adan's) does not scale with `w`, and
/// clipping by a norm sees another norm. New neurons start with zeros.
///
/// ```
/// use burgeon_nn::surgery::{CopiedMoments, MomentRule, OptimizerRules};
///
/// // An optimizer of one's own, which keeps a mean of |g|³ as `cubes`.
/// let rules = OptimizerRules::default()
///     .with("cubes", MomentRule::GradientPower(3))
///     .with_copied_moments(CopiedMoments::ZeroForCopies);
/// assert_eq!(rules.rule("history.cubes"), Some(MomentRule::GradientPower(3)));
/// assert_eq!(rules.rule("second_moment"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptimizerRules {
    rules: BTreeMap<String, MomentRule>,
    copied_moments: CopiedMoments,
}

impl Default for OptimizerRules {
    fn default() -> Self {
        use MomentRule::{GradientPower, Sign};
        let rules = [
            // Adam, AdamW, LAMB
            ("moment_1", GradientPower(1)),
            ("moment_2", GradientPower(2)),
            ("max_moment_2", GradientPower(2)),
            // SGD, Muon
            ("velocity", GradientPower(1)),
            // RMSprop: `avg` is `square_avg - grad_avg²`, `buf` a momentum of updates.
            ("square_avg", GradientPower(2)),
            ("grad_avg", GradientPower(1)),
            ("centered.avg", GradientPower(2)),
            ("momentum.buf", Sign),
            // AdaGrad
            ("lr_decay.sum", GradientPower(2)),
            // Lion
            ("momentum", GradientPower(1)),
            // Adan
            ("exp_avg", GradientPower(1)),
            ("exp_avg_diff", GradientPower(1)),
            ("exp_avg_sq", GradientPower(2)),
            ("neg_pre_grad", GradientPower(1)),
        ];
        Self {
            rules: rules.map(|(name, rule)| (name.to_owned(), rule)).into(),
            copied_moments: CopiedMoments::default(),
        }
    }
}

impl OptimizerRules {
    /// Adds or replaces the rule of the state `name`: the field's name in the optimizer's state,
    /// or the end of its path there (`momentum.buf`). The longest name that fits a state counts.
    pub fn with(mut self, name: impl Into<String>, rule: MomentRule) -> Self {
        self.rules.insert(name.into(), rule);
        self
    }

    /// What a split's copies start with.
    pub fn with_copied_moments(mut self, copied_moments: CopiedMoments) -> Self {
        self.copied_moments = copied_moments;
        self
    }

    /// The rule of the state of this path, such as `momentum.moment_1`.
    pub fn rule(&self, path: &str) -> Option<MomentRule> {
        let mut name = path;
        loop {
            if let Some(rule) = self.rules.get(name) {
                return Some(*rule);
            }
            (_, name) = name.split_once('.')?;
        }
    }

    /// Widens the state that `optimizer` keeps for the edited parameters, so that training goes on
    /// instead of restarting. Step counters stay.
    ///
    /// # Errors
    /// [`NnError::OptimizerState`] for an edited parameter's state that has no rule, and
    /// [`NnError::Plan`] for one that is not of the shape of the parameter that was edited.
    pub fn carry(
        &self,
        optimizer: ModuleOptimizer,
        edits: &ParamEdits,
    ) -> Result<ModuleOptimizer, NnError> {
        let mut record = StateRecord::of(&optimizer)?;
        for state in &mut record.states {
            if !edits.contains(state.id) {
                continue;
            }
            let rule = self.known(state)?;
            if rule != MomentRule::Kept {
                let factors = |select: &Select| self.factors(rule, select);
                state.data = edits.apply_to_moment(state.id, state.data.clone(), &factors)?;
            }
        }
        record.load_into(optimizer)
    }

    /// Checks that all that `stepped` keeps for parameters that a growth may edit can be carried.
    /// `stepped` is an optimizer that made a step on the model of `graph`: what is kept shows only
    /// then.
    ///
    /// # Errors
    /// [`NnError::OptimizerState`] that names a state and what to do.
    pub fn check(&self, graph: &Graph, stepped: &ModuleOptimizer) -> Result<(), NnError> {
        let growing: HashSet<_> = graph.growable().map(|site| site.group()).collect();
        for state in &StateRecord::of(stepped)?.states {
            let parameters = graph.parameters().iter();
            let mut same = parameters.filter(|parameter| parameter.id == state.id);
            let Some(parameter) = same.next() else {
                continue;
            };
            let grows = parameter.axes.iter().flat_map(|axis| axis.groups());
            if !grows.into_iter().any(|group| growing.contains(&group)) {
                continue;
            }
            let rule = self.known(state)?;
            check_shape(state, rule, &parameter.shape)?;
        }
        Ok(())
    }

    /// The rule of a state.
    fn known(&self, state: &State) -> Result<MomentRule, NnError> {
        self.rule(&state.path).ok_or_else(|| {
            NnError::OptimizerState(format!(
                "it keeps `{path}` for {parameter}, and no rule says what becomes of it when a \
                 neuron is split: use Adam, AdamW, LAMB, SGD, RMSprop, AdaGrad, Lion, Adan or Muon, \
                 or say by `OptimizerRules::with` how it depends on the gradient",
                path = state.path,
                parameter = state.parameter(),
            ))
        })
    }

    /// What each slice of a state is multiplied with.
    fn factors(&self, rule: MomentRule, select: &Select) -> Vec<f64> {
        let mut seen = HashSet::new();
        let factor = |source: &Source| {
            // The first slice of a source takes its place.
            let is_copy = !seen.insert(source.index);
            match self.copied_moments {
                _ if source.is_new => 0.0,
                CopiedMoments::ZeroForCopies if is_copy => 0.0,
                _ if select.owner == Owner::Reads => 1.0,
                _ => rule.factor(source.factor),
            }
        };
        select.sources.iter().map(factor).collect()
    }
}

/// Checks that a state is laid out as its parameter.
fn check_shape(state: &State, rule: MomentRule, shape: &[usize]) -> Result<(), NnError> {
    if rule == MomentRule::Kept || state.data.shape().as_slice() == shape {
        return Ok(());
    }
    Err(NnError::OptimizerState(format!(
        "it keeps `{path}` of shape {found} for {parameter}, which has shape {shape:?}: only states \
         of the parameter's own shape can be carried through surgery",
        path = state.path,
        found = state.data.shape(),
        parameter = state.parameter(),
    )))
}
