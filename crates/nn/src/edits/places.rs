//! Where the slices of a channel lie in a parameter that is being edited.

use burgeon_core::growth::Side;
use burgeon_graph::{GroupId, Parameter, Site, Slices, Source};

use super::ParamEdits;

/// For the numbers of `part` that belong to `channel`, in θ's order, which number lies at which
/// place; a number may lie at several places, or at none.
pub(super) fn places(
    parameter: &Parameter,
    edits: &ParamEdits,
    site: &Site,
    part: &Slices,
    channel: usize,
    side: Side,
) -> Vec<(usize, usize)> {
    match side {
        Side::FanIn => made(parameter, edits, site, part, channel),
        Side::FanOut => read(parameter, edits, site, part, channel),
    }
}

/// The entries of a channel where it is made: axes that are read are as they were.
fn made(
    parameter: &Parameter,
    edits: &ParamEdits,
    site: &Site,
    part: &Slices,
    channel: usize,
) -> Vec<(usize, usize)> {
    let width = |group: GroupId| edits.widths.get(&group).copied();
    let map = &parameter.axes[part.axis];
    let length = map.length_with(&width);
    let outer: usize = parameter.shape[..part.axis].iter().product();
    let inner: usize = parameter.shape[part.axis + 1..].iter().product();
    let mut entries = Vec::with_capacity(part.size);
    for place in map.places_with(site.group(), channel, &width) {
        for block in 0..outer {
            for index in 0..inner {
                let at = (block * length + place) * inner + index;
                entries.push((entries.len(), at));
            }
        }
    }
    entries
}

/// The entries of a channel where it is read, once everything is selected: copies of what reads it
/// read it as their parent does, new ones do not.
fn read(
    parameter: &Parameter,
    edits: &ParamEdits,
    site: &Site,
    part: &Slices,
    channel: usize,
) -> Vec<(usize, usize)> {
    let width = |group: GroupId| edits.widths.get(&group).copied();
    let sources: Vec<Vec<Source>> = (0..parameter.shape.len())
        .map(|axis| {
            let mut selects = edits.selects(parameter.id);
            let select = selects.find(|select| select.axis == axis);
            match select {
                Some(select) => select.sources.clone(),
                None => (0..parameter.shape[axis]).map(Source::kept).collect(),
            }
        })
        .collect();
    let places = parameter.axes[part.axis].places_with(site.group(), channel, &width);
    let (before, after) = (&sources[..part.axis], &sources[part.axis + 1..]);
    let lengths: Vec<usize> = sources.iter().map(Vec::len).collect();
    let inner: usize = lengths[part.axis + 1..].iter().product();
    let shape = &parameter.shape;
    let outer = old_places(before, &shape[..part.axis]);
    let inside = old_places(after, &shape[part.axis + 1..]);
    let old_outer: usize = parameter.shape[..part.axis].iter().product();
    let old_inner: usize = parameter.shape[part.axis + 1..].iter().product();
    let mut entries = Vec::new();
    for (slot, place) in places.iter().enumerate() {
        for (block, old_block) in outer.iter().enumerate() {
            for (index, old_index) in inside.iter().enumerate() {
                let (Some(old_block), Some(old_index)) = (old_block, old_index) else {
                    continue;
                };
                let from = (slot * old_outer + old_block) * old_inner + old_index;
                let at = (block * lengths[part.axis] + place) * inner + index;
                entries.push((from, at));
            }
        }
    }
    entries
}

/// For each place over the axes of `sources` together, which had the lengths of `shape`, the old
/// one; `None` where one is new.
fn old_places(sources: &[Vec<Source>], shape: &[usize]) -> Vec<Option<usize>> {
    let mut places = vec![Some(0)];
    for (axis, length) in sources.iter().zip(shape) {
        let mut next = Vec::with_capacity(places.len() * axis.len());
        for place in &places {
            for source in axis {
                let old = place.filter(|_| !source.is_new);
                next.push(old.map(|old| old * length + source.index));
            }
        }
        places = next;
    }
    places
}
