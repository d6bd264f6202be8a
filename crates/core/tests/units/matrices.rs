//! Splitting matrices that are known by what they do to vectors.

use std::sync::Mutex;

use burgeon_core::eigen::{
    CapturedOperator, Directions, GeneralNeurons, KrylovLimits, SiteShape, SplittingOperator,
    apply, spectrum, verified_pair,
};
use burgeon_core::moments::least_squares;
use burgeon_core::{CoreError, Curvature, CurvatureBlock, Eigenpair, Method, SiteInput, Spectrum};
use burn::tensor::DType;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

use crate::blocks::tensor;
use crate::common::Plain;

/// Matrices written out, in batches that are to be added up: `matrices[batch][site][neuron]`.
#[derive(Debug, Default)]
pub struct Written {
    pub matrices: Vec<Vec<Vec<DMatrix<f64>>>>,
    /// The types in which products were asked for, each time that any were.
    pub asked: Mutex<Vec<DType>>,
}

impl Written {
    pub fn new(matrices: Vec<Vec<Vec<DMatrix<f64>>>>) -> Self {
        Self {
            matrices,
            ..Self::default()
        }
    }

    /// The types asked for so far.
    pub fn asked(&self) -> Vec<DType> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

impl SplittingOperator for Written {
    fn sites(&self) -> Vec<SiteShape> {
        let shape = |(number, own): (usize, &Vec<DMatrix<f64>>)| SiteShape {
            name: format!("site {number}"),
            neurons: own.len(),
            dim: own.first().map_or(0, |matrix| matrix.nrows()),
        };
        let first = self.matrices.iter().take(1).flatten();
        first.enumerate().map(shape).collect()
    }

    fn batches(&self) -> usize {
        self.matrices.len()
    }

    fn apply_batch(
        &self,
        batch: usize,
        directions: &[Directions],
    ) -> Result<Vec<Vec<DMatrix<f64>>>, CoreError> {
        let any = directions.iter().find(|asked| !asked.vectors.is_empty());
        if let Some(any) = any {
            self.asked.lock().expect("no panic").push(any.dtype);
        }
        let of_site = |(own, asked): (&Vec<DMatrix<f64>>, &Directions)| {
            let product = |v: &DMatrix<f64>| {
                let columns: Vec<DVector<f64>> = own
                    .iter()
                    .zip(v.column_iter())
                    .map(|(matrix, column)| matrix * column)
                    .collect();
                DMatrix::from_columns(&columns)
            };
            asked.vectors.iter().map(product).collect()
        };
        let sites = self.matrices[batch].iter().zip(directions);
        Ok(sites.map(of_site).collect())
    }
}

/// Symmetric, with whole entries that follow from `seed`.
pub fn whole(dim: usize, seed: usize) -> DMatrix<f64> {
    DMatrix::from_fn(dim, dim, |row, column| {
        let (a, b) = (row.min(column), row.max(column));
        ((seed * 31 + a * 7 + b * 13) % 11) as f64 - 5.0
    })
}

/// Two batches of two sites of different sizes.
fn two_sites() -> Written {
    let batch = |seed: usize| {
        vec![
            vec![whole(3, seed), whole(3, seed + 1)],
            vec![whole(2, seed + 2)],
        ]
    };
    Written::new(vec![batch(1), batch(5)])
}

#[test]
fn batches_are_added_up_and_written_out() {
    let operator = two_sites();
    let sum = |site: usize, neuron: usize| {
        &operator.matrices[0][site][neuron] + &operator.matrices[1][site][neuron]
    };
    for (site, neurons) in [(0, 2), (1, 1)] {
        let found = operator.dense(site, DType::F64).expect("written out");
        let expected: Vec<DMatrix<f64>> = (0..neurons).map(|neuron| sum(site, neuron)).collect();
        assert_eq!(found, expected);
    }
    let vectors = vec![DMatrix::from_fn(3, 2, |i, j| (i + 2 * j) as f64); 2];
    let directions = Directions {
        vectors: vectors.clone(),
        dtype: DType::F32,
    };
    assert_eq!(directions.zero_products(), vec![DMatrix::zeros(3, 2); 2]);
    operator.asked();
    let found = apply(&operator, &[directions, Directions::NONE]).expect("added up");
    assert_eq!((found.len(), found[0].len(), found[1].len()), (2, 2, 0));
    for product in &found[0] {
        for neuron in 0..2 {
            let expected = sum(0, neuron) * vectors[0].column(neuron);
            assert_eq!(product.column(neuron), expected);
        }
    }
    assert_eq!(operator.asked(), [DType::F32; 2]);
    // One batch is taken as it is.
    let one = Written::new(vec![operator.matrices[0].clone()]);
    let asked = Directions {
        vectors: vec![DMatrix::from_element(2, 1, 1.0)],
        dtype: DType::F64,
    };
    let found = apply(&one, &[Directions::NONE, asked]).expect("one batch");
    let expected = &one.matrices[0][1][0] * DVector::from_element(2, 1.0);
    assert_eq!(found[1][0].column(0), expected);
    assert!(found[0].is_empty());
    let limits = KrylovLimits {
        tolerance: 0.1,
        iterations: 1,
        basis: 1,
    };
    assert!(one.krylov_on_device(0, &limits).is_none());
}

#[test]
fn what_is_not_symmetric_is_made_so() {
    let skewed = DMatrix::from_row_slice(2, 2, &[1.0, 4.0, 0.0, 3.0]);
    let operator = Written::new(vec![vec![vec![skewed]]]);
    let found = operator.dense(0, DType::F64).expect("written out");
    assert_eq!(
        found[0],
        DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 2.0, 3.0])
    );
}

#[test]
fn captured_sites_are_as_many_batches_as_the_longest_has_blocks() {
    let block = |value: f64| CurvatureBlock {
        input: SiteInput::Rows(tensor(vec![value, 1.0], [1, 2], DType::F64)),
        bias: false,
        weights: tensor(vec![1.0], [1, 1], DType::F64),
    };
    let long = Curvature::new("long", vec![block(1.0), block(2.0), block(3.0)]).expect("sound");
    let short = Curvature::new("short", vec![block(5.0)]).expect("sound");
    let operator = CapturedOperator::new(vec![&short, &long], &Plain);
    assert_eq!(operator.batches(), 3);
    let names: Vec<String> = operator.sites().into_iter().map(|site| site.name).collect();
    assert_eq!(names, ["short", "long"]);
    let shape = &operator.sites()[1];
    assert_eq!((shape.neurons, shape.dim), (1, 2));
    let ones = || Directions {
        vectors: vec![DMatrix::from_element(2, 1, 1.0)],
        dtype: DType::F64,
    };
    let found = apply(&operator, &[ones(), ones()]).expect("added up");
    // Σ x (xᵀ1) of x = (v, 1).
    assert_eq!(found[0][0].as_slice(), [30.0, 6.0]);
    assert_eq!(found[1][0].as_slice(), [2.0 + 6.0 + 12.0, 9.0]);
    let dense = operator.dense(1, DType::F64).expect("written out");
    assert_eq!(dense[0].as_slice(), [14.0, 6.0, 6.0, 3.0]);
    assert_eq!(CapturedOperator::new(Vec::new(), &Plain).batches(), 0);
}

#[test]
fn general_neurons_are_differentiated_at_their_parameters() {
    // ∇ = A θ + c: the product is A v, whatever θ is.
    let matrix = whole(3, 4);
    let theta = DMatrix::from_fn(3, 2, |i, j| 100.0 * (i as f64 - j as f64));
    let gradient = |theta: &DMatrix<f64>| Ok(&matrix * theta);
    let neurons = GeneralNeurons::new("unit", theta.clone(), 1e-6, gradient).expect("sound");
    assert_eq!(neurons.batches(), 1);
    let shape = SiteShape {
        name: "unit".into(),
        neurons: 2,
        dim: 3,
    };
    assert_eq!(neurons.sites(), [shape]);
    let v = DMatrix::from_fn(3, 2, |i, j| (1 + i + j) as f64);
    let asked = Directions {
        vectors: vec![v.clone(), v.clone() * 2.0],
        dtype: DType::F64,
    };
    let found = neurons.apply_batch(0, &[asked]).expect("finite");
    assert!((&found[0][0] - &matrix * &v).amax() < 1e-8);
    assert!((&found[0][1] - &matrix * &v * 2.0).amax() < 1e-8);
    // Steps are the cube root of the rounding, times the largest parameter.
    let text = format!("{neurons:?}");
    assert!(
        text.contains("step: 2.0") || text.contains("step: 1.99"),
        "{text}"
    );
    let small = GeneralNeurons::new("unit", theta * 1e-9, 1e-6, gradient).expect("sound");
    let text = format!("{small:?}");
    assert!(
        text.contains("step: 0.01") || text.contains("step: 0.0099"),
        "{text}"
    );
}

#[test]
fn general_neurons_say_what_is_wrong() {
    let right = |theta: &DMatrix<f64>| Ok(theta.clone());
    let theta = || DMatrix::from_element(2, 1, 1.0);
    for rounding in [0.0, 1.0, -0.1, f64::NAN] {
        let found = GeneralNeurons::new("unit", theta(), rounding, right).err();
        assert!(
            matches!(found, Some(CoreError::Parameter { .. })),
            "{rounding}"
        );
    }
    let empty = GeneralNeurons::new("unit", DMatrix::zeros(0, 1), 0.1, right).err();
    assert!(matches!(empty, Some(CoreError::Shape { .. })), "{empty:?}");
    let asked = || {
        vec![Directions {
            vectors: vec![theta()],
            dtype: DType::F64,
        }]
    };
    let other = |_: &DMatrix<f64>| Ok(DMatrix::zeros(1, 1));
    let neurons = GeneralNeurons::new("unit", theta(), 0.1, other).expect("sound");
    let found = neurons.apply_batch(0, &asked()).err();
    assert!(matches!(found, Some(CoreError::Shape { .. })), "{found:?}");
    let infinite = |_: &DMatrix<f64>| Ok(DMatrix::from_element(2, 1, f64::INFINITY));
    let neurons = GeneralNeurons::new("unit", theta(), 0.1, infinite).expect("sound");
    let found = neurons.apply_batch(0, &asked()).err();
    assert!(
        matches!(found, Some(CoreError::NonFinite { .. })),
        "{found:?}"
    );
}

#[test]
fn pairs_are_ordered_turned_and_measured() {
    let pair = |value| Eigenpair {
        value,
        vector: vec![1.0],
        residual: 0.0,
    };
    let ordered = Spectrum::ordered(pair(2.0), pair(-1.0));
    assert_eq!((ordered.min.value, ordered.max.value), (-1.0, 2.0));
    let ordered = Spectrum::ordered(pair(-1.0), pair(2.0));
    assert_eq!((ordered.min.value, ordered.max.value), (-1.0, 2.0));
    // S = diag(1, 3) at v = (0.6, −0.8): λ = 0.36 + 1.92, and the rest of S v.
    let vector = DVector::from_vec(vec![0.6, -0.8]);
    let found = verified_pair(vector, &DVector::from_vec(vec![0.6, -2.4]));
    assert!((found.value - 2.28).abs() < 1e-12);
    assert_eq!(found.vector, [-0.6, 0.8]);
    let rest = (0.6 - 2.28 * 0.6_f64).hypot(-2.4 + 2.28 * 0.8);
    assert!((found.residual - rest).abs() < 1e-12);
}

#[test]
fn nothing_has_the_first_unit_for_its_vector() {
    let found = spectrum("site", 0, &DMatrix::zeros(3, 3)).expect("found");
    for pair in [&found.min, &found.max] {
        assert_eq!((pair.value, pair.residual), (0.0, 0.0));
        assert_eq!(pair.vector, [1.0, 0.0, 0.0]);
    }
}

#[test]
fn methods_have_names() {
    let all = [
        Method::Auto,
        Method::Dense,
        Method::Krylov,
        Method::Rayleigh,
    ];
    for (method, name) in all.into_iter().zip(["auto", "dense", "krylov", "rayleigh"]) {
        assert_eq!(method.name(), name);
        assert_eq!(method.to_string(), name);
        assert_eq!(name.parse::<Method>(), Ok(method));
    }
    let error = "Dense".parse::<Method>().expect_err("no such method");
    assert!(
        error.to_string().contains("auto, dense, krylov, rayleigh"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Large matrices go another way: their ends are the diagonal's that they were made of.
    #[test]
    fn spectra_of_large_matrices_are_those_they_were_made_of(
        dim in 90_usize..104,
        entries in prop::collection::vec(-1.0_f64..1.0, 104),
    ) {
        let values = DVector::from_fn(dim, |row, _| entries[row]);
        // A reflection is orthogonal.
        let axis = DVector::from_fn(dim, |row, _| entries[103 - row] + 0.01).normalize();
        let turn = DMatrix::identity(dim, dim) - &axis * axis.transpose() * 2.0;
        let matrix = &turn * DMatrix::from_diagonal(&values) * &turn;
        let found = spectrum("site", 0, &((&matrix + matrix.transpose()) * 0.5)).expect("found");
        for (pair, value) in [(&found.min, values.min()), (&found.max, values.max())] {
            prop_assert!((pair.value - value).abs() < 1e-10);
            let vector = DVector::from_column_slice(&pair.vector);
            prop_assert!((vector.norm() - 1.0).abs() < 1e-12);
            let residual = (&matrix * &vector - &vector * pair.value).norm();
            prop_assert!(residual < 1e-9 && (residual - pair.residual).abs() < 1e-9);
            prop_assert!(vector[vector.icamax()] > 0.0);
        }
    }

    /// Normal equations hold, and nothing lies where the inputs have nothing.
    #[test]
    fn least_squares_are_least_and_shortest(
        entries in prop::collection::vec(-1.0_f64..1.0, 60),
        outputs in 1_usize..4,
        size in prop::sample::select(vec![1e-6, 1.0, 1e6]),
    ) {
        // Three inputs of 12 rows, the last one the sum of the others.
        let mut inputs = DMatrix::from_fn(12, 3, |row, column| size * entries[row * 3 + column]);
        let sum = inputs.column(0) + inputs.column(1);
        inputs.set_column(2, &sum);
        let wanted = DMatrix::from_fn(12, outputs, |row, column| entries[row + 16 * column]);
        let (gram, cross) = (inputs.tr_mul(&inputs), inputs.tr_mul(&wanted));
        let found = least_squares("site", &gram, &cross).expect("finite");
        prop_assert!((&gram * &found - &cross).amax() < 1e-8 * cross.amax());
        // (1, 1, −1) is read as 0.
        let idle = found.row(0) + found.row(1) - found.row(2);
        prop_assert!(idle.amax() < 1e-8 * found.amax(), "{idle}");
    }
}

#[test]
fn least_squares_say_what_does_not_fit() {
    let square = DMatrix::<f64>::identity(2, 2);
    let flat = least_squares("site", &DMatrix::zeros(2, 3), &square);
    assert!(matches!(flat, Err(CoreError::Shape { .. })), "{flat:?}");
    let short = least_squares("site", &square, &DMatrix::zeros(3, 1));
    assert!(matches!(short, Err(CoreError::Shape { .. })), "{short:?}");
    let nan = DMatrix::from_element(2, 2, f64::NAN);
    for (gram, cross) in [(&nan, &square), (&square, &nan)] {
        let found = least_squares("site", gram, cross);
        assert!(
            matches!(found, Err(CoreError::NonFinite { .. })),
            "{found:?}"
        );
    }
    let nothing = least_squares("site", &DMatrix::zeros(2, 2), &square).expect("finite");
    assert_eq!(nothing, DMatrix::zeros(2, 2));
}
