//! What an operation does to channels.

/// An operation, as far as channels are concerned. Operands are in the order that each kind
/// names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Place by place, operands broadcast to the output's shape.
    Elementwise {
        /// Whether it is a sum, so that a parameter of one number a channel is a bias.
        adds: bool,
    },
    /// A product over the last axis of the first operand and the last but one of the second.
    MatMul,
    /// `x W + b`: `x` `[.., in]`, `W` `[in, out]` and perhaps `b` `[out]`.
    Linear,
    /// A convolution of `x` `[b, in, ..]` with `W` `[out, in / groups, ..]` (transposed:
    /// `[in, out / groups, ..]`) and perhaps a bias `[out]`.
    Convolution {
        /// Number of groups.
        groups: usize,
        /// The step along each axis but the first two.
        stride: Vec<usize>,
        /// Whether it is a transposed convolution.
        transposed: bool,
    },
    /// A normalisation of each channel of `x` `[b, c, ..]` by itself, with parameters `[c]`.
    ChannelNorm,
    /// Places along `axis` of the first operand depend on each other (softmax, layer
    /// normalisation); further operands lie along it.
    Coupling {
        /// The axis.
        axis: usize,
    },
    /// Axes that come out with another length: pooled, padded, reduced.
    Resize {
        /// The axes.
        axes: Vec<usize>,
    },
    /// The same numbers in another shape.
    Reshape,
    /// Axes in another order.
    Permute {
        /// For each axis of the output, the operand's.
        axes: Vec<usize>,
    },
    /// Axes of length 1 repeated.
    Expand,
    /// An axis repeated as a whole.
    Repeat {
        /// The axis.
        axis: usize,
        /// How often.
        times: usize,
    },
    /// Operands one after the other.
    Concatenate {
        /// Along this axis.
        axis: usize,
    },
    /// A part of each axis: `start`, `end` and step.
    Slice {
        /// For each axis.
        ranges: Vec<(usize, usize, usize)>,
    },
    /// The second operand written over a part of the first.
    SliceAssign {
        /// The part, for each axis.
        ranges: Vec<(usize, usize, usize)>,
    },
    /// Slices along an axis, by index: the first operand's, the second gives the indices.
    Select {
        /// The axis.
        axis: usize,
    },
    /// Rows of a table `[n, d]` (first operand) by index.
    Embedding,
    /// One number everywhere, in whatever shape is asked for.
    Fill,
    /// Anything else: nothing that it touches can grow.
    Opaque,
}

/// How exact the second derivative is that the curvature of a site takes for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Smoothness {
    /// It is the true one.
    #[default]
    Exact,
    /// It is the true one below the gap between the largest values, of which the operation
    /// chooses one.
    Selection,
    /// A smooth surrogate stands for the curvature of a kink.
    Surrogate,
}
