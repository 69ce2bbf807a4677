//! Commands on a topology as a person gives them, on clusters of either back end.

use std::path::PathBuf;

use super::back_end::BackEnd;
use super::command::{Ran, scratch, stolos};
use super::lent::Lent;
use super::meshes::desired;

/// A folder with a topology, and its clusters.
pub(crate) struct Commands {
    pub(crate) folder: PathBuf,
    pub(crate) lent: Option<Lent>,
}

impl Commands {
    /// Clusters that do what clusters do by themselves. The topology is `mesh.yaml`.
    pub(crate) async fn on(back_end: BackEnd, test: &str, topology: &str) -> Self {
        // Both tests of a claim may run at once.
        let folder = match back_end {
            BackEnd::Sandbox => scratch(test),
            BackEnd::ApiServers => scratch(&format!("{test}-on-api-servers")),
        };
        std::fs::write(folder.join("mesh.yaml"), topology).expect("a file");
        let lent = match back_end {
            BackEnd::Sandbox => None,
            BackEnd::ApiServers => {
                let clusters = desired("mesh.yaml", topology).clusters;
                let names: Vec<&str> = clusters.keys().map(|name| name.as_str()).collect();
                let mut lent = Lent::get(&names).await;
                let ids = clusters.iter().map(|(name, facts)| (name.to_string(), facts.id.clone()));
                lent.start_data_plane(&ids.collect()).await;
                std::fs::copy(lent.kubeconfig(), folder.join("config")).expect("a file");
                Some(lent)
            }
        };
        Self { folder, lent }
    }

    /// The flags that say where the clusters are.
    pub(crate) fn reach(&self) -> &'static str {
        match self.lent {
            None => "--sandbox",
            Some(_) => "--kubeconfig config",
        }
    }

    /// `stolos VERB REACH FLAGS mesh.yaml`. `words` are the verb and its flags.
    pub(crate) fn stolos(&self, words: &[&str]) -> Ran {
        let (verb, flags) = words.split_first().expect("a verb");
        let mut arguments = vec![*verb];
        arguments.extend(self.reach().split(' '));
        arguments.extend(flags);
        arguments.push("mesh.yaml");
        // The data plane goes on meanwhile.
        tokio::task::block_in_place(|| stolos(&self.folder, &arguments))
    }
}
