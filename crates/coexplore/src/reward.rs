//! Rewards of children, by name.

use serde::{Deserialize, Serialize};

use crate::error::CoexploreError;
use crate::problem::Measured;

/// What a child is worth to a policy. Accuracies are from 0 to 1.
///
/// Published with their code are the last three; the first is how the method of arXiv 1907.04650
/// is known second hand, and its β is not known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
#[non_exhaustive]
pub enum Reward {
    /// `β·accuracy + (1 − β)·mean utilisation`; −1 for what does not meet the specification.
    CoExploration {
        /// The weight of accuracy.
        beta: f64,
    },
    /// `max(w_acc·accuracy + w_hw·(limit − time)/limit, −1)`; −1 likewise.
    RlInterface {
        /// The weight of accuracy.
        accuracy: f64,
        /// The weight of time.
        hardware: f64,
    },
    /// HotNAS (arXiv 2007.09087): `α·a + (1 − α)·t`, with `a` from −1 to 1 as accuracy passes a
    /// range; `t` from 1 to −1 as time passes a range, below it 1, above it `high − time`, without
    /// a bound.
    HotNas {
        /// The weight of accuracy.
        alpha: f64,
        /// The range of accuracy.
        accuracies: [f64; 2],
        /// The range of time, in the unit of the specification.
        times: [f64; 2],
    },
    /// FNAS (arXiv 1901.11211): −0.1 for what does not meet the specification; else accuracy above
    /// its running mean, plus a tenth of the share of the limit that is used, from −0.1 to 0.1.
    Fnas,
}

/// What a reward remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RewardState {
    /// FNAS' running mean of accuracies.
    mean_accuracy: Option<f64>,
}

const NAMES: [&str; 4] = ["co-exploration", "rl-interface", "hot-nas", "fnas"];

impl Reward {
    /// The co-exploration reward with a weight of accuracy.
    ///
    /// # Errors
    /// [`CoexploreError::Parameter`] unless it is from 0 to 1.
    pub fn co_exploration(beta: f64) -> Result<Self, CoexploreError> {
        match (0.0..=1.0).contains(&beta) {
            true => Ok(Self::CoExploration { beta }),
            false => CoexploreError::parameter("beta", beta, "from 0 to 1"),
        }
    }

    /// A reward by its name, with even weights; HotNAS' ranges are all accuracies, and times up to
    /// the `limit`.
    ///
    /// # Errors
    /// [`CoexploreError::UnknownReward`], naming those there are.
    pub fn named(name: &str, limit: f64) -> Result<Self, CoexploreError> {
        Ok(match name {
            "co-exploration" => Self::CoExploration { beta: 0.5 },
            "rl-interface" => Self::RlInterface {
                accuracy: 0.5,
                hardware: 0.5,
            },
            "hot-nas" => Self::HotNas {
                alpha: 0.5,
                accuracies: [0.0, 1.0],
                times: [0.0, limit],
            },
            "fnas" => Self::Fnas,
            _ => {
                return Err(CoexploreError::UnknownReward {
                    name: name.to_owned(),
                    known: NAMES.join(", "),
                });
            }
        })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CoExploration { .. } => NAMES[0],
            Self::RlInterface { .. } => NAMES[1],
            Self::HotNas { .. } => NAMES[2],
            Self::Fnas => NAMES[3],
        }
    }

    /// Of a child that does not meet the specification, and is not judged.
    pub fn of_infeasible(&self) -> f64 {
        match self {
            Self::Fnas => -0.1,
            _ => -1.0,
        }
    }

    /// Of a child that meets the specification.
    pub fn of(&self, accuracy: f64, measured: &Measured, state: &mut RewardState) -> f64 {
        let share = measured.time / measured.limit;
        match *self {
            Self::CoExploration { beta } => {
                let utilisation = measured.mean_utilisation().unwrap_or(0.0);
                beta * accuracy + (1.0 - beta) * utilisation
            }
            Self::RlInterface {
                accuracy: weight,
                hardware,
            } => (weight * accuracy + hardware * (1.0 - share)).max(-1.0),
            Self::HotNas {
                alpha,
                accuracies,
                times,
            } => {
                let part = |x: f64, [low, high]: [f64; 2]| 2.0 * (x - low) / (high - low) - 1.0;
                let accurate = part(accuracy, accuracies).clamp(-1.0, 1.0);
                let fast = match measured.time {
                    time if time > times[1] => times[1] - time,
                    time if time < times[0] => 1.0,
                    time => -part(time, times),
                };
                alpha * accurate + (1.0 - alpha) * fast
            }
            Self::Fnas => {
                let before = state.mean_accuracy.unwrap_or(accuracy);
                let mean = 0.8 * before + 0.2 * accuracy;
                state.mean_accuracy = Some(mean);
                (accuracy - mean + share / 10.0).clamp(-0.1, 0.1)
            }
        }
    }
}
