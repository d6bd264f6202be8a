//! A model as criteria and searches see it.

use std::cell::RefCell;
use std::sync::Arc;

use burgeon_core::capture::{Norms, Site as CoreSite};
use burgeon_core::cost::Macs;
use burgeon_core::error::LandscapeError;
use burgeon_core::{
    BlockWeights, Capture, CoreError, CostModel, GradientRequest, GradientSamples, Landscape,
    LineSearch, Moments, Needs, Place, Plan, PlanGradient, SplitBackend, Team,
};
use burgeon_graph::{BlockParameter, Graph, Site, Slices};
use burn::tensor::Tensor;

use crate::capture::{Pass, sites};
use crate::cost::{added_costs, grown_shapes, place_cost, predicts_exactly};
use crate::error::NnError;
use crate::gradient::plan_gradient;
use crate::growable::{Growable, evaluate_in};
use crate::moments::site_moments;
use crate::objective::Objective;
use crate::part::Part;
use crate::passes::ForwardPasses;
use crate::replay::Network;
use crate::samples::Samples;
use crate::sites::fan_in_factors;
use crate::spectra::{SpectrumConfig, captured};
use crate::statistics::with_statistics;
use crate::trace::Trace;

/// A model, the samples that its sites are captured on and those that steps are searched on.
///
/// What is found is kept: asked twice, the model runs once.
pub struct ModelLandscape<'a, M: Growable> {
    model: &'a M,
    trace: Arc<Trace>,
    objective: &'a dyn Objective,
    samples: &'a Samples<M::Input>,
    /// `None`: those that are captured.
    searched: Option<&'a Samples<M::Input>>,
    batch_size: usize,
    spectrum: SpectrumConfig,
    backend: &'a dyn SplitBackend,
    /// With which the samples are shared, if with anyone.
    team: Option<Team>,
    sites: Vec<CoreSite>,
    places: Vec<Place>,
    found: RefCell<Found<M>>,
}

/// What was found so far.
struct Found<M: Growable> {
    capture: Option<Arc<Capture>>,
    needs: Needs,
    passes: Option<Arc<ForwardPasses<M>>>,
    loss: Option<f64>,
    network: Option<Arc<Network>>,
    part: Option<Arc<Part<M::Input>>>,
    /// Multiply-accumulates of all gradients, moments, statistics and variances.
    gradient_macs: u64,
}

impl<'a, M: Growable> ModelLandscape<'a, M> {
    /// Of `model`, which `trace` is of. Steps are searched on the samples that are captured.
    pub fn new(
        model: &'a M,
        trace: Arc<Trace>,
        objective: &'a dyn Objective,
        samples: &'a Samples<M::Input>,
        batch_size: usize,
        backend: &'a dyn SplitBackend,
    ) -> Self {
        Self {
            sites: sites(trace.graph()),
            places: places(trace.graph(), None),
            model,
            trace,
            objective,
            samples,
            searched: None,
            batch_size,
            spectrum: SpectrumConfig::default(),
            backend,
            team: None,
            found: RefCell::new(Found {
                capture: None,
                needs: Needs::SHAPES,
                passes: None,
                loss: None,
                network: None,
                part: None,
                gradient_macs: 0,
            }),
        }
    }

    /// Steps are searched on these samples.
    #[must_use]
    pub fn searched_on(mut self, samples: &'a Samples<M::Input>) -> Self {
        self.searched = Some(samples);
        self
    }

    /// All ranks of `team` have this model and these samples: each looks at its own pieces of
    /// them, and what is found is summed. All must ask the same, in the same order.
    #[must_use]
    pub fn shared_by(mut self, team: Option<Team>) -> Self {
        self.team = team;
        self
    }

    /// How spectra are found.
    #[must_use]
    pub fn with_spectrum(mut self, spectrum: SpectrumConfig) -> Self {
        self.spectrum = spectrum;
        self
    }

    /// Prices by a cost model; by parameters unless told.
    #[must_use]
    pub fn priced_by(mut self, cost: &dyn CostModel) -> Self {
        for site in &mut self.sites {
            site.added_costs = added_costs(self.trace.graph(), cost, &site.name);
        }
        self.places = places(self.trace.graph(), Some(cost));
        self
    }

    /// What the model computes.
    pub fn graph(&self) -> &Graph {
        self.trace.graph()
    }

    /// The samples that sites are captured on.
    pub fn samples(&self) -> &'a Samples<M::Input> {
        self.samples
    }

    /// Whether the gains of all growths of `plan` are exact ([`predicts_exactly`]).
    pub fn predicts_exactly(&self, plan: &Plan) -> bool {
        plan.growths()
            .all(|growth| predicts_exactly(self.graph(), growth.site()))
    }

    /// What was captured so far.
    pub fn captured(&self) -> Option<Arc<Capture>> {
        self.found.borrow().capture.clone()
    }

    /// The loss on the samples that are captured.
    ///
    /// # Errors
    /// As [`evaluate_in`].
    pub fn loss(&self) -> Result<f64, NnError> {
        if let Some(loss) = self.found.borrow().loss {
            return Ok(loss);
        }
        let (samples, team) = (self.samples, self.team.as_ref());
        let found = evaluate_in(self.model, self.objective, samples, self.batch_size, team)?;
        let loss = found.loss;
        self.found.borrow_mut().loss = Some(loss);
        Ok(loss)
    }

    /// [`Landscape::losses`] with this crate's errors.
    ///
    /// # Errors
    /// As [`line_search`](crate::search::line_search).
    pub fn line_search(&self, plan: &Plan, steps: &[f64]) -> Result<LineSearch, NnError> {
        self.passes()?.line_search(plan, steps, self.objective)
    }

    /// [`Landscape::gradient`] with this crate's errors.
    ///
    /// # Errors
    /// [`NnError::Plan`] or [`NnError::Graph`] where the plan does not fit,
    /// [`NnError::Operation`] where the network under it does not run.
    pub fn plan_gradient(
        &self,
        plan: &Plan,
        at: &GradientRequest,
    ) -> Result<PlanGradient, NnError> {
        let (network, part) = (self.network()?, self.part());
        let part = match at.samples {
            GradientSamples::Minibatch(number) => Arc::new(self.minibatch(&part, number)),
            GradientSamples::All => part,
        };
        let (gradient, macs) = plan_gradient::<M>(&network, plan, at, self.objective, &part)?;
        let mut found = self.found.borrow_mut();
        found.gradient_macs = found.gradient_macs.saturating_add(macs);
        Ok(gradient)
    }

    /// [`Landscape::with_statistics`] with this crate's errors.
    ///
    /// # Errors
    /// [`NnError::Plan`] or [`NnError::Graph`] where the plan does not fit,
    /// [`NnError::Operation`] where the network under it does not run.
    pub fn plan_with_statistics(&self, plan: &Plan) -> Result<Plan, NnError> {
        let (network, part) = (self.network()?, self.part());
        let (plan, macs) = with_statistics::<M>(&network, plan, &part)?;
        let mut found = self.found.borrow_mut();
        found.gradient_macs = found.gradient_macs.saturating_add(macs);
        Ok(plan)
    }

    /// What the weights of each layer that reads what `plan` grows are to be multiplied with, by
    /// path, so that its outputs vary as much over the samples with step `epsilon` as before
    /// (variance transfer, Yuan et al. 2023, arXiv 2306.12700, by measured variances in place of
    /// numbers of inputs).
    ///
    /// # Errors
    /// As [`plan_with_statistics`](Self::plan_with_statistics).
    pub fn fan_in_factors(&self, plan: &Plan, epsilon: f64) -> Result<Vec<(String, f64)>, NnError> {
        let (network, part) = (self.network()?, self.part());
        let (factors, passes) = fan_in_factors(&network, plan, epsilon, &part)?;
        let forward = Macs.cost(&grown_shapes(self.graph(), plan));
        let macs = forward.saturating_mul(passes.saturating_mul(self.samples.len() as u64));
        let mut found = self.found.borrow_mut();
        found.gradient_macs = found.gradient_macs.saturating_add(macs);
        let named = factors.into_iter().filter_map(|(id, factor)| {
            let parameter = self.graph().parameter(id)?;
            Some((parameter.path.clone(), factor))
        });
        Ok(named.collect())
    }

    /// Multiply-accumulates of all gradients, second moments, statistics and variances that were
    /// asked for so far.
    pub fn gradient_macs(&self) -> u64 {
        self.found.borrow().gradient_macs
    }

    fn network(&self) -> Result<Arc<Network>, NnError> {
        if let Some(network) = &self.found.borrow().network {
            return Ok(network.clone());
        }
        let network = Arc::new(Network::of(self.trace.clone(), self.model)?);
        self.found.borrow_mut().network = Some(network.clone());
        Ok(network)
    }

    /// This rank's part of the captured samples.
    fn part(&self) -> Arc<Part<M::Input>> {
        let mut found = self.found.borrow_mut();
        let of_samples = || Arc::new(Part::of(self.samples, self.batch_size, self.team.as_ref()));
        found.part.get_or_insert_with(of_samples).clone()
    }

    /// This rank's part of one of the minibatches, counted round and round.
    fn minibatch(&self, part: &Part<M::Input>, number: usize) -> Part<M::Input> {
        let number = number % self.minibatches();
        let Some(team) = &self.team else {
            return part.batch(number);
        };
        let start = number * self.batch_size;
        let rows = start..(start + self.batch_size).min(self.samples.len());
        Part::of(&self.samples.slice(rows), self.batch_size, Some(team))
    }

    fn passes(&self) -> Result<Arc<ForwardPasses<M>>, NnError> {
        if let Some(passes) = &self.found.borrow().passes {
            return Ok(passes.clone());
        }
        let samples = self.searched.unwrap_or(self.samples);
        let trace = self.trace.clone();
        let passes = ForwardPasses::of(self.model, trace, samples, self.batch_size)?;
        let passes = Arc::new(passes.with_team(self.team.clone()));
        self.found.borrow_mut().passes = Some(passes.clone());
        Ok(passes)
    }

    fn spectra(&self) -> Result<Capture, NnError> {
        let (trace, keeps) = (self.trace.clone(), self.searched.is_none());
        let (objective, samples) = (self.objective, self.samples);
        let pass = Pass::new(
            self.model,
            trace.clone(),
            objective,
            samples,
            self.batch_size,
            self.backend,
        )?
        .shared(samples, self.team.as_ref());
        let (model, spectrum) = (self.model, &self.spectrum);
        let (capture, values) = captured(model, &pass, objective, samples, spectrum, keeps)?;
        let mut found = self.found.borrow_mut();
        found.loss = Some(capture.loss);
        if keeps {
            let passes = ForwardPasses::of(model, trace, samples, self.batch_size)?;
            let passes = passes.with_team(self.team.clone());
            found.passes = Some(Arc::new(passes.with_values(values)));
        }
        Ok(capture)
    }

    fn moments(&self) -> Result<Vec<Moments>, NnError> {
        let (network, part) = (self.network()?, self.part());
        let (moments, macs) = site_moments::<M>(&network, self.objective, &part, self.backend)?;
        let mut found = self.found.borrow_mut();
        found.gradient_macs = found.gradient_macs.saturating_add(macs);
        Ok(moments)
    }

    fn find(&self, needs: Needs) -> Result<Arc<Capture>, NnError> {
        let (known, has) = {
            let found = self.found.borrow();
            (found.capture.clone(), found.needs)
        };
        let all = needs.and(has);
        if let Some(known) = known.clone().filter(|_| all == has) {
            return Ok(known);
        }
        let mut capture = match all.spectra {
            true => self.spectra()?,
            false => Capture {
                sites: self.sites.clone(),
                samples: self.samples.len(),
                loss: self.loss()?,
                bytes: 0,
            },
        };
        for (site, own) in capture.sites.iter_mut().zip(&self.sites) {
            site.added_costs = own.added_costs;
        }
        if all.norms {
            let network = self.network()?;
            for site in &mut capture.sites {
                site.norms = Some(norms_of(&network, self.graph().site(&site.name)?)?);
            }
        }
        if all.moments {
            let before = known.filter(|_| has.moments);
            let moments: Vec<Option<Moments>> = match before {
                Some(known) => known
                    .sites
                    .iter()
                    .map(|site| site.moments.clone())
                    .collect(),
                None => self.moments()?.into_iter().map(Some).collect(),
            };
            for (site, moments) in capture.sites.iter_mut().zip(moments) {
                site.moments = moments;
            }
        }
        let capture = Arc::new(capture);
        let mut found = self.found.borrow_mut();
        found.capture = Some(capture.clone());
        found.needs = all;
        Ok(capture)
    }
}

impl<M: Growable> Landscape for ModelLandscape<'_, M> {
    fn sites(&self) -> &[CoreSite] {
        &self.sites
    }

    fn places(&self) -> &[Place] {
        &self.places
    }

    fn capture(&self, needs: Needs) -> Result<Arc<Capture>, CoreError> {
        self.find(needs).map_err(of_network)
    }

    fn losses(&self, plan: &Plan, steps: &[f64]) -> Result<LineSearch, CoreError> {
        self.line_search(plan, steps).map_err(of_network)
    }

    fn gradient(&self, plan: &Plan, at: &GradientRequest) -> Result<PlanGradient, CoreError> {
        self.plan_gradient(plan, at).map_err(of_network)
    }

    fn with_statistics(&self, plan: &Plan) -> Result<Plan, CoreError> {
        self.plan_with_statistics(plan).map_err(of_network)
    }

    fn minibatches(&self) -> usize {
        self.samples.len().div_ceil(self.batch_size.max(1)).max(1)
    }
}

fn of_network(error: NnError) -> CoreError {
    match error {
        NnError::Core(error) => error,
        other => CoreError::Landscape(LandscapeError(Arc::new(other))),
    }
}

/// The places of blocks, priced.
fn places(graph: &Graph, cost: Option<&dyn CostModel>) -> Vec<Place> {
    let weights = |parameters: &[BlockParameter]| {
        let parameters = parameters.iter();
        parameters
            .map(|parameter| BlockWeights {
                count: parameter.count,
                deviation: parameter.deviation,
            })
            .collect()
    };
    let places = graph.places().iter();
    places
        .map(|place| Place {
            stack: place.stack.clone(),
            after: place.after,
            opening: weights(&place.opening),
            closing: weights(&place.closing),
            price: place_cost(graph, cost, place),
        })
        .collect()
}

/// How long the weights of a site's neurons are.
fn norms_of(network: &Network, site: &Site) -> Result<Norms, NnError> {
    let graph = network.trace.graph();
    let square = |parts: &[Slices]| -> Result<f64, NnError> {
        let mut sum = 0.0;
        for part in parts {
            let id = graph.parameters()[part.parameter].id;
            let value = network.parameters.get(&id).cloned();
            let value = value.ok_or_else(|| {
                NnError::Plan("the model lost a parameter since it was traced".into())
            })?;
            let data = Tensor::<1>::from_dispatch(value).into_data();
            let values: Vec<f64> = data.iter::<f64>().collect();
            for channel in 0..site.width() {
                let places = graph.slice(site, part, channel);
                let own = places.iter().filter_map(|place| values.get(*place));
                sum += own.map(|value| value * value).sum::<f64>();
            }
        }
        Ok((sum / site.width().max(1) as f64).sqrt())
    };
    Ok(Norms {
        fan_in: square(site.fan_in())?,
        fan_out: square(&graph.fan_out(site))?,
    })
}
