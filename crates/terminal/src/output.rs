//! Writing to the standard streams without a panic.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// The standard output took no more.
#[derive(Debug, thiserror::Error)]
#[error("the output cannot be written: {0}")]
pub struct OutputError(#[from] io::Error);

impl OutputError {
    /// Whether whoever read the output has gone, as `head` does: no fault to speak of.
    pub fn is_closed(&self) -> bool {
        self.0.kind() == ErrorKind::BrokenPipe
    }
}

/// Writes `text` and a line break to the standard output.
///
/// # Errors
/// [`OutputError`] if it is full or closed.
pub fn line(text: impl Display) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Writes `text` and a line break to the standard error, where that can be written.
pub fn note(text: impl Display) {
    // There is no third place to say that nobody listens.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says what ended a command, unless it was that nobody reads on.
///
/// `output` is the failure to write that is behind `error`, if one is. The answer is whether the
/// command ends as failed.
pub fn warn_of(error: &dyn Display, output: Option<&OutputError>) -> bool {
    let failed = !output.is_some_and(OutputError::is_closed);
    if failed {
        note(format_args!("error: {error}"));
    }
    failed
}
