//! The loss of several heads side by side.

use burgeon_nn::{CrossEntropy, NnError, Objective, Targets};
use burn::tensor::{Tensor, TensorData};

/// Mean cross entropy of logits `[b, all classes]`, where heads stand side by side and a sample's
/// label, counted through all heads, says which of them answers: the others do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadsCrossEntropy {
    classes: Vec<usize>,
}

/// What a logit of another head is lowered by: its share of the softmax is 0 in any float type.
const BARRED: f32 = 1e4;

impl HeadsCrossEntropy {
    /// Of heads with these numbers of classes.
    pub fn new(classes: Vec<usize>) -> Self {
        Self { classes }
    }

    /// Classes of all heads together.
    fn total(&self) -> usize {
        self.classes.iter().sum()
    }

    /// The head of each class.
    fn heads(&self) -> Vec<usize> {
        let heads = self.classes.iter().enumerate();
        heads
            .flat_map(|(head, &classes)| std::iter::repeat_n(head, classes))
            .collect()
    }
}

impl Objective for HeadsCrossEntropy {
    fn name(&self) -> &'static str {
        "cross entropy of heads"
    }

    fn loss(&self, output: Tensor<2>, targets: &Targets) -> Tensor<1> {
        let Some(labels) = targets.classes() else {
            return CrossEntropy.loss(output, targets);
        };
        let heads = self.heads();
        let barred: Vec<f32> = heads
            .iter()
            .flat_map(|own| {
                heads
                    .iter()
                    .map(move |other| if own == other { 0.0 } else { -BARRED })
            })
            .collect();
        let total = self.total();
        let data = TensorData::new(barred, [total, total]).convert_dtype(output.dtype());
        let barred = Tensor::<2>::from_data(data, (&output.device(), output.dtype()));
        CrossEntropy.loss(output + barred.select(0, labels), targets)
    }

    fn check(&self, outputs: usize, targets: &Targets) -> Result<(), NnError> {
        if targets.classes().is_none() {
            return Err(NnError::Data("heads need one class for each sample".into()));
        }
        if outputs != self.total() {
            return Err(NnError::Data(format!(
                "the model has {outputs} outputs, its heads {} classes together",
                self.total()
            )));
        }
        CrossEntropy.check(outputs, targets)
    }
}
