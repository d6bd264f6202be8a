//! Axes: ranges, marks and numbers as text.

use crate::data::AxisScale;

/// A range of values along so many units of a drawing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    scale: AxisScale,
    /// Where `low` and `high` are drawn.
    ends: [f64; 2],
}

impl Axis {
    /// The axis on which all of `values` lie with a little room; `None` if none can be drawn.
    pub fn of(values: impl Iterator<Item = f64>, scale: AxisScale, ends: [f64; 2]) -> Option<Self> {
        let drawn = values.filter(|value| is_drawn(*value, scale));
        let (low, high) = drawn
            .map(|value| forward(value, scale))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        if low > high {
            return None;
        }
        let room = match high - low {
            0.0 => (0.1 * low.abs()).max(0.1),
            width => 0.05 * width,
        };
        Some(Self {
            low: low - room,
            high: high + room,
            scale,
            ends,
        })
    }

    /// Where `value` is drawn.
    pub fn place(&self, value: f64) -> Option<f64> {
        if !is_drawn(value, self.scale) {
            return None;
        }
        let share = (forward(value, self.scale) - self.low) / (self.high - self.low);
        Some(self.ends[0] + share * (self.ends[1] - self.ends[0]))
    }

    /// As [`place`](Self::place), what lies outside at the nearest end.
    pub fn clamped(&self, value: f64) -> f64 {
        let [a, b] = self.ends;
        let place = match is_drawn(value, self.scale) {
            true => self.place(value),
            false => None,
        };
        place.unwrap_or(a).clamp(a.min(b), a.max(b))
    }

    /// The range, as values.
    pub fn range(&self) -> [f64; 2] {
        match self.scale {
            AxisScale::Linear => [self.low, self.high],
            AxisScale::Log => [10_f64.powf(self.low), 10_f64.powf(self.high)],
        }
    }

    /// Round values to be named.
    pub fn marks(&self) -> Vec<f64> {
        match self.scale {
            AxisScale::Linear => self.even_marks(),
            AxisScale::Log => self.ratio_marks(),
        }
    }

    fn even_marks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
        let step = steps.into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(10.0 * power);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|number| number as f64 * step).collect()
    }

    fn ratio_marks(&self) -> Vec<f64> {
        let decades = self.low.floor() as i32..=self.high.ceil() as i32;
        let [low, high] = self.range();
        for digits in [&[1, 2, 3, 5][..], &[1, 2, 5], &[1, 3], &[1]] {
            let numbers = decades.clone().flat_map(|decade| {
                let number = move |digit: &u8| f64::from(*digit) * 10_f64.powi(decade);
                digits.iter().map(number)
            });
            let marks: Vec<f64> = numbers.filter(|n| (low..=high).contains(n)).collect();
            // Names of neighbours would meet.
            let apart = |pair: &[f64]| (pair[1] / pair[0]).log10() > 0.1 * (self.high - self.low);
            if marks.len() <= 7 && marks.windows(2).all(apart) {
                return marks;
            }
        }
        let all: Vec<f64> = decades.map(|decade| 10_f64.powi(decade)).collect();
        let every = all.len().div_ceil(7);
        let some = all.into_iter().step_by(every);
        some.filter(|n| (low..=high).contains(n)).collect()
    }
}

fn is_drawn(value: f64, scale: AxisScale) -> bool {
    value.is_finite() && (scale == AxisScale::Linear || value > 0.0)
}

fn forward(value: f64, scale: AxisScale) -> f64 {
    match scale {
        AxisScale::Linear => value,
        AxisScale::Log => value.log10(),
    }
}

/// A number as one reads it: four digits that count, thousands by commas, powers of ten where it is
/// very small or large.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".into();
    }
    if !(1e-3..1e7).contains(&size) {
        let text = format!("{value:.3e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{power}", trimmed(digits));
    }
    let digits = (3 - size.log10().floor() as i32).clamp(0, 6);
    let text = format!("{value:.*}", digits as usize);
    match text.contains('.') {
        true => trimmed(&text).to_owned(),
        false => thousands(&text),
    }
}

fn trimmed(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

fn thousands(text: &str) -> String {
    let digits = text.trim_start_matches('-');
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match text.starts_with('-') {
        true => format!("-{grouped}"),
        false => grouped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (0.25, "0.25"),
            (96.5625, "96.56"),
            (1234.5, "1,234"),
            (-45678.0, "-45,678"),
            (0.00012, "1.2e-4"),
            (3e9, "3e9"),
            (0.1 + 0.2, "0.3"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn marks_are_round_and_inside() {
        let axis = |values: &[f64], scale| {
            let axis = Axis::of(values.iter().copied(), scale, [0.0, 100.0]);
            axis.expect("drawn")
        };
        let even = axis(&[0.0, 97.0], AxisScale::Linear);
        assert_eq!(even.marks(), [0.0, 25.0, 50.0, 75.0, 100.0]);
        assert_eq!(axis(&[3.0, 3.0], AxisScale::Linear).place(3.0), Some(50.0));
        let log = axis(&[1e-6, 1e6], AxisScale::Log);
        assert!((3..=7).contains(&log.marks().len()), "{:?}", log.marks());
        for wide in [log, axis(&[2.0, 9.0], AxisScale::Log), even] {
            let [low, high] = wide.range();
            let marks = wide.marks();
            assert!(marks.len() >= 2 && marks.iter().all(|m| (low..=high).contains(m)));
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let axis = |values: Vec<f64>| Axis::of(values.into_iter(), AxisScale::Log, [0.0, 1.0]);
        assert_eq!(axis(vec![0.0, -1.0, f64::NAN]), None);
        let some = axis(vec![0.0, 1.0, 10.0]).expect("drawn");
        assert_eq!(some.place(0.0), None);
        assert_eq!(some.clamped(1e9), 1.0);
    }
}
