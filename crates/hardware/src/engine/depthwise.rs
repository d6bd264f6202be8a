//! The tiled engine for depthwise layers.

use serde::{Deserialize, Serialize};

use super::Engine;
use super::published::{Parts, Published};
use super::tiles::{Edges, Ports, Tiling, Word, check_window, halo, transfer};
use crate::board::Resources;
use crate::cycles::{Cycles, Step, Tally};
use crate::error::{HardwareError, not_zero};
use crate::layer::ConvLayer;

/// An engine of Tm multipliers for layers in which each channel is filtered by itself; as
/// [`ConvolutionEngine`](super::ConvolutionEngine) but that Tm channels are loaded, filtered and
/// stored at a time, without a loop over input channels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DepthwiseEngine {
    tiling: Tiling,
    ports: Ports,
    kernel: usize,
    stride: usize,
    word: Word,
    edges: Edges,
    published: bool,
}

impl DepthwiseEngine {
    /// An engine of tiles `[Tm, Tr, Tc]` in 16-bit fixed point whose buffers hold kernels of at
    /// most `kernel`×`kernel` and strides of at most 2.
    ///
    /// # Errors
    /// [`HardwareError::Parameter`] where a size is 0.
    pub fn new(
        [channels, rows, columns]: [usize; 3],
        ports: Ports,
        kernel: usize,
    ) -> Result<Self, HardwareError> {
        not_zero("largest kernel", &[kernel])?;
        Ok(Self {
            tiling: Tiling::new([channels, 1, rows, columns])?,
            ports,
            kernel,
            stride: 2,
            word: Word::default(),
            edges: Edges::default(),
            published: false,
        })
    }

    /// With another type of numbers.
    #[must_use]
    pub fn with_word(mut self, word: Word) -> Self {
        self.word = word;
        self
    }

    /// With buffers for strides of at most `stride`.
    ///
    /// # Errors
    /// [`HardwareError::Parameter`] where it is 0.
    pub fn with_stride(mut self, stride: usize) -> Result<Self, HardwareError> {
        not_zero("largest stride", &[stride])?;
        self.stride = stride;
        Ok(self)
    }

    /// With tiles at the end of an axis counted so.
    #[must_use]
    pub fn with_edges(mut self, edges: Edges) -> Self {
        self.edges = edges;
        self
    }

    /// With cycles as HotNAS (arXiv 2007.09087) has them: a loop over tiles of input channels
    /// stays, so that channels are counted twice.
    #[must_use]
    pub fn published(mut self) -> Self {
        self.published = true;
        self
    }

    /// Channels at a time (Tm).
    pub fn channels(&self) -> usize {
        self.tiling.outputs
    }

    fn exact(&self, layer: &ConvLayer) -> Cycles {
        let taps = layer.taps();
        let pieces = |length, tile| self.edges.pieces(length, tile);
        let (mut tally, mut words) = (Tally::default(), 0.0);
        let (mut first_load, mut longest_store) = (None, 0.0_f64);
        for (rows, row_tiles) in pieces(layer.output[0], self.tiling.rows) {
            for (columns, column_tiles) in pieces(layer.output[1], self.tiling.columns) {
                for (channels, times) in pieces(layer.groups, self.tiling.outputs) {
                    let channels = channels as f64;
                    let positions = rows as f64 * columns as f64;
                    let moved = [
                        channels * layer.input_tile([rows, columns]),
                        channels * taps,
                        channels * positions,
                    ];
                    let step = Step {
                        compute: taps * positions,
                        inputs: transfer(moved[0], self.ports.inputs),
                        weights: transfer(moved[1], self.ports.weights),
                    };
                    let count = row_tiles * column_tiles * times;
                    words += count * moved.iter().sum::<f64>();
                    first_load.get_or_insert(step.inputs.max(step.weights));
                    let store = transfer(moved[2], self.ports.outputs);
                    longest_store = longest_store.max(store);
                    tally.add(count, &[(step, 1.0)], store);
                }
            }
        }
        let fill = first_load.unwrap_or(0.0) + longest_store;
        tally.cycles(layer.uses as f64, fill, words)
    }
}

impl Engine for DepthwiseEngine {
    fn describe(&self) -> String {
        let (t, p) = (&self.tiling, &self.ports);
        format!(
            "depthwise engine Tm {} Tr {} Tc {}, ports W {} I {} O {}",
            t.outputs, t.rows, t.columns, p.weights, p.inputs, p.outputs
        )
    }

    /// One multiplier, two buffers of inputs, of outputs and of weights for each channel of a tile.
    fn resources(&self) -> Resources {
        let channels = self.tiling.outputs as u64;
        let tile = (self.tiling.rows as u64).saturating_mul(self.tiling.columns as u64);
        let taps = (self.kernel as u64).saturating_mul(self.kernel as u64);
        let inputs = match self.published {
            true => tile,
            false => halo(&self.tiling, self.kernel, self.stride),
        };
        let each: u64 = [inputs, tile, taps]
            .map(|words| self.word.brams(words))
            .iter()
            .sum();
        Resources {
            dsp: channels.saturating_mul(self.word.dsp()),
            bram18: 2 * channels.saturating_mul(each),
            port_bits: self.ports.words().saturating_mul(self.word.bits()),
        }
    }

    fn peak(&self) -> f64 {
        self.tiling.outputs as f64
    }

    fn bandwidth(&self) -> Option<f64> {
        Some(self.ports.words() as f64)
    }

    fn cycles(&self, layer: &ConvLayer) -> Result<Cycles, HardwareError> {
        if !layer.is_depthwise() {
            return HardwareError::layer(
                &layer.name,
                "its channels mix, and a depthwise engine filters each by itself: give it to a \
                 convolution engine",
            );
        }
        if !self.published {
            check_window(layer, self.kernel, self.stride)?;
            return Ok(self.exact(layer));
        }
        check_window(layer, self.kernel, usize::MAX)?;
        let parts = Parts {
            tiling: &self.tiling,
            ports: &self.ports,
            depthwise: true,
        };
        Ok(Published::HotNas.cycles(parts, layer, [layer.groups; 2], 1))
    }
}
