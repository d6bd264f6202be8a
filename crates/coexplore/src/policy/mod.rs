//! Policies: who proposes children.

mod cell;
mod controller;
mod evolution;
mod random;

pub use controller::{Controller, ControllerConfig};
pub use evolution::Evolution;
pub use random::RandomPolicy;

use std::fmt::Debug;

use rand_chacha::ChaCha8Rng;

/// A rule that proposes children and learns of their rewards. All it knows is in its fields, so
/// that it can be written down.
pub trait Policy: Debug {
    /// A child.
    fn propose(&mut self, rng: &mut ChaCha8Rng) -> Vec<usize>;

    /// Takes in that a child was worth `reward`.
    fn learn(&mut self, child: &[usize], reward: f64);

    /// Takes in that a child did not meet the specification, which is worth `reward`.
    fn reject(&mut self, child: &[usize], reward: f64) {
        self.learn(child, reward);
    }

    /// The fast level: another child, every stage by a policy of its own; `None` where a policy has
    /// no stages.
    fn propose_stages(&mut self, _rng: &mut ChaCha8Rng) -> Option<Vec<usize>> {
        None
    }

    /// Takes in what each stage of such a child was worth to the hardware.
    fn learn_stages(&mut self, _child: &[usize], _rewards: &[f64]) {}
}
