//! Means, deviations, correlations.

/// A mean with its spread, where there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean; NaN of nothing.
    pub value: f64,
    /// The sample standard deviation, of two values or more.
    pub deviation: Option<f64>,
    /// Of how many values.
    pub count: usize,
}

impl Mean {
    /// Of `values`.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        let spread = (squares.sum::<f64>() / (count - 1.0)).sqrt();
        Self {
            value: mean,
            deviation: (values.len() > 1).then_some(spread),
            count: values.len(),
        }
    }

    /// Half the length of a figure's error bar; 0 draws none.
    pub fn bar(&self) -> f64 {
        self.deviation.unwrap_or(0.0)
    }

    /// The mean's standard error, of two values or more.
    pub fn error(&self) -> Option<f64> {
        let root = (self.count as f64).sqrt();
        self.deviation.map(|deviation| deviation / root)
    }

    /// `mean ± standard error` with `digits` after the point, or the mean alone.
    pub fn text_with_error(&self, digits: usize) -> String {
        plus_minus(self.value, self.error(), digits)
    }

    /// `mean ± deviation` with `digits` after the point, or the mean alone.
    pub fn text(&self, digits: usize) -> String {
        plus_minus(self.value, self.deviation, digits)
    }
}

/// `value ± spread` with `digits` after the point, without the spread where there is none, and a
/// dash for nothing.
fn plus_minus(value: f64, spread: Option<f64>, digits: usize) -> String {
    match spread {
        Some(spread) => format!("{value:.digits$} ± {spread:.digits$}"),
        None if value.is_nan() => "–".into(),
        None => format!("{value:.digits$}"),
    }
}

/// `least to largest` with `digits` after the point, one number where they are the same, and a dash
/// for nothing.
pub fn range(values: &[f64], digits: usize) -> String {
    let [least, largest] = [f64::min, f64::max].map(|pick| values.iter().copied().reduce(pick));
    match (least, largest) {
        (Some(least), Some(largest)) if least < largest => {
            format!("{least:.digits$} to {largest:.digits$}")
        }
        (Some(least), _) => format!("{least:.digits$}"),
        _ => "–".into(),
    }
}

/// The median; NaN of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]),
    }
}

/// Pearson's correlation of pairs; NaN if either side does not vary.
pub fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let count = pairs.len() as f64;
    let (sum_x, sum_y) = pairs
        .iter()
        .fold((0.0, 0.0), |(x, y), p| (x + p.0, y + p.1));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        let (dx, dy) = (x - mean_x, y - mean_y);
        xy += dx * dy;
        xx += dx * dx;
        yy += dy * dy;
    }
    xy / (xx * yy).sqrt()
}

/// Spearman's rank correlation of pairs, equal values sharing the mean of their ranks; NaN if either
/// side does not vary.
pub fn rank_correlation(pairs: &[(f64, f64)]) -> f64 {
    let ranks = |side: fn(&(f64, f64)) -> f64| ranks(&pairs.iter().map(side).collect::<Vec<_>>());
    let ranked = ranks(|pair| pair.0).into_iter().zip(ranks(|pair| pair.1));
    correlation(&ranked.collect::<Vec<_>>())
}

/// Ranks from 0, equal values sharing their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        for index in equal {
            ranks[*index] = first as f64 + (equal.len() - 1) as f64 / 2.0;
        }
        first += equal.len();
    }
    ranks
}

/// The slope of the least-squares line through the logarithms of pairs.
pub fn log_log_slope(pairs: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = pairs.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / count;
    let xy: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let xx: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    xy / xx
}

/// Paired differences `a − b`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedDifference {
    /// Their mean; NaN of nothing.
    pub mean: f64,
    /// The mean's standard error, of two pairs or more.
    pub error: Option<f64>,
    /// How many are negative.
    pub lower: usize,
    /// How many there are.
    pub count: usize,
}

impl PairedDifference {
    /// Compares two lists of equal length, pair by pair.
    pub fn new(a: &[f64], b: &[f64]) -> Self {
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let mean = Mean::of(&differences);
        Self {
            mean: mean.value,
            error: mean.error(),
            lower: differences.iter().filter(|d| **d < 0.0).count(),
            count: differences.len(),
        }
    }

    /// Whether the mean is within two standard errors of zero; one pair cannot tell.
    pub fn is_within_noise(&self) -> Option<bool> {
        self.error.map(|error| self.mean.abs() < 2.0 * error)
    }

    /// `mean ± standard error` with `digits` after the point, or the mean alone.
    pub fn text(&self, digits: usize) -> String {
        plus_minus(self.mean, self.error, digits)
    }
}

/// Two-sided p-value of paired differences under the hypothesis that their signs are
/// random: the share of all assignments of signs whose sum is at least as far from 0 (exact; for
/// 2 to 20 pairs). With n pairs it is never below 2/2ⁿ.
pub fn sign_flip_p(differences: &[f64]) -> Option<f64> {
    let count = differences.len();
    if !(2..=20).contains(&count) {
        return None;
    }
    let observed: f64 = differences.iter().sum::<f64>().abs();
    // Sums of the same numbers in another order differ by rounding.
    let least = observed * (1.0 - 1e-9);
    let assignments = 1_u32 << count;
    let as_far = (0..assignments).filter(|signs| {
        let flipped = differences.iter().enumerate().map(|(i, difference)| {
            if signs >> i & 1 == 1 {
                -difference
            } else {
                *difference
            }
        });
        flipped.sum::<f64>().abs() >= least
    });
    Some(as_far.count() as f64 / f64::from(assignments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(mean.value, 2.5);
        assert!((mean.bar() - (5.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(mean.text(1), "2.5 ± 1.3");
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!((correlation(&[(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]) - 1.0).abs() < 1e-12);
        assert!((correlation(&[(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]) + 1.0).abs() < 1e-12);
        assert!((mean.error().unwrap_or(0.0) - (5.0_f64 / 12.0).sqrt()).abs() < 1e-12);
        assert_eq!(mean.text_with_error(2), "2.50 ± 0.65");
        let paired = PairedDifference::new(&[1.0, 2.0, 4.0], &[2.0, 2.0, 2.0]);
        assert!((paired.mean - 1.0 / 3.0).abs() < 1e-12);
        assert!((paired.error.unwrap_or(0.0) - (7.0_f64 / 9.0).sqrt()).abs() < 1e-12);
        assert_eq!((paired.lower, paired.count), (1, 3));
        assert_eq!(paired.is_within_noise(), Some(true));
        let clear = PairedDifference::new(&[1.0, 1.1], &[2.0, 2.0]);
        assert_eq!(clear.is_within_noise(), Some(false));
        assert_eq!(clear.text(2), "-0.95 ± 0.05");
    }

    #[test]
    fn ranks_alone_matter_and_equal_values_share_theirs() {
        assert_eq!(ranks(&[0.3, -1.0, 0.3, 9.0]), [1.5, 0.0, 1.5, 3.0]);
        let cubes: Vec<(f64, f64)> = (-4..5)
            .map(|x| (f64::from(x), f64::from(x).powi(3)))
            .collect();
        assert!((rank_correlation(&cubes) - 1.0).abs() < 1e-12);
        // Spearman's 1 - 6 Σd² / (n (n² - 1)) with d = (0, 1, -1).
        let swapped = [(1.0, 1.0), (2.0, 30.0), (3.0, 20.0)];
        assert!((rank_correlation(&swapped) - 0.5).abs() < 1e-12);
        assert!(rank_correlation(&[(1.0, 2.0), (1.0, 3.0)]).is_nan());
    }

    #[test]
    fn one_value_has_no_spread_and_tells_nothing() {
        let mean = Mean::of(&[0.1104]);
        assert_eq!(
            (mean.value, mean.deviation, mean.bar()),
            (0.1104, None, 0.0)
        );
        assert_eq!(mean.text(3), "0.110");
        assert_eq!(Mean::of(&[]).text(2), "–");
        let paired = PairedDifference::new(&[1.0], &[2.0]);
        assert_eq!((paired.is_within_noise(), paired.error), (None, None));
        assert_eq!(paired.text(1), "-1.0");
        assert_eq!(sign_flip_p(&[1.0]), None);
    }

    #[test]
    fn sign_flips_are_counted_exactly() {
        // Of the eight assignments of signs to 1, 2 and 3 only ±(1, 2, 3) sum to 6 or more.
        assert_eq!(sign_flip_p(&[1.0, 2.0, 3.0]), Some(0.25));
        assert_eq!(sign_flip_p(&[1.0, -1.0]), Some(1.0));
        assert_eq!(sign_flip_p(&[]), None);
        assert_eq!(sign_flip_p(&[1.0; 21]), None);
    }

    #[test]
    fn a_power_has_its_exponent_for_a_slope() {
        let cubes: Vec<(f64, f64)> = (1..6)
            .map(|x| (f64::from(x), f64::from(x).powi(3)))
            .collect();
        assert!((log_log_slope(&cubes) - 3.0).abs() < 1e-12);
    }
}
