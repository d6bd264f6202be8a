//! One entrance to the three paths.

use burn::tensor::DType;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::dense::dense_spectra;
use super::krylov::Krylov;
use super::operator::{Directions, SiteShape, SplittingOperator, apply};
use super::rayleigh::{RayleighDescent, rayleigh_spectra};
use crate::error::CoreError;
use crate::spectrum::{KrylovLimits, Method, SiteSpectra};

/// Tolerance below which products in f32 do not carry enough digits.
const DOUBLE_BELOW: f64 = 1e-5;

/// Tolerance above which rounding in f32 is of no account to the residuals that are returned.
const SINGLE_ABOVE: f64 = 1e-3;

/// How spectra are computed. Builds by `with_…`, checks when it solves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SpectrumSolver {
    method: Method,
    tolerance: f64,
    max_iterations: usize,
    memory_budget: usize,
    rayleigh: RayleighDescent,
}

impl Default for SpectrumSolver {
    fn default() -> Self {
        Self {
            method: Method::Auto,
            tolerance: 1e-3,
            max_iterations: 300,
            memory_budget: 1 << 30,
            rayleigh: RayleighDescent::default(),
        }
    }
}

impl SpectrumSolver {
    /// Chooses the way; [`Method::Auto`] unless told.
    #[must_use]
    pub fn with_method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// The method that was asked for.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Residual at which Krylov iterations end, relative to the largest |λ| of the neuron;
    /// 1e-3 unless told. From 1e-5 on, products of f32 data are computed in f32. Up to 1e-3 the
    /// residuals that are returned are measured by further products; above it they are those of
    /// the iteration, raised by its rounding.
    ///
    /// A residual bounds the distance to the nearest eigenvalue. That this is the end of the
    /// spectrum is likely and not certain: where the random start is almost orthogonal to it, a
    /// loose tolerance can be met at the eigenvalue beside it.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Krylov iterations at most; 300 unless told. Residuals tell what was reached.
    #[must_use]
    pub fn with_max_iterations(mut self, iterations: usize) -> Self {
        self.max_iterations = iterations;
        self
    }

    /// Bytes that the basis vectors, or the dense matrices, of one site may take; 1 GiB
    /// unless told. The Krylov basis is restarted at that size, but never below 8 vectors.
    #[must_use]
    pub fn with_memory_budget(mut self, bytes: usize) -> Self {
        self.memory_budget = bytes;
        self
    }

    /// The settings of Rayleigh descent.
    #[must_use]
    pub fn with_rayleigh(mut self, rayleigh: RayleighDescent) -> Self {
        self.rayleigh = rayleigh;
        self
    }

    /// The spectra of all sites of `operator`, whose rows number about `rows` a site; `exact`
    /// is the type of exact sums there.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] for a setting out of range, [`CoreError::Shape`] for a site
    /// without neurons or fan-in, [`CoreError::Memory`] where dense
    /// matrices were asked for by name and do not fit, else as
    /// [`SplittingOperator::apply_batch`] and [`dense_spectra`].
    pub fn solve<O: SplittingOperator + ?Sized>(
        &self,
        operator: &O,
        rows: usize,
        exact: DType,
    ) -> Result<Vec<SiteSpectra>, CoreError> {
        self.check()?;
        let shapes = operator.sites();
        if let Some(shape) = shapes.iter().find(|s| s.neurons.min(s.dim) == 0) {
            return Err(CoreError::Shape {
                what: format!("site `{}`: neurons and fan-in [M, d]", shape.name),
                expected: vec![shape.neurons.max(1), shape.dim.max(1)],
                found: vec![shape.neurons, shape.dim],
            });
        }
        let methods = shapes
            .iter()
            .map(|shape| self.method_for(shape, rows))
            .collect::<Result<Vec<_>, _>>()?;
        let mut found: Vec<Option<SiteSpectra>> = vec![None; shapes.len()];
        for (index, shape) in shapes.iter().enumerate() {
            if methods[index] == Method::Dense {
                let matrices = operator.dense(index, exact)?;
                found[index] = Some(SiteSpectra {
                    spectra: dense_spectra(&shape.name, &matrices)?,
                    method: Method::Dense,
                    iterations: 0,
                    bytes: dense_bytes(shape),
                });
            }
        }
        let wanted = |method| -> Vec<bool> { methods.iter().map(|m| *m == method).collect() };
        let krylov = match self.dtype(exact) {
            DType::F64 => self.krylov::<f64, O>(operator, &wanted(Method::Krylov), exact)?,
            _ => self.krylov::<f32, O>(operator, &wanted(Method::Krylov), exact)?,
        };
        merge(&mut found, krylov);
        if methods.contains(&Method::Rayleigh) {
            let wanted = wanted(Method::Rayleigh);
            let dtype = self.dtype(exact);
            let spectra = rayleigh_spectra(operator, &wanted, &self.rayleigh, dtype, exact)?;
            merge(&mut found, spectra);
        }
        Ok(found.into_iter().flatten().collect())
    }

    fn check(&self) -> Result<(), CoreError> {
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return Err(CoreError::Parameter {
                name: "tolerance",
                value: self.tolerance.to_string(),
                expected: "a relative residual between 0 and 1",
            });
        }
        for (name, value) in [
            ("max_iterations", self.max_iterations),
            ("passes", self.rayleigh.passes),
        ] {
            if value == 0 {
                return Err(CoreError::Parameter {
                    name,
                    value: value.to_string(),
                    expected: "at least 1",
                });
            }
        }
        Ok(())
    }

    /// The type of products within a block of rows.
    fn dtype(&self, exact: DType) -> DType {
        if self.tolerance < DOUBLE_BELOW {
            exact
        } else {
            DType::F32
        }
    }

    fn method_for(&self, shape: &SiteShape, rows: usize) -> Result<Method, CoreError> {
        let fits = dense_bytes(shape) <= self.memory_budget;
        match self.method {
            Method::Auto => {
                let (n, d) = (rows as f64, shape.dim as f64);
                // A neuron's triangle and its decomposition, against products until they
                // converge, whose number grows slowly with the digits asked for.
                let dense = 2.0 * n * d * d + 30.0 * d.powi(3);
                let products = d.min(10.0 + 10.0 * -self.tolerance.log10());
                let krylov = products * (4.0 * n * d + 500.0 * d);
                let is_dense = fits && dense <= krylov;
                Ok(if is_dense {
                    Method::Dense
                } else {
                    Method::Krylov
                })
            }
            Method::Dense if !fits => Err(CoreError::Memory {
                site: shape.name.clone(),
                needed: dense_bytes(shape),
                budget: self.memory_budget,
            }),
            method => Ok(method),
        }
    }

    fn krylov<T, O>(
        &self,
        operator: &O,
        wanted: &[bool],
        exact: DType,
    ) -> Result<Vec<Option<SiteSpectra>>, CoreError>
    where
        T: nalgebra::RealField + Copy,
        O: SplittingOperator + ?Sized,
    {
        let mut solved = vec![None; wanted.len()];
        let mut sites = Vec::new();
        for (index, shape) in operator.sites().iter().enumerate() {
            let numbers = (shape.neurons * shape.dim).max(1);
            let limits = KrylovLimits {
                tolerance: self.tolerance,
                iterations: self.max_iterations,
                basis: self.memory_budget / (numbers * size_of::<T>()),
            };
            if wanted[index] {
                let found = operator.krylov_on_device(index, &limits);
                solved[index] = found.transpose()?;
            }
            let here = wanted[index] && solved[index].is_none();
            let dtype = self.dtype(exact);
            let check = (self.tolerance <= SINGLE_ABOVE).then_some(exact);
            sites.push(here.then(|| Krylov::<T>::new(shape, limits, dtype, check)));
        }
        let mut bytes = vec![0; sites.len()];
        loop {
            let ask = |site: &Option<Krylov<T>>| {
                site.as_ref().map_or(Directions::NONE, Krylov::directions)
            };
            let directions: Vec<Directions> = sites.iter().map(ask).collect();
            if directions.iter().all(|asked| asked.vectors.is_empty()) {
                break;
            }
            let products: Vec<Vec<DMatrix<f64>>> = apply(operator, &directions)?;
            let sites = sites.iter_mut().zip(&mut bytes).zip(&products);
            for ((site, bytes), products) in sites {
                if let Some(site) = site {
                    site.absorb(products);
                    *bytes = site.bytes().max(*bytes);
                }
            }
        }
        let finish = |(site, bytes): (Option<Krylov<T>>, usize)| {
            site.map(|site| SiteSpectra {
                method: Method::Krylov,
                iterations: site.iterations(),
                bytes,
                spectra: site.into_spectra(),
            })
        };
        merge(
            &mut solved,
            sites.into_iter().zip(bytes).map(finish).collect(),
        );
        Ok(solved)
    }
}

fn merge(found: &mut [Option<SiteSpectra>], more: Vec<Option<SiteSpectra>>) {
    for (found, more) in found.iter_mut().zip(more) {
        if more.is_some() {
            *found = more;
        }
    }
}

fn dense_bytes(shape: &SiteShape) -> usize {
    shape.neurons * shape.dim * shape.dim * size_of::<f64>()
}
