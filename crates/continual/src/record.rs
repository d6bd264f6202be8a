//! How tasks were learned.

use serde::{Deserialize, Serialize};

/// How one task was learned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// The task's name.
    pub task: String,
    /// Own neurons of each hidden layer.
    pub widths: Vec<usize>,
    /// Old neurons that there were.
    pub old: usize,
    /// Old neurons that it reuses.
    pub reused: usize,
    /// Growths that were kept.
    pub growths: usize,
    /// Neurons of kept growths that were split off.
    pub splits: usize,
    /// Neurons of kept growths that were new.
    pub new_neurons: usize,
    /// Neurons of kept growths that are copies of old ones.
    pub copies: usize,
    /// Why growing ended.
    pub ended: String,
    /// Multiply-accumulates of all that learning it took.
    pub macs: u64,
}

/// A task that was learned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LearnedTask {
    /// The hash of its training samples.
    pub samples: String,
    pub record: TaskRecord,
}
