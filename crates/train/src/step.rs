//! The growth step: propose → search → check → commit.

use std::sync::Arc;

use burgeon_core::criterion::Context;
use burgeon_core::{
    CostModel, Criterion, LineSearch, Needs, Plan, Room, Selector, SplitBackend, Team,
};
use burgeon_graph::Graph;
use burgeon_nn::cost::{fit_budget, fit_cost_budget, graph_layers};
use burgeon_nn::growable::{evaluate_in, parameter_count};
use burgeon_nn::search::output_change_of;
use burgeon_nn::surgery::{ParamEdits, apply_plan, rescale};
use burgeon_nn::{Growable, ModelLandscape, NnError, Objective, Samples, Source, Trace};

use crate::ranks::agreed;
use crate::records::{GrowthRecord, SiteGrowth, SiteSpectrum, Verdict};
use crate::rounding::zero_bound;
use crate::settings::{
    Accept, Budget, FanIn, GrowerConfig, GrowthConfig, NewStatistics, SearchSamples, StepSize,
};
use crate::streams::stream;
use crate::training_cost::step_macs;

/// Samples on which the output is compared at ε = 0.
const PROBED: usize = 32;

/// One growth step: the criterion proposes, the selector chooses, a line search finds ε, checks
/// may refuse, surgery makes it. Nothing else in this project grows a network.
///
/// ```
/// use burgeon_backend_flex::FLEX;
/// use burgeon_core::SplitBackend;
/// use burgeon_core::criterion::SteepestDescent;
/// use burgeon_core::select::Fraction;
/// use burgeon_nn::{CrossEntropy, Growable, Samples, trace};
/// use burgeon_train::{GrowthStep, Subject, Verdict};
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::activation::silu;
/// use burn::tensor::{Tensor, TensorData};
///
/// #[derive(Module, Debug)]
/// struct Mlp {
///     hidden: Linear,
///     output: Linear,
/// }
///
/// impl Growable for Mlp {
///     type Input = Tensor<2>;
///     type Output = Tensor<2>;
///
///     fn predict(&self, input: Tensor<2>) -> Tensor<2> {
///         self.output.forward(silu(self.hidden.forward(input)))
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = FLEX.device();
/// device.seed(7);
/// let digits = burgeon_data::optdigits::load()?.train;
/// let pixels = TensorData::new(digits.pixels.clone(), [digits.len(), 64]);
/// let pixels = Tensor::from_data(pixels, &device);
/// let samples = Samples::classification(pixels, &digits.labels, 10, &device)?;
/// let (train, held) = samples.split_off(0.1, 7)?;
/// let trainable = device.autodiff();
/// let net = Mlp {
///     hidden: LinearConfig::new(64, 4).init(&trainable),
///     output: LinearConfig::new(4, 10).init(&trainable),
/// };
///
/// let step = GrowthStep::new(SteepestDescent, Fraction::new(0.5)?);
/// let subject = Subject {
///     model: &net,
///     trace: trace(&net, &train)?.into(),
///     objective: &CrossEntropy,
///     train: &train,
///     held: &held,
///     batch_size: 512,
///     backend: &FLEX,
/// };
/// let made = step.run(&subject, 1)?;
/// assert_eq!(made.record.verdict, Verdict::Committed);
/// assert!(made.record.held_loss_after < made.record.held_loss_before);
/// // Four neurons were looked at; splitting lowers the loss where an eigenvalue is below 0.
/// let smallest = &made.record.spectra[0].smallest;
/// assert!(smallest.len() == 4 && smallest.iter().any(|value| *value < 0.0));
/// let (grown, _edits) = made.grown.ok_or("refused")?;
/// assert_eq!(grown.hidden.weight.dims(), [64, 6]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct GrowthStep {
    criterion: Arc<dyn Criterion>,
    selector: Arc<dyn Selector>,
    cost: Arc<dyn CostModel>,
    config: GrowthConfig,
    budget: Budget,
    seed: u64,
    team: Option<Team>,
}

/// What a growth step works on.
pub struct Subject<'a, M: Growable> {
    /// The network.
    pub model: &'a M,
    /// What it computes ([`burgeon_nn::trace()`]).
    pub trace: Arc<Trace>,
    /// The loss.
    pub objective: &'a dyn Objective,
    /// What the samples that sites are captured on are drawn from.
    pub train: &'a dyn Source<M::Input>,
    /// The samples that judge.
    pub held: &'a Samples<M::Input>,
    /// Samples of a pass.
    pub batch_size: usize,
    /// What computes curvature.
    pub backend: &'a dyn SplitBackend,
}

/// What became of a growth step.
#[derive(Debug)]
pub struct Made<M> {
    /// What was found; of the run that it may be part of it tells nothing.
    pub record: GrowthRecord,
    /// The grown network, and the edits by which an optimizer's state follows, unless refused.
    pub grown: Option<(M, ParamEdits)>,
}

impl GrowthStep {
    /// A step by `criterion` and `selector`, without a budget, with default settings.
    pub fn new(criterion: impl Criterion + 'static, selector: impl Selector + 'static) -> Self {
        Self::of(&GrowerConfig::new(criterion, selector))
    }

    /// The step of a grower's settings.
    pub fn of(config: &GrowerConfig) -> Self {
        Self {
            criterion: config.criterion.clone(),
            selector: config.selector.clone(),
            cost: config.cost.clone(),
            config: config.growth.clone(),
            budget: config.budget.clone(),
            seed: config.train.seed,
            team: None,
        }
    }

    /// With other settings.
    #[must_use]
    pub fn with_config(mut self, config: GrowthConfig) -> Self {
        self.config = config;
        self
    }

    /// With another seed, from which draws follow.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Made on all ranks of `team`, which must have the same model, samples and settings: captures,
    /// gradients, moments and searches go over each rank's own pieces of the samples and are
    /// summed, and what the first rank chooses is what all do.
    #[must_use]
    pub fn with_team(mut self, team: Team) -> Self {
        self.team = Some(team);
        self
    }

    /// With budgets, by a cost model.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget, cost: impl CostModel + 'static) -> Self {
        self.budget = budget;
        self.cost = Arc::new(cost);
        self
    }

    /// Makes or refuses the growth. `number` is the step's in its run, which draws differ by.
    ///
    /// # Errors
    /// [`NnError`] where the model cannot be run, captured or operated on.
    pub fn run<M: Growable>(
        &self,
        subject: &Subject<'_, M>,
        number: usize,
    ) -> Result<Made<M>, NnError> {
        let seed = stream(self.seed, "capture", number);
        let samples = subject.train.sample(self.config.capture_samples, seed)?;
        self.run_on(subject, &self.landscape(subject, &samples), number)
    }

    /// [`run`](Self::run) on a [`landscape`](Self::landscape) of which something may be captured
    /// already.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_on<M: Growable>(
        &self,
        subject: &Subject<'_, M>,
        landscape: &ModelLandscape<'_, M>,
        number: usize,
    ) -> Result<Made<M>, NnError> {
        let plan = self.propose(landscape, number, parameter_count(subject.model))?;
        let search = self.search(landscape, &plan)?;
        self.commit(subject, landscape, plan, &search, number)
    }

    /// The landscape of `subject`, captured on `samples`, as the settings have it.
    pub fn landscape<'a, M: Growable>(
        &self,
        subject: &Subject<'a, M>,
        samples: &'a Samples<M::Input>,
    ) -> ModelLandscape<'a, M> {
        let landscape = ModelLandscape::new(
            subject.model,
            subject.trace.clone(),
            subject.objective,
            samples,
            subject.batch_size,
            subject.backend,
        );
        let landscape = landscape.with_spectrum(self.config.spectrum);
        let landscape = landscape.shared_by(self.team.clone());
        let landscape = match self.budget.cost {
            Some(_) => landscape.priced_by(self.cost.as_ref()),
            None => landscape,
        };
        match self.config.search_samples {
            SearchSamples::Held => landscape.searched_on(subject.held),
            SearchSamples::Captured => landscape,
        }
    }

    /// What the criterion proposes and the selector chooses, within budgets and limits, for a
    /// network of so many parameters.
    ///
    /// # Errors
    /// [`NnError::Core`] where the capture, the criterion or the selector fails.
    pub fn propose<M: Growable>(
        &self,
        landscape: &ModelLandscape<'_, M>,
        number: usize,
        parameters: u64,
    ) -> Result<Plan, NnError> {
        let graph = landscape.graph();
        let mut context = Context::seeded(stream(self.seed, "criterion", number));
        let candidates = self.criterion.candidates(landscape, &mut context)?;
        let cost = self.cost.as_ref();
        let most = self.most(graph);
        let room = Room {
            widths: graph.widths(),
            cost: match most {
                Some(most) => Some(most.saturating_sub(cost.cost(&graph_layers(graph)))),
                None => self
                    .budget
                    .parameters
                    .map(|most| most.saturating_sub(parameters)),
            },
        };
        let chosen = self.selector.select(candidates, &room)?;
        let mut plan = Plan::new(self.criterion.name(), chosen);
        if let Some(budget) = self.budget.parameters {
            fit_budget(graph, &mut plan, parameters, budget);
        }
        if let Some(most) = most {
            fit_cost_budget(graph, &mut plan, cost, most);
        }
        self.config.widths.fit(graph, &mut plan);
        let plan = agreed(self.team.as_ref(), plan)?;
        // A criterion that predicts gains has asked for the statistics that they rest on.
        let predicted = plan.growths.iter().any(|planned| planned.gain.is_some());
        match self.config.statistics == NewStatistics::Measured && !predicted {
            true => landscape.plan_with_statistics(&plan),
            false => Ok(plan),
        }
    }

    /// What the network may cost after this step.
    fn most(&self, graph: &Graph) -> Option<u64> {
        let budget = self.budget.cost?;
        let now = self.cost.cost(&graph_layers(graph));
        let step = self
            .budget
            .step_share
            .map(|share| (now as f64 * share) as u64);
        Some(step.map_or(budget, |step| budget.min(now.saturating_add(step))))
    }

    /// The loss as it is and under each step that is tried; none of an empty plan.
    ///
    /// # Errors
    /// As [`ModelLandscape::line_search`].
    pub fn search<M: Growable>(
        &self,
        landscape: &ModelLandscape<'_, M>,
        plan: &Plan,
    ) -> Result<LineSearch, NnError> {
        let grid = match plan.is_empty() {
            true => Vec::new(),
            // Every step is as good as any.
            false if plan.is_neutral() => vec![1.0],
            false => self.config.step_size.grid(),
        };
        agreed(self.team.as_ref(), landscape.line_search(plan, &grid)?)
    }

    /// Checks what was found, and makes the growth.
    fn commit<M: Growable>(
        &self,
        subject: &Subject<'_, M>,
        landscape: &ModelLandscape<'_, M>,
        plan: Plan,
        search: &LineSearch,
        number: usize,
    ) -> Result<Made<M>, NnError> {
        let Subject {
            model,
            objective,
            batch_size,
            ..
        } = *subject;
        let (graph, samples) = (landscape.graph(), landscape.samples());
        let team = self.team.as_ref();
        let parameters = parameter_count(model);
        let on_captured = self.config.search_samples == SearchSamples::Captured;
        let held_loss = |model: &M, searched: f64| match on_captured {
            true => Ok(evaluate_in(model, objective, subject.held, batch_size, team)?.loss),
            false => Ok::<f64, NnError>(searched),
        };
        let held = held_loss(model, search.baseline)?;
        let mut record = GrowthRecord {
            step: number,
            epoch: 0,
            trigger: String::new(),
            verdict: Verdict::NoCandidate,
            plan,
            epsilon: 0.0,
            trials: search.trials.clone(),
            predicted_decrease: None,
            measured_decrease: None,
            sites: Vec::new(),
            spectra: landscape
                .captured()
                .map_or_else(Vec::new, |capture| SiteSpectrum::all(&capture)),
            output_change_at_zero: 0.0,
            fan_in_factors: Vec::new(),
            held_loss_before: held,
            held_loss_after: held,
            parameters_before: parameters,
            parameters_after: parameters,
            widths_before: graph.widths(),
            widths_after: graph.widths(),
            macs: step_macs(
                landscape,
                samples.len(),
                if on_captured {
                    samples.len()
                } else {
                    subject.held.len()
                },
                search.trials.len(),
                &self.config,
            ),
            seconds: 0.0,
        };
        let refused = |record, verdict| {
            Ok(Made {
                record: GrowthRecord { verdict, ..record },
                grown: None,
            })
        };
        if record.plan.is_empty() {
            return refused(record, Verdict::NoCandidate);
        }
        if record
            .plan
            .growths()
            .all(burgeon_core::Growth::preserves_outputs)
        {
            let probe = samples.sample(PROBED, 0);
            let change = output_change_of(model, graph, &record.plan, &probe, batch_size)?;
            record.output_change_at_zero = agreed(team, change)?;
            if record.output_change_at_zero > zero_bound(model) {
                return refused(record, Verdict::OutputChanged);
            }
        }
        let Some((epsilon, loss)) = self.accepted(search, &record.plan) else {
            return refused(record, Verdict::NoDecrease);
        };
        let (grown, edits) = apply_plan(model, graph, &record.plan, epsilon)?;
        let before = landscape.loss()?;
        let after = match on_captured {
            true => loss,
            false => evaluate_in(&grown, objective, samples, batch_size, team)?.loss,
        };
        record.measured_decrease = Some(before - after);
        record.predicted_decrease = record.plan.predicted_decrease(epsilon);
        if self.contradicts(&record, landscape, before) {
            return refused(record, Verdict::PredictionContradicted);
        }
        record.sites = self.site_growths(subject, graph, &record.plan, epsilon, samples, before)?;
        record.epsilon = epsilon;
        let grown = self.rescaled(landscape, grown, &mut record)?;
        record.held_loss_after = match record.fan_in_factors.is_empty() {
            true => held_loss(&grown, loss)?,
            false => evaluate_in(&grown, objective, subject.held, batch_size, team)?.loss,
        };
        record.parameters_after = parameter_count(&grown);
        let added = |(site, width): (String, usize)| {
            let width = width.saturating_add_signed(record.plan.channels_added(&site));
            (site, width)
        };
        record.widths_after = graph.widths().into_iter().map(added).collect();
        record.verdict = Verdict::Committed;
        let grown = Some((grown, edits));
        Ok(Made { record, grown })
    }

    /// `grown` with the fan-ins of what reads the plan's sites rescaled, if the settings say so.
    fn rescaled<M: Growable>(
        &self,
        landscape: &ModelLandscape<'_, M>,
        grown: M,
        record: &mut GrowthRecord,
    ) -> Result<M, NnError> {
        if self.config.fan_in == FanIn::Kept || record.plan.is_neutral() {
            return Ok(grown);
        }
        let before = landscape.gradient_macs();
        record.fan_in_factors = landscape.fan_in_factors(&record.plan, record.epsilon)?;
        let macs = landscape.gradient_macs().saturating_sub(before);
        record.macs = record.macs.saturating_add(macs);
        rescale(&grown, landscape.graph(), &record.fan_in_factors)
    }

    /// The step to take and the loss under it, if the settings accept one.
    fn accepted(&self, search: &LineSearch, plan: &Plan) -> Option<(f64, f64)> {
        let always = plan.is_neutral()
            || matches!(
                self.config.step_size,
                StepSize::Fixed {
                    accept: Accept::Always,
                    ..
                }
            );
        let best = search.best();
        best.filter(|(_, loss)| always || *loss < search.baseline)
    }

    /// The step's sites, each measured alone where the settings ask for it.
    fn site_growths<M: Growable>(
        &self,
        subject: &Subject<'_, M>,
        graph: &Graph,
        plan: &Plan,
        epsilon: f64,
        samples: &Samples<M::Input>,
        loss: f64,
    ) -> Result<Vec<SiteGrowth>, NnError> {
        let mut sites = SiteGrowth::of(plan, epsilon);
        if !self.config.site_decreases {
            return Ok(sites);
        }
        for (site, part) in sites.iter_mut().zip(plan.by_site().values()) {
            let (grown, _) = apply_plan(subject.model, graph, part, epsilon)?;
            let (objective, batch_size) = (subject.objective, subject.batch_size);
            let team = self.team.as_ref();
            let after = evaluate_in(&grown, objective, samples, batch_size, team)?;
            site.measured_decrease = Some(loss - after.loss);
        }
        Ok(sites)
    }

    /// Whether an exact prediction is missed by more than its bound and more than
    /// rounding explains.
    fn contradicts<M: Growable>(
        &self,
        record: &GrowthRecord,
        landscape: &ModelLandscape<'_, M>,
        loss: f64,
    ) -> bool {
        let (Some(predicted), Some(measured)) =
            (record.predicted_decrease, record.measured_decrease)
        else {
            return false;
        };
        let rounding = 64.0 * f64::from(f32::EPSILON) * loss.abs().max(f64::MIN_POSITIVE);
        landscape.predicts_exactly(&record.plan)
            && (measured - predicted).abs()
                > self.config.prediction_bound * predicted.abs() + rounding
    }

    /// What the criterion asks for.
    pub(crate) fn needs(&self) -> Needs {
        self.criterion.needs()
    }
}
