//! A trace in words, to tell one model from another.

use std::collections::HashMap;

use burgeon_graph::{IndexMap, Operation, Segment, Size, ValueId};
use burn::backend::capture::TensorId;
use burn::backend::ir::OperationIr;
use serde_json::Value;

use super::Trace;
use crate::error::NnError;
use crate::hash::of_data;
use crate::replay::kind;

impl Trace {
    /// What the model computes: a line for each parameter, then one for each operation with
    /// all its settings, operands and shapes. Channels of a site are counted by the site's name,
    /// so that a model says the same at every width; other weights make no difference, other
    /// constants and activations do.
    ///
    /// # Errors
    /// [`NnError::Trace`] for an operation that Burn cannot write down.
    pub fn describe(&self) -> Result<String, NnError> {
        let mut lines = Vec::new();
        for parameter in self.graph.parameters() {
            let axes = parameter.axes.iter().map(|axis| self.axis(axis));
            let axes: Vec<String> = axes.collect();
            let state = if parameter.trained {
                "trained"
            } else {
                "fixed"
            };
            lines.push(format!("{} [{}] {state}", parameter.path, axes.join(", ")));
        }
        lines.sort();
        let mut tensors = Tensors {
            trace: self,
            numbers: HashMap::new(),
        };
        for (index, operation) in self.operations.iter().enumerate() {
            lines.push(tensors.line(index, operation)?);
        }
        Ok(lines.join("\n"))
    }

    fn axis(&self, axis: &IndexMap) -> String {
        let parts = axis.segments().iter().map(|segment| match *segment {
            Segment::Fixed(length) => length.to_string(),
            Segment::Channels {
                group,
                width,
                columns,
            } => {
                let site = self.graph.sites().get(group.index());
                let channels = match site.filter(|site| site.frozen().is_none()) {
                    Some(site) => site.name().to_owned(),
                    None => width.to_string(),
                };
                match columns {
                    1 => channels,
                    columns => format!("{channels}·{columns}"),
                }
            }
        });
        parts.collect::<Vec<_>>().join("+")
    }

    /// Whether an axis has another length in another model of the kind, or for another batch.
    fn varies(&self, value: ValueId, axis: usize) -> bool {
        let channels = self.graph.axes(value).get(axis);
        let size = self.graph.sizes(value).get(axis);
        channels.is_some_and(IndexMap::has_channels) || size.is_some_and(|s| s.per_sample != 0)
    }
}

/// Tensors, numbered as they come.
struct Tensors<'a> {
    trace: &'a Trace,
    numbers: HashMap<TensorId, usize>,
}

impl Tensors<'_> {
    fn line(&mut self, index: usize, operation: &OperationIr) -> Result<String, NnError> {
        let node = &self.trace.graph.nodes()[index];
        let written = serde_json::to_value(operation).map_err(|error| {
            NnError::Trace(format!("`{}` cannot be written down: {error}", node.name))
        })?;
        let mut line = format!("{} at {}:", kind(operation), node.layer);
        self.add(index, "", &written, &mut line);
        Ok(line)
    }

    /// Adds what a part of an operation says, by the name of its innermost field.
    fn add(&mut self, index: usize, name: &str, part: &Value, line: &mut String) {
        let node = &self.trace.graph.nodes()[index];
        let input = node.inputs.first().copied();
        let said = match (part, &node.operation) {
            (Value::Array(_), Operation::Slice { ranges } | Operation::SliceAssign { ranges })
                if name == "ranges" =>
            {
                let ranges = ranges.iter().enumerate().map(|(axis, range)| {
                    match input.is_some_and(|input| self.trace.varies(input, axis)) {
                        true => "..".to_owned(),
                        false => format!("{range:?}"),
                    }
                });
                ranges.collect::<Vec<_>>().join(",")
            }
            (Value::Number(groups), Operation::Convolution { groups: all, .. })
                if name == "groups" =>
            {
                let channels = input.and_then(|input| self.trace.graph.axes(input).get(1));
                let each = channels.filter(|axis| axis.has_channels() && axis.length() == *all);
                each.map_or_else(|| groups.to_string(), |axis| self.trace.axis(axis))
            }
            (Value::Object(fields), _) => {
                if let Some(id) = tensor(part) {
                    self.tensor(id, part)
                } else {
                    let mut fields: Vec<_> = fields.iter().collect();
                    fields.sort_by(|a, b| a.0.cmp(b.0));
                    for (name, part) in fields {
                        self.add(index, name, part, line);
                    }
                    return;
                }
            }
            (Value::Array(parts), _) => {
                for part in parts {
                    self.add(index, name, part, line);
                }
                return;
            }
            (Value::Null, _) => return,
            (plain, _) => plain.to_string(),
        };
        *line += &format!(" {name}={said}");
    }

    fn tensor(&mut self, id: TensorId, part: &Value) -> String {
        let trace = self.trace;
        let parameter = trace.parameters.get(&id);
        if let Some(parameter) = parameter.and_then(|id| trace.graph.parameter(*id)) {
            return parameter.path.clone();
        }
        let next = self.numbers.len();
        let is_new = !self.numbers.contains_key(&id);
        let number = *self.numbers.entry(id).or_insert(next);
        if !is_new {
            return format!("%{number}");
        }
        let shape = match trace.values.get(&id) {
            Some(value) => self.shape(*value),
            None => String::new(),
        };
        let dtype = part.get("dtype").map(Value::to_string).unwrap_or_default();
        let constant = trace.constants.get(&id).map(|data| {
            let hash = of_data(data);
            let bytes = hash.iter().take(8).map(|byte| format!("{byte:02x}"));
            format!("={}", bytes.collect::<String>())
        });
        let constant = constant.unwrap_or_default();
        format!("%{number}{constant}[{shape}]{}", dtype.trim_matches('"'))
    }

    fn shape(&self, value: ValueId) -> String {
        let graph = &self.trace.graph;
        let axes = graph.sizes(value).iter().zip(graph.axes(value));
        let lengths = axes.map(|(size, axis)| match (axis.has_channels(), size) {
            (true, _) => self.trace.axis(axis),
            (false, Size { per_sample: 0, .. }) => size.fixed.to_string(),
            (false, size) => format!("{}b{:+}", size.per_sample, size.fixed),
        });
        lengths.collect::<Vec<_>>().join(", ")
    }
}

/// The id of what is a tensor in an operation's description.
fn tensor(part: &Value) -> Option<TensorId> {
    let is_tensor = part.get("status").is_some() && part.get("shape").is_some();
    let id = part.get("id").filter(|_| is_tensor)?;
    id.get("value").unwrap_or(id).as_u64().map(TensorId::new)
}
