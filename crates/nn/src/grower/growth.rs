//! One growth step of the grower.

use std::sync::Arc;
use std::time::Instant;

use burgeon_core::{Budget, Capture, Plan};
use burgeon_graph::Graph;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::config::{Accept, SearchSamples, StepSize};
use super::step::{fit_budget, fit_cost_budget, output_change_of};
use super::{Grower, stream};
use crate::capture::{Pass, capture_of};
use crate::cost::{added_costs, cost_per_neuron, graph_layers, predicts_exactly};
use crate::error::NnError;
use crate::growable::{Growable, evaluate, parameter_count};
use crate::observer::Event;
use crate::passes::ForwardPasses;
use crate::records::{GrowthRecord, SiteGrowth, StopReason, Verdict};
use crate::samples::Samples;
use crate::search::LineSearch;
use crate::spectra::{captured as spectra, spectra_with_passes};
use crate::surgery::{apply_plan, carry_optimizer};
use crate::trace::Trace;

impl<M: Growable> Grower<M> {
    /// Makes or refuses one growth, or ends the run where none is allowed.
    pub(super) fn grow(&mut self, trigger: &str) -> Result<(), NnError> {
        let limits = self.config.values.limits;
        if limits
            .max_growths
            .is_some_and(|most| self.state.growths >= most)
        {
            self.state.stopped = Some(StopReason::GrowthLimit);
            return Ok(());
        }
        let trace = self.trace()?;
        let graph = trace.graph();
        let parameters = parameter_count(&self.model);
        if let Some(budget) = limits.parameter_budget {
            let costs = graph
                .growable()
                .map(|site| cost_per_neuron(graph, site.name()));
            if costs.min().is_some_and(|least| parameters + least > budget) {
                self.state.stopped = Some(StopReason::ParameterBudget);
                return Ok(());
            }
        }
        if self.cost_is_spent(graph) {
            self.state.stopped = Some(StopReason::CostBudget);
            return Ok(());
        }
        let started = Instant::now();
        let mut record = match self.replay.as_mut() {
            Some(journal) => {
                let Some(record) = journal.pop_front() else {
                    self.state.stopped = Some(StopReason::GrowthLimit);
                    return Ok(());
                };
                self.redo(&record, graph)?;
                record
            }
            None => self.attempt(trigger, &trace, parameters)?,
        };
        record.seconds = started.elapsed().as_secs_f64();
        record.parameters_after = parameter_count(&self.model);
        record.widths_after = self.trace()?.graph().widths();
        self.state.phase_epoch = 0;
        self.state.best_loss = None;
        self.state.stalled = 0;
        if record.verdict == Verdict::Committed {
            self.state.growths += 1;
            self.state.refusals = 0;
        } else {
            self.state.refusals += 1;
            if self.state.refusals >= limits.max_refusals {
                self.state.stopped = Some(StopReason::Refused(record.verdict.clone()));
            }
        }
        self.state.journal.push(record.clone());
        self.notify(Event::Growth(&record))
    }

    fn attempt(
        &mut self,
        trigger: &str,
        trace: &Arc<Trace>,
        parameters: u64,
    ) -> Result<GrowthRecord, NnError> {
        let graph = trace.graph();
        let step = self.state.journal.len() + 1;
        let samples = self.captured_samples(step);
        let (captured, passes, plan) = self.propose(&samples, trace, parameters, step)?;
        let widths = graph.widths();
        let mut record = GrowthRecord {
            step,
            epoch: self.state.epoch,
            trigger: trigger.to_owned(),
            verdict: Verdict::NoCandidate,
            plan,
            epsilon: 0.0,
            trials: Vec::new(),
            predicted_decrease: None,
            measured_decrease: None,
            sites: Vec::new(),
            output_change_at_zero: 0.0,
            held_loss_before: 0.0,
            held_loss_after: 0.0,
            parameters_before: parameters,
            parameters_after: parameters,
            widths_before: widths.clone(),
            widths_after: widths,
            seconds: 0.0,
        };
        let batch = self.config.values.batch_size;
        if !record.plan.is_empty() {
            let probe = samples.sample(batch, 0);
            record.output_change_at_zero =
                output_change_of(&self.model, graph, &record.plan, &probe, batch)?;
        }
        let unchanged = record.output_change_at_zero <= zero_bound(&self.model);
        let search = self.search(trace, &record.plan, unchanged, passes)?;
        record.held_loss_before = self.held_loss(&self.model, search.baseline)?;
        record.held_loss_after = record.held_loss_before;
        record.trials.clone_from(&search.trials);
        if record.plan.is_empty() {
            return Ok(record);
        }
        if !unchanged {
            record.verdict = Verdict::OutputChanged;
            return Ok(record);
        }
        let Some((epsilon, loss)) = self.accepted(&search) else {
            record.verdict = Verdict::NoDecrease;
            return Ok(record);
        };
        let (grown, edits) = apply_plan(&self.model, graph, &record.plan, epsilon)?;
        let after = evaluate(&grown, self.task.objective.as_ref(), &samples, batch)?;
        let measured = captured.loss - after.loss;
        record.measured_decrease = Some(measured);
        record.predicted_decrease = record.plan.predicted_gain().map(|g| g * epsilon * epsilon);
        if self.contradicts(&record, graph, captured.loss) {
            record.verdict = Verdict::PredictionContradicted;
            return Ok(record);
        }
        record.sites = self.site_growths(graph, &record.plan, epsilon, &samples, captured.loss)?;
        self.optimizer = carry_optimizer(self.optimizer.clone(), &edits)?;
        record.epsilon = epsilon;
        record.held_loss_after = self.held_loss(&grown, loss)?;
        self.replace_model(grown)?;
        record.verdict = Verdict::Committed;
        Ok(record)
    }

    fn propose(
        &self,
        samples: &Samples<M::Input>,
        trace: &Arc<Trace>,
        parameters: u64,
        step: usize,
    ) -> Result<(Capture, Option<ForwardPasses<M>>, Plan), NnError> {
        let values = &self.config.values;
        let criterion = &self.config.criterion;
        let (model, batch_size) = (&self.model, values.batch_size);
        let objective = self.task.objective.as_ref();
        let on_captured = values.search_samples == SearchSamples::Captured;
        let (spectrum, backend) = (&values.spectrum, self.backend.as_ref());
        let graph = trace.graph();
        let pass = || {
            Pass::new(
                model,
                trace.clone(),
                objective,
                samples,
                batch_size,
                backend,
            )
        };
        let (mut captured, passes) = match (criterion.needs_curvature(), on_captured) {
            (true, true) => {
                let found = spectra_with_passes(model, &pass()?, objective, samples, spectrum);
                found.map(|(captured, passes)| (captured, Some(passes)))?
            }
            (true, false) => {
                let found = spectra(model, &pass()?, objective, samples, spectrum, false)?;
                (found.0, None)
            }
            (false, _) => {
                let passes = || ForwardPasses::of(model, trace.clone(), samples, batch_size);
                let passes = on_captured.then(passes).transpose()?;
                let captured = capture_of(model, trace, objective, samples, batch_size, None)?;
                (captured, passes)
            }
        };
        let cost = self.config.cost.as_ref();
        let priced = match values.cost_budget {
            Some(budget) => {
                let layers = graph_layers(graph);
                let now = cost.cost(&layers);
                let step = values.step_share.map(|share| (now as f64 * share) as u64);
                let most = step.map_or(budget, |step| budget.min(now.saturating_add(step)));
                Some((most, layers))
            }
            None => None,
        };
        if priced.is_some() {
            for site in &mut captured.sites {
                site.added_costs = added_costs(graph, cost, &site.name);
            }
        }
        let mut rng = ChaCha8Rng::seed_from_u64(stream(values.seed, "criterion", step));
        let candidates = criterion.candidates(&captured, self.backend.as_ref(), &mut rng)?;
        let limit = values.limits.parameter_budget;
        let budget = Budget {
            neurons: captured.neurons(),
            room: match &priced {
                Some((budget, layers)) => Some(budget.saturating_sub(cost.cost(layers))),
                None => limit.map(|budget| budget.saturating_sub(parameters)),
            },
        };
        let chosen = self.config.selector.select(candidates, budget)?;
        let mut plan = Plan::new(criterion.name(), chosen);
        if let Some(budget) = limit {
            fit_budget(graph, &mut plan, parameters, budget);
        }
        if let Some((budget, _)) = &priced {
            fit_cost_budget(graph, &mut plan, cost, *budget);
        }
        values.widths.fit(graph, &mut plan);
        Ok((captured, passes, plan))
    }

    /// Whether no site can grow within the budget of the cost model.
    fn cost_is_spent(&self, graph: &Graph) -> bool {
        let Some(budget) = self.config.values.cost_budget else {
            return false;
        };
        let cost = self.config.cost.as_ref();
        let now = cost.cost(&graph_layers(graph));
        let added = graph
            .growable()
            .map(|site| added_costs(graph, cost, site.name())[0]);
        added.min().is_none_or(|least| now + least > budget)
    }

    fn captured_samples(&self, step: usize) -> Samples<M::Input> {
        let values = &self.config.values;
        let seed = stream(values.seed, "capture", step);
        self.task.train.sample(values.capture_samples, seed)
    }

    /// The loss as it is and, for a plan that is worth it, under each step: over the samples of
    /// `passes`, or over those held.
    fn search(
        &self,
        trace: &Arc<Trace>,
        plan: &Plan,
        worth_it: bool,
        passes: Option<ForwardPasses<M>>,
    ) -> Result<LineSearch, NnError> {
        let values = &self.config.values;
        let grid = if plan.is_empty() || !worth_it {
            Vec::new()
        } else {
            values.step_size.grid()
        };
        let passes = match passes {
            Some(passes) => passes,
            None => {
                let held = &self.task.held;
                ForwardPasses::of(&self.model, trace.clone(), held, values.batch_size)?
            }
        };
        passes.line_search(plan, &grid, self.task.objective.as_ref())
    }

    /// The held loss of `model`, for which the search found `searched`.
    fn held_loss(&self, model: &M, searched: f64) -> Result<f64, NnError> {
        let values = &self.config.values;
        if values.search_samples == SearchSamples::Held {
            return Ok(searched);
        }
        let objective = self.task.objective.as_ref();
        Ok(evaluate(model, objective, &self.task.held, values.batch_size)?.loss)
    }

    /// The step to take and the loss under it, if the settings accept one.
    fn accepted(&self, search: &LineSearch) -> Option<(f64, f64)> {
        let always = matches!(
            self.config.values.step_size,
            StepSize::Fixed {
                accept: Accept::Always,
                ..
            }
        );
        search
            .best
            .filter(|(_, loss)| always || *loss < search.baseline)
    }

    /// The step's sites, each measured alone where the settings ask for it.
    fn site_growths(
        &self,
        graph: &Graph,
        plan: &Plan,
        epsilon: f64,
        samples: &Samples<M::Input>,
        loss: f64,
    ) -> Result<Vec<SiteGrowth>, NnError> {
        let mut sites = SiteGrowth::of(plan, epsilon);
        if !self.config.values.site_decreases {
            return Ok(sites);
        }
        let objective = self.task.objective.as_ref();
        let batch = self.config.values.batch_size;
        for (site, part) in sites.iter_mut().zip(plan.by_site().values()) {
            let (grown, _) = apply_plan(&self.model, graph, part, epsilon)?;
            let after = evaluate(&grown, objective, samples, batch)?;
            site.measured_decrease = Some(loss - after.loss);
        }
        Ok(sites)
    }

    /// Whether an exact prediction is missed by more than its bound and more than
    /// rounding explains.
    fn contradicts(&self, record: &GrowthRecord, graph: &Graph, loss: f64) -> bool {
        let exact = |site: &str| predicts_exactly(graph, site);
        let (Some(predicted), Some(measured)) =
            (record.predicted_decrease, record.measured_decrease)
        else {
            return false;
        };
        let rounding = 64.0 * f64::from(f32::EPSILON) * loss.abs().max(f64::MIN_POSITIVE);
        record.plan.growths.iter().all(|growth| exact(&growth.site))
            && (measured - predicted).abs()
                > self.config.values.prediction_bound * predicted.abs() + rounding
    }

    /// Makes a growth of a journal again.
    fn redo(&mut self, record: &GrowthRecord, graph: &Graph) -> Result<(), NnError> {
        if record.verdict != Verdict::Committed {
            return Ok(());
        }
        if record.widths_before != graph.widths() {
            return Err(NnError::Plan(format!(
                "step {} of the journal starts from other widths than the model's: replay it \
                 on the model, data and settings it was written with",
                record.step
            )));
        }
        let (grown, edits) = apply_plan(&self.model, graph, &record.plan, record.epsilon)?;
        self.optimizer = carry_optimizer(self.optimizer.clone(), &edits)?;
        self.replace_model(grown)
    }
}

/// Rounding that a right surgery may show at ε = 0.
fn zero_bound<M: Growable>(model: &M) -> f64 {
    let weights = crate::stored::collect(model);
    let single = |weight: &crate::stored::Weight| weight.data.dtype() != burn::tensor::DType::F64;
    if weights.values().any(single) {
        1e-5
    } else {
        1e-12
    }
}
