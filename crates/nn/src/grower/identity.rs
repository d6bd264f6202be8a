//! What identifies a grower's run.

use serde_json::Value;

use super::Grower;
use crate::checkpoint::{Identity, optimizer_fingerprint, samples_hash};
use crate::error::NnError;
use crate::growable::Growable;

/// Settings that are limits, or stand in the identity by themselves.
const LEFT_OUT: [&str; 5] = [
    "limits",
    "cost_budget",
    "criterion",
    "selector",
    "cost_model",
];

impl<M: Growable> Grower<M> {
    /// Of the run as it begins. The model's widths and weights are no part of it, so that a run
    /// resumes from whatever start model of the kind.
    pub(super) fn identity(&self) -> Result<Identity, NnError> {
        let failed = |error| NnError::Settings(format!("cannot be written down: {error}"));
        let config = &self.config;
        let values = serde_json::to_value(&config.values).map_err(failed)?;
        let mut settings: Vec<(String, Value)> = match values {
            Value::Object(fields) => fields.into_iter().collect(),
            other => vec![("settings".to_owned(), other)],
        };
        settings.retain(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
        settings.sort_by(|a, b| a.0.cmp(&b.0));
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
        for (name, value) in settings {
            identity = identity.with(name.replace('_', " "), value.to_string());
        }
        Ok(identity
            .with("optimizer", optimizer)
            .with("graph", self.trace.describe()?)
            .with("penalty", self.model.penalty().is_some().to_string())
            .with("training samples", samples_hash(&self.task.train))
            .with("held samples", samples_hash(&self.task.held)))
    }
}
