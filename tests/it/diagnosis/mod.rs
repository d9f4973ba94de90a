//! The catalogue's pages, and the words for what a trust policy lacks.

mod catalogue;
pub(crate) mod commands;
mod trust;
