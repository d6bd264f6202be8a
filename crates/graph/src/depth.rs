//! Where a model may become deeper.
//!
//! A model with stacks of blocks is traced twice: as it is, and over-grown, with a block that answers
//! what it reads at every place at which one may stand. The over-grown graph has all channels of
//! the model's own, and those of the blocks; it says what a new block reads and makes, and costs.

use std::sync::Arc;

use crate::error::GraphError;
use crate::graph::{Depth, Graph, Overgrown};
use crate::place::Place;

impl Graph {
    /// Says where the model may become deeper, and which stacks take no block, with the reasons.
    pub fn set_depth(&mut self, overgrown: Option<Overgrown>, refused: Vec<(String, String)>) {
        self.depth = Depth {
            overgrown: overgrown.map(Arc::new),
            refused,
        };
    }

    /// The places at which the model may become deeper, stack by stack, front first.
    pub fn places(&self) -> &[Place] {
        let overgrown = self.depth.overgrown.as_ref();
        overgrown.map_or(&[], |overgrown| &overgrown.places)
    }

    /// Stacks of the model that take no block, with the reasons.
    pub fn refused_stacks(&self) -> &[(String, String)] {
        &self.depth.refused
    }

    /// The model with a block at each of its places, if it has any.
    pub fn overgrown(&self) -> Option<&Graph> {
        let overgrown = self.depth.overgrown.as_ref();
        overgrown.map(|overgrown| &overgrown.graph)
    }

    /// The place of `stack` behind the block number `after`, with the over-grown graph.
    ///
    /// # Errors
    /// [`GraphError::UnknownStack`], [`GraphError::RefusedStack`] or [`GraphError::UnknownPlace`],
    /// with what to do.
    pub fn place(&self, stack: &str, after: Option<usize>) -> Result<(&Graph, &Place), GraphError> {
        let overgrown = self.depth.overgrown.as_ref();
        let found = overgrown.and_then(|overgrown| {
            let mut places = overgrown.places.iter();
            let place = places.find(|place| place.stack == stack && place.after == after)?;
            Some((&overgrown.graph, place))
        });
        found.ok_or_else(|| self.no_place(stack, after))
    }

    fn no_place(&self, stack: &str, after: Option<usize>) -> GraphError {
        if let Some((_, reason)) = self.depth.refused.iter().find(|(name, _)| name == stack) {
            return GraphError::RefusedStack {
                stack: stack.to_owned(),
                reason: reason.clone(),
            };
        }
        match self.places().iter().any(|place| place.stack == stack) {
            true => GraphError::UnknownPlace {
                stack: stack.to_owned(),
                place: words(after),
            },
            false => GraphError::UnknownStack {
                stack: stack.to_owned(),
                known: match self.stacks() {
                    known if known.is_empty() => "none".into(),
                    known => known.join(", "),
                },
            },
        }
    }

    /// The stacks that may become longer.
    pub fn stacks(&self) -> Vec<&str> {
        let mut stacks: Vec<&str> = self.places().iter().map(|p| p.stack.as_str()).collect();
        stacks.dedup();
        stacks
    }

    /// Lines that say where the model may become deeper.
    pub(crate) fn depth_lines(&self) -> String {
        let mut text = String::new();
        for stack in self.stacks() {
            let own = self.places().iter().filter(|place| place.stack == stack);
            let own: Vec<String> = own.map(|place| words(place.after)).collect();
            text += &format!("\n`{stack}` takes new layers: {}", own.join(", "));
        }
        for (stack, reason) in &self.depth.refused {
            text += &format!("\n`{stack}` takes no new layers: {reason}");
        }
        text
    }
}

fn words(after: Option<usize>) -> String {
    match after {
        Some(block) => format!("behind block {block}"),
        None => "at the front".to_owned(),
    }
}
