//! Stratified splits keep each class's share, whatever the classes are.

use std::collections::BTreeMap;

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::{NnError, Samples};
use burn::tensor::{Tensor, TensorData};
use proptest::prelude::*;

/// Samples whose inputs are their numbers.
fn samples(labels: &[usize]) -> Samples<Tensor<2>> {
    let device = FLEX.device();
    let numbers: Vec<f32> = (0..labels.len()).map(|row| row as f32).collect();
    let numbers = Tensor::from_data(TensorData::new(numbers, [labels.len(), 1]), &device);
    Samples::classification(numbers, labels, 6, &device).expect("sound")
}

/// The numbers of samples.
fn rows(samples: &Samples<Tensor<2>>) -> Vec<usize> {
    let values = samples.inputs().clone().into_data();
    values.iter::<f32>().map(|value| value as usize).collect()
}

fn counts(rows: &[usize], labels: &[usize]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(labels[*row]).or_default() += 1;
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_class_gives_its_share(
        labels in prop::collection::vec(0_usize..6, 1..80),
        share in 0.001_f64..0.999,
        seed in any::<u64>(),
    ) {
        let samples = samples(&labels);
        let Ok((rest, taken)) = samples.split_stratified(share, seed) else {
            // Only where no class has a sample for each part.
            let of_all = counts(&(0..labels.len()).collect::<Vec<_>>(), &labels);
            prop_assert!(of_all.values().all(|count| *count == 1));
            return Ok(());
        };
        let (rest, taken) = (rows(&rest), rows(&taken));
        let mut all = [rest.clone(), taken.clone()].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>(), "not a partition");
        let of_all = counts(&(0..labels.len()).collect::<Vec<_>>(), &labels);
        let (of_rest, of_taken) = (counts(&rest, &labels), counts(&taken, &labels));
        let mut bounds = (0, 0);
        for (class, count) in of_all {
            let given = of_taken.get(&class).copied().unwrap_or(0);
            let quota = count as f64 * share;
            prop_assert!((given as f64 - quota).abs() < 1.0, "{given} of {count}");
            if count >= 2 {
                prop_assert!(given > 0 && of_rest.contains_key(&class), "{given} of {count}");
            }
            let (least, most) = match count {
                1 => (0, 1),
                _ => (1, count - 1),
            };
            bounds.0 += (quota.floor() as usize).clamp(least, most);
            bounds.1 += (quota.ceil() as usize).clamp(least, most);
        }
        let total = (labels.len() as f64 * share).round() as usize;
        prop_assert_eq!(taken.len(), total.clamp(bounds.0, bounds.1));
        let again = samples.split_stratified(share, seed).expect("as before");
        prop_assert_eq!((rows(&again.0), rows(&again.1)), (rest, taken));
    }
}

#[test]
fn a_seed_draws_which_samples_are_taken() {
    let samples = samples(&[0, 1, 2, 3].repeat(20));
    let taken = |seed| rows(&samples.split_stratified(0.25, seed).expect("both parts").1);
    assert_ne!(taken(1), taken(2));
    let mut sorted = taken(1);
    sorted.sort_unstable();
    assert_ne!(taken(1), sorted, "classes or rows in order");
}

#[test]
fn what_has_no_class_or_leaves_a_part_empty_is_refused() {
    let device = FLEX.device();
    let inputs = Tensor::<2>::zeros([4, 1], &device);
    let values = Samples::regression(inputs.clone(), inputs.clone()).expect("sound");
    let positions = Samples::positions(inputs, &[0; 8], &device).expect("sound");
    let classes = samples(&[0, 1, 2]);
    for (result, expected) in [
        (values.split_stratified(0.5, 1), "the targets are values"),
        (
            positions.split_stratified(0.5, 1),
            "a class for each position",
        ),
        (classes.split_stratified(0.1, 1), "leaves a part empty"),
        (classes.split_stratified(0.9, 1), "leaves a part empty"),
        (classes.split_stratified(0.0, 1), "between 0 and 1"),
        (classes.split_stratified(1.0, 1), "between 0 and 1"),
        (classes.split_stratified(f64::NAN, 1), "between 0 and 1"),
    ] {
        let error = result.expect_err("refused");
        let said = error.to_string();
        assert!(matches!(error, NnError::Data(_)), "{said}");
        assert!(said.contains(expected), "`{said}` is not `{expected}`");
    }
}
