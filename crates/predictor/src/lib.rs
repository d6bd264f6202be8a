//! From a file of one's own data to a grown network that predicts, and back.
//!
//! A fit reads records, standardises them, grows a network within a budget and leaves a folder:
//! weights, what the columns and classes mean, every size that growing passed, a model card. A
//! fit that is killed and begun again goes on to the same result.
//!
//! ```
//! use burgeon::data::own::{Records, ReadOptions, read_csv};
//! use burgeon_predictor::{Fit, FitData, FitSettings, Prediction, Predictor, Watch, fit};
//!
//! // A synthetic table: which of two numbers is the larger one.
//! let mut text = String::from("a,b,larger\n");
//! for row in 0..60 {
//!     let (a, b) = (row * 7 % 60, row * 11 % 60 + 1);
//!     text += &format!("{a},{b},{}\n", if a > b { "a" } else { "b" });
//! }
//! let table = read_csv("numbers", text.as_bytes(), &ReadOptions::default())?;
//! let records = Records::Table(table);
//! let data = FitData {
//!     name: "numbers",
//!     records: &records,
//!     held: None,
//!     target: Some("larger"),
//!     goal: None,
//! };
//! let settings = FitSettings { epochs: Some(30), ..FitSettings::default() };
//! let folder = tempfile::tempdir()?;
//! let Fit::Done(summary) = fit(&data, &settings, folder.path(), &Watch::default())? else {
//!     panic!("nobody interrupts it");
//! };
//! assert_eq!(summary.sizes.len(), 3);
//! let predictor = Predictor::load(folder.path(), None)?;
//! let table = read_csv("new", b"a,b\n50,3\n", &ReadOptions::default())?;
//! let predictions = predictor.predict(&Records::Table(table))?;
//! assert!(matches!(&predictions[0], Prediction::Class { class, .. } if class == "a"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod architecture;
mod card;
mod error;
mod export;
mod fit;
mod int8;
pub mod latency;
mod layers;
mod predict;
mod run;
mod settings;
mod sizing;
mod start;
mod trained;
mod watch;

pub use architecture::Kind;
pub use burgeon_run::{
    ColumnEncoding, Format, Goal, InputSchema, Precision, Prediction, Schema, TargetSchema,
};
pub use card::note_int8;
pub use error::PredictorError;
pub use export::Export;
pub use fit::{Fit, FitData, fit};
pub use layers::NetworkFile;
pub use predict::{Predictor, Score};
pub use run::{LatencyFigures, Size, StartFigures, Summary, summary_of};
pub use settings::{FitSettings, SizeBudget};
pub use watch::Watch;
