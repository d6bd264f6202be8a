//! What several ranks cannot do, and say so.

use std::sync::Arc;

use burgeon_backend_flex::FLEX;
use burgeon_core::world::{Alone, WorldError};
use burgeon_core::{SplitBackend, Team, World};
use burgeon_distributed::threads;
use burgeon_nn::{Growable, NnError};
use burgeon_train::{Grower, RateSchedule};
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::Tensor;

use crate::digits::{ConvNet, adam, config, task};
use crate::grower;

fn team(world: Arc<dyn World>) -> Team {
    Team::of(world, 8).expect("enough shards")
}

/// A rank with another learning rate goes another way, which the first growth finds.
#[test]
fn weights_that_differ_are_named_on_all_ranks() {
    let found = threads::run(3, |world: Arc<dyn World>| {
        let rate = if world.rank() == 2 { 0.03 } else { 0.02 };
        let rate = RateSchedule::constant(rate).expect("a rate");
        let config = config().expect("sound").with_learning_rate(rate);
        let grower = Grower::new(
            config,
            FLEX,
            task(240).expect("embedded"),
            ConvNet::new(2),
            adam(),
        );
        let mut grower = grower
            .expect("sound")
            .with_team(team(world))
            .expect("alike");
        grower.run().expect_err("they differ").to_string()
    });
    for error in &found {
        let expected = "ranks: the weights of rank 2 are not those of rank 0: the first that \
                        differs is `conv1.weight`";
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn models_that_begin_otherwise_are_named() {
    let found = threads::run(2, |world: Arc<dyn World>| {
        let width = 2 + world.rank();
        let config = config().expect("sound");
        let task = task(240).expect("embedded");
        let grower = Grower::new(config, FLEX, task, ConvNet::new(width), adam());
        let grower = grower.expect("sound").with_team(team(world));
        grower.expect_err("they differ").to_string()
    });
    for error in &found {
        assert!(
            error.contains("the first that differs is `conv1.weight`"),
            "{error}"
        );
    }
}

#[derive(Module, Debug)]
struct Odd {
    hidden: Linear,
    norm: Option<BatchNorm>,
    dropout: Option<Dropout>,
    output: Linear,
}

impl Odd {
    fn new() -> Self {
        let device = FLEX.device().autodiff();
        Self {
            hidden: LinearConfig::new(64, 4).init(&device),
            norm: None,
            dropout: None,
            output: LinearConfig::new(4, 10).init(&device),
        }
    }
}

impl Growable for Odd {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let mut features = self.hidden.forward(input.flatten::<2>(1, 3));
        if let Some(norm) = &self.norm {
            features = norm.forward(features);
        }
        if let Some(dropout) = &self.dropout {
            features = dropout.forward(features);
        }
        self.output
            .forward(burn::tensor::activation::silu(features))
    }
}

fn refusal(model: Odd) -> NnError {
    let config = config().expect("sound");
    let grower = Grower::new(config, FLEX, task(240).expect("embedded"), model, adam());
    let grower = grower.expect("sound").with_team(team(Arc::new(Alone)));
    grower.expect("one rank").run().expect_err("refused")
}

#[test]
fn statistics_of_shards_alone_are_refused() {
    let error = refusal(Odd {
        norm: Some(BatchNormConfig::new(4).init(&FLEX.device().autodiff())),
        ..Odd::new()
    });
    let error = error.to_string();
    assert!(
        error.contains("`norm.running_mean` changes in the forward pass"),
        "{error}"
    );
    assert!(
        error.contains("use `burgeon_ops::FastBatchNorm`"),
        "{error}"
    );
}

#[test]
fn draws_are_refused() {
    let error = refusal(Odd {
        dropout: Some(DropoutConfig::new(0.5).init()),
        ..Odd::new()
    });
    let error = error.to_string();
    assert!(
        error.contains("answers differently each time in training"),
        "{error}"
    );
}

#[test]
fn there_are_as_many_shards_as_ranks() {
    let found = threads::run(3, |world| Team::of(world, 2).expect_err("too few"));
    let (shards, ranks) = (2, 3);
    assert_eq!(found[0], WorldError::Shards { shards, ranks });
}

#[test]
fn the_team_comes_before_the_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let grower = grower(Arc::new(Alone), 240).expect("sound");
    let grower = grower
        .checkpoint_at(folder.path().join("run"))
        .expect("writable");
    let error = grower
        .with_team(team(Arc::new(Alone)))
        .expect_err("too late");
    assert!(
        error
            .to_string()
            .contains("`with_team` before `checkpoint_at`"),
        "{error}"
    );
}
