//! One claim, two back ends: simulated clusters and real API servers.
//!
//! `on_both_back_ends!(claim)` makes two tests of `async fn claim(on: BackEnd)`:
//! `claim::in_the_sandbox` and `claim::on_api_servers`, of which the second takes what Go builds and so is ignored
//! until it is asked for.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Weak;
use std::time::Duration;

use stolos::sandbox::controllers::{Controlled, Handle};
use stolos::sandbox::{Processes, RunningSandbox};

use super::lent::Lent;
use super::servers::Server;

/// Where the clusters of a mesh run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackEnd {
    /// In this process.
    Sandbox,
    /// As real API servers, with the sandbox's controllers for a data plane.
    ApiServers,
}

impl BackEnd {
    /// How long a wait takes that must end in vain: longer than anything that comes true.
    pub(crate) fn short(self) -> Duration {
        match self {
            Self::Sandbox => Duration::from_secs(2),
            Self::ApiServers => Duration::from_secs(8),
        }
    }
}

/// The clusters of a mesh, up.
pub(crate) enum Running {
    Sandbox { sandbox: RunningSandbox, controllers: Option<Handle> },
    ApiServers(Box<Lent>),
}

impl Running {
    /// What was asked so far is not counted. A data plane ends with this: it asks as well.
    pub(crate) fn forget(&mut self) {
        match self {
            Self::Sandbox { sandbox, .. } => sandbox.forget_requests(),
            Self::ApiServers(lent) => lent.forget_requests(),
        }
    }

    /// From now on these listen in the Pods of a cluster.
    pub(crate) fn run(&self, cluster: &str, processes: Weak<dyn Processes>) {
        match self {
            Self::Sandbox { sandbox, .. } => {
                let store = sandbox.sandbox().cluster(cluster).expect("a cluster");
                Controlled::run(&**store, processes);
            }
            Self::ApiServers(lent) => lent.run(cluster, processes),
        }
    }

    /// The API server of a cluster.
    pub(crate) fn server(&self, cluster: &str) -> &Server {
        match self {
            Self::Sandbox { .. } => panic!("this can be asked of real API servers only"),
            Self::ApiServers(lent) => lent.server(cluster),
        }
    }

    /// How often a connection to a port of a Pod was asked for.
    pub(crate) fn port_forwards(&self, cluster: &str) -> u64 {
        match self {
            Self::Sandbox { sandbox, .. } => {
                let counts = sandbox.request_counts(cluster).into_iter();
                counts.filter(|count| count.resource == "pods/portforward").map(|count| count.count).sum()
            }
            Self::ApiServers(lent) => {
                let requests = lent.requests(cluster);
                requests.iter().map(|request| u64::from(request.uri.contains("/portforward?"))).sum()
            }
        }
    }

    /// How often each verb was asked of each resource of a cluster since then.
    pub(crate) fn asked(&self, cluster: &str) -> BTreeMap<(String, String), u64> {
        let mut asked = BTreeMap::new();
        match self {
            Self::Sandbox { sandbox, .. } => {
                for count in sandbox.request_counts(cluster) {
                    asked.insert((count.verb.to_owned(), count.resource.clone()), count.count);
                }
            }
            Self::ApiServers(lent) => {
                for request in lent.requests(cluster) {
                    *asked.entry((request.verb.clone(), resource(&request.uri))).or_default() += 1;
                }
            }
        }
        asked
    }
}

/// The plural in a path: `/apis/apps/v1/namespaces/istio-system/deployments/istiod?…`.
fn resource(uri: &str) -> String {
    let path = uri.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let of_version = if parts[0] == "api" { &parts[2..] } else { &parts[3..] };
    let plural = match of_version {
        ["namespaces", _, plural, ..] | [plural, ..] => plural,
        [] => path,
    };
    plural.to_owned()
}

/// For claims about the sandbox itself.
impl Deref for Running {
    type Target = RunningSandbox;

    fn deref(&self) -> &RunningSandbox {
        match self {
            Self::Sandbox { sandbox, .. } => sandbox,
            Self::ApiServers(_) => panic!("this can be asked of a sandbox only"),
        }
    }
}

/// Makes two tests of each claim, one for each back end.
macro_rules! on_both_back_ends {
    ($($claim:ident),+ $(,)?) => {
        $(
            mod $claim {
                use crate::support::back_end::BackEnd;

                #[tokio::test(flavor = "multi_thread")]
                async fn in_the_sandbox() {
                    super::$claim(BackEnd::Sandbox).await;
                }

                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "takes API servers: tests/kube/build-kube"]
                async fn on_api_servers() {
                    super::$claim(BackEnd::ApiServers).await;
                }
            }
        )+
    };
}

pub(crate) use on_both_back_ends;
