//! Networks that grow under an accelerator: widths that fill its tiles.

mod net;
mod tile_filling;

pub(super) use tile_filling::FilledTiles;
