use std::fs;

use serde_json::json;

use super::*;
use crate::recipe::differences;
use crate::study::{Scale, StudySettings};

fn comparison(name: &str) -> Result<Comparison, ExperimentError> {
    Comparison::new(name.to_owned(), File::named(name)?)
}

fn with(changes: &[&str]) -> StudySettings {
    StudySettings {
        changes: changes.iter().map(|change| (*change).to_owned()).collect(),
        ..StudySettings::at(Scale::Quick)
    }
}

#[test]
fn every_file_is_a_comparison_at_each_of_its_scales() -> Result<(), ExperimentError> {
    let all = all()?;
    assert!(all.len() > file::FILES.len());
    for study in &all {
        assert!(!study.description().is_empty(), "{}", study.name());
        for scale in study.scales() {
            let settings = StudySettings::at(scale);
            let units = study.units(&settings)?;
            assert!(!units.is_empty(), "{}", study.name());
            for index in 0..units.len() {
                let unit = units.get(index).unwrap_or_default();
                study.unit_recipe(&settings, &unit)?;
            }
        }
    }
    Ok(())
}

#[test]
fn files_inherit_and_changes_come_last() -> Result<(), ExperimentError> {
    let conv = comparison("methods-conv")?.recipe(&with(&[]))?;
    assert_eq!(conv.arm("s2d")?.grow.until, 0.15);
    assert_eq!(conv.train.epochs, 28);
    assert_eq!(conv.arm("firefly")?.grow.candidates, 6);
    let changed = with(&[
        "grow.until=0.4",
        "train.epochs = 7",
        "methods.s2d.grow.growths=3",
    ]);
    let changed = comparison("methods-conv")?.recipe(&changed)?;
    assert_eq!(changed.train.epochs, 7);
    assert_eq!(changed.arm("s2d")?.grow.until, 0.4);
    assert_eq!(changed.arm("s2d")?.grow.growths, 3);
    assert_eq!(changed.arm("s3d")?.grow.growths, 1);
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_with_its_name() -> Result<(), ExperimentError> {
    let methods = comparison("methods")?;
    for (change, said) in [
        ("grow.stepz=8", "stepz"),
        ("grow.criterion=s4d", "s4d"),
        ("train.epochs=0", "epochs"),
        ("train.batch=many", "many"),
        ("data.held=1.5", "data.held"),
        ("net.target=[3, 3, 3]", "2 widths"),
        ("compare=['scratch', 'nobody']", "nobody"),
        ("methods.s2d.rate=-1", "methods.s2d"),
        ("methods.found.widths-of=nobody", "nobody"),
        ("methods.s3d.grow.bound=0.5", "0.5"),
        ("seeds.x=3", "seeds"),
        ("grow", "section.key=value"),
    ] {
        let error = methods
            .units(&with(&[change]))
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(error.contains(said), "{change}: {error}");
    }
    let error = methods
        .units(&StudySettings::at(Scale::Cpu))
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("quick, paper"), "{error}");
    Ok(())
}

#[test]
fn a_file_of_ones_own_inherits_from_beside_it_and_from_the_program()
-> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
    write(
        "base.toml",
        "inherits = \"methods\"\ntitle = \"mine\"\n[train]\nepochs = 3\n",
    )?;
    write(
        "own.toml",
        "inherits = \"base.toml\"\ncompare = [\"scratch\"]\n",
    )?;
    let own = at(&folder.path().join("own.toml"))?;
    assert_eq!(own.name(), "own");
    let units = own.units(&StudySettings::at(Scale::Quick))?;
    assert_eq!(units.get(0).as_deref(), Some("scratch,0.04-0"));
    let recipe = own.recipe(&StudySettings::at(Scale::Quick))?;
    assert_eq!(recipe["train"]["epochs"], 3);
    assert_eq!(recipe["title"], "mine");
    write("circle.toml", "inherits = \"circle.toml\"\n")?;
    let error = at(&folder.path().join("circle.toml"))
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("inherits"), "{error}");
    write("broken.toml", "title = \n")?;
    let error = at(&folder.path().join("broken.toml"))
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("broken.toml"), "{error}");
    assert!(at(&folder.path().join("nothing.toml")).is_err());
    Ok(())
}

/// What inherits from a study of which rates were chosen does not say so of itself.
#[test]
fn rates_that_were_not_chosen_are_not_called_so() -> Result<(), ExperimentError> {
    for (name, scale, chosen) in [
        ("methods", Scale::Quick, true),
        ("methods-fashion", Scale::Quick, true),
        ("methods-fashion", Scale::Paper, false),
        ("methods-conv", Scale::Quick, false),
        ("cifar-vgg", Scale::Cpu, false),
        ("energy-digits", Scale::Quick, true),
        ("energy-fashion", Scale::Quick, false),
    ] {
        let recipe = comparison(name)?.recipe(&StudySettings::at(scale))?;
        assert_eq!(recipe.report.rates_chosen, chosen, "{name} {scale:?}");
    }
    Ok(())
}

/// The file of the book.
#[test]
fn the_study_of_the_book_is_one() -> Result<(), ExperimentError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = at(&folder.join("tests/data/own_study.toml"))?;
    let units = own.units(&StudySettings::at(Scale::Quick))?;
    assert_eq!(units.len(), 12);
    assert_eq!(units.get(9).as_deref(), Some("early,0.01-0"));
    Ok(())
}

/// Another method leaves the results of those there are; another setting of a method's own does not.
#[test]
fn a_unit_depends_on_its_own_method_alone() -> Result<(), ExperimentError> {
    let methods = comparison("methods")?;
    let of = |changes: &[&str], unit: &str| methods.unit_recipe(&with(changes), unit);
    let s2d = of(&[], "s2d,0.02-0")?;
    for change in [
        "methods.s3d.grow.bound=4.0",
        "methods.s2d.label=other",
        "methods.s2d.rate=0.01",
        "compare=['s2d']",
        "seeds=3",
        "train.rates=[]",
    ] {
        assert_eq!(of(&[change], "s2d,0.02-0")?, s2d, "{change}");
    }
    for change in [
        "methods.s2d.grow.growths=2",
        "data.held=0.2",
        "train.epochs=9",
        "net.target=8",
    ] {
        let found = differences(&of(&[change], "s2d,0.02-0")?, &s2d);
        assert_eq!(found.len(), 1, "{change}: {found:?}");
    }
    // The widths that it finds come of the other's settings.
    let found = of(&[], "found,0.04-0")?;
    for change in ["methods.ranked.rate=0.01", "methods.ranked.grow.share=0.5"] {
        assert_ne!(of(&[change], "found,0.04-0")?, found, "{change}");
    }
    assert_eq!(s2d["method"]["rate"], json!(0.02));
    Ok(())
}
