//! Addition of two numbers of equal length, digit by digit.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Problem, Recursion, Task};
use crate::calls::CallSet;
use crate::environment::{Environment, flag};
use crate::error::NpiError;
use crate::oracle::{Bodies, Body, Statement};
use crate::program::{Call, Feature, InstructionSet, NONE, Observation, Program, ProgramInfo};
use crate::verification::{AdditionAbstraction, closed_set};

/// A cell that was never written, or lies outside the number.
pub const END: u8 = 10;

/// ADD, ADD1, CARRY and LSHIFT of Reed and de Freitas; numbers have equal lengths and no leading
/// zeros.
#[derive(Debug, Clone, Copy)]
pub struct Addition;

const ADD: Program = Program(0);
const ADD1: Program = Program(1);
const CARRY: Program = Program(2);
const LSHIFT: Program = Program(3);
/// Moves a pointer of a row.
pub(crate) const PTR: Program = Program(4);
/// Writes a digit into a row.
pub(crate) const WRITE: Program = Program(5);

/// Rows, as the first argument.
pub(crate) const INP1: u8 = 1;
pub(crate) const INP2: u8 = 2;
pub(crate) const CARRY_ROW: u8 = 3;
pub(crate) const OUT: u8 = 4;
/// Directions and digits, as the second argument.
pub(crate) const LEFT: u8 = 1;
pub(crate) const RIGHT: u8 = 2;
/// The digit 0; others follow.
pub(crate) const ZERO: u8 = 3;

const CELL: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "END"];

const INSTRUCTIONS: InstructionSet = InstructionSet {
    programs: &[
        ProgramInfo::composite("ADD"),
        ProgramInfo::composite("ADD1"),
        ProgramInfo::composite("CARRY"),
        ProgramInfo::composite("LSHIFT"),
        ProgramInfo::primitive("PTR"),
        ProgramInfo::primitive("WRITE"),
    ],
    arguments: [
        &["-", "INP1", "INP2", "CARRY", "OUT"],
        &[
            "-", "LEFT", "RIGHT", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9",
        ],
        &["-"],
    ],
    features: &[
        Feature {
            name: "in1",
            values: CELL,
        },
        Feature {
            name: "in2",
            values: CELL,
        },
        Feature {
            name: "carry",
            values: CELL,
        },
        Feature {
            name: "out",
            values: CELL,
        },
    ],
    main: ADD,
};

const fn call(program: Program) -> Statement {
    Statement::Call(Call::plain(program))
}

const fn act(program: Program, first: u8, second: u8) -> Statement {
    Statement::Call(Call::new(program, first, second))
}

fn unfinished(seen: Observation) -> bool {
    seen[..3].iter().any(|cell| *cell != END)
}

/// The sum of the column, where an empty cell counts nothing.
fn column_sum(seen: Observation) -> u8 {
    seen[..3].iter().filter(|cell| **cell != END).sum()
}

fn write_sum(seen: Observation) -> Call {
    Call::new(WRITE, OUT, ZERO + column_sum(seen) % 10)
}

const ADD_LOOP: Body = &[Statement::While(unfinished, &[call(ADD1), call(LSHIFT)])];
const ADD_RECURSIVE: Body = &[Statement::If(
    unfinished,
    &[call(ADD1), call(LSHIFT), call(ADD)],
    &[],
)];
const ADD1_BODY: Body = &[
    Statement::CallOf(write_sum),
    Statement::If(|seen| column_sum(seen) > 9, &[call(CARRY)], &[]),
];
const CARRY_BODY: Body = &[
    act(PTR, CARRY_ROW, LEFT),
    act(WRITE, CARRY_ROW, ZERO + 1),
    act(PTR, CARRY_ROW, RIGHT),
];
const LSHIFT_BODY: Body = &[
    act(PTR, INP1, LEFT),
    act(PTR, INP2, LEFT),
    act(PTR, CARRY_ROW, LEFT),
    act(PTR, OUT, LEFT),
];

fn shared(call: Call) -> Body {
    match call {
        Call {
            program: ADD1,
            arguments: NONE,
        } => ADD1_BODY,
        Call {
            program: CARRY,
            arguments: NONE,
        } => CARRY_BODY,
        Call {
            program: LSHIFT,
            arguments: NONE,
        } => LSHIFT_BODY,
        _ => &[],
    }
}

fn looping(call: Call) -> Body {
    match call.program {
        ADD => ADD_LOOP,
        _ => shared(call),
    }
}

fn recursive(call: Call) -> Body {
    match call.program {
        ADD => ADD_RECURSIVE,
        _ => shared(call),
    }
}

impl Task for Addition {
    fn name(&self) -> &'static str {
        "addition"
    }

    fn usage(&self) -> &'static str {
        "two numbers of equal length, such as 109 101"
    }

    fn instructions(&self) -> &'static InstructionSet {
        &INSTRUCTIONS
    }

    fn bodies(&self, recursion: Recursion) -> Option<Bodies> {
        recursion.of_two(looping, recursive)
    }

    fn parse(&self, words: &[String]) -> Result<Problem, NpiError> {
        let [first, second] = words else {
            return Err(NpiError::Problem(format!(
                "{} numbers: addition takes {}",
                words.len(),
                self.usage()
            )));
        };
        let digits = |word: &String| -> Result<Vec<u8>, NpiError> {
            word.chars()
                .map(|c| super::digits::parse_digit(&c.to_string()))
                .collect()
        };
        Ok(Box::new(AdditionProblem::new(
            &digits(first)?,
            &digits(second)?,
        )?))
    }

    fn random(&self, size: usize, rng: &mut ChaCha8Rng) -> Problem {
        let lowest = u8::from(size > 1);
        let mut number = || -> Vec<u8> {
            let leading = rng.random_range(lowest..=9);
            let rest = (1..size).map(|_| rng.random_range(0..=9));
            std::iter::once(leading).chain(rest).collect()
        };
        Box::new(AdditionProblem::of_digits(&number(), &number()))
    }

    fn exhaustive(&self, size: usize) -> Box<dyn Iterator<Item = Problem>> {
        let exponent = u32::try_from(size).unwrap_or(u32::MAX);
        let end = 10_usize.saturating_pow(exponent);
        let first = if size > 1 { end / 10 } else { 0 };
        let digits = move |number: usize| -> Vec<u8> {
            let digit = |place| (number / 10_usize.saturating_pow(place) % 10) as u8;
            (0..exponent).rev().map(digit).collect()
        };
        Box::new((first..end).flat_map(move |a| {
            (first..end).map(move |b| -> Problem {
                Box::new(AdditionProblem::of_digits(&digits(a), &digits(b)))
            })
        }))
    }

    fn closed_set(&self, _least: usize) -> Result<CallSet, NpiError> {
        closed_set(&AdditionAbstraction, &INSTRUCTIONS, recursive)
    }
}

/// Four rows of cells, each with a pointer that starts at the rightmost column.
#[derive(Debug, Clone)]
pub struct AdditionProblem {
    /// Cells of `in1`, `in2`, `carry` and `out`, the rightmost first.
    rows: [Vec<u8>; 4],
    /// Columns left of the rightmost one.
    pointers: [i64; 4],
}

impl AdditionProblem {
    /// The sum of two numbers, given by their digits from the left.
    ///
    /// # Errors
    /// [`NpiError::UnequalLengths`]; [`NpiError::ValueOutOfRange`] for what is no digit,
    /// [`NpiError::Problem`] for no digits and for a leading zero.
    pub fn new(first: &[u8], second: &[u8]) -> Result<Self, NpiError> {
        if first.len() != second.len() {
            return Err(NpiError::UnequalLengths {
                first: first.len(),
                second: second.len(),
            });
        }
        let mut digits = first.iter().chain(second);
        if let Some(value) = digits.find(|digit| **digit > 9) {
            return Err(NpiError::ValueOutOfRange {
                value: value.to_string(),
            });
        }
        match (first, second) {
            ([], _) => Err(NpiError::Problem("numbers without digits".into())),
            ([0, _, ..], _) | (_, [0, _, ..]) => Err(NpiError::Problem(
                "a number of several digits begins with 0: leave leading zeros out".into(),
            )),
            _ => Ok(Self::of_digits(first, second)),
        }
    }

    /// [`new`](Self::new) of what is known to fit.
    fn of_digits(first: &[u8], second: &[u8]) -> Self {
        let reversed = |digits: &[u8]| digits.iter().rev().copied().collect();
        // The sum has a digit more, and the last column's carry lies there.
        let empty = vec![END; first.len() + 1];
        Self {
            rows: [reversed(first), reversed(second), empty.clone(), empty],
            pointers: [0; 4],
        }
    }

    fn cell(&self, row: usize) -> Option<usize> {
        let column = usize::try_from(self.pointers[row]).ok()?;
        (column < self.rows[row].len()).then_some(column)
    }

    /// The digits of the sum, the rightmost first.
    fn expected(&self) -> Vec<u8> {
        let mut carry = 0;
        let columns = self.rows[0].iter().zip(&self.rows[1]);
        let mut sum: Vec<u8> = columns
            .map(|(a, b)| {
                let column = a + b + carry;
                carry = flag(column > 9);
                column % 10
            })
            .collect();
        sum.push(if carry == 1 { 1 } else { END });
        sum
    }
}

/// The row that an argument names.
fn row(argument: u8) -> Option<usize> {
    matches!(argument, INP1..=OUT).then(|| usize::from(argument - INP1))
}

impl Environment for AdditionProblem {
    fn observe(&self) -> Observation {
        [0, 1, 2, 3].map(|row| self.cell(row).map_or(END, |column| self.rows[row][column]))
    }

    fn apply(&mut self, call: Call) -> Result<(), String> {
        let [first, second, _] = call.arguments;
        let row = row(first).ok_or("no row is named")?;
        match (call.program, second) {
            (PTR, LEFT) => self.pointers[row] += 1,
            (PTR, RIGHT) => self.pointers[row] -= 1,
            (PTR, _) => return Err("no direction is named".into()),
            (WRITE, _) => {
                let digit = second.checked_sub(ZERO).ok_or("no digit is named")?;
                let column = self.cell(row).ok_or("the pointer is outside the row")?;
                self.rows[row][column] = digit;
            }
            _ => return Err("this is no primitive program of addition".into()),
        }
        Ok(())
    }

    fn is_solved(&self) -> bool {
        self.rows[3] == self.expected()
    }

    fn clone_box(&self) -> Problem {
        Box::new(self.clone())
    }

    fn text(&self) -> String {
        let number = |row: usize| -> String {
            let cells = self.rows[row].iter().rev().filter(|cell| **cell != END);
            cells.map(u8::to_string).collect()
        };
        format!("{} + {} = {}", number(0), number(1), number(3))
    }
}
