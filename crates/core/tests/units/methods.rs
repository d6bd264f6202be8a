//! Which way a solver goes, and what it asks on the way.

use burgeon_core::eigen::{
    CapturedOperator, Directions, KrylovLimits, RayleighDescent, SiteShape, SplittingOperator,
    apply,
};
use burgeon_core::{
    CoreError, Curvature, CurvatureBlock, Eigenpair, Method, SiteInput, SiteSpectra, Spectrum,
    SpectrumSolver, SplitBackend,
};
use burn::tensor::DType;
use nalgebra::DMatrix;

use crate::blocks::tensor;
use crate::common::Plain;
use crate::matrices::{Written, whole};

fn one_site(neurons: usize, dim: usize) -> Written {
    let site = (0..neurons).map(|seed| whole(dim, seed)).collect();
    Written::new(vec![vec![site]])
}

fn solved(solver: &SpectrumSolver, operator: &Written, rows: usize) -> SiteSpectra {
    let mut found = solver.solve(operator, rows, DType::F64).expect("solved");
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[test]
fn the_cheaper_way_is_taken() {
    // Dense: 2nd² + 30d³ operations. Krylov: min(d, 10 + 10·digits) products of 4nd + 500d.
    let auto = |rows: usize, dim: usize, tolerance: f64| {
        let solver = SpectrumSolver::default().with_tolerance(tolerance);
        assert_eq!(solver.method(), Method::Auto);
        solved(&solver, &one_site(1, dim), rows).method
    };
    // 200·20² + 240 000 = 320 000 against 20·(8 000 + 10 000) = 360 000; few rows.
    assert_eq!(auto(100, 20, 1e-3), Method::Dense);
    // 30·64³ alone is 7.9 million, against 40·64·(4n + 500).
    assert_eq!(auto(100, 64, 1e-3), Method::Krylov);
    // Many rows: 2nd² is half of what d products take, but more than 40 of them at 128.
    assert_eq!(auto(100_000, 64, 1e-3), Method::Dense);
    assert_eq!(auto(100_000, 128, 1e-3), Method::Krylov);
    // More digits take more products: 20 at one digit, 90 at eight.
    assert_eq!(auto(5_000, 64, 1e-1), Method::Krylov);
    assert_eq!(auto(5_000, 64, 1e-8), Method::Dense);
}

#[test]
fn the_border_between_the_ways_is_where_they_cost_the_same() {
    // d = 10: 200n + 30 000 against 10·(40n + 5 000) = 400n + 50 000: always dense.
    // d = 40, 40 products: 3 200n + 1 920 000 against 6 400n + 800 000: dense from 350 rows on.
    for (rows, method) in [
        (349, Method::Krylov),
        (350, Method::Dense),
        (351, Method::Dense),
    ] {
        let found = solved(&SpectrumSolver::default(), &one_site(1, 40), rows);
        assert_eq!(found.method, method, "{rows}");
    }
    for rows in [1, 10, 1000] {
        let found = solved(&SpectrumSolver::default(), &one_site(1, 10), rows);
        assert_eq!(found.method, Method::Dense, "{rows}");
    }
}

#[test]
fn dense_matrices_must_fit() {
    let operator = one_site(3, 4);
    let bytes = 3 * 4 * 4 * 8;
    let with = |method, budget| {
        let solver = SpectrumSolver::default().with_method(method);
        solver
            .with_memory_budget(budget)
            .solve(&operator, 10, DType::F64)
    };
    let fits = with(Method::Dense, bytes).expect("fits");
    assert_eq!((fits[0].bytes, fits[0].iterations), (bytes, 0));
    assert_eq!(fits[0].spectra.len(), 3);
    let error = with(Method::Dense, bytes - 1).expect_err("too large");
    let memory = CoreError::Memory {
        site: "site 0".into(),
        needed: bytes,
        budget: bytes - 1,
    };
    assert_eq!(error, memory);
    // Where nobody asked for them by name another way is taken.
    let auto = with(Method::Auto, bytes).expect("fits");
    assert_eq!(auto[0].method, Method::Dense);
    let auto = with(Method::Auto, bytes - 1).expect("another way");
    assert_eq!(auto[0].method, Method::Krylov);
}

#[test]
fn products_are_in_single_precision_where_digits_allow() {
    let operator = one_site(2, 9);
    let krylov = SpectrumSolver::default().with_method(Method::Krylov);
    for (tolerance, iterates, verifies) in [
        (1e-1, DType::F32, false),
        (1.1e-3, DType::F32, false),
        (1e-3, DType::F32, true),
        (1e-5, DType::F32, true),
        (0.9e-5, DType::F64, true),
    ] {
        let solver = krylov.with_tolerance(tolerance);
        let found = solved(&solver, &operator, 50);
        let asked = operator.asked();
        // Each of the iterations asks once, and what verifies once more.
        assert_eq!(asked.len(), found.iterations + usize::from(verifies));
        let first = &asked[..found.iterations];
        assert!(
            first.iter().all(|dtype| *dtype == iterates),
            "{tolerance}: {asked:?}"
        );
        if verifies {
            assert_eq!(asked.last(), Some(&DType::F64), "{tolerance}");
        }
    }
}

#[test]
fn iterations_end_when_told() {
    let operator = one_site(1, 40);
    let krylov = SpectrumSolver::default().with_method(Method::Krylov);
    for most in [1, 2, 5, 9] {
        let solver = krylov.with_tolerance(1e-9).with_max_iterations(most);
        assert_eq!(solved(&solver, &operator, 50).iterations, most);
    }
    // As many as there are dimensions exhaust the space.
    let small = one_site(1, 3);
    let found = solved(&krylov.with_tolerance(1e-9), &small, 50);
    assert_eq!(found.iterations, 3);
    let line = one_site(2, 1);
    assert_eq!(solved(&krylov, &line, 50).iterations, 1);
    // Six at least before the first look, each with a vector more than it has products.
    let identity = Written::new(vec![vec![vec![DMatrix::identity(40, 40)]]]);
    assert_eq!(
        solved(&krylov, &identity, 50).iterations,
        1,
        "nothing is left"
    );
}

#[test]
fn a_basis_takes_no_more_than_it_may() {
    let operator = one_site(2, 60);
    let krylov = SpectrumSolver::default()
        .with_method(Method::Krylov)
        .with_tolerance(1e-4);
    let free = solved(&krylov, &operator, 50);
    let vector = 2 * 60 * 4;
    assert!(
        free.bytes >= vector * free.iterations.min(7),
        "{}",
        free.bytes
    );
    let exact = solved(
        &SpectrumSolver::default().with_method(Method::Dense),
        &operator,
        50,
    );
    for basis in [1, 8, 9, 12, 20] {
        let found = solved(&krylov.with_memory_budget(basis * vector), &operator, 50);
        // Restarted at eight vectors at least; a buffer grows by doubling.
        assert!(
            found.bytes <= 2 * (basis.max(8) + 1) * vector,
            "{basis}: {}",
            found.bytes
        );
        for (found, exact) in found.iter().zip(exact.iter()) {
            let allowed = 1e-3 * exact.min.value.abs().max(exact.max.value.abs());
            assert!(
                (found.min.value - exact.min.value).abs() < allowed,
                "{basis}"
            );
            assert!(
                (found.max.value - exact.max.value).abs() < allowed,
                "{basis}"
            );
        }
    }
}

/// Matrices of which a device says the spectra of the first site.
struct Device(Written);

impl SplittingOperator for Device {
    fn sites(&self) -> Vec<SiteShape> {
        self.0.sites()
    }

    fn batches(&self) -> usize {
        self.0.batches()
    }

    fn apply_batch(
        &self,
        batch: usize,
        directions: &[Directions],
    ) -> Result<Vec<Vec<DMatrix<f64>>>, CoreError> {
        self.0.apply_batch(batch, directions)
    }

    fn krylov_on_device(
        &self,
        site: usize,
        limits: &KrylovLimits,
    ) -> Option<Result<SiteSpectra, CoreError>> {
        let pair = || Eigenpair {
            value: limits.basis as f64,
            vector: vec![1.0],
            residual: limits.tolerance,
        };
        let spectra = SiteSpectra {
            spectra: vec![Spectrum::ordered(pair(), pair())],
            method: Method::Krylov,
            iterations: limits.iterations,
            bytes: 1,
        };
        (site == 0).then_some(Ok(spectra))
    }
}

#[test]
fn what_a_device_finds_is_taken() {
    let sites = vec![vec![whole(4, 0), whole(4, 1)], vec![whole(3, 2)]];
    let device = Device(Written::new(vec![sites]));
    let solver = SpectrumSolver::default()
        .with_method(Method::Krylov)
        .with_max_iterations(77)
        .with_memory_budget(3 * 2 * 4 * 4);
    let found = solver.solve(&device, 10, DType::F64).expect("solved");
    assert_eq!(
        (found.len(), found[0].iterations, found[0].bytes),
        (2, 77, 1)
    );
    // The basis that fits: three vectors of f32 for each neuron.
    assert_eq!(found[0].spectra[0].min.value, 3.0);
    assert_eq!(found[0].spectra[0].max.residual, 1e-3);
    assert_eq!(found[1].iterations, 3, "the other is iterated here");
    // Other ways do not ask it.
    let dense = SpectrumSolver::default().with_method(Method::Dense);
    let found = dense.solve(&device, 10, DType::F64).expect("solved");
    assert_eq!(found[0].method, Method::Dense);
    assert_eq!(found[0].spectra.len(), 2);
}

/// Plain operations on a device that iterates by itself.
#[derive(Debug)]
struct Iterating;

impl SplitBackend for Iterating {
    fn name(&self) -> &'static str {
        "iterating"
    }

    fn device(&self) -> burn::tensor::Device {
        Plain.device()
    }

    fn krylov_spectra(
        &self,
        curvature: &Curvature,
        limits: &KrylovLimits,
    ) -> Option<Result<SiteSpectra, CoreError>> {
        let failed = CoreError::Eigen {
            site: curvature.site().to_owned(),
            neuron: limits.iterations,
        };
        Some(Err(failed))
    }
}

#[test]
fn a_backend_that_iterates_is_asked_for_captured_sites() {
    let block = CurvatureBlock {
        input: SiteInput::Rows(tensor(vec![1.0, 2.0], [1, 2], DType::F64)),
        bias: false,
        weights: tensor(vec![1.0], [1, 1], DType::F64),
    };
    let curvature = Curvature::new("own", vec![block]).expect("sound");
    let solver = SpectrumSolver::default()
        .with_method(Method::Krylov)
        .with_max_iterations(7);
    let operator = CapturedOperator::new(vec![&curvature], &Iterating);
    let failed = CoreError::Eigen {
        site: "own".into(),
        neuron: 7,
    };
    assert_eq!(solver.solve(&operator, 1, DType::F64), Err(failed));
    // Plain operations leave it to the host.
    let limits = KrylovLimits {
        tolerance: 0.1,
        iterations: 1,
        basis: 1,
    };
    assert!(Plain.krylov_spectra(&curvature, &limits).is_none());
}

#[test]
fn descent_asks_for_both_ends_in_every_pass() {
    let sites = vec![vec![whole(4, 0), whole(4, 1)], vec![whole(3, 2)]];
    let operator = Written::new(vec![sites.clone(), sites]);
    let settings = RayleighDescent {
        passes: 5,
        ..RayleighDescent::default()
    };
    let solver = SpectrumSolver::default()
        .with_method(Method::Rayleigh)
        .with_rayleigh(settings);
    let found = solver.solve(&operator, 10, DType::F64).expect("solved");
    // Five passes over two batches, and one that verifies.
    let asked = operator.asked();
    assert_eq!(asked[..10], [DType::F32; 10]);
    assert_eq!(asked[10..], [DType::F64; 2]);
    for (site, numbers) in found.iter().zip([8, 3]) {
        assert_eq!((site.method, site.iterations), (Method::Rayleigh, 6));
        // Of either end the vectors, a mean square and a velocity.
        assert_eq!(site.bytes, 2 * 3 * numbers * 8);
        assert!(site.iter().all(|own| own.min.value <= own.max.value));
    }
    let none = RayleighDescent {
        passes: 0,
        ..settings
    };
    let refused = solver.with_rayleigh(none).solve(&operator, 10, DType::F64);
    assert!(matches!(
        refused,
        Err(CoreError::Parameter { name: "passes", .. })
    ));
}

#[test]
fn tolerances_are_between_nothing_and_all() {
    let operator = one_site(1, 2);
    for tolerance in [0.0, 1.0, -1.0, 2.0] {
        let solver = SpectrumSolver::default().with_tolerance(tolerance);
        let found = solver.solve(&operator, 10, DType::F64);
        assert!(matches!(
            found,
            Err(CoreError::Parameter {
                name: "tolerance",
                ..
            })
        ));
    }
    let loose = SpectrumSolver::default().with_tolerance(0.999);
    assert!(loose.solve(&operator, 10, DType::F64).is_ok());
    let nobody = Written::new(vec![vec![Vec::new(), vec![whole(2, 1)]]]);
    let found = SpectrumSolver::default().solve(&nobody, 10, DType::F64);
    let Err(CoreError::Shape {
        expected, found, ..
    }) = found
    else {
        panic!("{found:?}")
    };
    assert_eq!((expected, found), (vec![1, 1], vec![0, 0]));
}

/// All ways see the same matrices.
#[test]
fn ways_can_be_mixed_site_by_site() {
    // By cost the first is solved in full, the second by products.
    let operator = Written::new(vec![vec![
        vec![whole(5, 1)],
        vec![whole(70, 2), whole(70, 3)],
    ]]);
    let found = SpectrumSolver::default().solve(&operator, 10, DType::F64);
    let found = found.expect("solved");
    let methods: Vec<Method> = found.iter().map(|site| site.method).collect();
    assert_eq!(methods, [Method::Dense, Method::Krylov]);
    for (site, own) in operator.matrices[0].iter().zip(&found) {
        for (matrix, spectrum) in site.iter().zip(own.iter()) {
            let exact = matrix.clone().symmetric_eigenvalues();
            let scale = exact.amax();
            assert!((spectrum.min.value - exact.min()).abs() < 2e-3 * scale);
            assert!((spectrum.max.value - exact.max()).abs() < 2e-3 * scale);
        }
    }
    let asked = |vectors| Directions {
        vectors,
        dtype: DType::F64,
    };
    let none = apply(&operator, &[asked(Vec::new()), asked(Vec::new())]).expect("nothing");
    assert_eq!(none, vec![Vec::<DMatrix<f64>>::new(); 2]);
}
