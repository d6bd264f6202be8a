//! Networks that grow under an accelerator: widths that fill its tiles, and accelerators that are
//! found anew after each growth.

mod by_growth;
mod chains;
mod net;
mod tile_filling;
mod trainings;

pub(super) use by_growth::GrowthExploration;
pub(super) use chains::ChainExploration;
pub(super) use tile_filling::FilledTiles;
