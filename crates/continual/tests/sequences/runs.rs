//! A seed fixes everything, and a run that was killed goes on to the same result.

use burgeon_continual::{
    ContinualError, ContinualTask, GrownLearner, Learner, Predictor, learn_sequence,
};

use crate::common::{config, dense, learner, tasks, weights};

fn all_weights(learner: &GrownLearner) -> Result<Vec<(String, Vec<u32>)>, ContinualError> {
    let mut all = Vec::new();
    for task in 0..learner.network().tasks() {
        all.extend(weights(learner.network().column(task)?));
    }
    Ok(all)
}

fn run(seed: u64, tasks: &[ContinualTask]) -> Result<GrownLearner, ContinualError> {
    let mut learner = learner(dense(), config(seed)?)?;
    learn_sequence(&mut learner, tasks, &mut |_, _| {})?;
    Ok(learner)
}

#[test]
fn a_seed_fixes_a_run_to_the_bit() -> Result<(), ContinualError> {
    let tasks = tasks(3, 40)?;
    let (one, same, other) = (run(5, &tasks)?, run(5, &tasks)?, run(6, &tasks)?);
    assert_eq!(all_weights(&one)?, all_weights(&same)?);
    assert!(one.records().eq(same.records()));
    for task in 0..tasks.len() {
        assert_eq!(one.network().mask(task)?, same.network().mask(task)?);
    }
    assert_ne!(all_weights(&one)?, all_weights(&other)?);
    Ok(())
}

#[test]
fn a_run_that_stopped_between_tasks_goes_on_to_the_same_bits() -> Result<(), ContinualError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    let tasks = tasks(3, 40)?;
    let whole = run(5, &tasks)?;
    let begun = || learner(dense(), config(5)?)?.checkpoint_at(&path);
    let mut killed = begun()?;
    killed.learn(&tasks[0])?;
    killed.learn(&tasks[1])?;
    let before = all_weights(&killed)?;
    drop(killed);
    let mut resumed = begun()?;
    assert_eq!(all_weights(&resumed)?, before);
    let matrix = learn_sequence(&mut resumed, &tasks, &mut |_, _| {})?;
    assert_eq!(all_weights(&resumed)?, all_weights(&whole)?);
    assert!(resumed.records().eq(whole.records()));
    assert_eq!(resumed.parameters(), whole.parameters());
    let mut uninterrupted = learner(dense(), config(5)?)?;
    assert_eq!(
        matrix,
        learn_sequence(&mut uninterrupted, &tasks, &mut |_, _| {})?
    );
    Ok(())
}

#[test]
fn a_checkpoint_goes_on_only_as_what_it_was() -> Result<(), ContinualError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    let tasks = tasks(2, 20)?;
    learner(dense(), config(5)?)?
        .checkpoint_at(&path)?
        .learn(&tasks[0])?;
    let said = |result: Result<GrownLearner, ContinualError>| {
        result.map(drop).expect_err("refused").to_string()
    };
    let other = said(learner(dense(), config(6)?)?.checkpoint_at(&path));
    assert!(
        other.contains("another run") && other.contains("settings"),
        "{other}"
    );
    let mut same = learner(dense(), config(5)?)?.checkpoint_at(&path)?;
    let swapped = [tasks[1].clone(), tasks[0].clone()];
    let error = learn_sequence(&mut same, &swapped, &mut |_, _| {}).expect_err("another task");
    assert!(
        matches!(error, ContinualError::OtherTask { task: 0, .. }),
        "{error}"
    );
    std::fs::write(&path, b"something else").expect("writable");
    let damaged = said(learner(dense(), config(5)?)?.checkpoint_at(&path));
    assert!(damaged.contains("delete it"), "{damaged}");
    Ok(())
}
