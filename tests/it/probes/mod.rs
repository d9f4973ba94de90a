//! What is found out by looking around in the pod.

mod chain_input;
mod target;
