//! What was learned stays as it was, to the last bit.

use burgeon_continual::{Architecture, ContinualError, Learner, Predictor, learn_sequence};

use crate::common::{bits, config, convolutional, dense, learner, tasks, weights};

/// Outputs for each task, right after it was learned and after all others.
fn stays(architecture: Architecture) -> Result<(), ContinualError> {
    let tasks = tasks(4, 60)?;
    let mut learner = learner(architecture, config(1)?)?;
    let mut first = Vec::new();
    for (number, task) in tasks.iter().enumerate() {
        learner.learn(task)?;
        let output = bits(learner.predict(number, task.test().inputs())?);
        first.push((output, weights(learner.network().column(number)?)));
    }
    for (number, task) in tasks.iter().enumerate() {
        let output = bits(learner.predict(number, task.test().inputs())?);
        let now = (output, weights(learner.network().column(number)?));
        assert!(now == first[number], "task {number} changed");
        assert!(first[number].0.iter().any(|bits| *bits != 0));
    }
    // Else nothing above could have changed anything.
    let reused: usize = learner.records().map(|record| record.reused).sum();
    let grown: usize = learner.records().map(|record| record.growths).sum();
    let copied: usize = learner.records().map(|record| record.copies).sum();
    assert!(
        reused > 0 && grown > 0 && copied > 0,
        "{reused} {grown} {copied}"
    );
    let own: u64 = learner.network().parameters();
    assert!(own > 0 && learner.training_macs() > 0);
    Ok(())
}

#[test]
fn outputs_for_old_tasks_are_bit_identical_after_new_ones() -> Result<(), ContinualError> {
    stays(dense())
}

#[test]
fn maps_for_old_tasks_are_bit_identical_after_new_ones() -> Result<(), ContinualError> {
    stays(convolutional())
}

#[test]
fn nothing_is_forgotten() -> Result<(), ContinualError> {
    let tasks = tasks(3, 100)?;
    let mut learner = learner(dense(), config(2)?)?;
    let matrix = learn_sequence(&mut learner, &tasks, &mut |_, _| {})?;
    assert_eq!(matrix.forgetting(), Some(0.0));
    assert!(matrix.average_accuracy() > Some(0.9), "{matrix:?}");
    Ok(())
}

#[test]
fn no_old_neuron_is_read_where_nothing_is_to_be_reused() -> Result<(), ContinualError> {
    let tasks = tasks(2, 40)?;
    let mut learner = learner(dense(), config(1)?.without_reuse())?;
    learn_sequence(&mut learner, &tasks, &mut |_, _| {})?;
    for (task, record) in learner.records().enumerate() {
        assert_eq!((record.reused, record.copies), (0, 0));
        assert!(learner.network().mask(task)?.is_empty());
        let own = learner.network().column(task)?.widths();
        let alone = dense().parameters(&own, 2);
        assert_eq!(
            burgeon_nn::growable::parameter_count(learner.network().column(task)?),
            alone
        );
    }
    Ok(())
}
