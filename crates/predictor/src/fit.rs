//! Growing a network on records.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use burgeon::backend::flex::FLEX;
use burgeon::core::cost::{CostModel, Macs};
use burgeon::data::own::Records;
use burgeon::nn::cost::layer_shapes;
use burgeon::nn::growable::parameter_count;
use burgeon::nn::samples::order::shuffled;
use burgeon::nn::samples::stratified_rows;
use burgeon::prelude::*;
use burgeon::train::{Advance, Outcome, WidthLimits};
use burgeon_run::{Goal, InputSchema, Schema, TargetSchema, Targets, rows};
use burn::optim::AdamWConfig;
use burn::tensor::{Device, Tensor, TensorData};

use crate::architecture::{Architecture, Cnn, Form, Kind, Mlp};
use crate::card::card;
use crate::error::{PredictorError, file, io};
use crate::latency::PassLatency;
use crate::layers::{MapsNetwork, RowsNetwork};
use crate::predict::restored;
use crate::run::{
    Description, Folder, LatencyFigures, Size, StartFigures, Summary, write, write_json,
};
use crate::settings::{FitSettings, SizeBudget};
use crate::sizing::{Sizing, pass};
use crate::start::Start;
use crate::watch::Watch;

/// AdamW's, as in the default recipe's table.
const WEIGHT_DECAY: f32 = 0.1;

/// The share of a run until which it grows.
const GROWN_UNTIL: f64 = 0.3;

/// The data of a fit.
#[derive(Debug, Clone, Copy)]
pub struct FitData<'a> {
    /// Where they come from, for the model card.
    pub name: &'a str,
    /// The rows.
    pub records: &'a Records,
    /// Rows to be held out; a share of the others where there are none.
    pub held: Option<&'a Records>,
    /// The column to be predicted; the last one where nothing is said.
    pub target: Option<&'a str>,
    /// Class or number; by the column where nothing is said.
    pub goal: Option<Goal>,
}

/// How a fit ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Fit {
    /// All was trained, or the time was over.
    Done(Box<Summary>),
    /// It was interrupted; begun again, it goes on.
    Interrupted,
}

/// Grows a network on `data` in the folder `out`, from a quarter of the width that fills the
/// budget, by the recipe of [`GrowerConfig::default`]: all layers double, twice unless the settings
/// say otherwise, by new neurons that nothing reads yet. Killed and begun again, it goes on to the
/// same result.
///
/// # Errors
/// [`PredictorError`] before anything is trained for data or settings that cannot work, and for a
/// folder that holds a run of others, with what differs.
pub fn fit(
    data: &FitData<'_>,
    settings: &FitSettings,
    out: &Path,
    watch: &Watch,
) -> Result<Fit, PredictorError> {
    settings.check()?;
    watch.check()?;
    let (train, held) = split(data, settings)?;
    let schema = Schema::of(data.records, data.target, data.goal, &train)?;
    if schema.target.goal() == Goal::Regression && settings.target_accuracy.is_some() {
        return Err(PredictorError::Settings(
            "a number has no accuracy: leave the target accuracy out".into(),
        ));
    }
    let start = settings.start.as_deref().map(Start::read).transpose()?;
    let wanted = match (&start, settings.kind) {
        _ if settings.network.is_some() => Some(Kind::Layers),
        (Some(start), Some(kind)) if start.kind() != kind => {
            return Err(PredictorError::Settings(format!(
                "{} holds another kind of network: leave the kind out",
                start.path().display()
            )));
        }
        (Some(start), _) => Some(start.kind()),
        (None, kind) => kind,
    };
    let kind = match (wanted, &schema.inputs) {
        (None, InputSchema::Images { .. }) => Kind::Cnn,
        (None, InputSchema::Columns(_)) => Kind::Mlp,
        (Some(Kind::Cnn), InputSchema::Columns(_)) => {
            return Err(PredictorError::Settings(
                "a CNN needs images: take an MLP for a table".into(),
            ));
        }
        (Some(kind), _) => kind,
    };
    let is_image = matches!(schema.inputs, InputSchema::Images { .. });
    let prepared = Prepared {
        data,
        settings,
        schema,
        train,
        held,
        start,
    };
    match kind {
        Kind::Mlp => prepared.grow::<Mlp>(kind, out, watch),
        Kind::Cnn => prepared.grow::<Cnn>(kind, out, watch),
        Kind::Layers if is_image => prepared.grow::<MapsNetwork>(kind, out, watch),
        Kind::Layers => prepared.grow::<RowsNetwork>(kind, out, watch),
    }
}

/// The rows to train on and, of the same records, those that are held out.
fn split(
    data: &FitData<'_>,
    settings: &FitSettings,
) -> Result<(Vec<usize>, Vec<usize>), PredictorError> {
    let count = rows(data.records);
    let all: Vec<usize> = (0..count).collect();
    if data.held.is_some() {
        return Ok((all, Vec::new()));
    }
    if count < 10 {
        return Err(PredictorError::Schema(format!(
            "{count} rows are too few to learn from and to hold some out: at least 10 are needed"
        )));
    }
    // The classes of all rows: what is standardised depends on the split.
    let target = Schema::of(data.records, data.target, data.goal, &all)?.target;
    let share = settings.held_share;
    let (train, held) = match target.encode(data.records)? {
        Targets::Classes(classes) => {
            let classes: Vec<i64> = classes.into_iter().map(|class| class as i64).collect();
            stratified_rows(&classes, share, settings.seed)?
        }
        Targets::Numbers(_) => {
            let order = shuffled(count, settings.seed);
            let held = ((count as f64 * share).round() as usize).clamp(1, count - 1);
            (order[held..].to_vec(), order[..held].to_vec())
        }
    };
    match train.is_empty() || held.is_empty() {
        true => Err(PredictorError::Settings(format!(
            "a held share of {share} of {count} rows leaves a part empty"
        ))),
        false => Ok((train, held)),
    }
}

struct Prepared<'a> {
    data: &'a FitData<'a>,
    settings: &'a FitSettings,
    schema: Schema,
    train: Vec<usize>,
    held: Vec<usize>,
    start: Option<Start>,
}

impl Prepared<'_> {
    /// Samples of `records`.
    fn samples<A: Architecture>(
        &self,
        records: &Records,
        device: &Device,
    ) -> Result<Samples<A::Input>, PredictorError> {
        let shape = self.schema.inputs.shape();
        let inputs = A::inputs(self.schema.inputs.encode(records)?, &shape, device);
        Ok(match self.schema.target.encode(records)? {
            Targets::Classes(classes) => {
                let count = self.schema.target.outputs();
                Samples::classification(inputs, &classes, count, device)?
            }
            Targets::Numbers(numbers) => {
                let rows = numbers.len();
                let values = Tensor::from_data(TensorData::new(numbers, [rows, 1]), device);
                Samples::regression(inputs, values)?
            }
        })
    }

    fn grow<A: Architecture>(
        &self,
        kind: Kind,
        out: &Path,
        watch: &Watch,
    ) -> Result<Fit, PredictorError> {
        let device = FLEX.device();
        let all = self.samples::<A>(self.data.records, &device)?;
        let (train, held) = match self.data.held {
            Some(held) => (all, self.samples::<A>(held, &device)?),
            None => (all.subset(&self.train)?, all.subset(&self.held)?),
        };
        let (train_rows, held_rows) = (train.len(), held.len());
        let mut form = self.form(kind)?;
        let mut sizing = Sizing::<A> {
            settings: self.settings,
            latency: None,
            example: train.subset(&[0])?,
        };
        if kind == Kind::Layers || self.start.is_some() {
            sizing.check_form(&form)?;
        }
        if matches!(self.settings.budget, SizeBudget::Latency(_)) {
            sizing.latency = Folder::kept_latency(out)?;
            if sizing.latency.is_none() {
                sizing.time(&form)?;
            }
        }
        if kind != Kind::Layers && self.start.is_none() {
            let width = sizing.start_width(&form)?;
            form.widths.fill(width);
        }
        device.seed(self.settings.seed);
        let mut model = A::new(&form, &device.clone().autodiff());
        let mut description = Description::new(self.schema.clone(), &form);
        let mut start_figures = None;
        if let Some(start) = &self.start {
            model = start.restore(&model, &self.schema)?;
            start_figures = Some(self.figures(&model, &held)?);
            description.start = Some(start.hash().to_owned());
        }
        if kind == Kind::Layers || self.start.is_some() {
            sizing.check(&model)?;
        }
        let latency = sizing.latency;
        let folder = Folder::make(out)?;
        folder.check_start(&description)?;
        let epochs = self.settings.epochs(train_rows);
        let mut config = self.config(epochs, train_rows, latency.as_ref());
        if let Some(target) = self.settings.target_accuracy {
            config = config.with_target_accuracy(target);
        }
        let task = match self.schema.target {
            TargetSchema::Classes { .. } => Task::new(CrossEntropy, train, held),
            TargetSchema::Number { .. } => Task::new(MeanSquaredError, train, held),
        };
        let optimizer = AdamWConfig::new().with_weight_decay(WEIGHT_DECAY).init();
        let mut grower = Grower::new(config, FLEX, task, model, optimizer)?;
        if let Some(interrupt) = &watch.interrupt {
            grower = grower.interrupt_by(interrupt.clone());
        }
        grower = watch.observe(grower, epochs);
        grower = grower.checkpoint_at(folder.checkpoint())?;
        write_json(&folder.description(), &description)?;
        if let Some(latency) = &latency {
            write_json(&folder.latency(), latency)?;
        }
        let started = Instant::now();
        let ended = loop {
            let over = watch.time.is_some_and(|most| started.elapsed() >= most);
            if over && grower.state().epoch > 0 {
                break "the time is over".to_owned();
            }
            match grower.advance()? {
                Advance::Epoch => keep(&grower, &folder)?,
                Advance::GrowthStep => {}
                Advance::Ended(Outcome::Interrupted) => return Ok(Fit::Interrupted),
                Advance::Ended(Outcome::Stopped(reason)) => break reason.to_string(),
            }
        };
        let mut sizes = sizes(&grower, &folder);
        for size in &mut sizes {
            measure::<A>(
                size,
                &description,
                &folder,
                latency.as_ref(),
                &sizing.example,
            )?;
        }
        let held = |size: &Size| Evaluation {
            loss: size.held_loss,
            accuracy: size.held_accuracy,
        };
        let best = sizes.iter().min_by(|a, b| by_quality(&held(a), &held(b)));
        let best = best.ok_or_else(|| file(folder.path(), "the run kept no network"))?;
        let weights = folder.path().join(&best.weights);
        write(
            &folder.weights(),
            &fs::read(&weights).map_err(io(&weights))?,
        )?;
        let best = best.parameters;
        let summary = Summary {
            data: self.data.name.to_owned(),
            train_rows,
            held_rows,
            settings: self.settings.clone(),
            start: start_figures,
            sizes,
            best,
            training_macs: grower.state().training_macs,
            ended,
            timing: latency.as_ref().map(PassLatency::description),
        };
        write_json(&folder.summary(), &summary)?;
        write(
            &folder.card(),
            card(&self.schema, kind, &summary).as_bytes(),
        )?;
        Ok(Fit::Done(Box::new(summary)))
    }

    /// The form of the network to start from; widths that are not known yet are 1.
    fn form(&self, kind: Kind) -> Result<Form, PredictorError> {
        let lanes = self.settings.lanes;
        let shape = self.schema.inputs.shape();
        if let Some(network) = &self.settings.network {
            let checked = network.check(&shape);
            let checked = checked.and_then(|()| network.check_lanes(lanes));
            checked.map_err(PredictorError::Settings)?;
        }
        let widths = match &self.start {
            Some(start) => start.hidden().to_vec(),
            None if kind == Kind::Layers => Vec::new(),
            None => vec![1; self.settings.layers],
        };
        let odd = widths.iter().find(|width| *width % lanes != 0);
        if let (Some(width), Some(start)) = (odd, &self.start) {
            return Err(PredictorError::Settings(format!(
                "{} has a layer of {width} neurons, which is no multiple of {lanes} lanes: leave \
                 the lanes out",
                start.path().display()
            )));
        }
        Ok(Form {
            kind,
            shape,
            outputs: self.schema.target.outputs(),
            widths,
            file: self.settings.network.clone(),
        })
    }

    /// How it is grown.
    fn config(
        &self,
        epochs: usize,
        train_rows: usize,
        latency: Option<&PassLatency>,
    ) -> GrowerConfig {
        let settings = self.settings;
        let mut config = GrowerConfig::default()
            .with_seed(settings.seed)
            .with_batch_size(settings.batch_size.min(train_rows))
            .with_max_epochs(epochs)
            .with_trigger(Trigger::Spread {
                growths: settings.growths,
                until: GROWN_UNTIL,
            });
        if settings.lanes > 1 {
            config = config.with_widths(WidthLimits::default().multiples_of(settings.lanes));
        }
        if let Some(macs) = settings.training_macs {
            config = config.with_training_macs(macs);
        }
        match (settings.budget, latency) {
            (SizeBudget::Parameters(most), _) => config.with_parameter_budget(most),
            (SizeBudget::Latency(most), Some(latency)) => {
                config.with_cost_budget(latency.clone(), most)
            }
            (SizeBudget::Macs(most) | SizeBudget::Latency(most), _) => {
                config.with_cost_budget(Macs, most)
            }
        }
    }

    /// How good a network is before it is trained.
    fn figures<A: Architecture>(
        &self,
        model: &A,
        held: &Samples<A::Input>,
    ) -> Result<StartFigures, PredictorError> {
        let batch_size = self.settings.batch_size;
        let found = match self.schema.target {
            TargetSchema::Classes { .. } => evaluate(model, &CrossEntropy, held, batch_size)?,
            TargetSchema::Number { .. } => evaluate(model, &MeanSquaredError, held, batch_size)?,
        };
        Ok(StartFigures {
            parameters: parameter_count(model),
            held_loss: found.loss,
            held_accuracy: found.accuracy,
        })
    }
}

/// Multiply-accumulates of a size, and what a pass takes where the budget is one of time.
fn measure<A: Architecture>(
    size: &mut Size,
    description: &Description,
    folder: &Folder,
    latency: Option<&PassLatency>,
    example: &Samples<A::Input>,
) -> Result<(), PredictorError> {
    let network: A = restored(description, &folder.path().join(&size.weights))?;
    let layers = layer_shapes(&network, example)?;
    size.macs = Macs.cost(&layers);
    size.latency = latency.map(|latency| LatencyFigures {
        predicted: latency.cost(&layers),
        measured: pass(&network, &description.schema.inputs.shape()),
    });
    Ok(())
}

/// By accuracy where there is one, by loss among equals: the better one is the less.
fn by_quality(a: &Evaluation, b: &Evaluation) -> Ordering {
    let accuracy = |held: &Evaluation| held.accuracy.unwrap_or(0.0);
    let by_accuracy = accuracy(b).total_cmp(&accuracy(a));
    by_accuracy.then(a.loss.total_cmp(&b.loss))
}

/// Keeps the network of an epoch if it is the best of its size.
fn keep<A: Architecture>(grower: &Grower<A>, folder: &Folder) -> Result<(), PredictorError> {
    let epochs = &grower.state().epochs;
    let Some(last) = epochs.last() else {
        return Ok(());
    };
    let same = epochs.iter().filter(|e| e.parameters == last.parameters);
    // The first of equal ones.
    let best = same.min_by(|a, b| by_quality(&a.held, &b.held));
    if best.is_some_and(|best| best.epoch == last.epoch) {
        let path = folder.path().join(Folder::size(last.parameters));
        save_weights(grower.model(), &path)?;
    }
    Ok(())
}

/// Every size that was passed, at its best epoch.
fn sizes<A: Architecture>(grower: &Grower<A>, folder: &Folder) -> Vec<Size> {
    let state = grower.state();
    let mut widths: BTreeMap<u64, Vec<(String, usize)>> = BTreeMap::new();
    for growth in &state.journal {
        widths.insert(growth.parameters_before, growth.widths_before.clone());
        widths.insert(growth.parameters_after, growth.widths_after.clone());
    }
    let now = parameter_count(grower.model());
    widths.entry(now).or_insert_with(|| grower.graph().widths());
    let sizes = widths.into_iter().filter_map(|(parameters, widths)| {
        let own = state.epochs.iter().filter(|e| e.parameters == parameters);
        let best = own.min_by(|a, b| by_quality(&a.held, &b.held))?;
        let weights = Folder::size(parameters);
        folder.path().join(&weights).is_file().then_some(Size {
            parameters,
            widths,
            epoch: best.epoch,
            held_loss: best.held.loss,
            held_accuracy: best.held.accuracy,
            weights,
            macs: 0,
            latency: None,
        })
    });
    sizes.collect()
}
