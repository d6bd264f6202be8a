//! Addition, one column at a time.

use super::Abstraction;
use crate::program::{Call, Observation};
use crate::tasks::END;
use crate::tasks::addition::{CARRY_ROW, INP1, INP2, LEFT, OUT, PTR, RIGHT, WRITE, ZERO};

/// Numbers of equal length and any digits, none but a lone 0 beginning with one.
#[derive(Debug)]
pub(crate) struct AdditionAbstraction;

/// The column at the pointers. Columns to the left are not known before a pointer is there, save
/// for the carry that was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Column {
    in1: u8,
    in2: u8,
    /// The carry of this column and of the one to its left.
    carries: [u8; 2],
    /// At which of the two the pointer is.
    carry: usize,
    out: u8,
    /// Whether this is the rightmost column.
    first: bool,
    /// Pointers that have left the column: `in1`, `in2` and carry, in this order.
    shifted: u8,
}

impl Column {
    fn digit(a: u8, b: u8) -> Self {
        Self {
            in1: a,
            in2: b,
            carries: [END; 2],
            carry: 0,
            out: END,
            first: true,
            shifted: 0,
        }
    }
}

impl Abstraction for AdditionAbstraction {
    type State = Column;

    fn starts(&self) -> Vec<Column> {
        let pairs = (0..10).flat_map(|a| (0..10).map(move |b| (a, b)));
        pairs.map(|(a, b)| Column::digit(a, b)).collect()
    }

    fn observe(&self, state: &Column) -> Observation {
        [state.in1, state.in2, state.carries[state.carry], state.out]
    }

    fn apply(&self, state: &Column, call: Call) -> Option<Vec<Column>> {
        let mut next = state.clone();
        let [row, value, _] = call.arguments;
        match (call.program, row, value, state.shifted) {
            (PTR, INP1, LEFT, 0) if state.carry == 0 => {
                next.shifted = 1;
                // The number may end here unless this digit would be a leading zero.
                let may_end = state.first || (state.in1 != 0 && state.in2 != 0);
                let end = (may_end || state.in1 == END).then_some(END);
                let digits = 0..if state.in1 == END { 0 } else { 10 };
                let cells = digits.chain(end);
                return Some(
                    cells
                        .map(|in1| Column {
                            in1,
                            ..next.clone()
                        })
                        .collect(),
                );
            }
            (PTR, INP2, LEFT, 1) => {
                next.shifted = 2;
                let digits = 0..if state.in1 == END { 0 } else { 10 };
                let end = (state.in1 == END).then_some(END);
                let cells = digits.chain(end);
                return Some(
                    cells
                        .map(|in2| Column {
                            in2,
                            ..next.clone()
                        })
                        .collect(),
                );
            }
            (PTR, CARRY_ROW, LEFT, 2) => {
                next.shifted = 3;
                next.carries = [state.carries[1], END];
            }
            (PTR, OUT, LEFT, 3) => {
                next.shifted = 0;
                next.out = END;
                next.first = false;
            }
            (PTR, CARRY_ROW, LEFT, 0) if state.carry == 0 => next.carry = 1,
            (PTR, CARRY_ROW, RIGHT, 0) if state.carry == 1 => next.carry = 0,
            (WRITE, CARRY_ROW, _, 0) => next.carries[state.carry] = value.checked_sub(ZERO)?,
            (WRITE, OUT, _, 0) => next.out = value.checked_sub(ZERO)?,
            _ => return None,
        }
        Some(vec![next])
    }
}
