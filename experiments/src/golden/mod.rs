//! Reference values computed by independent programs, and how far we are from them.

mod file;
mod nets;
mod paths;

use std::collections::BTreeMap;
use std::path::Path;

use burgeon_core::criterion::Candidate;
use burgeon_core::eigen::{Method, Spectrum, dense_spectra};
use burgeon_core::growth::Split;
use burgeon_core::{
    Curvature, Eigenpair, Growth, Plan, Scheme, SiteInput, SplitBackend, WeightBound,
};
use burgeon_nn::capture::capture;
use burgeon_nn::growable::{cast, evaluate};
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{Growable, Input, Objective, Samples, trace};
use burn::tensor::DType;
use nalgebra::{DMatrix, DVector};
use serde::Deserialize;

use crate::error::ExperimentError;
use file::Arrays;
pub use paths::RAYLEIGH_PASSES;

/// The largest error of one quantity of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct GoldenRow {
    /// The case.
    pub case: String,
    /// `f64` or `f32`.
    pub dtype: &'static str,
    /// What was compared.
    pub quantity: &'static str,
    /// Number of values compared.
    pub count: usize,
    /// The largest relative error.
    pub worst: f64,
    /// The largest that is allowed.
    pub bound: f64,
}

impl GoldenRow {
    /// Whether the error is within its bound.
    pub fn passed(&self) -> bool {
        self.worst <= self.bound
    }
}

/// What [`check_directory`] found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GoldenReport {
    /// One row for each quantity, type and case.
    pub rows: Vec<GoldenRow>,
    /// Reference losses after splits by schemes that are not implemented.
    pub skipped: BTreeMap<String, usize>,
}

/// One case of `index.json`.
#[derive(Debug, Clone, Deserialize)]
struct Case {
    kind: String,
    activation: String,
    loss: String,
    #[serde(default = "one")]
    c: f64,
    #[serde(default)]
    eps: Vec<f64>,
    #[serde(default)]
    loss_after: BTreeMap<String, Vec<f64>>,
}

/// The bound c of a case that has no splits.
fn one() -> f64 {
    1.0
}

/// Checks every case that `directory/index.json` names: splitting matrices, extremal
/// eigenpairs, and the losses before and after splits, in every float type the
/// backend supports.
///
/// # Errors
/// [`ExperimentError::Io`] or [`ExperimentError::File`] for files that are missing or
/// not as expected; whatever the computation reports.
pub fn check_directory(
    directory: &Path,
    backend: &dyn SplitBackend,
) -> Result<GoldenReport, ExperimentError> {
    let path = directory.join("index.json");
    let text = std::fs::read_to_string(&path).map_err(ExperimentError::io(&path))?;
    let cases: BTreeMap<String, Case> = serde_json::from_str(&text)
        .map_err(|error| ExperimentError::file(&path, format!("not an index: {error}")))?;
    if cases.is_empty() {
        return Err(ExperimentError::file(&path, "it names no case"));
    }
    let mut report = GoldenReport::default();
    for (name, case) in &cases {
        let arrays = Arrays::read(&directory.join(format!("{name}.safetensors")))?;
        for dtype in [DType::F64, DType::F32] {
            if !backend.supports(dtype) {
                continue;
            }
            let mut checker = Checker {
                name,
                case,
                arrays: &arrays,
                backend,
                dtype,
                report: &mut report,
            };
            match case.kind.as_str() {
                "mlp" => {
                    let (net, samples, objective) = nets::mlp(case, &arrays, backend)?;
                    checker.check(
                        &net,
                        &samples,
                        objective.as_ref(),
                        &nets::mlp_references(&net),
                    )?;
                }
                "conv" => {
                    let (net, samples, objective) = nets::conv(case, &arrays, backend)?;
                    checker.check(&net, &samples, objective.as_ref(), &nets::conv_references())?;
                }
                other => {
                    let problem = format!("case `{name}` is of unknown kind `{other}`");
                    return Err(ExperimentError::file(&path, problem));
                }
            }
        }
    }
    Ok(report)
}

/// A site of a network and what the reference has for it.
struct Reference {
    /// The site.
    site: String,
    /// The end of its arrays' names.
    suffix: String,
    /// Whether the reference is of a depthwise convolution, the site of a full one.
    depthwise: bool,
}

impl Reference {
    /// The site's captured data as of the layer that the reference has: what each filter of a
    /// depthwise convolution reads is its own channel.
    fn of_layer(&self, curvature: &Curvature) -> Result<Curvature, ExperimentError> {
        let blocks = curvature.iter_blocks().cloned().map(|mut block| {
            block.input = match block.input {
                SiteInput::Maps(maps, window) if self.depthwise => {
                    SiteInput::ChannelMaps(maps, window)
                }
                other => other,
            };
            block
        });
        Ok(Curvature::new(&self.site, blocks.collect())?)
    }
}

struct Checker<'a> {
    name: &'a str,
    case: &'a Case,
    arrays: &'a Arrays,
    backend: &'a dyn SplitBackend,
    dtype: DType,
    report: &'a mut GoldenReport,
}

/// Largest error seen, and of how many values.
#[derive(Default)]
struct Worst {
    error: f64,
    count: usize,
}

impl Worst {
    fn add(&mut self, error: f64) {
        self.count += 1;
        // A NaN must not pass for the largest error.
        if error.is_nan() || error > self.error {
            self.error = if error.is_nan() { f64::INFINITY } else { error };
        }
    }
}

impl Checker<'_> {
    fn check<M: Growable>(
        &mut self,
        net: &M,
        samples: &Samples<M::Input>,
        objective: &dyn Objective,
        references: &[Reference],
    ) -> Result<(), ExperimentError>
    where
        M::Input: CastRows,
    {
        let net = cast(net, self.dtype);
        let samples = cast_samples(samples, self.dtype)?;
        let captured = capture(&net, objective, &samples, samples.len(), Some(self.backend))?;
        let mut loss = Worst::default();
        let reference = self.arrays.floats("loss")?.values[0];
        loss.add((captured.loss - reference).abs() / reference.abs());
        self.row("loss", loss);

        let (mut matrices, mut values, mut vectors) =
            (Worst::default(), Worst::default(), Worst::default());
        let mut spectra: BTreeMap<String, Vec<Spectrum>> = BTreeMap::new();
        let mut free = [Method::Krylov, Method::Rayleigh]
            .map(|method| (method, Worst::default(), Worst::default()));
        for reference in references {
            let Reference { site, suffix, .. } = reference;
            let found = captured.sites.iter().find(|found| &found.name == site);
            let Some(curvature) = found.and_then(|found| found.curvature.as_ref()) else {
                let problem = format!("case `{}` has no site `{site}`", self.name);
                return Err(ExperimentError::Settings(problem));
            };
            let curvature = &reference.of_layer(curvature)?;
            let dense = curvature.dense(self.backend, DType::F64)?;
            let mut computed = dense_spectra(site, &dense)?;
            let expected = self.arrays.matrices(&format!("s{suffix}"))?;
            for (neuron, (s, s_ref)) in dense.iter().zip(&expected).enumerate() {
                if s.shape() != s_ref.shape() {
                    let problem = format!("`s{suffix}` is of another shape than the network's");
                    return Err(ExperimentError::file(self.name, problem));
                }
                let scale = s_ref.amax();
                matrices.add((s - s_ref).amax() / scale);
                self.compare_ends(
                    &mut computed[neuron],
                    s_ref,
                    suffix,
                    neuron,
                    &mut values,
                    &mut vectors,
                )?;
            }
            spectra.insert(suffix.clone(), computed);
            let references = ["min", "max"].map(|end| format!("lambda_{end}{suffix}"));
            let [min, max] = references.map(|name| self.arrays.floats(&name));
            let (min, max) = (&min?.values, &max?.values);
            for (method, errors, beyond) in &mut free {
                let found = paths::solve(*method, curvature, self.backend, self.dtype)?;
                paths::compare(&found, [min, max], errors, beyond);
            }
        }
        self.row("splitting matrices", matrices);
        self.row("extremal eigenvalues", values);
        self.row("extremal eigenvectors", vectors);
        let [(_, krylov, krylov_beyond), (_, rayleigh, rayleigh_beyond)] = free;
        self.row("eigenvalues by krylov", krylov);
        self.row("beyond krylov's residual bounds", krylov_beyond);
        self.bounded_row("eigenvalues by rayleigh", rayleigh, paths::RAYLEIGH_BOUND);
        self.row("beyond rayleigh's residual bounds", rayleigh_beyond);
        self.losses(&net, &samples, objective, references, &spectra)
    }

    fn compare_ends(
        &self,
        found: &mut Spectrum,
        matrix: &DMatrix<f64>,
        suffix: &str,
        neuron: usize,
        values: &mut Worst,
        vectors: &mut Worst,
    ) -> Result<(), ExperimentError> {
        let mut eigenvalues: Vec<f64> = matrix.symmetric_eigenvalues().as_slice().to_vec();
        eigenvalues.sort_by(f64::total_cmp);
        let d = eigenvalues.len();
        let norm = eigenvalues[0].abs().max(eigenvalues[d - 1].abs());
        for (end, pair, own, next) in [
            ("min", &mut found.min, 0, 1),
            ("max", &mut found.max, d - 1, d.wrapping_sub(2)),
        ] {
            let array = self.arrays.floats(&format!("lambda_{end}{suffix}"))?;
            values.add((pair.value - array.values[neuron]).abs() / norm);
            let reference = self.arrays.floats(&format!("v_{end}{suffix}"))?;
            let reference = DVector::from_column_slice(&reference.values[neuron * d..][..d]);
            align(pair, &reference);
            let difference = (DVector::from_column_slice(&pair.vector) - &reference).norm();
            // A vector is determined up to error / gap, so errors count by the gap.
            let gap = eigenvalues
                .get(next)
                .map_or(norm, |next| (eigenvalues[own] - next).abs());
            vectors.add(difference * gap / norm);
        }
        Ok(())
    }

    fn losses<M: Growable>(
        &mut self,
        net: &M,
        samples: &Samples<M::Input>,
        objective: &dyn Objective,
        sites: &[Reference],
        spectra: &BTreeMap<String, Vec<Spectrum>>,
    ) -> Result<(), ExperimentError> {
        let trace = trace(net, samples)?;
        let bound = WeightBound::new(self.case.c)?;
        let mut worst = Worst::default();
        for (key, references) in &self.case.loss_after {
            let Some((suffix, neuron, scheme)) = split_key(key) else {
                let problem = format!("`{key}` is not of the form layerL.neuronN.SCHEME");
                return Err(ExperimentError::file(self.name, problem));
            };
            let Some(scheme) = scheme_named(scheme) else {
                if self.dtype == DType::F64 {
                    *self.report.skipped.entry(scheme.to_owned()).or_default() += references.len();
                }
                continue;
            };
            let found = sites.iter().find(|own| own.suffix == suffix);
            let spectrum = spectra.get(&suffix).and_then(|spectra| spectra.get(neuron));
            let (Some(Reference { site, .. }), Some(spectrum)) = (found, spectrum) else {
                let problem = format!("`{key}` names a neuron that the network does not have");
                return Err(ExperimentError::file(self.name, problem));
            };
            let plan = Plan::new(
                "golden",
                vec![Candidate {
                    growth: Growth::Split(Split {
                        site: site.clone(),
                        neuron,
                        scheme,
                        offspring: scheme.offspring(
                            &spectrum.min.vector,
                            &spectrum.max.vector,
                            bound,
                        ),
                    }),
                    gain: None,
                    score: 0.0,
                    price: 0,
                }],
            );
            for (epsilon, reference) in self.case.eps.iter().zip(references) {
                let (grown, _) = apply_plan(net, trace.graph(), &plan, *epsilon)?;
                let loss = evaluate(&grown, objective, samples, samples.len())?.loss;
                worst.add((loss - reference).abs() / reference.abs());
            }
        }
        if worst.count > 0 {
            self.row("losses after splits", worst);
        }
        Ok(())
    }

    fn row(&mut self, quantity: &'static str, worst: Worst) {
        let double = self.dtype == DType::F64;
        self.bounded_row(quantity, worst, if double { 1e-9 } else { 1e-4 });
    }

    fn bounded_row(&mut self, quantity: &'static str, worst: Worst, bound: f64) {
        self.report.rows.push(GoldenRow {
            case: self.name.to_owned(),
            dtype: if self.dtype == DType::F64 {
                "f64"
            } else {
                "f32"
            },
            quantity,
            count: worst.count,
            worst: worst.error,
            bound,
        });
    }
}

/// Gives the vector the reference's sign: a split by negative2 moves along one side of
/// v_max, so its loss depends on the sign at order ε³.
fn align(pair: &mut Eigenpair, reference: &DVector<f64>) {
    let along: f64 = pair.vector.iter().zip(reference).map(|(a, b)| a * b).sum();
    if along < 0.0 {
        pair.vector.iter_mut().for_each(|entry| *entry = -*entry);
    }
}

/// `layer0.neuron3.positive2` → (`0`, 3, `positive2`).
fn split_key(key: &str) -> Option<(String, usize, &str)> {
    let mut parts = key.split('.');
    let layer = parts.next()?.strip_prefix("layer")?;
    let neuron = parts.next()?.strip_prefix("neuron")?.parse().ok()?;
    Some((layer.to_owned(), neuron, parts.next()?))
}

fn scheme_named(name: &str) -> Option<Scheme> {
    Scheme::DIRECTED
        .into_iter()
        .find(|scheme| scheme.name() == name)
}

/// Inputs that can change their float type.
trait CastRows: Input {
    fn cast_rows(&self, dtype: DType) -> Self;
}

impl<const D: usize> CastRows for burn::Tensor<D> {
    fn cast_rows(&self, dtype: DType) -> Self {
        self.clone().cast(dtype)
    }
}

fn cast_samples<I: CastRows>(
    samples: &Samples<I>,
    dtype: DType,
) -> Result<Samples<I>, ExperimentError> {
    let inputs = samples.inputs().cast_rows(dtype);
    Ok(samples.with_inputs(inputs, |values| values.cast(dtype))?)
}
