//! Roots of trust and the intermediates below them.
//!
//! In: PEM texts, the decoded data of a live `cacerts`, and the time. Out: a
//! [`Root`] that may sign, an [`Intermediate`] for one control plane, and
//! whether a live one is still [`Accepted`]. The only state read is the random
//! source that makes keys; the clock is a parameter. What [`Root::issue`]
//! gives, [`accepts`] takes for the same root and for no other.
//!
//! No error and no refusal ever holds a part of a private key.

mod accepts;
mod certificate;
mod codes;
mod der;
mod error;
mod issue;
mod live;
mod pem;
mod root;

pub use accepts::{Accepted, accepts, coherent};
pub use certificate::{Fingerprint, RootCertificate, root_digest, shares_root};
pub use codes::CODES;
pub use error::TrustError;
pub use issue::Intermediate;
pub use live::{LiveCa, Refusal};
pub use root::Root;

#[cfg(test)]
mod tests;
