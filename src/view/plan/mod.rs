//! A plan in words: for a person at a terminal, for a pull request, for a program.
//!
//! A [`Plan`](crate::plan::Plan) enters, a text leaves. What must not be missed (what is deleted, restarts, is cut or
//! taken from others) is found in one place, `dangers`, and no format leaves it out. A live value may hold
//! anything, so none reaches a screen before its control characters are taken out.

mod changes;
mod dangers;
mod json;
mod markdown;
mod paint;
mod sentences;
mod steps;
mod text;
mod values;

pub use json::json;
pub use markdown::markdown;
pub use text::text;

#[cfg(test)]
mod tests;
