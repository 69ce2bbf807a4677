//! A plan on disk, to be looked at and applied later.

pub(crate) mod codes;
