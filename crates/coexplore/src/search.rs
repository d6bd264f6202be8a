//! The search: a fast level without training inside a slow one with it.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::error::CoexploreError;
use crate::front::{Front, FrontPoint};
use crate::policy::Policy;
use crate::problem::{Judge, Measured, Problem};
use crate::reward::{Reward, RewardState};

/// Settings of a [`Search`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SearchConfig {
    /// What children are worth.
    pub reward: Reward,
    /// The search ends when so many architectures have been judged…
    pub judged: usize,
    /// …or after so many slow steps: a policy may propose what it knows for ever.
    pub steps: usize,
    /// At most so many fast steps in each slow one; 0 is a search of one level.
    pub fast_steps: usize,
    /// Fast steps go on until the mean utilisation of hardware is this.
    pub utilisation: f64,
    /// Whether children that do not meet the specification are left unjudged.
    pub prune: bool,
}

impl SearchConfig {
    /// One level, with pruning.
    ///
    /// # Errors
    /// [`CoexploreError::Parameter`] for no architecture to judge, or no step.
    pub fn new(reward: Reward, judged: usize, steps: usize) -> Result<Self, CoexploreError> {
        for (name, value) in [("judged", judged), ("steps", steps)] {
            if value == 0 {
                return CoexploreError::parameter(name, value, "at least 1");
            }
        }
        Ok(Self {
            reward,
            judged,
            steps,
            fast_steps: 0,
            utilisation: 0.0,
            prune: true,
        })
    }

    /// With at most `steps` fast steps in each slow one, until the mean utilisation is
    /// `utilisation`.
    ///
    /// # Errors
    /// [`CoexploreError::Parameter`] for a utilisation that is not from 0 to 1.
    pub fn with_fast_level(
        mut self,
        steps: usize,
        utilisation: f64,
    ) -> Result<Self, CoexploreError> {
        if !(0.0..=1.0).contains(&utilisation) {
            return CoexploreError::parameter("utilisation", utilisation, "from 0 to 1");
        }
        self.fast_steps = steps;
        self.utilisation = utilisation;
        Ok(self)
    }

    /// Judging also what does not meet the specification.
    #[must_use]
    pub fn without_pruning(mut self) -> Self {
        self.prune = false;
        self
    }
}

/// What one slow step came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Child {
    /// Its choices.
    pub choices: Vec<usize>,
    /// What the hardware model says.
    pub measured: Measured,
    /// Fast steps that it took.
    pub fast_steps: usize,
    /// Its accuracy, unless it was pruned.
    pub accuracy: Option<f64>,
    /// Whether it was judged for this step, and not known before.
    pub judged: bool,
    /// What the policy was told.
    pub reward: f64,
}

/// A search, which is all of its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search<P> {
    config: SearchConfig,
    seed: u64,
    policy: P,
    reward_state: RewardState,
    #[serde(with = "pairs")]
    memo: BTreeMap<Vec<usize>, f64>,
    measured: usize,
    children: Vec<Child>,
    front: Front,
}

impl<P: Policy> Search<P> {
    /// A search by `policy`.
    pub fn new(policy: P, config: SearchConfig, seed: u64) -> Self {
        Self {
            config,
            seed,
            policy,
            reward_state: RewardState::default(),
            memo: BTreeMap::new(),
            measured: 0,
            children: Vec::new(),
            front: Front::default(),
        }
    }

    /// One slow step, and the child it came to; `None` where the search has ended.
    ///
    /// Each step draws from a stream of its own, so that what is drawn does not depend on where a
    /// search was interrupted.
    ///
    /// # Errors
    /// Those of the problem and of the judge; the search is as it was before the step, but that its
    /// policy may have learned of hardware.
    pub fn step(
        &mut self,
        problem: &dyn Problem,
        judge: &mut dyn Judge,
    ) -> Result<Option<&Child>, CoexploreError> {
        if self.memo.len() >= self.config.judged || self.children.len() >= self.config.steps {
            return Ok(None);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.children.len() as u64);
        let (choices, measured, fast_steps) = self.child(problem, &mut rng)?;
        let feasible = measured.is_feasible();
        let (mut accuracy, mut judged) = (None, false);
        if feasible || !self.config.prune {
            let architecture = problem.architecture(&choices)?;
            let known = self.memo.get(&architecture).copied();
            let found = match known {
                Some(known) => known,
                None => judge.accuracy(&architecture)?,
            };
            judged = known.is_none();
            self.memo.insert(architecture, found);
            accuracy = Some(found);
        }
        let reward = match accuracy.filter(|_| feasible) {
            Some(accuracy) => self
                .config
                .reward
                .of(accuracy, &measured, &mut self.reward_state),
            None => self.config.reward.of_infeasible(),
        };
        match feasible {
            true => self.policy.learn(&choices, reward),
            false => self.policy.reject(&choices, reward),
        }
        if let Some(value) = accuracy.filter(|_| measured.time.is_finite()) {
            self.front.add(FrontPoint {
                cost: measured.time,
                value,
                child: self.children.len(),
            });
        }
        self.children.push(Child {
            choices,
            measured,
            fast_steps,
            accuracy,
            judged,
            reward,
        });
        Ok(self.children.last())
    }

    /// A child that hardware alone has spoken on: the policy's own, or the one of most utilisation
    /// among it and those of the fast steps. Whichever it is, the whole policy learns of it as of
    /// a sample of its own.
    fn child(
        &mut self,
        problem: &dyn Problem,
        rng: &mut ChaCha8Rng,
    ) -> Result<(Vec<usize>, Measured, usize), CoexploreError> {
        let mut child = self.policy.propose(rng);
        let mut measured = problem.measure(&child)?;
        self.measured += 1;
        let mut steps = 0;
        while steps < self.config.fast_steps
            && measured
                .mean_utilisation()
                .is_none_or(|share| share < self.config.utilisation)
        {
            let Some(other) = self.policy.propose_stages(rng) else {
                break;
            };
            let found = problem.measure(&other)?;
            self.measured += 1;
            steps += 1;
            let rewards: Vec<f64> = found
                .utilisation
                .iter()
                .map(|share| share.unwrap_or(-1.0))
                .collect();
            self.policy.learn_stages(&other, &rewards);
            if found.mean_utilisation() > measured.mean_utilisation() {
                (child, measured) = (other, found);
            }
        }
        Ok((child, measured, steps))
    }

    /// All children, in the order of slow steps: the search's log.
    pub fn children(&self) -> &[Child] {
        &self.children
    }

    /// Architectures that were judged, each once.
    pub fn trained(&self) -> usize {
        self.memo.len()
    }

    /// How often the hardware model was asked.
    pub fn measured(&self) -> usize {
        self.measured
    }

    /// The front of time and accuracy of all that was judged.
    pub fn front(&self) -> &Front {
        &self.front
    }

    /// The policy.
    pub fn policy(&self) -> &P {
        &self.policy
    }

    /// With other limits of judged architectures and steps, to go on.
    #[must_use]
    pub fn with_limits(mut self, judged: usize, steps: usize) -> Self {
        self.config.judged = judged;
        self.config.steps = steps;
        self
    }

    /// Of what meets the specification, the child that uses its hardware best (OptHW), the first
    /// of equals.
    pub fn most_efficient(&self) -> Option<&Child> {
        self.most(|child| child.measured.mean_utilisation())
    }

    /// Of what meets the specification, the most accurate child (OptSW), the first of equals.
    pub fn most_accurate(&self) -> Option<&Child> {
        self.most(|child| child.accuracy)
    }

    fn most(&self, key: fn(&Child) -> Option<f64>) -> Option<&Child> {
        let judged = self
            .children
            .iter()
            .filter(|child| child.accuracy.is_some());
        let feasible = judged.filter(|child| child.measured.is_feasible());
        feasible.fold(None, |best, child| match best {
            Some(best) if key(child) <= key(best) => Some(best),
            _ => Some(child),
        })
    }
}

/// A map whose keys are no text, as a list of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type Memo = BTreeMap<Vec<usize>, f64>;

    pub fn serialize<S: Serializer>(memo: &Memo, serializer: S) -> Result<S::Ok, S::Error> {
        memo.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Memo, D::Error> {
        Vec::<(Vec<usize>, f64)>::deserialize(deserializer).map(|pairs| pairs.into_iter().collect())
    }
}
