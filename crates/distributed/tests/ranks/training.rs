//! Training on shards is training on batches.

use std::sync::Arc;

use burgeon_backend_flex::FLEX;
use burgeon_core::world::Alone;
use burgeon_core::{SplitBackend, Team};
use burgeon_distributed::threads;
use burgeon_nn::growable::copy;
use burgeon_nn::stored::collect;
use burgeon_nn::{CrossEntropy, Growable, NnError};
use burgeon_train::{TrainConfig, Trainer};
use burn::optim::SgdConfig;
use burn::tensor::Tensor;

use crate::digits::{ConvNet, images};

fn trainer(batch_size: usize) -> Trainer {
    let config = TrainConfig {
        batch_size,
        ..TrainConfig::default()
    };
    Trainer::new(config).expect("sound")
}

/// Weights by path, and a loss.
type Trained = (Vec<(String, Vec<f32>)>, f64);

/// The weights and the loss after an epoch.
fn trained(trainer: &Trainer, count: usize) -> Result<Trained, NnError> {
    let mut model = ConvNet::new(3);
    let mut optimizer = SgdConfig::new().init();
    let samples = images(count, &FLEX.device())?;
    let loss = trainer.epoch(&mut model, &mut optimizer, &CrossEntropy, &samples, 1, 0.05)?;
    // A copy has what the last batch left of running statistics.
    let weights = collect(&copy(&model)).into_iter();
    let weights = weights.map(|(path, weight)| {
        let values = weight.data.try_to_vec::<f32>().expect("f32");
        (path, values)
    });
    Ok((weights.collect(), loss.expect("not interrupted")))
}

/// The statistics of a batch normalisation are those of the whole batch, forward and backward, and
/// so are those that it keeps.
#[test]
fn shards_bring_what_the_batch_does() {
    let whole = trained(&trainer(100), 330).expect("trains");
    for shards in [1, 7, 64] {
        let team = Team::of(Arc::new(Alone), shards).expect("one rank");
        let found = trained(&trainer(100).with_team(team), 330).expect("trains");
        assert!((found.1 - whole.1).abs() < 1e-5, "{} {}", found.1, whole.1);
        for ((path, found), (_, whole)) in found.0.iter().zip(&whole.0) {
            for (found, whole) in found.iter().zip(whole) {
                let change = (found - whole).abs() / whole.abs().max(0.1);
                assert!(change < 1e-3, "{shards} shards, `{path}`: {found} {whole}");
            }
        }
    }
}

/// The last batch has fewer samples than there are ranks.
#[test]
fn a_batch_may_be_smaller_than_the_world() {
    let work = |world| {
        let team = Team::of(world, 4).expect("four shards");
        trained(&trainer(64).with_team(team), 66).expect("trains")
    };
    let alone = threads::run(1, work).remove(0);
    for found in threads::run(4, work) {
        assert_eq!(found, alone);
    }
}

/// What stands in `penalty` counts once, whatever the number of shards is.
#[test]
fn a_penalty_counts_once() {
    #[derive(burn::module::Module, Debug)]
    struct Regularised {
        net: ConvNet,
    }
    impl Growable for Regularised {
        type Input = Tensor<4>;
        type Output = Tensor<2>;

        fn predict(&self, input: Tensor<4>) -> Tensor<2> {
            self.net.predict(input)
        }

        fn penalty(&self) -> Option<Tensor<1>> {
            let gamma = self.net.norm1.gamma.val();
            Some(gamma.abs().sum().mul_scalar(0.5))
        }
    }
    let gammas = |trainer: &Trainer| {
        let mut model = Regularised {
            net: ConvNet::new(2),
        };
        let mut optimizer = SgdConfig::new().init();
        let samples = images(64, &FLEX.device()).expect("embedded");
        let (model_, objective) = (&mut model, &CrossEntropy);
        let loss = trainer.epoch(model_, &mut optimizer, objective, &samples, 1, 0.1);
        loss.expect("trains").expect("not interrupted");
        let gamma = model.net.norm1.gamma.val().inner().into_data();
        gamma.try_to_vec::<f32>().expect("f32")
    };
    let whole = gammas(&trainer(64));
    let team = Team::of(Arc::new(Alone), 8).expect("one rank");
    let found = gammas(&trainer(64).with_team(team));
    for (found, whole) in found.iter().zip(&whole) {
        assert!((found - whole).abs() < 1e-4, "{found} {whole}");
    }
}
