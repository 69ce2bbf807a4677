//! Rights as ClusterRoles: YAML documents, each under a comment that says where it belongs.

use serde_json::json;

use crate::document::emit::to_yaml;
use crate::rbac::{ClusterRights, Rights, Task};
use crate::topology::ClusterName;

/// What the documents are about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// What the rights are for.
    pub task: Task,
    /// The mesh's ID.
    pub mesh: &'a str,
    /// The mesh namespace.
    pub namespace: &'a str,
}

/// The roles of one cluster; documents end with a line break and are not separated before the first.
pub fn roles(about: About<'_>, cluster: &ClusterName, rights: &ClusterRights) -> String {
    let role = format!("stolos-{}-{cluster}-{}", about.mesh, verb(about.task));
    let mut documents = vec![document(
        &format!(
            "{cluster}: what `stolos {}` takes.\n# Bind it: kubectl create clusterrolebinding {role} \
             --clusterrole={role} --user=NAME",
            verb(about.task)
        ),
        &role,
        &rights.cluster,
    )];
    if !rights.namespace.is_empty() {
        let namespace = about.namespace;
        let role = format!("{role}-in-namespace");
        documents.push(document(
            &format!(
                "{cluster}: {}, in namespace {namespace} alone.\n# Bind it: kubectl create rolebinding \
                 {role} --namespace={namespace} --clusterrole={role} --user=NAME",
                in_namespace(about.task)
            ),
            &role,
            &rights.namespace,
        ));
    }
    documents.join("---\n")
}

/// The command that the rights are for.
pub fn verb(task: Task) -> &'static str {
    match task {
        Task::Plan => "plan",
        Task::Apply => "apply",
        Task::Destroy => "destroy",
    }
}

/// Why rights in the mesh namespace are taken.
fn in_namespace(task: Task) -> &'static str {
    match task {
        Task::Plan | Task::Apply => {
            "what `stolos apply` looks into while it waits, and where it waited in vain"
        }
        Task::Destroy => "what `stolos destroy` lists to see whether others have anything there",
    }
}

fn document(comment: &str, name: &str, rights: &Rights) -> String {
    let rules: Vec<_> = rights.rules().iter().map(crate::rbac::Rule::write).collect();
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    });
    format!("# {comment}\n{}", to_yaml(&role))
}
