//! One claim, two back ends: simulated clusters and real API servers.
//!
//! `on_both_back_ends!(claim)` makes two tests of `async fn claim(on: BackEnd)`:
//! `claim::in_the_sandbox` and `claim::on_api_servers`.

use std::ops::Deref;
use std::sync::LazyLock;
use std::time::Duration;

use stolos::sandbox::RunningSandbox;
use stolos::sandbox::controllers::Handle;

use super::lent::Lent;
use super::servers::Assets;

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

    /// Real API servers; none, and one line on stderr that says so for all claims, where there are no binaries.
    pub(crate) fn api_servers() -> Option<Self> {
        static ARE_THERE: LazyLock<bool> =
            LazyLock::new(|| Assets::find_or_say("claims about meshes").is_some());
        ARE_THERE.then_some(Self::ApiServers)
    }
}

/// The clusters of a mesh, up.
pub(crate) enum Running {
    Sandbox { sandbox: RunningSandbox, controllers: Option<Handle> },
    ApiServers(Box<Lent>),
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
                async fn on_api_servers() {
                    if let Some(back_end) = BackEnd::api_servers() {
                        super::$claim(back_end).await;
                    }
                }
            }
        )+
    };
}

pub(crate) use on_both_back_ends;
