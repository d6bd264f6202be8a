//! Splitting matrices that are known by what they do to vectors.

use burn::tensor::DType;
use nalgebra::DMatrix;

use crate::backend::SplitBackend;
use crate::curvature::Curvature;
use crate::error::CoreError;
use crate::spectrum::{KrylovLimits, SiteSpectra};

/// A site's name and sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteShape {
    /// The site's name.
    pub name: String,
    /// Number of neurons M.
    pub neurons: usize,
    /// Fan-in dimension d, bias included.
    pub dim: usize,
}

/// What to multiply a site's splitting matrices with.
#[derive(Debug, Clone)]
pub struct Directions {
    /// Each `[d, M]`, a column for each neuron; none where nothing is asked.
    pub vectors: Vec<DMatrix<f64>>,
    /// The type in which products are computed within a block of rows.
    pub dtype: DType,
}

impl Directions {
    /// Asks nothing of a site.
    pub const NONE: Self = Self {
        vectors: Vec::new(),
        dtype: DType::F64,
    };

    /// Products to be added up: a zero for each of the directions.
    pub fn zero_products(&self) -> Vec<DMatrix<f64>> {
        let zero = |v: &DMatrix<f64>| DMatrix::zeros(v.nrows(), v.ncols());
        self.vectors.iter().map(zero).collect()
    }
}

/// The splitting matrices of several sites as one linear operator, in one or more batches
/// whose sum it is.
///
/// All sites are asked at once, so that an operator that recomputes its batches does so once
/// for all of them.
pub trait SplittingOperator {
    /// The sites, in order.
    fn sites(&self) -> Vec<SiteShape>;

    /// Number of batches.
    fn batches(&self) -> usize;

    /// `S_j v_j` of one batch, `[d, M]`, for each of the directions of every site.
    ///
    /// # Errors
    /// [`CoreError`] where a product is not finite or a device fails.
    fn apply_batch(
        &self,
        batch: usize,
        directions: &[Directions],
    ) -> Result<Vec<Vec<DMatrix<f64>>>, CoreError>;

    /// The spectra of site number `site` by iterations that stay on its device; `None` where
    /// there are none.
    fn krylov_on_device(
        &self,
        _site: usize,
        _limits: &KrylovLimits,
    ) -> Option<Result<SiteSpectra, CoreError>> {
        None
    }

    /// Writes out the splitting matrices of site number `site`.
    ///
    /// # Errors
    /// As [`apply_batch`](Self::apply_batch).
    fn dense(&self, site: usize, dtype: DType) -> Result<Vec<DMatrix<f64>>, CoreError> {
        let shapes = self.sites();
        let SiteShape { neurons, dim, .. } = &shapes[site];
        let mut matrices = vec![DMatrix::zeros(*dim, *dim); *neurons];
        for column in 0..*dim {
            let unit =
                DMatrix::from_fn(*dim, *neurons, |row, _| f64::from(u8::from(row == column)));
            let mut directions = vec![Directions::NONE; shapes.len()];
            directions[site] = Directions {
                vectors: vec![unit],
                dtype,
            };
            let products = apply(self, &directions)?.swap_remove(site);
            let product = products.first().cloned();
            let products = product.unwrap_or_else(|| DMatrix::zeros(*dim, *neurons));
            for (matrix, product) in matrices.iter_mut().zip(products.column_iter()) {
                matrix.set_column(column, &product);
            }
        }
        for matrix in &mut matrices {
            *matrix = (matrix.transpose() + &*matrix) * 0.5;
        }
        Ok(matrices)
    }
}

/// The whole operator: the sum of its batches.
///
/// # Errors
/// As [`SplittingOperator::apply_batch`].
pub fn apply<O: SplittingOperator + ?Sized>(
    operator: &O,
    directions: &[Directions],
) -> Result<Vec<Vec<DMatrix<f64>>>, CoreError> {
    if operator.batches() == 1 {
        return operator.apply_batch(0, directions);
    }
    let mut sums: Vec<_> = directions.iter().map(Directions::zero_products).collect();
    for batch in 0..operator.batches() {
        let parts = operator.apply_batch(batch, directions)?;
        for (sums, parts) in sums.iter_mut().zip(parts) {
            for (sum, part) in sums.iter_mut().zip(parts) {
                *sum += part;
            }
        }
    }
    Ok(sums)
}

/// Captured sites on a backend, their batches the captured blocks.
#[derive(Debug)]
pub struct CapturedOperator<'a, B: ?Sized> {
    sites: Vec<&'a Curvature>,
    backend: &'a B,
}

impl<'a, B: SplitBackend + ?Sized> CapturedOperator<'a, B> {
    /// `sites` on `backend`.
    pub fn new(sites: Vec<&'a Curvature>, backend: &'a B) -> Self {
        Self { sites, backend }
    }
}

impl<B: SplitBackend + ?Sized> SplittingOperator for CapturedOperator<'_, B> {
    fn sites(&self) -> Vec<SiteShape> {
        let shape = |site: &&Curvature| SiteShape {
            name: site.site().to_owned(),
            neurons: site.neurons(),
            dim: site.dim(),
        };
        self.sites.iter().map(shape).collect()
    }

    fn batches(&self) -> usize {
        self.sites
            .iter()
            .map(|site| site.blocks())
            .max()
            .unwrap_or(0)
    }

    fn apply_batch(
        &self,
        batch: usize,
        directions: &[Directions],
    ) -> Result<Vec<Vec<DMatrix<f64>>>, CoreError> {
        let products = |(site, directions): (&&Curvature, &Directions)| {
            let Directions { vectors, dtype } = directions;
            let product = |v| site.apply_block(self.backend, batch, v, *dtype);
            vectors.iter().map(product).collect()
        };
        self.sites.iter().zip(directions).map(products).collect()
    }

    fn krylov_on_device(
        &self,
        site: usize,
        limits: &KrylovLimits,
    ) -> Option<Result<SiteSpectra, CoreError>> {
        self.backend.krylov_spectra(self.sites[site], limits)
    }

    fn dense(&self, site: usize, dtype: DType) -> Result<Vec<DMatrix<f64>>, CoreError> {
        self.sites[site].dense(self.backend, dtype)
    }
}
