//! What is found out by looking around in the pod.

mod target;
