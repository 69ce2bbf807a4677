//! What a person declared: meshes, clusters, networks, primaries and remotes.
//!
//! Text enters, a [`Topology`] leaves whose every value knows where it was
//! written, together with all that is wrong with the text as a text: syntax,
//! duplicate and unknown keys, wrong types, values that no such key can hold.
//! Whether the declarations agree with one another is `validate`'s to say.

mod chart_source;
mod codes;
mod decode;
mod derive;
pub mod files;
mod keys;
mod model;
mod names;
mod owned;
mod schema;
mod unit_name;
mod version;
mod version_rules;

pub use chart_source::{ChartOrigin, ChartSource, ChartUrlFault, RegistryUrl, RepositoryUrl, is_loopback};
pub use codes::CODES;
pub use decode::{Parsed, parse};
pub use derive::{EffectiveGateway, Entrance, Overview, Rollout};
pub use model::*;
pub use names::{ClusterName, NamespaceName, NetworkName};
pub use owned::{Instead, OWNED_KEYS, OwnedKey, When};
pub use schema::schema;
pub use unit_name::UnitName;
pub use version::{EMBEDDED_MINORS, IstioVersion, KNOWN_VERSIONS, VersionFault};
pub use version_rules::{READ as VERSION_RULES_READ, VERSION_RULES, VersionRule};
