//! Second moments of sites, by passes with probes where sites are read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use burgeon_core::backend::rows_of_maps;
use burgeon_core::moments::least_squares;
use burgeon_core::{CoreError, Moments, SiteMoments};
use burgeon_graph::Site;
use burn::backend::TensorMetadata;
use burn::backend::ir::TensorId;
use burn::tensor::{DType, Tensor};
use nalgebra::DMatrix;

use super::blocks::{column_blocks, row_blocks};
use super::expansion::{Expansion, Reader};
use super::form::Reads;
use super::pass::{GradientProbes, maps, rows};
use crate::error::NnError;
use crate::replay::{Network, Value, Values};

/// What a batch has at a site.
struct Passed {
    values: Values,
    /// Of the mean loss, at each reader's output.
    gradients: Vec<HashMap<TensorId, Value>>,
}

/// Moments that are summed batch by batch, in two rounds: the first finds what the weights there
/// are can express, the second what is left.
pub(crate) struct MomentSums<'a> {
    network: &'a Network,
    dtype: DType,
    sites: Vec<Result<SiteSums<'a>, String>>,
    /// Multiply-accumulates of the products so far.
    pub macs: u64,
}

/// Sums over rows.
struct SiteSums<'a> {
    site: &'a Site,
    expansion: Expansion,
    /// `BᵀB`, `[d, d]`.
    inputs: DMatrix<f64>,
    readers: Vec<ReaderSums>,
    /// `Bᵀ` times what is left of the gradient, `[d, k]`.
    cross: DMatrix<f64>,
}

/// Sums over the rows that one reader has.
struct ReaderSums {
    /// `B'ᵀB'`.
    gram: DMatrix<f64>,
    /// `B'ᵀG`.
    cross: DMatrix<f64>,
    /// `‖G‖²`.
    square: f64,
    /// `(B'ᵀB')⁺ B'ᵀG`, once it is known.
    expressed: DMatrix<f64>,
}

impl<'a> MomentSums<'a> {
    /// Of all sites of `network` that may grow, products in `dtype`.
    pub fn new(network: &'a Network, dtype: DType) -> Self {
        let sites = network.trace.graph().growable().map(|site| {
            let expansion = Expansion::of(&network.trace, site)?;
            let fan_out = expansion
                .readers
                .iter()
                .map(|reader| reader.part.size)
                .sum();
            let empty = || ReaderSums {
                gram: DMatrix::zeros(0, 0),
                cross: DMatrix::zeros(0, 0),
                square: 0.0,
                expressed: DMatrix::zeros(0, 0),
            };
            Ok(SiteSums {
                site,
                readers: expansion.readers.iter().map(|_| empty()).collect(),
                inputs: DMatrix::zeros(site.dim(), site.dim()),
                cross: DMatrix::zeros(site.dim(), fan_out),
                expansion,
            })
        });
        Self {
            sites: sites.collect(),
            network,
            dtype,
            macs: 0,
        }
    }

    /// Whether any site has moments.
    pub fn has_any(&self) -> bool {
        self.sites.iter().any(Result::is_ok)
    }

    /// Adds what the weights there are can express for `inputs` of `batch` rows, of which `loss`
    /// is the share of the mean loss.
    pub fn first_round(
        &mut self,
        inputs: &[Value],
        batch: usize,
        loss: &dyn Fn(Value) -> Result<Tensor<1>, NnError>,
    ) -> Result<(), NnError> {
        let passed = self.passed(inputs, batch, loss)?;
        let mut products = Products::new(self.dtype);
        for (site, gradients) in self.sites.iter_mut().flatten().zip(&passed.gradients) {
            let form = &site.expansion.form;
            let input = known(&passed.values, form.input)?;
            for block in row_blocks(input, form.reads, form.bias, self.dtype) {
                products.add(&mut site.inputs, block.clone(), block)?;
            }
            for (reader, sums) in site.expansion.readers.iter().zip(&mut site.readers) {
                let gradient = reader.rows_of(known(gradients, reader.output)?, self.dtype);
                let square = gradient.clone().square().sum();
                sums.square += crate::growable::scalar::<f64>(square.try_into_scalar())?;
                let mut first = 0;
                let read = known(&passed.values, reader.input)?;
                for block in row_blocks(read, reader.reads, reader.bias, self.dtype) {
                    let count = block.dims()[0];
                    let own = gradient.clone().narrow(0, first, count);
                    products.add(&mut sums.gram, block.clone(), block.clone())?;
                    products.add(&mut sums.cross, block, own)?;
                    first += count;
                }
            }
        }
        self.macs = self.macs.saturating_add(products.macs);
        Ok(())
    }

    /// All that one of the rounds sums.
    pub fn numbers(&mut self, first: bool) -> impl Iterator<Item = &mut f64> {
        let sites = self.sites.iter_mut().flatten();
        sites.flat_map(move |site| {
            let (inputs, readers, cross) = match first {
                true => (Some(&mut site.inputs), &mut site.readers[..], None),
                false => (None, &mut [][..], Some(&mut site.cross)),
            };
            let of_readers = readers.iter_mut().flat_map(|sums| {
                let products = sums.gram.iter_mut().chain(sums.cross.iter_mut());
                products.chain(std::iter::once(&mut sums.square))
            });
            let matrices = inputs.into_iter().chain(cross);
            matrices.flat_map(|sum| sum.iter_mut()).chain(of_readers)
        })
    }

    /// Between the rounds.
    ///
    /// # Errors
    /// [`NnError::Core`] where a moment is not finite.
    pub fn express(&mut self) -> Result<(), NnError> {
        for site in self.sites.iter_mut().flatten() {
            for sums in &mut site.readers {
                sums.expressed = least_squares(site.site.name(), &sums.gram, &sums.cross)?;
            }
        }
        Ok(())
    }

    /// Adds what is left of the gradient, for the same batches as in the first round.
    pub fn second_round(
        &mut self,
        inputs: &[Value],
        batch: usize,
        loss: &dyn Fn(Value) -> Result<Tensor<1>, NnError>,
    ) -> Result<(), NnError> {
        let passed = self.passed(inputs, batch, loss)?;
        let mut products = Products::new(self.dtype);
        let (network, dtype) = (self.network, self.dtype);
        for (site, gradients) in self.sites.iter_mut().flatten().zip(&passed.gradients) {
            let mut left = Vec::with_capacity(site.readers.len());
            for (reader, sums) in site.expansion.readers.iter().zip(&site.readers) {
                let gradient = reader.rows_of(known(gradients, reader.output)?, dtype);
                let read = known(&passed.values, reader.input)?;
                left.push(products.left(reader, read, gradient, &sums.expressed)?);
            }
            site.cross(network, &passed.values, batch, &left, &mut products)?;
        }
        self.macs = self.macs.saturating_add(products.macs);
        Ok(())
    }

    /// The moments of each site, means over `samples`.
    pub fn into_moments(self, samples: usize) -> Vec<Moments> {
        let count = samples as f64;
        let of_site = |site: Result<SiteSums<'_>, String>| match site {
            Err(reason) => Moments::Undefined(reason),
            Ok(sums) => {
                // Gradients are of the mean over samples: those of one are so many times as large.
                let square: f64 = sums.readers.iter().map(|reader| reader.square).sum();
                let expressed = |reader: &ReaderSums| reader.cross.dot(&reader.expressed);
                let expressed: f64 = sums.readers.iter().map(expressed).sum();
                Moments::Known(Arc::new(SiteMoments {
                    inputs: sums.inputs / count,
                    cross: -sums.cross,
                    desired: count * square,
                    bottleneck: (count * (square - expressed)).max(0.0),
                }))
            }
        };
        self.sites.into_iter().map(of_site).collect()
    }

    fn passed(
        &self,
        inputs: &[Value],
        batch: usize,
        loss: &dyn Fn(Value) -> Result<Tensor<1>, NnError>,
    ) -> Result<Passed, NnError> {
        let mut probes = GradientProbes::default();
        let mut needed: HashSet<TensorId> = HashSet::new();
        for SiteSums { expansion, .. } in self.sites.iter().flatten() {
            needed.extend(&expansion.needs);
            let outputs = expansion.readers.iter().map(|reader| reader.output);
            probes.made.extend(outputs);
        }
        let keep = |id| needed.contains(&id);
        let (output, values) = self.network.run(inputs, batch, &keep, &mut probes)?;
        let found = loss(output)?.backward();
        let gradients = self.sites.iter().flatten().map(|site| {
            let of_reader = |reader: &Reader| {
                let gradient = probes.at(reader.output, &found);
                let gradient = gradient.ok_or_else(|| super::pass::unreached(site.site.name()))?;
                Ok((reader.output, gradient))
            };
            site.expansion.readers.iter().map(of_reader).collect()
        });
        let gradients = gradients.collect::<Result<_, NnError>>()?;
        Ok(Passed { values, gradients })
    }
}

fn known(values: &HashMap<TensorId, Value>, id: TensorId) -> Result<Value, NnError> {
    let value = values.get(&id).cloned();
    value.ok_or_else(|| NnError::Trace("a pass lost a tensor".into()))
}

impl Reader {
    fn taps(&self) -> usize {
        match self.reads {
            Reads::Rows => 1,
            Reads::Maps(window) | Reads::Signals(window) => window.taps(),
        }
    }

    /// What it gives, as rows `[n, out]` in the order of [`row_blocks`].
    fn rows_of(&self, output: Value, dtype: DType) -> Tensor<2> {
        match self.reads {
            Reads::Rows => rows(output),
            Reads::Maps(_) | Reads::Signals(_) => rows_of_maps(maps(output)),
        }
        .cast(dtype)
    }
}

/// Products of rows, and what they take.
struct Products {
    dtype: DType,
    macs: u64,
}

impl Products {
    fn new(dtype: DType) -> Self {
        Self { dtype, macs: 0 }
    }

    /// Adds `AᵀB` to `sum`.
    fn add(&mut self, sum: &mut DMatrix<f64>, a: Tensor<2>, b: Tensor<2>) -> Result<(), NnError> {
        let ([n, p], [_, k]) = (a.dims(), b.dims());
        self.macs = self.macs.saturating_add((n * p * k) as u64);
        let values = a.transpose().matmul(b).try_into_vec_as::<f64>();
        let values = values.map_err(|error| CoreError::Read {
            what: "second moments".into(),
            reason: error.to_string(),
        })?;
        let found = DMatrix::from_row_slice(p, k, &values);
        match sum.is_empty() {
            true => *sum = found,
            false => *sum += found,
        }
        Ok(())
    }

    /// `G − B' D`, `[n, out]`, of what a reader reads.
    fn left(
        &mut self,
        reader: &Reader,
        read: Value,
        gradient: Tensor<2>,
        expressed: &DMatrix<f64>,
    ) -> Result<Tensor<2>, NnError> {
        let (p, k) = expressed.shape();
        // nalgebra stores a column as a tensor stores a row.
        let data = burn::tensor::TensorData::new(expressed.as_slice().to_vec(), [k, p]);
        let expressed = Tensor::<2>::from_data(data, (&gradient.device(), self.dtype)).transpose();
        let mut first = 0;
        let mut parts = Vec::new();
        for block in row_blocks(read, reader.reads, reader.bias, self.dtype) {
            let count = block.dims()[0];
            self.macs = self.macs.saturating_add((count * p * k) as u64);
            let own = gradient.clone().narrow(0, first, count);
            parts.push(own - block.matmul(expressed.clone()));
            first += count;
        }
        Ok(Tensor::cat(parts, 0))
    }
}

impl SiteSums<'_> {
    /// Adds `Bᵀ` times what is `left` of the gradient at each reader: the columns of `B` take the
    /// place of the site's channels, as many at a time as there is room for, on the way to what
    /// the readers read.
    fn cross(
        &mut self,
        network: &Network,
        values: &Values,
        batch: usize,
        left: &[Tensor<2>],
        products: &mut Products,
    ) -> Result<(), NnError> {
        let form = &self.expansion.form;
        let input = known(values, form.input)?;
        let answer: Vec<usize> = known(values, form.a)?.shape().iter().copied().collect();
        let group = self.site.group();
        let graph = network.trace.graph();
        for columns in column_blocks(input, form.reads, form.bias, &answer) {
            let width = columns.width;
            let widths = HashMap::from([(group, width)]);
            let widened = network.with(network.parameters.clone(), widths);
            let mut moved = Values::from([(form.a, columns.value)]);
            for link in &self.expansion.path {
                link.pass(&widened, batch, &mut moved, values)?;
            }
            let mut number = 0;
            for (reader, own) in self.expansion.readers.iter().zip(left) {
                let read = known(&moved, reader.input)?;
                let mut found = DMatrix::zeros(0, 0);
                let mut row = 0;
                for block in row_blocks(read, reader.reads, false, products.dtype) {
                    let count = block.dims()[0];
                    products.add(&mut found, block, own.clone().narrow(0, row, count))?;
                    row += count;
                }
                let map = &graph.parameters()[reader.part.parameter].axes[reader.part.axis];
                let taps = reader.taps();
                for channel in 0..width {
                    let own_width = |other| (other == group).then_some(width);
                    let places = map.places_with(group, channel, &own_width);
                    let mut sums = self.cross.row_mut(columns.first + channel);
                    // As the slices of the weight lie: place, output, tap.
                    let mut at = number;
                    for place in places {
                        for output in 0..found.ncols() {
                            for tap in 0..taps {
                                sums[at] += found[(place * taps + tap, output)];
                                at += 1;
                            }
                        }
                    }
                }
                number += reader.part.size;
            }
        }
        Ok(())
    }
}
