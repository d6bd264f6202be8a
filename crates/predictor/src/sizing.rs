//! How large the network is to start from.

use burgeon::backend::flex::FLEX;
use burgeon::core::cost::{CostModel, Macs};
use burgeon::core::select::WidthPrice;
use burgeon::core::{LayerShape, SplitBackend};
use burgeon::nn::WidthCost;
use burgeon::nn::cost::graph_layers;
use burgeon::nn::growable::parameter_count;
use burgeon::prelude::*;

use crate::architecture::{Architecture, Form};
use crate::error::PredictorError;
use crate::latency::{self, PassLatency, TimedNetwork};
use crate::settings::{FitSettings, SizeBudget};

/// The widest hidden layer that growing starts from.
const MOST_WIDTH: usize = 1 << 14;

/// The most weights that a network to start from is made with.
const MOST_WEIGHTS: u64 = 1 << 28;

/// Doublings of the width of 4 at which networks are timed.
const MOST_DOUBLINGS: usize = 11;

/// What a network is measured by: the budget, and what latency is predicted by where it is one of
/// time.
#[derive(Debug)]
pub(crate) struct Sizing<'a, A: Architecture> {
    pub settings: &'a FitSettings,
    pub latency: Option<PassLatency>,
    /// One sample.
    pub example: Samples<A::Input>,
}

impl<A: Architecture> Sizing<'_, A> {
    /// What may not be exceeded, in the budget's unit.
    pub fn most(&self) -> u64 {
        let (SizeBudget::Parameters(most) | SizeBudget::Macs(most) | SizeBudget::Latency(most)) =
            self.settings.budget;
        most
    }

    /// What `model` costs in the unit of the budget.
    pub fn size(&self, model: &A) -> Result<u64, PredictorError> {
        let layers = || -> Result<Vec<LayerShape>, PredictorError> {
            Ok(graph_layers(trace(model, &self.example)?.graph()))
        };
        Ok(match (self.settings.budget, &self.latency) {
            (SizeBudget::Parameters(_), _) => parameter_count(model),
            (SizeBudget::Latency(_), Some(latency)) => latency.cost(&layers()?),
            _ => Macs.cost(&layers()?),
        })
    }

    /// Times the network of `form` at several widths, and its layers at all of them.
    ///
    /// # Errors
    /// As [`PassLatency::of`].
    pub fn time(&mut self, form: &Form) -> Result<(), PredictorError> {
        let enough = self.most().saturating_mul(2);
        let mut networks: Vec<TimedNetwork> = Vec::new();
        for doubling in 0.. {
            let factor = 1 << doubling;
            let form = match &form.file {
                Some(file) => Form {
                    file: Some(file.scaled(factor)),
                    ..form.clone()
                },
                None => Form {
                    widths: form.widths.iter().map(|_| 4 * factor).collect(),
                    ..form.clone()
                },
            };
            let network = A::new(&form, &FLEX.device());
            let layers = graph_layers(trace(&network, &self.example)?.graph());
            let nanoseconds = pass(&network, &form.shape);
            networks.push(TimedNetwork {
                layers,
                nanoseconds,
            });
            let last = match &form.file {
                // It grows by so much at most.
                Some(_) => self.settings.growths.max(1),
                None => MOST_DOUBLINGS,
            };
            if nanoseconds > enough || doubling >= last {
                break;
            }
        }
        self.latency = Some(PassLatency::of(&networks, &FLEX)?);
        Ok(())
    }

    /// Refuses a network to start from whose weights alone are above the budget, or more than are
    /// worth a try, before any is made.
    pub fn check_form(&self, form: &Form) -> Result<(), PredictorError> {
        let weights = form.weights();
        let refused = |problem| Err(PredictorError::Settings(problem));
        if weights > MOST_WEIGHTS {
            return refused(format!(
                "the network to start from has {weights} weights, and {MOST_WEIGHTS} are the most: \
                 make its layers narrower"
            ));
        }
        match self.settings.budget {
            // Each weight is multiplied with something at least once.
            SizeBudget::Parameters(most) | SizeBudget::Macs(most) if weights > most => {
                refused(format!(
                    "the budget of {} is below the {weights} weights of the network to start from: \
                     raise it, or make its layers narrower",
                    self.settings.budget
                ))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a network to start from that is above the budget.
    pub fn check(&self, model: &A) -> Result<(), PredictorError> {
        let size = self.size(model)?;
        match size > self.most() {
            true => Err(PredictorError::Settings(format!(
                "the budget of {} is below the {} of the network to start from: raise it",
                self.settings.budget,
                self.shown(size)
            ))),
            false => Ok(()),
        }
    }

    /// The width of the hidden layers of `form` to start from: after all growths they fill the
    /// budget as far as they can.
    pub fn start_width(&self, form: &Form) -> Result<usize, PredictorError> {
        let growths = self.settings.growths;
        let network = |width: usize| {
            let form = Form {
                widths: vec![width; form.widths.len()],
                ..form.clone()
            };
            A::new(&form, &FLEX.device())
        };
        let graph = trace(&network(2), &self.example)?.graph().clone();
        let sites = graph.widths();
        let price = match (self.settings.budget, &self.latency) {
            (SizeBudget::Parameters(_), _) => None,
            (SizeBudget::Latency(_), Some(latency)) => Some(WidthCost::new(graph, latency.clone())),
            _ => Some(WidthCost::new(graph, Macs)),
        };
        let size = |width: usize| -> Result<u64, PredictorError> {
            let widths: Vec<_> = sites
                .iter()
                .map(|(site, _)| (site.clone(), width))
                .collect();
            match price.as_ref().and_then(|price| price.cost(&widths)) {
                Some(cost) => Ok(cost),
                None => self.size(&network(width)),
            }
        };
        let most = self.most();
        let lanes = self.settings.lanes;
        let least = size(lanes)?;
        if least > most {
            let neurons = match lanes {
                1 => "one neuron".to_owned(),
                lanes => format!("{lanes} neurons"),
            };
            return Err(PredictorError::Settings(format!(
                "the budget of {} is below the {} of a network with {neurons} in each hidden \
                 layer: raise it",
                self.settings.budget,
                self.shown(least)
            )));
        }
        // Half the lanes double to all of them, where there is no room for more.
        let fits = size(lanes << growths)? <= most;
        let unit = match fits || growths == 0 || lanes % 2 == 1 {
            true => lanes,
            false => lanes / 2,
        };
        let mut width = unit;
        while width < MOST_WIDTH && size((width + unit) << growths)? <= most {
            width += unit * (1 + width / (16 * unit));
        }
        while width > unit && size(width << growths)? > most {
            width -= unit;
        }
        Ok(width)
    }

    fn shown(&self, size: u64) -> String {
        match self.settings.budget {
            SizeBudget::Latency(_) => format!("{:.4} ms", size as f64 / 1e6),
            _ => size.to_string(),
        }
    }
}

/// The median time of one forward pass of one sample, in nanoseconds.
pub(crate) fn pass<A: Architecture>(network: &A, shape: &[usize]) -> u64 {
    let numbers = shape.iter().product();
    let input = A::inputs(vec![0.5; numbers], shape, &FLEX.device());
    latency::time(|| {
        network.predict(input.clone()).into_data();
    })
}
