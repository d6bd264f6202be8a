//! Models with longer stacks.

use crate::checkpointing;
use crate::error::NnError;
use crate::growable::Growable;
use crate::stack::{Kind, NewBlock};

/// Where a block is put.
#[derive(Debug, Clone)]
pub(crate) struct Insertion<'a> {
    /// The stack's path.
    pub stack: &'a str,
    /// The number of the block before.
    pub after: Option<usize>,
}

/// `model` with blocks that answer what they read, so that it computes the same; `model` is not
/// changed, running statistics included.
///
/// # Errors
/// [`NnError::Model`] that names the stack that does not take one.
pub(crate) fn lengthened<M: Growable>(
    model: &M,
    insertions: &[Insertion<'_>],
) -> Result<(M, Vec<NewBlock>), NnError> {
    on_tape(model, |model, kind| {
        let mut stacks = model.stacks();
        let mut blocks = Vec::with_capacity(insertions.len());
        for insertion in insertions {
            let refused =
                |problem: String| NnError::Model(format!("stack `{}`: {problem}", insertion.stack));
            let stack = stacks.find(insertion.stack);
            let stack = stack.ok_or_else(|| refused("the model has none of this name".into()))?;
            let block = stack.insert(insertion.after, kind);
            blocks.push(block.map_err(refused)?);
        }
        Ok(blocks)
    })
}

/// A copy of `model` of which `change` changes the stacks.
pub(crate) fn on_tape<M: Growable, R>(
    model: &M,
    change: impl FnOnce(&mut M, &Kind) -> Result<R, NnError>,
) -> Result<(M, R), NnError> {
    let is_autodiff = model.devices().iter().any(|device| device.is_autodiff());
    // Parameters remember that they are trained only where they were made on a training device.
    let mut copy = match is_autodiff {
        true => model.valid().train(),
        false => model.clone().train(),
    };
    let kind = Kind::of(&copy)?;
    let result = change(&mut copy, &kind)?;
    let copy = if is_autodiff { copy } else { copy.valid() };
    Ok((checkpointing::as_in(copy, model), result))
}
