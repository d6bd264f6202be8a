//! What a user may hand in is refused with the reason.

use std::sync::Arc;

use burgeon_backend_flex::FLEX;
use burgeon_continual::baseline::{Elastic, Joint, Separate, Sequential};
use burgeon_continual::{
    ContinualError, ContinualTask, GrownConfig, Learner, Predictor, Reuse, Training,
    learn_sequence, of_classes,
};
use burgeon_core::SplitBackend;
use burgeon_nn::Samples;
use burn::tensor::Tensor;

use crate::common::{config, dense, learner, tasks};

fn ones(count: usize, height: usize) -> Tensor<4> {
    Tensor::ones([count, 1, height, 8], &FLEX.device())
}

fn samples(labels: &[usize], height: usize) -> Samples<Tensor<4>> {
    let images = ones(labels.len(), height);
    Samples::classification(images, labels, 9, &FLEX.device()).expect("fit")
}

#[test]
fn tasks_that_teach_nothing_are_refused() {
    let two = || samples(&[0, 1], 8);
    let one_class = ContinualTask::new("ones", 1, two(), two(), two()).expect_err("one class");
    assert!(
        matches!(one_class, ContinualError::OneClass { classes: 1, .. }),
        "{one_class}"
    );
    let label = ContinualTask::new("far", 2, two(), samples(&[0, 4], 8), two()).expect_err("label");
    assert!(
        label.to_string().contains("held samples: label 4"),
        "{label}"
    );
    let shape =
        ContinualTask::new("tall", 2, two(), two(), samples(&[0, 1], 9)).expect_err("shape");
    assert!(
        matches!(
            shape,
            ContinualError::InputShape {
                found: [1, 9, 8],
                ..
            }
        ),
        "{shape}"
    );
    let images = ones(3, 8);
    let none = of_classes("none", "test", &images, &[0, 1, 2], &[5, 6], 9).expect_err("none");
    assert!(
        matches!(none, ContinualError::EmptyTask { part: "test", .. }),
        "{none}"
    );
    let alone = of_classes("alone", "test", &images, &[0, 1, 2], &[1], 9).expect_err("alone");
    assert!(matches!(alone, ContinualError::OneClass { .. }), "{alone}");
    let values =
        Samples::regression(ones(2, 8), Tensor::ones([2, 1], &FLEX.device())).expect("fit");
    let values = ContinualTask::new("values", 2, values, two(), two()).expect_err("values");
    assert!(
        values.to_string().contains("one class for each"),
        "{values}"
    );
}

#[test]
fn unknown_tasks_and_other_inputs_are_refused() -> Result<(), ContinualError> {
    let tasks = tasks(1, 20)?;
    let training = || Training::new(1, 0.01);
    let mut grown = learner(dense(), config(1)?)?;
    let mut tuned = Sequential::new(dense(), &[3, 3], training()?, &FLEX.device())?;
    let mut separate = Separate::new(dense(), &[3, 3], training()?, &FLEX.device())?;
    let all: [&mut dyn Learner; 3] = [&mut grown, &mut tuned, &mut separate];
    for learner in all {
        let empty = learner
            .predict(0, &ones(2, 8))
            .expect_err("nothing was learned");
        assert!(
            matches!(
                empty,
                ContinualError::UnknownTask {
                    task: 0,
                    learned: 0
                }
            ),
            "{empty}"
        );
        learn_sequence(learner, &tasks, &mut |_, _| {})?;
        let unknown = learner
            .predict(1, &ones(2, 8))
            .expect_err("one was learned");
        assert!(
            matches!(
                unknown,
                ContinualError::UnknownTask {
                    task: 1,
                    learned: 1
                }
            ),
            "{unknown}"
        );
        let tall = learner.predict(0, &ones(2, 9)).expect_err("another shape");
        assert!(
            matches!(
                tall,
                ContinualError::InputShape {
                    found: [1, 9, 8],
                    ..
                }
            ),
            "{tall}"
        );
        let other = ContinualTask::new(
            "tall",
            2,
            samples(&[0, 1], 9),
            samples(&[0, 1], 9),
            samples(&[0, 1], 9),
        )?;
        assert!(matches!(
            learner.learn(&other),
            Err(ContinualError::InputShape { .. })
        ));
        assert_eq!(learner.tasks(), 1);
        let none = learn_sequence(learner, &[], &mut |_, _| {}).expect_err("no task");
        assert!(matches!(none, ContinualError::NoTask), "{none}");
    }
    let again = learn_sequence(&mut tuned, &tasks, &mut |_, _| {}).expect_err("not fresh");
    assert!(
        again.to_string().contains("begin with a fresh one"),
        "{again}"
    );
    let joint = |tasks: &[ContinualTask], widths: &[usize]| {
        Joint::learn(
            dense(),
            widths,
            &training()?,
            tasks,
            &FLEX.device(),
            &Arc::default(),
        )
    };
    assert!(matches!(joint(&[], &[3, 3]), Err(ContinualError::NoTask)));
    assert!(matches!(
        joint(&tasks, &[3]),
        Err(ContinualError::Architecture(_))
    ));
    let joint = joint(&tasks, &[3, 3])?;
    assert!(matches!(
        joint.predict(1, &ones(2, 8)),
        Err(ContinualError::UnknownTask { .. })
    ));
    Ok(())
}

#[test]
fn settings_out_of_range_are_refused() -> Result<(), ContinualError> {
    assert!(Training::new(0, 0.01).is_err() && Training::new(1, f64::NAN).is_err());
    let good = || config(1);
    let wrong = [
        GrownConfig {
            phase_epochs: 0,
            ..good()?
        },
        GrownConfig {
            until: 1.5,
            ..good()?
        },
        GrownConfig {
            enough: f64::NAN,
            ..good()?
        },
        GrownConfig {
            least_gain: 1.0,
            ..good()?
        },
        GrownConfig {
            reuse: Reuse {
                epochs: 8,
                ..Reuse::default()
            },
            ..good()?
        },
        GrownConfig {
            reuse: Reuse {
                share: -0.1,
                ..Reuse::default()
            },
            ..good()?
        },
        GrownConfig {
            start: vec![3],
            ..good()?
        },
        GrownConfig {
            start: vec![3, 0],
            ..good()?
        },
    ];
    for config in wrong {
        let shown = format!("{config:?}");
        assert!(learner(dense(), config).is_err(), "{shown}");
    }
    for elastic in [
        Elastic {
            strength: -1.0,
            samples: 5,
        },
        Elastic {
            strength: f64::INFINITY,
            samples: 5,
        },
        Elastic {
            strength: 1.0,
            samples: 0,
        },
    ] {
        let tuned = Sequential::new(dense(), &[3, 3], Training::new(1, 0.01)?, &FLEX.device())?;
        assert!(tuned.with_elastic(elastic).is_err(), "{elastic:?}");
    }
    Ok(())
}

#[test]
fn a_task_that_is_interrupted_leaves_what_was_learned() -> Result<(), ContinualError> {
    let tasks = tasks(2, 20)?;
    let interrupt = Arc::<std::sync::atomic::AtomicBool>::default();
    let mut learner = learner(dense(), config(1)?)?.interrupt_by(interrupt.clone());
    learner.learn(&tasks[0])?;
    interrupt.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = learner.learn(&tasks[1]).expect_err("interrupted");
    assert!(matches!(error, ContinualError::Interrupted), "{error}");
    assert_eq!(learner.tasks(), 1);
    learner.predict(0, tasks[0].test().inputs())?;
    Ok(())
}
