//! One search, each of whose children is trained.

use burgeon_coexplore::chain::{ChainNet, ChainSpace, StageDesigns};
use burgeon_coexplore::{
    Child, Controller, Evolution, Front, FrontPoint, Policy, Problem, RandomPolicy, Reward, Search,
    SearchConfig,
};
use burgeon_core::CostModel;
use burgeon_core::cost::Macs;
use burgeon_data::{DataSet, ImageSet, load};
use burgeon_hardware::Board;
use burgeon_nn::CrossEntropy;
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::growable::evaluate;
use burgeon_train::RateSchedule;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::super::growth::initialise;
use super::super::super::images::{SampleSets, sample_sets, trained};
use super::super::trainings::{self, BETA, CONTROLLER, EVOLUTION, FAST, STEPS, Trained, searched};
use super::net::ChainModel;
use super::{Setting, Way};
use crate::comparison::data::prepared;
use crate::error::ExperimentError;
use crate::study::UnitContext;

/// The board of each stage.
const BOARDS: [&str; 2] = ["zc706"; 2];

/// Words a second between two boards.
const LINK: f64 = 1e9;

/// Children by whose mean period the one design of fixed hardware is chosen.
const PROBES: usize = 200;

const BATCH: usize = 64;

const RATE: f64 = 0.01;

/// What hypervolumes are measured from, beside the limit: a guess among ten classes.
const CHANCE: f64 = 0.1;

/// Share of the training set that is held, which searches are told of.
const HELD: f64 = 0.2;

/// A child that was trained.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    /// Filter size, filters and stride of each convolution.
    pub architecture: Vec<usize>,
    pub held_accuracy: f64,
    pub test_accuracy: f64,
    pub parameters: u64,
    /// Multiply-accumulates of its training.
    pub training_macs: u64,
}

impl Trained for Network {
    fn held_accuracy(&self) -> f64 {
        self.held_accuracy
    }
}

/// A network on its hardware.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Found {
    pub network: Network,
    /// Seconds between two samples.
    pub period: f64,
    /// Mean over the boards of the share of the limit that they work.
    pub utilisation: f64,
}

/// What a search came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outcome {
    /// Its front, by rising period.
    pub front: Vec<Found>,
    /// After each training, the best held accuracy and the hypervolume as a share of the rectangle.
    pub curve: Vec<[f64; 2]>,
    /// What uses its hardware best, and what is most accurate.
    pub efficient: Option<Found>,
    pub accurate: Option<Found>,
    pub steps: usize,
    pub pruned: usize,
    /// How often the hardware model was asked.
    pub measured: usize,
    pub training_macs: u64,
}

/// What results depend on besides the setting, by name.
pub(super) fn constants() -> Value {
    serde_json::json!({
        "searches": trainings::constants(),
        "boards": BOARDS,
        "link": LINK,
        "designs": StageDesigns::default(),
        "probes": PROBES,
        "batch": BATCH,
        "rate": RATE,
        "held": HELD,
    })
}

/// What a reader must know of them.
pub(super) fn described() -> String {
    format!(
        "Two stages, each on a {} of its own; a child is both networks and accelerators, whose tiles \
         and ports are chosen too. Reward: {BETA} of the held accuracy and {:.1} of the mean \
         utilisation, −1 without training beyond the limit. {} Fixed hardware: on both boards the one \
         design whose mean period over {PROBES} random children is least. AdamW, rate {RATE}, batches \
         of {BATCH}, constant until 60 % and then half a cosine; {:.0} % of the training samples are \
         held.",
        BOARDS[0],
        1.0 - BETA,
        trainings::described(),
        100.0 * HELD,
    )
}

/// The space of the setting.
pub(super) fn space(setting: &Setting) -> Result<ChainSpace, ExperimentError> {
    let boards = BOARDS.iter().map(|name| Board::named(name));
    let boards = boards
        .collect::<Result<Vec<_>, _>>()
        .map_err(burgeon_coexplore::CoexploreError::from)?;
    let [channels, side] = setting.images;
    Ok(
        ChainSpace::new(boards, LINK, setting.longest, setting.period)?
            .with_strides()
            .with_filters(setting.filters)?
            .with_images([channels, side, side], 10)?,
    )
}

/// The space with one design for both boards: the one on which random children are fastest.
pub(super) fn fixed(setting: &Setting) -> Result<ChainSpace, ExperimentError> {
    let space = space(setting)?;
    let all = StageDesigns::default();
    let mut random = RandomPolicy::new(&space);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let probes: Vec<Vec<usize>> = (0..PROBES).map(|_| random.propose(&mut rng)).collect();
    let decisions = space.stages()[0].len();
    let mut best: Option<(f64, StageDesigns)> = None;
    for (o, outputs) in all.outputs.iter().enumerate() {
        for (i, inputs) in all.inputs.iter().enumerate() {
            for (t, tile) in all.tiles.iter().enumerate() {
                for (p, ports) in all.ports.iter().enumerate() {
                    let mut sum = 0.0;
                    for probe in &probes {
                        let mut child = probe.clone();
                        for stage in child.chunks_mut(decisions) {
                            stage[decisions - 4..].copy_from_slice(&[o, i, t, p]);
                        }
                        sum += space.measure(&child)?.time;
                    }
                    if best.as_ref().is_none_or(|(least, _)| sum < *least) {
                        let design = StageDesigns {
                            outputs: vec![*outputs],
                            inputs: vec![*inputs],
                            tiles: vec![*tile],
                            ports: vec![*ports],
                        };
                        best = Some((sum, design));
                    }
                }
            }
        }
    }
    let design = best.map_or(all, |(_, design)| design);
    Ok(space.with_designs(design))
}

/// Runs the search of a way.
pub(super) fn run(
    context: &UnitContext,
    recipe: &Value,
    setting: &Setting,
    way: Way,
    seed: u64,
) -> Result<Outcome, ExperimentError> {
    let set = load(DataSet::named(setting.set)?, &context.settings.data)?;
    let set = prepared(set, Some(setting.images[1]), true)?;
    let sets = sample_sets(&set, HELD, seed, context)?.with_train_samples(setting.samples, seed);
    let job = Job {
        context,
        recipe,
        setting,
        set: &set,
        sets: &sets,
        seed,
    };
    let config = SearchConfig::new(Reward::co_exploration(BETA)?, setting.trained, STEPS)?;
    let own = space(setting)?;
    let controller = |space: &ChainSpace| Controller::new(space, CONTROLLER, seed);
    match way {
        Way::TwoLevels => job.search(&own, controller(&own)?, config.with_fast_level(FAST, 0.0)?),
        Way::OneLevel => job.search(&own, controller(&own)?, config),
        Way::Evolution => job.search(
            &own,
            Evolution::new(&own, EVOLUTION.0, EVOLUTION.1)?,
            config,
        ),
        Way::Random => job.search(&own, RandomPolicy::new(&own), config),
        Way::FixedHardware => {
            let space = fixed(setting)?;
            job.search(&space, controller(&space)?, config)
        }
    }
}

struct Job<'a> {
    context: &'a UnitContext,
    recipe: &'a Value,
    setting: &'a Setting,
    set: &'a ImageSet,
    sets: &'a SampleSets,
    seed: u64,
}

impl Job<'_> {
    fn search<P: Policy + Serialize + DeserializeOwned>(
        &self,
        space: &ChainSpace,
        policy: P,
        config: SearchConfig,
    ) -> Result<Outcome, ExperimentError> {
        let search = Search::new(policy, config, self.seed);
        let (search, networks) = searched(
            self.context,
            self.recipe,
            search,
            space,
            &mut |architecture, before| self.train(architecture, before.len()),
            |_| true,
        )?;
        self.outcome(space, &search, &networks)
    }

    /// The network of an architecture, trained from scratch as the `number`th of the search.
    fn train(&self, architecture: &[usize], number: usize) -> Result<Network, ExperimentError> {
        let layers: Vec<[usize; 3]> = architecture.as_chunks().0.to_vec();
        let chain = ChainNet::new(&layers, self.set.train.shape, self.set.classes)?;
        // Every child has weights and an order of samples of its own.
        let seed = self.seed + 1000 * number as u64;
        let backend = self.context.backend.as_ref();
        let model = initialise(backend, seed, |device| Ok(ChainModel::new(&chain, device)))?;
        let forward = Macs.cost(&layer_shapes(&model, &self.sets.held().subset(&[0])?)?);
        let (epochs, samples) = (self.setting.epochs, self.sets.train().len());
        let rate = RateSchedule::stable_then_decay(RATE)?;
        let (model, _) = trained(self.context, self.sets, BATCH, seed, (epochs, rate), model)?;
        let accuracy = |samples| {
            let found = evaluate(&model, &CrossEntropy, samples, 512)?;
            Ok::<_, ExperimentError>(found.accuracy.unwrap_or_default())
        };
        Ok(Network {
            architecture: architecture.to_vec(),
            held_accuracy: accuracy(self.sets.held())?,
            test_accuracy: accuracy(self.sets.test())?,
            parameters: chain.parameters()[1],
            training_macs: 3 * forward * (epochs * samples) as u64,
        })
    }

    fn outcome<P: Policy>(
        &self,
        space: &ChainSpace,
        search: &Search<P>,
        networks: &[Network],
    ) -> Result<Outcome, ExperimentError> {
        let found = |child: &Child| -> Result<Option<Found>, ExperimentError> {
            let architecture = space.architecture(&child.choices)?;
            let network = networks.iter().find(|own| own.architecture == architecture);
            Ok(network.map(|network| Found {
                network: network.clone(),
                period: child.measured.time,
                utilisation: child.measured.mean_utilisation().unwrap_or_default(),
            }))
        };
        let (mut front, mut best, mut curve) = (Front::default(), 0.0_f64, Vec::new());
        for (index, child) in search.children().iter().enumerate() {
            let Some(accuracy) = child.accuracy else {
                continue;
            };
            if child.judged {
                curve.push([0.0; 2]);
            }
            best = best.max(accuracy);
            front.add(FrontPoint {
                cost: child.measured.time,
                value: accuracy,
                child: index,
            });
            let volume = front.hypervolume(self.setting.period, CHANCE);
            if let Some(last) = curve.last_mut() {
                *last = [best, volume / (self.setting.period * (1.0 - CHANCE))];
            }
        }
        let points = front.points().iter();
        let front = points.map(|point| found(&search.children()[point.child]));
        let one = |child: Option<&Child>| child.map_or(Ok(None), found);
        Ok(Outcome {
            front: front
                .flat_map(Result::transpose)
                .collect::<Result<_, _>>()?,
            curve,
            efficient: one(search.most_efficient())?,
            accurate: one(search.most_accurate())?,
            steps: search.children().len(),
            pruned: search
                .children()
                .iter()
                .filter(|child| child.accuracy.is_none())
                .count(),
            measured: search.measured(),
            training_macs: networks.iter().map(|own| own.training_macs).sum(),
        })
    }
}
