//! A split that keeps each class's share.

use std::collections::BTreeMap;

use super::{Samples, Targets, order};
use crate::error::NnError;
use crate::ports::Input;

impl<I: Input> Samples<I> {
    /// Splits off a share of each class, drawn by `seed`: `(rest, share)`. A class gives its share
    /// of samples rounded up or down, by largest remainders, so that both parts have as many as
    /// [`split_off`](Self::split_off) would give them as far as that goes; a class of two samples
    /// or more has at least one in each part.
    ///
    /// # Errors
    /// [`NnError::Data`] unless each sample has one class and both parts a sample.
    pub fn split_stratified(&self, share: f64, seed: u64) -> Result<(Self, Self), NnError> {
        let classes = match self.targets() {
            Targets::Classes(classes) => classes.clone(),
            Targets::Positions(_) => return Err(no_class("a class for each position")),
            Targets::Values(_) => return Err(no_class("values")),
        };
        let classes: Vec<i64> = classes.into_data().iter::<i64>().collect();
        let (rest, taken) = stratified_rows(&classes, share, seed)?;
        Ok((self.subset(&rest)?, self.subset(&taken)?))
    }
}

/// The rows of [`split_stratified`](Samples::split_stratified) for rows of these classes:
/// `(rest, share)`.
///
/// # Errors
/// [`NnError::Data`] unless both parts have a row.
pub fn stratified_rows(
    classes: &[i64],
    share: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), NnError> {
    if !(share > 0.0 && share < 1.0) {
        return Err(NnError::Data(format!(
            "a share of {share}: it must be between 0 and 1"
        )));
    }
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for class in classes {
        *counts.entry(*class).or_default() += 1;
    }
    let mut left = taken_of(&counts, share);
    let (taken, rest): (Vec<usize>, Vec<usize>) = order::shuffled(classes.len(), seed)
        .into_iter()
        .partition(|row| match left.get_mut(&classes[*row]) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        });
    if taken.is_empty() || rest.is_empty() {
        return Err(NnError::Data(format!(
            "a share of {share} of {} samples leaves a part empty",
            classes.len()
        )));
    }
    Ok((rest, taken))
}

/// How many of each class a share of them is.
fn taken_of(counts: &BTreeMap<i64, usize>, share: f64) -> BTreeMap<i64, usize> {
    let samples: usize = counts.values().sum();
    let total = (samples as f64 * share).round() as usize;
    let mut taken = BTreeMap::new();
    // Of each class that may give one more: what it gives less than its share.
    let mut remainders = Vec::new();
    for (&class, &count) in counts {
        let quota = count as f64 * share;
        let (mut least, mut most) = (quota.floor() as usize, quota.ceil() as usize);
        if count >= 2 {
            (least, most) = (least.clamp(1, count - 1), most.clamp(1, count - 1));
        }
        taken.insert(class, least);
        if least < most {
            remainders.push((quota - least as f64, class));
        }
    }
    let given: usize = taken.values().sum();
    // Equal remainders stay in the order of classes.
    remainders.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (_, class) in remainders.into_iter().take(total.saturating_sub(given)) {
        *taken.entry(class).or_default() += 1;
    }
    taken
}

fn no_class(targets: &str) -> NnError {
    NnError::Data(format!(
        "a stratified split needs one class for each sample, but the targets are {targets}: use \
         `split_off`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(counts: &[usize], share: f64) -> Vec<usize> {
        let counts = (0..).zip(counts.iter().copied()).collect();
        taken_of(&counts, share).into_values().collect()
    }

    #[test]
    fn shares_are_rounded_by_largest_remainders() {
        // 2.5, 2.5, 2.5 of 7.5: two go up.
        assert_eq!(taken(&[10, 10, 10], 0.25), [3, 3, 2]);
        // 1.2, 1.8, 2.7 of 5.7
        assert_eq!(taken(&[4, 6, 9], 0.3), [1, 2, 3]);
        // 0.2 and 20 of 20.2: a class has one at least.
        assert_eq!(taken(&[2, 200], 0.1), [1, 20]);
        // 1.8 and 1.8 of 3.6: a class keeps one at least.
        assert_eq!(taken(&[2, 2], 0.9), [1, 1]);
        // A class of one sample is in either part.
        assert_eq!(taken(&[1, 1, 1, 1], 0.5), [1, 1, 0, 0]);
    }
}
