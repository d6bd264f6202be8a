//! What each of Burn's optimizers keeps, and how it depends on the gradient.

use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, AdamConfig, AdamWConfig, AdanConfig, LambConfig, LionConfig, ModuleOptimizer,
    RmsPropConfig, SgdConfig,
};

use super::network::{Kept, Plain, kept, step};
use crate::network::digits;
use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;

/// How something changes when the gradient is multiplied by a number w.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum By {
    W,
    Square,
    Sign,
}

impl By {
    pub fn factor(self, weight: f64) -> f64 {
        match self {
            Self::W => weight,
            Self::Square => weight * weight,
            Self::Sign if weight < 0.0 => -1.0,
            Self::Sign => 1.0,
        }
    }
}

/// An optimizer and what it is.
pub struct Case {
    pub name: &'static str,
    pub make: fn() -> ModuleOptimizer,
    /// The states that it keeps for each parameter.
    pub states: &'static [(&'static str, By)],
    /// The step that it makes.
    pub update: By,
}

/// So small that only the gradients count.
const EPSILON: f32 = 1e-12;

pub const CASES: [Case; 12] = [
    Case {
        name: "SGD",
        make: || SgdConfig::new().init(),
        states: &[],
        update: By::W,
    },
    Case {
        name: "SGD with momentum",
        make: || {
            let momentum = MomentumConfig::new().with_nesterov(true);
            SgdConfig::new().with_momentum(Some(momentum)).init()
        },
        states: &[("momentum.velocity", By::W)],
        update: By::W,
    },
    Case {
        name: "Adam",
        make: || AdamConfig::new().with_epsilon(EPSILON).init(),
        states: &[
            ("momentum.moment_1", By::W),
            ("momentum.moment_2", By::Square),
        ],
        update: By::Sign,
    },
    Case {
        name: "AdamW",
        make: || {
            let config = AdamWConfig::new().with_epsilon(EPSILON);
            config.with_weight_decay(0.0).init()
        },
        states: &[
            ("momentum.moment_1", By::W),
            ("momentum.moment_2", By::Square),
        ],
        update: By::Sign,
    },
    Case {
        name: "AMSGrad",
        make: || {
            let config = AdamConfig::new().with_epsilon(EPSILON);
            config.with_amsgrad(true).init()
        },
        states: &[
            ("momentum.max_moment_2", By::Square),
            ("momentum.moment_1", By::W),
            ("momentum.moment_2", By::Square),
        ],
        update: By::Sign,
    },
    Case {
        name: "LAMB",
        make: || {
            let config = LambConfig::new()
                .with_epsilon(EPSILON)
                .with_weight_decay(0.0);
            config.with_use_trust_ratio(false).init()
        },
        states: &[("moment_1", By::W), ("moment_2", By::Square)],
        update: By::Sign,
    },
    Case {
        name: "RMSprop",
        make: || RmsPropConfig::new().with_epsilon(EPSILON).init(),
        states: &[
            ("centered.avg", By::Square),
            ("momentum.buf", By::Sign),
            ("square_avg.square_avg", By::Square),
        ],
        update: By::Sign,
    },
    Case {
        name: "centred RMSprop",
        make: || {
            let config = RmsPropConfig::new().with_epsilon(EPSILON);
            config.with_centered(true).init()
        },
        states: &[
            ("centered.avg", By::Square),
            ("centered.grad_avg", By::W),
            ("momentum.buf", By::Sign),
            ("square_avg.square_avg", By::Square),
        ],
        update: By::Sign,
    },
    Case {
        name: "RMSprop without momentum",
        make: || {
            let config = RmsPropConfig::new().with_epsilon(EPSILON);
            config.with_momentum(0.0).init()
        },
        states: &[
            ("centered.avg", By::Square),
            ("square_avg.square_avg", By::Square),
        ],
        update: By::Sign,
    },
    Case {
        name: "AdaGrad",
        make: || AdaGradConfig::new().with_epsilon(EPSILON).init(),
        states: &[("lr_decay.sum", By::Square)],
        update: By::Sign,
    },
    Case {
        name: "Lion",
        make: || LionConfig::new().init(),
        states: &[("momentum", By::W)],
        update: By::Sign,
    },
    Case {
        name: "Adan",
        make: || AdanConfig::new().with_epsilon(EPSILON).init(),
        states: &[
            ("momentum.exp_avg", By::W),
            ("momentum.exp_avg_diff", By::W),
            ("momentum.exp_avg_sq", By::Square),
            ("momentum.neg_pre_grad", By::W),
        ],
        update: By::Sign,
    },
];

/// The states of one parameter.
pub fn names(kept: &Kept) -> Vec<&str> {
    let of_one = kept.keys().filter(|(path, _)| path == "first.weight");
    of_one.map(|(_, state)| state.as_str()).collect()
}

/// Another version of Burn may keep something else, which would need a rule.
#[test]
fn each_optimizer_keeps_what_the_cases_say() {
    for case in CASES {
        let mut optimizer = (case.make)();
        let model = Plain::new(&FLEX.device().autodiff());
        step(model, &mut optimizer, &digits(8), 0.01);
        let expected: Vec<&str> = case.states.iter().map(|(name, _)| *name).collect();
        assert_eq!(names(&kept(&optimizer)), expected, "{}", case.name);
    }
}
