//! A selector of one's own, by the public interface alone: every second of the best candidates.

use burgeon::core::CoreError;
use burgeon::core::criterion::Candidate;
use burgeon::core::select::{Room, best};
use burgeon::prelude::*;

mod common;

#[derive(Debug)]
struct EverySecond {
    count: usize,
}

impl Selector for EverySecond {
    fn name(&self) -> &str {
        "every-second"
    }

    fn select(&self, candidates: Vec<Candidate>, room: &Room) -> Result<Vec<Candidate>, CoreError> {
        let ranked = best(candidates, usize::MAX, room).into_iter();
        Ok(ranked.step_by(2).take(self.count).collect())
    }
}

#[test]
fn a_selector_of_ones_own_chooses() {
    let config = GrowerConfig::new(RandomNeuron::zero_fan_out(), EverySecond { count: 2 });
    let mut grower = common::grower(config.with_max_epochs(10));
    grower.run().expect("runs");
    let width = grower.model().hidden.weight.dims()[1];
    assert_eq!(width, common::START + 4, "two neurons, twice");
    // Its parameters are part of the run's identity.
    assert!(format!("{:?}", EverySecond { count: 2 }).contains("count: 2"));
}
