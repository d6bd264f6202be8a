//! Splitting matrices whose rows are shared among ranks.

use burn::tensor::DType;
use nalgebra::DMatrix;
use rayon::prelude::*;

use super::operator::{Directions, SiteShape, SplittingOperator, apply};
use crate::error::CoreError;
use crate::world::Team;

/// The sum of the operators of all pieces, of which each rank has its own: products and matrices
/// are the same bits on any number of ranks. Every rank must ask for the same.
#[derive(Debug)]
pub struct TeamOperator<'a, O> {
    team: &'a Team,
    pieces: usize,
    own: Vec<O>,
}

impl<'a, O: SplittingOperator + Sync> TeamOperator<'a, O> {
    /// `own` are those of this rank's pieces, in order, of `pieces` altogether.
    pub fn new(team: &'a Team, pieces: usize, own: Vec<O>) -> Self {
        Self { team, pieces, own }
    }
}

impl<O: SplittingOperator + Sync> SplittingOperator for TeamOperator<'_, O> {
    fn sites(&self) -> Vec<SiteShape> {
        self.own.first().map(O::sites).unwrap_or_default()
    }

    fn batches(&self) -> usize {
        1
    }

    fn apply_batch(
        &self,
        _batch: usize,
        directions: &[Directions],
    ) -> Result<Vec<Vec<DMatrix<f64>>>, CoreError> {
        // Pieces are small: side by side.
        let of_piece = |operator: &O| -> Result<Vec<f64>, CoreError> {
            let products = apply(operator, directions)?;
            let numbers = products.iter().flatten().flat_map(|product| product.iter());
            Ok(numbers.copied().collect())
        };
        let found = self.own.par_iter().map(of_piece);
        let found: Vec<Vec<f64>> = found.collect::<Result<_, _>>()?;
        let mut sum = self.team.sum(self.pieces);
        found.into_iter().for_each(|found| sum.push(found));
        let mut numbers = sum.finish()?.into_iter();
        let mut read = |like: &DMatrix<f64>| {
            let (rows, columns) = like.shape();
            DMatrix::from_iterator(rows, columns, numbers.by_ref().take(rows * columns))
        };
        let of_site = |asked: &Directions| asked.vectors.iter().map(&mut read).collect();
        Ok(directions.iter().map(of_site).collect())
    }

    fn dense(&self, site: usize, dtype: DType) -> Result<Vec<DMatrix<f64>>, CoreError> {
        // Matrices are large: one piece after the other.
        let mut sum = self.team.sum(self.pieces);
        for operator in &self.own {
            let matrices = operator.dense(site, dtype)?;
            let numbers = matrices.iter().flat_map(|matrix| matrix.iter());
            sum.push(numbers.copied().collect());
        }
        let numbers = sum.finish()?;
        let dim = self.sites().get(site).map_or(1, |shape| shape.dim).max(1);
        let matrices = numbers.chunks_exact(dim * dim);
        Ok(matrices
            .map(|matrix| DMatrix::from_column_slice(dim, dim, matrix))
            .collect())
    }
}
