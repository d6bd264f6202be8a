//! When a run grows, and what becomes of it.

use std::time::Instant;

use burgeon_graph::Graph;
use burgeon_nn::NnError;
use burgeon_nn::cost::{added_costs, cost_per_neuron, graph_layers, place_cost};
use burgeon_nn::growable::parameter_count;
use burgeon_nn::surgery::{ParamEdits, apply_plan, rescale};
use burn::optim::ModuleOptimizer;

use super::Run;
use crate::observer::Event;
use crate::ranks::check_same;
use crate::records::{GrowthEnd, GrowthRecord, Verdict};
use crate::step::Subject;

impl Run {
    /// Makes or refuses one growth, or ends growing where none is allowed.
    pub(super) fn grow(&mut self, trigger: &str) -> Result<(), NnError> {
        if let Some(end) = self.growing_ends() {
            return self.end_growing(end);
        }
        let started = Instant::now();
        let mut record = match self.replay.as_mut() {
            Some(journal) => {
                let Some(record) = journal.pop_front() else {
                    return self.end_growing(GrowthEnd::GrowthLimit);
                };
                self.redo(&record)?;
                record
            }
            None => self.attempt(trigger)?,
        };
        if let Some(team) = &self.team {
            check_same(team, &self.model)?;
        }
        record.seconds = started.elapsed().as_secs_f64();
        self.state.phase_epoch = 0;
        self.state.best_loss = None;
        self.state.stalled = 0;
        self.state.training_macs = self.state.training_macs.saturating_add(record.macs);
        let refused = (record.verdict != Verdict::Committed).then(|| record.verdict.clone());
        self.state.journal.push(record.clone());
        self.notify(Event::Growth(&record))?;
        match refused {
            None => {
                self.state.growths += 1;
                self.state.refusals = 0;
                self.config
                    .train
                    .learning_rate
                    .grew(&mut self.state.plateau);
                self.state.least_held = None;
                self.state.without_progress = 0;
                Ok(())
            }
            Some(verdict) => {
                self.state.refusals += 1;
                match self.state.refusals >= self.config.schedule.max_refusals {
                    true => self.end_growing(GrowthEnd::Refused(verdict)),
                    false => Ok(()),
                }
            }
        }
    }

    /// Whether limits or budgets leave nothing to grow.
    pub(super) fn growing_ends(&self) -> Option<GrowthEnd> {
        let most = self.config.schedule.max_growths;
        if most.is_some_and(|most| self.state.growths >= most) {
            return Some(GrowthEnd::GrowthLimit);
        }
        let graph = self.trace.graph();
        if let Some(budget) = self.config.budget.parameters {
            let parameters = parameter_count(&self.model);
            let sites = graph.growable();
            let sites = sites.map(|site| cost_per_neuron(graph, site.name()));
            let places = graph.places().iter();
            let places = places.map(|place| place_cost(graph, None, place));
            let least = sites.chain(places).min();
            if least.is_some_and(|least| parameters + least > budget) {
                return Some(GrowthEnd::ParameterBudget);
            }
        }
        self.cost_is_spent(graph).then_some(GrowthEnd::CostBudget)
    }

    /// Whether no site and no stack can grow within the budget of the cost model.
    fn cost_is_spent(&self, graph: &Graph) -> bool {
        let Some(budget) = self.config.budget.cost else {
            return false;
        };
        let cost = self.config.cost.as_ref();
        let now = cost.cost(&graph_layers(graph));
        let added = graph
            .growable()
            .map(|site| added_costs(graph, cost, site.name())[0]);
        let places = graph.places().iter();
        let places = places.map(|place| place_cost(graph, Some(cost), place));
        added
            .chain(places)
            .min()
            .is_none_or(|least| now + least > budget)
    }

    fn attempt(&mut self, trigger: &str) -> Result<GrowthRecord, NnError> {
        let subject = Subject {
            model: &self.model,
            trace: self.trace.clone(),
            objective: self.task.objective.as_ref(),
            train: self.task.train.as_ref(),
            held: &self.task.held,
            batch_size: self.config.train.batch_size,
            backend: self.backend.as_ref(),
        };
        let made = self.step.run(&subject, self.state.journal.len() + 1)?;
        if let Some((grown, edits)) = made.grown {
            self.optimizer = self.carried(&edits)?;
            self.bear(&edits);
            self.replace_model(grown)?;
        }
        Ok(GrowthRecord {
            epoch: self.state.epoch,
            trigger: trigger.to_owned(),
            parameters_after: parameter_count(&self.model),
            widths_after: self.trace.graph().widths(),
            ..made.record
        })
    }

    /// The optimizer after `edits`.
    fn carried(&self, edits: &ParamEdits) -> Result<ModuleOptimizer, NnError> {
        let rules = &self.config.optimizer_rules;
        rules.carry(self.optimizer.clone(), edits)
    }

    /// Makes a growth of a journal again.
    fn redo(&mut self, record: &GrowthRecord) -> Result<(), NnError> {
        if record.verdict != Verdict::Committed {
            return Ok(());
        }
        let trace = self.trace.clone();
        let graph = trace.graph();
        if record.widths_before != graph.widths() {
            return Err(NnError::Plan(format!(
                "step {} of the journal starts from other widths than the model's: replay it \
                 on the model, data and settings it was written with",
                record.step
            )));
        }
        let (grown, edits) = apply_plan(&self.model, graph, &record.plan, record.epsilon)?;
        let grown = match record.fan_in_factors.is_empty() {
            true => grown,
            false => rescale(&grown, graph, &record.fan_in_factors)?,
        };
        self.optimizer = self.carried(&edits)?;
        self.bear(&edits);
        self.replace_model(grown)
    }

    /// Takes note of what `edits` of the model as it stands add.
    fn bear(&mut self, edits: &ParamEdits) {
        if self.config.train.new_weights.is_some() {
            self.state.newborn.bear(self.trace.graph(), edits);
        }
    }
}
