//! What the widths of sites may become.

use std::collections::BTreeMap;
use std::sync::Arc;

use burgeon_core::{Plan, PlannedGrowth};
use burgeon_graph::Graph;
use burgeon_nn::{NnError, Trace};
use serde::{Deserialize, Serialize};

/// Limits to the widths of sites: sites that are left out, widths that are capped, and a number
/// that widths are kept multiples of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WidthLimits {
    left_out: Vec<String>,
    caps: BTreeMap<String, usize>,
    multiple: usize,
}

impl Default for WidthLimits {
    fn default() -> Self {
        Self {
            left_out: Vec::new(),
            caps: BTreeMap::new(),
            multiple: 1,
        }
    }
}

impl WidthLimits {
    /// Leaves a site out: it keeps its width. It may be named by any layer that makes its
    /// channels.
    #[must_use]
    pub fn without(mut self, site: impl Into<String>) -> Self {
        self.left_out.push(site.into());
        self
    }

    /// The most neurons that a site may have.
    #[must_use]
    pub fn capped(mut self, site: impl Into<String>, neurons: usize) -> Self {
        self.caps.insert(site.into(), neurons);
        self
    }

    /// Growth leaves each width that it changes a multiple of `multiple`, for hardware that
    /// computes so many at once.
    #[must_use]
    pub fn multiples_of(mut self, multiple: usize) -> Self {
        self.multiple = multiple;
        self
    }

    pub(crate) fn check(&self) -> Result<(), NnError> {
        if self.multiple == 0 {
            return Err(NnError::Settings(
                "widths cannot be multiples of 0: take at least 1".into(),
            ));
        }
        Ok(())
    }

    /// `trace` with the sites that are left out frozen.
    ///
    /// # Errors
    /// [`NnError::Settings`] for a site that the model does not have.
    pub(crate) fn apply(&self, mut trace: Trace) -> Result<Arc<Trace>, NnError> {
        for name in self.left_out.iter().chain(self.caps.keys()) {
            if find(trace.graph(), name).is_none() {
                let sites = trace.graph().sites().iter();
                let known: Vec<&str> = sites.map(|site| site.name()).collect();
                return Err(NnError::Settings(format!(
                    "the model has no site `{name}` to limit; it has {}",
                    known.join(", ")
                )));
            }
        }
        for name in &self.left_out {
            if let Some(site) = find(trace.graph(), name) {
                let group = site.group();
                trace.freeze(group, "the settings leave it out");
            }
        }
        Ok(Arc::new(trace))
    }

    /// Drops growths from the plan's end until all widths are within their limits.
    pub(crate) fn fit(&self, graph: &Graph, plan: &mut Plan) {
        for site in graph.growable() {
            let is_site =
                |name: &String| find(graph, name).is_some_and(|s| s.group() == site.group());
            let cap = self.caps.iter().find(|(name, _)| is_site(name));
            let cap = cap.map_or(usize::MAX, |(_, cap)| *cap);
            loop {
                let added = plan.channels_added(site.name());
                let width = site.width().saturating_add_signed(added);
                if added <= 0 || width <= cap && width.is_multiple_of(self.multiple.max(1)) {
                    break;
                }
                let of_site = |planned: &PlannedGrowth| planned.growth.site() == site.name();
                match plan.growths.iter().rposition(of_site) {
                    Some(last) => plan.growths.remove(last),
                    None => break,
                };
            }
        }
    }
}

fn find<'a>(graph: &'a Graph, name: &str) -> Option<&'a burgeon_graph::Site> {
    let mut sites = graph.sites().iter();
    sites.find(|site| site.name() == name || site.producers().iter().any(|p| p == name))
}
