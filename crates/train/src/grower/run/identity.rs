//! What identifies a grower's run.

use burgeon_nn::hash::samples_hash;
use burgeon_nn::{Growable, Input, NnError, Source};
use serde::Serialize;
use serde_json::Value;

use super::Run;
use crate::checkpoint::{Identity, optimizer_fingerprint};

/// Samples of a source that streams which stand for all of them.
const DRAWN: usize = 4096;

impl Run {
    /// Of the run as it begins: all settings but limits, the optimizer's, what the model computes,
    /// and the samples. The model's widths and weights are no part of it, so that a run resumes
    /// from whatever start model of the kind.
    pub(super) fn identity(&self) -> Result<Identity, NnError> {
        let config = &self.config;
        let optimizer = optimizer_fingerprint(&self.optimizer, &self.model);
        let optimizer = optimizer.map_err(|problem| {
            NnError::Settings(format!("the optimizer refuses a step: {problem}"))
        })?;
        let mut identity = Identity::new()
            .with("criterion", format!("{:?}", config.criterion))
            .with("selector", format!("{:?}", config.selector))
            .with("cost model", format!("{:?}", config.cost))
            .with("objective", format!("{:?}", self.task.objective))
            .with("backend", self.backend.name());
        let settings = [
            ("training", fields(&config.train)?),
            ("growth", fields(&config.growth)?),
            ("optimizer rules", fields(&config.optimizer_rules)?),
        ];
        for (part, fields) in settings {
            for (name, value) in fields {
                let name = format!("{part}: {}", name.replace('_', " "));
                identity = identity.with(name, value.to_string());
            }
        }
        if let Some(team) = &self.team {
            identity = identity.with("logical shards", team.shards().to_string());
        }
        let trigger = fields(&config.schedule)?.remove("trigger");
        let share = config.budget.step_share;
        Ok(identity
            .with("trigger", trigger.unwrap_or_default().to_string())
            .with("step share", format!("{share:?}"))
            .with("optimizer", optimizer)
            .with("graph", self.trace.describe()?)
            .with("penalty", self.model.penalty().is_some().to_string())
            .with(
                "number of training samples",
                self.task.train.len().to_string(),
            )
            .with("training samples", hash_of(self.task.train.as_ref())?)
            .with("held samples", samples_hash(&self.task.held)))
    }
}

/// The settings of a part by name.
fn fields(part: &impl Serialize) -> Result<serde_json::Map<String, Value>, NnError> {
    match serde_json::to_value(part) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => Ok([("settings".to_owned(), other)].into_iter().collect()),
        Err(error) => Err(NnError::Settings(format!(
            "cannot be written down: {error}"
        ))),
    }
}

/// Of all samples in memory, else of some.
fn hash_of<I: Input>(source: &dyn Source<I>) -> Result<String, NnError> {
    let count = match source.targets() {
        Some(_) => usize::MAX,
        None => DRAWN,
    };
    Ok(samples_hash(&source.sample(count, 0)?))
}
