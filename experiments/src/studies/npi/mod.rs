//! Recursive neural programmer-interpreters (Cai, Shin and Song, arXiv 1704.06611): the paper's
//! tables, and proofs.

mod calls;
mod setups;
mod tables;
mod unit;

use serde_json::{Value, json};

use self::setups::{SETUPS, Setup, setup_of};
use super::{decode, encode, method_and_seed, results_of};
use crate::error::ExperimentError;
use crate::report::Report;
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// The unit that counts calls; it has no network.
const CALLS: &str = "calls";

/// The study.
#[derive(Debug)]
pub(super) struct Interpreters;

impl Study for Interpreters {
    fn name(&self) -> &str {
        "npi"
    }

    fn description(&self) -> &str {
        "Networks that learn addition and three sorts from traces, with and without recursion, and \
         the proofs of the recursive ones"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        SETUPS
            .iter()
            .try_fold(Units::new(&[CALLS], 0, 1)?, |units, setup| {
                units.and(&[setup.method], 0, seeds(settings, setup))
            })
    }

    fn recipe(&self, settings: &StudySettings) -> Result<Value, ExperimentError> {
        let setups = SETUPS.iter().map(|setup| {
            json!({
                "method": setup.method,
                "hidden": setup.hidden,
                "sizes": setup.sizes,
                "seeds": seeds(settings, setup),
            })
        });
        Ok(json!({
            "setups": setups.collect::<Vec<_>>(),
            "training": unit::training_recipe(),
            "problems": unit::PROBLEMS,
        }))
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        match method_and_seed(unit)?.0 {
            CALLS => decode::<Vec<calls::Growth>>(unit, result).map(drop),
            _ => decode::<unit::Outcome>(unit, result).map(drop),
        }
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        match method_and_seed(unit)? {
            (CALLS, _) => encode(&calls::growths()?),
            (method, seed) => encode(&unit::run(setup_of(method)?, seed, context)?),
        }
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let growths: Vec<Vec<calls::Growth>> = results_of(results, CALLS)?;
        let outcomes = SETUPS
            .iter()
            .map(|setup| Ok((setup, results_of(results, setup.method)?)))
            .collect::<Result<Vec<_>, ExperimentError>>()?;
        Ok(Report {
            tables: tables::all(settings, &outcomes),
            figures: vec![calls::figure(&growths.concat())],
        })
    }
}

/// Seeds of a setup: ten for proofs at any scale, save where one takes minutes.
fn seeds(settings: &StudySettings, setup: &Setup) -> usize {
    settings.seeds.unwrap_or(match settings.scale {
        Scale::Quick => setup.quick_seeds,
        Scale::Cpu | Scale::Paper => 10,
    })
}
