//! How a network grows, whatever the criterion is.

use serde::Serialize;

/// How and when a network grows, whatever the criterion is.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Recipe {
    /// Growth steps, each of which doubles the network; it starts so much smaller.
    pub growths: usize,
    /// The share of the cost at which the last one comes; those before it come at equal distances.
    pub until: f64,
    /// What the rate is multiplied by after a growth, and over how many epochs that fades.
    pub rewarm: Option<(f64, usize)>,
    /// Whether copies start with zero moments.
    pub zero_moments: bool,
}

impl Recipe {
    /// One doubling at 15 % of the cost; copies start with zero moments.
    pub const ONCE: Self = Self {
        growths: 1,
        until: 0.15,
        rewarm: None,
        zero_moments: true,
    };

    /// What each layer of the start has of `target` neurons.
    pub fn start(&self, target: usize) -> usize {
        (target >> self.growths).max(1)
    }

    /// `two doublings, at 15 % and 30 % of the cost`.
    pub fn describe(&self) -> String {
        let count = match self.growths {
            1 => "one doubling".to_owned(),
            2 => "two doublings".to_owned(),
            growths => format!("{growths} doublings"),
        };
        let share = |growth: usize| {
            let share = 100.0 * self.until * growth as f64 / self.growths as f64;
            format!("{share:.0} %")
        };
        let shares: Vec<String> = (1..=self.growths).map(share).collect();
        format!("{count}, at {} of the cost", shares.join(" and "))
    }
}
