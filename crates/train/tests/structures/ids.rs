//! Token ids that an embedding does not have.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::growable::evaluate;
use burgeon_nn::{CrossEntropy, Samples, SpectrumConfig, capture_spectra, trace};
use burgeon_train::{Grower, Task};
use burn::tensor::{Int, Tensor, TensorData};

use crate::run::{adam, config, student};
use crate::zoo::{TextEncoder, tokens};

/// 24 texts of which the one in `row` has a word that is not among the 12.
fn texts(row: usize) -> Samples<Tensor<2, Int>> {
    let device = FLEX.device();
    let mut ids: Vec<i64> = tokens(24, 5, 12, &device, 1).into_data().iter().collect();
    ids[5 * row] = 999;
    let ids = Tensor::from_data(TensorData::new(ids, [24, 5]), &device);
    let labels: Vec<usize> = (0..24).map(|row| row % 3).collect();
    Samples::classification(ids, &labels, 3, &device).expect("sound in itself")
}

#[test]
fn an_unknown_word_is_an_error_wherever_it_is() {
    let model = student::<TextEncoder>();
    for row in [0, 20] {
        let samples = texts(row);
        let refused = evaluate(&model, &CrossEntropy, &samples, 8).expect_err("no such word");
        assert!(
            refused.to_string().contains("cannot read a batch"),
            "{refused}"
        );
        let spectra = SpectrumConfig::default();
        let found = capture_spectra(&model, &CrossEntropy, &samples, 8, &spectra, &FLEX);
        let said = found.expect_err("no such word").to_string();
        assert!(said.contains("at `embedding`"), "{said}");
    }
    trace(&model, &texts(0)).expect_err("no such word");
    let task = |row| Task::new(CrossEntropy, texts(row), texts(row));
    Grower::new(config(), FLEX, task(0), student::<TextEncoder>(), adam())
        .expect_err("no such word");
    // Later ones are found when they are read.
    let grower = Grower::new(config(), FLEX, task(20), student::<TextEncoder>(), adam());
    let refused = grower.expect("its first rows are sound").run();
    let said = refused.expect_err("no such word").to_string();
    assert!(said.contains("cannot read a batch"), "{said}");
}
