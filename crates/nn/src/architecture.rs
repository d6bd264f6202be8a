//! How many blocks a model has, and in which order: what weights alone do not tell.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::NnError;
use crate::growable::Growable;
use crate::lengthen::on_tape;

/// The blocks of all stacks of a model. Widths are not in it: those are the weights' own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Architecture {
    /// By the stacks' paths the numbers of the blocks, in the order in which they are used.
    stacks: BTreeMap<String, Vec<usize>>,
}

impl Architecture {
    /// Of `model`.
    pub fn of<M: Growable>(model: &M) -> Self {
        let mut model = model.clone();
        let stacks = model.stacks().orders().into_iter().collect();
        Self { stacks }
    }

    /// Whether the model has no stack.
    pub fn is_empty(&self) -> bool {
        self.stacks.is_empty()
    }

    /// The blocks' numbers by the stacks' paths.
    pub fn stacks(&self) -> &BTreeMap<String, Vec<usize>> {
        &self.stacks
    }

    /// Checks that so many floats can be those of a model with these blocks, each of which has one
    /// at least: a few bytes of a file can name any number of blocks.
    ///
    /// # Errors
    /// A sentence that says how many there are of both.
    pub fn check(&self, floats: usize) -> Result<(), String> {
        let blocks: usize = self.stacks.values().map(Vec::len).sum();
        match blocks > floats {
            true => Err(format!(
                "its stacks are said to have {blocks} blocks, and it holds {floats} tensors: it is \
                 damaged"
            )),
            false => Ok(()),
        }
    }

    /// `model` with as many blocks, so that weights find their places: each stack must begin with
    /// the blocks that `model` has. What the new blocks hold does not matter, weights of all
    /// follow. Stacks that this does not name stay as they are.
    ///
    /// # Errors
    /// [`NnError::Model`] that names a stack that the model does not have, or that cannot be
    /// lengthened to this.
    pub fn shape<M: Growable>(&self, model: &M) -> Result<M, NnError> {
        if *self == Self::of(model) || self.is_empty() {
            return Ok(model.clone());
        }
        let (model, ()) = on_tape(model, |model, kind| {
            let mut stacks = model.stacks();
            for (path, order) in &self.stacks {
                let refused =
                    |problem: String| NnError::Model(format!("stack `{path}`: {problem}"));
                let stack = stacks.find(path).ok_or_else(|| {
                    refused("the model has none of this name in `Growable::stacks`".into())
                })?;
                stack.arrange(order, kind).map_err(refused)?;
            }
            Ok(())
        })?;
        Ok(model)
    }
}
