//! What several modules of the suite need.

pub(crate) mod command;
pub(crate) mod golden;
pub(crate) mod helm;
pub(crate) mod meshes;
pub(crate) mod official;
pub(crate) mod scripted;
pub(crate) mod servers;
