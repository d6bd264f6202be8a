//! The conformance suite passes plain tensor operations, and finds every kind of fault.

mod common;

use std::collections::BTreeSet;
use std::sync::Mutex;

use burgeon_core::testing::{Check, conformance};
use burgeon_core::{Activation, CurvatureBlock, RowSample, SiteInput, SplitBackend};
use burn::tensor::{DType, Device, Tensor};
use common::Plain;

/// What a backend does badly.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    Weights,
    Sizes,
    Sample,
    Matrices,
    Products,
}

/// Plain operations, one of which is off by a little more than rounding.
#[derive(Debug)]
struct Faulty(Fault);

/// How far off in a type: ten times what passes.
fn off(dtype: DType) -> f64 {
    if dtype == DType::F64 { 1e-11 } else { 1e-4 }
}

impl Faulty {
    fn by<const D: usize>(&self, fault: Fault, right: Tensor<D>) -> Tensor<D> {
        match self.0 == fault {
            true => {
                let off = off(right.dtype());
                right.mul_scalar(1.0 + off)
            }
            false => right,
        }
    }
}

impl SplitBackend for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn device(&self) -> Device {
        Plain.device()
    }

    fn curvature_weights(
        &self,
        activation: Activation,
        z: Tensor<2>,
        gradient: Tensor<2>,
        scale: Option<Tensor<1>>,
    ) -> Tensor<2> {
        let right = Plain.curvature_weights(activation, z, gradient, scale);
        self.by(Fault::Weights, right)
    }

    fn row_sizes(&self, block: &CurvatureBlock) -> Tensor<1> {
        self.by(Fault::Sizes, Plain.row_sizes(block))
    }

    fn sampled(&self, block: CurvatureBlock, sample: &RowSample) -> CurvatureBlock {
        let mut right = Plain.sampled(block, sample);
        right.weights = self.by(Fault::Sample, right.weights);
        right
    }

    fn splitting_matrices(&self, block: &CurvatureBlock, dtype: DType) -> Tensor<3> {
        self.by(Fault::Matrices, Plain.splitting_matrices(block, dtype))
    }

    fn splitting_products(&self, block: &CurvatureBlock, directions: Tensor<2>) -> Tensor<2> {
        self.by(Fault::Products, Plain.splitting_products(block, directions))
    }
}

fn checked(backend: &dyn SplitBackend) -> Vec<Check> {
    conformance(backend).expect("it computes")
}

/// The first words of a check's name: what it compares.
fn kind(check: &Check) -> &'static str {
    let kinds = [
        "curvature weights",
        "row sizes",
        "sampled rows",
        "dense",
        "apply",
    ];
    let found = kinds.into_iter().find(|kind| check.name.starts_with(kind));
    found.unwrap_or_else(|| panic!("{}", check.name))
}

#[test]
fn plain_operations_pass() {
    let checks = checked(&Plain);
    for check in &checks {
        assert!(check.passed(), "{check:?}");
        // Rounding is there, but where numbers are exact.
        assert!(
            check.error >= 0.0 && check.error < 0.5 * check.bound,
            "{check:?}"
        );
    }
    let names: BTreeSet<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(
        names.len(),
        checks.len(),
        "each check has a name of its own"
    );
    let count = |wanted: &str| checks.iter().filter(|check| kind(check) == wanted).count();
    // In each of two types: rows and maps, scaled or not; ten layers in two arithmetics.
    assert_eq!(count("curvature weights"), 2 * 4 * Activation::NAMES.len());
    assert_eq!((count("dense"), count("apply")), (40, 40));
    // No depthwise layer is sampled, and nothing is left out of one row.
    assert_eq!((count("row sizes"), count("sampled rows")), (16, 14));
    let exact = |check: &&Check| check.name.ends_with("in F64");
    assert!(
        checks
            .iter()
            .filter(exact)
            .all(|check| check.bound == 1e-12)
    );
    let rough = |check: &&Check| check.name.ends_with("in F32");
    assert!(checks.iter().filter(rough).all(|check| check.bound == 1e-5));
}

#[test]
fn every_fault_is_found_and_no_other() {
    for (fault, kinds) in [
        (Fault::None, &[][..]),
        (Fault::Weights, &["curvature weights"]),
        (Fault::Sizes, &["row sizes"]),
        (Fault::Sample, &["sampled rows"]),
        (Fault::Products, &["apply"]),
    ] {
        for check in checked(&Faulty(fault)) {
            // Products of f64 data are in f64, whatever is asked for.
            let in_double = check.name.starts_with("apply") && check.name.ends_with("F64 in F32");
            let is_faulty = kinds.contains(&kind(&check)) && !in_double;
            assert_eq!(!check.passed(), is_faulty, "{fault:?}: {check:?}");
            // The error is the fault's, in units of the largest number.
            let share = check.error / check.bound;
            if is_faulty && !check.name.starts_with("sampled rows") {
                assert!((share - 10.0).abs() < 1.5, "{fault:?}: {check:?}");
            }
        }
    }
    // Matrices of samples are matrices too.
    for check in checked(&Faulty(Fault::Matrices)) {
        let is_faulty = ["dense", "sampled rows"].contains(&kind(&check));
        let rough = check.name.starts_with("sampled rows") && check.bound > 1e-6;
        assert_eq!(!check.passed(), is_faulty && !rough, "{check:?}");
    }
}

#[test]
fn a_check_passes_up_to_its_bound() {
    let at = |error| Check {
        name: "any".into(),
        error,
        bound: 1.0,
    };
    assert!(at(0.0).passed() && at(1.0).passed());
    assert!(!at(1.0 + 1e-9).passed() && !at(f64::NAN).passed());
}

/// A backend that has f32 alone, and notes what it is asked for.
#[derive(Debug, Default)]
struct Noting {
    asked: Mutex<Vec<Asked>>,
}

/// A block: its kind, rows, neurons and dimension, and its largest input.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    kind: &'static str,
    rows: usize,
    neurons: usize,
    dim: usize,
    bias: bool,
    largest: f64,
}

impl SplitBackend for Noting {
    fn name(&self) -> &'static str {
        "noting"
    }

    fn device(&self) -> Device {
        Plain.device()
    }

    fn supports(&self, dtype: DType) -> bool {
        dtype == DType::F32
    }

    fn splitting_matrices(&self, block: &CurvatureBlock, dtype: DType) -> Tensor<3> {
        let largest = |values: Vec<f64>| values.into_iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        let (kind, largest) = match &block.input {
            SiteInput::Rows(x) => ("rows", largest(x.to_data().iter().collect())),
            SiteInput::Maps(x, _) => ("maps", largest(x.to_data().iter().collect())),
            SiteInput::ChannelMaps(x, _) => ("channels", largest(x.to_data().iter().collect())),
        };
        self.asked.lock().expect("no panic").push(Asked {
            kind,
            rows: block.weights.dims()[0],
            neurons: block.neurons(),
            dim: block.dim(),
            bias: block.bias,
            largest,
        });
        Plain.splitting_matrices(block, dtype)
    }
}

#[test]
fn odd_shapes_and_large_numbers_are_looked_at() {
    let backend = Noting::default();
    let checks = checked(&backend);
    assert!(checks.iter().all(Check::passed));
    assert!(checks.iter().all(|check| check.name.contains("F32")));
    let asked = backend.asked.into_inner().expect("no panic");
    let any = |holds: &dyn Fn(&Asked) -> bool| asked.iter().any(holds);
    assert!(any(&|one| one.rows == 1));
    assert!(any(&|one| one.neurons == 1 && one.rows > 1));
    assert!(any(&|one| one.dim == 1));
    assert!(any(&|one| one.rows > 1024 && one.dim > 64));
    assert!(any(&|one| one.largest > 1e6));
    assert!(asked.iter().all(|one| one.largest > 0.1));
    for kind in ["maps", "channels"] {
        assert!(any(&|one| one.kind == kind && one.bias), "{kind}");
        assert!(any(&|one| one.kind == kind && !one.bias), "{kind}");
    }
    // 9×8 by a 3×2 kernel over 5×2 places, steps of 2 and 3, padded by 1 and 2.
    let strided = |one: &Asked| one.kind == "maps" && !one.bias;
    let strided = asked.iter().find(|one| strided(one)).expect("asked");
    assert_eq!(
        (strided.rows, strided.neurons, strided.dim),
        (2 * 3 * 3, 3, 12)
    );
}

#[test]
fn what_a_backend_has_by_default() {
    assert!(Plain.supports(DType::F32) && Plain.supports(DType::F64));
    assert!(!Plain.supports(DType::I32) && !Plain.supports(DType::F16));
    assert_eq!(Plain.accumulation_dtype(), DType::F64);
}
