//! One network on several ranks that are threads.

mod digits;
mod ends;
mod growth;
mod refused;
mod training;
