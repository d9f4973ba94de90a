//! The sidecar: its process, its schedule, and hours and days of its life.

mod hours;
mod rotations;
mod schedule;
mod sidecar;
pub(crate) mod simulated_fleet;
mod simulated_life;
