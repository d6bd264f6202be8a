//! Steps of descent against the formulas written out.

use super::*;

/// One neuron of two numbers at v = (0.6, 0.8), and its product S v.
fn step(sign: f64, product: [f64; 2], steps: usize) -> (Descent, RayleighDescent) {
    let settings = RayleighDescent {
        momentum: 0.5,
        smoothing: 0.75,
        ..RayleighDescent::default()
    };
    let zeros = DMatrix::zeros(2, 1);
    let mut descent = Descent {
        sign,
        v: DMatrix::from_column_slice(2, 1, &[0.6, 0.8]),
        mean_square: zeros.clone(),
        velocity: zeros,
    };
    for _ in 0..steps {
        let product = DMatrix::from_column_slice(2, 1, &product);
        descent.step(&product, 0.1, &settings);
    }
    (descent, settings)
}

#[test]
fn a_step_goes_down_the_quotient_at_length_one() {
    for sign in [1.0, -1.0] {
        let (found, _) = step(sign, [1.0, 2.0], 1);
        // vᵀSv = 0.6 + 1.6; the gradient is 2 (S v − v · 2.2).
        let gradient = [2.0 * (1.0 - 1.32), 2.0 * (2.0 - 1.76)].map(|g: f64| sign * g);
        for (i, g) in gradient.into_iter().enumerate() {
            assert!((found.mean_square[i] - 0.25 * g * g).abs() < 1e-12);
            // By its own root mean square: 2 in size.
            assert!((found.velocity[i] - 2.0 * g.signum()).abs() < 1e-9);
        }
        let moved = [0.6 + 0.2 * sign, 0.8 - 0.2 * sign];
        let norm = moved[0].hypot(moved[1]);
        for (found, moved) in found.v.iter().zip(moved) {
            assert!((found - moved / norm).abs() < 1e-9);
        }
    }
}

#[test]
fn squares_and_velocities_are_carried_on() {
    let (first, _) = step(1.0, [1.0, 2.0], 1);
    let (second, settings) = step(1.0, [1.0, 2.0], 2);
    let v = [first.v[0], first.v[1]];
    let quotient = v[0] + 2.0 * v[1];
    for (i, product) in [1.0, 2.0].into_iter().enumerate() {
        let g = 2.0 * (product - v[i] * quotient);
        let square = 0.75 * first.mean_square[i] + 0.25 * g * g;
        assert!((second.mean_square[i] - square).abs() < 1e-12);
        let velocity = settings.momentum * first.velocity[i] + g / square.sqrt();
        assert!((second.velocity[i] - velocity).abs() < 1e-12);
    }
}

#[test]
fn nothing_moves_without_a_slope() {
    // An eigenvector is where it should be.
    let (found, _) = step(1.0, [1.8, 2.4], 1);
    assert!(found.velocity.amax() < 2.0 + 1e-9);
    let (zero, _) = step(1.0, [0.0, 0.0], 3);
    assert_eq!(zero.velocity, DMatrix::zeros(2, 1));
    assert!((zero.v[0] - 0.6).abs() < 1e-12);
}

#[test]
fn columns_are_made_of_length_one_or_the_first_unit() {
    let mut v = DMatrix::from_column_slice(2, 2, &[3.0, 4.0, 0.0, 0.0]);
    normalise(&mut v);
    assert_eq!(v.as_slice(), [0.6, 0.8, 1.0, 0.0]);
}

#[test]
fn starts_are_drawn_on_the_sphere() {
    let shape = SiteShape {
        name: "site".into(),
        neurons: 3,
        dim: 5,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let start = Descent::new(&shape, -1.0, &mut rng);
    assert_eq!((start.v.shape(), start.sign), ((5, 3), -1.0));
    for column in start.v.column_iter() {
        assert!((column.norm() - 1.0).abs() < 1e-12);
        assert!(column.iter().any(|value| *value < 0.0) || column.iter().any(|value| *value > 0.0));
    }
    assert_eq!(start.velocity, DMatrix::zeros(5, 3));
}
