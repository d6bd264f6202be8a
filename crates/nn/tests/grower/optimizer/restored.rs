//! Reading an optimizer's state from bytes that may have been altered.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::NnError;
use burgeon_nn::surgery::{apply_plan, carry_optimizer, read_optimizer};
use burn::optim::ModuleOptimizer;
use burn::tensor::{Bytes, DType, Shape};
use burn_pack::{Reader, Scalar, Tensor, Writer};

use super::kept::CASES;
use super::network::{Plain, kept, plan, step};
use crate::network::{adam, digits, graph, refused};

/// A tensor of a record: name, type, shape, parameter and bytes.
type Part = (String, DType, Shape, Option<u64>, Bytes);

/// What is done to the tensors.
type Alter = fn(&mut Vec<Part>);

/// `bytes` with their tensors and scalars altered.
fn altered(
    bytes: &[u8],
    tensors: impl FnOnce(&mut Vec<Part>),
    scalars: impl Fn(&str, Scalar) -> Option<Scalar>,
) -> Vec<u8> {
    let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes.to_vec())).expect("readable");
    let (old, paths) = (reader.scalars().clone(), reader.metadata().clone());
    let parts = reader.into_tensors().expect("readable").into_iter();
    let mut parts: Vec<Part> = parts.map(|t| t.into_parts().expect("in memory")).collect();
    tensors(&mut parts);
    let parts = parts.into_iter();
    let parts =
        parts.map(|(name, dtype, shape, id, bytes)| Tensor::new(name, dtype, shape, id, bytes));
    let mut writer = Writer::new(parts.collect());
    for (name, value) in old {
        if let Some(value) = scalars(&name, value) {
            writer = writer.with_scalar(&name, value);
        }
    }
    for (name, path) in paths {
        writer = writer.with_metadata(&name, &path);
    }
    writer.into_bytes().expect("serialisable").to_vec()
}

fn same(_: &str, scalar: Scalar) -> Option<Scalar> {
    Some(scalar)
}

/// A model, an optimizer that made a step of it, and its state.
fn stepped(mut optimizer: ModuleOptimizer) -> (Plain, ModuleOptimizer, Vec<u8>) {
    let model = Plain::new(&FLEX.device().autodiff());
    let model = step(model, &mut optimizer, &digits(16), 0.01);
    let bytes = optimizer.into_bytes().expect("serialisable").to_vec();
    (model, optimizer, bytes)
}

fn reads(model: &Plain, bytes: &[u8]) -> Result<(), NnError> {
    read_optimizer(adam(), model, bytes).map(|_| ())
}

#[test]
fn a_state_comes_back_as_it_was() {
    for case in CASES {
        let (model, optimizer, _) = stepped((case.make)());
        // Of a grown network, in an optimizer that has seen another one.
        let graph = graph(&model);
        let (grown, edits) = apply_plan(&model, &graph, &plan(&graph), 0.0).expect("fits");
        let carried = carry_optimizer(optimizer.clone(), &edits).expect("known");
        let bytes = carried.into_bytes().expect("serialisable");
        let read = read_optimizer(optimizer, &grown, &bytes).expect("its own state");
        assert_eq!(kept(&read), kept(&carried), "{}", case.name);
    }
}

#[test]
fn altered_tensors_are_refused() {
    let (model, _, bytes) = stepped(adam());
    reads(&model, &bytes).expect("sound");
    reads(&model, &altered(&bytes, |_| (), same)).expect("written again as it was");
    let cases: [(Alter, &str); 9] = [
        (
            |parts| parts[0].3 = None,
            "does not say whose parameter's it is",
        ),
        (
            |parts| parts[0].3 = Some(1),
            "does not say whose parameter's it is",
        ),
        (|parts| parts[0].1 = DType::I32, "is of type I32"),
        (|parts| drop(parts.remove(0)), "another optimizer"),
        (|parts| parts[0].0.push_str("_2"), "another optimizer"),
        (|parts| parts.iter_mut().for_each(flatten), "of shape"),
        (|parts| parts.iter_mut().for_each(turn), "of shape"),
        (|parts| parts.clear(), "another optimizer"),
        (
            |parts| {
                let mut more = parts[0].clone();
                more.0.push_str("_2");
                parts.push(more);
            },
            "another optimizer",
        ),
    ];
    for (number, (alter, expected)) in cases.into_iter().enumerate() {
        let altered = altered(&bytes, alter, same);
        refused(reads(&model, &altered), expected);
        assert_ne!(altered, bytes, "case {number}");
    }
}

fn flatten(part: &mut Part) {
    part.2 = Shape::from(vec![part.2.num_elements()]);
}

fn turn(part: &mut Part) {
    let turned: Vec<usize> = part.2.to_vec().into_iter().rev().collect();
    part.2 = Shape::from(turned);
}

/// Each scalar of this name replaced by `value`.
fn scalar(ending: &str, value: Option<Scalar>) -> impl Fn(&str, Scalar) -> Option<Scalar> {
    move |name, old| match name.ends_with(ending) {
        true => value,
        false => Some(old),
    }
}

#[test]
fn altered_scalars_are_refused() {
    let (model, _, bytes) = stepped(adam());
    let with = |ending, value| altered(&bytes, |_| (), scalar(ending, value));
    let other = with("__rank", Some(3_u64.into()));
    refused(reads(&model, &other), "has rank");
    let none = with("time", None);
    refused(reads(&model, &none), "another optimizer");
    // Burn panics at a rank that a parameter which the model does not have cannot have.
    let (stranger, _, _) = stepped(adam());
    let absurd = with("__rank", Some(99_u64.into()));
    refused(reads(&stranger, &absurd), "Unsupported tensor rank");
}

#[test]
fn the_state_of_another_optimizer_is_refused() {
    for case in CASES.iter().filter(|case| !case.states.is_empty()) {
        if matches!(case.name, "Adam" | "AdamW" | "AMSGrad") {
            continue;
        }
        let (model, _, bytes) = stepped((case.make)());
        refused(reads(&model, &bytes), "another optimizer");
    }
}

#[test]
fn damaged_bytes_are_refused() {
    let (model, _, bytes) = stepped(adam());
    for length in (0..bytes.len()).step_by(61) {
        refused(reads(&model, &bytes[..length]), "cannot be read");
    }
    // The header and the list of tensors: any answer but a panic.
    for place in 0..bytes.len().min(2000) {
        let mut flipped = bytes.clone();
        flipped[place] ^= 0x55;
        let _ = reads(&model, &flipped);
    }
}
