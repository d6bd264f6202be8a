//! The gains of all schemes: each equals its quadratic form, and an
//! adversarial search finds nothing better.

use burgeon_core::eigen::spectrum;
use burgeon_core::{Eigenpair, Scheme, Spectrum, WeightBound};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Symmetric matrices: general, semi-definite of either sign, rank one, zero.
fn matrices() -> impl Strategy<Value = DMatrix<f64>> {
    (1_usize..5, 0_u8..5, any::<u64>()).prop_map(|(d, kind, seed)| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let full = DMatrix::from_fn(d, d, |_, _| rng.random_range(-1.0..1.0));
        match kind {
            0 => (&full + full.transpose()) * 0.5,
            1 => &full * full.transpose(),
            2 => -(&full * full.transpose()),
            3 => {
                let x = full.column(0).into_owned();
                &x * x.transpose() * rng.random_range(-1.0..1.0)
            }
            _ => DMatrix::zeros(d, d),
        }
    })
}

fn bounds() -> impl Strategy<Value = WeightBound> {
    prop_oneof![
        1 => Just(WeightBound::POSITIVE),
        4 => (1.0_f64..10.0).prop_map(|c| WeightBound::new(c).expect("at least 1")),
    ]
}

fn quadratic(matrix: &DMatrix<f64>, vector: &DVector<f64>) -> f64 {
    (vector.transpose() * matrix * vector)[0]
}

/// The best gain of a scheme with m copies.
fn best_gain(copies: usize, found: &Spectrum, bound: WeightBound) -> f64 {
    let schemes = Scheme::DIRECTED
        .iter()
        .filter(|scheme| scheme.copies() == copies);
    schemes
        .map(|scheme| scheme.gain(found.min.value, found.max.value, bound))
        .fold(0.0, f64::max)
}

/// A point of the search: admissible weights and directions.
struct Split {
    weights: Vec<f64>,
    directions: Vec<DVector<f64>>,
}

impl Split {
    fn random(m: usize, d: usize, rng: &mut ChaCha8Rng) -> Self {
        Self {
            weights: (0..m).map(|_| rng.random_range(-1.0..1.0)).collect(),
            directions: (0..m)
                .map(|_| DVector::from_fn(d, |_, _| rng.random_range(-1.0..1.0)))
                .collect(),
        }
    }

    /// Moves the point into the admissible set: `Σw = 1`, `Σ|w| ≤ c`, `Σ w δ = 0`,
    /// `‖δ‖ ≤ 1`. `None` where the draw has no positive weight.
    fn project(mut self, bound: WeightBound) -> Option<Self> {
        let (p, n) = (0.5 * (bound.value() + 1.0), 0.5 * (bound.value() - 1.0));
        let positive: f64 = self.weights.iter().filter(|w| **w > 0.0).sum();
        let negative: f64 = -self.weights.iter().filter(|w| **w < 0.0).sum::<f64>();
        if positive < 1e-6 {
            return None;
        }
        // The negative part at most n; the positive part is then 1 more, so at most p.
        let share = if negative > 0.0 {
            (negative / positive).min(1.0) * n
        } else {
            0.0
        };
        debug_assert!(1.0 + share <= p + 1e-12);
        for w in &mut self.weights {
            *w *= if *w > 0.0 {
                (1.0 + share) / positive
            } else {
                share / negative.max(1e-300)
            };
        }
        // Centre with the least change of the directions and clip them to the ball, in
        // turn; what is left is centred, then all are shrunk together.
        let squares: f64 = self.weights.iter().map(|w| w * w).sum();
        for round in 0..20 {
            let pairs = self.weights.iter().zip(&self.directions);
            let mean = pairs.map(|(w, delta)| delta * *w).sum::<DVector<f64>>() / squares;
            for (w, delta) in self.weights.iter().zip(&mut self.directions) {
                *delta -= &mean * *w;
            }
            if round < 19 {
                for delta in &mut self.directions {
                    *delta /= delta.norm().max(1.0);
                }
            }
        }
        let longest = self
            .directions
            .iter()
            .map(DVector::norm)
            .fold(1.0, f64::max);
        self.directions
            .iter_mut()
            .for_each(|delta| *delta /= longest);
        Some(self)
    }

    /// `−½ Σ w δᵀ S δ`.
    fn gain(&self, matrix: &DMatrix<f64>) -> f64 {
        let pairs = self.weights.iter().zip(&self.directions);
        -0.5 * pairs
            .map(|(w, delta)| w * quadratic(matrix, delta))
            .sum::<f64>()
    }

    /// One step along the gradient of the gain in weights and directions.
    fn step(&self, matrix: &DMatrix<f64>, size: f64, rng: &mut ChaCha8Rng) -> Self {
        let jitter = 0.1 * size;
        let weights = self.weights.iter().zip(&self.directions).map(|(w, delta)| {
            w - size * 0.5 * quadratic(matrix, delta) + jitter * rng.random_range(-1.0..1.0)
        });
        let weights: Vec<f64> = weights.collect();
        let directions = self
            .weights
            .iter()
            .zip(&self.directions)
            .map(|(w, delta)| delta - matrix * delta * (size * *w));
        Self {
            weights,
            directions: directions.collect(),
        }
    }
}

/// The best gain that random restarts with projected gradient find.
fn search(matrix: &DMatrix<f64>, m: usize, bound: WeightBound, rng: &mut ChaCha8Rng) -> f64 {
    let mut best = 0.0_f64;
    for _ in 0..10 {
        let Some(mut point) = Split::random(m, matrix.nrows(), rng).project(bound) else {
            continue;
        };
        let mut size = 1.0;
        for _ in 0..200 {
            match point.step(matrix, size, rng).project(bound) {
                Some(next) if next.gain(matrix) > point.gain(matrix) => {
                    point = next;
                    size *= 1.2;
                }
                _ => size *= 0.8,
            }
        }
        best = best.max(point.gain(matrix));
    }
    best
}

/// Whether a scheme lowers the loss, by the signs of what it uses: λ_min below 0, λ_max above 0 with
/// negative weights allowed, or both.
fn has_use(scheme: Scheme, spectrum: &Spectrum, bound: WeightBound) -> bool {
    let (min, max) = (&spectrum.min, &spectrum.max);
    let down = min.value < -min.residual;
    let up = max.value > max.residual && bound.value() > 1.0;
    let negative = 0.5 * (bound.value() - 1.0);
    match scheme {
        Scheme::Positive2 | Scheme::Positive3 => down,
        Scheme::Negative2 | Scheme::Negative3 => up,
        Scheme::Four => down && max.value > max.residual,
        Scheme::Mixed3 => down && up && max.value > negative * -min.value,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Every scheme is admissible and centred, and its gain is its quadratic form.
    #[test]
    fn gains_are_quadratic_forms(matrix in matrices(), bound in bounds()) {
        let found = spectrum("s", 0, &matrix).expect("converges");
        let scale = matrix.norm() * bound.value() + 1e-300;
        for scheme in Scheme::DIRECTED {
            let split = scheme.best_split(&found, bound);
            prop_assert_eq!(split.is_some(), has_use(scheme, &found, bound), "{}", scheme);
            let Some((offspring, gain)) = split else {
                continue;
            };
            prop_assert_eq!(offspring.len(), scheme.copies());
            let d = matrix.nrows();
            let (mut sum, mut size, mut change) = (0.0, 0.0, 0.0);
            let mut mean = DVector::<f64>::zeros(d);
            for copy in &offspring {
                let delta = DVector::from_column_slice(&copy.offset);
                prop_assert!(delta.norm() <= 1.0 + 1e-12);
                sum += copy.weight;
                size += copy.weight.abs();
                change += 0.5 * copy.weight * quadratic(&matrix, &delta);
                mean += delta * copy.weight;
            }
            prop_assert!((sum - 1.0).abs() <= 1e-12);
            prop_assert!(size <= bound.value() + 1e-12);
            prop_assert!(mean.norm() <= 1e-12 * bound.value());
            prop_assert!((change + gain).abs() <= 1e-12 * scale, "{scheme}: {change} {gain}");
        }
    }

    /// Property 4: no admissible split of m copies beats the best of m copies, and none
    /// of any m beats `four`.
    #[test]
    fn no_admissible_split_is_better(
        matrix in matrices(),
        bound in bounds(),
        seed in any::<u64>(),
    ) {
        let found = spectrum("s", 0, &matrix).expect("converges");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let four = Scheme::Four.gain(found.min.value, found.max.value, bound);
        let slack = 1e-9 * (1.0 + matrix.norm() * bound.value());
        for m in 2..=5 {
            let reached = search(&matrix, m, bound, &mut rng);
            prop_assert!(reached <= four + slack, "m = {m}: {reached} beats four, {four}");
            if m <= 3 {
                // A split of fewer copies is one of m copies with copies at rest.
                let best = best_gain(2, &found, bound).max(
                    if m == 3 { best_gain(3, &found, bound) } else { 0.0 }
                );
                prop_assert!(reached <= best + slack, "m = {m}: {reached} beats {best}");
            }
        }
    }

    /// c = 1 is plain splitting: no scheme gains more than positive2.
    #[test]
    fn positive_weights_reduce_to_plain_splitting(matrix in matrices()) {
        let found = spectrum("s", 0, &matrix).expect("converges");
        let (min, max) = (found.min.value, found.max.value);
        let plain = Scheme::Positive2.gain(min, max, WeightBound::POSITIVE);
        for scheme in Scheme::DIRECTED {
            prop_assert!(scheme.gain(min, max, WeightBound::POSITIVE) <= plain);
        }
    }
}

/// The search is able to find what it looks for: it comes near every best gain.
#[test]
fn the_search_reaches_the_gains() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let matrix = DMatrix::from_diagonal(&DVector::from_vec(vec![-1.0, 0.3, 2.0]));
    let found = spectrum("s", 0, &matrix).expect("converges");
    let bound = WeightBound::new(2.0).expect("at least 1");
    // λ = (−1, 2), c = 2: mixed3 gains 1, the paper's three-copy schemes 0.75.
    let gain = |scheme: Scheme| scheme.gain(-1.0, 2.0, bound);
    assert!((gain(Scheme::Positive3) - 0.75).abs() < 1e-12);
    assert!((gain(Scheme::Mixed3) - 1.0).abs() < 1e-12);
    for m in 2..=4 {
        let best = (2..=m)
            .map(|m| best_gain(m, &found, bound))
            .fold(0.0, f64::max);
        let reached = (0..30)
            .map(|_| search(&matrix, m, bound, &mut rng))
            .fold(0.0, f64::max);
        assert!(reached > 0.9 * best, "m = {m}: {reached} of {best}");
    }
}

/// An eigenvalue counts beyond its residual alone.
#[test]
fn what_is_within_its_residual_is_no_curvature() {
    let found = |min: f64, max: f64, residual: f64| {
        let pair = |value| Eigenpair {
            value,
            vector: vec![1.0],
            residual,
        };
        let spectrum = Spectrum {
            min: pair(min),
            max: pair(max),
        };
        let bound = WeightBound::new(3.0).expect("at least 1");
        let split = |scheme: Scheme| scheme.best_split(&spectrum, bound).map(|(_, gain)| gain);
        [Scheme::Positive2, Scheme::Negative2, Scheme::Four].map(split)
    };
    // c = 3: p = 2, n = 1.
    assert_eq!(found(-2.0, 3.0, 1.0), [Some(1.0), Some(0.75), Some(3.5)]);
    assert_eq!(found(-1.0, 3.0, 1.0), [None, Some(0.75), None]);
    assert_eq!(found(-2.0, 1.0, 1.0), [Some(1.0), None, None]);
    assert_eq!(found(0.0, 0.0, 0.0), [None; 3]);
    // Where L = n l the paper's schemes are as good.
    let bound = WeightBound::new(3.0).expect("at least 1");
    assert_eq!(Scheme::Mixed3.gain(-1.0, 1.0, bound), 0.0);
    assert_eq!(Scheme::Mixed3.gain(-1.0, 2.0, bound), 1.25);
    assert_eq!(Scheme::Mixed3.gain(0.0, 2.0, bound), 0.0);
    assert_eq!(Scheme::Mixed3.gain(-1.0, 2.0, WeightBound::POSITIVE), 0.0);
}

#[test]
fn schemes_have_names_and_bounds_are_written_as_numbers() {
    let names = [
        "positive2",
        "negative2",
        "positive3",
        "negative3",
        "mixed3",
        "four",
    ];
    for (scheme, name) in Scheme::DIRECTED.into_iter().zip(names) {
        assert_eq!((scheme.name(), scheme.to_string().as_str()), (name, name));
    }
    assert_eq!(Scheme::Net2Wider.name(), "net2wider");
    let bound = WeightBound::new(2.5).expect("at least 1");
    assert_eq!((bound.value(), f64::from(bound)), (2.5, 2.5));
    assert_eq!(serde_json::to_string(&bound).expect("written"), "2.5");
    assert_eq!(WeightBound::new(1.0), Ok(WeightBound::POSITIVE));
}

#[test]
fn bounds_below_one_are_refused() {
    for c in [0.99, f64::NAN, f64::INFINITY, -1.0] {
        assert!(WeightBound::new(c).is_err());
    }
    let read: Result<WeightBound, _> = serde_json::from_str("0.5");
    assert!(read.is_err());
    let pair = |value| Eigenpair {
        value,
        vector: vec![1.0],
        residual: 0.0,
    };
    let stable = Spectrum {
        min: pair(0.0),
        max: pair(0.0),
    };
    for scheme in Scheme::DIRECTED {
        assert!(scheme.best_split(&stable, WeightBound::POSITIVE).is_none());
    }
}
