//! Topological sort of a graph by depth-first search with a stack.

use rand_chacha::ChaCha8Rng;

use super::graph::Graph;
pub(crate) use super::graph::{BLACK, GREY, INVALID, WHITE};
use super::{Problem, Recursion, Task};
use crate::calls::CallSet;
use crate::environment::{Environment, flag};
use crate::error::NpiError;
use crate::oracle::{Bodies, Body, Statement};
use crate::program::{Call, Feature, InstructionSet, NO_YES, Observation, Program, ProgramInfo};
use crate::verification::{TopologicalAbstraction, closed_set};

/// TOPOSORT. Vertices are written down when they turn black: in reverse topological order.
#[derive(Debug, Clone, Copy)]
pub struct TopologicalSort;

const TOPOSORT: Program = Program(0);
const TRAVERSE: Program = Program(1);
const CHECK_CHILD: Program = Program(2);
const EXPLORE: Program = Program(3);
const STACK: Program = Program(4);
const NEXT_START: Program = Program(5);
pub(crate) const WRITE: Program = Program(6);
pub(crate) const MOVE: Program = Program(7);

/// What an argument in the first place names.
const PUSH: u8 = 1;
const POP: u8 = 2;
pub(crate) const ACTIVE_START: u8 = 3;
pub(crate) const COLOR_CURR: u8 = 4;
pub(crate) const COLOR_NEXT: u8 = 5;
pub(crate) const SAVE: u8 = 6;
pub(crate) const ACTIVE_NEIGHB: u8 = 7;
pub(crate) const RESULT: u8 = 8;
pub(crate) const STACK_PUSH: u8 = 9;
pub(crate) const ACTIVE_STACK: u8 = 10;
pub(crate) const STACK_POP: u8 = 11;
pub(crate) const P_START: u8 = 12;
pub(crate) const CHILD_V: u8 = 13;
pub(crate) const CHILD_SAVED: u8 = 14;
pub(crate) const P_STACK: u8 = 15;
pub(crate) const P_RESULT: u8 = 16;
/// And in the second.
pub(crate) const TO_GREY: u8 = 1;
pub(crate) const TO_BLACK: u8 = 2;
pub(crate) const UP: u8 = 3;
pub(crate) const DOWN: u8 = 4;

const COLOURS: &[&str] = &["white", "grey", "black", "none"];

const INSTRUCTIONS: InstructionSet = InstructionSet {
    programs: &[
        ProgramInfo::composite("TOPOSORT"),
        ProgramInfo::composite("TRAVERSE"),
        ProgramInfo::composite("CHECK_CHILD"),
        ProgramInfo::composite("EXPLORE"),
        ProgramInfo::composite("STACK"),
        ProgramInfo::composite("NEXT_START"),
        ProgramInfo::primitive("WRITE"),
        ProgramInfo::primitive("MOVE"),
    ],
    arguments: [
        &[
            "-",
            "PUSH",
            "POP",
            "ACTIVE_START",
            "COLOR_CURR",
            "COLOR_NEXT",
            "SAVE",
            "ACTIVE_NEIGHB",
            "RESULT",
            "STACK_PUSH",
            "ACTIVE_STACK",
            "STACK_POP",
            "p_start",
            "childList[v]",
            "childList[v_save]",
            "p_stack",
            "p_result",
        ],
        &["-", "GREY", "BLACK", "UP", "DOWN"],
        &["-"],
    ],
    features: &[
        Feature {
            name: "start",
            values: COLOURS,
        },
        Feature {
            name: "child",
            values: COLOURS,
        },
        Feature {
            name: "stack-empty",
            values: NO_YES,
        },
    ],
    main: TOPOSORT,
};

const fn call(program: Program) -> Statement {
    Statement::Call(Call::plain(program))
}

const fn act(program: Program, first: u8, second: u8) -> Statement {
    Statement::Call(Call::new(program, first, second))
}

fn start_valid(seen: Observation) -> bool {
    seen[0] != INVALID
}

fn start_done(seen: Observation) -> bool {
    seen[0] != WHITE && seen[0] != INVALID
}

fn child_done(seen: Observation) -> bool {
    seen[1] != WHITE && seen[1] != INVALID
}

fn child_white(seen: Observation) -> bool {
    seen[1] == WHITE
}

fn stack_empty(seen: Observation) -> bool {
    seen[2] == 1
}

const SORT_LOOP: Body = &[Statement::While(
    start_valid,
    &[
        act(WRITE, ACTIVE_START, 0),
        act(WRITE, COLOR_CURR, TO_GREY),
        call(TRAVERSE),
        act(MOVE, P_START, UP),
        call(NEXT_START),
    ],
)];
const SORT_RECURSIVE: Body = &[Statement::If(
    start_valid,
    &[
        act(WRITE, ACTIVE_START, 0),
        act(WRITE, COLOR_CURR, TO_GREY),
        call(TRAVERSE),
        act(MOVE, P_START, UP),
        call(NEXT_START),
        call(TOPOSORT),
    ],
    &[],
)];
const TRAVERSE_BODY: Body = &[call(CHECK_CHILD), call(EXPLORE)];
const CHECK_LOOP: Body = &[Statement::While(child_done, &[act(MOVE, CHILD_V, UP)])];
const CHECK_RECURSIVE: Body = &[Statement::If(
    child_done,
    &[act(MOVE, CHILD_V, UP), call(CHECK_CHILD)],
    &[],
)];
const DESCEND: Body = &[
    act(WRITE, COLOR_NEXT, TO_GREY),
    act(STACK, PUSH, 0),
    act(WRITE, SAVE, 0),
    act(WRITE, ACTIVE_NEIGHB, 0),
    act(MOVE, CHILD_SAVED, UP),
];
const ASCEND: Body = &[
    act(WRITE, COLOR_CURR, TO_BLACK),
    act(WRITE, RESULT, 0),
    act(MOVE, P_RESULT, UP),
    Statement::If(stack_empty, &[Statement::Return], &[]),
    act(STACK, POP, 0),
];
const EXPLORE_LOOP: Body = &[Statement::While(
    |_| true,
    &[
        Statement::If(child_white, DESCEND, ASCEND),
        call(CHECK_CHILD),
    ],
)];
const EXPLORE_RECURSIVE: Body = &[
    Statement::If(child_white, DESCEND, ASCEND),
    call(CHECK_CHILD),
    call(EXPLORE),
];
const PUSH_BODY: Body = &[act(WRITE, STACK_PUSH, 0), act(MOVE, P_STACK, UP)];
const POP_BODY: Body = &[
    act(WRITE, ACTIVE_STACK, 0),
    act(WRITE, STACK_POP, 0),
    act(MOVE, P_STACK, DOWN),
];
const NEXT_LOOP: Body = &[Statement::While(start_done, &[act(MOVE, P_START, UP)])];
const NEXT_RECURSIVE: Body = &[Statement::If(
    start_done,
    &[act(MOVE, P_START, UP), call(NEXT_START)],
    &[],
)];

fn shared(call: Call) -> Body {
    match (call.program, call.arguments[0]) {
        (TRAVERSE, _) => TRAVERSE_BODY,
        (STACK, PUSH) => PUSH_BODY,
        (STACK, POP) => POP_BODY,
        _ => &[],
    }
}

fn looping(call: Call) -> Body {
    match call.program {
        TOPOSORT => SORT_LOOP,
        CHECK_CHILD => CHECK_LOOP,
        EXPLORE => EXPLORE_LOOP,
        NEXT_START => NEXT_LOOP,
        _ => shared(call),
    }
}

fn recursive(call: Call) -> Body {
    match call.program {
        TOPOSORT => SORT_RECURSIVE,
        CHECK_CHILD => CHECK_RECURSIVE,
        EXPLORE => EXPLORE_RECURSIVE,
        NEXT_START => NEXT_RECURSIVE,
        _ => shared(call),
    }
}

impl Task for TopologicalSort {
    fn name(&self) -> &'static str {
        "topological"
    }

    fn usage(&self) -> &'static str {
        "the number of vertices and then edges, such as 5 1-2 1-5 2-4"
    }

    fn instructions(&self) -> &'static InstructionSet {
        &INSTRUCTIONS
    }

    fn bodies(&self, recursion: Recursion) -> Option<Bodies> {
        recursion.of_two(looping, recursive)
    }

    fn parse(&self, words: &[String]) -> Result<Problem, NpiError> {
        let graph = Graph::parse(words, self.usage())?;
        Ok(Box::new(TopologicalProblem::new(graph)))
    }

    fn random(&self, size: usize, rng: &mut ChaCha8Rng) -> Problem {
        Box::new(TopologicalProblem::new(Graph::random(size.max(1), rng)))
    }

    fn exhaustive(&self, size: usize) -> Box<dyn Iterator<Item = Problem>> {
        let problem = |graph| -> Problem { Box::new(TopologicalProblem::new(graph)) };
        Box::new(Graph::all(size).map(problem))
    }

    fn closed_set(&self, _least: usize) -> Result<CallSet, NpiError> {
        closed_set(&TopologicalAbstraction, &INSTRUCTIONS, recursive)
    }
}

/// A graph with its colours, pointers and stack. Vertices count from 0 here.
#[derive(Debug, Clone)]
pub struct TopologicalProblem {
    graph: Graph,
    colours: Vec<u8>,
    start: usize,
    active: Option<usize>,
    saved: Option<usize>,
    /// The next child of each vertex.
    next_child: Vec<usize>,
    stack: Vec<Option<usize>>,
    /// The top of the stack's place in it; 0 is an empty stack.
    top: usize,
    result: Vec<Option<usize>>,
    next_result: usize,
}

impl TopologicalProblem {
    /// A graph to sort.
    pub fn new(graph: Graph) -> Self {
        let vertices = graph.vertices();
        Self {
            graph,
            colours: vec![WHITE; vertices],
            start: 0,
            active: None,
            saved: None,
            next_child: vec![0; vertices],
            stack: Vec::new(),
            top: 0,
            result: vec![None; vertices],
            next_result: 0,
        }
    }

    /// The child that the active vertex looks at.
    fn child(&self) -> Option<usize> {
        let active = self.active?;
        let children = self.graph.children(active);
        children.get(self.next_child[active]).copied()
    }

    fn colour(&self, vertex: Option<usize>) -> u8 {
        let colour = vertex.and_then(|vertex| self.colours.get(vertex));
        colour.copied().unwrap_or(INVALID)
    }

    fn write(&mut self, what: u8, colour: u8) -> Result<(), String> {
        const NO_VERTEX: &str = "no vertex is active";
        const NO_CHILD: &str = "there is no such child";
        let colour = match colour {
            TO_GREY => Some(GREY),
            TO_BLACK => Some(BLACK),
            _ => None,
        };
        match what {
            ACTIVE_START => {
                let valid = self.start < self.graph.vertices();
                self.active = Some(
                    valid
                        .then_some(self.start)
                        .ok_or("p_start is past the end")?,
                );
            }
            COLOR_CURR => {
                let vertex = self.active.ok_or(NO_VERTEX)?;
                self.colours[vertex] = colour.ok_or("no colour is named")?;
            }
            COLOR_NEXT => {
                let vertex = self.child().ok_or(NO_CHILD)?;
                self.colours[vertex] = colour.ok_or("no colour is named")?;
            }
            SAVE => self.saved = Some(self.active.ok_or(NO_VERTEX)?),
            ACTIVE_NEIGHB => self.active = Some(self.child().ok_or(NO_CHILD)?),
            RESULT => {
                let vertex = self.active.ok_or(NO_VERTEX)?;
                let cell = self.result.get_mut(self.next_result);
                *cell.ok_or("the result is full")? = Some(vertex);
            }
            STACK_PUSH => {
                let vertex = self.active.ok_or(NO_VERTEX)?;
                if self.top > self.stack.len() {
                    return Err("the slots below it were never written".into());
                }
                self.stack.truncate(self.top);
                self.stack.push(Some(vertex));
            }
            ACTIVE_STACK => {
                let top = self.top.checked_sub(1).and_then(|top| self.stack.get(top));
                self.active = Some(top.copied().flatten().ok_or("the stack is empty")?);
            }
            STACK_POP => {
                let top = self.top.checked_sub(1);
                let top = top.and_then(|top| self.stack.get_mut(top));
                *top.ok_or("the stack is empty")? = None;
            }
            _ => return Err("what is written is not named".into()),
        }
        Ok(())
    }

    fn shift(&mut self, pointer: u8, up: bool) -> Result<(), String> {
        let place = match pointer {
            P_START => &mut self.start,
            CHILD_V => &mut self.next_child[self.active.ok_or("no vertex is active")?],
            CHILD_SAVED => &mut self.next_child[self.saved.ok_or("no vertex is saved")?],
            P_STACK => &mut self.top,
            P_RESULT => &mut self.next_result,
            _ => return Err("no pointer is named".into()),
        };
        let moved = if up {
            place.checked_add(1)
        } else {
            place.checked_sub(1)
        };
        *place = moved.ok_or("the pointer is at its end")?;
        Ok(())
    }
}

impl Environment for TopologicalProblem {
    fn observe(&self) -> Observation {
        [
            self.colour(Some(self.start)),
            self.colour(self.child()),
            flag(self.top == 0),
            0,
        ]
    }

    fn apply(&mut self, call: Call) -> Result<(), String> {
        let [first, second, _] = call.arguments;
        match (call.program, second) {
            (WRITE, _) => self.write(first, second),
            (MOVE, UP | DOWN) => self.shift(first, second == UP),
            (MOVE, _) => Err("no direction is named".into()),
            _ => Err("this is no primitive program of topological sort".into()),
        }
    }

    fn is_solved(&self) -> bool {
        let mut places = vec![None; self.graph.vertices()];
        for (place, vertex) in self.result.iter().enumerate() {
            if let Some(vertex) = vertex {
                places[*vertex] = Some(place);
            }
        }
        // A vertex turns black after its children.
        places.iter().all(Option::is_some)
            && self
                .graph
                .edges()
                .all(|(from, to)| places[to] < places[from])
    }

    fn clone_box(&self) -> Problem {
        Box::new(self.clone())
    }

    fn text(&self) -> String {
        let edges = self.graph.edges();
        let edges: Vec<String> = edges
            .map(|(from, to)| format!("{}-{}", from + 1, to + 1))
            .collect();
        let order: Vec<String> = self
            .result
            .iter()
            .rev()
            .flatten()
            .map(|vertex| (vertex + 1).to_string())
            .collect();
        format!(
            "{} vertices, edges {} -> {}",
            self.graph.vertices(),
            edges.join(" "),
            order.join(" ")
        )
    }
}
