//! Memory traffic.

use super::{CostModel, LayerShape};

/// Bytes that a layer reads and writes for one sample if each number passes once: input, weights,
/// output.
#[derive(Debug, Clone, Copy)]
pub struct BytesMoved {
    bytes: u64,
}

impl BytesMoved {
    /// With so many bytes for each number.
    pub fn new(bytes: u64) -> Self {
        Self { bytes }
    }
}

impl Default for BytesMoved {
    /// f32.
    fn default() -> Self {
        Self::new(4)
    }
}

impl CostModel for BytesMoved {
    fn name(&self) -> &'static str {
        "bytes-moved"
    }

    fn unit(&self) -> &'static str {
        "bytes"
    }

    fn layer_cost(&self, layer: &LayerShape) -> u64 {
        self.bytes * (layer.input_size() + layer.parameters() + layer.output_size())
    }
}
