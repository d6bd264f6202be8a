//! Sections of files laid over each other.

use toml::{Table, Value};

/// `base` with the entries of `top` in place of its own; sections are joined.
pub(super) fn overlay(base: &mut Table, top: Table) {
    for (key, value) in top {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(own)), Value::Table(value)) => overlay(own, value),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
