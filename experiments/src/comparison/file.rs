//! Files of comparisons: what they inherit, their scales, and changes from the command line.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::overlay::overlay;
use super::recipe::Recipe;
use crate::error::ExperimentError;
use crate::study::{Scale, StudySettings};

macro_rules! files {
    ($($name:literal,)*) => {
        [$(($name, include_str!(concat!("../../studies/", $name, ".toml")))),*]
    };
}

/// The files that come with the program, by name; what others inherit is not run itself.
pub(super) const FILES: &[(&str, &str)] = &files![
    "equal-cost",
    "digits",
    "digits-conv",
    "fashion",
    "s3d-digits",
    "s3d-fashion",
    "cifar-mobilenet",
    "cifar-mobilenet-v2",
    "cifar-vgg",
    "cifar-resnet",
    "spoken-ds-cnn",
    "energy-digits",
    "energy-fashion",
    "methods",
    "methods-conv",
    "methods-fashion",
    "methods-recipe",
    "as-search",
];

/// Files that inherit from each other in a longer chain than this go in a circle.
const MOST_ANCESTORS: usize = 16;

/// What a file says, with all that it inherits, before a scale is chosen.
#[derive(Debug, Clone)]
pub(super) struct File {
    table: Table,
}

impl File {
    /// The file that comes with the program under this name.
    ///
    /// # Errors
    /// [`ExperimentError::Settings`] for an unknown name or a file that is no comparison.
    pub fn named(name: &str) -> Result<Self, ExperimentError> {
        let table = with_ancestors(own(name)?, Path::new(""), MOST_ANCESTORS)?;
        Ok(Self { table })
    }

    /// A file of one's own. What it inherits is a file beside it (`base.toml`), or one that comes
    /// with the program (`equal-cost`).
    ///
    /// # Errors
    /// [`ExperimentError::File`] for one that cannot be read or is no comparison.
    pub fn at(path: &Path) -> Result<Self, ExperimentError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let table = with_ancestors(read(path)?, folder, MOST_ANCESTORS)?;
        Ok(Self { table })
    }

    /// The scales that it has a section for.
    pub fn scales(&self) -> Vec<Scale> {
        let named = |scale: &Scale| self.table.contains_key(scale.name());
        Scale::ALL.into_iter().filter(named).collect()
    }

    /// What stands at the top of the file under this key.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.table.get(key)
    }

    /// What is to be run.
    ///
    /// # Errors
    /// [`ExperimentError::Settings`] if it has no such scale, for a change of what does not exist,
    /// and for a value that cannot be.
    pub fn recipe(&self, settings: &StudySettings) -> Result<Recipe, ExperimentError> {
        let mut table = self.table.clone();
        let scales = self.scales();
        let mut chosen = None;
        for scale in Scale::ALL {
            let section = table.remove(scale.name());
            if scale == settings.scale {
                chosen = section;
            }
        }
        let Some(Value::Table(section)) = chosen else {
            let scales: Vec<&str> = scales.into_iter().map(Scale::name).collect();
            return Err(ExperimentError::Settings(format!(
                "there is no scale `{}`: it has {}",
                settings.scale.name(),
                scales.join(", ")
            )));
        };
        overlay(&mut table, section);
        for change in &settings.changes {
            set(&mut table, change)?;
        }
        let recipe = parse(&table)?;
        recipe.check()?;
        Ok(recipe)
    }
}

/// The recipe that `table` is; the error of one that is none shows the line.
fn parse(table: &Table) -> Result<Recipe, ExperimentError> {
    let text = toml::to_string(table).map_err(|error| unfit(&error))?;
    toml::from_str(&text).map_err(|error| unfit(&error))
}

fn unfit(error: &dyn std::fmt::Display) -> ExperimentError {
    let error = error.to_string();
    ExperimentError::Settings(format!("no comparison: {}", error.trim_end()))
}

fn own(name: &str) -> Result<Table, ExperimentError> {
    let found = FILES.iter().find(|(known, _)| *known == name);
    let Some((_, text)) = found else {
        let known: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        return Err(ExperimentError::Settings(format!(
            "`{name}` is no file of a comparison: use one of {}, or a path that ends in .toml",
            known.join(", ")
        )));
    };
    let table = text.parse::<Table>();
    table.map_err(|error| ExperimentError::Settings(format!("{name}: {error}")))
}

fn read(path: &Path) -> Result<Table, ExperimentError> {
    let text = fs::read_to_string(path).map_err(ExperimentError::io(path))?;
    let table = text.parse::<Table>();
    table.map_err(|error| ExperimentError::file(path, error.to_string().trim_end().to_owned()))
}

fn with_ancestors(mut table: Table, folder: &Path, left: usize) -> Result<Table, ExperimentError> {
    let Some(parent) = table.remove("inherits") else {
        return Ok(table);
    };
    let (Value::String(parent), Some(left)) = (parent, left.checked_sub(1)) else {
        return Err(ExperimentError::Settings(format!(
            "`inherits` must be the name of one file, in a chain of at most {MOST_ANCESTORS}"
        )));
    };
    let (base, folder) = match parent.ends_with(".toml") {
        true => {
            let path: PathBuf = folder.join(&parent);
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            (read(&path)?, folder)
        }
        false => (own(&parent)?, folder.to_owned()),
    };
    let mut base = with_ancestors(base, &folder, left)?;
    // Rates that were chosen for one network are not chosen for another.
    if let Some(Value::Table(report)) = base.get_mut("report") {
        report.remove("rates-chosen");
    }
    overlay(&mut base, table);
    Ok(base)
}

/// Makes the change `path.to.key=value`.
fn set(table: &mut Table, change: &str) -> Result<(), ExperimentError> {
    let wrong = |problem: String| ExperimentError::Settings(format!("--set {change}: {problem}"));
    let Some((path, value)) = change.split_once('=') else {
        return Err(wrong("write it as section.key=value".into()));
    };
    let value = value.trim();
    // What is no TOML value is a word, so that `grow.criterion=s2d` needs no quotes.
    let value = match format!("value = {value}").parse::<Table>() {
        Ok(mut parsed) => parsed.remove("value").unwrap_or(Value::Boolean(false)),
        Err(_) => Value::String(value.to_owned()),
    };
    let keys: Vec<&str> = path.trim().split('.').collect();
    let (last, sections) = keys.split_last().unwrap_or((&"", &[]));
    let mut inner = table;
    for section in sections {
        let entry = inner
            .entry(*section)
            .or_insert_with(|| Value::Table(Table::new()));
        inner = entry
            .as_table_mut()
            .ok_or_else(|| wrong(format!("`{section}` is no section")))?;
    }
    inner.insert((*last).to_owned(), value);
    Ok(())
}
