//! Units of comparisons: their names, what they depend on, and how they are run.

use serde_json::{Value, json};

use super::recipe::{Arm, Recipe};
use super::run::measured;
use crate::error::ExperimentError;
use crate::results::{encode, method_and_seed};
use crate::study::UnitContext;

/// A unit of a comparison: a method, a multiple of the start's cost where there are several, a rate.
pub(super) struct Kind<'a> {
    pub method: &'a str,
    pub multiple: Option<f64>,
    pub rate: f64,
}

impl Kind<'_> {
    pub fn text(&self) -> String {
        let Self { method, rate, .. } = self;
        match self.multiple {
            Some(multiple) => format!("{method},{multiple},{rate}"),
            None => format!("{method},{rate}"),
        }
    }
}

/// Those of one arm at a rate, one for each budget.
pub(super) fn kinds<'a>(recipe: &'a Recipe, arm: &Arm<'a>, rate: f64) -> Vec<Kind<'a>> {
    let of = |multiple| Kind {
        method: arm.name,
        multiple,
        rate,
    };
    let multiples = &recipe.budget.multiples;
    match multiples.is_empty() {
        true => vec![of(None)],
        false => multiples
            .iter()
            .map(|multiple| of(Some(*multiple)))
            .collect(),
    }
}

fn parse(unit: &str) -> Result<(Kind<'_>, u64), ExperimentError> {
    let (kind, seed) = method_and_seed(unit)?;
    let fields: Vec<&str> = kind.split(',').collect();
    let number = |field: &str| field.parse::<f64>().ok();
    let kind = match fields[..] {
        [method, rate] => number(rate).map(|rate| (method, None, rate)),
        [method, multiple, rate] => number(multiple)
            .zip(number(rate))
            .map(|(multiple, rate)| (method, Some(multiple), rate)),
        _ => None,
    };
    let (method, multiple, rate) = kind
        .ok_or_else(|| ExperimentError::Settings(format!("`{unit}` is no unit of this study")))?;
    let kind = Kind {
        method,
        multiple,
        rate,
    };
    Ok((kind, seed))
}

pub(super) fn run_unit(
    recipe: &Recipe,
    unit: &str,
    context: &UnitContext,
) -> Result<Value, ExperimentError> {
    let (kind, seed) = parse(unit)?;
    let arm = recipe.arm(kind.method)?;
    encode(&measured(
        context,
        recipe,
        &arm,
        kind.multiple,
        kind.rate,
        seed,
    )?)
}

/// What the result of a unit depends on: not on the other methods.
pub(super) fn unit_recipe(recipe: &Recipe, unit: &str) -> Result<Value, ExperimentError> {
    let (kind, _) = parse(unit)?;
    let part = |name: &str| {
        let arm = recipe.arm(name)?;
        Ok::<_, ExperimentError>(json!({
            "way": arm.method.way,
            "rate": arm.method.rate,
            "prune": arm.method.prune,
            "start": arm.method.start,
            "train": arm.train,
            "grow": arm.grow,
        }))
    };
    let mut method = part(kind.method)?;
    // Its own rate is in the unit's name, and those to choose from change nothing.
    method["rate"] = json!(kind.rate);
    let first = recipe.arm(kind.method)?.method.widths_of.as_deref();
    if let Some(first) = first {
        method["widths of"] = part(first)?;
    }
    let mut value = json!({
        "data": recipe.data,
        "net": recipe.net,
        "budget": recipe.budget,
        "method": method,
    });
    for path in ["/method/train", "/method/widths of/train"] {
        if let Some(Value::Object(train)) = value.pointer_mut(path) {
            train.remove("rates");
        }
    }
    Ok(value)
}
