//! The settings that the units of a run depend on, as arguments.

use burgeon::backend;
use burgeon_experiments::{ExperimentError, Scale, StudySettings};
use clap::{Args, ValueEnum};

use crate::data_directory;
use crate::error::XtaskError;

#[derive(Debug, Args)]
pub struct SettingsArguments {
    /// How much to run
    #[arg(long, value_enum, default_value_t = ScaleArgument::Quick)]
    scale: ScaleArgument,
    /// Seeds for each method, instead of the experiment's own number
    #[arg(long)]
    seeds: Option<usize>,
    /// Device to compute on: flex, ndarray, cuda:N, wgpu:N or cpu (see `burgeon doctor`)
    #[arg(long, default_value = backend::DEFAULT)]
    device: String,
    /// Change what an experiment's file says, such as grow.growths=8 (may be given several times)
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    changes: Vec<String>,
    /// Train in mixed precision: products in bfloat16, where the device has them
    #[arg(long)]
    mixed_precision: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScaleArgument {
    /// Minutes on two cores
    Quick,
    /// At most an hour on two cores
    Cpu,
    /// The papers' sizes, where they are known
    Paper,
}

impl SettingsArguments {
    /// The device's name.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The settings.
    pub fn settings(&self) -> Result<StudySettings, XtaskError> {
        if self.seeds == Some(0) {
            return Err(ExperimentError::Settings("--seeds must be at least 1".into()).into());
        }
        Ok(StudySettings {
            scale: match self.scale {
                ScaleArgument::Quick => Scale::Quick,
                ScaleArgument::Cpu => Scale::Cpu,
                ScaleArgument::Paper => Scale::Paper,
            },
            seeds: self.seeds,
            device: self.device.clone(),
            data: data_directory(),
            mixed_precision: self.mixed_precision,
            changes: self.changes.clone(),
        })
    }

    /// The arguments that give these settings again.
    pub fn arguments(&self) -> Vec<String> {
        let scale = self.scale.to_possible_value();
        let scale = scale.map_or_else(String::new, |value| value.get_name().to_owned());
        let mut arguments = vec!["--scale".to_owned(), scale];
        if let Some(seeds) = self.seeds {
            arguments.extend(["--seeds".to_owned(), seeds.to_string()]);
        }
        arguments.extend(["--device".to_owned(), self.device.clone()]);
        for change in &self.changes {
            arguments.extend(["--set".to_owned(), change.clone()]);
        }
        if self.mixed_precision {
            arguments.push("--mixed-precision".to_owned());
        }
        arguments
    }
}
