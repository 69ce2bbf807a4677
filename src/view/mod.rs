//! Words and pictures: values of the other stages as text.
//!
//! Functions here are pure: a value enters, a text leaves. Only `cli` calls them and prints.

pub mod compile;
pub mod diagnostics;
mod excerpt;
pub mod graph;
pub mod plan;
pub mod progress;
pub mod rbac;
pub mod vendor;
pub mod versions;
