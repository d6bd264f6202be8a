//! Pareto fronts.

use serde::{Deserialize, Serialize};

/// A point of a front.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FrontPoint {
    /// What should be small: a time, say.
    pub cost: f64,
    /// What should be large: an accuracy, say.
    pub value: f64,
    /// Which child it is.
    pub child: usize,
}

/// What is better in cost or in value than everything else seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Front {
    /// By rising cost, and so by rising value.
    points: Vec<FrontPoint>,
}

impl Front {
    /// Takes a point in; whether it is on the front. Of equal points the first one stays, and what
    /// is not a number is never on it.
    pub fn add(&mut self, point: FrontPoint) -> bool {
        if point.cost.is_nan() || point.value.is_nan() {
            return false;
        }
        let as_good = |other: &FrontPoint| other.cost <= point.cost && other.value >= point.value;
        if self.points.iter().any(as_good) {
            return false;
        }
        self.points
            .retain(|other| other.cost < point.cost || other.value > point.value);
        let at = self.points.partition_point(|other| other.cost < point.cost);
        self.points.insert(at, point);
        true
    }

    /// Its points by rising cost.
    pub fn points(&self) -> &[FrontPoint] {
        &self.points
    }

    /// The area that it dominates between itself and a reference of more cost and less value;
    /// points beyond the reference count nothing.
    pub fn hypervolume(&self, cost: f64, value: f64) -> f64 {
        let within = || {
            self.points
                .iter()
                .filter(|p| p.cost < cost && p.value > value)
        };
        let ends = within().map(|p| p.cost).skip(1).chain([cost]);
        within()
            .zip(ends)
            .map(|(point, end)| (end - point.cost) * (point.value - value))
            .sum()
    }
}
