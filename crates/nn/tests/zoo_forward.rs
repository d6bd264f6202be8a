//! The zoo's models answer in f32 and f64 at any batch, and Burn's capture device can read them.

mod zoo;

use std::collections::HashSet;

use burgeon_nn::growable::{cast, is_finite};
use burn::backend::capture::{CaptureBackend, CapturedGraph, TensorId};
use burn::backend::ir::OperationIr;
use burn::module::{ModuleVisitor, Param};
use burn::tensor::{DType, Device, Int, Tensor};

use zoo::*;

/// What models read and answer.
trait Value: Clone {
    fn on(self, device: &Device) -> Self;
    fn captured_ids(&self) -> Vec<TensorId>;
}

impl<const D: usize> Value for Tensor<D> {
    fn on(self, device: &Device) -> Self {
        self.to_device(device)
    }
    fn captured_ids(&self) -> Vec<TensorId> {
        let tensor = self.clone().try_into_primitive::<CaptureBackend>();
        vec![tensor.expect("on the capture device").id()]
    }
}

impl<const D: usize> Value for Tensor<D, Int> {
    fn on(self, device: &Device) -> Self {
        self.to_device(device)
    }
    fn captured_ids(&self) -> Vec<TensorId> {
        let tensor = self.clone().try_into_primitive::<CaptureBackend>();
        vec![tensor.expect("on the capture device").id()]
    }
}

impl<A: Value, B: Value> Value for (A, B) {
    fn on(self, device: &Device) -> Self {
        (self.0.on(device), self.1.on(device))
    }
    fn captured_ids(&self) -> Vec<TensorId> {
        [self.0.captured_ids(), self.1.captured_ids()].concat()
    }
}

/// A float answer, which all models give.
trait Answer: Value {
    fn shape(&self) -> Vec<usize>;
    fn values(self) -> Vec<f64>;
}

impl<const D: usize> Answer for Tensor<D> {
    fn shape(&self) -> Vec<usize> {
        self.dims().to_vec()
    }
    fn values(self) -> Vec<f64> {
        self.into_data().iter::<f64>().collect()
    }
}

/// Answers to `batch` samples, checked for shape and finiteness.
fn answers<M: Example>(model: &M, batch: usize, dtype: DType) -> Vec<f64>
where
    M::Output: Answer,
{
    let output = model.predict(M::input(batch, &Device::flex(), dtype, 11));
    assert_eq!(
        output.shape(),
        [&[batch], M::ANSWER].concat(),
        "{}",
        M::NAME
    );
    let values = output.values();
    assert!(values.iter().all(|x| x.is_finite()), "{}", M::NAME);
    values
}

fn assert_close(name: &str, left: &[f64], right: &[f64], bound: f64) {
    assert_eq!(left.len(), right.len(), "{name}");
    for (a, b) in left.iter().zip(right) {
        assert!(
            (a - b).abs() <= bound * (1.0 + a.abs()),
            "{name}: {a} and {b}"
        );
    }
}

fn check_forward<M: Example>()
where
    M::Output: Answer,
{
    let model: M = made(&Device::flex(), 3);
    assert!(is_finite(&model), "{}", M::NAME);
    model.visit(&mut Distinct(M::NAME));
    let single = [1, 2, 5].map(|batch| answers(&model, batch, DType::F32));
    let spread = single[2].iter().fold(0f64, |most, x| most.max(x.abs()));
    assert!((1e-3..1e3).contains(&spread), "{}: {spread}", M::NAME);
    // The answer depends on the sample.
    let (first, second) = single[1].split_at(single[0].len());
    let moves = |(a, b): (&f64, &f64)| (a - b).abs() > 1e-2 * spread;
    assert!(first.iter().zip(second).any(moves), "{}", M::NAME);
    // And on no other sample.
    for fewer in &single[..2] {
        assert_close(M::NAME, fewer, &single[2][..fewer.len()], 1e-4);
    }
    let double = cast(&model, DType::F64);
    for (batch, single) in [1, 2, 5].into_iter().zip(&single) {
        assert_close(M::NAME, single, &answers(&double, batch, DType::F64), 1e-3);
    }
    // Weights follow from the seed, whatever Burn drew.
    let again: M = made(&Device::flex(), 3);
    assert_eq!(single[0], answers(&again, 1, DType::F32), "{}", M::NAME);
    // A model to train answers alike in inference.
    let trained: M = made(&Device::flex().autodiff(), 3);
    let inference = answers(&trained.valid(), 1, DType::F32);
    assert_eq!(single[0], inference, "{}", M::NAME);
}

/// Checks that no parameter or statistic is zero anywhere, or as Burn initialises it: equal
/// everywhere.
struct Distinct(&'static str);

impl ModuleVisitor for Distinct {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut values = param.val().values();
        let count = values.len();
        values.sort_by(f64::total_cmp);
        values.dedup();
        assert_eq!(values.len(), count, "{}: repeated values", self.0);
        assert!(!values.contains(&0.0), "{}: a zero", self.0);
    }
}

/// A model's forward at one batch size on the capture device, and its parameters there.
fn capture<M: Example>(model: &M, batch: usize) -> (CapturedGraph, Vec<(String, TensorId)>)
where
    M::Input: Value,
    M::Output: Answer,
{
    let device = Device::capture();
    let mut leaves = Leaves::default();
    let graph = device
        .capture_scope(|scope| {
            // `valid` gives running statistics of its own, which `to_device` would move.
            let model = model.valid().to_device(&device);
            model.visit(&mut leaves);
            let input = M::input(batch, &Device::flex(), DType::F32, 11).on(&device);
            let inputs = input.captured_ids();
            let output = model.predict(input);
            assert_eq!(
                output.shape(),
                [&[batch], M::ANSWER].concat(),
                "{}",
                M::NAME
            );
            scope.complete(inputs, output.captured_ids())
        })
        .unwrap_or_else(|error| panic!("{}: {error:?}", M::NAME));
    (graph, leaves.found)
}

#[derive(Default)]
struct Leaves {
    path: Vec<String>,
    found: Vec<(String, TensorId)>,
}

impl ModuleVisitor for Leaves {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let [id] = param.val().captured_ids()[..] else {
            unreachable!("a tensor has one id");
        };
        self.found.push((self.path.join("."), id));
    }
}

/// What an operation does, such as `NumericFloat.Add`, and how many tensors it reads.
fn kind(operation: &OperationIr) -> (String, usize) {
    let text = format!("{operation:?}");
    let words: Vec<_> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && *word != "F32")
        .take(2)
        .collect();
    (words.join("."), operation.inputs().count())
}

/// Kinds of what is computed, in order; that all parameters are read, and that nothing is random.
fn operations(name: &str, graph: &CapturedGraph, leaves: &[(String, TensorId)]) -> Vec<Kind> {
    let operations: Vec<_> = graph
        .graph
        .operations
        .iter()
        .filter(|op| !matches!(op, OperationIr::Init(_) | OperationIr::Drop(_)))
        .collect();
    let read: HashSet<_> = operations
        .iter()
        .flat_map(|op| op.inputs().map(|tensor| tensor.id))
        .collect();
    for (path, id) in leaves {
        assert!(read.contains(id), "{name}: {path} is not read");
    }
    let kinds: Vec<_> = operations.into_iter().map(kind).collect();
    assert!(
        kinds.iter().all(|(kind, _)| !kind.contains("Random")),
        "{name}"
    );
    kinds
}

type Kind = (String, usize);

fn check_capture<M: Example>()
where
    M::Input: Value,
    M::Output: Answer,
{
    let model: M = made(&Device::flex().autodiff(), 3);
    let read = |batch| {
        let (graph, leaves) = capture(&model, batch);
        operations(M::NAME, &graph, &leaves)
    };
    // Linear layers of rank three fold their batch, or do not, by its size; all models have
    // the same operations at these two.
    assert_eq!(read(16), read(17), "{}", M::NAME);
    for batch in [1, 2, 5] {
        assert!(!read(batch).is_empty(), "{}", M::NAME);
    }
    // Captures leave the model as it was.
    let input = M::input(1, &Device::flex(), DType::F32, 11);
    let after = model.valid().predict(input).values();
    let fresh: M = made(&Device::flex(), 3);
    assert_eq!(after, answers(&fresh, 1, DType::F32), "{}", M::NAME);
}

macro_rules! tests {
    ($($function:ident: $model:ident,)+) => {
        mod forward {
            $(
                #[test]
                fn $function() {
                    super::check_forward::<super::$model>();
                }
            )+
        }
        mod capture {
            $(
                #[test]
                fn $function() {
                    super::check_capture::<super::$model>();
                }
            )+
        }
    };
}
every_example!(tests);
