//! The testbed judges others, so its own judgement is tested here against published vectors, recorded
//! tokens and a client that shares nothing with its servers but SigV4's vector-tested arithmetic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by panicking"
)]

mod client;
mod dns;
mod iam_api;
mod issuer;
mod kubernetes;
mod life;
mod network;
mod proxy;
mod running;
mod scenario;
mod serve;
mod sigv4;
mod sts;
mod volume;
mod world;
