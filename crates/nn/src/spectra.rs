//! Captures that end in spectra, within a memory budget.

mod streamed;

use burgeon_core::eigen::{CapturedOperator, Method, TeamOperator};
use burgeon_core::{
    Capture, CoreError, Curvature, CurvatureBlock, RowSample, SiteInput, SiteSpectra,
    SpectrumSolver, SplitBackend,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::capture::{CapturedBatch, Pass, sites};
use crate::error::NnError;
use crate::growable::{Growable, evaluate_in};
use crate::objective::Objective;
use crate::part::finished;
use crate::passes::{ForwardPasses, bytes_of};
use crate::replay::Values;
use crate::samples::Samples;
use crate::sites::{CapturedSite, JetBatch, JetOperator, SiteForm};
use crate::trace::traced;

use streamed::StreamedOperator;

/// Bytes of captured rows in a pass up to which passes run side by side.
const SMALL: usize = 1 << 24;

/// How the spectra of a network's sites are found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SpectrumConfig {
    solver: SpectrumSolver,
    rows: Option<usize>,
    memory_budget: usize,
}

impl Default for SpectrumConfig {
    fn default() -> Self {
        Self {
            solver: SpectrumSolver::default(),
            rows: None,
            memory_budget: 1 << 30,
        }
    }
}

impl SpectrumConfig {
    /// The solver: method, tolerance, its own memory.
    #[must_use]
    pub fn with_solver(mut self, solver: SpectrumSolver) -> Self {
        self.solver = solver;
        self
    }

    /// About so many rows of each site (samples, times positions for a convolution) of all that
    /// are captured; all unless told. They are drawn by what they can add to the splitting
    /// matrices ([`RowSample::by_size`]), which they estimate without bias; the extreme
    /// eigenvalues of the estimates are larger than those of all rows. Where a site's products go
    /// by jets, whole samples are drawn, each as likely as any other.
    #[must_use]
    pub fn with_rows(mut self, rows: usize) -> Self {
        self.rows = Some(rows);
        self
    }

    /// The rows of each site that spectra rest on; `None` for all.
    pub fn rows(&self) -> Option<usize> {
        self.rows
    }

    /// Bytes that captured inputs and curvature weights may take together; 1 GiB unless told. What
    /// would take more is not kept: each iteration then runs the network again, batch by batch,
    /// on all rows. Where ranks share the samples it is a budget of all of them together, so that
    /// what is found does not depend on their number.
    #[must_use]
    pub fn with_memory_budget(mut self, bytes: usize) -> Self {
        self.memory_budget = bytes;
        self
    }

    /// Checks that there is something to find spectra of.
    ///
    /// # Errors
    /// [`NnError::Settings`] for 0 rows.
    pub fn check(&self) -> Result<(), NnError> {
        match self.rows {
            Some(0) => Err(NnError::Settings(
                "spectra need at least one row of each site".into(),
            )),
            _ => Ok(()),
        }
    }
}

/// Captures every site of `model` on `samples` and solves for the spectra.
///
/// # Errors
/// As [`capture`](crate::capture::capture) and [`SpectrumSolver::solve`];
/// [`NnError::Settings`] for 0 rows.
pub fn capture_spectra<M: Growable>(
    model: &M,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    batch_size: usize,
    config: &SpectrumConfig,
    backend: &dyn SplitBackend,
) -> Result<Capture, NnError> {
    let trace = traced(model, samples)?;
    let pass = Pass::new(model, trace, objective, samples, batch_size, backend)?;
    Ok(captured(model, &pass, objective, samples, config, false)?.0)
}

/// [`capture_spectra`], and the forward passes that it took, for a line search over the same
/// samples. They are kept as long as they and what is captured stay below the memory budget;
/// what was not kept is computed again when it is needed.
///
/// # Errors
/// As [`capture_spectra`].
pub fn capture_with_passes<M: Growable>(
    model: &M,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    batch_size: usize,
    config: &SpectrumConfig,
    backend: &dyn SplitBackend,
) -> Result<(Capture, ForwardPasses<M>), NnError> {
    let trace = traced(model, samples)?;
    let pass = Pass::new(model, trace, objective, samples, batch_size, backend)?;
    spectra_with_passes(model, &pass, objective, samples, config)
}

/// [`capture_with_passes`] by a pass that is there.
pub(crate) fn spectra_with_passes<M: Growable>(
    model: &M,
    pass: &Pass<'_, M>,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    config: &SpectrumConfig,
) -> Result<(Capture, ForwardPasses<M>), NnError> {
    let (capture, values) = captured(model, pass, objective, samples, config, true)?;
    let trace = pass.network.trace.clone();
    let passes = ForwardPasses::of(model, trace, samples, pass.batch_size())?;
    Ok((capture, passes.with_values(values)))
}

/// What was captured of a site.
#[derive(Default)]
struct SiteData {
    blocks: Vec<CurvatureBlock>,
    jets: Vec<JetBatch>,
}

/// The capture and, where `keeps` says so and the budget allows it, the tensors of each batch.
pub(crate) fn captured<M: Growable>(
    model: &M,
    pass: &Pass<'_, M>,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    config: &SpectrumConfig,
    mut keeps: bool,
) -> Result<(Capture, Vec<Values>), NnError> {
    config.check()?;
    let backend = pass.backend();
    let mut values = Vec::new();
    let mut kept = 0;
    let mut data: Vec<SiteData> = pass.forms.iter().map(|_| SiteData::default()).collect();
    let (mut loss, mut bytes, mut share) = (0.0, 0, 0.0);
    let team = pass.part().team.as_ref();
    let mut losses = Vec::new();
    let mut side_by_side = 1;
    let mut next = 0;
    while next < pass.batches() {
        let group = next..(next + side_by_side).min(pass.batches());
        next = group.end;
        let captured = group.clone().into_par_iter();
        let captured = captured.map(|batch| SampledBatch::new(pass, batch, config, keeps));
        let captured: Vec<SampledBatch> = captured.collect::<Result<_, NnError>>()?;
        // Small passes leave threads idle, large ones would hold too much at once.
        let all: usize = captured.iter().map(|batch| batch.bytes_of_all_rows).sum();
        if all / group.len() <= SMALL {
            side_by_side = rayon::current_num_threads().max(1);
        }
        for (batch, captured) in group.zip(captured) {
            let captured = captured.batch;
            loss += captured.loss;
            losses.push(captured.loss);
            share += pass.share(batch);
            kept += bytes_of(&captured.values);
            values.push(captured.values);
            for (to, site) in data.iter_mut().zip(captured.sites) {
                bytes += site.bytes();
                match site {
                    CapturedSite::Block(block) => to.blocks.push(*block),
                    CapturedSite::Jets(jets) => to.jets.push(jets),
                }
            }
        }
        // The first batches tell what all will take, but for ranks, which must agree.
        let budget = match team {
            Some(_) => config.memory_budget as f64,
            None => config.memory_budget as f64 * share,
        };
        if bytes as f64 > budget {
            if team.is_some() {
                break;
            }
            drop((data, values));
            let capture = streamed(model, pass, objective, samples, config)?;
            return Ok((capture, Vec::new()));
        }
        if (bytes + kept) as f64 > budget {
            (keeps, kept) = (false, 0);
            values.clear();
        }
    }
    if let Some(team) = team {
        bytes = usize::try_from(pass.part().total(bytes as u64)?).unwrap_or(usize::MAX);
        if bytes > config.memory_budget {
            drop((data, values));
            let capture = streamed(model, pass, objective, samples, config)?;
            return Ok((capture, Vec::new()));
        }
        let mut sum = team.sum(pass.part().pieces);
        losses.into_iter().for_each(|loss| sum.push(vec![loss]));
        loss = finished(sum)?.first().copied().unwrap_or(0.0);
    }
    // The stochastic method draws a block for each of its steps.
    let joins = config.rows.is_some() && config.solver.method() != Method::Rayleigh;
    let exact = backend.accumulation_dtype();
    let mut sites = sites(pass.graph());
    // One site after the other: the memory of one basis is enough.
    for ((site, form), data) in sites.iter_mut().zip(&pass.forms).zip(data) {
        site.spectra = match data.jets.is_empty() {
            _ if team.is_some() => shared(pass, form, data, samples.len(), config)?,
            true => {
                let blocks = match joins {
                    true => CurvatureBlock::joined(data.blocks),
                    false => data.blocks,
                };
                let curvature = Curvature::new(&form.name, blocks)?;
                let operator = CapturedOperator::new(vec![&curvature], backend);
                config.solver.solve(&operator, curvature.rows(), exact)?
            }
            false => {
                let operator = JetOperator::new(&pass.network, form, data.jets);
                config.solver.solve(&operator, samples.len(), exact)?
            }
        }
        .pop();
    }
    let capture = Capture {
        sites,
        samples: samples.len(),
        loss,
        bytes,
    };
    Ok((capture, if keeps { values } else { Vec::new() }))
}

/// The spectra of one site of which each rank of a team has captured its own batches.
fn shared<M: Growable>(
    pass: &Pass<'_, M>,
    form: &SiteForm,
    data: SiteData,
    samples: usize,
    config: &SpectrumConfig,
) -> Result<Vec<SiteSpectra>, NnError> {
    let (part, backend) = (pass.part(), pass.backend());
    let Some(team) = &part.team else {
        return Ok(Vec::new());
    };
    let exact = backend.accumulation_dtype();
    if !data.jets.is_empty() {
        let own = data.jets.into_iter();
        let own = own.map(|jets| JetOperator::new(&pass.network, form, vec![jets]));
        let operator = TeamOperator::new(team, part.pieces, own.collect());
        return Ok(config.solver.solve(&operator, samples, exact)?);
    }
    let blocks = data.blocks.into_iter();
    let blocks = blocks.map(|block| Curvature::new(&form.name, vec![block]));
    let blocks: Vec<Curvature> = blocks.collect::<Result<_, _>>()?;
    let rows: usize = blocks.iter().map(Curvature::rows).sum();
    let rows = part.total(rows as u64)? as usize;
    let own = blocks.iter();
    let own = own.map(|block| CapturedOperator::new(vec![block], backend));
    let operator = TeamOperator::new(team, part.pieces, own.collect());
    Ok(config.solver.solve(&operator, rows, exact)?)
}

/// What one pass captured.
struct SampledBatch {
    /// Of each site the rows that were drawn.
    batch: CapturedBatch,
    /// Numbers that all rows of all sites held, in bytes.
    bytes_of_all_rows: usize,
}

impl SampledBatch {
    fn new<M: Growable>(
        pass: &Pass<'_, M>,
        index: usize,
        config: &SpectrumConfig,
        keeps: bool,
    ) -> Result<Self, NnError> {
        let mut batch = pass.run(index, keeps)?;
        let bytes_of_all_rows = batch.sites.iter().map(CapturedSite::bytes).sum();
        if let Some(rows) = config.rows {
            let rows = (rows as f64 * pass.share(index)).round().max(1.0) as usize;
            // A stream for each batch, so that their order does not matter.
            let mut rng = ChaCha8Rng::seed_from_u64(0x0F0A);
            rng.set_stream((pass.part().first + index) as u64);
            let drawn = batch.sites.into_iter().map(|site| {
                Ok(match site {
                    CapturedSite::Block(block) => {
                        let block = sampled(*block, rows, pass.backend(), &mut rng)?;
                        CapturedSite::Block(Box::new(block))
                    }
                    CapturedSite::Jets(jets) => {
                        CapturedSite::Jets(jets.sampled(&pass.network, rows, &mut rng))
                    }
                })
            });
            batch.sites = drawn.collect::<Result<_, NnError>>()?;
        }
        Ok(Self {
            batch,
            bytes_of_all_rows,
        })
    }
}

/// About `count` rows of `block`, or all that it has; all of a depthwise one.
fn sampled(
    block: CurvatureBlock,
    count: usize,
    backend: &dyn SplitBackend,
    rng: &mut ChaCha8Rng,
) -> Result<CurvatureBlock, NnError> {
    if block.weights.dims()[0] <= count || matches!(block.input, SiteInput::ChannelMaps(..)) {
        return Ok(block);
    }
    let sizes = backend.row_sizes(&block).try_into_vec_as::<f64>();
    let sizes = sizes.map_err(|error| CoreError::Read {
        what: "the sizes of a site's rows".into(),
        reason: error.to_string(),
    })?;
    Ok(match RowSample::by_size(&sizes, count, rng) {
        Some(sample) => backend.sampled(block, &sample),
        None => block,
    })
}

/// Nothing is kept between iterations.
fn streamed<M: Growable>(
    model: &M,
    pass: &Pass<'_, M>,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    config: &SpectrumConfig,
) -> Result<Capture, NnError> {
    let part = pass.part();
    let first = pass.run(0, false)?.sites;
    let mut rows = 0;
    let mut bytes = 0;
    for site in &first {
        bytes += site.bytes();
        if let CapturedSite::Block(block) = site {
            rows = rows.max(block.weights.dims()[0] * part.pieces);
        }
    }
    drop(first);
    let exact = pass.backend().accumulation_dtype();
    let all = |batches| StreamedOperator { pass, batches };
    let solved = match &part.team {
        None => {
            let operator = all(0..pass.batches());
            config
                .solver
                .solve(&operator, rows.max(samples.len()), exact)?
        }
        Some(team) => {
            // The first rank has the first piece, whatever the number of ranks is.
            let first = team.decided((rows as u64).to_le_bytes().to_vec());
            let first = first.map_err(CoreError::from)?;
            let rows = first[..].try_into().map_or(0, u64::from_le_bytes) as usize;
            let own = (0..pass.batches()).map(|batch| all(batch..batch + 1));
            let operator = TeamOperator::new(team, part.pieces, own.collect());
            config
                .solver
                .solve(&operator, rows.max(samples.len()), exact)?
        }
    };
    let mut sites = sites(pass.graph());
    for (site, spectra) in sites.iter_mut().zip(solved) {
        site.spectra = Some(spectra);
    }
    Ok(Capture {
        sites,
        samples: samples.len(),
        loss: evaluate_in(
            model,
            objective,
            samples,
            pass.batch_size(),
            part.team.as_ref(),
        )?
        .loss,
        bytes,
    })
}
