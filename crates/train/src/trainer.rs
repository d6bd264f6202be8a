//! Training, an epoch at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burgeon_core::cost::Macs;
use burgeon_core::{CostModel, Team};
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::growable::{
    check_reads, check_targets, copy, evaluate_in, parameter_count, predict_batch, predict_inputs,
    scalar,
};
use burgeon_nn::{Growable, Input, NnError, Objective, Samples, Source};
use burgeon_ops::precision::{narrowed, widened};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Tensor};

use crate::newborn::Newborn;
use crate::ranks::{ShardThreads, Shared, check_repeats};
use crate::rate::{PlateauState, RunProgress};
use crate::records::EpochRecord;
use crate::settings::TrainConfig;
use crate::streams::stream;
use crate::task::Task;
use crate::training_cost::TRAINING_PASS;

/// The type of products in mixed precision: it has the range of f32, so that gradients need no
/// scaling.
pub(crate) const PRODUCT: DType = DType::BF16;

/// Samples on which a forward pass is made twice.
const FEW: usize = 32;

/// Trains any [`Growable`] model, an epoch at a time; it knows nothing of growing.
///
/// ```
/// use burgeon_backend_flex::FLEX;
/// use burgeon_core::SplitBackend;
/// use burgeon_nn::{CrossEntropy, Growable, Samples};
/// use burgeon_train::{TrainConfig, Trainer};
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::AdamConfig;
/// use burn::tensor::{Tensor, TensorData};
///
/// #[derive(Module, Debug)]
/// struct Softmax {
///     output: Linear,
/// }
///
/// impl Growable for Softmax {
///     type Input = Tensor<2>;
///     type Output = Tensor<2>;
///
///     fn predict(&self, input: Tensor<2>) -> Tensor<2> {
///         self.output.forward(input)
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = FLEX.device();
/// device.seed(7);
/// let digits = burgeon_data::optdigits::load()?.train;
/// let pixels = TensorData::new(digits.pixels.clone(), [digits.len(), 64]);
/// let samples = Samples::classification(
///     Tensor::<2>::from_data(pixels, &device),
///     &digits.labels,
///     10,
///     &device,
/// )?;
/// let mut model = Softmax {
///     output: LinearConfig::new(64, 10).init(&device.autodiff()),
/// };
/// let mut optimizer = AdamConfig::new().init();
/// let trainer = Trainer::new(TrainConfig::default())?;
/// let mut losses = Vec::new();
/// for epoch in 1..=3 {
///     losses.extend(trainer.epoch(&mut model, &mut optimizer, &CrossEntropy, &samples, epoch, 0.01)?);
/// }
/// assert!(losses[2] < losses[0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Trainer {
    config: TrainConfig,
    interrupt: Arc<AtomicBool>,
    team: Option<Team>,
    threads: ShardThreads,
}

/// A model that was trained.
#[derive(Debug)]
pub struct Fitted<M> {
    /// The model.
    pub model: M,
    /// Every epoch.
    pub records: Vec<EpochRecord>,
}

impl Trainer {
    /// # Errors
    /// [`NnError::Settings`] for settings out of range.
    pub fn new(config: TrainConfig) -> Result<Self, NnError> {
        config.check()?;
        Ok(Self {
            config,
            interrupt: Arc::default(),
            team: None,
            threads: ShardThreads::default(),
        })
    }

    /// Trains on all ranks of `team`, which must have the same model, optimizer, samples and
    /// settings. Each goes forward and backward through its own shards of each batch; gradients are
    /// summed in f64, the same bits on any number of ranks, and every rank makes the same step. The
    /// statistics of a [`FastBatchNorm`](burgeon_ops::FastBatchNorm) are those of the whole batch.
    ///
    /// A model whose forward pass in training changes anything else, or draws, is refused when
    /// training begins. Rank by rank the interrupts may come at any time: the first ends all.
    #[must_use]
    pub fn with_team(mut self, team: Team) -> Self {
        self.team = Some(team);
        self
    }

    /// Ends an epoch early once `interrupt` is set.
    #[must_use]
    pub fn interrupt_by(mut self, interrupt: Arc<AtomicBool>) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Trains epoch number `epoch`, from 1, at `rate`: every sample once, in an order that the
    /// seed and the number fix. Returns the mean loss over its batches, as training saw them;
    /// `None` if it was interrupted, with model and optimizer as they were before, as they are
    /// after an error too.
    ///
    /// # Errors
    /// [`NnError::Diverged`] if the loss is not finite, [`NnError::Data`] if the model does not
    /// read the samples.
    pub fn epoch<M: Growable>(
        &self,
        model: &mut M,
        optimizer: &mut ModuleOptimizer,
        objective: &dyn Objective,
        source: &dyn Source<M::Input>,
        epoch: usize,
        rate: f64,
    ) -> Result<Option<f64>, NnError> {
        let mut none = Newborn::default();
        let at = (epoch, rate);
        self.epoch_with(model, optimizer, objective, source, at, &mut none)
    }

    /// [`epoch`](Self::epoch) of a model of which `newborn` weights have a rate of their own.
    pub(crate) fn epoch_with<M: Growable>(
        &self,
        model: &mut M,
        optimizer: &mut ModuleOptimizer,
        objective: &dyn Objective,
        source: &dyn Source<M::Input>,
        (epoch, rate): (usize, f64),
        newborn: &mut Newborn,
    ) -> Result<Option<f64>, NnError> {
        let TrainConfig {
            batch_size, seed, ..
        } = self.config;
        let Some(device) = model.devices().into_iter().next() else {
            return Err(NnError::Model("it has no parameter to train".into()));
        };
        if self.config.seeds_device {
            device.seed(stream(seed, "device", epoch));
        }
        let dtype = float_type(model)?.unwrap_or(DType::F32);
        let mut trained = copy(model);
        let mut state = optimizer.clone();
        let mut young = newborn.masks(&trained, self.config.new_weights);
        let (mut losses, mut total) = (Vec::new(), 0.0);
        if self.team.is_some() {
            let few: Vec<usize> = (0..source.len().min(FEW)).collect();
            check_repeats(&trained, &source.subset(&few)?, &device)?;
        }
        // Where the targets of all samples are not known before, those of each batch are checked.
        let unknown = source.targets().is_none();
        for batch in source.batches(batch_size, stream(seed, "order", epoch)) {
            let batch = batch?;
            if self.team.is_none() && self.interrupt.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let size = batch.len();
            let gradients = match &self.team {
                None => {
                    let batch = batch.to_autodiff_of(&device);
                    let found = self.gradients(&trained, objective, &batch, dtype, unknown)?;
                    losses.push((found.0, size));
                    found.1
                }
                Some(team) => {
                    let shared = Shared {
                        team,
                        model: &trained,
                        batch: &batch,
                        device: &device,
                        threads: &self.threads,
                        interrupted: self.interrupt.load(Ordering::Relaxed),
                    };
                    let step = shared.step(&|model, batch, share| {
                        self.shard_gradients(model, objective, batch, dtype, unknown, share)
                    })?;
                    let Some(mut step) = step else {
                        return Ok(None);
                    };
                    trained = step.apply(trained);
                    total += step.loss * size as f64;
                    step.gradients
                }
            };
            let before = young.before(&trained);
            trained = young.after(before, state.step(rate, trained, gradients));
        }
        for (loss, size) in losses {
            total += scalar::<f64>(loss.try_into_scalar())? * size as f64;
        }
        let loss = total / source.len() as f64;
        if !loss.is_finite() {
            return Err(NnError::Diverged { epoch, loss });
        }
        newborn.age(young.steps(), self.config.new_weights);
        (*model, *optimizer) = (trained, state);
        Ok(Some(loss))
    }

    /// Trains `epochs` epochs, the learning rate's own from the first on; `watch` is told of each.
    /// `None` if it was interrupted.
    ///
    /// # Errors
    /// As [`epoch`](Self::epoch), and [`NnError::Diverged`] if the held loss is not finite.
    pub fn fit<M: Growable>(
        &self,
        mut model: M,
        mut optimizer: ModuleOptimizer,
        task: &Task<M::Input>,
        epochs: usize,
        watch: &mut dyn FnMut(&EpochRecord),
    ) -> Result<Option<Fitted<M>>, NnError> {
        let objective = task.objective.as_ref();
        let (train, batch_size) = (task.train.as_ref(), self.config.batch_size);
        let first = first_samples(train, batch_size)?;
        for samples in [&first, &task.held] {
            check_reads(&model.valid(), objective, samples, batch_size)?;
        }
        if let Some(targets) = train.targets() {
            check_targets(&predict_batch(&model.valid(), &first)?, objective, targets)?;
        }
        let pass = Macs
            .cost(&layer_shapes(&model, &first)?)
            .saturating_mul(TRAINING_PASS);
        let macs = pass.saturating_mul(train.len() as u64);
        let mut plateau = PlateauState::default();
        let mut records = Vec::with_capacity(epochs);
        for epoch in 1..=epochs {
            let progress = RunProgress {
                epoch: epoch - 1,
                growths: 0,
                phase_epoch: epoch - 1,
                spent: (epoch - 1) as f64 / epochs as f64,
            };
            let learning_rate = self.config.learning_rate.rate(&progress, &plateau);
            let (model, state) = (&mut model, &mut optimizer);
            let loss = self.epoch(model, state, objective, train, epoch, learning_rate)?;
            let Some(train_loss) = loss else {
                return Ok(None);
            };
            let team = self.team.as_ref();
            let held = evaluate_in(model, objective, &task.held, batch_size, team)?;
            if !held.loss.is_finite() {
                let loss = held.loss;
                return Err(NnError::Diverged { epoch, loss });
            }
            let record = EpochRecord {
                epoch,
                train_loss,
                held,
                learning_rate,
                parameters: parameter_count(model),
                training_macs: macs.saturating_mul(epoch as u64),
            };
            self.config.learning_rate.observe(train_loss, &mut plateau);
            watch(&record);
            records.push(record);
        }
        Ok(Some(Fitted { model, records }))
    }

    /// The loss of a batch, off the tape, and the gradients of what is minimised.
    fn gradients<M: Growable>(
        &self,
        model: &M,
        objective: &dyn Objective,
        batch: &Samples<M::Input>,
        dtype: DType,
        unknown: bool,
    ) -> Result<(Tensor<1>, GradientsParams), NnError> {
        self.gradients_of(model, objective, batch, dtype, unknown, minimised)
    }

    /// The loss of a shard, and the gradients of `share` of it, without the penalty.
    fn shard_gradients<M: Growable>(
        &self,
        model: &M,
        objective: &dyn Objective,
        batch: &Samples<M::Input>,
        dtype: DType,
        unknown: bool,
        share: f64,
    ) -> Result<(f64, GradientsParams), NnError> {
        let of_share = |model: &M, loss: &Tensor<1>| {
            let loss = loss.clone().mul_scalar(share);
            GradientsParams::from_grads(loss.backward(), model)
        };
        let found = self.gradients_of(model, objective, batch, dtype, unknown, of_share)?;
        Ok((scalar::<f64>(found.0.try_into_scalar())?, found.1))
    }

    /// The loss of a batch, off the tape, and what `minimised` finds of it and a model.
    fn gradients_of<M: Growable>(
        &self,
        model: &M,
        objective: &dyn Objective,
        batch: &Samples<M::Input>,
        dtype: DType,
        unknown: bool,
        minimised: impl Fn(&M, &Tensor<1>) -> GradientsParams,
    ) -> Result<(Tensor<1>, GradientsParams), NnError> {
        let known = |output: &Tensor<2>| match unknown {
            true => check_targets(output, objective, batch.targets()),
            false => Ok(()),
        };
        if !self.config.mixed_precision {
            let output = predict_batch(model, batch)?;
            known(&output)?;
            let loss = objective.loss(output, batch.targets());
            let gradients = minimised(model, &loss);
            return Ok((loss.inner(), gradients));
        }
        let narrow = narrowed(model, PRODUCT);
        let inputs = batch.inputs().clone().cast_floats(PRODUCT);
        let output = predict_inputs(&narrow, inputs, batch)?.cast(dtype);
        known(&output)?;
        let loss = objective.loss(output, batch.targets());
        let gradients = widened(minimised(&narrow, &loss), model);
        Ok((loss.inner(), gradients))
    }
}

/// As many samples as a batch has, the first ones.
pub(crate) fn first_samples<I: Input>(
    source: &dyn Source<I>,
    batch_size: usize,
) -> Result<Samples<I>, NnError> {
    let few: Vec<usize> = (0..source.len().min(batch_size)).collect();
    source.subset(&few)
}

/// Gradients of `loss` and the penalty by the parameters of `model`.
fn minimised<M: Growable>(model: &M, loss: &Tensor<1>) -> GradientsParams {
    let minimised = match model.penalty() {
        Some(penalty) => loss.clone() + penalty.cast(loss.dtype()),
        None => loss.clone(),
    };
    GradientsParams::from_grads(minimised.backward(), model)
}

/// The type of all floats of `model`; `None` if it has none.
///
/// # Errors
/// [`NnError::Settings`] that names two parameters of different types.
pub(crate) fn float_type<M: Module>(model: &M) -> Result<Option<DType>, NnError> {
    struct Types {
        path: Vec<String>,
        first: Option<(String, DType)>,
        problem: Option<String>,
    }
    impl ModuleVisitor for Types {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let (name, dtype) = (self.path.join("."), param.val().dtype());
            let (first, expected) = self.first.get_or_insert_with(|| (name.clone(), dtype));
            if dtype != *expected {
                self.problem.get_or_insert(format!(
                    "`{name}` is in {dtype:?}, but `{first}` is in {expected:?}: bring the model \
                     into one type, for instance by `burgeon_nn::growable::cast`"
                ));
            }
        }
    }
    let mut types = Types {
        path: Vec::new(),
        first: None,
        problem: None,
    };
    model.visit(&mut types);
    match types.problem {
        None => Ok(types.first.map(|(_, dtype)| dtype)),
        Some(problem) => Err(NnError::Settings(problem)),
    }
}
