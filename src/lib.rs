//! Stolos: a declarative compiler for Istio meshes that span clusters.
