//! Programs, calls and observations: the alphabet of a task.

/// A program by its number within the task's [`InstructionSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Program(pub u8);

/// Three arguments by their numbers within the [`InstructionSet`]; 0 is none.
pub type Arguments = [u8; 3];

/// No arguments.
pub const NONE: Arguments = [0; 3];

/// What a controller sees of the environment: at most four features, each a small number. Unused
/// ones are 0.
pub type Observation = [u8; 4];

/// A program with its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// The program.
    pub program: Program,
    /// Its arguments.
    pub arguments: Arguments,
}

impl Call {
    /// A call with up to two arguments.
    pub const fn new(program: Program, first: u8, second: u8) -> Self {
        Self {
            program,
            arguments: [first, second, 0],
        }
    }

    /// A call without arguments.
    pub const fn plain(program: Program) -> Self {
        Self::new(program, 0, 0)
    }
}

/// What a controller decides at one step. A step either calls or returns, so that a body may be
/// empty: the paper's Algorithm 1 calls before it returns and has no expression for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// The program ends.
    Return,
    /// It calls another, or acts on the environment.
    Call(Call),
}

/// One program of an [`InstructionSet`].
#[derive(Debug, Clone, Copy)]
pub struct ProgramInfo {
    /// Its name in traces.
    pub name: &'static str,
    /// Whether the environment does it, without a controller's step.
    pub primitive: bool,
}

impl ProgramInfo {
    /// One that a controller runs.
    pub const fn composite(name: &'static str) -> Self {
        Self {
            name,
            primitive: false,
        }
    }

    /// One that the environment does.
    pub const fn primitive(name: &'static str) -> Self {
        Self {
            name,
            primitive: true,
        }
    }
}

/// One feature of an [`Observation`].
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    /// Its name in traces.
    pub name: &'static str,
    /// The names of its values, in order.
    pub values: &'static [&'static str],
}

/// All programs, arguments and features of a task.
#[derive(Debug, Clone, Copy)]
pub struct InstructionSet {
    /// Programs by number.
    pub programs: &'static [ProgramInfo],
    /// The values of each argument by number; the first is none.
    pub arguments: [&'static [&'static str]; 3],
    /// The features of an observation.
    pub features: &'static [Feature],
    /// The program that solves a problem.
    pub main: Program,
}

impl InstructionSet {
    /// The program's description, if there is such a program.
    pub fn program(&self, program: Program) -> Option<&ProgramInfo> {
        self.programs.get(usize::from(program.0))
    }

    /// Whether the environment does `program`.
    pub fn is_primitive(&self, program: Program) -> bool {
        self.program(program).is_some_and(|info| info.primitive)
    }

    /// `PTR(CARRY, LEFT)`.
    pub fn call_text(&self, call: Call) -> String {
        let name = self.program(call.program).map_or("?", |info| info.name);
        let arguments: Vec<&str> = (0..3)
            .filter(|&slot| call.arguments[slot] != 0)
            .map(|slot| {
                let value = usize::from(call.arguments[slot]);
                self.arguments[slot].get(value).copied().unwrap_or("?")
            })
            .collect();
        format!("{name}({})", arguments.join(", "))
    }

    /// `in1=3 in2=END`.
    pub fn observation_text(&self, observation: Observation) -> String {
        let named = self
            .features
            .iter()
            .zip(observation)
            .map(|(feature, value)| {
                let value = feature.values.get(usize::from(value)).copied();
                format!("{}={}", feature.name, value.unwrap_or("?"))
            });
        named.collect::<Vec<_>>().join(" ")
    }

    /// `return`, or the call.
    pub fn decision_text(&self, decision: Decision) -> String {
        match decision {
            Decision::Return => "return".into(),
            Decision::Call(call) => self.call_text(call),
        }
    }
}

/// The values of a feature that holds or does not.
pub const NO_YES: &[&str] = &["no", "yes"];
