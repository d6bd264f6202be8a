//! Tasks: what is learned one after the other.

use burgeon_nn::samples::order::shuffled;
use burgeon_nn::{Input, Samples, Targets};
use burn::tensor::Tensor;

use crate::error::ContinualError;
use crate::given::indices;

/// One task of a sequence: images `[b, channels, height, width]` with classes numbered from 0
/// within the task.
#[derive(Debug, Clone)]
pub struct ContinualTask {
    name: String,
    classes: usize,
    train: Samples<Tensor<4>>,
    held: Samples<Tensor<4>>,
    test: Samples<Tensor<4>>,
}

impl ContinualTask {
    /// A task that is learned on `train`, with decisions on `held`, and judged on `test`.
    ///
    /// # Errors
    /// [`ContinualError::OneClass`] for less than two classes, [`ContinualError::Targets`] where
    /// targets are not one class of these for each sample, [`ContinualError::InputShape`] where
    /// the parts have other shapes.
    pub fn new(
        name: impl Into<String>,
        classes: usize,
        train: Samples<Tensor<4>>,
        held: Samples<Tensor<4>>,
        test: Samples<Tensor<4>>,
    ) -> Result<Self, ContinualError> {
        let name = name.into();
        if classes < 2 {
            return Err(ContinualError::OneClass {
                task: name,
                classes,
            });
        }
        let expected = shape_of(train.inputs());
        for (part, samples) in [("training", &train), ("held", &held), ("test", &test)] {
            check_classes(&name, part, classes, samples)?;
            let found = shape_of(samples.inputs());
            if found != expected {
                let what = format!("the {part} set of task `{name}`");
                return Err(ContinualError::InputShape {
                    what,
                    expected,
                    found,
                });
            }
        }
        Ok(Self {
            name,
            classes,
            train,
            held,
            test,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of classes, at least 2.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// What it is learned on.
    pub fn train(&self) -> &Samples<Tensor<4>> {
        &self.train
    }

    /// What decisions are made on while it is learned.
    pub fn held(&self) -> &Samples<Tensor<4>> {
        &self.held
    }

    /// What it is judged on.
    pub fn test(&self) -> &Samples<Tensor<4>> {
        &self.test
    }

    /// `[channels, height, width]` of its images.
    pub fn input(&self) -> [usize; 3] {
        shape_of(self.train.inputs())
    }

    /// Checks that a network for inputs of `expected` reads the task.
    ///
    /// # Errors
    /// [`ContinualError::InputShape`].
    pub(crate) fn check_input(&self, expected: [usize; 3]) -> Result<(), ContinualError> {
        check_images(self.train.inputs(), expected, || {
            format!("task `{}`", self.name)
        })
    }
}

/// Checks the shape of images.
///
/// # Errors
/// [`ContinualError::InputShape`].
pub(crate) fn check_images(
    images: &Tensor<4>,
    expected: [usize; 3],
    what: impl FnOnce() -> String,
) -> Result<(), ContinualError> {
    let found = shape_of(images);
    if found == expected {
        return Ok(());
    }
    let what = what();
    Err(ContinualError::InputShape {
        what,
        expected,
        found,
    })
}

fn shape_of(images: &Tensor<4>) -> [usize; 3] {
    let [_, channels, height, width] = images.dims();
    [channels, height, width]
}

fn check_classes(
    task: &str,
    part: &'static str,
    classes: usize,
    samples: &Samples<Tensor<4>>,
) -> Result<(), ContinualError> {
    let refused = |problem: String| {
        let task = task.to_owned();
        Err(ContinualError::Targets {
            task,
            part,
            problem,
        })
    };
    let Targets::Classes(labels) = samples.targets() else {
        return refused("their targets must be one class for each sample".into());
    };
    let largest = labels.clone().max().into_scalar::<i64>();
    if largest < classes as i64 {
        return Ok(());
    }
    refused(format!(
        "label {largest}, but there are {classes} classes, numbered from 0"
    ))
}

/// The samples of `images` `[n, channels, height, width]` whose label is among `classes`, in their
/// order, the first `most` of each class; labels become places in `classes`.
///
/// # Errors
/// [`ContinualError::EmptyTask`] if there is no such sample, [`ContinualError::OneClass`] for less
/// than two classes.
pub fn of_classes(
    name: &str,
    part: &'static str,
    images: &Tensor<4>,
    labels: &[usize],
    classes: &[usize],
    most: usize,
) -> Result<Samples<Tensor<4>>, ContinualError> {
    if classes.len() < 2 {
        let (task, classes) = (name.to_owned(), classes.len());
        return Err(ContinualError::OneClass { task, classes });
    }
    let (mut rows, mut places) = (Vec::new(), Vec::new());
    let mut taken = vec![0; classes.len()];
    for (row, label) in labels.iter().enumerate() {
        let place = classes.iter().position(|class| class == label);
        if let Some(place) = place.filter(|place| taken[*place] < most) {
            taken[place] += 1;
            rows.push(row);
            places.push(place);
        }
    }
    if rows.is_empty() {
        let task = name.to_owned();
        return Err(ContinualError::EmptyTask { task, part });
    }
    let device = images.device();
    let chosen = images.select_rows(&rows);
    Ok(Samples::classification(
        chosen,
        &places,
        classes.len(),
        &device,
    )?)
}

/// `images` `[n, channels, height, width]` with their places in another order, the same for all
/// images and channels, which `seed` draws.
pub fn permuted(images: &Tensor<4>, seed: u64) -> Tensor<4> {
    let [count, channels, height, width] = images.dims();
    let order = shuffled(height * width, seed);
    let places = images.clone().reshape([count, channels, height * width]);
    let device = images.device();
    places
        .select(2, indices(&order, &device))
        .reshape([count, channels, height, width])
}
