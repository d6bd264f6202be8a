//! Spectra satisfy what is reported with them.

use burgeon_backend_flex::FLEX;
use burgeon_backend_ndarray::NDARRAY;
use burgeon_core::eigen::dense_spectra;
use burgeon_core::{Eigenpair, SplitBackend};
use burgeon_nn::MeanSquaredError;
use burgeon_nn::capture::capture;
use burn::tensor::DType;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

use crate::draw::descriptions;
use crate::plans::unit_vector;

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Property 5, as far as one path goes: every reported pair satisfies its residual,
    /// the matrix-free product agrees with the dense matrix, and no random vector
    /// has a Rayleigh quotient outside the reported ends.
    #[test]
    fn spectra_satisfy_their_residuals(description in descriptions()) {
        let backends: [&dyn SplitBackend; 2] = [&FLEX, &NDARRAY];
        for backend in backends {
            let net = description.net(backend);
            let data = description.samples(backend);
            let captured = capture(&net, &MeanSquaredError, &data, 2, Some(backend));
            for site in &captured.expect("captured").sites {
                // Sites of other forms have no matrix that is kept.
                let Some(curvature) = site.curvature.as_ref() else {
                    continue;
                };
                let dense = curvature.dense(backend, DType::F64).expect("computed");
                let spectra = dense_spectra(&site.name, &dense).expect("converged");
                let ends: [Vec<Eigenpair>; 2] = [
                    spectra.iter().map(|spectrum| spectrum.min.clone()).collect(),
                    spectra.iter().map(|spectrum| spectrum.max.clone()).collect(),
                ];
                for pairs in &ends {
                    let ends = DMatrix::from_fn(site.dim, site.neurons, |i, j| pairs[j].vector[i]);
                    let products = curvature.apply(backend, &ends, DType::F64).expect("computed");
                    for (j, pair) in pairs.iter().enumerate() {
                        // Sums of opposite signs round by their terms, not by their result.
                        let slack = 1e-10 * dense[j].norm() + 1e-13;
                        let residual = (products.column(j) - ends.column(j) * pair.value).norm();
                        prop_assert!(residual <= pair.residual + slack);
                        prop_assert!(pair.residual <= slack);
                    }
                }
                for j in 0..site.neurons {
                    for draw in 0..20 {
                        let v = DVector::from_vec(unit_vector(site.dim, draw));
                        let quotient = (v.transpose() * &dense[j] * &v)[0];
                        let slack = 1e-10 * dense[j].norm();
                        prop_assert!(quotient >= spectra[j].min.value - slack);
                        prop_assert!(quotient <= spectra[j].max.value + slack);
                    }
                }
            }
        }
    }
}
