//! Commands on a topology as a person gives them, on clusters of either back end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use http::Method;
use serde_json::Value;
use stolos::object::{Object, ObjectRef};
use stolos::sandbox::controllers::Part;
use stolos::sandbox::{ApplyOptions, Clock, Patch, Sandbox, SandboxCluster, SystemClock, WriteOptions};

use super::back_end::BackEnd;
use super::command::{Ran, stolos};
use super::lent::Lent;
use super::meshes::{collection, desired};
use super::scratch::scratch;

/// A folder with a topology, and its clusters.
pub(crate) struct Commands {
    pub(crate) folder: PathBuf,
    file: &'static str,
    pub(crate) lent: Option<Lent>,
    /// The ID of each cluster.
    clusters: BTreeMap<String, String>,
}

impl Commands {
    /// Clusters that do what clusters do by themselves. The topology is `mesh.yaml`.
    pub(crate) async fn on(back_end: BackEnd, test: &str, topology: &str) -> Self {
        Self::on_file(back_end, test, "mesh.yaml", topology).await
    }

    /// The same for a topology in a file of this name.
    pub(crate) async fn on_file(back_end: BackEnd, test: &str, file: &'static str, topology: &str) -> Self {
        // Both tests of a claim may run at once.
        let folder = match back_end {
            BackEnd::Sandbox => scratch(test),
            BackEnd::ApiServers => scratch(&format!("{test}-on-api-servers")),
        };
        std::fs::write(folder.join(file), topology).expect("a file");
        let clusters = desired(file, topology).clusters.into_iter();
        let clusters: BTreeMap<String, String> =
            clusters.map(|(name, facts)| (name.to_string(), facts.id)).collect();
        let lent = match back_end {
            BackEnd::Sandbox => None,
            BackEnd::ApiServers => {
                let names: Vec<&str> = clusters.keys().map(String::as_str).collect();
                let mut lent = Lent::get(&names).await;
                lent.start_data_plane(&clusters).await;
                std::fs::copy(lent.kubeconfig(), folder.join("config")).expect("a file");
                Some(lent)
            }
        };
        Self { folder, file, lent, clusters }
    }

    /// The flags that say where the clusters are.
    pub(crate) fn reach(&self) -> &'static str {
        match self.lent {
            None => "--sandbox",
            Some(_) => "--kubeconfig config",
        }
    }

    /// `stolos WORDS`.
    pub(crate) fn alone(&self, words: &[&str]) -> Ran {
        // The data plane goes on meanwhile.
        tokio::task::block_in_place(|| stolos(&self.folder, words))
    }

    /// What somebody does in a cluster between two commands: a JSON patch.
    pub(crate) async fn patch(
        &self,
        cluster: &str,
        object: &ObjectRef,
        part: Part,
        manager: &str,
        operations: Value,
    ) {
        let Some(lent) = &self.lent else {
            let options = match part {
                Part::Object => WriteOptions::by(manager),
                Part::Status => WriteOptions::status_by(manager),
            };
            let store = self.sandbox();
            let store = store.cluster(cluster).expect("a cluster");
            store.patch(object, &Patch::Json(operations), None, &options).expect("patched");
            return;
        };
        let part = match part {
            Part::Object => "",
            Part::Status => "/status",
        };
        let path = format!("{}/{}{part}?fieldManager={manager}", collection(object), object.name);
        let media_type = "application/json-patch+json";
        let answer = lent.raw(cluster).await.ask(Method::PATCH, &path, media_type, &operations).await;
        assert_eq!(answer.code, 200, "{object}: {answer:?}");
    }

    /// The same: an apply on the server's side that takes what others hold.
    pub(crate) async fn apply_forced(&self, cluster: &str, object: Value, manager: &str) {
        let object = Object::from_value(object).expect("an object");
        let Some(lent) = &self.lent else {
            let store = self.sandbox();
            let store = store.cluster(cluster).expect("a cluster");
            store.apply(object, &ApplyOptions::forced_by(manager)).expect("applied");
            return;
        };
        let reference = object.reference();
        let place = collection(&reference);
        let path = format!("{place}/{}?fieldManager={manager}&force=true", reference.name);
        let media_type = "application/apply-patch+yaml";
        let answer = lent.raw(cluster).await.ask(Method::PATCH, &path, media_type, object.as_value()).await;
        assert_eq!(answer.code, 200, "{reference}: {answer:?}");
    }

    /// The sandbox, which no command holds at the moment.
    fn sandbox(&self) -> Sandbox {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let clusters =
            self.clusters.iter().map(|(name, id)| SandboxCluster { name: name.clone(), id: id.clone() });
        let clusters: Vec<SandboxCluster> = clusters.collect();
        Sandbox::open(&self.folder.join(".stolos/sandbox"), &clusters, &clock).expect("a sandbox")
    }

    /// `stolos VERB REACH FLAGS FILE`. `words` are the verb and its flags.
    pub(crate) fn stolos(&self, words: &[&str]) -> Ran {
        let (verb, flags) = words.split_first().expect("a verb");
        let mut arguments = vec![*verb];
        arguments.extend(self.reach().split(' '));
        arguments.extend(flags);
        arguments.push(self.file);
        self.alone(&arguments)
    }
}
