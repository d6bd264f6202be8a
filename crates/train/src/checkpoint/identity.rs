//! What makes a run the run that it is.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use burgeon_nn::hash::hex;

/// The longest line that a difference shows of each side.
const SHOWN: usize = 160;

/// All that a run's result follows from, as named parts in their order: settings, criterion,
/// optimizer, graph, samples. Limits are no part of it: raising one goes on with the run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    parts: Vec<(String, String)>,
}

impl Identity {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a part that differences show: one line, or several of which the first that differs is
    /// shown.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parts.push((name.into(), value.into()));
        self
    }

    /// With a part too long to be shown, kept as its hash.
    #[must_use]
    pub fn with_hashed(self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        let hash = hex(&Sha256::digest(value));
        self.with(name, format!("sha256:{hash}"))
    }

    /// The parts, in their order.
    pub fn parts(&self) -> impl Iterator<Item = (&str, &str)> {
        let parts = self.parts.iter();
        parts.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a part.
    pub fn part(&self, name: &str) -> Option<&str> {
        self.parts()
            .find_map(|(found, value)| (found == name).then_some(value))
    }

    /// What differs from `self`, the earlier run, to `now`: parts of `self` in their order, then
    /// those that only `now` has.
    pub fn differences(&self, now: &Self) -> Vec<Difference> {
        let own = self.parts().map(|(name, _)| name);
        let new = now.parts().map(|(name, _)| name);
        let new = new.filter(|name| self.part(name).is_none());
        let pairs = own
            .chain(new)
            .map(|name| (name, self.part(name), now.part(name)));
        pairs
            .filter(|(_, before, after)| before != after)
            .map(|(name, before, after)| {
                let (before, after) = shown(before, after);
                Difference {
                    name: name.to_owned(),
                    before,
                    after,
                }
            })
            .collect()
    }
}

/// A part that two identities do not share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The part's name.
    pub name: String,
    /// What the earlier run has; `None` where it has nothing, or only a hash.
    pub before: Option<String>,
    /// What this one has.
    pub after: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            before,
            after,
        } = self;
        match (before, after) {
            (None, None) => f.write_str(name),
            (before, after) => {
                let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "none".into());
                write!(f, "{name}: {} -> {}", text(before), text(after))
            }
        }
    }
}

/// The first line that differs of each side; nothing for hashes.
fn shown(before: Option<&str>, after: Option<&str>) -> (Option<String>, Option<String>) {
    let is_hash = |side: Option<&str>| side.is_some_and(|text| text.starts_with("sha256:"));
    if is_hash(before) || is_hash(after) {
        return (None, None);
    }
    let (mut old, mut new) = (before.map(str::lines), after.map(str::lines));
    loop {
        let old = old.as_mut().and_then(Iterator::next);
        let new = new.as_mut().and_then(Iterator::next);
        if old != new || old.is_none() {
            return (old.map(cut), new.map(cut));
        }
    }
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(SHOWN) {
        None => line.to_owned(),
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}
