//! The binaries, as envtest lays them out.

use std::path::{Path, PathBuf};

/// Where they are.
#[derive(Debug, Clone)]
pub(crate) struct Assets {
    pub(crate) etcd: PathBuf,
    pub(crate) apiserver: PathBuf,
    pub(crate) controller_manager: PathBuf,
    pub(crate) kubectl: PathBuf,
    /// Our own, which nobody else's folder has to have.
    pub(crate) kubelet: PathBuf,
}

impl Assets {
    /// Those of `KUBEBUILDER_ASSETS`, else what tests/kube/build-kube built; or what is missing.
    pub(crate) fn find() -> Result<Self, String> {
        let built = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("kube-assets");
        let own = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
        let binary = |name: &str| {
            let path = own.clone().unwrap_or_else(built).join(name);
            let missing = match &own {
                Some(_) => format!("KUBEBUILDER_ASSETS has no {name}"),
                None => format!("there is no {name}: tests/kube/build-kube builds it"),
            };
            if path.is_file() { Ok(path) } else { Err(missing) }
        };
        let kubelet = || {
            let path = built().join("portforward-kubelet");
            let missing = "there is no portforward-kubelet: tests/kube/build-kube builds it".to_owned();
            if path.is_file() { Ok(path) } else { Err(missing) }
        };
        Ok(Self {
            etcd: binary("etcd")?,
            apiserver: binary("kube-apiserver")?,
            controller_manager: binary("kube-controller-manager")?,
            kubectl: binary("kubectl")?,
            kubelet: binary("portforward-kubelet").or_else(|_| kubelet())?,
        })
    }

    /// The same for a test that was asked for.
    pub(crate) fn get() -> Self {
        Self::find().unwrap_or_else(|missing| panic!("{missing}"))
    }
}
