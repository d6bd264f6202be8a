//! Fashion-MNIST: a small convolutional net grown from two channels a layer.

use burgeon_data::{DataSet, load};
use burn::tensor::Device;
use serde_json::{Value, json};

use super::images::{
    Grown, Method, Outcome, Recipe, constants, curve_figure, end_series, grown_unit,
    result_columns, result_row,
};
use super::nets::ConvNet;
use super::notes::{capture_note, prediction_note};
use super::{decode, encode, method_and_seed, results_of, seed_count};
use crate::error::ExperimentError;
use crate::report::{Report, Table};
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// The study.
#[derive(Debug)]
pub(super) struct Fashion;

pub(super) fn recipe(settings: &StudySettings) -> Recipe {
    let (phase_epochs, final_epochs) = match settings.scale {
        Scale::Quick => (1, 4),
        Scale::Full => (5, 30),
    };
    Recipe {
        start: vec![2, 2],
        budget: 6_000,
        fraction: 0.5,
        phase_epochs,
        max_growths: 4,
        final_epochs,
        rate: 0.01,
        batch: 128,
        capture: 8192,
        held: 0.05,
    }
}

fn seeds(settings: &StudySettings) -> usize {
    settings.seeds.unwrap_or(match settings.scale {
        Scale::Quick => 3,
        Scale::Full => 5,
    })
}

pub(super) fn net(widths: &[usize], device: &Device) -> Result<ConvNet, burgeon_nn::NnError> {
    ConvNet::new(28, widths, 10, device)
}

impl Study for Fashion {
    fn name(&self) -> &'static str {
        "fashion"
    }

    fn description(&self) -> &'static str {
        "Fashion-MNIST: small convolutional net grown from 2 channels a layer, against random \
         growth and training from scratch (needs `cargo xtask data fetch fashion-mnist`)"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        Units::new(&["s2d", "random"], 0, seeds(settings))
    }

    fn recipe(&self, settings: &StudySettings) -> Value {
        json!({ "conv": recipe(settings), "all": constants() })
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Outcome>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (method, seed) = method_and_seed(unit)?;
        let set = load(DataSet::FashionMnist, &context.settings.data)?;
        let recipe = recipe(&context.settings);
        let method = match method {
            "s2d" => Method::SteepestDescent,
            _ => Method::Random,
        };
        encode(&grown_unit(context, &set, &recipe, seed, method, net)?)
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let grown = Grown::new(results_of(results, "s2d")?, results_of(results, "random")?);
        let recipe = recipe(settings);
        let note = format!(
            "official split, {:.0} % of the training set held, {}, {} epochs a phase and \
             {} at the end",
            100.0 * recipe.held,
            seed_count(seeds(settings)),
            recipe.phase_epochs,
            recipe.final_epochs
        );
        let table = Table {
            name: "fashion".into(),
            title: format!("Fashion-MNIST, two 3×3 convolutions grown from 2-2 channels ({note})"),
            columns: result_columns(),
            rows: vec![
                result_row("grown by S2D", &grown.s2d),
                result_row("grown at random", &grown.random),
                result_row("S2D's widths from scratch", &grown.same_widths),
            ],
            notes: vec![
                prediction_note("S2D", &grown.s2d),
                capture_note(&recipe),
                "The network is not in the paper: no figure of its own to set beside these.".into(),
            ],
        };
        let figure = curve_figure(
            "fashion",
            format!(
                "Fashion-MNIST: accuracy against parameters ({})",
                seed_count(seeds(settings))
            ),
            &grown.s2d,
            &grown.random,
            vec![end_series(
                "S2D's widths from scratch, at the end",
                &[grown.same_widths],
            )],
        );
        Ok(Report {
            tables: vec![table],
            figures: vec![figure],
        })
    }
}
