//! Candidates whose numbers are moved.

use super::Candidate;
use crate::gradient::GrowthGradient;
use crate::growth::{Growth, NewLayer, NewNeuron};
use crate::plan::Plan;

/// A candidate whose numbers are moved.
pub(super) struct Moving {
    pub candidate: Candidate,
    /// How long an offset, a fan-out or the closing weights of a layer may become.
    pub longest: f64,
}

impl Moving {
    /// All of them in one network.
    pub fn plan(candidates: &[Self]) -> Plan {
        let all = candidates.iter().map(|moving| moving.candidate.clone());
        Plan::new("firefly", all.collect())
    }

    /// Numbers that are moved: `δ`, fan-in and fan-out, opening and closing weights.
    pub fn len(&self) -> usize {
        match &self.candidate.growth {
            Growth::Split(split) => split.offspring.first().map_or(0, |copy| copy.offset.len()),
            Growth::NewNeuron(new) => new.fan_in.len() + new.fan_out.len(),
            Growth::NewLayer(new) => new.opening.len() + new.closing.len(),
            _ => 0,
        }
    }

    pub fn numbers_mut(&mut self) -> Box<dyn Iterator<Item = &mut f64> + '_> {
        match &mut self.candidate.growth {
            Growth::Split(split) => Box::new(
                split
                    .offspring
                    .iter_mut()
                    .take(1)
                    .flat_map(|copy| &mut copy.offset),
            ),
            Growth::NewNeuron(NewNeuron {
                fan_in, fan_out, ..
            }) => Box::new(fan_in.iter_mut().chain(fan_out)),
            Growth::NewLayer(NewLayer {
                opening, closing, ..
            }) => Box::new(opening.iter_mut().chain(closing)),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// The gradient in the numbers at ε = 1.
    pub fn gradient(&self, found: &GrowthGradient) -> Vec<f64> {
        match (&self.candidate.growth, &found.fan_in[..]) {
            (Growth::Split(_), [one, other]) => one
                .iter()
                .zip(other)
                .map(|(one, other)| one - other)
                .collect(),
            _ => {
                let fan_in = found.fan_in.iter().flatten();
                fan_in.chain(&found.fan_out).copied().collect()
            }
        }
    }

    /// Cuts what became too long, and mirrors the other copy of a split.
    pub fn bound(&mut self) {
        let cut = |values: &mut [f64], longest: f64| {
            let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
            if length > longest && length > 0.0 {
                values
                    .iter_mut()
                    .for_each(|value| *value *= longest / length);
            }
        };
        match &mut self.candidate.growth {
            Growth::Split(split) => {
                if let [one, other] = &mut split.offspring[..] {
                    cut(&mut one.offset, self.longest);
                    let mirrored = one.offset.iter().map(|value| -value);
                    other.offset = mirrored.collect();
                }
            }
            Growth::NewNeuron(new) => cut(&mut new.fan_out, self.longest),
            Growth::NewLayer(new) => cut(&mut new.closing, self.longest),
            _ => {}
        }
    }
}
