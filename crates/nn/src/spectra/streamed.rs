//! Sites of which nothing is kept between iterations.

use std::ops::Range;

use burgeon_core::eigen::{Directions, SiteShape, SplittingOperator};
use burgeon_core::products::block_products;
use burgeon_core::{CoreError, Curvature};
use burn::tensor::DType;
use nalgebra::DMatrix;

use crate::capture::Pass;
use crate::error::NnError;
use crate::growable::Growable;
use crate::sites::{CapturedSite, JetOperator};

/// Sites that are captured anew in each iteration, all in the same passes.
pub(super) struct StreamedOperator<'a, 'b, M: Growable> {
    pub pass: &'a Pass<'b, M>,
    pub batches: Range<usize>,
}

impl<M: Growable> StreamedOperator<'_, '_, M> {
    fn captured(&self, batch: usize) -> Result<Vec<CapturedSite>, CoreError> {
        let captured = self.pass.run(batch, false).map_err(|error| match error {
            NnError::Core(error) => error,
            // The same pass has run before; only the device can have failed since.
            other => CoreError::Read {
                what: "a captured batch".into(),
                reason: other.to_string(),
            },
        })?;
        Ok(captured.sites)
    }
}

impl<M: Growable> SplittingOperator for StreamedOperator<'_, '_, M> {
    fn sites(&self) -> Vec<SiteShape> {
        self.pass
            .forms
            .iter()
            .map(|form| form.shape.clone())
            .collect()
    }

    fn batches(&self) -> usize {
        self.batches.len()
    }

    fn apply_batch(
        &self,
        batch: usize,
        directions: &[Directions],
    ) -> Result<Vec<Vec<DMatrix<f64>>>, CoreError> {
        let mut sums = Vec::with_capacity(directions.len());
        let captured = self.captured(self.batches.start + batch)?.into_iter();
        for ((site, form), asked) in captured.zip(&self.pass.forms).zip(directions) {
            let products: Vec<DMatrix<f64>> = match site {
                CapturedSite::Block(block) => {
                    let product = |vectors: &DMatrix<f64>| {
                        let backend = self.pass.backend();
                        block_products(backend, &form.name, &block, vectors, asked.dtype)
                    };
                    asked
                        .vectors
                        .iter()
                        .map(product)
                        .collect::<Result<_, _>>()?
                }
                CapturedSite::Jets(jets) => {
                    let operator = JetOperator::new(&self.pass.network, form, vec![jets]);
                    let of_site = operator.apply_batch(0, std::slice::from_ref(asked))?;
                    of_site.into_iter().next().unwrap_or_default()
                }
            };
            sums.push(products);
        }
        Ok(sums)
    }

    fn dense(&self, site: usize, dtype: DType) -> Result<Vec<DMatrix<f64>>, CoreError> {
        let form = &self.pass.forms[site];
        let SiteShape { name, neurons, dim } = &form.shape;
        let mut sums = vec![DMatrix::zeros(*dim, *dim); *neurons];
        for batch in self.batches.clone() {
            let Some(captured) = self.captured(batch)?.into_iter().nth(site) else {
                continue;
            };
            let matrices = match captured {
                CapturedSite::Block(block) => {
                    Curvature::new(name, vec![*block])?.dense(self.pass.backend(), dtype)?
                }
                CapturedSite::Jets(jets) => {
                    JetOperator::new(&self.pass.network, form, vec![jets]).dense(0, dtype)?
                }
            };
            for (sum, matrix) in sums.iter_mut().zip(matrices) {
                *sum += matrix;
            }
        }
        Ok(sums)
    }
}
