//! Whether weights from a file fit a model: axes that growing widens may have other lengths, as
//! long as all layers agree on them; every other axis is as the model has it.

use std::collections::HashMap;

use burn::module::ParamId;
use burn::tensor::{DType, TensorData};

use crate::topology::Topology;
use crate::weights::{Weight, Weights};

/// How an axis may differ from the model's.
#[derive(Clone, Copy)]
struct Widened {
    /// The group of channels that it counts.
    group: usize,
    /// Entries for each channel.
    spread: usize,
}

/// Checks the shapes of `weights` against those that `own`, the model's, may be grown to.
///
/// # Errors
/// A sentence that names the first parameter that does not fit. Parameters that are missing are
/// left to the restoring.
pub(crate) fn check_shapes(
    topology: &Topology,
    own: &Weights,
    weights: &Weights,
) -> Result<(), String> {
    let widened = widened_axes(topology);
    // The width of each group of channels and the parameter that gave it.
    let mut widths: HashMap<usize, (usize, &str)> = HashMap::new();
    for (name, own) in own {
        let Some(weight) = weights.get(name) else {
            continue;
        };
        let (expected, found) = (own.data.shape().to_vec(), weight.data.shape().to_vec());
        if found.len() != expected.len() {
            continue;
        }
        for (axis, (&expected_length, &length)) in expected.iter().zip(&found).enumerate() {
            let Some(&Widened { group, spread }) = widened.get(&(own.id, axis)) else {
                if length == expected_length {
                    continue;
                }
                return Err(format!(
                    "`{name}` has the shape {found:?}, the model's has {expected:?}: growing does \
                     not change axis {axis}"
                ));
            };
            if length == 0 || length % spread != 0 {
                return Err(format!(
                    "`{name}` has the shape {found:?}: axis {axis} must hold {spread} entries for \
                     each of its channels, as the model's {expected:?} does"
                ));
            }
            let width = length / spread;
            let (known, other) = *widths.entry(group).or_insert((width, name));
            if known != width {
                return Err(format!(
                    "`{name}` has the shape {found:?} and so {width} channels on axis {axis}, but \
                     `{other}` has {known} of the same channels"
                ));
            }
        }
    }
    Ok(())
}

/// The axes of parameters that growing and pruning change.
fn widened_axes(topology: &Topology) -> HashMap<(ParamId, usize), Widened> {
    let mut axes = HashMap::new();
    let groups = topology.groups.iter().enumerate();
    for (index, group) in groups.filter(|(_, group)| !group.consumers.is_empty()) {
        let mut widen = |id, axis, spread| {
            let group = index;
            axes.insert((id, axis), Widened { group, spread });
        };
        for &member in &group.members {
            for param in &topology.nodes[member].spec.channel_params {
                widen(param.id, param.axis, 1);
            }
        }
        for consumer in &group.consumers {
            if let Some(mixing) = topology.nodes[consumer.node].spec.mixing {
                widen(mixing.weight, mixing.input_axis, consumer.spread.max(1));
            }
        }
    }
    axes
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
