//! What a file of a comparison says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Table;

use super::growing::Grow;
use super::net::{Net, Widths};
use super::overlay::overlay;
use crate::error::ExperimentError;

/// A comparison at one scale, all defaults filled in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Recipe {
    /// What a reader calls network and data set.
    pub title: String,
    /// One line on what it shows.
    pub description: String,
    /// Whether it is run when no name is given.
    #[serde(default)]
    pub by_default: bool,
    /// Seeds of each method.
    pub seeds: usize,
    /// The first of them.
    #[serde(default)]
    pub first_seed: usize,
    /// Seeds on which learning rates are compared; they are others than those of the table.
    #[serde(default)]
    pub rate_seeds: usize,
    pub data: Data,
    pub net: Net,
    #[serde(default)]
    pub budget: Budget,
    pub train: Train,
    #[serde(default)]
    pub grow: Grow,
    /// The ways of coming to a network, by their names in units.
    pub methods: BTreeMap<String, Method>,
    /// Those that are run, in the order of the table; the first is what the others are compared
    /// with unless they say another.
    pub compare: Vec<String>,
    #[serde(default)]
    pub report: Shown,
}

/// What networks are trained on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Data {
    /// The data set's name.
    pub set: String,
    /// Share of the training set that is held, for curves and rates.
    pub held: f64,
    /// Training samples at most, drawn by the seed; all unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Height and width to which images are averaged; their own unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<usize>,
    /// Whether each channel has mean 0 and deviation 1 over the training images.
    #[serde(default)]
    pub standardised: bool,
    /// Whether training shifts images by up to an eighth of their side and mirrors them.
    #[serde(default)]
    pub augmented: bool,
}

/// What networks are priced by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Price {
    #[default]
    Parameters,
    Macs,
}

/// What a network may cost.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Budget {
    #[serde(default)]
    pub price: Price,
    /// Multiples of the start's cost, for each of which all methods are run; the cost of the
    /// target widths if there is none.
    #[serde(default)]
    pub multiples: Vec<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OptimizerName {
    AdamW,
    Sgd,
}

/// The learning rate over the training cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ScheduleName {
    /// Constant until 60 %, then half a cosine to 0.
    #[default]
    StableThenDecay,
    /// Half a cosine to 0.
    Cosine,
    /// A tenth from 50 % on, a hundredth from 75 % on.
    Steps,
    Constant,
}

/// How networks are trained.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Train {
    pub optimizer: OptimizerName,
    #[serde(default)]
    pub weight_decay: f64,
    /// Of stochastic gradient descent.
    #[serde(default)]
    pub momentum: f64,
    pub batch: usize,
    /// What a run costs altogether, in epochs of the target.
    pub epochs: usize,
    /// The learning rates that every method chooses from.
    #[serde(default)]
    pub rates: Vec<f64>,
    #[serde(default)]
    pub schedule: ScheduleName,
}

/// How a network comes to its size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// It grows from the start.
    #[default]
    Grown,
    /// It has the target widths from the start.
    Scratch,
    /// It keeps the start's widths.
    Start,
    /// It starts wider, and loses channels.
    Pruned,
}

/// One way of coming to a network, a row of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Method {
    /// What a reader calls it.
    pub label: String,
    #[serde(default)]
    pub way: Way,
    /// Its learning rate, the best of the recipe's rates on held samples of other seeds.
    pub rate: f64,
    /// Of training from scratch: the method that is run first, whose final widths it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widths_of: Option<String>,
    /// The method that it is compared with, if not the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    #[serde(default)]
    pub prune: Prune,
    /// The widths that it starts from, if not the network's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Widths>,
    /// What is other than in the recipe's own section.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub train: Table,
    /// What is other than in the recipe's own section.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub grow: Table,
}

/// How the channels that stay are chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ranking {
    /// Those of largest L1 norm of their weights, the same share of each layer (arXiv 1608.08710).
    #[default]
    FilterNorm,
    /// Those of largest BatchNorm scale among all layers' together, one in each at least (network
    /// slimming, arXiv 1708.06519).
    NormScale,
}

/// How a wide network is pruned.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Prune {
    /// What it costs for one sample before, in units of the budget.
    pub from: f64,
    /// The share of the training cost at which it is pruned.
    pub at: f64,
    pub ranking: Ranking,
    /// Until then, what the L1 norm of all BatchNorm scales is multiplied by in the loss.
    pub sparsity: f64,
}

impl Default for Prune {
    fn default() -> Self {
        Self {
            from: 2.5,
            at: 0.4,
            ranking: Ranking::default(),
            sparsity: 0.0,
        }
    }
}

/// What tables and figures show.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Shown {
    /// Methods whose curves are drawn; all if there is none.
    pub drawn: Vec<String>,
    /// Methods whose widths over growth steps are drawn.
    pub widths: Vec<String>,
    /// Whether accuracies are those on held samples: where settings are compared.
    pub held: bool,
    /// Whether the methods' rates are what the study of rates found; else the table says that they
    /// are not.
    pub rates_chosen: bool,
    /// Figures of papers, beside ours.
    pub paper: Vec<PaperFigure>,
    /// Sentences below the table.
    pub notes: Vec<String>,
}

/// A figure that a paper prints.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct PaperFigure {
    /// What it is of.
    pub label: String,
    /// Test accuracy, percent.
    pub accuracy: f64,
    /// Parameters, as the paper writes them.
    #[serde(default)]
    pub parameters: String,
    /// Multiply-accumulates of a forward pass, as the paper writes them.
    #[serde(default)]
    pub macs: String,
    /// Paper and table.
    pub source: String,
}

/// A method with its own settings filled in.
#[derive(Debug, Clone)]
pub(crate) struct Arm<'a> {
    pub name: &'a str,
    pub method: &'a Method,
    pub train: Train,
    pub grow: Grow,
}

impl Recipe {
    /// # Errors
    /// [`ExperimentError::Settings`] that says what does not fit.
    pub fn check(&self) -> Result<(), ExperimentError> {
        let wrong = |problem: String| Err(ExperimentError::Settings(problem));
        if self.compare.is_empty() {
            return wrong("`compare` names no method".into());
        }
        if self.seeds == 0 {
            return wrong("`seeds` must be at least 1".into());
        }
        if !(self.data.held > 0.0 && self.data.held < 1.0) {
            return wrong(format!(
                "data.held = {}: a share of the training set, above 0 and below 1",
                self.data.held
            ));
        }
        let multiples = &self.budget.multiples;
        if let Some(multiple) = multiples
            .iter()
            .find(|multiple| multiple.is_nan() || **multiple < 1.0)
        {
            return wrong(format!(
                "budget.multiples: {multiple} times the start's cost is less than the start's"
            ));
        }
        match (multiples.is_empty(), &self.net.target, &self.net.start) {
            (false, _, None) => {
                return wrong("budget.multiples are of the start's cost: give `net.start`".into());
            }
            (true, None, _) => {
                return wrong("give `net.target`, or `net.start` and `budget.multiples`".into());
            }
            _ => {}
        }
        for arm in self.arms()? {
            self.check_arm(&arm)?;
        }
        let drawn = self.report.drawn.iter().chain(&self.report.widths);
        for name in drawn {
            self.arm(name)?;
        }
        Ok(())
    }

    fn check_arm(&self, arm: &Arm<'_>) -> Result<(), ExperimentError> {
        let Arm {
            name,
            method,
            train,
            grow,
        } = arm;
        let wrong = |problem: String| {
            Err(ExperimentError::Settings(format!(
                "methods.{name}: {problem}"
            )))
        };
        if train.epochs == 0 || train.batch == 0 {
            return wrong("train.epochs and train.batch must be at least 1".into());
        }
        let rates = train.rates.iter().chain([&method.rate]);
        if let Some(rate) = rates
            .into_iter()
            .find(|rate| !(**rate > 0.0 && rate.is_finite()))
        {
            return wrong(format!("a learning rate of {rate}: it must be above 0"));
        }
        if !(0.0..=1.0).contains(&grow.until) {
            return wrong(format!(
                "grow.until = {}: a share of the training cost",
                grow.until
            ));
        }
        let net = &self.net;
        for widths in net.target.iter().chain(&net.start).chain(&method.start) {
            net.widths(widths)?;
        }
        grow.criterion()?;
        grow.selector()?;
        let prune = &method.prune;
        if !(prune.from >= 1.0 && prune.from.is_finite() && (0.0..1.0).contains(&prune.at)) {
            return wrong(format!(
                "prune.from = {} and prune.at = {}: at least 1, and a share of the training cost",
                prune.from, prune.at
            ));
        }
        for other in method.widths_of.iter().chain(&method.against) {
            self.arm(other)?;
        }
        let Some(first) = &method.widths_of else {
            return Ok(());
        };
        if !self.net.kind.takes_found_widths() {
            return wrong(format!(
                "widths-of: {:?} cannot be made with widths that growing found",
                self.net.kind
            ));
        }
        match method.way == Way::Scratch && self.arm(first)?.method.widths_of.is_none() {
            true => Ok(()),
            false => wrong(
                "widths-of is for `way = \"scratch\"`, and names a method that finds its own widths"
                    .into(),
            ),
        }
    }

    /// The method of that name with its settings.
    ///
    /// # Errors
    /// [`ExperimentError::Settings`] for a name that is none, or for settings that do not fit.
    pub fn arm(&self, name: &str) -> Result<Arm<'_>, ExperimentError> {
        let Some((name, method)) = self.methods.get_key_value(name) else {
            let known: Vec<&str> = self.methods.keys().map(String::as_str).collect();
            return Err(ExperimentError::Settings(format!(
                "`{name}` is no method: there are {}",
                known.join(", ")
            )));
        };
        let place = |section: &str| format!("methods.{name}.{section}");
        Ok(Arm {
            name,
            method,
            train: overlaid(&self.train, &method.train, &place("train"))?,
            grow: overlaid(&self.grow, &method.grow, &place("grow"))?,
        })
    }

    /// The methods that are run, in the order of the table.
    ///
    /// # Errors
    /// Those of [`arm`](Self::arm).
    pub fn arms(&self) -> Result<Vec<Arm<'_>>, ExperimentError> {
        self.compare.iter().map(|name| self.arm(name)).collect()
    }
}

/// `base` with the entries of `changes` in place of its own.
fn overlaid<T: Serialize + for<'de> Deserialize<'de>>(
    base: &T,
    changes: &Table,
    place: &str,
) -> Result<T, ExperimentError> {
    let unfit = |error: String| ExperimentError::Settings(format!("{place}: {error}"));
    let mut table = Table::try_from(base).map_err(|error| unfit(error.to_string()))?;
    overlay(&mut table, changes.clone());
    // The error says what may stand there, with its last newline.
    T::deserialize(table).map_err(|error| unfit(error.to_string().trim_end().to_owned()))
}
