//! Channels whose number a field of a layer fixes, out of reach of surgery on parameters.

use std::collections::HashMap;

use burgeon_graph::{GraphBuilder, ValueId};
use burn::backend::capture::TensorId;
use burn::backend::ir::{ModuleOperationIr, OperationIr, TensorIr};

use super::Leaf;

/// Layers of Burn with a width in a plain field, and what to use instead.
const FIXED: [(&str, &str, &str); 7] = [
    ("Lstm", "d_hidden", "write the cell of linear layers"),
    ("BiLstm", "d_hidden", "write the cell of linear layers"),
    ("Gru", "d_hidden", "write the cell of linear layers"),
    ("BiGru", "d_hidden", "write the cell of linear layers"),
    (
        "MultiHeadAttention",
        "d_model",
        "write the attention of linear layers",
    ),
    ("GroupNorm", "num_channels", "use a batch normalisation"),
    ("InstanceNorm", "num_channels", "use a batch normalisation"),
];

/// Holds the channels along a parameter of a layer whose fields fix their number.
pub(super) fn parameter(builder: &mut GraphBuilder, value: ValueId, leaf: &Leaf) {
    let found = FIXED
        .iter()
        .find(|(layer, ..)| leaf.containers.iter().any(|kind| kind == layer));
    if let Some((layer, field, instead)) = found {
        let reason = format!(
            "the field `{field}` of the `{layer}` that holds `{}` fixes it: {instead}",
            leaf.path
        );
        builder.hold(value, None, reason);
    }
}

/// Holds the channels of a depthwise convolution of Burn's, which keeps their number in
/// `groups`.
pub(super) fn operands(
    builder: &mut GraphBuilder,
    operation: &OperationIr,
    values: &HashMap<TensorId, ValueId>,
    leaves: &HashMap<TensorId, Leaf>,
) {
    let OperationIr::Module(module) = operation else {
        return;
    };
    let found: Option<(&TensorIr, usize)> = match module {
        ModuleOperationIr::Conv1d(o) => Some((&o.weight, o.options.groups)),
        ModuleOperationIr::Conv2d(o) => Some((&o.weight, o.options.groups)),
        ModuleOperationIr::Conv3d(o) => Some((&o.weight, o.options.groups)),
        _ => None,
    };
    let Some((weight, groups)) = found else {
        return;
    };
    let is_depthwise = groups > 1 && weight.shape.get(1) == Some(&1);
    if let (true, Some(leaf), Some(value)) =
        (is_depthwise, leaves.get(&weight.id), values.get(&weight.id))
    {
        let layer = leaf.containers.last().map_or("", String::as_str);
        if ["Conv1d", "Conv2d", "Conv3d"].contains(&layer) {
            let reason = format!(
                "the field `groups` of the `{layer}` that holds `{}` fixes it: use \
                 burgeon_ops::DepthwiseConv2d, whose groups are its weight's rows",
                leaf.path
            );
            builder.hold(*value, Some(0), reason);
        }
    }
}
