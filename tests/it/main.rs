//! The tests of the library and of the binary, as one program whose modules mirror `src/`. What needs a
//! process of its own starts this program again (`own_process`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, makes the files that are read, and starts the programs that it looks at"
)]

mod audit;
mod commands;
mod diagnosis;
mod docs;
mod injection;
mod kubernetes;
mod layers;
mod manifests;
mod own_process;
mod pages;
mod probes;
mod program;
mod repository;
mod sdk_scan;
mod settled;
mod snapshot;
mod watch;
