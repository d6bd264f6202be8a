//! Writing to the standard streams without a panic.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};

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

/// Writes `text` and a line break to the standard output. On a terminal control characters are
/// shown, not sent: some text comes out of files.
///
/// # Errors
/// [`OutputError`] if it is full or closed.
pub fn line(text: impl Display) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    match out.is_terminal() {
        true => writeln!(out, "{}", harmless(&text.to_string()))?,
        false => writeln!(out, "{text}")?,
    }
    Ok(out.flush()?)
}

/// Writes `text` and a line break to the standard error, where that can be written. Control
/// characters are shown, not sent.
pub fn note(text: impl Display) {
    // There is no third place to say that nobody listens.
    let _ = writeln!(io::stderr().lock(), "{}", harmless(&text.to_string()));
}

/// `text` in which control characters are written as Rust escapes them, but for line breaks and
/// tabs: `\u{1b}` cannot move the cursor, nor give orders to the terminal.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            character if character.is_control() => shown.extend(character.escape_default()),
            character => shown.push(character),
        }
    }
    shown
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_lines_stay_lines() {
        assert_eq!(harmless("a\tλ\nb"), "a\tλ\nb");
        assert_eq!(harmless("\u{1b}]0;x\u{7}\r"), r"\u{1b}]0;x\u{7}\r");
        assert_eq!(harmless("\u{9b}2J"), r"\u{9b}2J");
    }
}
