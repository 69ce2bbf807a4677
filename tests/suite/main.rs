//! The one integration binary: a module for each part of the tool, `support` for what they share.

mod clusters;
mod support;
