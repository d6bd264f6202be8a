//! Rescaled fan-ins: layers that read more than before and vary as they did.

use burgeon_core::Plan;
use burgeon_core::backend::rows_of_maps;
use burn::backend::ir::TensorId;
use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor};
use burn::module::ParamId;
use burn::tensor::{DType, Tensor};

use super::Grown;
use super::form::{Reads, producer_of};
use super::pass::{maps, rows};
use crate::error::NnError;
use crate::part::{Part, finished};
use crate::ports::Input;
use crate::replay::{Network, NoProbe, Value, Values, output_of};

/// A layer that reads a site which grows.
struct Reader {
    operation: usize,
    weight: ParamId,
    output: TensorId,
    reads: Reads,
}

/// What the weights of each layer that reads a growing site are to be multiplied with, in the order
/// of the network, so that its outputs vary as much under `plan` with step `epsilon` as before: the
/// root of the ratio of variances, each a mean over the outputs that the layer had before. Layers
/// are rescaled one after the other, each behind those before it as rescaled. `part` is this rank's of the samples.
/// The second number counts the passes over all of them.
///
/// # Errors
/// [`NnError::Plan`] or [`NnError::Graph`] where the plan does not fit, [`NnError::Operation`]
/// where the widened network does not run.
pub(crate) fn fan_in_factors<I: Input>(
    network: &Network,
    plan: &Plan,
    epsilon: f64,
    part: &Part<I>,
) -> Result<(Vec<(ParamId, f64)>, u64), NnError> {
    let readers = readers(network, plan)?;
    let mut grown = Grown::new(network, plan)?.at(epsilon);
    let before = variances(network, &readers, part)?;
    let mut factors = Vec::with_capacity(readers.len());
    for (reader, before) in readers.iter().zip(before) {
        let after = variances(&grown, std::slice::from_ref(reader), part)?;
        let after = after.first().map_or(&[][..], Vec::as_slice);
        // New outputs come behind those there were.
        let after = after.iter().take(before.len()).sum::<f64>();
        let factor = (before.iter().sum::<f64>() / after).sqrt();
        if !(factor.is_finite() && factor > 0.0) {
            continue;
        }
        if let Some(value) = grown.parameters.get_mut(&reader.weight) {
            *value = scaled(value.clone(), factor);
        }
        factors.push((reader.weight, factor));
    }
    Ok((factors, 1 + readers.len() as u64))
}

fn scaled(value: DispatchTensor, factor: f64) -> DispatchTensor {
    Dispatch::float_mul_scalar(value, factor.into())
}

/// The linear layers and convolutions that read what `plan` grows, in the order of operations.
fn readers(network: &Network, plan: &Plan) -> Result<Vec<Reader>, NnError> {
    let trace = &*network.trace;
    let graph = trace.graph();
    let mut readers: Vec<Reader> = Vec::new();
    for growth in plan.growths() {
        let site = graph.site(growth.site())?;
        for part in graph.fan_out(site) {
            let weight = graph.parameters()[part.parameter].id;
            let is_weight = |tensor: TensorId| trace.weight(tensor) == Some(weight);
            for edge in site.edges() {
                let operation = &trace.operations[edge.node];
                let known = readers.iter().any(|reader| reader.weight == weight);
                let found = producer_of(operation, &is_weight).filter(|_| !known);
                if let (Some((_, reads)), Some(output)) = (found, output_of(operation)) {
                    readers.push(Reader {
                        operation: edge.node,
                        weight,
                        output,
                        reads,
                    });
                }
            }
        }
    }
    readers.sort_by_key(|reader| reader.operation);
    Ok(readers)
}

/// How much each output of each reader varies about its mean.
fn variances<I: Input>(
    network: &Network,
    readers: &[Reader],
    part: &Part<I>,
) -> Result<Vec<Vec<f64>>, NnError> {
    /// Sums of values and of squares of each output.
    #[derive(Default)]
    struct Sums {
        values: Vec<f64>,
        squares: Vec<f64>,
        rows: f64,
    }
    impl Sums {
        /// All that is summed.
        fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
            let values = self.values.iter_mut().chain(&mut self.squares);
            values.chain(std::iter::once(&mut self.rows))
        }
    }
    // In the order of readers, which is that of the sums over ranks.
    let mut sums: Vec<Sums> = readers.iter().map(|_| Sums::default()).collect();
    let mut shards = part.sums();
    for batch in &part.batches {
        let inputs = batch.inputs().clone().into_values();
        let keep = |id| readers.iter().any(|reader| reader.output == id);
        let (answer, mut values): (Value, Values) =
            network.run(&inputs, batch.len(), &keep, &mut NoProbe)?;
        values.entry(network.trace.output).or_insert(answer);
        for (reader, own) in readers.iter().zip(&mut sums) {
            let Some(value) = values.get(&reader.output).cloned() else {
                continue;
            };
            let made = match reader.reads {
                Reads::Rows => rows(value),
                Reads::Maps(_) | Reads::Signals(_) => rows_of_maps(maps(value)),
            };
            let made = made.cast(DType::F64);
            own.rows += made.dims()[0] as f64;
            for (sums, of) in [
                (&mut own.values, made.clone()),
                (&mut own.squares, made.square()),
            ] {
                let found = read(of.sum_dim(0))?;
                sums.resize(found.len(), 0.0);
                sums.iter_mut()
                    .zip(found)
                    .for_each(|(sum, own)| *sum += own);
            }
        }
        if let Some(shards) = &mut shards {
            let numbers = sums.iter_mut().flat_map(Sums::numbers);
            shards.push(numbers.map(std::mem::take).collect());
        }
    }
    if let Some(shards) = shards {
        let found = finished(shards)?;
        let numbers = sums.iter_mut().flat_map(Sums::numbers);
        numbers
            .zip(found)
            .for_each(|(number, found)| *number = found);
    }
    let variance = |sums: &Sums| {
        let Sums {
            values,
            squares,
            rows,
        } = sums;
        let count = rows.max(1.0);
        let each = values.iter().zip(squares);
        each.map(|(sum, square)| (square / count - (sum / count).powi(2)).max(0.0))
            .collect()
    };
    Ok(sums.iter().map(variance).collect())
}

fn read(tensor: Tensor<2>) -> Result<Vec<f64>, NnError> {
    crate::growable::scalar(tensor.try_into_vec_as::<f64>())
}
