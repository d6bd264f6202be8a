//! Columns of all tasks, each frozen once its task is learned.

use burgeon_core::CostModel;
use burgeon_core::cost::Macs;
use burgeon_nn::growable::parameter_count;
use burgeon_nn::{Input, Samples};
use burn::tensor::Tensor;

use crate::architecture::Architecture;
use crate::column::Column;
use crate::error::ContinualError;
use crate::given::{Given, indices};
use crate::layer::plain;
use crate::mask::Mask;
use crate::task::check_images;

/// A network that learns task after task: a column of neurons for each, which reads old neurons
/// through its task's [`Mask`]. No old neuron reads a new one and none is trained again, so what it
/// answers for a task is the same, bit for bit, whatever is learned later.
#[derive(Debug, Clone)]
pub struct ColumnNetwork {
    architecture: Architecture,
    columns: Vec<FrozenColumn>,
}

/// A task's column as it was when the task was learned.
#[derive(Debug, Clone)]
pub(crate) struct FrozenColumn {
    pub column: Column,
    pub mask: Mask,
    /// Multiply-accumulates of its own forward pass, for one sample.
    pub macs: u64,
}

impl ColumnNetwork {
    /// A network that knows no task yet.
    pub fn new(architecture: Architecture) -> Self {
        Self {
            architecture,
            columns: Vec::new(),
        }
    }

    /// What its columns are made of.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Tasks that were learned.
    pub fn tasks(&self) -> usize {
        self.columns.len()
    }

    /// The column of `task`.
    ///
    /// # Errors
    /// [`ContinualError::UnknownTask`].
    pub fn column(&self, task: usize) -> Result<&Column, ContinualError> {
        self.known(task).map(|frozen| &frozen.column)
    }

    /// The old neurons that `task` reuses.
    ///
    /// # Errors
    /// [`ContinualError::UnknownTask`].
    pub fn mask(&self, task: usize) -> Result<&Mask, ContinualError> {
        self.known(task).map(|frozen| &frozen.mask)
    }

    /// Own neurons of each task's hidden layers, `[task][layer]`.
    pub fn widths(&self) -> Vec<Vec<usize>> {
        self.columns
            .iter()
            .map(|frozen| frozen.column.widths())
            .collect()
    }

    /// Parameters of all columns, each counted once; masks are lists of numbers and not counted.
    pub fn parameters(&self) -> u64 {
        let counts = self
            .columns
            .iter()
            .map(|frozen| parameter_count(&frozen.column));
        counts.sum()
    }

    /// Multiply-accumulates of a forward pass for `task` and one sample: its own column and all
    /// that it reads.
    ///
    /// # Errors
    /// [`ContinualError::UnknownTask`].
    pub fn macs(&self, task: usize) -> Result<u64, ContinualError> {
        let own = self.known(task)?;
        let read = self
            .needed(&own.mask)
            .into_iter()
            .map(|task| self.columns[task].macs);
        Ok(own.macs + read.sum::<u64>())
    }

    /// Logits `[b, classes]` of `task` for images `[b, channels, height, width]`.
    ///
    /// # Errors
    /// [`ContinualError::UnknownTask`] for a task that was not learned,
    /// [`ContinualError::InputShape`] for images of another shape.
    pub fn predict(&self, task: usize, images: &Tensor<4>) -> Result<Tensor<2>, ContinualError> {
        let frozen = self.known(task)?;
        check_images(images, self.architecture.input(), || "the batch".to_owned())?;
        let given = self.given(images, &frozen.mask);
        Ok(frozen.column.answers(&given).1)
    }

    /// `images` with what the neurons of `mask` answer to them.
    pub(crate) fn given(&self, images: &Tensor<4>, mask: &Mask) -> Given {
        let images = plain(images.clone());
        let mut answers: Vec<Option<Vec<Tensor<4>>>> = vec![None; self.columns.len()];
        for task in self.needed(mask) {
            let frozen = &self.columns[task];
            let given = gathered(&images, &frozen.mask, &answers);
            answers[task] = Some(frozen.column.answers(&given).0);
        }
        gathered(&images, mask, &answers)
    }

    /// [`given`](Self::given) for all `samples`, in batches.
    pub(crate) fn given_samples(
        &self,
        samples: &Samples<Tensor<4>>,
        mask: &Mask,
        batch_size: usize,
    ) -> Result<Samples<Given>, ContinualError> {
        let images = samples.inputs();
        let starts = (0..samples.len()).step_by(batch_size.max(1));
        let batches: Vec<Given> = starts
            .map(|start| {
                let end = (start + batch_size.max(1)).min(samples.len());
                self.given(&images.slice_rows(start..end), mask)
            })
            .collect();
        let layers = self.architecture.layers().len();
        let joined = |layer: usize| {
            let parts: Option<Vec<Tensor<4>>> = batches
                .iter()
                .map(|batch| batch.reused(layer).cloned())
                .collect();
            parts
                .filter(|parts| !parts.is_empty())
                .map(|parts| Tensor::cat(parts, 0))
        };
        let given = Given::new(plain(images.clone()), (0..layers).map(joined).collect());
        Ok(samples.with_inputs(given, |values| values)?)
    }

    /// Multiply-accumulates that [`given`](Self::given) takes for one sample.
    pub(crate) fn given_macs(&self, mask: &Mask) -> u64 {
        self.needed(mask)
            .into_iter()
            .map(|task| self.columns[task].macs)
            .sum()
    }

    /// Takes in a learned column.
    pub(crate) fn freeze(&mut self, column: &Column, mask: Mask, macs: u64) {
        self.columns.push(FrozenColumn {
            column: column.frozen(),
            mask,
            macs,
        });
    }

    /// The frozen columns.
    pub(crate) fn columns(&self) -> &[FrozenColumn] {
        &self.columns
    }

    /// The fan-in of an old neuron, as a neuron reads that reuses the neurons of `mask` and has
    /// `own` own neurons before it: its weights by those of its inputs that are reused, 0 by the
    /// others, and its bias behind. `None` where none of its inputs can be read.
    pub(crate) fn copied_fan_in(
        &self,
        layer: usize,
        (task, neuron): (usize, usize),
        mask: &Mask,
        own: usize,
    ) -> Option<Vec<f64>> {
        let frozen = self.columns.get(task)?;
        let (weights, bias) = frozen.column.layers().get(layer)?.fan_in(neuron);
        let Some(before) = layer.checked_sub(1) else {
            return Some(weights.into_iter().chain([bias]).collect());
        };
        // Where each of its inputs stands among those that are read now.
        let width = frozen.column.widths()[before];
        let own_inputs = (0..width).map(|neuron| crate::mask::NeuronId { task, neuron });
        let inputs = own_inputs.chain(frozen.mask.layers()[before].iter().copied());
        let read = &mask.layers()[before];
        let taps = self.architecture.taps(layer);
        let mut fan_in = vec![0.0; (own + read.len()) * taps + 1];
        let mut found = false;
        for (input, weights) in inputs.zip(weights.chunks(taps)) {
            if let Some(place) = read.iter().position(|id| *id == input) {
                let start = (own + place) * taps;
                fan_in[start..start + taps].copy_from_slice(weights);
                found = true;
            }
        }
        if let Some(last) = fan_in.last_mut() {
            *last = bias;
        }
        found.then_some(fan_in)
    }

    fn known(&self, task: usize) -> Result<&FrozenColumn, ContinualError> {
        let learned = self.columns.len();
        self.columns
            .get(task)
            .ok_or(ContinualError::UnknownTask { task, learned })
    }

    /// The tasks whose columns are computed for `mask`, in order: those that it reads, those that
    /// they read, and so on.
    fn needed(&self, mask: &Mask) -> Vec<usize> {
        let mut needed = vec![false; self.columns.len()];
        for task in mask.tasks() {
            needed[task] = true;
        }
        // A column reads earlier ones only.
        for task in (0..self.columns.len()).rev() {
            if needed[task] {
                for read in self.columns[task].mask.tasks() {
                    needed[read] = true;
                }
            }
        }
        (0..needed.len()).filter(|task| needed[*task]).collect()
    }
}

/// `images` with the answers of the neurons of `mask`, of those that are computed.
fn gathered(images: &Tensor<4>, mask: &Mask, answers: &[Option<Vec<Tensor<4>>>]) -> Given {
    let layers = mask.layers().iter().enumerate().map(|(layer, ids)| {
        let mut parts = Vec::new();
        // Neurons of one task are next to each other.
        for run in ids.chunk_by(|a, b| a.task == b.task) {
            let all = &answers.get(run[0].task)?.as_ref()?[layer];
            let chosen: Vec<usize> = run.iter().map(|id| id.neuron).collect();
            parts.push(all.clone().select(1, indices(&chosen, &all.device())));
        }
        (!parts.is_empty()).then(|| Tensor::cat(parts, 1))
    });
    Given::new(images.clone(), layers.collect())
}

/// Multiply-accumulates of a column's own forward pass, for one sample like those of `samples`.
pub(crate) fn column_macs(
    column: &Column,
    samples: &Samples<Given>,
) -> Result<u64, ContinualError> {
    Ok(Macs.cost(&burgeon_nn::cost::layer_shapes(column, samples)?))
}
