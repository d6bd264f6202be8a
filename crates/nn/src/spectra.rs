//! Captures that end in spectra, within a memory budget.

use std::collections::HashMap;

use burgeon_core::eigen::{Directions, Method, SiteShape, SplittingOperator};
use burgeon_core::products::block_products;
use burgeon_core::{
    Capture, CoreError, Curvature, CurvatureBlock, RowSample, Site, SiteInput, SplitBackend,
};
use burgeon_core::{SiteSpectra, SpectrumSolver};
use burn::tensor::DType;
use nalgebra::DMatrix;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::capture::{CapturedBatch, Pass, sites};
use crate::error::NnError;
use crate::growable::{Growable, evaluate};
use crate::objective::Objective;
use crate::passes::{Answer, ForwardPasses};
use crate::samples::Samples;

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
    /// eigenvalues of the estimates are larger than those of all rows.
    #[must_use]
    pub fn with_rows(mut self, rows: usize) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Bytes that captured inputs and curvature weights may take together; 1 GiB unless told. What
    /// would take more is not kept: each iteration then runs the network again, batch by batch,
    /// on all rows.
    #[must_use]
    pub fn with_memory_budget(mut self, bytes: usize) -> Self {
        self.memory_budget = bytes;
        self
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
    let pass = Pass::new(model, objective, samples, batch_size, backend)?;
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
    let pass = Pass::new(model, objective, samples, batch_size, backend)?;
    let (capture, answers) = captured(model, &pass, objective, samples, config, true)?;
    let passes = ForwardPasses::new(model, samples, batch_size)?;
    Ok((capture, passes.with_answers(answers)))
}

/// The capture and, where `keeps` says so and the budget allows it, the layers' answers in each
/// batch.
fn captured<M: Growable>(
    model: &M,
    pass: &Pass<'_, M>,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    config: &SpectrumConfig,
    mut keeps: bool,
) -> Result<(Capture, Vec<Vec<Answer>>), NnError> {
    if config.rows == Some(0) {
        let problem = "spectra need at least one row of each site";
        return Err(NnError::Settings(problem.into()));
    }
    let backend = pass.backend();
    let mut answers = Vec::new();
    let mut kept = 0;
    let mut blocks: HashMap<String, Vec<CurvatureBlock>> = HashMap::new();
    let (mut loss, mut bytes, mut share) = (0.0, 0, 0.0);
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
            share += pass.share(batch);
            kept += captured.answers.iter().map(Answer::bytes).sum::<usize>();
            answers.push(captured.answers);
            for (site, block) in captured.blocks {
                bytes += block.bytes();
                blocks.entry(site).or_default().push(block);
            }
        }
        // The first batches tell what all will take.
        let budget = config.memory_budget as f64 * share;
        if bytes as f64 > budget {
            drop((blocks, answers));
            let capture = streamed(model, pass, objective, samples, config, backend)?;
            return Ok((capture, Vec::new()));
        }
        if (bytes + kept) as f64 > budget {
            (keeps, kept) = (false, 0);
            answers.clear();
        }
    }
    // The stochastic method draws a block for each of its steps.
    let joins = config.rows.is_some() && config.solver.method() != Method::Rayleigh;
    let sites = sites(pass.topology(), |name| {
        Some(match blocks.remove(name) {
            Some(blocks) if joins => {
                Curvature::new(name, CurvatureBlock::joined(blocks)).map_err(NnError::from)
            }
            Some(blocks) => Curvature::new(name, blocks).map_err(NnError::from),
            None => Err(pass.unused(name)),
        })
    })?;
    let mut capture = Capture {
        sites,
        samples: samples.len(),
        loss,
        bytes,
    };
    capture.solve(&config.solver, backend)?;
    Ok((capture, if keeps { answers } else { Vec::new() }))
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
        let bytes_of_all_rows = batch.blocks.iter().map(|(_, block)| block.bytes()).sum();
        if let Some(rows) = config.rows {
            let rows = (rows as f64 * pass.share(index)).round().max(1.0) as usize;
            // A stream for each batch, so that their order does not matter.
            let mut rng = ChaCha8Rng::seed_from_u64(0x0F0A);
            rng.set_stream(index as u64);
            let sampled = batch.blocks.into_iter().map(|(site, block)| {
                let block = sampled(block, rows, pass.backend(), &mut rng)?;
                Ok((site, block))
            });
            batch.blocks = sampled.collect::<Result<_, NnError>>()?;
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
    backend: &dyn SplitBackend,
) -> Result<Capture, NnError> {
    let first = pass.run(0, false)?.blocks;
    let mut shapes = Vec::new();
    let mut rows = 0;
    let mut bytes = 0;
    for (name, block) in first {
        rows = rows.max(block.weights.dims()[0] * pass.batches());
        bytes += block.bytes();
        if !shapes.iter().any(|shape: &SiteShape| shape.name == name) {
            shapes.push(SiteShape {
                name,
                neurons: block.neurons(),
                dim: block.dim(),
            });
        }
    }
    let operator = StreamedOperator {
        pass,
        shapes,
        backend,
    };
    let exact = backend.accumulation_dtype();
    let solved = config.solver.solve(&operator, rows, exact)?;
    let names = operator.shapes.into_iter().map(|shape| shape.name);
    let mut spectra: HashMap<String, SiteSpectra> = names.zip(solved).collect();
    let sites = sites(pass.topology(), |_| None)?;
    let sites = sites
        .into_iter()
        .map(|site| match spectra.remove(&site.name) {
            Some(spectra) => Ok(Site {
                spectra: Some(spectra),
                ..site
            }),
            None => Err(pass.unused(&site.name)),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Capture {
        sites,
        samples: samples.len(),
        loss: evaluate(model, objective, samples, pass.batch_size())?.loss,
        bytes,
    })
}

/// Sites that are captured anew in each iteration, all in the same passes.
struct StreamedOperator<'a, M: Growable> {
    pass: &'a Pass<'a, M>,
    shapes: Vec<SiteShape>,
    backend: &'a dyn SplitBackend,
}

impl<M: Growable> StreamedOperator<'_, M> {
    fn captured(&self, batch: usize) -> Result<Vec<(usize, CurvatureBlock)>, CoreError> {
        let captured = self.pass.run(batch, false).map_err(|error| match error {
            NnError::Core(error) => error,
            // The same pass has run before; only the device can have failed since.
            other => CoreError::Read {
                what: "a captured batch".into(),
                reason: other.to_string(),
            },
        })?;
        let index = |name: &str| self.shapes.iter().position(|shape| shape.name == name);
        let captured = captured.blocks.into_iter();
        Ok(captured
            .filter_map(|(name, block)| Some((index(&name)?, block)))
            .collect())
    }
}

impl<M: Growable> SplittingOperator for StreamedOperator<'_, M> {
    fn sites(&self) -> Vec<SiteShape> {
        self.shapes.clone()
    }

    fn batches(&self) -> usize {
        self.pass.batches()
    }

    fn apply_batch(
        &self,
        batch: usize,
        directions: &[Directions],
    ) -> Result<Vec<Vec<DMatrix<f64>>>, CoreError> {
        let mut sums: Vec<_> = directions.iter().map(Directions::zero_products).collect();
        for (site, block) in self.captured(batch)? {
            let asked = &directions[site];
            for (sum, vectors) in sums[site].iter_mut().zip(&asked.vectors) {
                let name = &self.shapes[site].name;
                *sum += block_products(self.backend, name, &block, vectors, asked.dtype)?;
            }
        }
        Ok(sums)
    }

    fn dense(&self, site: usize, dtype: DType) -> Result<Vec<DMatrix<f64>>, CoreError> {
        let SiteShape { name, neurons, dim } = &self.shapes[site];
        let mut sums = vec![DMatrix::zeros(*dim, *dim); *neurons];
        for batch in 0..self.batches() {
            for (index, block) in self.captured(batch)? {
                if index != site {
                    continue;
                }
                let part = Curvature::new(name, vec![block])?;
                let matrices = part.dense(self.backend, dtype)?;
                for (sum, matrix) in sums.iter_mut().zip(matrices) {
                    *sum += matrix;
                }
            }
        }
        Ok(sums)
    }
}
