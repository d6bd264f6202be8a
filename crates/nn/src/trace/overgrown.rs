//! The over-grown model: a block that answers what it reads at every place that takes one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use burgeon_graph::{BlockParameter, Graph, Overgrown, Place, Slices};
use burn::module::ParamId;
use burn::tensor::Tensor;

use super::Trace;
use crate::error::NnError;
use crate::growable::{Growable, scalar, try_predict};
use crate::lengthen::{Insertion, lengthened};
use crate::ports::Output;
use crate::replay::{Network, Parameters};
use crate::stack::{NewBlock, Part};

/// What an over-grown model computes, beside the model's own trace.
#[derive(Debug, Clone)]
pub(crate) struct Deeper {
    pub trace: Arc<Trace>,
    /// The floats of all blocks.
    pub blocks: Parameters,
}

/// A model with blocks at the places of some of its stacks.
struct Longer<M> {
    model: M,
    trace: Trace,
    places: Vec<Place>,
    ids: HashSet<ParamId>,
}

/// How much an answer may change by blocks that answer what they read, relative to the largest.
const ROUNDING: f64 = 1e-5;

impl Trace {
    /// Finds out where `model`, of which this is, may become deeper. What a stack does not take is
    /// no error, but told by the graph.
    ///
    /// # Errors
    /// [`NnError::Model`] for a model that cannot be run on `example`.
    pub(super) fn deepen<M: Growable>(
        &mut self,
        model: &M,
        example: &M::Input,
    ) -> Result<(), NnError> {
        let stacks = model.clone().stacks().places();
        if stacks.is_empty() {
            return Ok(());
        }
        let mut refused = Vec::new();
        let mut longer: Option<Longer<M>> = None;
        for (stack, places) in stacks {
            let base = longer.as_ref();
            let found = match places.is_empty() {
                true => Err(
                    "it is empty, and nothing says what stands at its front: name it by \
                             `Stacks::with_front`"
                        .to_owned(),
                ),
                false => self.with_stack(model, base, &stack, &places, example),
            };
            match found {
                Ok(next) => longer = Some(next),
                Err(reason) => refused.push((stack, reason)),
            }
        }
        let overgrown = longer.as_ref().map(|longer| Overgrown {
            graph: longer.trace.graph().clone(),
            places: longer.places.clone(),
        });
        self.graph.set_depth(overgrown, refused);
        self.deeper = match longer {
            None => None,
            Some(longer) => {
                let trace = Arc::new(longer.trace);
                let mut blocks = Network::of(trace.clone(), &longer.model)?.parameters;
                blocks.retain(|id, _| longer.ids.contains(id));
                Some(Deeper { trace, blocks })
            }
        };
        Ok(())
    }

    /// The model with a block at each of `places` too; why not, where it does not take them.
    fn with_stack<M: Growable>(
        &self,
        model: &M,
        base: Option<&Longer<M>>,
        stack: &str,
        places: &[Option<usize>],
        example: &M::Input,
    ) -> Result<Longer<M>, String> {
        let told = |error: NnError| error.to_string();
        let insertions = places.iter().map(|after| Insertion {
            stack,
            after: *after,
        });
        let insertions: Vec<Insertion<'_>> = insertions.collect();
        let shorter = base.map_or(model, |base| &base.model);
        let (longer, blocks) = lengthened(shorter, &insertions).map_err(told)?;
        let trace = Self::of(&longer, example, |model: &M, input| {
            model.clone().rebuilt().predict(input)
        });
        let trace = trace.map_err(told)?;
        check_sites(self.graph(), trace.graph())?;
        let change = change(model, &longer, example)?;
        if change.is_nan() || change > ROUNDING {
            return Err(format!(
                "a new block changes the model's answers by {change:.1e}: `Block::fresh` must have \
                 the form x + h(x), where h is 0 once the weights of `Block::closing` are"
            ));
        }
        let mut all = base.map_or_else(Vec::new, |base| base.places.clone());
        let mut ids = base.map_or_else(HashSet::new, |base| base.ids.clone());
        for (after, block) in places.iter().zip(&blocks) {
            let place = place(stack, *after, block);
            check_path(trace.graph(), &place)?;
            ids.extend(place.ids.iter().copied());
            all.push(place);
        }
        Ok(Longer {
            model: longer,
            trace,
            places: all,
            ids,
        })
    }
}

/// A place with what is to be chosen of its block.
fn place(stack: &str, after: Option<usize>, block: &NewBlock) -> Place {
    let (mut opening, mut closing) = (Vec::new(), Vec::new());
    // A bias is as long as the weights of its layer are; scales are 1.
    let mut of_layer = 1.0;
    for parameter in &block.parameters {
        let fan_in: usize = match parameter.shape[..] {
            [] | [_] => 0,
            [inputs, _] => inputs,
            [_, ref rest @ ..] => rest.iter().product(),
        };
        let (to, deviation) = match parameter.part {
            Part::Other => continue,
            Part::Opening => (&mut opening, 1.0 / (fan_in.max(1) as f64).sqrt()),
            Part::Closing => {
                if fan_in > 0 {
                    of_layer = 1.0 / (fan_in as f64).sqrt();
                }
                (&mut closing, of_layer)
            }
        };
        to.push(BlockParameter {
            id: parameter.id,
            count: parameter.shape.iter().product(),
            deviation,
        });
    }
    Place {
        stack: stack.to_owned(),
        after,
        block: format!("{stack}.blocks.{}", block.number),
        ids: block.parameters.iter().map(|p| p.id).collect(),
        opening,
        closing,
    }
}

/// Checks that the block is where the stack's name says, and used.
fn check_path(graph: &Graph, place: &Place) -> Result<(), String> {
    for parameter in place.opening.iter().chain(&place.closing) {
        let Some(found) = graph.parameter(parameter.id) else {
            return Err("the answer does not depend on all weights of a new block".into());
        };
        if !place.holds(&found.path) {
            return Err(format!(
                "a parameter of a new block lies at `{}`, not in `{}`: `Growable::stacks` must name \
                 the stack by its path in the model",
                found.path, place.block
            ));
        }
    }
    Ok(())
}

/// Checks that all that may grow may do so in the over-grown model, and is made and read by what it
/// was.
fn check_sites(own: &Graph, over: &Graph) -> Result<(), String> {
    for site in own.growable() {
        let name = site.name();
        let same = over
            .site(name)
            .map_err(|error| format!("with a new block `{name}` would no longer grow ({error})"))?;
        let has = |parts: &[Slices], part: &Slices| {
            let id = own.parameters()[part.parameter].id;
            let mut parts = parts.iter();
            parts.any(|p| over.parameters()[p.parameter].id == id && p.axis == part.axis)
        };
        let (fan_out, of_same) = (own.fan_out(site), over.fan_out(same));
        let made = site.fan_in().iter().all(|part| has(same.fan_in(), part));
        let read = fan_out.iter().all(|part| has(&of_same, part));
        if !(made && read) {
            return Err(format!(
                "a new block would stand between `{name}` and what reads it: `Block::fresh` must \
                 have the form x + h(x)"
            ));
        }
    }
    Ok(())
}

/// The largest difference between the answers of two models, relative to the largest answer.
fn change<M: Growable>(model: &M, longer: &M, example: &M::Input) -> Result<f64, String> {
    let rows = |model: &M| -> Result<Tensor<2>, String> {
        let model = crate::copies::inference(model);
        try_predict(&model, example.clone()).map(Output::into_rows)
    };
    let (before, after) = (rows(model)?, rows(longer)?);
    let size = |values: Tensor<2>| {
        scalar::<f64>(values.abs().max().try_into_scalar()).map_err(|error| error.to_string())
    };
    let scale = size(before.clone())?;
    Ok(size(after - before)? / scale.max(f64::MIN_POSITIVE))
}

impl Network {
    /// The over-grown network: with blocks that answer what they read.
    ///
    /// # Errors
    /// [`NnError::Model`] for a model without a place for a block.
    pub(crate) fn deepened(&self) -> Result<Self, NnError> {
        let deeper = self.trace.deeper.as_ref().ok_or_else(|| {
            NnError::Model("it was traced without a stack that may become longer".into())
        })?;
        let mut parameters = self.parameters.clone();
        for (id, value) in &deeper.blocks {
            parameters.insert(*id, self.adopted(value.clone()));
        }
        Ok(self.of_trace(deeper.trace.clone(), parameters, HashMap::new()))
    }
}
