//! What a network, and training it, may cost.

use std::sync::Arc;

use burgeon_core::CostModel;
use burgeon_core::cost::Parameters;
use burgeon_graph::Graph;
use burgeon_nn::NnError;
use burgeon_nn::cost::graph_layers;
use serde::{Deserialize, Serialize};

/// What a network, and training it, may cost. No limit is ever exceeded, but for the epoch in
/// which the training cost is spent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Trained parameters that the network may have.
    pub parameters: Option<u64>,
    /// What the network may cost for one sample, by the cost model.
    pub cost: Option<u64>,
    /// One growth step may add at most this share of the network's cost as it stands, so that a
    /// selector which spends its budget does not spend all of it at once.
    pub step_share: Option<f64>,
    /// Multiply-accumulates of the whole run: training, and everything that growing takes
    /// ([`EpochRecord::training_macs`](crate::EpochRecord::training_macs)).
    pub training_macs: Option<u64>,
}

impl Budget {
    /// Checks the limits against the network of `graph`, which a run starts from.
    ///
    /// # Errors
    /// [`NnError::Settings`] for a limit that is below what the network takes already.
    pub fn check(
        &self,
        graph: &Graph,
        parameters: u64,
        model: &Arc<dyn CostModel>,
    ) -> Result<(), NnError> {
        let below = |budget: u64, unit: &str, now: u64| {
            Err(NnError::Settings(format!(
                "the budget of {budget} {unit} is below the start network's {now}: raise the \
                 budget or start smaller"
            )))
        };
        if let Some(budget) = self.parameters
            && budget < parameters
        {
            return below(budget, Parameters.unit(), parameters);
        }
        if let Some(share) = self.step_share
            && (share.is_nan() || share <= 0.0 || self.cost.is_none())
        {
            return Err(NnError::Settings(format!(
                "a step's share of {share}: it must be above 0 and needs a cost budget"
            )));
        }
        if let Some(budget) = self.cost {
            let now = model.cost(&graph_layers(graph));
            if budget < now {
                return below(budget, model.unit(), now);
            }
        }
        match self.training_macs {
            Some(0) => Err(NnError::Settings(
                "a training cost of 0 leaves nothing to train with".into(),
            )),
            _ => Ok(()),
        }
    }
}
