//! A trained network from elsewhere that growing starts from.

use std::path::Path;

use burgeon::nn::hash::{hex, of_data};
use burgeon_exchange::{PlainNetwork, StateDict};
use burn::tensor::{DType, TensorData};

use crate::architecture::{Architecture, Kind};
use crate::error::{PredictorError, file, io};
use burgeon_run::Schema;

/// A plain network in a state dict.
pub(crate) struct Start {
    state: StateDict,
    network: PlainNetwork,
    hash: String,
}

impl Start {
    /// The network of a `.pt`, `.pth` or safetensors file.
    pub fn read(path: &Path) -> Result<Self, PredictorError> {
        let state = StateDict::read(path)?;
        let network = PlainNetwork::of(&state)?;
        let bytes = std::fs::read(path).map_err(io(path))?;
        let length = bytes.len();
        let bytes = TensorData::from_bytes_vec(bytes, [length], DType::U8);
        let hash = format!("sha256:{}", hex(&of_data(&bytes)));
        Ok(Self {
            state,
            network,
            hash,
        })
    }

    /// Where it was read.
    pub fn path(&self) -> &Path {
        self.state.path()
    }

    /// A hash of the file.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    pub fn kind(&self) -> Kind {
        match self.network {
            PlainNetwork::Mlp { .. } => Kind::Mlp,
            PlainNetwork::Cnn { .. } => Kind::Cnn,
        }
    }

    /// The widths of the hidden layers.
    pub fn hidden(&self) -> &[usize] {
        self.network.hidden()
    }

    /// `model`, which has the widths of the file, with its weights.
    pub fn restore<A: Architecture>(
        &self,
        model: &A,
        schema: &Schema,
    ) -> Result<A, PredictorError> {
        let outputs = schema.target.outputs();
        if self.network.outputs() != outputs {
            return Err(file(
                self.path(),
                format!(
                    "the network gives {} numbers, where the data need {outputs}: one for each \
                     class, or one number",
                    self.network.outputs()
                ),
            ));
        }
        let rename = |path: &str| A::name_in(&self.network, path);
        Ok(self.network.restore(model, &self.state, rename)?)
    }
}
