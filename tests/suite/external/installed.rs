//! What installs in life: `helm` itself on API servers, and Istio's own charts of every version.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use stolos::compile::Desired;
use stolos::plan::Mode;

use super::{FILE, embedded, external};
use crate::charts::official;
use crate::support::back_end::BackEnd;
use crate::support::command::repository;
use crate::support::matrix::say;
use crate::support::meshes::{Meshes, desired, topology_text, writes};
use crate::support::owner::{Owner, helm_installs};
use crate::support::scratch::scratch;

/// An apply goes through while helm installs what it waits for.
async fn beside_helm(test: &str, desired: Desired, charts: &(dyn Fn(&str) -> PathBuf + Sync)) {
    let meshes = Meshes::on(BackEnd::ApiServers, test, desired).await;
    let folder = scratch(test);
    let kubeconfig = meshes.kubeconfig();
    let owner = Owner::without_charts();
    let mut done = BTreeSet::new();
    let plan = meshes.plan(Mode::Apply).await;
    let ran = owner.beside(&meshes, plan, |unit, _| {
        let name = unit.unit.to_string();
        if done.insert(name.clone()) {
            tokio::task::block_in_place(|| {
                helm_installs(&meshes.desired, &folder, &kubeconfig, &name, charts, &[]);
            });
        }
        None
    });
    let ran = ran.await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers and helm: tests/kube/build-kube, tests/tools/build-helm"]
async fn an_apply_goes_through_beside_helm_and_is_clean() {
    beside_helm("external-helm", external(), &embedded_charts).await;
}

/// The embedded charts, as folders.
fn embedded_charts(chart: &str) -> PathBuf {
    repository("src/chart/embedded").join(chart)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers and helm: tests/kube/build-kube, tests/tools/build-helm"]
async fn helm_takes_what_was_handed_over_to_it() {
    let mut meshes = Meshes::applied_on(BackEnd::ApiServers, "external-helm-takes", embedded()).await;
    let folder = scratch("external-helm-takes");
    meshes.desired = external();
    assert!(meshes.apply().await.summary.is_complete());
    let kubeconfig = meshes.kubeconfig();
    let units = meshes.desired.units.iter().filter(|unit| unit.content.release.is_some());
    for name in units.map(|unit| unit.unit.to_string()) {
        tokio::task::block_in_place(|| {
            let take = ["--take-ownership"];
            helm_installs(&meshes.desired, &folder, &kubeconfig, &name, &embedded_charts, &take);
        });
    }
    // istiod starts anew without the annotation that only an apply of ours needs.
    assert!(meshes.apply().await.summary.is_complete());
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

/// A chart of Istio's own in the folder of its source.
fn official_chart(folder: &Path, chart: &str) -> PathBuf {
    match chart {
        "istiod" => folder.join("istio-control/istio-discovery"),
        other => folder.join(other),
    }
}

/// The mesh on a version, and once more where remotes are told the trust domain.
fn of_version(version: &str) -> [Desired; 2] {
    let text = topology_text(FILE).replace("1.30.3", version);
    [text.clone(), text.replace("mtls: strict", "trustDomain: mesh.example")].map(|text| desired(FILE, &text))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes Istio's own charts: STOLOS_ISTIO_CHARTS"]
async fn official_charts_of_every_minor_are_seen_as_they_are_installed() {
    for (version, folder) in official() {
        let owner = Owner::with(&|chart| official_chart(&folder, chart));
        for desired in of_version(&version) {
            let meshes = Meshes::on(BackEnd::Sandbox, "external-official", desired).await;
            owner.comes(&meshes).await;
        }
        say(&format!("{version}: installed by others, seen and clean"));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes Istio's own charts, API servers and helm: STOLOS_ISTIO_CHARTS, tests/kube/build-kube, tests/tools/build-helm"]
async fn official_charts_of_every_minor_are_installed_by_helm_while_an_apply_waits() {
    for (version, folder) in official() {
        let [desired, _] = of_version(&version);
        let test = format!("external-helm-{version}");
        beside_helm(&test, desired, &|chart| official_chart(&folder, chart)).await;
        say(&format!("{version}: installed by helm, seen and clean"));
    }
}
