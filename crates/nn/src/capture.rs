//! One instrumented forward-backward pass over data.

use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;
use std::sync::Arc;

use burgeon_core::{Capture, Curvature, CurvatureBlock, Site, SplitBackend, Team};
use burgeon_graph::Graph;
use burn::backend::ir::TensorId;

use crate::cost::cost_per_neuron;
use crate::error::NnError;
use crate::growable::{Growable, check_positions, check_targets, evaluate};
use crate::objective::Objective;
use crate::part::Part;
use crate::ports::{Input, Output};
use crate::replay::{Network, Values, worth_keeping};
use crate::samples::{Samples, Targets};
use crate::sites::{CapturedSite, JetOperator, SiteForm, capture as capture_sites};
use crate::trace::{Trace, traced};

/// Captures every site of `model` that is `σ(θᵀx)` on `samples`: inputs, pre-activations and the
/// gradient at the post-activation, joined to curvature weights. Sites of other forms have no
/// curvature to keep; [`capture_spectra`](crate::capture_spectra) solves for theirs.
///
/// The model is replayed in inference mode (running statistics are used and not
/// updated), and only the probes require gradients. The weights are computed by `backend`;
/// without one nothing is run but the loss.
///
/// # Errors
/// [`NnError::Trace`] or [`NnError::Operation`] for a model that cannot be traced or replayed,
/// [`NnError::Core`] for a NaN, [`NnError::Data`] if outputs do not fit targets.
pub fn capture<M: Growable>(
    model: &M,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    batch_size: usize,
    backend: Option<&dyn SplitBackend>,
) -> Result<Capture, NnError> {
    let trace = traced(model, samples)?;
    capture_of(model, &trace, objective, samples, batch_size, backend)
}

/// [`capture`] of a model of which the trace is known.
pub(crate) fn capture_of<M: Growable>(
    model: &M,
    trace: &Arc<Trace>,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    batch_size: usize,
    backend: Option<&dyn SplitBackend>,
) -> Result<Capture, NnError> {
    let Some(backend) = backend else {
        return Ok(Capture {
            sites: sites(trace.graph()),
            samples: samples.len(),
            loss: evaluate(model, objective, samples, batch_size)?.loss,
            bytes: 0,
        });
    };
    let pass = Pass::new(
        model,
        trace.clone(),
        objective,
        samples,
        batch_size,
        backend,
    )?;
    let mut blocks: HashMap<String, Vec<CurvatureBlock>> = HashMap::new();
    let (mut loss, mut bytes) = (0.0, 0);
    for batch in 0..pass.batches() {
        let captured = pass.run(batch, false)?;
        loss += captured.loss;
        for (form, site) in pass.forms.iter().zip(captured.sites) {
            if let CapturedSite::Block(block) = site {
                bytes += block.bytes();
                blocks.entry(form.name.clone()).or_default().push(*block);
            }
        }
    }
    let mut sites = sites(trace.graph());
    for site in &mut sites {
        if let Some(blocks) = blocks.remove(&site.name) {
            site.curvature = Some(Curvature::new(&site.name, blocks)?);
        }
    }
    Ok(Capture {
        sites,
        samples: samples.len(),
        loss,
        bytes,
    })
}

/// The sites of `graph` that may grow, without curvature.
pub(crate) fn sites(graph: &Graph) -> Vec<Site> {
    let site = |site: &burgeon_graph::Site| Site {
        name: site.name().to_owned(),
        neurons: site.width(),
        dim: site.dim(),
        fan_out: graph.fan_out(site).iter().map(|part| part.size).sum(),
        is_normalised: !graph.statistics(site).is_empty(),
        added_costs: std::array::from_fn(|index| {
            cost_per_neuron(graph, site.name()) * (index as u64 + 1)
        }),
        norms: None,
        moments: None,
        curvature: None,
        spectra: None,
    };
    graph.growable().map(site).collect()
}

/// An instrumented forward-backward pass over samples, batch by batch.
pub(crate) struct Pass<'a, M: Growable> {
    pub network: Network,
    pub forms: Vec<SiteForm>,
    /// The tensors of a pass that are kept where they are asked for.
    kept: HashSet<TensorId>,
    objective: &'a dyn Objective,
    part: Part<M::Input>,
    /// Of all batches.
    targets: Targets,
    batch_size: usize,
    backend: &'a dyn SplitBackend,
    model: PhantomData<fn() -> M>,
}

impl<'a, M: Growable> Pass<'a, M> {
    pub fn new(
        model: &M,
        trace: Arc<Trace>,
        objective: &'a dyn Objective,
        samples: &Samples<M::Input>,
        batch_size: usize,
        backend: &'a dyn SplitBackend,
    ) -> Result<Self, NnError> {
        let sites = trace.graph().growable();
        let forms = sites
            .map(|site| SiteForm::of(&trace, site, false))
            .collect();
        Ok(Self {
            forms,
            kept: worth_keeping(&trace),
            network: Network::of(trace, model)?,
            objective,
            part: Part::of(samples, batch_size, None),
            targets: samples.targets().clone(),
            batch_size,
            backend,
            model: PhantomData,
        })
    }

    /// The same over this rank's part of `samples`, which all ranks of `team` have.
    pub fn shared(mut self, samples: &Samples<M::Input>, team: Option<&Team>) -> Self {
        self.part = Part::of(samples, self.batch_size, team);
        self
    }

    pub fn graph(&self) -> &Graph {
        self.network.trace.graph()
    }

    pub fn part(&self) -> &Part<M::Input> {
        &self.part
    }

    pub fn backend(&self) -> &'a dyn SplitBackend {
        self.backend
    }

    /// This rank's batches.
    pub fn batches(&self) -> usize {
        self.part.batches.len()
    }

    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The share of all samples that a batch has.
    pub fn share(&self, batch: usize) -> f64 {
        self.part.batches[batch].len() as f64 / self.part.count as f64
    }

    /// Runs a batch; the tensors from which all others follow are kept where `keeps` says so.
    pub fn run(&self, batch: usize, keeps: bool) -> Result<CapturedBatch, NnError> {
        let share = self.share(batch);
        let samples = &self.part.batches[batch];
        let targets = samples.to_autodiff();
        let inputs = samples.inputs().clone().into_values();
        let loss = |output| {
            let output = M::Output::from_value(output).into_rows();
            if batch == 0 {
                check_targets(&output, self.objective, &self.targets)?;
            }
            check_positions(&output, targets.targets())?;
            // The shares turn the means over batches into one mean over all samples.
            let mean = self.objective.loss(output, targets.targets());
            Ok(mean.mul_scalar(share))
        };
        let keep = |id| keeps && self.kept.contains(&id);
        let found = capture_sites(
            &self.network,
            &self.forms,
            &inputs,
            samples.len(),
            &loss,
            self.backend,
            &keep,
        )?;
        Ok(CapturedBatch {
            loss: found.loss,
            sites: found.sites,
            values: found.values,
        })
    }
}

/// What a pass found.
pub(crate) struct CapturedBatch {
    /// The share of the mean loss.
    pub loss: f64,
    /// Each site, in the order of the pass's forms.
    pub sites: Vec<CapturedSite>,
    /// The pass's tensors, if they are kept.
    pub values: Values,
}

/// Checks that the curvature of every site can be had, on a few of `samples`: a function that
/// jumps has none.
///
/// # Errors
/// [`NnError::Operation`] that names the operation.
pub fn check_curvature<M: Growable>(
    model: &M,
    trace: &Arc<Trace>,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    backend: &dyn SplitBackend,
) -> Result<(), NnError> {
    let few: Vec<usize> = (0..samples.len().min(2)).collect();
    let few = samples.subset(&few)?;
    let pass = Pass::new(model, trace.clone(), objective, &few, few.len(), backend)?;
    for (form, site) in pass.forms.iter().zip(pass.run(0, false)?.sites) {
        if let CapturedSite::Jets(jets) = site {
            JetOperator::new(&pass.network, form, vec![jets]).check()?;
        }
    }
    Ok(())
}
