//! Stacks of blocks that may become longer.

mod blocks;
mod held;

pub use blocks::{ResidualConv2d, ResidualLinear};
pub use held::Stacks;
pub(crate) use held::{Kind, NewBlock, Part};

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// A block of a [`Stack`]: it reads and gives the same kind of data.
///
/// ```
/// use burgeon_nn::stack::{Block, parameters_of};
/// use burn::module::{Module, ParamId};
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Tensor;
/// use burn::tensor::activation::silu;
///
/// /// `x + W₂ silu(W₁ x)`.
/// #[derive(Module, Debug)]
/// struct Residual {
///     expand: Linear,
///     project: Linear,
/// }
///
/// impl Block for Residual {
///     type Data = Tensor<2>;
///
///     fn forward(&self, x: Tensor<2>) -> Tensor<2> {
///         x.clone() + self.project.forward(silu(self.expand.forward(x)))
///     }
///
///     fn fresh(&self) -> Self {
///         let [hidden, width] = self.project.weight.dims();
///         let device = self.project.weight.device();
///         Self {
///             expand: LinearConfig::new(width, hidden).init(&device),
///             project: LinearConfig::new(hidden, width).init(&device),
///         }
///     }
///
///     fn closing(&self) -> Vec<ParamId> {
///         parameters_of(&self.project)
///     }
/// }
/// ```
pub trait Block: Module {
    /// What it reads and gives.
    type Data;

    /// The block's answer.
    fn forward(&self, input: Self::Data) -> Self::Data;

    /// Another block of the form `x + h(x)`, for the place behind this one: it reads and gives
    /// data as wide as this one's answers. Widths must come from weights, since these grow.
    ///
    /// Its weights do not matter: closing weights and biases start at 0, and the weights of two or
    /// more axes that are neither are chosen by what grows the network. All other parameters
    /// (scales, slopes, running statistics) start as they are here, so they must be the same
    /// whenever it is called.
    #[must_use]
    fn fresh(&self) -> Self;

    /// The parameters at whose zero a [`fresh`](Self::fresh) block answers what it reads: those of
    /// the last layer of `h`, bias included, or the scale and shift of its last norm.
    fn closing(&self) -> Vec<ParamId>;
}

/// The ids of all floats of a part of a model, in their order.
pub fn parameters_of<M: Module>(part: &M) -> Vec<ParamId> {
    struct Ids(Vec<ParamId>);
    impl ModuleVisitor for Ids {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.id);
        }
    }
    let mut ids = Ids(Vec::new());
    part.visit(&mut ids);
    ids.0
}

/// Blocks one after the other, of which there may be more as the network grows.
///
/// A block keeps its number, and so its path in the model, whatever is put before it: the first
/// ones are numbered as they were given, later ones as they came. A model names its stacks in
/// [`Growable::stacks`](crate::Growable::stacks).
#[derive(Module, Debug)]
pub struct Stack<B> {
    blocks: Vec<B>,
    /// The blocks' numbers in the order in which they are used.
    #[module(skip)]
    order: Vec<usize>,
}

impl<B: Block> Stack<B> {
    /// The stack of `blocks`, used in this order; there may be none.
    pub fn new(blocks: Vec<B>) -> Self {
        let order = (0..blocks.len()).collect();
        Self { blocks, order }
    }

    /// What the blocks make of `input`, one after the other.
    pub fn forward(&self, input: B::Data) -> B::Data {
        let blocks = self.iter();
        blocks.fold(input, |data, block| block.forward(data))
    }

    /// The blocks in the order in which they are used.
    pub fn iter(&self) -> impl Iterator<Item = &B> {
        self.order
            .iter()
            .filter_map(|block| self.blocks.get(*block))
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The blocks' numbers in the order in which they are used.
    pub fn order(&self) -> &[usize] {
        &self.order
    }
}
