//! The splitting matrices of a site, as the captured blocks that they are sums over.

use crate::block::{CurvatureBlock, SiteInput, is_finite};
use crate::error::CoreError;

/// The splitting matrices `S_j`, j < M, of one site, as an operator.
///
/// Nothing is computed until [`dense`](Self::dense) or [`apply`](Self::apply)
/// asks for it, and each keeps at most one block's patches at a time.
#[derive(Debug, Clone)]
pub struct Curvature {
    site: String,
    blocks: Vec<CurvatureBlock>,
    neurons: usize,
    dim: usize,
}

impl Curvature {
    /// Collects the blocks of `site`.
    ///
    /// # Errors
    /// [`CoreError::EmptyCapture`] without a row, [`CoreError::Shape`] where blocks
    /// disagree, [`CoreError::NonFinite`] for NaN or an infinity.
    pub fn new(site: impl Into<String>, blocks: Vec<CurvatureBlock>) -> Result<Self, CoreError> {
        let site = site.into();
        let Some(first) = blocks.first() else {
            return Err(CoreError::EmptyCapture { site });
        };
        let (neurons, dim) = (first.neurons(), first.dim());
        if blocks.iter().all(|block| block.weights.dims()[0] == 0) || neurons == 0 {
            return Err(CoreError::EmptyCapture { site });
        }
        for block in &blocks {
            let found = [block.weights.dims()[0], block.neurons(), block.dim()];
            let [rows, columns] = block.expected_weights();
            if found != [rows, columns, dim] || block.neurons() != neurons {
                return Err(CoreError::Shape {
                    what: format!("site `{site}`: curvature weights and fan-in [n, M, d]"),
                    expected: vec![rows, neurons, dim],
                    found: found.to_vec(),
                });
            }
            let finite = match &block.input {
                SiteInput::Rows(x) => is_finite(x.clone()),
                SiteInput::Maps(x, _) | SiteInput::ChannelMaps(x, _) => is_finite(x.clone()),
            };
            if !finite {
                let quantity = "the captured input";
                return Err(CoreError::NonFinite { site, quantity });
            }
            if !is_finite(block.weights.clone()) {
                let quantity = "the captured gradient times σ″";
                return Err(CoreError::NonFinite { site, quantity });
            }
        }
        Ok(Self {
            site,
            blocks,
            neurons,
            dim,
        })
    }

    /// The site's name.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// Number of neurons M.
    pub fn neurons(&self) -> usize {
        self.neurons
    }

    /// Fan-in dimension d, bias included.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Rows of all blocks.
    pub fn rows(&self) -> usize {
        self.blocks
            .iter()
            .map(|block| block.weights.dims()[0])
            .sum()
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Numbers that the blocks hold, in bytes.
    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(CurvatureBlock::bytes).sum()
    }

    /// The blocks whose sum the operator is.
    pub fn iter_blocks(&self) -> impl Iterator<Item = &CurvatureBlock> {
        self.blocks.iter()
    }
}
