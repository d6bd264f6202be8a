//! The names of operations.

use std::fmt::{self, Debug, Write};

use burn::backend::ir::OperationIr;

/// The name of an operation, as `Conv2d`, `Matmul` or `Add`; a custom operation's own.
pub(crate) fn kind(op: &OperationIr) -> String {
    let operation: &dyn Debug = match op {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => op,
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => op,
        OperationIr::Float(_, op) => op,
        OperationIr::Int(op) => op,
        OperationIr::Bool(op) => op,
        OperationIr::Module(op) => op,
        OperationIr::Activation(op) => op,
        OperationIr::Distributed(op) => op,
        OperationIr::Init(_) => return "Init".to_owned(),
        OperationIr::Drop(_) => return "Drop".to_owned(),
        OperationIr::Custom(op) => return op.id.clone(),
    };
    let mut name = Word::default();
    // A variant's name comes first, and the word ends, as an error, where its fields begin.
    let _ = write!(name, "{operation:?}");
    name.0
}

/// Takes letters and digits up to the first other character.
#[derive(Default)]
struct Word(String);

impl Write for Word {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match text.find(|c: char| !c.is_alphanumeric()) {
            None => self.0.push_str(text),
            Some(end) => {
                self.0.push_str(&text[..end]);
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}
