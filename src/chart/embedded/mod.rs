//! The charts in the binary: base, istiod and gateway, small and of our own writing.

use std::sync::{Arc, LazyLock};

use super::Chart;

/// The files of a chart below this folder, by path in the chart.
macro_rules! files {
    ($chart:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_bytes!(concat!($chart, "/", $path)))),+]
    };
}

type Files = &'static [(&'static str, &'static [u8])];

static BASE: Files = files!(
    "base":
    "Chart.yaml",
    "templates/_known.tpl",
    "templates/_shared.tpl",
    "templates/crds.yaml",
    "templates/default-validator.yaml",
    "templates/reader-serviceaccount.yaml",
    "templates/zzz_check.yaml",
    "values.yaml",
);

static GATEWAY: Files = files!(
    "gateway":
    "Chart.yaml",
    "templates/_gateway.tpl",
    "templates/_known.tpl",
    "templates/_shared.tpl",
    "templates/account.yaml",
    "templates/deployment.yaml",
    "templates/scale.yaml",
    "templates/service.yaml",
    "templates/zzz_check.yaml",
    "values.yaml",
);

static ISTIOD: Files = files!(
    "istiod":
    "Chart.yaml",
    "files/gateway.yaml",
    "files/proxy.yaml",
    "files/sidecar.yaml",
    "templates/_istiod.tpl",
    "templates/_known.tpl",
    "templates/_shared.tpl",
    "templates/account.yaml",
    "templates/clusterrole.yaml",
    "templates/deployment.yaml",
    "templates/injector.yaml",
    "templates/mesh.yaml",
    "templates/reader.yaml",
    "templates/scale.yaml",
    "templates/service.yaml",
    "templates/values.yaml",
    "templates/webhooks.yaml",
    "templates/zzz_check.yaml",
    "values.yaml",
);

/// CRDs and the reader account.
pub fn base() -> Arc<Chart> {
    static CHART: LazyLock<Arc<Chart>> = LazyLock::new(|| Arc::new(load(BASE)));
    Arc::clone(&CHART)
}

/// The control plane, or a remote's share of it.
pub fn istiod() -> Arc<Chart> {
    static CHART: LazyLock<Arc<Chart>> = LazyLock::new(|| Arc::new(load(ISTIOD)));
    Arc::clone(&CHART)
}

/// The gateway.
pub fn gateway() -> Arc<Chart> {
    static CHART: LazyLock<Arc<Chart>> = LazyLock::new(|| Arc::new(load(GATEWAY)));
    Arc::clone(&CHART)
}

fn load(files: Files) -> Chart {
    let files = files.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec()));
    Chart::load(files).expect("a test loads every embedded chart")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_folders_is_in_the_binary() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chart/embedded");
        for (chart, files) in [("base", BASE), ("gateway", GATEWAY), ("istiod", ISTIOD)] {
            let root = folder.join(chart);
            let mut found = BTreeSet::new();
            let mut folders = vec![root.clone()];
            while let Some(next) = folders.pop() {
                for entry in std::fs::read_dir(next).expect("a folder of the chart") {
                    let path = entry.expect("an entry").path();
                    if path.is_dir() {
                        folders.push(path);
                    } else {
                        let path = path.strip_prefix(&root).expect("below the chart");
                        found.insert(path.to_str().expect("UTF-8").to_owned());
                    }
                }
            }
            let listed: BTreeSet<String> = files.iter().map(|(path, _)| (*path).to_owned()).collect();
            assert_eq!(listed, found, "{chart}");
        }
    }
}
