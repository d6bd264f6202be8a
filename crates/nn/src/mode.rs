//! What the growable layers of a thread do besides their forward pass.
//!
//! The mode belongs to the thread that runs a forward pass, so an ordinary `forward` needs no
//! argument for it. A rayon thread that waits within one pass may be handed another: every
//! pass of this crate therefore sets the mode it needs and leaves the one it found.

use std::cell::RefCell;

use burn::tensor::DType;

use crate::recording::Passage;
use crate::rehearsal::Rehearsal;

/// See the module.
#[derive(Default)]
pub(crate) enum Mode {
    /// Nothing.
    #[default]
    Plain,
    /// They record what goes through them.
    Recording(Vec<Passage>),
    /// They answer as though a plan had been applied.
    Rehearsing(Box<Rehearsal>),
    /// They multiply in [`PRODUCT`].
    Mixed,
}

/// The type of products in mixed precision: it has the range of f32, so that gradients need no
/// scaling.
pub(crate) const PRODUCT: DType = DType::BF16;

thread_local! {
    static MODE: RefCell<Mode> = const { RefCell::new(Mode::Plain) };
}

/// Sets the thread's mode back when it goes out of scope, a panic included.
struct Restore(Mode);

impl Drop for Restore {
    fn drop(&mut self) {
        MODE.replace(std::mem::take(&mut self.0));
    }
}

/// Runs `forward` in `mode`; returns its result and the mode as the layers left it.
pub(crate) fn in_mode<T>(mode: Mode, forward: impl FnOnce() -> T) -> (T, Mode) {
    let _restore = Restore(MODE.replace(mode));
    let output = forward();
    (output, MODE.take())
}

/// Runs `forward` with layers that do nothing else.
pub(crate) fn plainly<T>(forward: impl FnOnce() -> T) -> T {
    in_mode(Mode::Plain, forward).0
}

pub(crate) fn is_mixed() -> bool {
    MODE.with_borrow(|mode| matches!(mode, Mode::Mixed))
}

pub(crate) fn is_recording() -> bool {
    MODE.with_borrow(|mode| matches!(mode, Mode::Recording(_)))
}

pub(crate) fn push(passage: Passage) {
    MODE.with_borrow_mut(|mode| {
        if let Mode::Recording(passages) = mode {
            passages.push(passage);
        }
    });
}

pub(crate) fn is_rehearsing() -> bool {
    MODE.with_borrow(|mode| matches!(mode, Mode::Rehearsing(_)))
}

/// Runs `work` on the thread's rehearsal, which nothing else sees meanwhile; `None` where
/// there is none.
pub(crate) fn with_rehearsal<T>(work: impl FnOnce(&mut Rehearsal) -> T) -> Option<T> {
    if !is_rehearsing() {
        return None;
    }
    let mut found = Restore(MODE.take());
    match &mut found.0 {
        Mode::Rehearsing(rehearsal) => Some(work(rehearsal)),
        _ => None,
    }
}
