//! What several modules of the suite need.

pub(crate) mod helm;
pub(crate) mod official;
pub(crate) mod scripted;
