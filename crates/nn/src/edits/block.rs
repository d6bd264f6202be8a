//! New layers as edits of the blocks that stand at their places.

use burgeon_core::growth::{NewLayer, Side};
use burgeon_graph::{BlockParameter, Place};

use super::placement::Placement;
use super::{Add, ParamEdits, Primitive};
use crate::error::NnError;

/// Puts the numbers of `layer`, which is growth number `growth` of its plan, into the block at
/// `place`: before anything else is done to its parameters, so that channels that grow in the same
/// plan are copied with what was put there. Says where they lie if there are `placements`.
pub(super) fn add(
    edits: &mut ParamEdits,
    mut placements: Option<&mut Vec<Placement>>,
    growth: usize,
    layer: &NewLayer,
    place: &Place,
) -> Result<(), NnError> {
    for (side, values, parameters) in [
        (Side::FanIn, &layer.opening, &place.opening),
        (Side::FanOut, &layer.closing, &place.closing),
    ] {
        let needed: usize = parameters.iter().map(|parameter| parameter.count).sum();
        if values.len() != needed {
            let what = match side {
                Side::FanIn => "opening",
                Side::FanOut => "closing",
            };
            return Err(NnError::Plan(format!(
                "a new layer of stack `{}` needs {needed} {what} weights, the plan has {}",
                layer.stack,
                values.len()
            )));
        }
        let mut first = 0;
        for BlockParameter { id, count, .. } in parameters {
            let own = &values[first..first + count];
            let entries: Vec<(usize, f64)> = own.iter().copied().enumerate().collect();
            let add = match side {
                Side::FanIn => Add {
                    entries,
                    scaled: Vec::new(),
                },
                Side::FanOut => Add {
                    entries: Vec::new(),
                    scaled: entries,
                },
            };
            let primitives = edits.edits.entry(*id).or_default();
            primitives.insert(0, Primitive::Add(add));
            if let Some(placements) = &mut placements {
                placements.push(Placement {
                    growth,
                    neuron: 0,
                    side,
                    parameter: *id,
                    primitive: 0,
                    entries: (0..*count).map(|at| (first + at, at)).collect(),
                });
            }
            first += count;
        }
    }
    Ok(())
}
