//! The errors of growing a network.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Once;

use burgeon_core::CoreError;

/// What can go wrong between a model and its growth.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NnError {
    /// The splitting mathematics refused its input.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The model is not what can be grown.
    #[error("model: {0}")]
    Model(String),
    /// A forward pass that cannot be traced.
    #[error("the model cannot be traced: {0}")]
    Trace(String),
    /// An operation of the model that cannot be run again.
    #[error("`{operation}` {}: {problem}", place(layer))]
    Operation {
        /// Its name.
        operation: String,
        /// The layer that it belongs to, or follows.
        layer: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// What the graph says of a site.
    #[error(transparent)]
    Graph(#[from] burgeon_graph::GraphError),
    /// A data set cannot be trained on.
    #[error("data: {0}")]
    Data(String),
    /// The grower's settings contradict each other or the model.
    #[error("settings: {0}")]
    Settings(String),
    /// A plan does not fit the model.
    #[error("plan: {0}")]
    Plan(String),
    /// The loss became NaN or infinite.
    #[error("the loss is {loss} in epoch {epoch}: lower the learning rate, or check the data")]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The loss found.
        loss: f64,
    },
    /// What the optimizer keeps cannot be carried through surgery, or not be read.
    #[error("optimizer: {0}")]
    OptimizerState(String),
    /// Ranks that work together are no longer one.
    #[error("ranks: {0}")]
    Ranks(String),
    /// A file is not what it should be.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

fn place(layer: &str) -> String {
    match layer {
        "" => "before the first layer".to_owned(),
        layer => format!("at `{layer}`"),
    }
}

impl NnError {
    /// What turns an error of the file system at `path` into one of these.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// The error of a file that is not what it should be.
    pub fn file(path: impl Into<PathBuf>, problem: impl ToString) -> Self {
        Self::File {
            path: path.into(),
            problem: problem.to_string(),
        }
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, in which Burn may refuse by a panic, without its being printed.
///
/// # Errors
/// What the panic said, in one line.
pub fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let printed = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                printed(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    // What `work` holds is not used again if it fails.
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(before);
    result.map_err(|payload| said(payload.as_ref()))
}

/// What a panic said. Burn's own message is a form of several lines, of which the operation and
/// the reasons matter.
fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    let Some(text) = text else {
        return "a shape does not fit".to_owned();
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = lines.filter_map(|line| {
        if line.starts_with("===") || line == "Reason:" {
            return None;
        }
        let line = line.strip_prefix("Operation: ").unwrap_or(line);
        let numbered = line.split_once(". ");
        let is_number = |(head, _): &(&str, &str)| head.bytes().all(|b| b.is_ascii_digit());
        Some(numbered.filter(is_number).map_or(line, |(_, rest)| rest))
    });
    told.collect::<Vec<_>>().join(": ")
}
