//! Weights that growths added not long ago, which have a learning rate of their own.

use std::collections::{BTreeMap, HashMap};

use burgeon_graph::Graph;
use burgeon_nn::ports::InnerOrSelf;
use burgeon_nn::surgery::ParamEdits;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::settings::NewWeightRate;

/// The weights that have a rate of their own, growth by growth, the latest last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Newborn {
    cohorts: Vec<Cohort>,
}

/// The weights of one growth.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cohort {
    /// Optimizer steps since.
    pub steps: usize,
    /// For each parameter, by path, for each of its axes, which places are new: a weight is where
    /// one of its places is.
    pub parameters: BTreeMap<String, Vec<Vec<bool>>>,
}

impl Newborn {
    /// The growths whose weights still have a rate of their own, the latest last.
    pub fn cohorts(&self) -> &[Cohort] {
        &self.cohorts
    }

    /// Takes note of a growth, `edits` of a model of `graph`.
    pub(crate) fn bear(&mut self, graph: &Graph, edits: &ParamEdits) {
        let mut cohort = Cohort::default();
        for id in edits.parameters() {
            let Some(parameter) = graph.parameter(id).filter(|own| own.trained) else {
                continue;
            };
            let old = || parameter.shape.iter().map(|length| vec![false; *length]);
            let mut places: Vec<Vec<bool>> = old().collect();
            for (axis, kept) in edits.kept_places(id) {
                for before in &mut self.cohorts {
                    // What is new once more is of the new growth alone.
                    let known = before.parameters.get_mut(&parameter.path);
                    if let Some(places) = known.and_then(|axes| axes.get_mut(axis)) {
                        let was = |place: &Option<usize>| {
                            place.is_some_and(|at| places.get(at).copied().unwrap_or(false))
                        };
                        *places = kept.iter().map(was).collect();
                    }
                }
                if let Some(own) = places.get_mut(axis) {
                    *own = kept.iter().map(Option::is_none).collect();
                }
            }
            cohort.parameters.insert(parameter.path.clone(), places);
        }
        self.cohorts.push(cohort);
    }

    /// So many steps later.
    pub(crate) fn age(&mut self, steps: usize, rate: Option<NewWeightRate>) {
        for cohort in &mut self.cohorts {
            cohort.steps += steps;
        }
        let most = rate.map_or(0, |rate| rate.steps());
        self.cohorts.retain(|cohort| cohort.steps < most);
    }

    /// What changes updates of `model`, whose parameters are on a device.
    pub(crate) fn masks<M: Module>(&self, model: &M, rate: Option<NewWeightRate>) -> Masks {
        let mut masks = Masks {
            rate,
            ages: Vec::new(),
            of: HashMap::new(),
            steps: 0,
        };
        if rate.is_some() {
            for (number, cohort) in self.cohorts.iter().enumerate() {
                masks.ages.push(cohort.steps);
                let later = &self.cohorts[number + 1..];
                let mut finder = Finder {
                    cohort,
                    later,
                    number,
                    path: Vec::new(),
                    masks: &mut masks.of,
                };
                model.visit(&mut finder);
            }
        }
        masks
    }
}

/// Which entries of a parameter of these places are new.
fn entries(places: &[Vec<bool>]) -> Vec<bool> {
    let mut entries = vec![false];
    for axis in places {
        entries = entries
            .iter()
            .flat_map(|&entry| axis.iter().map(move |place| entry | place))
            .collect();
    }
    entries
}

/// Finds the parameters of a cohort, and which of their entries no later one has.
struct Finder<'a> {
    cohort: &'a Cohort,
    later: &'a [Cohort],
    number: usize,
    path: Vec<String>,
    masks: &'a mut Entries,
}

impl ModuleVisitor for Finder<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        let Some(places) = self.cohort.parameters.get(&path) else {
            return;
        };
        let mut own = entries(places);
        for later in self.later {
            if let Some(places) = later.parameters.get(&path) {
                for (own, taken) in own.iter_mut().zip(entries(places)) {
                    *own &= !taken;
                }
            }
        }
        let value = param.val().inner_or_self();
        let count = value.shape().num_elements();
        if own.len() != count || !own.contains(&true) {
            return;
        }
        let mask = Tensor::from_data(TensorData::new(own, [count]), &value.device());
        self.masks
            .entry(param.id)
            .or_default()
            .push((self.number, mask));
    }
}

/// For each parameter, of each cohort which entries are its own, flat.
type Entries = HashMap<ParamId, Vec<(usize, Tensor<1, Bool>)>>;

/// What changes the updates of newborn weights.
pub(crate) struct Masks {
    rate: Option<NewWeightRate>,
    /// Steps that each cohort had made before.
    ages: Vec<usize>,
    of: Entries,
    steps: usize,
}

impl Masks {
    /// Steps made.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// What must be kept of `model` until it has made a step.
    pub fn before<M: Module>(&self, model: &M) -> Option<M> {
        (!self.of.is_empty()).then(|| model.clone())
    }

    /// `stepped` with the updates since `before` of newborn weights multiplied by their factor.
    /// Other weights are not touched.
    pub fn after<M: Module>(&mut self, before: Option<M>, stepped: M) -> M {
        let (made, rate) = (self.steps, self.rate);
        self.steps += 1;
        let (Some(before), Some(rate)) = (before, rate) else {
            return stepped;
        };
        let factors: Vec<f64> = self
            .ages
            .iter()
            .map(|age| rate.factor(age + made))
            .collect();
        if factors.iter().all(|factor| *factor == 1.0) {
            return stepped;
        }
        let mut old = Values {
            of: &self.of,
            found: HashMap::new(),
        };
        before.visit(&mut old);
        let before = old.found;
        stepped.map(&mut Scaler {
            masks: &self.of,
            factors,
            before,
        })
    }
}

/// Finds the values of parameters with newborn weights, flat.
struct Values<'a> {
    of: &'a Entries,
    found: HashMap<ParamId, Tensor<1>>,
}

impl ModuleVisitor for Values<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.of.contains_key(&param.id) {
            self.found.insert(param.id, flat(param.val()));
        }
    }
}

fn flat<const D: usize>(value: Tensor<D>) -> Tensor<1> {
    let value = value.inner_or_self();
    let count = value.shape().num_elements();
    value.reshape([count])
}

/// Multiplies updates.
struct Scaler<'a> {
    masks: &'a Entries,
    /// Of each cohort.
    factors: Vec<f64>,
    before: HashMap<ParamId, Tensor<1>>,
}

impl ModuleMapper for Scaler<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (Some(masks), Some(before)) =
            (self.masks.get(&param.id), self.before.remove(&param.id))
        else {
            return param;
        };
        let (id, tensor, mapper) = param.consume();
        let (is_autodiff, requires_grad) = (tensor.is_autodiff(), tensor.is_require_grad());
        let strategy = tensor.gradient_checkpointing_strategy();
        let (shape, stepped) = (tensor.shape(), flat(tensor));
        let update = stepped.clone() - before.clone();
        let mut value = stepped;
        for (cohort, mask) in masks {
            let factor = self.factors.get(*cohort).copied().unwrap_or(1.0);
            if factor != 1.0 {
                let own = before.clone() + update.clone().mul_scalar(factor);
                value = value.mask_where(mask.clone(), own);
            }
        }
        let value = value.reshape::<D, _>(shape);
        let value = match is_autodiff {
            true => Tensor::from_inner(value).set_require_grad(requires_grad),
            false => value,
        };
        let value = match strategy {
            Some(strategy) => value.with_gradient_checkpointing_strategy(strategy),
            None => value,
        };
        Param::from_mapped_value(id, value, mapper)
    }
}
