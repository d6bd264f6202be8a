//! A grower of the MLP on embedded digits.

mod net;

use burgeon::backend::flex::FLEX;
use burgeon::prelude::*;
use burn::optim::AdamConfig;

pub use net::*;

pub fn grower(config: GrowerConfig) -> Grower<Mlp> {
    let (train, held) = digits(400).split_off(0.25, 1).expect("two parts");
    let task = Task::new(CrossEntropy, train, held);
    Grower::new(config, FLEX, task, Mlp::new(), AdamConfig::new().init()).expect("sound")
}
