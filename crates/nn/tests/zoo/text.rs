//! Transformers on token ids.

use burn::module::{Initializer, Module, Param};
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Embedding, EmbeddingConfig, Linear};
use burn::tensor::{DType, Device, Int, Tensor};

use super::layers::linear;
use super::{Example, tokens};

const WORDS: usize = 12;
const LENGTH: usize = 5;
const MODEL: usize = 8;

/// No dropout, so that training and inference answer alike.
fn encoder(device: &Device) -> TransformerEncoder {
    TransformerEncoderConfig::new(MODEL, 10, 2, 1)
        .with_dropout(0.0)
        .init(device)
}

/// A classifier of texts: embeddings, learned positions, one encoder layer, mean, linear.
#[derive(Module, Debug)]
pub struct TextEncoder {
    pub embedding: Embedding,
    /// `[1, s, d]`.
    pub positions: Param<Tensor<3>>,
    pub encoder: TransformerEncoder,
    pub head: Linear,
}

impl TextEncoder {
    /// Outputs `[b, 3]` of ids `[b, s]`.
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<2> {
        let h = self.embedding.forward(ids) + self.positions.val();
        let h = self.encoder.forward(TransformerEncoderInput::new(h));
        self.head.forward(h.mean_dim(1).squeeze_dim(1))
    }
}

impl Example for TextEncoder {
    type Input = Tensor<2, Int>;
    type Output = Tensor<2>;
    const NAME: &'static str = "text_encoder";
    const ANSWER: &'static [usize] = &[3];

    fn new(device: &Device) -> Self {
        let initializer = Initializer::Normal {
            mean: 0.0,
            std: 0.5,
        };
        Self {
            embedding: EmbeddingConfig::new(WORDS, MODEL).init(device),
            positions: initializer.init([1, LENGTH, MODEL], device),
            encoder: encoder(device),
            head: linear(MODEL, 3, device),
        }
    }

    fn predict(&self, input: Tensor<2, Int>) -> Tensor<2> {
        self.forward(input)
    }

    fn input(batch: usize, device: &Device, _dtype: DType, seed: u64) -> Tensor<2, Int> {
        tokens(batch, LENGTH, WORDS as i64, device, seed)
    }
}

/// A tagger of each token; its positions are embedded like its tokens.
#[derive(Module, Debug)]
pub struct Tagger {
    pub words: Embedding,
    pub positions: Embedding,
    pub encoder: TransformerEncoder,
    pub head: Linear,
}

impl Tagger {
    /// Outputs `[b, s, 4]` of ids `[b, s]`.
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let [batch, length] = ids.dims();
        let positions = Tensor::arange(0..length as i64, &ids.device())
            .reshape([1, length])
            .repeat_dim(0, batch);
        let h = self.words.forward(ids) + self.positions.forward(positions);
        let h = self.encoder.forward(TransformerEncoderInput::new(h));
        self.head.forward(h)
    }
}

impl Example for Tagger {
    type Input = Tensor<2, Int>;
    type Output = Tensor<3>;
    const NAME: &'static str = "tagger";
    const ANSWER: &'static [usize] = &[LENGTH, 4];

    fn new(device: &Device) -> Self {
        Self {
            words: EmbeddingConfig::new(WORDS, MODEL).init(device),
            positions: EmbeddingConfig::new(LENGTH, MODEL).init(device),
            encoder: encoder(device),
            head: linear(MODEL, 4, device),
        }
    }

    fn predict(&self, input: Tensor<2, Int>) -> Tensor<3> {
        self.forward(input)
    }

    fn input(batch: usize, device: &Device, _dtype: DType, seed: u64) -> Tensor<2, Int> {
        tokens(batch, LENGTH, WORDS as i64, device, seed)
    }
}
