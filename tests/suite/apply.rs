//! Plans that become live, on simulated clusters.

use stolos::plan::Mode;

use crate::support::meshes::{Meshes, desired, folder, topology_text, writes};

/// What istiod and Kubernetes leave behind, and the application namespaces, which are never deleted.
fn is_of_others(name: &str) -> bool {
    let is_of = |namespace: &str| {
        name.ends_with(&format!(" Namespace {namespace}")) || name.contains(&format!(" {namespace}/"))
    };
    is_of("sample") || is_of("batch") || name.ends_with("/istio-ca-root-cert")
}

async fn there_and_back(file: &str) {
    let meshes =
        Meshes::open(&folder(&format!("there-and-back-{file}")), desired(file, &topology_text(file))).await;
    let before = meshes.everything();
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{file}: {:#?}", ran.summary);
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new(), "{file}");
    let ran = meshes.destroy().await;
    assert!(ran.summary.is_complete(), "{file}: {:#?}", ran.summary);
    let left: Vec<String> = meshes.everything().into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(
        left.iter().filter(|name| !is_of_others(name)).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "{file}"
    );
    assert_eq!(meshes.applied_by_us(), Vec::<String>::new(), "{file}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_control_plane_over_two_networks_comes_and_goes() {
    there_and_back("primary-remote-multi-network.yaml").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_control_plane_on_one_network_comes_and_goes() {
    there_and_back("primary-remote.yaml").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_primaries_on_one_network_come_and_go() {
    there_and_back("multi-primary.toml").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_primaries_on_two_networks_come_and_go() {
    there_and_back("multi-primary-multi-network.yaml").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_mesh_comes_and_goes() {
    there_and_back("mixed.yaml").await;
}
