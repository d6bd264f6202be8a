//! Plans: the chosen candidates, serialisable, printable, replayable.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::criterion::Candidate;
use crate::error::CoreError;
use crate::scheme::{Offspring, Scheme};

/// One growth of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// The site.
    pub site: String,
    /// The neuron that is split; always numbered as before the plan.
    pub neuron: usize,
    /// How the copies are placed.
    pub scheme: Scheme,
    /// The copies: the first takes the parent's place, the others are appended.
    pub offspring: Vec<Offspring>,
    /// Predicted decrease of the loss per ε².
    pub gain: Option<f64>,
    /// What it added to the cost of the network as it stood: parameters, or what the cost model
    /// counts.
    pub cost: u64,
}

/// The growths of one step, best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The criterion that proposed them.
    pub criterion: String,
    /// The growths.
    pub growths: Vec<Growth>,
}

impl Plan {
    /// The plan of the candidates that a selector chose.
    pub fn new(criterion: impl Into<String>, chosen: Vec<Candidate>) -> Self {
        let growths = chosen.into_iter().map(|candidate| Growth {
            site: candidate.site,
            neuron: candidate.neuron,
            scheme: candidate.scheme,
            offspring: candidate.offspring,
            gain: candidate.gain,
            cost: candidate.cost,
        });
        Self {
            criterion: criterion.into(),
            growths: growths.collect(),
        }
    }

    /// Whether nothing grows.
    pub fn is_empty(&self) -> bool {
        self.growths.is_empty()
    }

    /// The growths of each site as a plan of their own, in the order of the sites' names.
    pub fn by_site(&self) -> BTreeMap<String, Self> {
        let mut sites: BTreeMap<String, Self> = BTreeMap::new();
        for growth in &self.growths {
            let part = sites.entry(growth.site.clone()).or_insert_with(|| Self {
                criterion: self.criterion.clone(),
                growths: Vec::new(),
            });
            part.growths.push(growth.clone());
        }
        sites
    }

    /// Neurons added to all sites together.
    pub fn added_neurons(&self) -> usize {
        let added = |growth: &Growth| growth.offspring.len().saturating_sub(1);
        self.growths.iter().map(added).sum()
    }

    /// Predicted decrease of the loss per ε², if every growth predicts one.
    /// Gains of different neurons add up to O(ε⁴), since centred copies move a
    /// neuron's contribution only at order ε².
    pub fn predicted_gain(&self) -> Option<f64> {
        self.growths.iter().map(|growth| growth.gain).sum()
    }

    /// Checks what a surgery relies on, for a plan that came from a file.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] if a growth has no copy, its weights do not sum
    /// to 1, or a number is not finite.
    pub fn validate(&self) -> Result<(), CoreError> {
        for growth in &self.growths {
            let total: f64 = growth.offspring.iter().map(|copy| copy.weight).sum();
            if growth.offspring.is_empty() || (total - 1.0).abs() > 1e-9 || total.is_nan() {
                return Err(CoreError::Parameter {
                    name: "sum of the offspring's weights",
                    value: format!("{total} ({} neuron {})", growth.site, growth.neuron),
                    expected: "1, so that the network is unchanged at ε = 0",
                });
            }
            for copy in &growth.offspring {
                if !copy.offset.iter().all(|value| value.is_finite()) {
                    return Err(CoreError::NonFinite {
                        site: growth.site.clone(),
                        quantity: "an offspring's offset",
                    });
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} growths", self.criterion, self.growths.len())?;
        for growth in &self.growths {
            write!(
                f,
                "\n  {} neuron {}: {}, cost {}",
                growth.site, growth.neuron, growth.scheme, growth.cost
            )?;
            if let Some(gain) = growth.gain {
                write!(f, ", gain {gain:.3e}·ε²")?;
            }
        }
        Ok(())
    }
}
