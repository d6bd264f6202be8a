//! How what a new neuron answers reaches the layers that read it.

use std::collections::HashSet;

use burgeon_core::Window;
use burgeon_core::backend::patches;
use burgeon_graph::{Role, Site, Slices};
use burn::backend::TensorMetadata;
use burn::backend::ir::{ModuleOperationIr, NumericOperationIr, OperationIr, PadModeIr, TensorId};

use super::form::{Form, Pointwise, Reads, producer_of};
use super::linear::is_linear;
use super::pass::maps;
use crate::error::NnError;
use crate::replay::{Network, Values, output_of};
use crate::trace::Trace;

/// A site of one producer whose channels go, linear in each, to layers that multiply them by
/// weights.
#[derive(Debug, Clone)]
pub(crate) struct Expansion {
    pub form: Pointwise,
    /// From the post-activation to what is read, in their order.
    pub path: Vec<Link>,
    /// In the order of the site's fan-out.
    pub readers: Vec<Reader>,
    /// The tensors of a pass that are needed.
    pub needs: HashSet<TensorId>,
}

/// An operation between post-activation and readers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Link {
    /// It is linear in each channel.
    Linear(usize),
    /// The largest in each window, for which the mean stands.
    Pool(usize, Window),
}

/// A layer that reads a site.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub input: TensorId,
    pub output: TensorId,
    pub reads: Reads,
    /// Whether it adds a number of its own to each output.
    pub bias: bool,
    /// Its weight's part of the fan-out.
    pub part: Slices,
}

impl Expansion {
    /// # Errors
    /// Why `site` is none.
    pub fn of(trace: &Trace, site: &Site) -> Result<Self, String> {
        let Form::Pointwise(form) = Form::of(trace, site) else {
            return Err(
                "its neurons are not an activation of one layer's outputs, read behind it alone \
                 (a sum of layers, a gate, a depthwise stage)"
                    .into(),
            );
        };
        let graph = trace.graph();
        let mut path = Vec::new();
        let mut needs = HashSet::from([form.input, form.a]);
        let edges: HashSet<usize> = site.edges().iter().map(|edge| edge.node).collect();
        for &index in site.nodes() {
            let node = &graph.nodes()[index];
            let known = form.chain.contains(&index) || edges.contains(&index);
            if known || graph.is_of_parameters(node) || form.sigma.contains(&index) {
                continue;
            }
            let operation = &trace.operations[index];
            let link = link(index, operation);
            path.push(link.ok_or_else(|| {
                format!("`{}` behind it is not linear in each channel", node.name)
            })?);
            needs.extend(operation.inputs().map(|tensor| tensor.id));
        }
        let mut readers = Vec::new();
        for part in graph.fan_out(site) {
            let reader = Reader::of(trace, site, part)?;
            needs.insert(reader.input);
            readers.push(reader);
        }
        if readers.len() != site.edges().len() {
            return Err("it is read by what has no weight for each of its channels".into());
        }
        Ok(Self {
            form: *form,
            path,
            readers,
            needs,
        })
    }
}

fn link(index: usize, operation: &OperationIr) -> Option<Link> {
    match operation {
        OperationIr::Module(ModuleOperationIr::MaxPool2d(o)) if !o.ceil_mode => {
            let window = Window {
                kernel: o.kernel_size,
                stride: o.stride,
                padding: o.padding.map(|both| [both, both]),
                dilation: o.dilation,
            };
            Some(Link::Pool(index, window))
        }
        OperationIr::Module(ModuleOperationIr::MaxPool1d(o)) if !o.ceil_mode => {
            let window = Window {
                kernel: [1, o.kernel_size],
                stride: [1, o.stride],
                padding: [[0; 2], [o.padding; 2]],
                dilation: [1, o.dilation],
            };
            Some(Link::Pool(index, window))
        }
        OperationIr::NumericFloat(_, NumericOperationIr::Pad(o)) => {
            // A constant in the margin is no multiple of the channel.
            match o.mode {
                PadModeIr::Constant(value) if value.elem::<f64>() != 0.0 => None,
                _ => Some(Link::Linear(index)),
            }
        }
        operation if is_linear(operation) => Some(Link::Linear(index)),
        _ => None,
    }
}

impl Link {
    /// What it gives for the channels that `moved`, the rest being as in `before`.
    ///
    /// # Errors
    /// As [`Network::predict`].
    pub fn pass(
        &self,
        network: &Network,
        batch: usize,
        moved: &mut Values,
        before: &Values,
    ) -> Result<(), NnError> {
        let (index, window) = match self {
            Self::Linear(index) => return network.renew(*index, batch, moved, before),
            Self::Pool(index, window) => (*index, window),
        };
        let operation = &network.trace.operations[index];
        let read = operation.inputs().next();
        let read = read.and_then(|tensor| moved.get(&tensor.id).cloned());
        let (Some(read), Some(made)) = (read, output_of(operation)) else {
            return Err(network.refused(index, "it reads what is not known"));
        };
        let rank = read.shape().num_dims();
        let x = maps(read);
        let [b, c, h, w] = x.dims();
        let [oh, ow] = window.output_size([h, w]);
        let means = patches(x, window).mean_dim(2);
        let value = match rank {
            3 => means.reshape([b, c, ow]).into_dispatch(),
            _ => means.reshape([b, c, oh, ow]).into_dispatch(),
        };
        moved.insert(made, value);
        Ok(())
    }
}

impl Reader {
    fn of(trace: &Trace, site: &Site, part: Slices) -> Result<Self, String> {
        let graph = trace.graph();
        let parameter = &graph.parameters()[part.parameter];
        let is_weight = |tensor: TensorId| trace.weight(tensor) == Some(parameter.id);
        let by_it = site.edges().iter().filter(|edge| {
            let operation = &trace.operations[edge.node];
            operation.inputs().any(|tensor| is_weight(tensor.id))
        });
        let [edge] = by_it.collect::<Vec<_>>()[..] else {
            return Err(format!("`{}` reads it more than once", parameter.path));
        };
        let operation = &trace.operations[edge.node];
        let found = producer_of(operation, &is_weight);
        let found = found.filter(|(input, reads)| {
            let axis = match reads {
                Reads::Rows => 0,
                Reads::Maps(_) | Reads::Signals(_) => 1,
            };
            trace.values.get(input) == Some(&edge.value) && part.axis == axis
        });
        let (Some((input, reads)), Some(output)) = (found, output_of(operation)) else {
            return Err(format!(
                "`{}` reads it otherwise than a linear layer or a convolution without groups",
                parameter.path
            ));
        };
        let layer = parameter.layer();
        let bias = graph
            .parameters()
            .iter()
            .any(|other| other.layer() == layer && other.roles.contains(&Some(Role::Bias)));
        Ok(Self {
            input,
            output,
            reads,
            bias,
            part,
        })
    }
}
