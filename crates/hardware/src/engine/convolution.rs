//! The tiled convolution engine.

use serde::{Deserialize, Serialize};

use super::Engine;
use super::published::{Parts, Published};
use super::tiles::{Edges, Ports, Tiling, Word, check_window, halo, transfer};
use crate::board::Resources;
use crate::cycles::{Cycles, Step, Tally};
use crate::error::{HardwareError, not_zero};
use crate::layer::ConvLayer;

/// A convolution engine of Tm × Tn multipliers, after C. Zhang et al., "Optimizing FPGA-based
/// Accelerator Design for Deep Convolutional Neural Networks" (FPGA 2015).
///
/// Loops from outside: groups, tiles of rows, of columns, of output channels, of input channels;
/// then kernel and positions, one a cycle, with all Tm·Tn products at once. Buffers are double:
/// loads of weights and inputs go on beside the products, the store of outputs beside the whole
/// loop over input channels. For tiles `tm, tn, tr, tc` of a layer with kernel K² and stride S:
///
/// ```text
/// step  = max(K² tr tc,  ⌈tn ((tr−1)S+K) ((tc−1)S+K) / I_p⌉,  ⌈tm tn K² / W_p⌉)
/// tile  = max(Σ step,  ⌈tm tr tc / O_p⌉)
/// total = Σ tile + first load + longest store
/// ```
///
/// The last store is counted as long as the longest one, so that a wider layer is never faster.
///
/// BRAM: two buffers of inputs and of outputs, and two of weights, in words of their own for each
/// channel of a tile.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConvolutionEngine {
    tiling: Tiling,
    ports: Ports,
    kernel: usize,
    stride: usize,
    word: Word,
    edges: Edges,
    published: Option<Published>,
}

impl ConvolutionEngine {
    /// An engine of 16-bit fixed point whose buffers hold kernels of at most `kernel`×`kernel` and
    /// strides of at most 2.
    ///
    /// # Errors
    /// [`HardwareError::Parameter`] where `kernel` is 0.
    pub fn new(tiling: Tiling, ports: Ports, kernel: usize) -> Result<Self, HardwareError> {
        not_zero("largest kernel", &[kernel])?;
        Ok(Self {
            tiling,
            ports,
            kernel,
            stride: 2,
            word: Word::default(),
            edges: Edges::default(),
            published: None,
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

    /// With cycles and BRAM in a form as it was published.
    #[must_use]
    pub fn published(mut self, form: Published) -> Self {
        self.published = Some(form);
        self
    }

    /// Its tiles.
    pub fn tiling(&self) -> &Tiling {
        &self.tiling
    }

    /// Its ports.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    fn exact(&self, layer: &ConvLayer) -> Cycles {
        let Tiling {
            outputs: tm,
            inputs: tn,
            rows: tr,
            columns: tc,
        } = self.tiling;
        let taps = layer.taps();
        let pieces = |length, tile| self.edges.pieces(length, tile);
        let input_pieces = pieces(layer.inputs, tn);
        let (mut tally, mut words) = (Tally::default(), 0.0);
        let (mut first_load, mut longest_store) = (None, 0.0_f64);
        for (rows, row_tiles) in pieces(layer.output[0], tr) {
            for (columns, column_tiles) in pieces(layer.output[1], tc) {
                let input = layer.input_tile([rows, columns]);
                let positions = rows as f64 * columns as f64;
                for (outputs, output_tiles) in pieces(layer.outputs, tm) {
                    let count = layer.groups as f64 * row_tiles * column_tiles * output_tiles;
                    let mut steps = Vec::with_capacity(input_pieces.len());
                    let stored = outputs as f64 * positions;
                    words += count * stored;
                    for (inputs, times) in &input_pieces {
                        let read = *inputs as f64 * input;
                        let weights = outputs as f64 * *inputs as f64 * taps;
                        words += count * times * (read + weights);
                        let step = Step {
                            compute: taps * positions,
                            inputs: transfer(read, self.ports.inputs),
                            weights: transfer(weights, self.ports.weights),
                        };
                        first_load.get_or_insert(step.inputs.max(step.weights));
                        steps.push((step, *times));
                    }
                    let store = transfer(stored, self.ports.outputs);
                    longest_store = longest_store.max(store);
                    tally.add(count, &steps, store);
                }
            }
        }
        let fill = first_load.unwrap_or(0.0) + longest_store;
        tally.cycles(layer.uses as f64, fill, words)
    }
}

impl Engine for ConvolutionEngine {
    fn describe(&self) -> String {
        let (t, p) = (&self.tiling, &self.ports);
        format!(
            "convolution engine Tm {} Tn {} Tr {} Tc {}, ports W {} I {} O {}",
            t.outputs, t.inputs, t.rows, t.columns, p.weights, p.inputs, p.outputs
        )
    }

    fn resources(&self) -> Resources {
        let [tm, tn] = [self.tiling.outputs, self.tiling.inputs].map(|tile| tile as u64);
        let multipliers = tm.saturating_mul(tn);
        let bram18 = match self.published {
            Some(_) => Published::brams(&self.tiling, self.kernel, self.word),
            None => {
                let tile = (self.tiling.rows as u64).saturating_mul(self.tiling.columns as u64);
                let taps = (self.kernel as u64).saturating_mul(self.kernel as u64);
                let inputs = self
                    .word
                    .brams(halo(&self.tiling, self.kernel, self.stride));
                let sums = [
                    tn.saturating_mul(inputs),
                    tm.saturating_mul(self.word.brams(tile)),
                    multipliers.saturating_mul(self.word.brams(taps)),
                ];
                2 * sums.into_iter().fold(0_u64, u64::saturating_add)
            }
        };
        Resources {
            dsp: multipliers.saturating_mul(self.word.dsp()),
            bram18,
            port_bits: self.ports.words().saturating_mul(self.word.bits()),
        }
    }

    fn peak(&self) -> f64 {
        self.tiling.outputs as f64 * self.tiling.inputs as f64
    }

    fn bandwidth(&self) -> Option<f64> {
        Some(self.ports.words() as f64)
    }

    fn cycles(&self, layer: &ConvLayer) -> Result<Cycles, HardwareError> {
        match self.published {
            None => {
                check_window(layer, self.kernel, self.stride)?;
                Ok(self.exact(layer))
            }
            Some(form) => {
                check_window(layer, self.kernel, usize::MAX)?;
                let parts = Parts {
                    tiling: &self.tiling,
                    ports: &self.ports,
                    depthwise: false,
                };
                let channels = [layer.inputs, layer.outputs];
                Ok(form.cycles(parts, layer, channels, layer.groups))
            }
        }
    }
}
