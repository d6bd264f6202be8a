//! Selectors: candidates + budget → the chosen ones.

mod fraction;
mod threshold;
mod top_k;

pub use fraction::Fraction;
pub use threshold::Threshold;
pub use top_k::TopK;

use std::collections::HashSet;
use std::fmt::Debug;

use crate::criterion::Candidate;
use crate::error::CoreError;

/// What a selection may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Neurons of all sites as the network stands.
    pub neurons: usize,
    /// Cost left, in the candidates' unit; `None` is no limit.
    pub room: Option<u64>,
}

/// A rule that chooses among candidates.
pub trait Selector: Debug + Send + Sync {
    /// The selector's name.
    fn name(&self) -> &'static str;

    /// The chosen candidates, best first: at most one for a neuron, none with a
    /// score that is not a number, together never above the budget.
    fn select(&self, candidates: Vec<Candidate>, budget: Budget) -> Vec<Candidate>;
}

/// The best `count` of `candidates` by score that fit into the budget; equal
/// scores keep their order.
fn best(mut candidates: Vec<Candidate>, count: usize, budget: Budget) -> Vec<Candidate> {
    candidates.retain(|candidate| candidate.score.is_finite());
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut room = budget.room;
    let mut taken = HashSet::new();
    let mut chosen = Vec::new();
    for candidate in candidates {
        if chosen.len() == count {
            break;
        }
        let fits = room.is_none_or(|room| candidate.cost <= room);
        if fits && taken.insert((candidate.site.clone(), candidate.neuron)) {
            room = room.map(|room| room - candidate.cost);
            chosen.push(candidate);
        }
    }
    chosen
}

fn out_of_range<T>(
    name: &'static str,
    value: impl ToString,
    expected: &'static str,
) -> Result<T, CoreError> {
    Err(CoreError::Parameter {
        name,
        value: value.to_string(),
        expected,
    })
}
