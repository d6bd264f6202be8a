//! Lists of digits as problems.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::error::NpiError;

/// A digit from a word.
pub(super) fn parse_digit(word: &str) -> Result<u8, NpiError> {
    match word.parse::<u8>() {
        Ok(digit) if digit <= 9 => Ok(digit),
        _ => Err(NpiError::ValueOutOfRange {
            value: word.to_owned(),
        }),
    }
}

/// The list itself, if it is one to sort: not empty, digits only.
pub(super) fn checked_list(list: &[u8]) -> Result<(), NpiError> {
    if list.is_empty() {
        return Err(NpiError::Problem(
            "an empty list: give at least one digit to sort".into(),
        ));
    }
    match list.iter().find(|value| **value > 9) {
        Some(value) => Err(NpiError::ValueOutOfRange {
            value: value.to_string(),
        }),
        None => Ok(()),
    }
}

/// A list from words.
pub(super) fn parse_list(words: &[String]) -> Result<Vec<u8>, NpiError> {
    words.iter().map(|word| parse_digit(word)).collect()
}

/// A list of `size` random digits.
pub(super) fn random_list(size: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    (0..size).map(|_| rng.random_range(0..=9)).collect()
}

/// All lists of `size` values below `size`: every way in which so many elements can compare.
/// Beyond ten elements there are more ways than digits.
pub(super) fn all_lists(size: usize) -> impl Iterator<Item = Vec<u8>> {
    let base = size.clamp(1, 10);
    let count = u32::try_from(size).ok().and_then(|s| base.checked_pow(s));
    (0..count.unwrap_or(usize::MAX)).map(move |mut number| {
        let digit = |_| {
            let digit = number % base;
            number /= base;
            digit as u8
        };
        (0..size).map(digit).collect()
    })
}

/// `8 2 1`.
fn list_text(list: &[u8]) -> String {
    let digits: Vec<String> = list.iter().map(u8::to_string).collect();
    digits.join(" ")
}

/// A list that is being sorted, with what it was.
#[derive(Debug, Clone)]
pub(super) struct SortedList {
    given: Vec<u8>,
    values: Vec<u8>,
}

impl SortedList {
    pub fn new(values: Vec<u8>) -> Self {
        Self {
            given: values.clone(),
            values,
        }
    }

    /// As it is now.
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Where a pointer, which counts from 1, points to.
    pub fn index(&self, pointer: i64) -> Option<usize> {
        let index = usize::try_from(pointer).ok()?.checked_sub(1)?;
        (index < self.values.len()).then_some(index)
    }

    /// What a pointer points to.
    pub fn at(&self, pointer: i64) -> Option<u8> {
        self.index(pointer).map(|index| self.values[index])
    }

    /// Exchanges what two pointers point to.
    ///
    /// # Errors
    /// Where one points outside of the list.
    pub fn swap(&mut self, first: i64, second: i64) -> Result<(), String> {
        match (self.index(first), self.index(second)) {
            (Some(first), Some(second)) => self.values.swap(first, second),
            _ => return Err("a pointer is outside the list".into()),
        }
        Ok(())
    }

    pub fn is_sorted(&self) -> bool {
        let mut sorted = self.given.clone();
        sorted.sort_unstable();
        self.values == sorted
    }

    /// What it was and what it is.
    pub fn text(&self) -> String {
        format!("{} -> {}", list_text(&self.given), list_text(&self.values))
    }
}
