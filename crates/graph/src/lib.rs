//! What a model computes, and which of its channels must be widened together.
//!
//! A [`Graph`] holds operations, parameters (by id and by path in the model, the only names
//! there are) and [`Site`]s: the channels that one producer makes, or several whose outputs are
//! added, with all that belongs to them and all that reads them. Where channels lie in an axis
//! of a parameter is an [`IndexMap`]. What cannot grow carries its reason.
//!
//! There are no tensors here: `burgeon-nn` traces a model into a graph, and runs it.
//!
//! ```
//! use burgeon_graph::{GraphBuilder, Operation, Size, Smoothness};
//! use burn::module::ParamId;
//!
//! // Two linear layers with an activation between them, for any batch.
//! let rows = |length| vec![Size { per_sample: 1, fixed: 0 }, Size::fixed(length)];
//! let mut builder = GraphBuilder::new(2);
//! let x = builder.input(rows(3));
//! let first = builder.parameter(ParamId::new(), "hidden.weight", "Linear", &[3, 4], true);
//! let second = builder.parameter(ParamId::new(), "output.weight", "Linear", &[4, 2], true);
//! let smooth = Smoothness::Exact;
//! let z = builder.node("Linear", Operation::Linear, smooth, vec![x, first], rows(4));
//! let pointwise = Operation::Elementwise { adds: false };
//! let a = builder.node("Tanh", pointwise, smooth, vec![z], rows(4));
//! let y = builder.node("Linear", Operation::Linear, smooth, vec![a, second], rows(2));
//! let graph = builder.build(&[y]);
//! let names: Vec<_> = graph.growable().map(|site| (site.name(), site.width())).collect();
//! assert_eq!(names, [("hidden", 4)]);
//! ```

mod builder;
mod depth;
mod error;
mod flow;
mod graph;
mod groups;
mod layout;
mod operation;
mod place;
mod reshape;
mod site;
mod summary;
mod value;

pub use builder::GraphBuilder;
pub use error::GraphError;
pub use graph::{Graph, Node, Overgrown, Parameter, Role};
pub use layout::{ChannelMap, GroupId, IndexMap, Segment, Source};
pub use operation::{Operation, Smoothness};
pub use place::{BlockParameter, Place};
pub use site::{Edge, Site, Slices};
pub use value::{Size, ValueId};
