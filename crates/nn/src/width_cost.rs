//! What a traced model costs at other widths.

use std::fmt;
use std::sync::Arc;

use burgeon_core::CostModel;
use burgeon_core::select::WidthPrice;
use burgeon_graph::Graph;

use crate::cost::shapes_with_widths;

/// A cost model's price of a model of `graph` at any widths of its sites, for selectors that price
/// growths together ([`TileFilling`](burgeon_core::select::TileFilling)).
#[derive(Clone)]
pub struct WidthCost {
    graph: Arc<Graph>,
    model: Arc<dyn CostModel>,
}

impl WidthCost {
    /// Of models of `graph`, whatever their widths, by `model`.
    pub fn new(graph: Graph, model: impl CostModel + 'static) -> Self {
        Self {
            graph: Arc::new(graph),
            model: Arc::new(model),
        }
    }
}

/// A run's identity has the graph in it already.
impl fmt::Debug for WidthCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WidthCost").field(&self.model).finish()
    }
}

impl WidthPrice for WidthCost {
    fn cost(&self, widths: &[(String, usize)]) -> Option<u64> {
        Some(self.model.cost(&shapes_with_widths(&self.graph, widths)?))
    }
}
