//! What istiod itself says of the clusters that it reads: `/debug/clusterz` of every ready istiod, through
//! port-forward.
//!
//! It is the strongest evidence that a remote secret is in use, where it is to be had. Where it is not (no
//! right to forward ports, no kubelet, an istiod that answers nothing) that is known once for each primary,
//! and nobody asks again. There is no watch on it, so it is asked again after a pause, and one answer
//! serves all steps that wait for it meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::cluster::{Cluster, ClusterError, Fault, Selection, together};
use crate::object::{GroupKind, Object, ObjectRef};
use crate::plan::Unmet;

/// Where istiod answers those who come from its own host, whoever they are
/// (`allowAuthenticatedOrLocalhost` in pilot/pkg/xds/debug.go, 1.24.0 to 1.31.0-rc.0; istioctl asks there too).
const PORT: u16 = 15014;
const PATH: &str = "/debug/clusterz";
/// How many istiods are asked at once.
const SIDE_BY_SIDE: usize = 8;

/// The istiods of one primary.
pub(super) struct Istiods {
    cluster: Cluster,
    namespace: String,
    last: Mutex<Option<(Instant, Arc<Answer>)>>,
    told: AtomicBool,
}

/// What came of asking.
pub(super) enum Answer {
    /// What each ready istiod says.
    Listed(Vec<Listed>),
    /// They cannot be asked, and this is why.
    Refused(String),
}

/// What one istiod says.
pub(super) struct Listed {
    pod: String,
    clusters: Vec<Entry>,
}

/// How an istiod stands with a cluster (`DebugInfo` in pkg/cluster/debug.go).
struct Entry {
    id: String,
    secret: String,
    status: String,
}

impl Istiods {
    /// Those in a namespace of a cluster.
    pub(super) fn new(cluster: Cluster, namespace: &str) -> Self {
        Self {
            cluster,
            namespace: namespace.to_owned(),
            last: Mutex::default(),
            told: AtomicBool::new(false),
        }
    }

    /// Whether nobody was told yet that they cannot be asked.
    pub(super) fn is_news(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }

    /// What they say, or said after a moment.
    pub(super) async fn ask(&self, since: Instant) -> Arc<Answer> {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = &*last
            && (*at >= since || matches!(**answer, Answer::Refused(_)))
        {
            return Arc::clone(answer);
        }
        let now = Instant::now();
        let answer = match self.look().await {
            Ok(listed) => Answer::Listed(listed),
            Err(error) => Answer::Refused(format!("{}: {}", error.request, error.fault)),
        };
        let answer = Arc::new(answer);
        *last = Some((now, Arc::clone(&answer)));
        answer
    }

    async fn look(&self) -> Result<Vec<Listed>, ClusterError> {
        let kind = GroupKind { group: String::new(), kind: "Pod".to_owned() };
        // As istioctl finds them (`GetIstioPods` with `app=istiod`, pkg/kube/client.go, 1.30.3).
        let selection =
            Selection { namespace: Some(self.namespace.clone()), ..Selection::labelled("app", "istiod") };
        let pods = self.cluster.list(&kind, &selection).await?.objects;
        let asks: Vec<_> = pods
            .iter()
            .filter(|pod| is_ready(pod))
            .map(Object::reference)
            .map(|pod| {
                let cluster = self.cluster.clone();
                async move {
                    let answer = cluster.ask_pod(&pod, PORT, PATH).await;
                    (pod, answer)
                }
            })
            .collect();
        let mut listed = Vec::new();
        for (pod, answer) in together(SIDE_BY_SIDE, asks).await {
            match answer {
                Ok(answer) => listed.push(self.understand(pod, &answer)?),
                // It went meanwhile.
                Err(ClusterError { fault: Fault::NotFound(_), .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(listed)
    }

    fn understand(&self, pod: ObjectRef, answer: &Value) -> Result<Listed, ClusterError> {
        let Some(entries) = entries(answer) else {
            let fault = Fault::Unintelligible("it is no list of clusters".to_owned());
            let request = format!("ask {pod} for {PATH}");
            return Err(ClusterError { cluster: self.cluster.name().clone(), request, attempts: 1, fault });
        };
        Ok(Listed { pod: pod.name, clusters: entries })
    }
}

/// Reads an answer; fields that it does not know are none of its business.
fn entries(answer: &Value) -> Option<Vec<Entry>> {
    let read = |entry: &Value| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Entry {
            id: entry.get("id")?.as_str()?.to_owned(),
            secret: text("secretName"),
            status: text("syncStatus"),
        })
    };
    // Go writes a list that is nil as null.
    match answer {
        Value::Null => Some(Vec::new()),
        answer => answer.as_array()?.iter().map(read).collect(),
    }
}

fn is_ready(pod: &Object) -> bool {
    let conditions = pod.get(&["status", "conditions"]).and_then(Value::as_array);
    !pod.is_being_deleted()
        && conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// What the istiods lack to have a cluster in use by its ID and its secret; none where all say `synced`.
pub(super) fn lacks(listed: &[Listed], primary: &str, id: &str, secret: &str) -> Option<Unmet> {
    let what = format!("istiod of {primary} to say that {id} is synced");
    if listed.is_empty() {
        return Some(Unmet { what, facts: vec![format!("no istiod of {primary} is ready")] });
    }
    let facts: Vec<String> = listed.iter().filter_map(|istiod| fact(istiod, id, secret)).collect();
    (!facts.is_empty()).then_some(Unmet { what, facts })
}

/// What one istiod lacks.
fn fact(istiod: &Listed, id: &str, secret: &str) -> Option<String> {
    let of_id: Vec<&Entry> = istiod.clusters.iter().filter(|entry| entry.id == id).collect();
    let is_ours = |entry: &&&Entry| {
        entry.secret.is_empty() || entry.secret.rsplit('/').next().is_some_and(|name| name == secret)
    };
    let pod = &istiod.pod;
    match (of_id.iter().find(is_ours), of_id.first()) {
        (Some(entry), _) if entry.status == "synced" => None,
        (Some(entry), _) if entry.status == "timeout" => Some(format!(
            "{pod} says that {id} is in timeout: it cannot read the cluster's API with what Secret {secret} holds, \
             or could not in time"
        )),
        (Some(entry), _) => Some(format!("{pod} says that {id} is {}", plain(&entry.status))),
        (None, Some(other)) => Some(format!("{pod} has {id} from another secret, {}", plain(&other.secret))),
        (None, None) => Some(format!("{pod} does not list {id}")),
    }
}

/// A word of istiod's without what a terminal would act on.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(answer: &Value) -> Option<Vec<String>> {
        let clusters = entries(answer).expect("a list");
        let listed = [Listed { pod: "istiod-1".to_owned(), clusters }];
        lacks(&listed, "cluster1", "c2", "istio-remote-secret-c2").map(|unmet| unmet.facts)
    }

    #[test]
    fn a_cluster_is_in_use_once_istiod_says_synced_of_our_secret() {
        let own = json!({"id": "c1", "syncStatus": "synced"});
        let entry = |secret: &str, status: &str| json!([own, {"id": "c2", "secretName": secret, "syncStatus": status, "new": 1}]);
        assert_eq!(facts(&entry("istio-system/istio-remote-secret-c2", "synced")), None);
        assert_eq!(facts(&entry("", "synced")), None);
        let lacking = |answer: Value| facts(&answer).expect("it lacks something").join("; ");
        assert_eq!(
            lacking(entry("istio-system/istio-remote-secret-c2", "syncing")),
            "istiod-1 says that c2 is syncing"
        );
        assert_eq!(
            lacking(entry("istio-system/istio-remote-secret-c2", "timeout")),
            "istiod-1 says that c2 is in timeout: it cannot read the cluster's API with what Secret \
             istio-remote-secret-c2 holds, or could not in time"
        );
        assert_eq!(
            lacking(entry("istio-system/of-somebody-else", "synced")),
            "istiod-1 has c2 from another secret, istio-system/of-somebody-else"
        );
        assert_eq!(lacking(json!([own])), "istiod-1 does not list c2");
        assert_eq!(lacking(Value::Null), "istiod-1 does not list c2");
    }

    #[test]
    fn an_answer_that_is_no_list_of_clusters_is_none() {
        for answer in [json!({}), json!("x"), json!([1]), json!([{"id": 1}]), json!([{}])] {
            assert!(entries(&answer).is_none(), "{answer}");
        }
    }

    #[test]
    fn every_ready_istiod_has_to_say_so_and_there_has_to_be_one() {
        let listed = |status: &str| Listed {
            pod: status.to_owned(),
            clusters: vec![Entry { id: "c2".to_owned(), secret: String::new(), status: status.to_owned() }],
        };
        let facts = |listed: &[Listed]| lacks(listed, "cluster1", "c2", "s").map(|unmet| unmet.facts);
        assert_eq!(facts(&[]), Some(vec!["no istiod of cluster1 is ready".to_owned()]));
        assert_eq!(
            facts(&[listed("synced"), listed("syncing")]),
            Some(vec!["syncing says that c2 is syncing".to_owned()])
        );
        assert_eq!(facts(&[listed("synced"), listed("synced")]), None);
    }
}
