//! Plans: the chosen growths, serialisable, printable, replayable.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::candidate::Candidate;
use crate::error::CoreError;
use crate::growth::{Gain, Growth};

/// One growth of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedGrowth {
    /// What is done.
    pub growth: Growth,
    /// The predicted decrease of the loss, where the criterion predicts one.
    pub gain: Option<Gain>,
    /// What it adds to the cost of the network as it stands: parameters, or what the cost model
    /// counts.
    pub price: u64,
}

/// The growths of one step, best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The criterion that proposed them.
    pub criterion: String,
    /// The growths.
    pub growths: Vec<PlannedGrowth>,
}

impl Plan {
    /// The plan of the candidates that a selector chose.
    pub fn new(criterion: impl Into<String>, chosen: Vec<Candidate>) -> Self {
        let growths = chosen.into_iter().map(|candidate| PlannedGrowth {
            growth: candidate.growth,
            gain: candidate.gain,
            price: candidate.price,
        });
        Self {
            criterion: criterion.into(),
            growths: growths.collect(),
        }
    }

    /// The growths alone.
    pub fn growths(&self) -> impl DoubleEndedIterator<Item = &Growth> {
        self.growths.iter().map(|planned| &planned.growth)
    }

    /// Whether nothing grows.
    pub fn is_empty(&self) -> bool {
        self.growths.is_empty()
    }

    /// Whether the network computes the same for every step ε.
    pub fn is_neutral(&self) -> bool {
        self.growths().all(Growth::is_neutral)
    }

    /// The growths of each site as a plan of their own, in the order of the sites' names.
    pub fn by_site(&self) -> BTreeMap<String, Self> {
        let mut sites: BTreeMap<String, Self> = BTreeMap::new();
        for planned in &self.growths {
            let site = planned.growth.site().to_owned();
            let part = sites.entry(site).or_insert_with(|| Self {
                criterion: self.criterion.clone(),
                growths: Vec::new(),
            });
            part.growths.push(planned.clone());
        }
        sites
    }

    /// Channels added to a site, less those taken away.
    pub fn channels_added(&self, site: &str) -> isize {
        let own = self.growths().filter(|growth| growth.site() == site);
        own.map(Growth::channels_added).sum()
    }

    /// Neurons added to all sites together.
    pub fn added_neurons(&self) -> isize {
        self.growths().map(Growth::channels_added).sum()
    }

    /// The predicted decrease of the loss for the step `epsilon`, if every growth predicts one.
    /// Gains of different splits add up to O(ε⁴), since centred copies move a
    /// neuron's contribution only at order ε²; those of new neurons to O(ε²).
    pub fn predicted_decrease(&self, epsilon: f64) -> Option<f64> {
        let at = |planned: &PlannedGrowth| planned.gain.map(|gain| gain.at(epsilon));
        self.growths.iter().map(at).sum()
    }

    /// Checks what a surgery relies on, for a plan that came from a file.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] or [`CoreError::NonFinite`] for a growth that is wrong in itself,
    /// [`CoreError::ClaimedTwice`] for two that claim the same channel.
    pub fn validate(&self) -> Result<(), CoreError> {
        let mut claimed = HashSet::new();
        for growth in self.growths() {
            growth.check()?;
            for claim in growth.claims() {
                if claimed.contains(&claim) {
                    return Err(CoreError::ClaimedTwice { claim });
                }
                claimed.insert(claim);
            }
        }
        Ok(())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} growths", self.criterion, self.growths.len())?;
        for planned in &self.growths {
            write!(f, "\n  {}, price {}", planned.growth, planned.price)?;
            if let Some(gain) = planned.gain {
                write!(f, ", gain {gain}")?;
            }
        }
        Ok(())
    }
}
