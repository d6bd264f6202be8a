//! Layers that keep a width in a plain field, out of reach of surgery on parameters.

/// Layers of Burn with a width in a field, and what to do about it.
const FIXED: [(&str, &str, &str); 10] = [
    ("Conv1d", "groups", DEPTHWISE),
    ("Conv2d", "groups", DEPTHWISE),
    ("Conv3d", "groups", DEPTHWISE),
    ("Lstm", "d_hidden", LINEAR),
    ("BiLstm", "d_hidden", LINEAR),
    ("Gru", "d_hidden", LINEAR),
    ("BiGru", "d_hidden", LINEAR),
    ("MultiHeadAttention", "d_model", LINEAR),
    ("GroupNorm", "num_channels", "use a batch normalisation"),
    ("InstanceNorm", "num_channels", "use a batch normalisation"),
];

const DEPTHWISE: &str = "use burgeon_ops::DepthwiseConv2d, whose groups are its weight's \
                         rows, or set the field in `Growable::rebuilt`";
const LINEAR: &str = "write the layer of linear layers";

/// The field that fixes a width, of the layers of `containers`, outermost first; with what to do.
pub(super) fn field<'a>(containers: impl Iterator<Item = &'a str>) -> Option<String> {
    let found = containers.filter_map(|kind| FIXED.iter().find(|(layer, ..)| *layer == kind));
    found.into_iter().next().map(|(layer, field, instead)| {
        format!("the field `{field}` of `{layer}` fixes it: {instead}")
    })
}
