//! Means, deviations, correlations.

/// Mean and sample standard deviation (0 for a single value).
pub fn mean_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    if values.len() < 2 {
        return (mean, 0.0);
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0)).sqrt())
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
    /// Their mean.
    pub mean: f64,
    /// The mean's standard error.
    pub error: f64,
    /// How many are negative.
    pub lower: usize,
    /// How many there are.
    pub count: usize,
}

impl PairedDifference {
    /// Compares two lists of equal length, pair by pair.
    pub fn new(a: &[f64], b: &[f64]) -> Self {
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let (mean, deviation) = mean_deviation(&differences);
        Self {
            mean,
            error: deviation / (differences.len() as f64).sqrt(),
            lower: differences.iter().filter(|d| **d < 0.0).count(),
            count: differences.len(),
        }
    }

    /// Whether the mean is within two standard errors of zero, or there is no error for
    /// want of a second pair.
    pub fn is_within_noise(&self) -> bool {
        self.count < 2 || self.mean.abs() < 2.0 * self.error
    }
}

/// `mean ± deviation` with `digits` after the point.
pub fn plus_minus((mean, deviation): (f64, f64), digits: usize) -> String {
    format!("{mean:.digits$} ± {deviation:.digits$}")
}

/// Two-sided p-value of paired differences under the hypothesis that their signs are
/// random: the share of all assignments of signs whose sum is at least as far from 0 (exact; for
/// at most 20 pairs, else NaN). With n pairs it is never below 2/2ⁿ.
pub fn sign_flip_p(differences: &[f64]) -> f64 {
    let count = differences.len();
    if count == 0 || count > 20 {
        return f64::NAN;
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
    as_far.count() as f64 / f64::from(assignments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(mean_deviation(&[2.0]), (2.0, 0.0));
        let (mean, deviation) = mean_deviation(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(mean, 2.5);
        assert!((deviation - (5.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!((correlation(&[(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]) - 1.0).abs() < 1e-12);
        assert!((correlation(&[(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]) + 1.0).abs() < 1e-12);
        let paired = PairedDifference::new(&[1.0, 2.0, 4.0], &[2.0, 2.0, 2.0]);
        assert!((paired.mean - 1.0 / 3.0).abs() < 1e-12);
        assert!((paired.error - (7.0_f64 / 9.0).sqrt()).abs() < 1e-12);
        assert_eq!((paired.lower, paired.count), (1, 3));
        assert!(paired.is_within_noise());
        assert!(PairedDifference::new(&[1.0], &[2.0]).is_within_noise());
        assert!(!PairedDifference::new(&[1.0, 1.1], &[2.0, 2.0]).is_within_noise());
        assert_eq!(plus_minus((1.25, 0.5), 1), "1.2 ± 0.5");
    }

    #[test]
    fn sign_flips_are_counted_exactly() {
        // Of the eight assignments of signs to 1, 2 and 3 only ±(1, 2, 3) sum to 6 or more.
        assert!((sign_flip_p(&[1.0, 2.0, 3.0]) - 0.25).abs() < 1e-12);
        assert!((sign_flip_p(&[1.0, -1.0]) - 1.0).abs() < 1e-12);
        assert!(sign_flip_p(&[]).is_nan());
    }

    #[test]
    fn a_power_has_its_exponent_for_a_slope() {
        let cubes: Vec<(f64, f64)> = (1..6)
            .map(|x| (f64::from(x), f64::from(x).powi(3)))
            .collect();
        assert!((log_log_slope(&cubes) - 3.0).abs() < 1e-12);
    }
}
