//! Rows drawn by what they contribute.

use burgeon_core::{CurvatureBlock, RowSample, SiteInput, Window};
use burn::tensor::{DType, Device, Tensor, TensorData};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

proptest! {
    #[test]
    fn as_many_rows_as_asked_in_their_order_the_largest_for_certain(
        sizes in prop::collection::vec(0.0_f64..1.0, 3..60),
        share in 0.1_f64..0.9,
        seed in any::<u64>(),
    ) {
        let count = ((sizes.len() as f64 * share) as usize).clamp(2, sizes.len());
        // One row has more than all others together.
        let mut sizes = sizes;
        sizes[0] = 100.0;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let sample = RowSample::by_size(&sizes, count, &mut rng).expect("rows are left out");
        prop_assert!(sample.rows().len().abs_diff(count) <= 1);
        prop_assert!(sample.rows().windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!(sample.rows()[0], 0);
        prop_assert_eq!(sample.factors()[0], 1.0);
        prop_assert!(sample.factors().iter().all(|factor| *factor >= 1.0));
    }

    /// Over many draws a row's factor is 1 on average, whatever its size.
    #[test]
    fn sums_are_estimated_without_bias(
        sizes in prop::collection::vec(0.1_f64..1.0, 6..12),
        seed in any::<u64>(),
    ) {
        const DRAWS: usize = 4000;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut sums = vec![0.0; sizes.len()];
        for _ in 0..DRAWS {
            let sample = RowSample::by_size(&sizes, 4, &mut rng).expect("rows are left out");
            for (row, factor) in sample.rows().iter().zip(sample.factors()) {
                sums[*row] += factor / DRAWS as f64;
            }
        }
        // A factor that is off for all rows is off in their mean, which varies less.
        let mean = sums.iter().sum::<f64>() / sums.len() as f64;
        prop_assert!((mean - 1.0).abs() < 0.12, "{mean}");
        // A row's probability is at least 4·0.1/12, its factor's deviation at most 5.4 a draw.
        for sum in sums {
            prop_assert!((sum - 1.0).abs() < 0.5, "{sum}");
        }
    }
}

#[test]
fn nothing_is_drawn_where_nothing_is_left_out_or_sizes_are_unsound() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut draw = |sizes: &[f64], count| RowSample::by_size(sizes, count, &mut rng);
    assert_eq!(draw(&[1.0, 2.0], 2), None);
    assert_eq!(draw(&[1.0, 2.0], 0), None);
    assert_eq!(draw(&[1.0, f64::NAN, 2.0], 1), None);
    assert_eq!(draw(&[1.0, f64::INFINITY, 2.0], 1), None);
    assert_eq!(draw(&[1.0, -1.0, 2.0], 1), None);
    // Rows that contribute nothing are as good as any.
    let nothing = draw(&[0.0; 5], 2).expect("rows are left out");
    assert_eq!(nothing.rows().len(), 2);
}

#[test]
fn blocks_of_rows_are_joined_and_blocks_of_maps_are_not() {
    let device = Device::flex();
    let tensor = |values: Vec<f64>, shape: [usize; 2]| {
        Tensor::<2>::from_data(TensorData::new(values, shape), (&device, DType::F64))
    };
    let block = |first: f64, rows: usize| CurvatureBlock {
        input: SiteInput::Rows(tensor(vec![first; 3 * rows], [rows, 3])),
        bias: true,
        weights: tensor(vec![-first; rows], [rows, 1]),
    };
    let joined = CurvatureBlock::joined(vec![block(1.0, 2), block(2.0, 1)]);
    let [one] = joined.as_slice() else {
        panic!("{} blocks", joined.len());
    };
    let SiteInput::Rows(x) = &one.input else {
        panic!("{:?}", one.input);
    };
    let values = |tensor: &Tensor<2>| tensor.to_data().iter().collect::<Vec<f64>>();
    assert_eq!(values(x), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    assert_eq!(values(&one.weights), [-1.0, -1.0, -2.0]);
    assert!(one.bias);
    let window = Window {
        kernel: [1, 1],
        stride: [1, 1],
        padding: [[0; 2]; 2],
        dilation: [1, 1],
    };
    let maps = CurvatureBlock {
        input: SiteInput::Maps(Tensor::zeros([1, 1, 1, 1], &device), window),
        bias: false,
        weights: tensor(vec![1.0], [1, 1]),
    };
    assert_eq!(CurvatureBlock::joined(vec![maps.clone(), maps]).len(), 2);
    assert!(CurvatureBlock::joined(Vec::new()).is_empty());
}
