//! Properties of activations, spectra, schemes, selectors and plans.

#[path = "common/candidates.rs"]
mod candidates;
mod common;

use burgeon_core::criterion::Candidate;
use burgeon_core::eigen::{dense_spectra, spectrum};
use burgeon_core::growth::{Gain, Growth, Split};
use burgeon_core::select::{Fraction, Room, Threshold, TopK};
use burgeon_core::{
    Activation, CoreError, Curvature, CurvatureBlock, Offspring, Plan, Scheme, Selector, SiteInput,
    SplitBackend, WeightBound,
};
use burn::tensor::{DType, Tensor, TensorData};
use candidates::{channel, split};
use common::Plain;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

fn all_activations() -> Vec<Activation> {
    Activation::NAMES
        .iter()
        .map(|name| name.parse().expect("a name"))
        .collect()
}

fn values(activation: Activation, z: &[f64]) -> [Vec<f64>; 3] {
    let device = Plain.device();
    let z = Tensor::<1>::from_data(
        TensorData::new(z.to_vec(), [z.len()]),
        (&device, DType::F64),
    );
    [
        activation.value(z.clone()),
        activation.derivative(z.clone()),
        activation.second_derivative(z),
    ]
    .map(|tensor| tensor.into_data().try_to_vec().expect("f64"))
}

proptest! {
    /// σ′ and σ″ are the derivatives of σ, and autodiff agrees with σ′.
    #[test]
    fn derivatives_are_derivatives(z in -6.0_f64..6.0) {
        prop_assume!(z.abs() > 1e-2);
        for activation in all_activations() {
            let h = 1e-3;
            let [value, slope, _] =
                values(activation, &[z - 2.0 * h, z - h, z, z + h, z + 2.0 * h]);
            let [_, _, curve] = values(activation, &[z]);
            let central = |f: &[f64]| (f[0] - 8.0 * f[1] + 8.0 * f[3] - f[4]) / (12.0 * h);
            prop_assert!((central(&value) - slope[2]).abs() < 1e-8, "{activation} at {z}");
            if activation.has_exact_curvature() {
                prop_assert!((central(&slope) - curve[0]).abs() < 1e-8, "{activation} at {z}");
            }
            let device = Plain.device().autodiff();
            let leaf = Tensor::<1>::from_data(
                TensorData::new(vec![z], [1]),
                (&device, DType::F64),
            ).require_grad();
            let gradients = activation.value(leaf.clone()).sum().backward();
            let gradient = leaf.grad(&gradients).expect("used").into_scalar::<f64>();
            prop_assert!((gradient - slope[2]).abs() < 1e-12, "{activation} at {z}");
        }
    }

    /// The softplus surrogate of the ReLU is the second derivative of softplus.
    #[test]
    fn relu_surrogate_is_softplus_curvature(z in -3.0_f64..3.0, beta in 0.5_f64..8.0) {
        let [_, _, relu] = values(Activation::Relu { beta }, &[z]);
        let [_, _, softplus] = values(Activation::Softplus { beta }, &[z]);
        prop_assert_eq!(relu, softplus);
    }

    /// The ends of a spectrum bound every Rayleigh quotient, at any scale.
    #[test]
    fn spectra_bound_rayleigh_quotients(
        d in 1_usize..9,
        entries in prop::collection::vec(-1.0_f64..1.0, 100),
        exponent in -9_i32..10,
        rank in 1_usize..9,
    ) {
        let factor = DMatrix::from_fn(d, rank.min(d), |i, j| entries[i * 9 + j]);
        let signs = DMatrix::from_fn(rank.min(d), rank.min(d), |i, j| {
            if i == j { entries[90 + i] } else { 0.0 }
        });
        let scale = 10.0_f64.powi(exponent);
        let matrix = &factor * signs * factor.transpose() * scale;
        let found = spectrum("s", 0, &matrix).expect("converges");
        let slack = 1e-12 * matrix.norm();
        for draw in 0..10 {
            let v = DVector::from_fn(d, |i, _| entries[draw * 9 + i] + 1e-3);
            let quotient = (v.transpose() * &matrix * &v)[0] / v.norm_squared();
            prop_assert!(found.min.value - slack <= quotient);
            prop_assert!(found.max.value + slack >= quotient);
        }
        prop_assert!(found.min.residual <= 1e-10 * matrix.norm());
        prop_assert!(found.max.residual <= 1e-10 * matrix.norm());
        let norm = DVector::from_vec(found.min.vector.clone()).norm();
        prop_assert!((norm - 1.0).abs() < 1e-12);
    }

    /// positive2 is centred, sums to one, and no random pair of directions with any
    /// positive weights has a larger gain.
    #[test]
    fn positive2_is_the_best_positive_split(
        d in 1_usize..6,
        entries in prop::collection::vec(-1.0_f64..1.0, 64),
        weight in 0.01_f64..0.99,
    ) {
        let full = DMatrix::from_fn(d, d, |i, j| entries[i * 6 + j]);
        let matrix = (&full + full.transpose()) * 0.5;
        let found = spectrum("s", 0, &matrix).expect("converges");
        let split = Scheme::Positive2.best_split(&found, WeightBound::POSITIVE);
        let best = split.as_ref().map_or(0.0, |(_, gain)| *gain);
        if let Some((offspring, gain)) = &split {
            prop_assert!((offspring.iter().map(|o| o.weight).sum::<f64>() - 1.0).abs() < 1e-15);
            let value: f64 = offspring.iter().map(|copy| {
                let v = DVector::from_column_slice(&copy.offset);
                copy.weight * (v.transpose() * &matrix * &v)[0]
            }).sum();
            prop_assert!((0.5 * value + gain).abs() < 1e-12);
        }
        for draw in 0..8 {
            // Two copies of weight w and 1−w are centred if w δ₁ = −(1−w) δ₂.
            let u = DVector::from_fn(d, |i, _| entries[draw * 6 + i] + 1e-3).normalize();
            let (a, b) = (weight, 1.0 - weight);
            let (first, second) = if a > b { (b / a, 1.0) } else { (1.0, a / b) };
            let quotient = (u.transpose() * &matrix * &u)[0];
            let change = 0.5 * (a * first * first + b * second * second) * quotient;
            prop_assert!(-change <= best + 1e-12);
        }
    }

    /// Selectors never exceed the budget, take a neuron once and prefer larger scores.
    #[test]
    fn selectors_respect_budget_and_rank(
        scores in prop::collection::vec(-1.0_f64..1.0, 1..20),
        costs in prop::collection::vec(0_u64..50, 20),
        left in 0_u64..200,
        count in 1_usize..8,
    ) {
        let candidates: Vec<Candidate> = scores.iter().enumerate().map(|(index, score)| {
            candidate(index / 2, if index == 3 { f64::NAN } else { *score }, costs[index])
        }).collect();
        let room = Room { widths: vec![("site".into(), 20)], cost: Some(left) };
        let selectors: [Box<dyn Selector>; 3] = [
            Box::new(TopK::new(count).expect("in range")),
            Box::new(Fraction::new(0.3).expect("in range")),
            Box::new(Threshold::new(0.2).expect("in range")),
        ];
        for selector in selectors {
            let chosen = selector.select(candidates.clone(), &room).expect("selects");
            prop_assert!(chosen.iter().map(|c| c.price).sum::<u64>() <= left);
            prop_assert!(chosen.windows(2).all(|pair| pair[0].score >= pair[1].score));
            let mut neurons: Vec<_> = chosen.iter().map(|c| channel(c).expect("a split")).collect();
            neurons.sort_unstable();
            neurons.dedup();
            prop_assert_eq!(neurons.len(), chosen.len());
            match selector.name() {
                "top-k" => prop_assert!(chosen.len() <= count),
                "fraction" => prop_assert!(chosen.len() <= 6),
                _ => prop_assert!(chosen.iter().all(|c| c.score >= 0.2)),
            }
        }
    }

    /// A plan survives serialisation bit for bit.
    #[test]
    fn plans_survive_json(offsets in prop::collection::vec(-1e3_f64..1e3, 1..9)) {
        let copies = Scheme::Positive2.offspring(&offsets, &offsets, WeightBound::POSITIVE);
        let site = candidates::site("site", 1);
        let chosen = vec![Candidate {
            price: 7,
            ..Candidate::split(&site, 0, Scheme::Positive2, copies)
                .with_gain(Gain::second(offsets[0] / 3.0))
                .with_score(1.0)
        }];
        let plan = Plan::new("s2d", chosen);
        let text = serde_json::to_string(&plan).expect("serialisable");
        let back: Plan = serde_json::from_str(&text).expect("readable");
        prop_assert_eq!(&back, &plan);
        prop_assert!(plan.validate().is_ok());
    }
}

fn candidate(neuron: usize, score: f64, price: u64) -> Candidate {
    Candidate {
        price,
        ..split("site", neuron, Scheme::Positive2).with_score(score)
    }
}

fn tensor(values: Vec<f64>, shape: [usize; 2]) -> Tensor<2> {
    Tensor::from_data(
        TensorData::new(values, shape),
        (&Plain.device(), DType::F64),
    )
}

fn curvature(
    x: Vec<f64>,
    [n, d]: [usize; 2],
    w: Vec<f64>,
    m: usize,
) -> Result<Curvature, CoreError> {
    let block = CurvatureBlock {
        input: SiteInput::Rows(tensor(x, [n, d])),
        bias: false,
        weights: tensor(w, [n, m]),
    };
    Curvature::new("site", vec![block])
}

#[test]
fn degenerate_matrices_have_spectra() {
    // S = 0, d = 1, rank one, fewer rows than d, repeated eigenvalues.
    /// Rows, their shape `[n, d]`, curvature weights, both ends of the spectrum.
    type Case = (Vec<f64>, [usize; 2], Vec<f64>, [f64; 2]);
    let cases: [Case; 5] = [
        (vec![0.0; 6], [2, 3], vec![1.0, 1.0], [0.0, 0.0]),
        (vec![2.0, 1.0], [2, 1], vec![-1.0, 0.5], [-3.5, -3.5]),
        (vec![1.0, 2.0, 2.0], [1, 3], vec![-1.0], [-9.0, 0.0]),
        (vec![1.0, 0.0, 0.0, 1.0], [2, 2], vec![3.0, 3.0], [3.0, 3.0]),
        (
            vec![1e6, 0.0, 0.0, 1e-6],
            [2, 2],
            vec![-1.0, 1.0],
            [-1e12, 1e-12],
        ),
    ];
    for (x, shape, w, [least, most]) in cases {
        let dense = curvature(x, shape, w, 1)
            .and_then(|c| c.dense(&Plain, DType::F64))
            .expect("sound");
        let found = &dense_spectra("site", &dense).expect("converges")[0];
        let slack = 1e-12 * least.abs().max(most.abs());
        assert!((found.min.value - least).abs() <= slack, "{found:?}");
        assert!((found.max.value - most).abs() <= slack, "{found:?}");
        assert!(found.min.residual <= slack.max(1e-300));
    }
}

#[test]
fn a_stable_neuron_is_not_split() {
    let stable = DMatrix::from_diagonal(&DVector::from_vec(vec![0.0, 1.0, 2.0]));
    let found = spectrum("site", 0, &stable).expect("converges");
    assert!(
        Scheme::Positive2
            .best_split(&found, WeightBound::POSITIVE)
            .is_none()
    );
    assert!(
        Scheme::Net2Wider
            .best_split(&found, WeightBound::POSITIVE)
            .is_none()
    );
}

#[test]
fn unsound_captures_are_refused() {
    let refused = |result: Result<Curvature, CoreError>, expected: &str| {
        let error = result.expect_err("unsound").to_string();
        assert!(
            error.contains(expected) && error.contains("site"),
            "{error}"
        );
    };
    refused(
        curvature(vec![1.0, f64::NAN], [2, 1], vec![1.0, 1.0], 1),
        "input",
    );
    refused(
        curvature(vec![1.0, 1.0], [2, 1], vec![1.0, f64::INFINITY], 1),
        "gradient",
    );
    refused(Curvature::new("site", Vec::new()), "no captured rows");
    let block = CurvatureBlock {
        input: SiteInput::Rows(tensor(vec![1.0; 4], [4, 1])),
        bias: true,
        weights: tensor(vec![1.0; 6], [3, 2]),
    };
    refused(Curvature::new("site", vec![block]), "expected shape");
    let sound = curvature(vec![1.0, 1.0], [2, 1], vec![1.0, 1.0], 1).expect("sound");
    let error = sound
        .apply(&Plain, &DMatrix::zeros(2, 1), DType::F64)
        .expect_err("wrong shape");
    assert!(error.to_string().contains("directions"), "{error}");
    let nan = DMatrix::from_element(2, 2, f64::NAN);
    assert!(matches!(
        spectrum("site", 0, &nan),
        Err(CoreError::NonFinite { .. })
    ));
    let flat = DMatrix::zeros(2, 3);
    assert!(matches!(
        spectrum("site", 0, &flat),
        Err(CoreError::Shape { .. })
    ));
}

#[test]
fn parameters_out_of_range_are_refused() {
    assert!(TopK::new(0).is_err());
    for fraction in [0.0, -0.1, 1.1, f64::NAN] {
        assert!(Fraction::new(fraction).is_err());
    }
    assert!(Threshold::new(f64::NAN).is_err());
    let error = "sine"
        .parse::<Activation>()
        .expect_err("no such activation");
    assert!(error.to_string().contains("gelu"), "{error}");
    let mut plan = Plan::new("s2d", vec![candidate(0, 1.0, 1)]);
    fn copies(plan: &mut Plan) -> &mut Vec<Offspring> {
        match &mut plan.growths[0].growth {
            Growth::Split(Split { offspring, .. }) => offspring,
            other => panic!("{other} is no split"),
        }
    }
    assert!(plan.validate().is_ok());
    copies(&mut plan).push(Offspring {
        weight: 0.5,
        offset: vec![0.0],
    });
    assert!(plan.validate().is_err());
    copies(&mut plan).pop();
    copies(&mut plan)[0].offset[0] = f64::NAN;
    assert!(plan.validate().is_err());
}
