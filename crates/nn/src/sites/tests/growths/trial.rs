//! A model of the zoo under growths, and the same network under other weights.

use super::*;

pub(super) const EPSILON: f64 = 0.3;

/// Numbers of either sign that follow from `seed`.
pub(super) fn drawn(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

pub(super) fn size(parts: &[Slices]) -> usize {
    parts.iter().map(|part| part.size).sum()
}

pub(super) fn new_neuron(graph: &Graph, site: &Site, seed: u64) -> NewNeuron {
    NewNeuron {
        site: site.name().into(),
        fan_in: drawn(site.dim(), seed),
        fan_out: drawn(size(&graph.fan_out(site)), seed ^ 0xfa2),
        scaled: Side::FanOut,
        statistics: Vec::new(),
        like: None,
    }
}

pub(super) fn silent(new: &NewNeuron) -> NewNeuron {
    NewNeuron {
        fan_out: Vec::new(),
        ..new.clone()
    }
}

pub(super) fn removal(site: &Site, neuron: usize) -> Growth {
    let site = site.name().into();
    Growth::Removal(Removal { site, neuron })
}

/// A split of which no copy moves.
pub(super) fn copies(site: &Site, neuron: usize) -> Growth {
    let copy = |weight| Offspring {
        weight,
        offset: vec![0.0; site.dim()],
    };
    Growth::Split(Split {
        site: site.name().into(),
        neuron,
        scheme: Scheme::Positive3,
        offspring: vec![copy(0.7), copy(-0.2), copy(0.5)],
    })
}

pub(super) fn moving(site: &Site, neuron: usize, seed: u64) -> Growth {
    let vector = drawn(site.dim(), seed);
    let mut plan = split(site.name(), neuron, &vector);
    plan.growths.remove(0).growth
}

pub(super) fn largest(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b);
    pairs.fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

/// A model, a pass of it and what it answers.
pub(super) struct Trial {
    pub(super) study: Study,
    pub(super) values: Values,
    pub(super) before: Vec<f64>,
    pub(super) scale: f64,
}

impl Trial {
    pub(super) fn new<M: Operable>() -> Self {
        Self::of(Study::new::<M>(DType::F64))
    }

    fn of(study: Study) -> Self {
        let network = &study.network;
        let run = network.run(&study.inputs, BATCH, &|_| true, &mut NoProbe);
        let (output, mut values) = run.expect("it was traced");
        values.insert(network.trace.output, output.clone());
        let before = numbers(output);
        let scale = before.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        Self {
            study,
            values,
            before,
            scale,
        }
    }

    pub(super) fn graph(&self) -> &Graph {
        self.study.network.trace.graph()
    }

    pub(super) fn sites(&self) -> Vec<&Site> {
        self.graph().growable().collect()
    }

    pub(super) fn grown(&self, plan: &Plan) -> Grown<'_> {
        let grown = Grown::new(&self.study.network, plan);
        grown.unwrap_or_else(|error| panic!("{}: {error}: {plan}", self.study.name))
    }

    /// What the replay answers under `plan`.
    pub(super) fn replayed(&self, plan: &Plan, epsilon: f64) -> Value {
        let grown = self.grown(plan);
        let network = grown.at(epsilon);
        let output = network.run_from(&self.values, &grown.changed(), BATCH);
        output.unwrap_or_else(|error| panic!("{}: {error}: {plan}", self.study.name))
    }

    pub(super) fn operated(&self, plan: &Plan, epsilon: f64) -> AnyModel {
        let found = apply_plan(&self.study.model, self.graph(), plan, epsilon);
        let (model, _) =
            found.unwrap_or_else(|error| panic!("{}: {error}: {plan}", self.study.name));
        model
    }

    pub(super) fn answers(&self, model: &AnyModel) -> Vec<f64> {
        let model = crate::copies::inference(model);
        numbers(model.predict(self.study.input.clone()).into_value())
    }

    pub(super) fn is_close(&self, what: &str, plan: &Plan, a: &[f64], b: &[f64], bound: f64) {
        let moved = largest(a, b);
        assert!(
            moved <= bound * self.scale,
            "{}, {what}: {moved:e} of {:e}\n{plan}",
            self.study.name,
            self.scale
        );
    }

    /// What surgery and the replay answer at ε, which is the same, and to what widths both go.
    pub(super) fn both(&self, plan: &Plan, epsilon: f64) -> Vec<f64> {
        let replayed = numbers(self.replayed(plan, epsilon));
        let model = self.operated(plan, epsilon);
        let own = self.answers(&model);
        self.is_close("surgery against replay", plan, &own, &replayed, 1e-10);
        let trace = Trace::of(&model, &self.study.input, |model: &AnyModel, x| {
            model.predict(x)
        });
        let trace = trace.unwrap_or_else(|error| panic!("{}: {error}: {plan}", self.study.name));
        let widths = self.graph().widths().into_iter().map(|(name, width)| {
            let width = width.checked_add_signed(plan.channels_added(&name));
            (name, width.expect("some are left"))
        });
        let widths: Vec<(String, usize)> = widths.collect();
        // A single channel cannot always be told from none once it is traced anew.
        let single = |widths: &[(String, usize)]| widths.iter().any(|(_, width)| *width == 1);
        if !single(&widths) || single(&self.graph().widths()) {
            let found = trace.graph().widths();
            assert_eq!(
                found,
                widths,
                "{}: {plan}\n{}",
                self.study.name,
                trace.graph()
            );
        }
        for (group, width) in self.grown(plan).at(epsilon).widths {
            let name = self.graph().sites()[group.index()].name();
            let known = widths.iter().find(|(site, _)| site == name);
            assert_eq!(
                known.map(|(_, width)| *width),
                Some(width),
                "{name}: {plan}"
            );
        }
        replayed
    }

    /// The new neurons of `plan` have the fan-ins that it says and read no others that are new.
    pub(super) fn new_neurons_read_the_old_ones(&self, plan: &Plan) {
        let graph = self.graph();
        let grown = self.grown(plan).at(EPSILON);
        let width = |group| grown.widths.get(&group).copied();
        let mut added: HashMap<&str, usize> = HashMap::new();
        for growth in plan.growths() {
            let Growth::NewNeuron(new) = growth else {
                panic!("{growth} is no new neuron");
            };
            let site = self.study.site(&new.site);
            let count = added.entry(&new.site).or_default();
            let channel = site.width() + *count;
            *count += 1;
            let mut rest = &new.fan_in[..];
            for part in site.fan_in() {
                let (own, after) = rest.split_at(part.size);
                rest = after;
                let parameter = &graph.parameters()[part.parameter];
                let value = Tensor::<1>::from_dispatch(grown.parameters[&parameter.id].clone());
                let shape: Vec<usize> = value.shape().iter().copied().collect();
                let places = parameter.axes[part.axis].places_with(site.group(), channel, &width);
                let inner: usize = shape[part.axis + 1..].iter().product();
                let numbers = numbers(value.into_dispatch()).into_iter().enumerate();
                let of_channel =
                    numbers.filter(|(at, _)| places.contains(&(at / inner % shape[part.axis])));
                let mut found: Vec<f64> = of_channel.map(|(_, number)| number).collect();
                found.retain(|number| *number != 0.0);
                let mut own = own.to_vec();
                for all in [&mut found, &mut own] {
                    all.sort_by(f64::total_cmp);
                }
                assert_eq!(
                    found, own,
                    "{}: `{}`\n{plan}",
                    self.study.name, parameter.path
                );
            }
        }
    }

    /// The network in which numbers of parameters are changed.
    pub(super) fn with(&self, change: &dyn Fn(usize, &mut Vec<f64>)) -> Network {
        let network = &self.study.network;
        let mut parameters = network.parameters.clone();
        for (index, parameter) in self.graph().parameters().iter().enumerate() {
            if let Some(place) = parameters.get_mut(&parameter.id) {
                let mut all = numbers(place.clone());
                change(index, &mut all);
                *place = value(TensorData::new(all, parameter.shape.clone()));
            }
        }
        network.with(parameters, HashMap::new())
    }

    /// What the network answers in which some channels are read by other weights: `added` to them,
    /// in the order of a fan-out, or by none.
    pub(super) fn read_otherwise(
        &self,
        added: &[(&Site, usize, Vec<f64>)],
        removed: &[(&Site, usize)],
    ) -> Vec<f64> {
        let graph = self.graph();
        let network = self.with(&|index, all| {
            for (site, channel, weights) in added {
                let mut rest = &weights[..];
                for part in graph.fan_out(site) {
                    let (own, after) = rest.split_at(part.size);
                    rest = after;
                    if part.parameter == index {
                        let places = graph.slice(site, &part, *channel);
                        assert_eq!(places.len(), own.len());
                        places
                            .into_iter()
                            .zip(own)
                            .for_each(|(at, by)| all[at] += by);
                    }
                }
            }
            for (site, channel) in removed {
                let parts = graph.fan_out(site).into_iter();
                for part in parts.filter(|part| part.parameter == index) {
                    let places = graph.slice(site, &part, *channel);
                    places.into_iter().for_each(|at| all[at] = 0.0);
                }
            }
        });
        let output = network.forward(&self.study.inputs, BATCH);
        numbers(output.expect("it runs as it ran"))
    }

    /// `θ` of a channel, and where it lies.
    pub(super) fn theta(&self, site: &Site, channel: usize) -> (Vec<f64>, HashSet<(usize, usize)>) {
        let graph = self.graph();
        let (mut theta, mut places) = (Vec::new(), HashSet::new());
        for part in site.fan_in() {
            let id = graph.parameters()[part.parameter].id;
            let all = numbers(self.study.network.parameters[&id].clone());
            for place in graph.slice(site, part, channel) {
                theta.push(all[place]);
                places.insert((part.parameter, place));
            }
        }
        (theta, places)
    }

    /// Random weights to read a channel by, 0 where those of neurons in `places` would be meant.
    pub(super) fn reads(
        &self,
        site: &Site,
        channel: usize,
        places: &HashSet<(usize, usize)>,
        seed: u64,
    ) -> Vec<f64> {
        let graph = self.graph();
        let mut weights = Vec::new();
        for part in graph.fan_out(site) {
            for place in graph.slice(site, &part, channel) {
                let weight = drawn(1, seed.wrapping_mul(9973) ^ weights.len() as u64)[0];
                let meant = places.contains(&(part.parameter, place));
                weights.push(if meant { 0.0 } else { weight });
            }
        }
        weights
    }
}
