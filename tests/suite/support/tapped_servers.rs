//! A mesh on real API servers behind a tap.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use stolos::compile::Desired;
use stolos::object::Object;

use super::command::Ran;
use super::found;
use super::lent::Lent;
use super::meshes::desired;
use super::tap::{Asked, Deed, Tap, Upstream};
use super::tapped::{faults_in_the_books, prepare, run};

/// A mesh behind a tap, on empty clusters that do what clusters do by themselves.
pub(crate) struct TappedServers {
    pub(crate) lent: Lent,
    pub(crate) tap: Tap,
    folder: PathBuf,
    desired: Desired,
}

impl TappedServers {
    /// The clusters of a topology, each under its own name in the mesh, empty.
    pub(crate) async fn get(folder: &Path, topology: &str) -> Self {
        let desired = desired("mesh.yaml", topology);
        let clusters = desired.clusters.iter();
        let ids: BTreeMap<String, String> =
            clusters.map(|(name, facts)| (name.to_string(), facts.id.clone())).collect();
        let names: Vec<&str> = ids.keys().map(String::as_str).collect();
        let mut lent = Lent::get(&names).await;
        lent.start_data_plane(&ids).await;
        let mut upstreams = BTreeMap::new();
        for name in ids.keys() {
            upstreams.insert(name.clone(), Upstream::context(&lent.kubeconfig(), name).await);
        }
        let tap = Tap::new(upstreams).await;
        prepare(folder, topology, &tap);
        Self { lent, tap, folder: folder.to_owned(), desired }
    }

    /// Runs a verb on the mesh, each request as the script has it.
    pub(crate) async fn run(
        &self,
        arguments: &[&str],
        script: impl FnMut(&Asked) -> Deed + Send + 'static,
    ) -> Ran {
        run(&self.tap, &self.folder, arguments, script).await
    }

    /// Runs a verb whose requests all pass.
    pub(crate) async fn undisturbed(&self, arguments: &[&str]) -> Ran {
        self.run(arguments, |_| Deed::Pass).await
    }

    /// All objects, by cluster.
    pub(crate) async fn objects(&self) -> BTreeMap<String, Vec<Object>> {
        let mut objects = BTreeMap::new();
        for cluster in self.desired.clusters.keys() {
            let found = found::all(&self.lent.raw(cluster.as_str()).await).await;
            objects.insert(cluster.to_string(), found.into_iter().map(|found| found.object).collect());
        }
        objects
    }

    /// What is wrong with the books.
    pub(crate) fn faults_in_the_books(&self, objects: &BTreeMap<String, Vec<Object>>) -> Vec<String> {
        faults_in_the_books(&self.desired, objects)
    }
}

/// The names of objects, but for those that controllers make anew under names of their own.
pub(crate) fn lasting_names(objects: &BTreeMap<String, Vec<Object>>) -> BTreeSet<String> {
    let is_lasting = |object: &&Object| {
        !matches!(object.kind(), "Pod" | "ReplicaSet" | "IPAddress")
            && object.get(&["metadata", "generateName"]).is_none()
    };
    let of = |(cluster, objects): (&String, &Vec<Object>)| {
        let lasting = objects.iter().filter(is_lasting);
        lasting.map(|object| format!("{cluster} {}", object.reference())).collect::<Vec<_>>()
    };
    objects.iter().flat_map(of).collect()
}
