//! Quicksort of a list of digits, by Lomuto's partition and two stacks of bounds.

use rand_chacha::ChaCha8Rng;

use super::digits::{SortedList, all_lists, checked_list, parse_list, random_list};
use super::{Problem, Recursion, Task};
use crate::calls::CallSet;
use crate::environment::{Environment, flag};
use crate::error::NpiError;
use crate::oracle::{Bodies, Body, Statement};
use crate::program::{Call, Feature, InstructionSet, NO_YES, Observation, Program, ProgramInfo};
use crate::verification::{QuickSortAbstraction, closed_set};

/// QUICKSORT. The stacks of lower and upper bounds hold the whole list at the begin.
#[derive(Debug, Clone, Copy)]
pub struct QuickSort;

pub(crate) const QUICKSORT: Program = Program(0);
const PARTITION: Program = Program(1);
const COMPSWAP_LOOP: Program = Program(2);
const COMPSWAP: Program = Program(3);
const STACK: Program = Program(4);
pub(crate) const SET_PIVOT_LO: Program = Program(5);
pub(crate) const SET_J_LO: Program = Program(6);
pub(crate) const SET_J_NULL: Program = Program(7);
pub(crate) const SWAP: Program = Program(8);
pub(crate) const MOVE: Program = Program(9);
pub(crate) const WRITE: Program = Program(10);

/// What an argument in the first place names: pushes and pops, pointers, stacks.
const CALL1: u8 = 1;
const CALL2: u8 = 2;
const POP: u8 = 3;
pub(crate) const P_PIVOT: u8 = 4;
pub(crate) const P_LO: u8 = 5;
pub(crate) const P_HI: u8 = 6;
pub(crate) const P_J: u8 = 7;
pub(crate) const STACK_LO: u8 = 8;
pub(crate) const STACK_HI: u8 = 9;
pub(crate) const P_STACK_LO: u8 = 10;
pub(crate) const P_STACK_HI: u8 = 11;
/// And in the second: directions, values, pointers.
pub(crate) const UP: u8 = 1;
pub(crate) const DOWN: u8 = 2;
pub(crate) const WITH_HI: u8 = 3;
pub(crate) const WITH_J: u8 = 4;
pub(crate) const LO_PEEK: u8 = 5;
pub(crate) const HI_PEEK: u8 = 6;
pub(crate) const VALUE_LO: u8 = 7;
pub(crate) const VALUE_HI: u8 = 8;
pub(crate) const BEFORE_PIVOT: u8 = 9;
pub(crate) const AFTER_PIVOT: u8 = 10;
pub(crate) const CLEARED: u8 = 11;

const INSTRUCTIONS: InstructionSet = InstructionSet {
    programs: &[
        ProgramInfo::composite("QUICKSORT"),
        ProgramInfo::composite("PARTITION"),
        ProgramInfo::composite("COMPSWAP_LOOP"),
        ProgramInfo::composite("COMPSWAP"),
        ProgramInfo::composite("STACK"),
        ProgramInfo::primitive("SET_PIVOT_LO"),
        ProgramInfo::primitive("SET_J_LO"),
        ProgramInfo::primitive("SET_J_NULL"),
        ProgramInfo::primitive("SWAP"),
        ProgramInfo::primitive("MOVE"),
        ProgramInfo::primitive("WRITE"),
    ],
    arguments: [
        &[
            "-", "CALL1", "CALL2", "POP", "ppivot", "plo", "phi", "pj", "STACK_LO", "STACK_HI",
            "pstackLo", "pstackHi",
        ],
        &[
            "-", "UP", "DOWN", "phi", "pj", "LO_PEEK", "HI_PEEK", "plo", "phi", "ppivot-1",
            "ppivot+1", "RESET",
        ],
        &["-"],
    ],
    features: &[
        Feature {
            name: "A[pj]<=A[phi]",
            values: NO_YES,
        },
        Feature {
            name: "pj=phi",
            values: NO_YES,
        },
        Feature {
            name: "top(lo)<top(hi)",
            values: NO_YES,
        },
        Feature {
            name: "stack-empty",
            values: NO_YES,
        },
    ],
    main: QUICKSORT,
};

const fn call(program: Program) -> Statement {
    Statement::Call(Call::plain(program))
}

const fn act(program: Program, first: u8, second: u8) -> Statement {
    Statement::Call(Call::new(program, first, second))
}

fn in_order(seen: Observation) -> bool {
    seen[0] == 1
}

fn below_end(seen: Observation) -> bool {
    seen[1] == 0
}

fn several(seen: Observation) -> bool {
    seen[2] == 1
}

fn not_empty(seen: Observation) -> bool {
    seen[3] == 0
}

const PEEK_HI: Statement = act(WRITE, P_HI, HI_PEEK);
const PEEK_LO: Statement = act(WRITE, P_LO, LO_PEEK);

const SORT_RECURSIVE: Body = &[Statement::If(
    several,
    &[
        call(PARTITION),
        act(STACK, CALL2, 0),
        act(STACK, CALL1, 0),
        PEEK_HI,
        PEEK_LO,
        call(QUICKSORT),
        act(STACK, POP, 0),
        PEEK_HI,
        PEEK_LO,
        call(QUICKSORT),
        act(STACK, POP, 0),
    ],
    &[],
)];
// The paper's Algorithm 4 prints the test the other way round.
const SORT_LOOP: Body = &[Statement::While(
    not_empty,
    &[Statement::If(
        several,
        &[
            PEEK_HI,
            PEEK_LO,
            act(STACK, POP, 0),
            call(PARTITION),
            act(STACK, CALL2, 0),
            act(STACK, CALL1, 0),
        ],
        &[act(STACK, POP, 0)],
    )],
)];
const PARTITION_BODY: Body = &[
    call(SET_PIVOT_LO),
    call(SET_J_LO),
    call(COMPSWAP_LOOP),
    act(SWAP, P_PIVOT, WITH_HI),
    call(SET_J_NULL),
];
const PASS_LOOP: Body = &[Statement::While(
    below_end,
    &[call(COMPSWAP), act(MOVE, P_J, UP)],
)];
const PASS_RECURSIVE: Body = &[Statement::If(
    below_end,
    &[call(COMPSWAP), act(MOVE, P_J, UP), call(COMPSWAP_LOOP)],
    &[],
)];
const COMPSWAP_BODY: Body = &[Statement::If(
    in_order,
    &[act(SWAP, P_PIVOT, WITH_J), act(MOVE, P_PIVOT, UP)],
    &[],
)];
const PUSH_LEFT: Body = &[
    act(WRITE, STACK_LO, VALUE_LO),
    act(WRITE, STACK_HI, BEFORE_PIVOT),
    act(MOVE, P_STACK_LO, UP),
    act(MOVE, P_STACK_HI, UP),
];
const PUSH_RIGHT: Body = &[
    act(WRITE, STACK_LO, AFTER_PIVOT),
    act(WRITE, STACK_HI, VALUE_HI),
    act(MOVE, P_STACK_LO, UP),
    act(MOVE, P_STACK_HI, UP),
];
const POP_BODY: Body = &[
    act(WRITE, STACK_LO, CLEARED),
    act(WRITE, STACK_HI, CLEARED),
    act(MOVE, P_STACK_LO, DOWN),
    act(MOVE, P_STACK_HI, DOWN),
];

fn shared(call: Call) -> Body {
    match (call.program, call.arguments[0]) {
        (PARTITION, _) => PARTITION_BODY,
        (COMPSWAP, _) => COMPSWAP_BODY,
        (STACK, CALL1) => PUSH_LEFT,
        (STACK, CALL2) => PUSH_RIGHT,
        (STACK, POP) => POP_BODY,
        _ => &[],
    }
}

fn looping(call: Call) -> Body {
    match call.program {
        QUICKSORT => SORT_LOOP,
        COMPSWAP_LOOP => PASS_LOOP,
        _ => shared(call),
    }
}

fn recursive(call: Call) -> Body {
    match call.program {
        QUICKSORT => SORT_RECURSIVE,
        COMPSWAP_LOOP => PASS_RECURSIVE,
        _ => shared(call),
    }
}

impl Task for QuickSort {
    fn name(&self) -> &'static str {
        "quicksort"
    }

    fn usage(&self) -> &'static str {
        "digits to sort, such as 8 2 1"
    }

    fn instructions(&self) -> &'static InstructionSet {
        &INSTRUCTIONS
    }

    fn bodies(&self, recursion: Recursion) -> Option<Bodies> {
        recursion.of_two(looping, recursive)
    }

    fn parse(&self, words: &[String]) -> Result<Problem, NpiError> {
        Ok(Box::new(QuickSortProblem::new(&parse_list(words)?)?))
    }

    fn random(&self, size: usize, rng: &mut ChaCha8Rng) -> Problem {
        Box::new(QuickSortProblem::of_digits(random_list(size.max(1), rng)))
    }

    fn exhaustive(&self, size: usize) -> Box<dyn Iterator<Item = Problem>> {
        Box::new(
            all_lists(size).map(|list| -> Problem { Box::new(QuickSortProblem::of_digits(list)) }),
        )
    }

    fn closed_set(&self, _least: usize) -> Result<CallSet, NpiError> {
        closed_set(&QuickSortAbstraction, &INSTRUCTIONS, recursive)
    }
}

/// A list, pointers into it (from 1), and stacks of bounds.
#[derive(Debug, Clone)]
pub struct QuickSortProblem {
    list: SortedList,
    pivot: i64,
    lo: i64,
    hi: i64,
    /// None before the first element, where it compares with nothing.
    j: Option<i64>,
    stacks: [Vec<i64>; 2],
    /// The slot above the top of each stack, from 1; 1 is an empty stack.
    tops: [usize; 2],
}

impl QuickSortProblem {
    /// A list to sort.
    ///
    /// # Errors
    /// [`NpiError::ValueOutOfRange`] for what is no digit, [`NpiError::Problem`] for an empty list.
    pub fn new(list: &[u8]) -> Result<Self, NpiError> {
        checked_list(list)?;
        Ok(Self::of_digits(list.to_owned()))
    }

    /// [`new`](Self::new) of what is known to fit.
    fn of_digits(list: Vec<u8>) -> Self {
        let last = list.len() as i64;
        Self {
            list: SortedList::new(list),
            pivot: 1,
            lo: 1,
            hi: last,
            j: None,
            stacks: [vec![1], vec![last]],
            tops: [2; 2],
        }
    }

    /// The list as it is now.
    pub fn list(&self) -> &[u8] {
        self.list.values()
    }

    fn top(&self, stack: usize) -> Option<i64> {
        let index = self.tops[stack].checked_sub(2)?;
        self.stacks[stack].get(index).copied()
    }

    /// Writes into the slot above the top.
    fn write(&mut self, stack: usize, value: i64) -> Result<(), String> {
        let index = self.tops[stack] - 1;
        let cells = &mut self.stacks[stack];
        if index > cells.len() {
            return Err("the slots below it were never written".into());
        }
        match cells.get_mut(index) {
            Some(cell) => *cell = value,
            None => cells.push(value),
        }
        Ok(())
    }

    fn shift(&mut self, pointer: u8, by: i64) -> Result<(), String> {
        match pointer {
            P_PIVOT => self.pivot += by,
            P_J => match &mut self.j {
                Some(j) => *j += by,
                None => return Err("pj is not set".into()),
            },
            P_STACK_LO | P_STACK_HI => {
                let top = &mut self.tops[usize::from(pointer - P_STACK_LO)];
                match (by, *top) {
                    (..0, 1) => return Err("the stack is empty".into()),
                    (..0, _) => *top -= 1,
                    _ => *top += 1,
                }
            }
            _ => return Err("no pointer that moves is named".into()),
        }
        Ok(())
    }
}

impl Environment for QuickSortProblem {
    fn observe(&self) -> Observation {
        let at = |pointer| self.list.at(pointer);
        let in_order = match (self.j.and_then(at), at(self.hi)) {
            (Some(element), Some(pivot)) => element <= pivot,
            _ => false,
        };
        let several = match (self.top(0), self.top(1)) {
            (Some(lo), Some(hi)) => lo < hi,
            _ => false,
        };
        [
            flag(in_order),
            flag(self.j == Some(self.hi)),
            flag(several),
            flag(self.tops[0] == 1),
        ]
    }

    fn apply(&mut self, call: Call) -> Result<(), String> {
        let [first, second, _] = call.arguments;
        match (call.program, first, second) {
            (SET_PIVOT_LO, ..) => self.pivot = self.lo,
            (SET_J_LO, ..) => self.j = Some(self.lo),
            (SET_J_NULL, ..) => self.j = None,
            (SWAP, P_PIVOT, WITH_HI) => self.list.swap(self.pivot, self.hi)?,
            (SWAP, P_PIVOT, WITH_J) => {
                let j = self.j.ok_or("pj is not set")?;
                self.list.swap(self.pivot, j)?;
            }
            (SWAP, ..) => return Err("only ppivot is swapped, with phi or pj".into()),
            (MOVE, pointer, UP) => self.shift(pointer, 1)?,
            (MOVE, pointer, DOWN) => self.shift(pointer, -1)?,
            (MOVE, ..) => return Err("no direction is named".into()),
            (WRITE, P_LO, LO_PEEK) => self.lo = self.top(0).ok_or("the stack is empty")?,
            (WRITE, P_HI, HI_PEEK) => self.hi = self.top(1).ok_or("the stack is empty")?,
            (WRITE, STACK_LO | STACK_HI, _) => {
                let value = match second {
                    VALUE_LO => self.lo,
                    VALUE_HI => self.hi,
                    BEFORE_PIVOT => self.pivot - 1,
                    AFTER_PIVOT => self.pivot + 1,
                    CLEARED => 0,
                    _ => return Err("no value is named".into()),
                };
                self.write(usize::from(first - STACK_LO), value)?;
            }
            (WRITE, ..) => return Err("what is written where is not named".into()),
            _ => return Err("this is no primitive program of quicksort".into()),
        }
        Ok(())
    }

    fn is_solved(&self) -> bool {
        self.list.is_sorted()
    }

    fn clone_box(&self) -> Problem {
        Box::new(self.clone())
    }

    fn text(&self) -> String {
        self.list.text()
    }
}
