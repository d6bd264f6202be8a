//! The units of a study by name, made when they are asked for.

use std::ops::Range;

use crate::error::ExperimentError;

/// Units `method-seed`: each method with each of its seeds, method by method. Names are made one
/// at a time, so that a list of millions takes no memory.
#[derive(Debug, Clone, Default)]
pub struct Units {
    groups: Vec<(String, Range<usize>)>,
    count: usize,
}

impl Units {
    /// Each of `methods` with `count` seeds from `first` on.
    ///
    /// # Errors
    /// [`ExperimentError::Settings`] for more units than can be counted.
    pub fn new<S: AsRef<str>>(
        methods: &[S],
        first: usize,
        count: usize,
    ) -> Result<Self, ExperimentError> {
        Self::default().and(methods, first, count)
    }

    /// These, and after them each of `methods` with `count` seeds from `first` on.
    ///
    /// # Errors
    /// [`ExperimentError::Settings`] for more units than can be counted.
    pub fn and<S: AsRef<str>>(
        mut self,
        methods: &[S],
        first: usize,
        count: usize,
    ) -> Result<Self, ExperimentError> {
        let ends = first.checked_add(count);
        let all = methods.len().checked_mul(count);
        let total = all.and_then(|all| all.checked_add(self.count));
        let (Some(end), Some(total)) = (ends, total) else {
            return Err(ExperimentError::Settings(format!(
                "--seeds {count} is more than can be counted: give fewer"
            )));
        };
        let groups = methods.iter().map(|method| {
            let method = method.as_ref().to_owned();
            (method, first..end)
        });
        self.groups.extend(groups);
        self.count = total;
        Ok(self)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Unit number `index`, from 0.
    pub fn get(&self, mut index: usize) -> Option<String> {
        for (method, seeds) in &self.groups {
            if index < seeds.len() {
                return Some(format!("{method}-{}", seeds.start + index));
            }
            index -= seeds.len();
        }
        None
    }

    /// The number of `unit`, if it is one of these.
    pub fn index(&self, unit: &str) -> Option<usize> {
        let (method, digits) = unit.rsplit_once('-')?;
        let seed: usize = digits.parse().ok()?;
        // `+7` and `07` are no names of unit 7.
        if seed.to_string() != digits {
            return None;
        }
        let mut before = 0;
        for (own, seeds) in &self.groups {
            if own == method && seeds.contains(&seed) {
                return Some(before + seed - seeds.start);
            }
            before += seeds.len();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_belong_together() -> Result<(), ExperimentError> {
        let units = Units::new(&["a", "b"], 100, 2)?.and(&["c.d-e"], 0, 3)?;
        let names: Vec<_> = (0..8).map_while(|index| units.get(index)).collect();
        assert_eq!(
            names,
            [
                "a-100", "a-101", "b-100", "b-101", "c.d-e-0", "c.d-e-1", "c.d-e-2"
            ]
        );
        assert_eq!(units.len(), names.len());
        for (index, name) in names.iter().enumerate() {
            assert_eq!(units.index(name), Some(index), "{name}");
        }
        for other in ["a-99", "a-102", "c.d-e-+1", "c.d-e-01", "d-0", "a", ""] {
            assert_eq!(units.index(other), None, "{other}");
        }
        Ok(())
    }

    #[test]
    fn any_number_of_seeds_is_made_at_once_or_refused() -> Result<(), ExperimentError> {
        let many = 1_000_000_000_000;
        let units = Units::new(&["a", "b"], 0, many)?;
        assert_eq!(units.get(many + 3).as_deref(), Some("b-3"));
        let too_many = [
            Units::new(&["a", "b"], 0, usize::MAX),
            Units::new(&["a"], 100, usize::MAX),
            Units::new(&["a"], 0, usize::MAX)?.and(&["b"], 0, 1),
        ];
        for units in too_many {
            let error = units.expect_err("too many").to_string();
            assert!(error.contains("--seeds"), "{error}");
        }
        Ok(())
    }
}
