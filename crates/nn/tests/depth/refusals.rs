//! What does not become deeper is refused by name, with what to change.

use burgeon_core::criterion::{Context, Criterion, Firefly};
use burgeon_core::growth::{Growth, NewLayer};
use burgeon_nn::search::output_change_at_zero;
use burgeon_nn::stack::{Block, ResidualLinear, Stack, Stacks, parameters_of};
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{Growable, trace};
use burn::module::{Module, ParamId};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::tanh;
use burn::tensor::{DType, Tensor};

use crate::models::{Drawn, Mlp, Study, device, mlp, plan_of};

fn layer(stack: &str, after: Option<usize>) -> Growth {
    Growth::NewLayer(NewLayer {
        stack: stack.into(),
        after,
        opening: vec![0.1; 3],
        closing: vec![0.1; 3],
    })
}

#[test]
fn plans_that_do_not_fit_say_what_is_wrong() {
    let study = Study::new(mlp(1, DType::F32), DType::F32);
    let refused = |growths: Vec<Growth>, expected: &str| {
        let graph = study.trace.graph();
        let error = apply_plan(&study.model, graph, &plan_of(growths), 0.1);
        let error = error.expect_err("it does not fit").to_string();
        assert!(error.contains(expected), "`{error}` not `{expected}`");
    };
    refused(vec![layer("neck", None)], "no stack `neck`");
    refused(vec![layer("neck", None)], "it has body");
    refused(vec![layer("body", Some(7))], "no block behind block 7");
    refused(vec![layer("body", None)], "needs 15 opening weights");
    let twice = study.layers(1).swap_remove(0);
    refused(vec![twice.clone(), twice.clone()], "twice");
    let Growth::NewLayer(whole) = twice else {
        panic!("a layer");
    };
    let mut broken = whole.clone();
    broken.closing[0] = f64::NAN;
    refused(vec![Growth::NewLayer(broken)], "NaN");
    let mut dead = whole;
    dead.opening.iter_mut().for_each(|value| *value = 0.0);
    dead.closing.iter_mut().for_each(|value| *value = 0.0);
    refused(vec![Growth::NewLayer(dead)], "never learns");
}

/// Layers in fields.
#[derive(Module, Debug)]
struct Fixed {
    hidden: Linear,
    output: Linear,
}

impl Growable for Fixed {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.output.forward(tanh(self.hidden.forward(input)))
    }
}

impl Drawn for Fixed {
    fn samples(count: usize, dtype: DType) -> burgeon_nn::Samples<Tensor<2>> {
        Mlp::samples(count, dtype)
    }
}

#[test]
fn a_model_without_a_stack_takes_no_layer() {
    let model = Fixed {
        hidden: LinearConfig::new(6, 4).init(&device()),
        output: LinearConfig::new(4, 2).init(&device()),
    };
    let study = Study::new(model, DType::F32);
    let plan = plan_of([layer("hidden", None)]);
    let error = output_change_at_zero(&study.model, &plan, &study.samples, 4);
    let error = error.expect_err("it has no stack").to_string();
    assert!(error.contains("no stack `hidden`"), "{error}");
    assert!(error.contains("`Growable::stacks`"), "{error}");
    let proposed = Firefly::new_layers().candidates(&study.landscape(), &mut Context::seeded(1));
    let error = proposed.expect_err("it has no stack").to_string();
    assert!(error.contains("`Growable::stacks`"), "{error}");
    let all = Firefly::new().candidates(&study.landscape(), &mut Context::seeded(1));
    assert!(all.is_ok_and(|all| !all.is_empty()), "others are proposed");
}

/// How a model's stack is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// A new block does not add to what it reads.
    Replaces,
    /// A new block is no identity at zero closing weights.
    Shifts,
    /// No closing weights.
    Nothing,
    /// The stack is named otherwise than its field.
    Name,
    /// It is empty, without a front.
    Empty,
    /// A new block is of another width.
    Width,
}

#[derive(Module, Debug)]
struct Faulty {
    stem: Linear,
    body: Stack<Part>,
    head: Linear,
    #[module(skip)]
    fault: Fault,
}

#[derive(Module, Debug)]
struct Part {
    inner: ResidualLinear,
    #[module(skip)]
    fault: Fault,
    #[module(skip)]
    is_new: bool,
}

impl Block for Part {
    type Data = Tensor<2>;

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        match self.fault {
            Fault::Replaces if self.is_new => self.inner.forward(input.clone()) - input,
            Fault::Shifts if self.is_new => self.inner.forward(input) + 0.5,
            _ => self.inner.forward(input),
        }
    }

    fn fresh(&self) -> Self {
        let inner = match self.fault {
            Fault::Width => ResidualLinear::new(9, 4, &device()),
            _ => self.inner.fresh(),
        };
        Self {
            inner,
            fault: self.fault,
            is_new: true,
        }
    }

    fn closing(&self) -> Vec<ParamId> {
        match self.fault {
            Fault::Nothing => Vec::new(),
            _ => parameters_of(&self.inner.project),
        }
    }
}

impl Growable for Faulty {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let stream = self.body.forward(tanh(self.stem.forward(input)));
        self.head.forward(tanh(stream))
    }

    fn stacks(&mut self) -> Stacks<'_> {
        let name = if self.fault == Fault::Name {
            "trunk"
        } else {
            "body"
        };
        Stacks::new().with(name, &mut self.body)
    }
}

#[test]
fn a_stack_that_takes_no_block_says_why() {
    let samples = Mlp::samples(4, DType::F32);
    for (fault, stack, expected) in [
        (Fault::Replaces, "body", "x + h(x)"),
        (Fault::Shifts, "body", "changes the model's answers"),
        (Fault::Nothing, "body", "`Block::closing` must name"),
        (Fault::Name, "trunk", "name the stack by its path"),
        (Fault::Empty, "body", "`Stacks::with_front`"),
        (Fault::Width, "body", "stack `body`"),
    ] {
        let block = Part {
            inner: ResidualLinear::new(5, 4, &device()),
            fault,
            is_new: false,
        };
        let model = Faulty {
            stem: LinearConfig::new(6, 5).init(&device()),
            body: Stack::new(match fault {
                Fault::Empty => Vec::new(),
                _ => vec![block],
            }),
            head: LinearConfig::new(5, 2).init(&device()),
            fault,
        };
        let traced = trace(&model, &samples).expect("the model itself is sound");
        assert!(traced.graph().places().is_empty());
        let plan = plan_of([layer(stack, Some(0))]);
        let error = apply_plan(&model, traced.graph(), &plan, 0.1);
        let error = error.expect_err("refused").to_string();
        assert!(error.contains(expected), "{fault:?}: {error}");
        let summary = traced.graph().to_string();
        assert!(summary.contains("takes no new layers"), "{summary}");
    }
}

#[test]
fn a_summary_says_where_layers_go() {
    let study = Study::new(mlp(1, DType::F32), DType::F32);
    let summary = study.trace.graph().to_string();
    let line = "`body` takes new layers: at the front, behind block 0";
    assert!(summary.contains(line), "{summary}");
}
