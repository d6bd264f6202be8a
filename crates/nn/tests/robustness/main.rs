//! Unusual models, data, files and settings: each works, or is refused by an error that says
//! what to do.

mod channels;
