//! TINY on plain data: what is read, what is wanted, and what is expressible.

use std::sync::Arc;

use burgeon_core::criterion::{Candidate, Context, Criterion, Tiny};
use burgeon_core::growth::{Growth, NewNeuron, Order, Side};
use burgeon_core::moments::least_squares;
use burgeon_core::{
    Capture, CoreError, GradientRequest, GrowthGradient, Landscape, LineSearch, Moments, Needs,
    Plan, PlanGradient, Site, SiteMoments,
};
use nalgebra::DMatrix;
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const ROWS: usize = 40;

/// Neurons that read `B` answer by `α`, what reads them is to move along `V`, and the loss is
/// `−E⟨V, what moves⟩`.
struct Plane {
    reads: DMatrix<f64>,
    wanted: DMatrix<f64>,
    left: DMatrix<f64>,
    has_kink: bool,
    site: Site,
}

fn drawn(rows: usize, columns: usize, rng: &mut ChaCha8Rng) -> DMatrix<f64> {
    DMatrix::from_fn(rows, columns, |_, _| rng.random_range(-1.0..1.0))
}

impl Plane {
    fn new(dim: usize, width: usize, outputs: usize, has_kink: bool, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut reads = drawn(ROWS, dim, &mut rng);
        // Inputs of other sizes, and one that is the sum of two.
        for (index, mut column) in reads.column_iter_mut().enumerate() {
            column *= 2.0_f64.powi(index as i32 - 2);
        }
        if dim > 3 {
            let sum = reads.column(0) + reads.column(1);
            reads.set_column(3, &sum);
        }
        let existing = drawn(ROWS, width, &mut rng);
        let wanted = drawn(ROWS, outputs, &mut rng)
            + &reads * drawn(dim, outputs, &mut rng)
            + &existing * drawn(width, outputs, &mut rng);
        // By another way than the library's: an orthonormal basis of what is there.
        let basis = existing.clone().qr().q();
        let left = &wanted - &basis * basis.tr_mul(&wanted);
        let gram = existing.tr_mul(&existing);
        let found = least_squares("plane", &gram, &existing.tr_mul(&wanted)).expect("finite");
        let other = &wanted - &existing * found;
        assert!((&other - &left).norm() < 1e-9 * wanted.norm());
        let count = ROWS as f64;
        let moments = SiteMoments {
            inputs: reads.tr_mul(&reads) / count,
            cross: reads.tr_mul(&left) / count,
            desired: wanted.norm_squared() / count,
            bottleneck: left.norm_squared() / count,
        };
        let site = Site {
            name: "plane".into(),
            neurons: 100,
            dim,
            fan_out: outputs,
            is_normalised: false,
            added_costs: [1, 2, 3],
            norms: None,
            moments: Some(Moments::Known(Arc::new(moments))),
            curvature: None,
            spectra: None,
        };
        Self {
            reads,
            wanted,
            left,
            has_kink,
            site,
        }
    }

    fn with(&self, moments: Moments) -> Self {
        let mut site = self.site.clone();
        site.moments = Some(moments);
        Self {
            reads: self.reads.clone(),
            wanted: self.wanted.clone(),
            left: self.left.clone(),
            has_kink: self.has_kink,
            site,
        }
    }

    /// `E‖V_proj − b α ω‖²` of `α` `[d, m]` and `ω` `[m, k]`.
    fn residual(&self, alpha: &DMatrix<f64>, omega: &DMatrix<f64>) -> f64 {
        (&self.left - &self.reads * alpha * omega).norm_squared() / ROWS as f64
    }

    fn answer(&self, alpha: &DMatrix<f64>) -> DMatrix<f64> {
        let linear = &self.reads * alpha;
        match self.has_kink {
            true => linear.map(|value| value.max(0.0)),
            false => linear,
        }
    }

    fn asked(&self) -> Result<Vec<Candidate>, CoreError> {
        Tiny::new().candidates(self, &mut Context::seeded(0))
    }
}

impl Landscape for Plane {
    fn sites(&self) -> &[Site] {
        std::slice::from_ref(&self.site)
    }

    fn capture(&self, needs: Needs) -> Result<Arc<Capture>, CoreError> {
        assert_eq!(needs, Needs::MOMENTS);
        Ok(Arc::new(Capture {
            sites: vec![self.site.clone()],
            samples: ROWS,
            loss: 0.0,
            bytes: 0,
        }))
    }

    fn losses(&self, _plan: &Plan, _steps: &[f64]) -> Result<LineSearch, CoreError> {
        Err(CoreError::NoNetwork)
    }

    fn gradient(&self, plan: &Plan, at: &GradientRequest) -> Result<PlanGradient, CoreError> {
        assert_eq!(*at, GradientRequest::default());
        let growths = plan.growths().map(|growth| {
            let (alpha, _) = weights(growth);
            let slope = -self.answer(&alpha).tr_mul(&self.wanted) / ROWS as f64;
            GrowthGradient {
                fan_in: vec![vec![0.0; self.site.dim]],
                fan_out: slope.iter().copied().collect(),
            }
        });
        Ok(PlanGradient {
            loss: 0.0,
            growths: growths.collect(),
        })
    }
}

/// `α` `[d, 1]` and `ω` `[1, k]`.
fn weights(growth: &Growth) -> (DMatrix<f64>, DMatrix<f64>) {
    let Growth::NewNeuron(NewNeuron {
        fan_in,
        fan_out,
        scaled: Side::FanOut,
        ..
    }) = growth
    else {
        panic!("{growth}")
    };
    let alpha = DMatrix::from_column_slice(fan_in.len(), 1, fan_in);
    (alpha, DMatrix::from_row_slice(1, fan_out.len(), fan_out))
}

/// All neurons together.
fn joined(candidates: &[Candidate]) -> (DMatrix<f64>, DMatrix<f64>) {
    let parts: Vec<_> = candidates.iter().map(|c| weights(&c.growth)).collect();
    let alphas: Vec<_> = parts
        .iter()
        .map(|(a, _)| a.column(0).into_owned())
        .collect();
    let omegas: Vec<_> = parts.iter().map(|(_, o)| o.row(0).into_owned()).collect();
    (DMatrix::from_columns(&alphas), DMatrix::from_rows(&omegas))
}

proptest! {
    #[test]
    fn no_other_neurons_leave_less(
        dim in 1_usize..7, width in 1_usize..5, outputs in 1_usize..6, seed in 0_u64..1000,
    ) {
        let mut plane = Plane::new(dim, width, outputs, false, seed);
        // Once trained, nothing is wanted that is expressible.
        plane.wanted = plane.left.clone();
        let candidates = plane.asked().expect("finite");
        prop_assert!(!candidates.is_empty());
        prop_assert!(candidates.windows(2).all(|pair| pair[0].score >= pair[1].score));
        let nothing = plane.left.norm_squared() / ROWS as f64;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for count in 1..=candidates.len() {
            let (alpha, omega) = joined(&candidates[..count]);
            let found = plane.residual(&alpha, &omega);
            let predicted: f64 = candidates[..count].iter().map(|c| c.score).sum();
            prop_assert!((nothing - predicted - found).abs() < 1e-9 * nothing);
            for _ in 0..30 {
                // Neurons of the same lengths, and those near by.
                let others = drawn(dim, count, &mut rng);
                let others = &others * (alpha.norm() / others.norm());
                let read = drawn(count, outputs, &mut rng);
                let read = &read * (omega.norm() / read.norm());
                prop_assert!(plane.residual(&others, &read) >= found - 1e-9 * nothing);
                let (by, to) = (&alpha + &others * 0.01, &omega + &read * 0.01);
                prop_assert!(plane.residual(&by, &to) >= found - 1e-9 * nothing);
                // The best that can be made of any fan-ins.
                let answers = &plane.reads * &others;
                let best = answers.clone().svd(true, true).solve(&plane.left, 1e-9).expect("solves");
                prop_assert!(plane.residual(&others, &best) >= found - 1e-9 * nothing);
            }
        }
    }

    #[test]
    fn gains_are_those_of_the_better_sign(
        dim in 1_usize..7, outputs in 1_usize..6, has_kink: bool, seed in 0_u64..1000,
    ) {
        let plane = Plane::new(dim, 3, outputs, has_kink, seed);
        for candidate in plane.asked().expect("finite") {
            let (alpha, omega) = weights(&candidate.growth);
            prop_assert!(alpha.norm() > 0.0 && omega.norm() > 0.0);
            let gain = |sign: f64| {
                let moved = plane.answer(&(&alpha * sign)) * &omega * sign;
                moved.dot(&plane.wanted) / ROWS as f64
            };
            let own = candidate.gain.expect("predicted");
            prop_assert_eq!(own.order, Order::First);
            prop_assert!((own.value - gain(1.0)).abs() <= 1e-9 * own.value);
            prop_assert!(own.value > 0.0 && gain(1.0) >= gain(-1.0) - 1e-9);
        }
    }
}

#[test]
fn what_is_expressible_grows_nothing() {
    let plane = Plane::new(4, 3, 2, false, 1);
    let Some(Moments::Known(moments)) = &plane.site.moments else {
        panic!("known")
    };
    let mut none = SiteMoments::clone(moments);
    none.cross.fill(0.0);
    let plane = plane.with(Moments::Known(Arc::new(none)));
    assert_eq!(plane.asked().expect("finite"), Vec::new());
}

#[test]
fn what_is_wrong_is_said() {
    let plane = Plane::new(4, 3, 2, false, 1);
    let refused = plane.with(Moments::Undefined("it is a gate".into()));
    match refused.asked() {
        Err(CoreError::NoMoments { reasons }) => {
            assert!(
                reasons.contains("plane") && reasons.contains("a gate"),
                "{reasons}"
            );
        }
        other => panic!("{other:?}"),
    }
    let Some(Moments::Known(moments)) = &plane.site.moments else {
        panic!("known")
    };
    let mut broken = SiteMoments::clone(moments);
    broken.inputs[(1, 1)] = f64::NAN;
    let found = plane.with(Moments::Known(Arc::new(broken))).asked();
    assert!(
        matches!(found, Err(CoreError::NonFinite { .. })),
        "{found:?}"
    );
    let mut short = SiteMoments::clone(moments);
    short.cross = DMatrix::zeros(3, 2);
    let found = plane.with(Moments::Known(Arc::new(short))).asked();
    assert!(matches!(found, Err(CoreError::Shape { .. })), "{found:?}");
    for refused in [
        Tiny::new().with_threshold(1.0),
        Tiny::new().with_threshold(f64::NAN),
        Tiny::new().with_input_threshold(-0.1),
    ] {
        assert!(
            matches!(refused, Err(CoreError::Parameter { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn a_site_that_was_not_looked_at_is_passed_over() {
    let mut plane = Plane::new(4, 3, 2, false, 1);
    plane.site.moments = None;
    assert_eq!(plane.asked(), Ok(Vec::new()));
    assert_eq!(Tiny::new().name(), "tiny");
    assert_eq!(Tiny::default(), Tiny::new());
    for at_the_border in [0.0, 0.999] {
        assert!(Tiny::new().with_threshold(at_the_border).is_ok());
    }
}

#[test]
fn thresholds_leave_out_what_is_small() {
    let plane = Plane::new(6, 2, 5, false, 3);
    let asked = |tiny: Tiny| {
        tiny.candidates(&plane, &mut Context::seeded(0))
            .expect("finite")
    };
    let all = asked(Tiny::new());
    let few = asked(Tiny::new().with_threshold(0.5).expect("in range"));
    assert!(!few.is_empty() && few.len() < all.len());
    assert_eq!(few[..], all[..few.len()]);
    let least = few.last().expect("some").score.sqrt();
    assert!(least > 0.5 * all[0].score.sqrt());
}
