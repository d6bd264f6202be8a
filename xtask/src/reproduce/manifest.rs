//! What a run was: written beside its results.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::SystemTime;

use burgeon_experiments::{ExperimentError, Study, StudySettings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The manifest of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// Whether the run came to its end.
    pub finished: bool,
    /// The studies.
    pub studies: Vec<String>,
    /// Scale, seeds, device and data folder. Seeds are 0 to n−1, as many as the
    /// study's table says.
    pub settings: StudySettings,
    /// All that results depend on besides the settings, study by study.
    #[serde(default)]
    pub recipes: BTreeMap<String, Value>,
    /// The command line.
    pub command: Vec<String>,
    /// When it started, UTC.
    pub started: String,
    /// Wall time of each study in this call, in seconds; resumed units took theirs
    /// before.
    pub seconds: Vec<(String, f64)>,
    /// Hardware threads of the machine.
    pub threads: usize,
    /// Worker threads that ran units.
    pub workers: usize,
    /// Version of burgeon.
    pub burgeon: String,
    /// Version of Burn.
    pub burn: String,
    /// Version of the compiler.
    pub rustc: String,
    /// Operating system and processor architecture.
    pub platform: String,
    /// Revision of the repository, with `+changes` if the tree was not clean.
    pub git_revision: Option<String>,
    /// Other revisions, by which earlier parts of the run were made.
    #[serde(default)]
    pub earlier_revisions: Vec<String>,
}

impl Manifest {
    /// The manifest of a run that starts now.
    ///
    /// # Errors
    /// Those of a study that cannot be run with the settings.
    pub fn new(
        settings: StudySettings,
        studies: &[Box<dyn Study>],
        workers: usize,
    ) -> Result<Self, ExperimentError> {
        let recipes = studies
            .iter()
            .map(|study| Ok((study.name().to_owned(), study.recipe(&settings)?)))
            .collect::<Result<_, ExperimentError>>()?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            finished: false,
            studies: studies
                .iter()
                .map(|study| study.name().to_owned())
                .collect(),
            settings,
            recipes,
            command: std::env::args().skip(1).collect(),
            started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            seconds: Vec::new(),
            threads,
            workers,
            burgeon: env!("CARGO_PKG_VERSION").to_owned(),
            burn: burn_version().to_owned(),
            rustc: output("rustc", &["--version"]).unwrap_or_else(|| "unknown".into()),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            git_revision: git_revision(),
            earlier_revisions: Vec::new(),
        })
    }

    /// The revision, or that it is not known.
    pub fn revision(&self) -> &str {
        self.git_revision.as_deref().unwrap_or("unknown")
    }
}

/// The version in the lock file that this program was built with.
fn burn_version() -> &'static str {
    let lock = include_str!("../../../Cargo.lock");
    lock.split("[[package]]")
        .find(|package| package.contains("name = \"burn\"\n"))
        .and_then(|package| package.split("version = \"").nth(1)?.split('"').next())
        .unwrap_or("unknown")
}

fn git_revision() -> Option<String> {
    let revision = output("git", &["rev-parse", "HEAD"])?;
    let changes = output("git", &["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() {
        revision
    } else {
        revision + "+changes"
    })
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
