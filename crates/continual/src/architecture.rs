//! What networks for a sequence of tasks are made of.

use serde::{Deserialize, Serialize};

use crate::error::ContinualError;

/// A hidden layer, whatever its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// A linear layer of all that the layer before answers.
    Dense,
    /// A convolution of stride 1 that keeps the size of maps, then a maximum over windows.
    Convolution {
        /// Height and width of the kernel, an odd number.
        kernel: usize,
        /// Height, width and stride of the windows; 1 pools nothing.
        pool: usize,
    },
}

/// Hidden layers of a network for inputs `[b, channels, height, width]`, each followed by a SiLU,
/// which is smooth, so that splits have a curvature. There is no batch normalisation: statistics
/// that a later task moved would move what was learned before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Architecture {
    input: [usize; 3],
    layers: Vec<LayerKind>,
}

impl Architecture {
    /// For inputs of `[channels, height, width]`.
    ///
    /// # Errors
    /// [`ContinualError::Architecture`] for an input of no size, no layer, a kernel that is even, a
    /// pooling that does not divide what it pools, or a convolution behind a dense layer.
    pub fn new(input: [usize; 3], layers: Vec<LayerKind>) -> Result<Self, ContinualError> {
        let refused = |problem: String| Err(ContinualError::Architecture(problem));
        if input.contains(&0) {
            return refused(format!("inputs of shape {input:?} hold nothing"));
        }
        if layers.is_empty() {
            return refused("it has no hidden layer: at least one is needed to grow".into());
        }
        let [_, mut height, mut width] = input;
        let mut flat = false;
        for (index, layer) in layers.iter().enumerate() {
            match *layer {
                LayerKind::Dense => (flat, height, width) = (true, 1, 1),
                LayerKind::Convolution { .. } if flat => {
                    return refused(format!(
                        "layer {index} is a convolution behind a dense layer, which leaves no maps"
                    ));
                }
                LayerKind::Convolution { kernel, pool } => {
                    if kernel % 2 == 0 {
                        return refused(format!(
                            "layer {index} has a kernel of {kernel}: an odd one keeps the size of maps"
                        ));
                    }
                    if pool == 0 || height % pool != 0 || width % pool != 0 {
                        return refused(format!(
                            "layer {index} pools maps of {height}×{width} by {pool}, which does not \
                             divide them"
                        ));
                    }
                    (height, width) = (height / pool, width / pool);
                }
            }
        }
        Ok(Self { input, layers })
    }

    /// So many dense layers on flattened inputs.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn dense(input: [usize; 3], layers: usize) -> Result<Self, ContinualError> {
        Self::new(input, vec![LayerKind::Dense; layers])
    }

    /// `[channels, height, width]` of inputs.
    pub fn input(&self) -> [usize; 3] {
        self.input
    }

    /// The hidden layers.
    pub fn layers(&self) -> &[LayerKind] {
        &self.layers
    }

    /// Positions at which a neuron of each hidden layer answers: those of its map.
    pub fn positions(&self) -> Vec<usize> {
        let [_, mut height, mut width] = self.input;
        let after = self.layers.iter().map(|layer| {
            match *layer {
                LayerKind::Dense => (height, width) = (1, 1),
                LayerKind::Convolution { pool, .. } => {
                    (height, width) = (height / pool, width / pool);
                }
            }
            height * width
        });
        after.collect()
    }

    /// Numbers by which a neuron of hidden layer `layer` reads one channel of what is before it.
    pub fn taps(&self, layer: usize) -> usize {
        match self.layers[layer] {
            LayerKind::Convolution { kernel, .. } => kernel * kernel,
            LayerKind::Dense => match layer.checked_sub(1) {
                Some(before) => self.positions()[before],
                None => self.input[1] * self.input[2],
            },
        }
    }

    /// Checks that `widths` has a width for each hidden layer, none of them 0.
    ///
    /// # Errors
    /// [`ContinualError::Architecture`].
    pub fn check_widths(&self, widths: &[usize]) -> Result<(), ContinualError> {
        if widths.len() != self.layers.len() || widths.contains(&0) {
            return Err(ContinualError::Architecture(format!(
                "widths {widths:?} for {} hidden layers: each needs one of at least 1",
                self.layers.len()
            )));
        }
        Ok(())
    }

    /// Parameters of a network of so many neurons with `outputs` outputs.
    pub fn parameters(&self, widths: &[usize], outputs: usize) -> u64 {
        let mut channels = self.input[0];
        let mut count = 0;
        for (layer, &width) in widths.iter().enumerate().take(self.layers.len()) {
            count += (channels * self.taps(layer) + 1) * width;
            channels = width;
        }
        let positions = self.positions().last().copied().unwrap_or(1);
        (count + (channels * positions + 1) * outputs) as u64
    }

    /// The uniform widths at which a network with `outputs` outputs has the most parameters that
    /// are not above `most`; 1 neuron a layer where even those are.
    pub fn uniform_widths(&self, outputs: usize, most: u64) -> Vec<usize> {
        let uniform = |width: usize| vec![width; self.layers.len()];
        let fits = |width: usize| self.parameters(&uniform(width), outputs) <= most;
        let mut width = 1;
        while fits(width + 1) {
            width += 1;
        }
        uniform(width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONVOLUTION: LayerKind = LayerKind::Convolution { kernel: 3, pool: 2 };

    #[test]
    fn sizes_are_those_of_a_count_by_hand() -> Result<(), ContinualError> {
        let dense = Architecture::dense([1, 2, 2], 2)?;
        // 4·3 + 3, 3·5 + 5, 5·2 + 2
        assert_eq!(dense.parameters(&[3, 5], 2), 15 + 20 + 12);
        let maps = Architecture::new([3, 8, 8], vec![CONVOLUTION, LayerKind::Dense])?;
        assert_eq!(maps.positions(), [16, 1]);
        assert_eq!((maps.taps(0), maps.taps(1)), (9, 16));
        // 3·9·2 + 2, 2·16·4 + 4, 4·3 + 3
        assert_eq!(maps.parameters(&[2, 4], 3), 56 + 132 + 15);
        assert_eq!(dense.parameters(&[4, 4], 2), 20 + 20 + 10);
        assert_eq!(dense.uniform_widths(2, 50), [4, 4]);
        assert_eq!(dense.uniform_widths(2, 49), [3, 3]);
        Ok(())
    }

    #[test]
    fn what_cannot_be_built_is_refused_with_the_reason() {
        let refused = |input, layers, said: &str| {
            let error = Architecture::new(input, layers)
                .expect_err("refused")
                .to_string();
            assert!(error.contains(said), "{error}");
        };
        refused([0, 8, 8], vec![LayerKind::Dense], "hold nothing");
        refused([1, 8, 8], vec![], "no hidden layer");
        refused(
            [1, 8, 8],
            vec![LayerKind::Dense, CONVOLUTION],
            "behind a dense layer",
        );
        refused([1, 9, 9], vec![CONVOLUTION], "does not divide");
        let even = LayerKind::Convolution { kernel: 2, pool: 1 };
        refused([1, 8, 8], vec![even], "an odd one");
        let dense = Architecture::dense([1, 2, 2], 2).expect("fits");
        assert!(dense.check_widths(&[3]).is_err() && dense.check_widths(&[3, 0]).is_err());
    }
}
