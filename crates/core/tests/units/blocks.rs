//! Captured blocks: their sizes, what is refused of them, and what plain backends make of them.

use burgeon_core::backend::{curvature_weights, patches, rows_of_maps};
use burgeon_core::products::block_products;
use burgeon_core::{
    Activation, CoreError, Curvature, CurvatureBlock, SiteInput, SplitBackend, Window,
};
use burn::tensor::{DType, Tensor, TensorData};
use nalgebra::DMatrix;
use proptest::prelude::*;

use crate::common::Plain;

pub fn tensor<const D: usize>(values: Vec<f64>, shape: [usize; D], dtype: DType) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (&Plain.device(), dtype))
}

fn counted<const D: usize>(shape: [usize; D], dtype: DType) -> Tensor<D> {
    let count = shape.iter().product::<usize>();
    tensor(
        (1..=count).map(|value| value as f64).collect(),
        shape,
        dtype,
    )
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.to_data().iter().collect()
}

const WINDOW: Window = Window {
    kernel: [3, 2],
    stride: [2, 1],
    padding: [[1, 0], [0, 1]],
    dilation: [1, 2],
};

fn block(input: SiteInput, bias: bool, weights: [usize; 2], dtype: DType) -> CurvatureBlock {
    CurvatureBlock {
        input,
        bias,
        weights: counted(weights, dtype),
    }
}

#[test]
fn blocks_count_what_they_hold() {
    let (f32, f64) = (DType::F32, DType::F64);
    let rows = block(SiteInput::Rows(counted([7, 5], f32)), true, [7, 3], f64);
    assert_eq!(
        (rows.dim(), rows.neurons(), rows.bytes()),
        (6, 3, 140 + 168)
    );
    // 6 rows give (1+6−3)/2+1 = 3, 5 columns (5+1−3)/1+1 = 4 positions.
    let maps = counted([2, 4, 6, 5], f64);
    let whole = block(SiteInput::Maps(maps.clone(), WINDOW), false, [24, 3], f32);
    assert_eq!((whole.dim(), whole.neurons()), (24, 3));
    assert_eq!(whole.bytes(), 240 * 8 + 72 * 4);
    let single = block(SiteInput::ChannelMaps(maps, WINDOW), true, [24, 4], f32);
    assert_eq!((single.dim(), single.neurons()), (7, 4));
    assert_eq!(single.bytes(), 240 * 8 + 96 * 4);
    let both = Curvature::new("site", vec![whole.clone(), whole.clone()]).expect("sound");
    assert_eq!((both.rows(), both.blocks()), (48, 2));
    assert_eq!(both.bytes(), 2 * whole.bytes());
    assert_eq!((both.site(), both.dim(), both.neurons()), ("site", 24, 3));
    assert_eq!(both.iter_blocks().count(), 2);
    assert!(Curvature::new("site", vec![single]).is_ok());
}

#[test]
fn blocks_that_do_not_fit_are_refused_with_their_shapes() {
    let refused = |blocks: Vec<CurvatureBlock>| match Curvature::new("site", blocks) {
        Err(CoreError::Shape {
            expected, found, ..
        }) => (expected, found),
        other => panic!("{other:?}"),
    };
    let f64 = DType::F64;
    let rows = |n: usize, d: usize, m: usize| {
        let input = SiteInput::Rows(counted([n, d], f64));
        block(input, false, [n, m], f64)
    };
    let other_dim = refused(vec![rows(2, 3, 4), rows(2, 5, 4)]);
    assert_eq!(other_dim, (vec![2, 4, 3], vec![2, 4, 5]));
    let other_width = refused(vec![rows(2, 3, 4), rows(2, 3, 6)]);
    assert_eq!(other_width, (vec![2, 4, 3], vec![2, 6, 3]));
    let maps = counted([2, 4, 6, 5], f64);
    let short = block(SiteInput::Maps(maps.clone(), WINDOW), false, [23, 3], f64);
    assert_eq!(refused(vec![short]), (vec![24, 3, 24], vec![23, 3, 24]));
    // As many neurons as channels.
    let wide = block(SiteInput::ChannelMaps(maps, WINDOW), false, [24, 5], f64);
    assert_eq!(refused(vec![wide]).1, [24, 5, 6]);
    // An empty block beside others is none of their business; alone it is.
    let empty = Curvature::new("site", vec![rows(0, 3, 4), rows(0, 3, 4)]);
    assert!(matches!(empty, Err(CoreError::EmptyCapture { .. })));
    let nobody = Curvature::new("site", vec![rows(2, 3, 0)]);
    assert!(matches!(nobody, Err(CoreError::EmptyCapture { .. })));
    let some = Curvature::new("site", vec![rows(0, 3, 4), rows(2, 3, 4)]);
    assert_eq!(some.expect("sound").rows(), 2);
}

#[test]
fn a_column_of_ones_is_read_by_the_bias() {
    let block = block(
        SiteInput::Rows(counted([2, 3], DType::F32)),
        true,
        [2, 1],
        DType::F32,
    );
    let rows = Plain.fan_in_rows(&block, DType::F64);
    assert_eq!((rows.dims(), rows.dtype()), ([1, 2, 4], DType::F64));
    assert_eq!(values(&rows), [1.0, 2.0, 3.0, 1.0, 4.0, 5.0, 6.0, 1.0]);
}

#[test]
fn patches_are_what_the_window_reads() {
    // 1…9 in a square, an edge of zeros above and two on the right.
    let window = Window {
        kernel: [2, 2],
        stride: [2, 3],
        padding: [[1, 0], [0, 2]],
        dilation: [1, 1],
    };
    let found = patches(counted([1, 1, 3, 3], DType::F64), &window);
    assert_eq!(found.dims(), [1, 1, 4, 4]);
    // For each tap the four positions.
    let expected = [
        [0.0, 0.0, 4.0, 0.0],
        [0.0, 0.0, 5.0, 0.0],
        [1.0, 0.0, 7.0, 0.0],
        [2.0, 0.0, 8.0, 0.0],
    ];
    assert_eq!(values(&found), expected.concat());
}

#[test]
fn rows_of_maps_are_their_places() {
    let rows = rows_of_maps(counted([2, 3, 1, 2], DType::F64));
    assert_eq!(rows.dims(), [4, 3]);
    let expected = [
        [1.0, 3.0, 5.0],
        [2.0, 4.0, 6.0],
        [7.0, 9.0, 11.0],
        [8.0, 10.0, 12.0],
    ];
    assert_eq!(values(&rows), expected.concat());
}

#[test]
fn weights_are_gradient_times_curvature_times_the_squared_scale() {
    let f64 = DType::F64;
    // σ″ of tanh at ln 2 is −2·0.6·0.64.
    let z = tensor(vec![0.0, 2.0_f64.ln()], [1, 2], f64);
    let gradient = tensor(vec![5.0, 10.0], [1, 2], f64);
    let scale = tensor(vec![7.0, 3.0], [2], f64);
    let plain = curvature_weights(Activation::Tanh, z.clone(), gradient.clone(), None);
    let scaled = curvature_weights(Activation::Tanh, z, gradient, Some(scale));
    let (plain, scaled) = (values(&plain), values(&scaled));
    assert_eq!((plain[0], scaled[0]), (0.0, 0.0));
    assert!((plain[1] + 7.68).abs() < 1e-12, "{plain:?}");
    assert!((scaled[1] + 69.12).abs() < 1e-12, "{scaled:?}");
}

/// Neurons that do not fit at once are taken part by part.
#[test]
fn large_blocks_are_computed_in_parts() {
    let (side, m) = (2048, 3);
    let n = side * side;
    let device = Plain.device();
    let column = |value: f64| Tensor::<2>::full([n, 1], value, (&device, DType::F32));
    let weights = Tensor::cat(vec![column(1.0), column(-2.0), column(4.0)], 1);
    let window = Window {
        kernel: [1, 1],
        stride: [1, 1],
        padding: [[0; 2]; 2],
        dilation: [1, 1],
    };
    let map = |value: f64| Tensor::<4>::full([1, 1, side, side], value, (&device, DType::F32));
    let maps = Tensor::cat(vec![map(0.5), map(1.0), map(2.0)], 1);
    let count = n as f64;
    for (input, squares) in [
        (SiteInput::Rows(column(0.5)), [0.25; 3]),
        (SiteInput::ChannelMaps(maps, window), [0.25, 1.0, 4.0]),
    ] {
        let block = CurvatureBlock {
            input,
            bias: false,
            weights: weights.clone(),
        };
        let found = Plain.splitting_matrices(&block, DType::F32);
        assert_eq!(found.dims(), [m, 1, 1]);
        // Powers of two: exact in any order.
        let expected = [1.0, -2.0, 4.0].into_iter().zip(squares);
        let expected: Vec<f64> = expected.map(|(w, square)| w * square * count).collect();
        assert_eq!(values(&found), expected);
    }
}

/// One row of a neuron's fan-in, from the values of maps `[b, c, h, w]`.
fn read(
    maps: &[f64],
    [c, h, w]: [usize; 3],
    sample: usize,
    at: [usize; 2],
    bias: bool,
) -> Vec<f64> {
    let mut row = Vec::new();
    for channel in 0..c {
        for ky in 0..WINDOW.kernel[0] {
            for kx in 0..WINDOW.kernel[1] {
                let y = (at[0] * 2 + ky) as isize - 1;
                let x = (at[1] + 2 * kx) as isize;
                let inside = (0..h as isize).contains(&y) && (0..w as isize).contains(&x);
                row.push(match inside {
                    true => maps[((sample * c + channel) * h + y as usize) * w + x as usize],
                    false => 0.0,
                });
            }
        }
    }
    if bias {
        row.push(1.0);
    }
    row
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Matrices, products and sizes of a convolution, number by number.
    #[test]
    fn convolutions_are_sums_over_places(
        bias in any::<bool>(),
        depthwise in any::<bool>(),
        b in 1_usize..3,
        seed in prop::collection::vec(-2.0_f64..2.0, 2 * 2 * 4 * 3),
    ) {
        let [c, h, w] = [2, 4, 3];
        let [oh, ow] = WINDOW.output_size([h, w]);
        prop_assert_eq!([oh, ow], [2, 2]);
        let maps = &seed[..b * c * h * w];
        let (n, m) = (b * oh * ow, if depthwise { c } else { 3 });
        let drawn: Vec<f64> = (0..n * m).map(|i| seed[(7 * i) % seed.len()] + 0.1).collect();
        let input = tensor(maps.to_vec(), [b, c, h, w], DType::F64);
        let block = CurvatureBlock {
            input: match depthwise {
                true => SiteInput::ChannelMaps(input, WINDOW),
                false => SiteInput::Maps(input, WINDOW),
            },
            bias,
            weights: tensor(drawn.clone(), [n, m], DType::F64),
        };
        let d = block.dim();
        let mut expected = vec![DMatrix::<f64>::zeros(d, d); m];
        let mut sizes = Vec::new();
        for row in 0..n {
            let (sample, at) = (row / (oh * ow), [row / ow % oh, row % ow]);
            let mut square = 0.0;
            for (j, matrix) in expected.iter_mut().enumerate() {
                let x = match depthwise {
                    true => {
                        let own = &maps[(sample * c + j) * h * w..(sample * c + j + 1) * h * w];
                        read(own, [1, h, w], 0, at, bias)
                    }
                    false => read(maps, [c, h, w], sample, at, bias),
                };
                let x = DMatrix::from_vec(d, 1, x);
                let weight = drawn[row * m + j];
                *matrix += &x * x.transpose() * weight;
                square += (weight * x.norm_squared()).powi(2);
            }
            sizes.push(square.sqrt());
        }
        let found = values(&Plain.splitting_matrices(&block, DType::F64));
        let whole: Vec<f64> = expected.iter().flat_map(|m| m.iter().copied()).collect();
        prop_assert_eq!(found.len(), whole.len());
        prop_assert!(found.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-10));
        let directions = DMatrix::from_fn(d, m, |i, j| seed[3 * i + j]);
        let found = block_products(&Plain, "site", &block, &directions, DType::F32);
        let found = found.expect("finite");
        for (j, matrix) in expected.iter().enumerate() {
            // In f64, since the block is.
            let product = matrix * directions.column(j);
            prop_assert!((found.column(j) - product).amax() < 1e-10);
        }
        if !depthwise {
            let found = values(&Plain.row_sizes(&block));
            prop_assert!(found.iter().zip(&sizes).all(|(a, b)| (a - b).abs() < 1e-10));
        }
        let curvature = Curvature::new("site", vec![block.clone(), block]).expect("sound");
        let twice = curvature.apply(&Plain, &directions, DType::F64).expect("finite");
        prop_assert!((twice - found * 2.0).amax() < 1e-10);
        let dense = curvature.dense(&Plain, DType::F64).expect("finite");
        for (found, expected) in dense.iter().zip(&expected) {
            prop_assert!((found - expected * 2.0).amax() < 1e-10);
        }
        let none = curvature.apply_block(&Plain, 2, &directions, DType::F64).expect("zeros");
        prop_assert_eq!(none, DMatrix::zeros(d, m));
    }
}
