//! The binaries, as envtest lays them out.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Where they are.
#[derive(Debug, Clone)]
pub(crate) struct Assets {
    pub(crate) etcd: PathBuf,
    pub(crate) apiserver: PathBuf,
    pub(crate) controller_manager: PathBuf,
    pub(crate) kubectl: PathBuf,
    /// Our own, which nobody else's folder has.
    pub(crate) kubelet: Option<PathBuf>,
}

impl Assets {
    /// Those of `KUBEBUILDER_ASSETS`, else what tests/kube/build-kube built; or what is missing.
    pub(crate) fn find() -> Result<Self, String> {
        let built = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("kube-assets");
        let own = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
        let folder = own.clone().unwrap_or_else(built);
        let binary = |name: &str| {
            let path = folder.join(name);
            let missing = match &own {
                Some(_) => format!("KUBEBUILDER_ASSETS has no {name}"),
                None => "tests/kube/build-kube has not built API servers".to_owned(),
            };
            if path.is_file() { Ok(path) } else { Err(missing) }
        };
        Ok(Self {
            etcd: binary("etcd")?,
            apiserver: binary("kube-apiserver")?,
            controller_manager: binary("kube-controller-manager")?,
            kubectl: binary("kubectl")?,
            kubelet: binary("portforward-kubelet").ok(),
        })
    }

    /// The same, and a line on stderr where something is missing.
    pub(crate) fn find_or_say(what: &str) -> Option<Self> {
        Self::find().inspect_err(|why| left_out(what, why)).ok()
    }
}

/// Says past the test harness, which swallows what a passing test prints, that something was left out.
pub(crate) fn left_out(what: &str, why: &str) {
    let line = format!("left out: {what} on real API servers, {why}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("stderr takes a line");
}
