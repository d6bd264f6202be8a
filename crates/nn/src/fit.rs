//! Whether weights from a file fit a model: axes that growing widens may have other lengths, as
//! long as all layers agree on them; every other axis is as the model has it.

use std::collections::HashMap;

use burgeon_graph::{Graph, GroupId, Parameter};
use burn::tensor::{DType, TensorData};

use crate::stored::{Weight, Weights};

/// Checks the shapes of `weights` against those that a model of `graph` may be grown to.
///
/// # Errors
/// A sentence that names the first parameter that does not fit. Parameters that are missing are
/// left to the restoring.
pub(crate) fn check_shapes(graph: &Graph, weights: &Weights) -> Result<(), String> {
    // The width of each group of channels and the parameter that gave it.
    let mut widths: HashMap<GroupId, (usize, &str)> = HashMap::new();
    let known = |parameter: &Parameter| {
        let found = weights.get(&parameter.path)?.data.shape().to_vec();
        (found.len() == parameter.shape.len()).then_some(found)
    };
    // Axes of one group alone tell its width.
    for parameter in graph.parameters() {
        let Some(found) = known(parameter) else {
            continue;
        };
        let name = &parameter.path;
        for (axis, (map, &length)) in parameter.axes.iter().zip(&found).enumerate() {
            let groups: Vec<GroupId> = map.groups().into_iter().collect();
            let expected = &parameter.shape;
            match groups[..] {
                [] if length != expected[axis] => {
                    return Err(format!(
                        "`{name}` has the shape {found:?}, the model's has {expected:?}: growing \
                         does not change axis {axis}"
                    ));
                }
                [group] => {
                    let of_channels = map.places(group, 0).len();
                    let site = &graph.sites()[group.index()];
                    let fixed = expected[axis] - of_channels * site.width();
                    let places = length.checked_sub(fixed);
                    let places = places.filter(|n| *n > 0 && n % of_channels == 0);
                    let Some(places) = places else {
                        return Err(format!(
                            "`{name}` has the shape {found:?}: axis {axis} must hold \
                             {of_channels} entries for each of its channels, as the model's \
                             {expected:?} does"
                        ));
                    };
                    let width = places / of_channels;
                    let (known, other) = *widths.entry(group).or_insert((width, name));
                    if known != width {
                        return Err(format!(
                            "`{name}` has the shape {found:?} and so {width} channels on axis \
                             {axis}, but `{other}` has {known} of the same channels"
                        ));
                    }
                }
                _ => {}
            }
        }
    }
    for (group, (width, name)) in &widths {
        let site = &graph.sites()[group.index()];
        if let (true, Some(reason)) = (*width != site.width(), site.frozen()) {
            return Err(format!(
                "`{name}` has {width} channels, the model's `{}` has {}, and keeps them: {reason}",
                site.name(),
                site.width()
            ));
        }
    }
    let width = |group: GroupId| widths.get(&group).map(|(width, _)| *width);
    for parameter in graph.parameters() {
        let Some(found) = known(parameter) else {
            continue;
        };
        for (axis, (map, &length)) in parameter.axes.iter().zip(&found).enumerate() {
            let expected = map.length_with(&width);
            if expected != length {
                return Err(format!(
                    "`{}` has the shape {found:?}: the layers before it give {expected} entries \
                     on axis {axis}",
                    parameter.path
                ));
            }
        }
    }
    Ok(())
}

/// `weight` in the type of the model's parameter `name`.
///
/// # Errors
/// A sentence that names the parameter and both types where a number is too large for the
/// model's.
pub(crate) fn cast(name: &str, weight: Weight, dtype: DType) -> Result<Weight, String> {
    let from = weight.data.dtype();
    if from == dtype {
        return Ok(weight);
    }
    let infinities = |data: &TensorData| {
        let values = data.iter::<f64>();
        values.filter(|value| !value.is_finite()).count()
    };
    match weight.data.clone().try_cast(dtype) {
        Ok(data) if infinities(&data) == infinities(&weight.data) => Ok(Weight { data, ..weight }),
        _ => Err(format!(
            "`{name}` is in {from:?} and holds numbers that {dtype:?}, the model's type, cannot: \
             load it into a model in {from:?}"
        )),
    }
}
