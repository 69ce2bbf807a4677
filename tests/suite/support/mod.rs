//! What several modules of the suite need.

pub(crate) mod scripted;
