//! The commands.

pub mod cli;
pub mod explain;
