//! NAS-Bench-201's cells, with an accuracy and a hardware model of each: a joint space small enough
//! to know all of it.

use std::io::Read;

use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};

use crate::error::CoexploreError;
use crate::front::{Front, FrontPoint};
use crate::problem::{Judge, Measured, Problem, check_child};

/// Edges of a cell.
const EDGES: usize = 6;

/// All cells.
const CELLS: usize = 15_625;

const FILE: &[u8] = include_bytes!("../data/mini-nasbench201.csv.gz");

/// What is on an edge of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// Nothing.
    None,
    /// The identity.
    Skip,
    /// A 1×1 convolution.
    Conv1x1,
    /// A 3×3 convolution.
    Conv3x3,
    /// A mean over 3×3.
    Average3x3,
}

impl Operation {
    /// All of them, in the order of a decision's choices.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::Skip,
        Self::Conv1x1,
        Self::Conv3x3,
        Self::Average3x3,
    ];

    /// Its name in NAS-Bench-201.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Skip => "skip_connect",
            Self::Conv1x1 => "nor_conv_1x1",
            Self::Conv3x3 => "nor_conv_3x3",
            Self::Average3x3 => "avg_pool_3x3",
        }
    }
}

/// A device of HW-NAS-Bench (C. Li et al., ICLR 2021). Its figures are a model's, not measured; on
/// CIFAR-10 they are exact sums over the edges of the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// An FPGA.
    Fpga,
    /// The Eyeriss chip.
    Eyeriss,
}

impl Device {
    /// Milliseconds of a network of the cell `operations`.
    pub fn milliseconds(self, operations: [Operation; EDGES]) -> f64 {
        let (rest, of): (f64, fn(Operation) -> f64) = match self {
            Self::Fpga => (1.13296, |operation| match operation {
                Operation::None | Operation::Skip => 0.0,
                Operation::Conv1x1 => 0.51520,
                Operation::Conv3x3 => 1.25760,
                Operation::Average3x3 => 0.40960,
            }),
            Self::Eyeriss => (1.67954, |operation| match operation {
                Operation::None | Operation::Skip => 0.0,
                Operation::Conv1x1 => 0.24576,
                Operation::Conv3x3 | Operation::Average3x3 => 1.47456,
            }),
        };
        rest + operations.into_iter().map(of).sum::<f64>()
    }
}

/// All cells, on a device that has to be faster than a limit: one stage of six decisions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CellSpace {
    device: Device,
    limit: f64,
}

impl CellSpace {
    /// Cells on `device`, in at most `limit` milliseconds.
    ///
    /// # Errors
    /// [`CoexploreError::Parameter`] for a limit that is not above 0.
    pub fn new(device: Device, limit: f64) -> Result<Self, CoexploreError> {
        match limit.is_finite() && limit > 0.0 {
            true => Ok(Self { device, limit }),
            false => CoexploreError::parameter("limit", limit, "above 0 ms"),
        }
    }

    /// The device.
    pub fn device(&self) -> Device {
        self.device
    }
}

fn operations(child: &[usize]) -> Result<[Operation; EDGES], CoexploreError> {
    check_child(child, &[Operation::ALL.len(); EDGES])?;
    Ok(std::array::from_fn(|edge| Operation::ALL[child[edge]]))
}

impl Problem for CellSpace {
    fn stages(&self) -> Vec<Vec<usize>> {
        vec![vec![Operation::ALL.len(); EDGES]]
    }

    fn measure(&self, child: &[usize]) -> Result<Measured, CoexploreError> {
        let time = self.device.milliseconds(operations(child)?);
        Ok(Measured::new(&[time], self.limit))
    }

    fn architecture(&self, child: &[usize]) -> Result<Vec<usize>, CoexploreError> {
        operations(child).map(|_| child.to_vec())
    }
}

/// A cell with what it reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// Its number in NAS-Bench-201.
    pub number: usize,
    /// Accuracy on CIFAR-10's validation data, from 0 to 1, after **12 epochs**.
    pub validation: f64,
    /// Accuracy on CIFAR-10's test data: to report, never to choose by.
    pub test: f64,
}

/// The accuracies of all cells.
#[derive(Debug, Clone, PartialEq)]
pub struct JointTable {
    /// By the number that a child's choices are in base 5.
    entries: Vec<Entry>,
}

impl JointTable {
    /// The table that comes with this crate; see `data/README.md`.
    ///
    /// # Errors
    /// [`CoexploreError::Table`] where it cannot be read.
    pub fn embedded() -> Result<Self, CoexploreError> {
        let mut text = String::new();
        let read = GzDecoder::new(FILE).read_to_string(&mut text);
        read.map_err(|error| problem(0, error.to_string()))?;
        Self::parse(&text)
    }

    /// Of a file of lines `number,cell,validation %,test %,…` below a heading.
    ///
    /// # Errors
    /// [`CoexploreError::Table`] for a line that is none, or cells that are missing or come twice.
    pub fn parse(text: &str) -> Result<Self, CoexploreError> {
        let mut found: Vec<Option<Entry>> = vec![None; CELLS];
        for (index, line) in text.lines().enumerate().skip(1) {
            let (code, entry) = row(line).map_err(|what| problem(index + 1, what))?;
            if found[code].replace(entry).is_some() {
                return Err(problem(index + 1, "this cell came before"));
            }
        }
        let entries: Option<Vec<Entry>> = found.into_iter().collect();
        match entries {
            Some(entries) => Ok(Self { entries }),
            None => Err(problem(0, "cells are missing")),
        }
    }

    /// What `child` reached.
    ///
    /// # Errors
    /// [`CoexploreError::Child`] for what is no cell.
    pub fn entry(&self, child: &[usize]) -> Result<Entry, CoexploreError> {
        operations(child)?;
        Ok(self.entries[code(child)])
    }

    /// All cells: what they are and what they reached.
    pub fn all(&self) -> impl Iterator<Item = (Vec<usize>, Entry)> {
        self.entries.iter().enumerate().map(|(code, entry)| {
            let digit = |edge: usize| code / 5_usize.pow((EDGES - 1 - edge) as u32) % 5;
            ((0..EDGES).map(digit).collect(), *entry)
        })
    }

    /// The front of validation accuracy and milliseconds on `device`, of cells by their numbers, the
    /// lowest of equals.
    pub fn front(&self, device: Device) -> Front {
        let mut front = Front::default();
        let mut cells: Vec<(Vec<usize>, Entry)> = self.all().collect();
        cells.sort_by_key(|(_, entry)| entry.number);
        for (child, entry) in cells {
            let operations = std::array::from_fn(|edge| Operation::ALL[child[edge]]);
            front.add(FrontPoint {
                cost: device.milliseconds(operations),
                value: entry.validation,
                child: entry.number,
            });
        }
        front
    }
}

impl Judge for &JointTable {
    fn accuracy(&mut self, architecture: &[usize]) -> Result<f64, CoexploreError> {
        self.entry(architecture).map(|entry| entry.validation)
    }
}

fn problem(line: usize, problem: impl Into<String>) -> CoexploreError {
    CoexploreError::Table {
        line,
        problem: problem.into(),
    }
}

fn code(child: &[usize]) -> usize {
    child.iter().fold(0, |code, choice| 5 * code + choice)
}

/// Reads a line.
fn row(line: &str) -> Result<(usize, Entry), String> {
    let fields: Vec<&str> = line.split(',').collect();
    let [number, cell, validation, test, ..] = fields[..] else {
        return Err("fewer than four fields".into());
    };
    let per_cent = |text: &str| {
        let value = text
            .parse::<f64>()
            .ok()
            .filter(|value| (0.0..=100.0).contains(value));
        value
            .map(|value| value / 100.0)
            .ok_or(format!("`{text}` is no accuracy in per cent"))
    };
    let number = number
        .parse()
        .map_err(|_| format!("`{number}` is no number of a cell"))?;
    let edges = cell
        .split('|')
        .filter(|part| !part.is_empty() && *part != "+");
    let choices: Option<Vec<usize>> = edges
        .map(|edge| {
            let name = edge.split('~').next()?;
            Operation::ALL
                .iter()
                .position(|operation| operation.name() == name)
        })
        .collect();
    let choices = choices.filter(|choices| choices.len() == EDGES);
    let choices = choices.ok_or(format!("`{cell}` is no cell of six edges"))?;
    let entry = Entry {
        number,
        validation: per_cent(validation)?,
        test: per_cent(test)?,
    };
    Ok((code(&choices), entry))
}
