//! Searches whose children are trained, kept after every training, and their settings.

use std::sync::atomic::Ordering;

use burgeon_coexplore::{CoexploreError, ControllerConfig, Judge, Policy, Problem, Search};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ExperimentError;
use crate::kept::{read_state, write_state};
use crate::study::UnitContext;

/// Slow steps at most: a policy that has settled may propose what it knows for ever.
pub(super) const STEPS: usize = 2000;

/// Fast steps in a slow one, which end when a child meets the specification.
pub(super) const FAST: usize = 10;

/// The weight of accuracy in rewards, the better one of `co-exploration`.
pub(super) const BETA: f64 = 0.9;

/// That of `co-exploration`, but for a higher rate, because a search has some dozens of steps here
/// and not some thousands.
pub(super) const CONTROLLER: ControllerConfig = ControllerConfig {
    hidden: 35,
    learning_rate: 0.03,
    baseline: 0.95,
    entropy: 0.02,
};

/// Population and sample of evolution.
pub(super) const EVOLUTION: (usize, usize) = (8, 3);

/// What results depend on of these, by name.
pub(super) fn constants() -> Value {
    serde_json::json!({
        "steps": STEPS,
        "fast steps": FAST,
        "beta": BETA,
        "controller": CONTROLLER,
        "evolution": EVOLUTION,
    })
}

/// What a reader must know of them.
pub(super) fn described() -> String {
    format!(
        "Two levels: up to {FAST} fast steps, until feasible; controller of {} units, Adam {}, \
         entropy {}. Evolution: population {}, sample {}. None of it was tuned here.",
        CONTROLLER.hidden, CONTROLLER.learning_rate, CONTROLLER.entropy, EVOLUTION.0, EVOLUTION.1
    )
}

/// What training a child came to: its validation accuracy, and all that is kept of it.
pub(super) trait Trained: Serialize + DeserializeOwned {
    /// Accuracy on held samples, from 0 to 1.
    fn held_accuracy(&self) -> f64;
}

/// Trains an architecture, given what was trained before it.
type Train<'a, T> = dyn FnMut(&[usize], &[T]) -> Result<T, ExperimentError> + 'a;

/// A judge that trains every child it is asked of.
struct Trainings<'a, T> {
    train: &'a mut Train<'a, T>,
    trained: Vec<T>,
    /// What a search cannot tell in its own words.
    error: Option<ExperimentError>,
}

impl<T: Trained> Judge for Trainings<'_, T> {
    fn accuracy(&mut self, architecture: &[usize]) -> Result<f64, CoexploreError> {
        match (self.train)(architecture, &self.trained) {
            Ok(trained) => {
                let accuracy = trained.held_accuracy();
                self.trained.push(trained);
                Ok(accuracy)
            }
            Err(error) => {
                let problem = error.to_string();
                self.error = Some(error);
                Err(CoexploreError::Judge {
                    child: architecture.to_vec(),
                    problem,
                })
            }
        }
    }
}

/// Takes the steps of `search`, or goes on with the one in the unit's checkpoint, while `goes_on`
/// says so of what was trained, which is given back with it, in its order. `train` is given an
/// architecture and what was trained before it.
///
/// # Errors
/// Those of training, of the problem and of the checkpoint's file; [`ExperimentError::Interrupted`]
/// between two steps.
pub(super) fn searched<P, T>(
    context: &UnitContext,
    recipe: &Value,
    search: Search<P>,
    problem: &dyn Problem,
    train: &mut Train<'_, T>,
    goes_on: impl Fn(&[T]) -> bool,
) -> Result<(Search<P>, Vec<T>), ExperimentError>
where
    P: Policy + Serialize + DeserializeOwned,
    T: Trained,
{
    let path = &context.checkpoint;
    let (mut search, trained) = read_state(path, recipe)?.unwrap_or((search, Vec::new()));
    let mut judge = Trainings {
        train,
        trained,
        error: None,
    };
    while goes_on(&judge.trained) {
        if context.interrupt.load(Ordering::Relaxed) {
            return Err(ExperimentError::Interrupted);
        }
        let before = judge.trained.len();
        match search.step(problem, &mut judge) {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => return Err(judge.error.take().unwrap_or(error.into())),
        }
        if judge.trained.len() > before {
            write_state(path, recipe, &(&search, &judge.trained))?;
        }
    }
    Ok((search, judge.trained))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;

    use burgeon_coexplore::chain::ChainSpace;
    use burgeon_coexplore::{Evolution, Reward, SearchConfig};
    use burgeon_hardware::Board;
    use serde_json::json;

    use super::*;
    use crate::study::{Scale, StudySettings};

    impl Trained for f64 {
        fn held_accuracy(&self) -> f64 {
            *self
        }
    }

    type Ended = (Search<Evolution>, Vec<f64>);

    /// Twelve trainings of chains, of which those after the first `until` are interrupted.
    fn search(
        context: &UnitContext,
        recipe: &Value,
        until: usize,
    ) -> Result<Ended, ExperimentError> {
        let boards =
            vec![Board::named("zc706").map_err(burgeon_coexplore::CoexploreError::from)?; 2];
        let space = ChainSpace::new(boards, 1e9, 2, 1e-3)?;
        let config = SearchConfig::new(Reward::co_exploration(0.9)?, 12, 500)?;
        let search = Search::new(Evolution::new(&space, 4, 2)?, config, 3);
        let mut train = |architecture: &[usize], before: &[f64]| {
            if before.len() + 1 >= until {
                context.interrupt.store(true, Ordering::Relaxed);
            }
            // Any function of the architecture and of its place.
            let sum: usize = architecture.iter().sum();
            Ok((sum % 97) as f64 / 100.0 + before.len() as f64 / 3000.0)
        };
        searched(context, recipe, search, &space, &mut train, |_| true)
    }

    #[test]
    fn searches_go_on_from_their_last_training() -> Result<(), ExperimentError> {
        let folder = tempfile::tempdir().expect("a folder");
        let context = |name: &str| -> Result<UnitContext, ExperimentError> {
            Ok(UnitContext {
                settings: StudySettings::at(Scale::Quick),
                backend: burgeon::backend::open("flex")?,
                checkpoint: folder.path().join(name),
                interrupt: Arc::new(AtomicBool::new(false)),
                progress: mpsc::channel().0,
                unit: "a-0".into(),
            })
        };
        let recipe = json!({ "epochs": 3 });
        let whole = search(&context("whole")?, &recipe, usize::MAX)?;
        assert_eq!(whole.1.len(), 12);
        for until in [1, 5, 11] {
            let stopped = search(&context("parts")?, &recipe, until);
            assert!(matches!(stopped, Err(ExperimentError::Interrupted)));
            let parts = context("parts")?;
            let other = search(&parts, &json!({ "epochs": 4 }), usize::MAX);
            assert!(matches!(other, Err(ExperimentError::OtherRecipe { .. })));
            assert_eq!(search(&parts, &recipe, usize::MAX)?, whole);
            std::fs::remove_file(&parts.checkpoint).expect("the checkpoint");
        }
        Ok(())
    }
}
