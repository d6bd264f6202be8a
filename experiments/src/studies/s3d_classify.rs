//! S2D against S3D at equal parameter budgets, on digits and on Fashion-MNIST.

use std::collections::BTreeMap;

use burgeon_data::{DataSet, load, optdigits};
use burgeon_train::SiteGrowth;
use serde_json::{Value, json};

use super::images::{
    Method, NetworkResult, Recipe, constants, curve_pair_figure, grown_network, result_columns,
    result_row,
};
use super::notes::{TUNING_NOTE, capture_note, prediction_note};
use super::{decode, digits, encode, fashion, method_and_seed, results_of, seed_count};
use crate::error::ExperimentError;
use crate::report::{Report, Table};
use crate::statistics::{Mean, PairedDifference, sign_flip_p};
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// The study.
#[derive(Debug)]
pub(super) struct SignedClassify;

/// The bound of the paper's experiments.
const C: f64 = 3.0;

/// Probability of a difference by chance above which it is called noise.
const SIGNIFICANCE: f64 = 0.05;

const SETS: [&str; 2] = ["digits", "fashion"];

fn seeds(settings: &StudySettings, set: &str) -> usize {
    settings.seeds.unwrap_or(match (settings.scale, set) {
        (Scale::Quick, "digits") => 10,
        (Scale::Quick, _) => 5,
        (Scale::Full, "digits") => 20,
        (Scale::Full, _) => 10,
    })
}

fn title(set: &str, settings: &StudySettings) -> String {
    let network = match set {
        "digits" => "optdigits, MLP 64-h₁-h₂-10 grown from 2-2 neurons",
        _ => "Fashion-MNIST, two 3×3 convolutions grown from 2-2 channels",
    };
    format!(
        "{network}, S2D against S3D (c = {C}) under the same budget of parameters ({})",
        seed_count(seeds(settings, set))
    )
}

impl Study for SignedClassify {
    fn name(&self) -> &'static str {
        "s3d-classify"
    }

    fn description(&self) -> &'static str {
        "S2D against signed splitting at equal parameter budgets, on digits and Fashion-MNIST \
         (needs `cargo xtask data fetch fashion-mnist`)"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        let add = |units: Units, set: &&str| {
            let methods = [format!("{set}.s2d"), format!("{set}.s3d")];
            units.and(&methods, 0, seeds(settings, set))
        };
        SETS.iter().try_fold(Units::default(), add)
    }

    fn recipe(&self, settings: &StudySettings) -> Value {
        json!({
            "digits": recipe("digits", settings),
            "fashion": recipe("fashion", settings),
            "bound": C,
            "all": constants(),
        })
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<NetworkResult>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (kind, seed) = method_and_seed(unit)?;
        let method = match kind.rsplit_once('.') {
            Some((_, "s3d")) => Method::Signed(C),
            _ => Method::SteepestDescent,
        };
        let is_digits = kind.starts_with("digits");
        let recipe = recipe(
            if is_digits { "digits" } else { "fashion" },
            &context.settings,
        );
        let network = if is_digits {
            grown_network(
                context,
                &optdigits::load()?,
                &recipe,
                seed,
                method,
                digits::mlp,
            )?
        } else {
            let set = load(DataSet::FashionMnist, &context.settings.data)?;
            grown_network(context, &set, &recipe, seed, method, fashion::net)?
        };
        encode(&network)
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let mut report = Report::default();
        for set in SETS {
            let plain: Vec<NetworkResult> = results_of(results, &format!("{set}.s2d"))?;
            let signed: Vec<NetworkResult> = results_of(results, &format!("{set}.s3d"))?;
            let title = title(set, settings);
            report.tables.push(Table {
                name: format!("s3d-{set}"),
                title: title.clone(),
                columns: result_columns(),
                rows: vec![
                    result_row("grown by S2D", &plain),
                    result_row("grown by S3D", &signed),
                ],
                notes: paired_note(&plain, &signed)
                    .into_iter()
                    .chain([
                        prediction_note("S2D", &plain),
                        prediction_note("S3D", &signed),
                        capture_note(&recipe(set, settings)),
                        TUNING_NOTE.into(),
                        "The paper compares them on CIFAR-100 and ImageNet with other networks: no \
                         figure of its own to set beside these."
                            .into(),
                    ])
                    .collect(),
            });
            report
                .tables
                .push(scheme_table(set, &title, &plain, &signed));
            let named = [
                ("grown by S2D", plain.as_slice()),
                ("grown by S3D", &signed),
            ];
            let short = match set {
                "digits" => "optdigits, MLP",
                _ => "Fashion-MNIST, convolutional net",
            };
            let short = format!("{short}: S2D against S3D ({})", seed_count(plain.len()));
            let figure = curve_pair_figure(&format!("s3d-{set}"), short, &named, Vec::new());
            report.figures.push(figure);
        }
        Ok(report)
    }
}

fn recipe(set: &str, settings: &StudySettings) -> Recipe {
    match set {
        "digits" => digits::mlp_recipe(),
        _ => fashion::recipe(settings),
    }
}

/// The paired difference of test accuracies, and whether it is more than noise; nothing of one
/// pair.
fn paired_note(plain: &[NetworkResult], signed: &[NetworkResult]) -> Option<String> {
    let percent = |runs: &[NetworkResult]| -> Vec<f64> {
        runs.iter().map(|run| 100.0 * run.test_accuracy).collect()
    };
    let (plain, signed) = (percent(plain), percent(signed));
    let paired = PairedDifference::new(&signed, &plain);
    let differences: Vec<f64> = signed.iter().zip(&plain).map(|(s, p)| s - p).collect();
    let test = match sign_flip_p(&differences) {
        Some(p) if p < SIGNIFICANCE => {
            format!("; exact sign-flip test p = {p:.3}: more than noise")
        }
        Some(p) => format!("; exact sign-flip test p = {p:.3}: within noise"),
        // Too many pairs for the exact test.
        None => String::new(),
    };
    Some(format!(
        "S3D against S2D, same seed: {:+.2} ± {:.2} points of test accuracy (standard error), \
         higher in {} of {}{test}.",
        paired.mean,
        paired.error?,
        differences.iter().filter(|d| **d > 0.0).count(),
        paired.count
    ))
}

/// What growing did, layer by layer.
fn scheme_table(
    set: &str,
    title: &str,
    plain: &[NetworkResult],
    signed: &[NetworkResult],
) -> Table {
    let mut rows = Vec::new();
    for (method, runs) in [("S2D", plain), ("S3D", signed)] {
        let mut sites: BTreeMap<&str, Vec<&SiteGrowth>> = BTreeMap::new();
        for growth in runs.iter().flat_map(|run| &run.sites) {
            sites.entry(&growth.site).or_default().push(growth);
        }
        for (site, growths) in sites {
            let mut schemes: BTreeMap<&str, usize> = BTreeMap::new();
            for (scheme, count) in growths.iter().flat_map(|growth| &growth.kinds) {
                *schemes.entry(scheme).or_default() += count;
            }
            let schemes: Vec<String> = schemes
                .iter()
                .map(|(scheme, count)| format!("{count} {scheme}"))
                .collect();
            let mean = |of: &dyn Fn(&SiteGrowth) -> Option<f64>| {
                let values: Vec<f64> = growths.iter().filter_map(|growth| of(growth)).collect();
                format!("{:.4}", Mean::of(&values).value)
            };
            rows.push(vec![
                method.to_owned(),
                site.to_owned(),
                growths.len().to_string(),
                schemes.join(", "),
                mean(&|growth| growth.predicted_decrease),
                mean(&|growth| growth.measured_decrease),
            ]);
        }
    }
    let columns = [
        "method",
        "layer",
        "growth steps",
        "neurons split, by scheme",
        "predicted decrease a step",
        "measured alone",
    ];
    Table {
        name: format!("s3d-{set}-schemes"),
        title: format!("{title}: schemes by layer, all seeds together"),
        columns: columns.map(str::to_owned).into(),
        rows,
        notes: vec![
            "Decreases of the loss on the captured samples at the ε of the line search, means over \
             the growth steps; the measured one is that of the layer's growths without the others'."
                .into(),
        ],
    }
}
