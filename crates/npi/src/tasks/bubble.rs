//! Bubble sort of a list of digits.

use rand_chacha::ChaCha8Rng;

use super::digits::{SortedList, all_lists, checked_list, parse_list, random_list};
use super::{Problem, Recursion, Task};
use crate::calls::CallSet;
use crate::environment::{Environment, flag};
use crate::error::NpiError;
use crate::oracle::{Bodies, Body, Statement};
use crate::program::{Call, Feature, InstructionSet, NO_YES, Observation, Program, ProgramInfo};
use crate::verification::{BubbleAbstraction, closed_set};

/// What lies outside the list compares as this.
const OUTSIDE: u8 = 10;

/// What the controller sees of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoder {
    /// The two elements themselves.
    Raw,
    /// Only whether they are in order: few observations, so that a proof is short.
    Verified,
}

/// BUBBLESORT with two pointers and a counter.
#[derive(Debug, Clone, Copy)]
pub struct BubbleSort {
    /// What the controller sees.
    pub encoder: Encoder,
}

const BUBBLESORT: Program = Program(0);
const BUBBLE: Program = Program(1);
const RESET: Program = Program(2);
const BSTEP: Program = Program(3);
const COMPSWAP: Program = Program(4);
const RSHIFT: Program = Program(5);
const LSHIFT: Program = Program(6);
/// Moves a pointer.
pub(crate) const PTR: Program = Program(7);
/// Swaps the elements at two pointers.
pub(crate) const SWAP: Program = Program(8);

pub(crate) const LEFT: u8 = 1;
pub(crate) const RIGHT: u8 = 2;
/// The second pointer, as the second argument of SWAP.
const POINTER2: u8 = 3;

const PROGRAMS: &[ProgramInfo] = &[
    ProgramInfo::composite("BUBBLESORT"),
    ProgramInfo::composite("BUBBLE"),
    ProgramInfo::composite("RESET"),
    ProgramInfo::composite("BSTEP"),
    ProgramInfo::composite("COMPSWAP"),
    ProgramInfo::composite("RSHIFT"),
    ProgramInfo::composite("LSHIFT"),
    ProgramInfo::primitive("PTR"),
    ProgramInfo::primitive("SWAP"),
];
const ARGUMENTS: [&[&str]; 3] = [&["-", "1", "2", "3"], &["-", "LEFT", "RIGHT", "2"], &["-"]];
const ELEMENT: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "outside"];

const RAW: InstructionSet = InstructionSet {
    programs: PROGRAMS,
    arguments: ARGUMENTS,
    features: &[
        Feature {
            name: "A[p1]",
            values: ELEMENT,
        },
        Feature {
            name: "A[p2]",
            values: ELEMENT,
        },
        Feature {
            name: "p3=n",
            values: NO_YES,
        },
    ],
    main: BUBBLESORT,
};
const VERIFIED: InstructionSet = InstructionSet {
    programs: PROGRAMS,
    arguments: ARGUMENTS,
    features: &[
        Feature {
            name: "A[p1]<=A[p2]",
            values: NO_YES,
        },
        Feature {
            name: "p1-inside",
            values: NO_YES,
        },
        Feature {
            name: "p2-inside",
            values: NO_YES,
        },
        Feature {
            name: "p3=n",
            values: NO_YES,
        },
    ],
    main: BUBBLESORT,
};

/// The conditions of the oracle, by encoder.
trait Sees {
    fn unordered(seen: Observation) -> bool;
    fn inside1(seen: Observation) -> bool;
    fn inside2(seen: Observation) -> bool;
    fn unfinished(seen: Observation) -> bool;
}

struct SeesRaw;

impl Sees for SeesRaw {
    fn unordered(seen: Observation) -> bool {
        seen[0] > seen[1]
    }

    fn inside1(seen: Observation) -> bool {
        seen[0] != OUTSIDE
    }

    fn inside2(seen: Observation) -> bool {
        seen[1] != OUTSIDE
    }

    fn unfinished(seen: Observation) -> bool {
        seen[2] == 0
    }
}

struct SeesVerified;

impl Sees for SeesVerified {
    fn unordered(seen: Observation) -> bool {
        seen[0] == 0
    }

    fn inside1(seen: Observation) -> bool {
        seen[1] == 1
    }

    fn inside2(seen: Observation) -> bool {
        seen[2] == 1
    }

    fn unfinished(seen: Observation) -> bool {
        seen[3] == 0
    }
}

const fn call(program: Program) -> Statement {
    Statement::Call(Call::plain(program))
}

const fn ptr(pointer: u8, direction: u8) -> Statement {
    Statement::Call(Call::new(PTR, pointer, direction))
}

/// The programs for one encoder.
struct Written<S>(S);

impl<S: Sees> Written<S> {
    const SORT_LOOP: Body = &[Statement::While(
        S::unfinished,
        &[call(BUBBLE), call(RESET)],
    )];
    const SORT_RECURSIVE: Body = &[Statement::If(
        S::unfinished,
        &[call(BUBBLE), call(RESET), call(BUBBLESORT)],
        &[],
    )];
    const BUBBLE_LOOP: Body = &[ptr(2, RIGHT), Statement::While(S::inside2, &[call(BSTEP)])];
    const BUBBLE_RECURSIVE: Body = &[ptr(2, RIGHT), call(BSTEP)];
    const BSTEP_ONCE: Body = &[call(COMPSWAP), call(RSHIFT)];
    const BSTEP_RECURSIVE: Body = &[Statement::If(
        S::inside2,
        &[call(COMPSWAP), call(RSHIFT), call(BSTEP)],
        &[],
    )];
    const COMPSWAP: Body = &[Statement::If(
        S::unordered,
        &[Statement::Call(Call::new(SWAP, 1, POINTER2))],
        &[],
    )];
    const RSHIFT: Body = &[ptr(1, RIGHT), ptr(2, RIGHT)];
    // The papers' figures stop at pointers 1 and 2, which BUBBLE then does not find where it needs
    // them. The text's "until reaching the start token" is kept: to 0 and 1, and one step back.
    const RESET_LOOP: Body = &[
        Statement::While(S::inside1, &[call(LSHIFT)]),
        ptr(1, RIGHT),
        ptr(3, RIGHT),
    ];
    const RESET_RECURSIVE: Body = &[call(LSHIFT), ptr(1, RIGHT), ptr(3, RIGHT)];
    const LSHIFT_ONCE: Body = &[ptr(1, LEFT), ptr(2, LEFT)];
    const LSHIFT_RECURSIVE: Body = &[Statement::If(
        S::inside1,
        &[ptr(1, LEFT), ptr(2, LEFT), call(LSHIFT)],
        &[],
    )];

    fn looping(call: Call) -> Body {
        match call.program {
            BUBBLESORT => Self::SORT_LOOP,
            BUBBLE => Self::BUBBLE_LOOP,
            RESET => Self::RESET_LOOP,
            BSTEP => Self::BSTEP_ONCE,
            COMPSWAP => Self::COMPSWAP,
            RSHIFT => Self::RSHIFT,
            LSHIFT => Self::LSHIFT_ONCE,
            _ => &[],
        }
    }

    fn partial(call: Call) -> Body {
        match call.program {
            BUBBLESORT => Self::SORT_RECURSIVE,
            _ => Self::looping(call),
        }
    }

    fn recursive(call: Call) -> Body {
        match call.program {
            BUBBLE => Self::BUBBLE_RECURSIVE,
            RESET => Self::RESET_RECURSIVE,
            BSTEP => Self::BSTEP_RECURSIVE,
            LSHIFT => Self::LSHIFT_RECURSIVE,
            _ => Self::partial(call),
        }
    }

    fn bodies(recursion: Recursion) -> Bodies {
        match recursion {
            Recursion::None => Self::looping,
            Recursion::Partial => Self::partial,
            Recursion::Full => Self::recursive,
        }
    }
}

impl Task for BubbleSort {
    fn name(&self) -> &'static str {
        match self.encoder {
            Encoder::Raw => "bubble-raw",
            Encoder::Verified => "bubble",
        }
    }

    fn usage(&self) -> &'static str {
        "digits to sort, such as 3 1 2"
    }

    fn instructions(&self) -> &'static InstructionSet {
        match self.encoder {
            Encoder::Raw => &RAW,
            Encoder::Verified => &VERIFIED,
        }
    }

    fn bodies(&self, recursion: Recursion) -> Option<Bodies> {
        Some(match self.encoder {
            Encoder::Raw => Written::<SeesRaw>::bodies(recursion),
            Encoder::Verified => Written::<SeesVerified>::bodies(recursion),
        })
    }

    fn parse(&self, words: &[String]) -> Result<Problem, NpiError> {
        Ok(Box::new(BubbleProblem::new(
            &parse_list(words)?,
            self.encoder,
        )?))
    }

    fn random(&self, size: usize, rng: &mut ChaCha8Rng) -> Problem {
        let list = random_list(size.max(1), rng);
        Box::new(BubbleProblem::of_digits(list, self.encoder))
    }

    fn exhaustive(&self, size: usize) -> Box<dyn Iterator<Item = Problem>> {
        let encoder = self.encoder;
        Box::new(
            all_lists(size)
                .map(move |list| -> Problem { Box::new(BubbleProblem::of_digits(list, encoder)) }),
        )
    }

    fn closed_set(&self, least: usize) -> Result<CallSet, NpiError> {
        match self.encoder {
            Encoder::Raw => Err(NpiError::Unbounded(
                "bubble sort that sees the digits themselves has no small set of calls: prove \
                 `bubble`, which sees how they compare"
                    .into(),
            )),
            Encoder::Verified => closed_set(
                &BubbleAbstraction { least },
                &VERIFIED,
                Written::<SeesVerified>::recursive,
            ),
        }
    }
}

/// A list with two pointers (from 1) and a counter.
#[derive(Debug, Clone)]
pub struct BubbleProblem {
    list: SortedList,
    pointers: [i64; 3],
    encoder: Encoder,
}

impl BubbleProblem {
    /// A list to sort.
    ///
    /// # Errors
    /// [`NpiError::ValueOutOfRange`] for what is no digit, [`NpiError::Problem`] for an empty list.
    pub fn new(list: &[u8], encoder: Encoder) -> Result<Self, NpiError> {
        checked_list(list)?;
        Ok(Self::of_digits(list.to_owned(), encoder))
    }

    /// [`new`](Self::new) of what is known to fit.
    fn of_digits(list: Vec<u8>, encoder: Encoder) -> Self {
        Self {
            list: SortedList::new(list),
            pointers: [1, 1, 0],
            encoder,
        }
    }

    /// The list as it is now.
    pub fn list(&self) -> &[u8] {
        self.list.values()
    }

    fn at(&self, pointer: usize) -> u8 {
        self.list.at(self.pointers[pointer]).unwrap_or(OUTSIDE)
    }
}

impl Environment for BubbleProblem {
    fn observe(&self) -> Observation {
        let (first, second) = (self.at(0), self.at(1));
        let finished = flag(usize::try_from(self.pointers[2]) == Ok(self.list.len()));
        match self.encoder {
            Encoder::Raw => [first, second, finished, 0],
            Encoder::Verified => [
                flag(first <= second),
                flag(first != OUTSIDE),
                flag(second != OUTSIDE),
                finished,
            ],
        }
    }

    fn apply(&mut self, call: Call) -> Result<(), String> {
        match (call.program, call.arguments) {
            (PTR, [pointer @ 1..=3, LEFT, _]) => self.pointers[usize::from(pointer) - 1] -= 1,
            (PTR, [pointer @ 1..=3, RIGHT, _]) => self.pointers[usize::from(pointer) - 1] += 1,
            (PTR, _) => return Err("a pointer and a direction are to be named".into()),
            (SWAP, [1, POINTER2, _]) => self.list.swap(self.pointers[0], self.pointers[1])?,
            (SWAP, _) => return Err("only pointers 1 and 2 can be swapped".into()),
            _ => return Err("this is no primitive program of bubble sort".into()),
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
