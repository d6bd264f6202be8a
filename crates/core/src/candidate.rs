//! Candidates: growths as selectors see them.

use crate::capture::{MAX_ADDED, Site};
use crate::growth::{Gain, Growth, NewLayer, NewNeuron, Side, Split};
use crate::place::Place;
use crate::scheme::{Offspring, Scheme};

/// One possible growth, as selectors see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// What would be done.
    pub growth: Growth,
    /// The predicted decrease of the loss, where the criterion predicts one.
    pub gain: Option<Gain>,
    /// What selectors rank by, larger first.
    pub score: f64,
    /// What it adds to the cost of the network as it stands: parameters, or what the cost model
    /// counts.
    pub price: u64,
}

impl Candidate {
    /// The candidate of a growth of `site`, priced, without gain and with score 0.
    pub fn new(site: &Site, growth: Growth) -> Self {
        let added = usize::try_from(growth.channels_added()).unwrap_or(0);
        Self {
            price: match added {
                0 => 0,
                added => site.added_costs[added.min(MAX_ADDED) - 1],
            },
            growth,
            gain: None,
            score: 0.0,
        }
    }

    /// The candidate that splits `neuron` of `site` into `offspring`.
    pub fn split(site: &Site, neuron: usize, scheme: Scheme, offspring: Vec<Offspring>) -> Self {
        let split = Split {
            site: site.name.clone(),
            neuron,
            scheme,
            offspring,
        };
        Self::new(site, Growth::Split(split))
    }

    /// The candidate that adds a neuron to `site`.
    pub fn new_neuron(site: &Site, fan_in: Vec<f64>, fan_out: Vec<f64>, scaled: Side) -> Self {
        let neuron = NewNeuron {
            site: site.name.clone(),
            fan_in,
            fan_out,
            scaled,
            statistics: Vec::new(),
            like: None,
        };
        Self::new(site, Growth::NewNeuron(neuron))
    }

    /// The same new neuron, with scales and slopes like neuron `neuron`'s
    /// ([`NewNeuron::like`]); any other growth as it is.
    #[must_use]
    pub fn like(mut self, neuron: usize) -> Self {
        if let Growth::NewNeuron(new) = &mut self.growth {
            new.like = Some(neuron);
        }
        self
    }

    /// The candidate that puts a block at `place`.
    pub fn new_layer(place: &Place, opening: Vec<f64>, closing: Vec<f64>) -> Self {
        Self {
            growth: Growth::NewLayer(NewLayer {
                stack: place.stack.clone(),
                after: place.after,
                opening,
                closing,
            }),
            gain: None,
            score: 0.0,
            price: place.price,
        }
    }

    /// With a predicted decrease.
    #[must_use]
    pub fn with_gain(mut self, gain: Gain) -> Self {
        self.gain = Some(gain);
        self
    }

    /// With the number that selectors rank by.
    #[must_use]
    pub fn with_score(mut self, score: f64) -> Self {
        self.score = score;
        self
    }

    /// What it is worth: its predicted gain, or its score where none is predicted.
    pub fn value(&self) -> f64 {
        self.gain.map_or(self.score, |gain| gain.value)
    }
}
