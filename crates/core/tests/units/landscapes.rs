//! What is asked of landscapes, and what a capture alone answers.

use std::sync::Arc;

use burgeon_core::capture::Norms;
use burgeon_core::{
    Capture, CapturedLandscape, CoreError, Curvature, CurvatureBlock, GradientRequest, Landscape,
    LineSearch, Method, Moments, Needs, Plan, PlanGradient, Scheme, Site, SiteInput, SiteMoments,
    SpectrumSolver,
};
use burn::tensor::DType;
use nalgebra::DMatrix;

use crate::blocks::tensor;
use crate::candidates::{self, split};
use crate::common::Plain;

#[test]
fn needs_are_joined_one_by_one() {
    let all = [Needs::SPECTRA, Needs::NORMS, Needs::PLACES, Needs::MOMENTS];
    let flags = |needs: Needs| [needs.spectra, needs.norms, needs.places, needs.moments];
    assert_eq!(flags(Needs::SHAPES), [false; 4]);
    for (one, left) in all.into_iter().enumerate() {
        assert_eq!(flags(left).iter().filter(|flag| **flag).count(), 1);
        assert!(flags(left)[one]);
        for (other, right) in all.into_iter().enumerate() {
            let both = flags(left.and(right));
            for (flag, found) in both.into_iter().enumerate() {
                assert_eq!(found, flag == one || flag == other);
            }
        }
    }
}

/// A landscape with nothing but what it must have.
struct Bare;

impl Landscape for Bare {
    fn sites(&self) -> &[Site] {
        &[]
    }

    fn capture(&self, _needs: Needs) -> Result<Arc<Capture>, CoreError> {
        Err(CoreError::NoNetwork)
    }

    fn losses(&self, _plan: &Plan, _steps: &[f64]) -> Result<LineSearch, CoreError> {
        Err(CoreError::NoNetwork)
    }

    fn gradient(&self, _plan: &Plan, _at: &GradientRequest) -> Result<PlanGradient, CoreError> {
        Err(CoreError::NoNetwork)
    }
}

#[test]
fn a_landscape_has_no_places_one_minibatch_and_no_statistics_unless_it_says_so() {
    assert!(Bare.places().is_empty());
    assert_eq!(Bare.minibatches(), 1);
    let plan = Plan::new("test", vec![split("a", 0, Scheme::Positive2)]);
    assert_eq!(Bare.with_statistics(&plan), Ok(plan));
}

fn captured() -> Capture {
    let block = CurvatureBlock {
        input: SiteInput::Rows(tensor(vec![3.0, 4.0], [1, 2], DType::F64)),
        bias: false,
        weights: tensor(vec![-1.0, 2.0], [1, 2], DType::F64),
    };
    let site = |name: &str, neurons| Site {
        curvature: Some(Curvature::new(name, vec![block.clone()]).expect("sound")),
        norms: Some(Norms {
            fan_in: 1.0,
            fan_out: 2.0,
        }),
        moments: Some(Moments::Undefined("none".into())),
        is_normalised: true,
        fan_out: 5,
        dim: 2,
        added_costs: [1, 2, 3],
        ..candidates::site(name, neurons)
    };
    Capture {
        sites: vec![site("a", 2), site("b", 2)],
        samples: 1,
        loss: 1.0,
        bytes: 0,
    }
}

#[test]
fn a_capture_is_solved_as_it_is_told() {
    for method in [Method::Dense, Method::Krylov] {
        let solver = SpectrumSolver::default().with_method(method);
        let landscape = CapturedLandscape::new(captured(), &Plain).with_solver(solver);
        let solved = landscape.capture(Needs::SPECTRA).expect("solved");
        for site in &solved.sites {
            let spectra = site.spectra.as_ref().expect("solved");
            assert_eq!(spectra.method, method);
            assert!(site.curvature.is_none());
            let ends: Vec<f64> = spectra
                .iter()
                .flat_map(|spectrum| [spectrum.min.value, spectrum.max.value])
                .collect();
            // ∓‖x‖² and 0.
            let expected = [-25.0, 0.0, 0.0, 50.0];
            let pairs = ends.iter().zip(expected);
            assert!(
                pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-9),
                "{ends:?}"
            );
        }
    }
}

#[test]
fn what_was_not_captured_cannot_be_had() {
    let with = |change: &dyn Fn(&mut Site)| {
        let mut capture = captured();
        change(&mut capture.sites[1]);
        CapturedLandscape::new(capture, &Plain)
    };
    let whole = with(&|_| {});
    for needs in [Needs::SHAPES, Needs::NORMS, Needs::MOMENTS, Needs::PLACES] {
        assert!(whole.capture(needs).is_ok(), "{needs:?}");
    }
    let lacks = with(&|site| site.norms = None);
    assert_eq!(
        lacks.capture(Needs::NORMS).err(),
        Some(CoreError::NoNetwork)
    );
    assert!(lacks.capture(Needs::MOMENTS).is_ok());
    let lacks = with(&|site| site.moments = None);
    assert_eq!(
        lacks.capture(Needs::MOMENTS).err(),
        Some(CoreError::NoNetwork)
    );
    assert!(lacks.capture(Needs::NORMS).is_ok());
    let lacks = with(&|site| site.curvature = None);
    let empty = CoreError::EmptyCapture { site: "b".into() };
    assert_eq!(lacks.capture(Needs::SPECTRA).err(), Some(empty));
}

#[test]
fn a_site_without_its_data_keeps_its_shape() {
    let capture = captured();
    assert_eq!(capture.neurons(), 4);
    let bare = capture.sites[0].without_data();
    assert!(bare.curvature.is_none() && bare.norms.is_none());
    assert!(bare.moments.is_none() && bare.spectra.is_none());
    assert_eq!((bare.name.as_str(), bare.neurons), ("a", 2));
    assert_eq!((bare.dim, bare.fan_out, bare.is_normalised), (2, 5, true));
    assert_eq!(bare.added_costs, [1, 2, 3]);
    let known = SiteMoments {
        inputs: DMatrix::identity(2, 2),
        cross: DMatrix::zeros(2, 1),
        desired: 1.0,
        bottleneck: 0.5,
    };
    let moments = Moments::Known(Arc::new(known.clone()));
    assert_eq!(moments.known(), Some(&known));
    assert!(
        capture.sites[0]
            .moments
            .as_ref()
            .is_some_and(|m| m.known().is_none())
    );
}
