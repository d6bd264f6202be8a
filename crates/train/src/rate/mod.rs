//! The learning rate over a run that grows.
//!
//! A rate is held and decays along a [`Span`]: the whole run, measured by the share of its budget
//! that is spent, or each phase between two growths. A warm-up, a re-warming after each growth and
//! a reduction where the loss stalls come on top.

mod plateau;
#[cfg(test)]
mod tests;

pub use plateau::{Plateau, PlateauState};

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use burgeon_nn::NnError;

/// What a decay is measured along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// The share of the run's budget that is spent, from 0 to 1: growths do not change the rate.
    Run,
    /// Epochs since the run began.
    Epochs,
    /// Epochs since the last growth: each growth puts the rate back.
    Phase,
}

/// How a rate falls along its [`Span`], in that span's unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// It stays.
    Constant,
    /// It is multiplied by `factor` at each milestone.
    Step {
        /// Where it changes, in ascending order.
        milestones: Vec<f64>,
        /// The factor.
        factor: f64,
    },
    /// It stays until `from`, falls along half a cosine to the rate `last` at `to`, and stays
    /// there.
    Cosine {
        /// Where the descent begins.
        from: f64,
        /// Where it ends.
        to: f64,
        /// The rate from there on.
        last: f64,
    },
}

impl Decay {
    /// The rate at `position`, where it is `rate` at first.
    fn at(&self, rate: f64, position: f64) -> f64 {
        match self {
            Self::Constant => rate,
            Self::Step { milestones, factor } => {
                let passed = milestones.iter().filter(|m| position >= **m).count();
                rate * factor.powi(i32::try_from(passed).unwrap_or(i32::MAX))
            }
            Self::Cosine { from, to, last } => {
                let progress = ((position - from) / (to - from)).clamp(0.0, 1.0);
                last + 0.5 * (rate - last) * (1.0 + (PI * progress).cos())
            }
        }
    }

    fn check(&self, span: Span) -> Result<(), NnError> {
        let within = |position: f64| match span {
            Span::Run => (0.0..=1.0).contains(&position),
            Span::Epochs | Span::Phase => position >= 0.0 && position.is_finite(),
        };
        let right = match self {
            Self::Constant => true,
            Self::Step { milestones, factor } => {
                let ascending = milestones.windows(2).all(|pair| pair[0] < pair[1]);
                let milestones = ascending && milestones.iter().all(|m| within(*m));
                milestones && is_rate(*factor)
            }
            Self::Cosine { from, to, last } => {
                within(*from) && within(*to) && from < to && is_rate(*last)
            }
        };
        if right {
            return Ok(());
        }
        let unit = match span {
            Span::Run => "shares of the budget between 0 and 1",
            Span::Epochs | Span::Phase => "epochs, not negative",
        };
        Err(NnError::Settings(format!(
            "decay {self:?} over {span:?}: its places must be {unit}, in ascending order, and \
             rates and factors numbers that are not negative"
        )))
    }
}

/// What a rate is multiplied by in the first epochs after each growth: from `factor` in a line to
/// 1. Above 1 the rate is re-warmed for the new weights, below 1 they are let in gently.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Rewarm {
    factor: f64,
    epochs: usize,
}

/// Where a run stands when an epoch begins.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RunProgress {
    /// Epochs trained.
    pub epoch: usize,
    /// Growths made.
    pub growths: usize,
    /// Epochs trained since the last growth, or since the run began.
    pub phase_epoch: usize,
    /// The share of the run's budget that is spent, from 0 to 1.
    pub spent: f64,
}

/// The learning rate over a run, checked when it is made.
///
/// ```
/// use burgeon_train::{PlateauState, RunProgress, RateSchedule};
///
/// # fn main() -> Result<(), burgeon_nn::NnError> {
/// let schedule = RateSchedule::stable_then_decay(0.02)?.with_warm_up(3)?;
/// let begin = RunProgress::default();
/// let end = RunProgress { epoch: 40, growths: 2, phase_epoch: 20, spent: 1.0 };
/// let plateau = PlateauState::default();
/// assert_eq!(schedule.rate(&begin, &plateau), 0.005);
/// assert_eq!(schedule.rate(&end, &plateau), 0.0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct RateSchedule {
    rate: f64,
    span: Span,
    decay: Decay,
    #[serde(skip_serializing_if = "Option::is_none")]
    warm_up: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rewarm: Option<Rewarm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plateau: Option<Plateau>,
}

impl Default for RateSchedule {
    /// [`stable_then_decay`](Self::stable_then_decay) from 0.005.
    fn default() -> Self {
        Self {
            rate: 0.005,
            span: Span::Run,
            decay: Decay::Cosine {
                from: 0.6,
                to: 1.0,
                last: 0.0,
            },
            warm_up: None,
            rewarm: None,
            plateau: None,
        }
    }
}

impl RateSchedule {
    /// Always `rate`.
    ///
    /// # Errors
    /// [`NnError::Settings`] for a rate that is negative or no number.
    pub fn constant(rate: f64) -> Result<Self, NnError> {
        if !is_rate(rate) {
            return Err(NnError::Settings(format!(
                "learning rate {rate}: it must be a number, and not negative"
            )));
        }
        Ok(Self {
            rate,
            span: Span::Run,
            decay: Decay::Constant,
            warm_up: None,
            rewarm: None,
            plateau: None,
        })
    }

    /// One schedule over the whole run: `rate` until 60 % of the budget is spent, then half a
    /// cosine to 0. The last growth is best at 50–70 %, before much of the descent.
    ///
    /// # Errors
    /// As [`constant`](Self::constant).
    pub fn stable_then_decay(rate: f64) -> Result<Self, NnError> {
        let decay = Decay::Cosine {
            from: 0.6,
            to: 1.0,
            last: 0.0,
        };
        Self::constant(rate)?.with_decay(Span::Run, decay)
    }

    /// Each phase between growths from `rate` down to `last` over `epochs`, along half a cosine.
    ///
    /// # Errors
    /// As [`constant`](Self::constant), and for no epochs.
    pub fn cosine_of_phase(rate: f64, last: f64, epochs: usize) -> Result<Self, NnError> {
        let decay = Decay::Cosine {
            from: 0.0,
            to: epochs as f64,
            last,
        };
        Self::constant(rate)?.with_decay(Span::Phase, decay)
    }

    /// The rate falls by `decay` along `span`.
    ///
    /// # Errors
    /// [`NnError::Settings`] for places out of the span or not in order, and for rates or factors
    /// that are negative or no numbers.
    pub fn with_decay(mut self, span: Span, decay: Decay) -> Result<Self, NnError> {
        decay.check(span)?;
        self.span = span;
        self.decay = decay;
        Ok(self)
    }

    /// In the first `epochs` epochs of the run the rate rises in a line: epoch `k`, from 1, has
    /// `k / (epochs + 1)` of it.
    ///
    /// # Errors
    /// [`NnError::Settings`] for no epochs.
    pub fn with_warm_up(mut self, epochs: usize) -> Result<Self, NnError> {
        if epochs == 0 {
            return Err(NnError::Settings(
                "a warm-up over 0 epochs: it needs at least 1, or leave it out".into(),
            ));
        }
        self.warm_up = Some(epochs);
        Ok(self)
    }

    /// After each growth the rate is multiplied by `factor`, which goes in a line to 1 over
    /// `epochs` epochs. Above 1 it re-warms what had decayed, below 1 it lets new weights in
    /// gently.
    ///
    /// # Errors
    /// [`NnError::Settings`] for no epochs, or a factor that is not above 0.
    pub fn with_rewarm(mut self, factor: f64, epochs: usize) -> Result<Self, NnError> {
        if !(factor > 0.0 && factor.is_finite() && epochs > 0) {
            return Err(NnError::Settings(format!(
                "re-warming by {factor} over {epochs} epochs: the factor must be a number above \
                 0, with at least 1 epoch"
            )));
        }
        self.rewarm = Some(Rewarm { factor, epochs });
        Ok(self)
    }

    /// The rate is reduced where the loss stalls.
    ///
    /// # Errors
    /// [`NnError::Settings`] for settings out of range.
    pub fn with_plateau(mut self, plateau: Plateau) -> Result<Self, NnError> {
        plateau.check()?;
        self.plateau = Some(plateau);
        Ok(self)
    }

    /// The rate of the epoch that begins at `progress`.
    pub fn rate(&self, progress: &RunProgress, state: &PlateauState) -> f64 {
        let position = match self.span {
            Span::Run => progress.spent,
            Span::Epochs => progress.epoch as f64,
            Span::Phase => progress.phase_epoch as f64,
        };
        let mut rate = self.decay.at(self.rate, position);
        if let Some(plateau) = &self.plateau {
            rate = plateau.reduced(rate, state);
        }
        if let Some(Rewarm { factor, epochs }) = self.rewarm
            && progress.growths > 0
            && progress.phase_epoch < epochs
        {
            let share = progress.phase_epoch as f64 / epochs as f64;
            rate *= factor + (1.0 - factor) * share;
        }
        if let Some(epochs) = self.warm_up
            && progress.epoch < epochs
        {
            rate *= (progress.epoch + 1) as f64 / (epochs + 1) as f64;
        }
        rate
    }

    /// Takes note of the `loss` of an epoch, once, at its end.
    pub fn observe(&self, loss: f64, state: &mut PlateauState) {
        if let Some(plateau) = &self.plateau {
            plateau.observe(loss, state);
        }
    }

    /// Takes note of a growth: the loss of the grown network is compared with its own, and where
    /// the rate is of the [phase](Span::Phase), reductions begin anew.
    pub fn grew(&self, state: &mut PlateauState) {
        let reductions = match self.span {
            Span::Phase => 0,
            Span::Run | Span::Epochs => state.reductions,
        };
        *state = PlateauState {
            reductions,
            ..PlateauState::default()
        };
    }
}

/// A [`RateSchedule`] as it is read from a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    rate: f64,
    span: Span,
    decay: Decay,
    warm_up: Option<usize>,
    rewarm: Option<Rewarm>,
    plateau: Option<Plateau>,
}

impl TryFrom<Unchecked> for RateSchedule {
    type Error = NnError;

    fn try_from(read: Unchecked) -> Result<Self, NnError> {
        let mut schedule = Self::constant(read.rate)?.with_decay(read.span, read.decay)?;
        if let Some(epochs) = read.warm_up {
            schedule = schedule.with_warm_up(epochs)?;
        }
        if let Some(Rewarm { factor, epochs }) = read.rewarm {
            schedule = schedule.with_rewarm(factor, epochs)?;
        }
        if let Some(plateau) = read.plateau {
            schedule = schedule.with_plateau(plateau)?;
        }
        Ok(schedule)
    }
}

fn is_rate(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}
