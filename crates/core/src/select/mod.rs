//! Selectors: candidates + budget → the chosen ones.

mod fraction;
mod knapsack;
mod linear_programme;
mod threshold;
mod top_k;

pub use fraction::Fraction;
pub use knapsack::Knapsack;
pub use linear_programme::LinearProgramme;
pub use threshold::Threshold;
pub use top_k::TopK;

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;

use good_lp::variable::VariableDefinition;
use good_lp::{Expression, ProblemVariables, Solution, SolverModel, Variable, microlp};

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

    /// The chosen candidates, best first: at most one for a channel whatever sites it has, none
    /// with a score that is not a number, together never above the budget.
    ///
    /// # Errors
    /// [`CoreError::Solver`] where an optimisation fails.
    fn select(
        &self,
        candidates: Vec<Candidate>,
        budget: Budget,
    ) -> Result<Vec<Candidate>, CoreError>;
}

/// The channel that a candidate splits. Copies are centred at one site; a second split of the
/// channel at another site would move its copies by different amounts, at order ε.
fn channel(candidate: &Candidate) -> (&str, usize) {
    (&candidate.channels, candidate.neuron)
}

/// The channels that are split already.
#[derive(Default)]
struct Taken(HashSet<(String, usize)>);

impl Taken {
    /// Takes the channel of `candidate`; `false` if it is taken.
    fn take(&mut self, candidate: &Candidate) -> bool {
        let (channels, neuron) = channel(candidate);
        self.0.insert((channels.to_owned(), neuron))
    }
}

/// What a candidate is worth: its predicted gain, or its score where none is predicted.
fn value(candidate: &Candidate) -> f64 {
    candidate.gain.unwrap_or(candidate.score)
}

/// The candidates that are worth something and fit alone, the most valuable first; equal ones
/// keep their order.
fn most_valuable(mut candidates: Vec<Candidate>, budget: Budget) -> Vec<Candidate> {
    let room = budget.room.unwrap_or(u64::MAX);
    candidates.retain(|candidate| {
        let value = value(candidate);
        value.is_finite() && value > 0.0 && candidate.cost <= room
    });
    candidates.sort_by(|a, b| value(b).total_cmp(&value(a)));
    candidates
}

/// Those of `candidates`, in their order, that still fit, one for each channel.
fn within(candidates: impl Iterator<Item = Candidate>, budget: Budget) -> Vec<Candidate> {
    let mut room = budget.room.unwrap_or(u64::MAX);
    let mut taken = Taken::default();
    let fits = |candidate: &Candidate| {
        let fits = candidate.cost <= room && taken.take(candidate);
        if fits {
            room -= candidate.cost;
        }
        fits
    };
    candidates.filter(fits).collect()
}

/// `max Σ β_j value_j` with `Σ β_j cost_j ≤ room`, `Σ β_j ≤ cap` over the members of each of
/// `caps`, and at most one candidate for a channel; each β as `definition` has it.
fn programme(
    candidates: &[Candidate],
    room: u64,
    caps: &[(Vec<usize>, f64)],
    definition: VariableDefinition,
) -> Result<Vec<f64>, CoreError> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    // Of the order of 1, whatever the units are.
    let value_scale = candidates.iter().map(value).fold(0.0, f64::max);
    let cost_scale = candidates.iter().map(|c| c.cost).max().unwrap_or(1).max(1) as f64;
    let mut variables = ProblemVariables::new();
    let shares: Vec<Variable> = candidates
        .iter()
        .map(|_| variables.add(definition.clone()))
        .collect();
    let pairs = || shares.iter().zip(candidates);
    let objective: Expression = pairs()
        .map(|(share, candidate)| *share * (value(candidate) / value_scale))
        .sum();
    let spent: Expression = pairs()
        .map(|(share, candidate)| *share * (candidate.cost as f64 / cost_scale))
        .sum();
    let mut model = variables.maximise(objective).using(microlp);
    model = model.with(spent.leq(room as f64 / cost_scale));
    let of = |members: &[usize]| -> Expression { members.iter().map(|i| shares[*i]).sum() };
    for (members, cap) in caps {
        model = model.with(of(members).leq(*cap));
    }
    let mut channels: HashMap<(&str, usize), Vec<usize>> = HashMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        channels.entry(channel(candidate)).or_default().push(index);
    }
    let mut several: Vec<Vec<usize>> = channels.into_values().filter(|all| all.len() > 1).collect();
    several.sort_unstable();
    for members in several {
        model = model.with(of(&members).leq(1.0));
    }
    let solution = model.solve().map_err(|error| CoreError::Solver {
        candidates: candidates.len(),
        reason: error.to_string(),
    })?;
    Ok(shares.iter().map(|share| solution.value(*share)).collect())
}

/// The best `count` of `candidates` by score that fit into the budget; equal
/// scores keep their order.
fn best(mut candidates: Vec<Candidate>, count: usize, budget: Budget) -> Vec<Candidate> {
    candidates.retain(|candidate| candidate.score.is_finite());
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut room = budget.room;
    let mut taken = Taken::default();
    let mut chosen = Vec::new();
    for candidate in candidates {
        if chosen.len() == count {
            break;
        }
        let fits = room.is_none_or(|room| candidate.cost <= room);
        if fits && taken.take(&candidate) {
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
