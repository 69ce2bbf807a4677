//! Stolos: a declarative compiler for Istio meshes that span clusters.
//!
//! One topology file names clusters, networks, primaries and remotes. It is
//! validated into a dependency graph, compiled into ordered manifests per
//! cluster, diffed against live state and applied step by step.
//!
//! ```text
//!  text ─► topology ─► validate ─► graph ─► compile ─► plan ─► apply
//!            │                                │          ▲        │
//!        document                     chart ──┘   cluster ├────────┤
//!     (YAML and TOML)           (Helm, in process)        │        ▼
//!                                                      sandbox   rbac
//! ```
//!
//! Imports point only backwards along that line. Everything through the diff
//! of `plan` is pure: no tokio, no kube, no clock, no environment, no files.
//! `compile` never sees live state, the diff never sees the topology, `apply`
//! sees only a plan. `cluster` is the one door to live clusters, and one file
//! of it names `kube`. `sandbox` simulates clusters behind that same door, and
//! `rbac` says which rights each command takes there.
//! `view` owns words, `cli` owns flags and files.
//!
//! On the side stand `diagnostic` (what a finding is), `object` (what a
//! Kubernetes object is), `trust` (roots and intermediates) and `fetch`
//! (charts from where they are published).

pub mod apply;
pub mod chart;
pub mod cli;
pub mod cluster;
pub mod compile;
mod cores;
pub mod diagnostic;
pub mod document;
pub mod fetch;
pub mod graph;
pub mod object;
pub mod plan;
pub mod rbac;
pub mod sandbox;
pub mod topology;
pub mod trust;
pub mod validate;
pub mod view;
