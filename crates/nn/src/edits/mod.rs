//! Edits of parameters, and of what an optimizer keeps for them: the primitives that growths
//! compile to.

mod block;
mod host;
mod model;
mod placement;
mod places;
mod plan;
mod prepared;
mod target;

use std::collections::{HashMap, HashSet};

use burgeon_graph::{GroupId, Source};
use burn::module::ParamId;
use burn::tensor::TensorData;

use host::Array;
pub(crate) use model::{apply, map};
pub(crate) use placement::Placement;
pub(crate) use plan::{Compiled, compile, select_channels};
pub(crate) use prepared::{Prepared, probed};
pub(crate) use target::Target;

use crate::error::NnError;
use crate::replay::Value;

/// What the slices along an axis are to the channels they belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A channel is made by them. New ones start at 0.
    Makes,
    /// They belong to a channel otherwise. New ones start as those of another channel.
    Belongs,
    /// A channel is read by them. Copies count by their factors, new ones start at 0.
    Reads,
}

/// One change of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Primitive {
    /// Slices along an axis are kept, copied, dropped, and new ones added, each where it belongs.
    Select(Select),
    /// Numbers are added.
    Add(Add),
}

/// Slices along an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Select {
    pub axis: usize,
    /// For each slice where it comes from.
    pub sources: Vec<Source>,
    pub owner: Owner,
}

/// Numbers added to entries of a parameter.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Add {
    /// Places in the parameter as the primitives before leave it, with numbers.
    pub entries: Vec<(usize, f64)>,
    /// The same, of numbers that the step ε multiplies.
    pub scaled: Vec<(usize, f64)>,
}

/// All edits of one surgery, by parameter.
///
/// In a copy's own slices the value stays and the gradient becomes `w_i` times the
/// parent's; where it is read the value becomes `w_i` times the parent's and
/// the gradient stays.
#[derive(Debug, Clone, Default)]
pub struct ParamEdits {
    pub(crate) edits: HashMap<ParamId, Vec<Primitive>>,
    /// The new width of each group that changes.
    pub(crate) widths: HashMap<GroupId, usize>,
    /// The step that offsets are multiplied with.
    pub(crate) epsilon: f64,
}

impl ParamEdits {
    /// The same edits of parameters that have other ids by now.
    pub(crate) fn renamed(mut self, ids: &HashMap<ParamId, ParamId>) -> Self {
        for (old, new) in ids {
            if let Some(edit) = self.edits.remove(old) {
                self.edits.insert(*new, edit);
            }
        }
        self
    }

    /// Whether the parameter is edited.
    pub fn contains(&self, id: ParamId) -> bool {
        self.edits.contains_key(&id)
    }

    /// For each axis along which the parameter is edited, in order: which old place each new one
    /// keeps, `None` for appended copies and what is new.
    pub fn kept_places(&self, id: ParamId) -> Vec<(usize, Vec<Option<usize>>)> {
        let of_select = |select: &Select| {
            // The first slice of a source takes its place.
            let mut seen = HashSet::new();
            let sources = select.sources.iter();
            let kept = sources.map(|source| {
                let keeps = !source.is_new && seen.insert(source.index);
                keeps.then_some(source.index)
            });
            (select.axis, kept.collect())
        };
        self.selects(id).map(of_select).collect()
    }

    /// The ids of the parameters that are edited.
    pub fn parameters(&self) -> impl Iterator<Item = ParamId> {
        self.edits.keys().copied()
    }

    /// The edited value of what an optimizer keeps for a parameter. `factors` says what each slice
    /// of a selection is multiplied with.
    pub(crate) fn apply_to_moment(
        &self,
        id: ParamId,
        data: TensorData,
        factors: &dyn Fn(&Select) -> Vec<f64>,
    ) -> Result<TensorData, NnError> {
        let dtype = data.dtype();
        let mut array = Array::read(data)?;
        for select in self.selects(id) {
            array = array.select(select, &factors(select))?;
        }
        Ok(array.into_data(dtype))
    }

    /// The selections of a parameter, in their order.
    pub(crate) fn selects(&self, id: ParamId) -> impl Iterator<Item = &Select> {
        let edits = self.edits.get(&id).into_iter().flatten();
        edits.filter_map(|primitive| match primitive {
            Primitive::Select(select) => Some(select),
            Primitive::Add(_) => None,
        })
    }

    /// The edited value of a parameter, on its device.
    pub(crate) fn apply(&self, id: ParamId, value: Value) -> Result<Value, NnError> {
        match self.edits.get(&id) {
            Some(edit) => Ok(Prepared::of(edit, value)?.at(self.epsilon)),
            None => Ok(value),
        }
    }
}
