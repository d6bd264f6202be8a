//! One network on several ranks that are threads.

mod digits;
mod ends;
mod growth;
mod refused;
mod sums;
mod training;

use std::sync::Arc;

use burgeon_backend_flex::FLEX;
use burgeon_core::{CoreError, Team, World};
use burgeon_nn::NnError;
use burgeon_train::Grower;

use digits::{ConvNet, adam, config, task};

/// A grower of the convolutional net on this rank.
fn grower(world: Arc<dyn World>, count: usize) -> Result<Grower<ConvNet>, NnError> {
    let grower = Grower::new(config()?, FLEX, task(count)?, ConvNet::new(2), adam())?;
    grower.with_team(Team::new(world).map_err(CoreError::from)?)
}
