//! The commands as their users meet them: the binary, its outputs and its exit codes.

mod audit;
mod chain;
mod check;
mod reports;
mod secrets;
