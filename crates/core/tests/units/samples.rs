//! Which rows are drawn, and with what factors.

use burgeon_core::{CurvatureBlock, RowSample, SiteInput, SplitBackend, Window};
use burn::tensor::DType;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::blocks::tensor;
use crate::common::Plain;

/// Of whole sizes, so that sums are exact: how many are certain, the largest first, and what is
/// left of the count and of the sum for the others.
fn certain(sizes: &[u32], count: usize) -> (usize, f64, f64) {
    let mut sorted: Vec<f64> = sizes.iter().map(|&size| f64::from(size)).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let mut rest: f64 = sorted.iter().sum();
    let mut taken = 0;
    while taken < count && (count - taken) as f64 * sorted[taken] >= rest {
        rest -= sorted[taken];
        taken += 1;
    }
    (taken, (count - taken) as f64, rest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A row is drawn with a probability in proportion to its size, and counts for its inverse.
    #[test]
    fn factors_are_inverse_probabilities(
        sizes in prop::collection::vec(prop_oneof![8 => 1_u32..100, 1 => 300_u32..3000], 2..40),
        share in 0.05_f64..0.95,
        seed in any::<u64>(),
    ) {
        let count = ((sizes.len() as f64 * share) as usize).max(1);
        let as_f64: Vec<f64> = sizes.iter().map(|&size| f64::from(size)).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let sample = RowSample::by_size(&as_f64, count, &mut rng);
        prop_assert_eq!(sample.is_some(), sizes.len() > count);
        let Some(sample) = sample else { return Ok(()) };
        let (taken, left, rest) = certain(&sizes, count);
        let ones = sample.factors().iter().filter(|factor| **factor == 1.0).count();
        prop_assert_eq!(ones, taken);
        for (row, factor) in sample.rows().iter().zip(sample.factors()) {
            if *factor != 1.0 {
                let probability = left * as_f64[*row] / rest;
                prop_assert!(probability < 1.0);
                prop_assert!((factor * probability - 1.0).abs() < 1e-9);
            }
        }
        // Systematic: as many as the probabilities sum to, but for what rounding leaves out.
        prop_assert!(sample.rows().len().abs_diff(count) <= 1);
        prop_assert!(sample.rows().is_sorted());
    }
}

#[test]
fn equal_rows_are_drawn_at_equal_distances() {
    let mut starts = [0; 3];
    for seed in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let sample = RowSample::by_size(&[2.0; 12], 4, &mut rng).expect("rows are left out");
        let rows = sample.rows();
        assert!((3..=4).contains(&rows.len()));
        assert!(
            rows.windows(2).all(|pair| pair[1] - pair[0] == 3),
            "{rows:?}"
        );
        let all = sample.factors().iter();
        assert!(all.into_iter().all(|factor| (factor - 3.0).abs() < 1e-12));
        starts[rows[0] % 3] += 1;
    }
    // Each of the three starts is as likely.
    assert!(starts.iter().all(|count| *count > 8), "{starts:?}");
}

#[test]
fn rows_of_maps_become_patches_and_weights_are_scaled() {
    let window = Window {
        kernel: [2, 1],
        stride: [1, 2],
        padding: [[1, 0], [1, 0]],
        dilation: [1, 1],
    };
    // 2 samples of 2 channels of 2×3: 2×2 positions each.
    let (b, c, h, w) = (2, 2, 2, 3);
    let values: Vec<f64> = (1..=b * c * h * w).map(|value| value as f64).collect();
    let weights: Vec<f64> = (1..=8).map(f64::from).collect();
    let block = CurvatureBlock {
        input: SiteInput::Maps(tensor(values, [b, c, h, w], DType::F64), window),
        bias: true,
        weights: tensor(weights, [8, 1], DType::F64),
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let sizes = [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0];
    // Two rows have all there is: position (1, 1) of the first sample, (0, 1) of the second.
    let sample = RowSample::by_size(&sizes, 2, &mut rng).expect("rows are left out");
    assert_eq!(
        (sample.rows(), sample.factors()),
        (&[3, 5][..], &[1.0, 1.0][..])
    );
    let part = Plain.sampled(block, &sample);
    let SiteInput::Rows(rows) = &part.input else {
        panic!("{:?}", part.input)
    };
    // Column 1 of both rows of each channel; above the first row there is padding.
    let found: Vec<f64> = rows.to_data().iter().collect();
    assert_eq!(found, [2.0, 5.0, 8.0, 11.0, 0.0, 14.0, 0.0, 20.0]);
    assert!(part.bias);
    assert_eq!(
        part.weights.to_data().iter().collect::<Vec<f64>>(),
        [4.0, 6.0]
    );
}
