//! Forms of the tiled engine as they were published, with their peculiarities: to compare with
//! their numbers, not to design by.

use serde::{Deserialize, Serialize};

use crate::cycles::{Cycles, Step, Tally};
use crate::engine::tiles::{Ports, Tiling, Word};
use crate::layer::ConvLayer;

/// A published form of the tiled engine's cycles. In all of them words are divided by ports
/// without rounding, and nothing is counted for the first load and the last store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Published {
    /// FNAS and Super-LIP: every tile is a whole one, whatever the layer's size.
    Fnas,
    /// HotNAS: tiles clipped to the layer. Rows and columns of the *output* are divided by the
    /// stride once more, which makes strided layers too fast.
    HotNas,
    /// HotNAS in an earlier state: channels of loads and stores are not clipped.
    HotNasUnclipped,
    /// The state before that: besides, tiles are counted on the padded map.
    HotNasPadded,
}

/// What the forms read of an engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub tiling: &'a Tiling,
    pub ports: &'a Ports,
    /// Whether each output channel has a filter of its own, so that inputs are tiled like outputs.
    pub depthwise: bool,
}

impl Published {
    /// The cycles of `layer`; `groups` times what one group of `[n, m]` channels takes.
    pub(crate) fn cycles(
        self,
        parts: Parts<'_>,
        layer: &ConvLayer,
        [n, m]: [usize; 2],
        groups: usize,
    ) -> Cycles {
        let Parts {
            tiling,
            ports,
            depthwise,
        } = parts;
        let tiles = [tiling.rows, tiling.columns];
        let tm = tiling.outputs;
        let tn = if depthwise { tm } else { tiling.inputs };
        let sides = |side: fn(&ConvLayer, usize, usize) -> f64| {
            side(layer, 0, tiles[0]) * side(layer, 1, tiles[1])
        };
        let (input, output, positions, tn_moved, tm_moved) = match self {
            Self::Fnas => {
                let tile = (tiles[0] as f64) * (tiles[1] as f64);
                (tile, tile, tile, tn, tm)
            }
            _ => {
                let input = sides(|layer, axis, tile| tile.min(layer.output[axis]) as f64);
                let output = sides(|layer, axis, tile| {
                    tile.min(layer.output[axis]).div_ceil(layer.stride[axis]) as f64
                });
                let positions = sides(|layer, axis, tile| {
                    let padded = layer.output[axis] + 2 * layer.padding()[axis];
                    tile.min(padded).div_ceil(layer.stride[axis]) as f64
                });
                match self {
                    Self::HotNas => (input, output, positions, tn.min(n), tm.min(m)),
                    _ => (input, output, positions, tn, tm),
                }
            }
        };
        let weights = if depthwise {
            tm as f64
        } else {
            tm as f64 * tn as f64
        } * layer.taps();
        let (inputs, outputs) = (tn_moved as f64 * input, tm_moved as f64 * output);
        let step = Step {
            compute: layer.taps() * positions,
            inputs: inputs / ports.inputs as f64,
            weights: weights / ports.weights as f64,
        };
        let spatial = match self {
            Self::HotNasPadded => sides(|layer, axis, tile| {
                let padded = layer.output[axis] + 2 * layer.padding()[axis];
                padded.div_ceil(tile) as f64
            }),
            _ => sides(|layer, axis, tile| layer.output[axis].div_ceil(tile) as f64),
        };
        let input_tiles = n.div_ceil(tn) as f64;
        let count = groups as f64 * spatial * m.div_ceil(tm) as f64;
        let mut tally = Tally::default();
        tally.add(
            count,
            &[(step, input_tiles)],
            outputs / ports.outputs as f64,
        );
        let words = count * (input_tiles * (inputs + weights) + outputs);
        tally.cycles(layer.uses as f64, 0.0, words)
    }

    /// BRAM18 of a convolution engine's buffers: weights four times over at 16 bits, as written
    /// there.
    pub(crate) fn brams(tiling: &Tiling, kernel: usize, word: Word) -> u64 {
        let [tm, tn] = [tiling.outputs, tiling.inputs].map(|tile| tile as u64);
        let tile = (tiling.rows as u64).saturating_mul(tiling.columns as u64);
        let taps = (kernel as u64).saturating_mul(kernel as u64);
        let maps = 2 * tn.saturating_add(tm).saturating_mul(word.brams(tile));
        let weights = match word {
            Word::Fixed16 => tm.saturating_mul(tn).saturating_mul(word.brams(4 * taps)),
            Word::Float32 => 2 * tm.saturating_mul(tn).saturating_mul(word.brams(taps)),
        };
        maps.saturating_add(weights)
    }
}
