//! What several modules of the suite need.

pub(crate) mod archives;
pub(crate) mod authorizer;
pub(crate) mod back_end;
pub(crate) mod command;
pub(crate) mod commands;
pub(crate) mod dataplane;
pub(crate) mod found;
pub(crate) mod golden;
pub(crate) mod helm;
pub(crate) mod large;
pub(crate) mod lent;
pub(crate) mod matrix;
pub(crate) mod meshes;
pub(crate) mod namespace;
pub(crate) mod nobody;
pub(crate) mod official;
pub(crate) mod owner;
pub(crate) mod published;
pub(crate) mod registry;
pub(crate) mod relay;
pub(crate) mod scratch;
pub(crate) mod servers;
pub(crate) mod tap;
pub(crate) mod tapped;
pub(crate) mod tapped_servers;
