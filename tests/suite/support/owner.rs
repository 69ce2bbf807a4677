//! Others who install the releases of a mesh: with the values that Stolos prints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use stolos::apply::{Event, Stop};
use stolos::chart::{self, Capabilities, Chart, ReleaseInfo};
use stolos::compile::{Desired, DesiredUnit, Done, values_files};
use stolos::object::{Object, ObjectRef};
use stolos::plan::{Mode, Plan, StepId, Unmet};
use stolos::topology::ChartName;
use tokio::sync::{mpsc, watch};

use super::command::repository;
use super::helm;
use super::meshes::{Meshes, Ran, writes};

/// The field manager of somebody who applies on the server's side.
pub(crate) const OWNER: &str = "argocd-controller";

/// Who installs: the charts that it has.
#[derive(Clone)]
pub(crate) struct Owner(Arc<BTreeMap<ChartName, Arc<Chart>>>);

impl Owner {
    /// Who has no charts, and installs by other means.
    pub(crate) fn without_charts() -> Self {
        Self(Arc::default())
    }

    /// Whose charts are those in the binary.
    pub(crate) fn with_embedded() -> Self {
        let folder = repository("src/chart/embedded");
        Self::with(&|chart| folder.join(chart))
    }

    /// Whose charts lie in these folders. As with helm's --skip-schema-validation, no schema is asked.
    pub(crate) fn with(folder: &dyn Fn(&str) -> PathBuf) -> Self {
        let chart = |name: ChartName| {
            let folder = folder(name.as_str());
            // No topology here has a node agent of the embedded charts: there is none.
            let is_there = folder.is_dir() || name != ChartName::Cni;
            is_there.then(|| (name, Arc::new(helm::chart(&folder).without_schema())))
        };
        Self(Arc::new(ChartName::ALL.into_iter().filter_map(chart).collect()))
    }

    /// The objects of a unit's release with values.
    pub(crate) fn objects(&self, unit: &DesiredUnit, values: &Value) -> Vec<Object> {
        let release = unit.content.release.as_ref().expect("a release");
        let info = ReleaseInfo::new(&release.name, &release.namespace);
        let capabilities = Capabilities::of_kubernetes("1.33.0").expect("a version");
        let rendered = chart::render(&self.0[&release.chart], values, &info, &capabilities);
        rendered.expect("it renders").into_iter().map(|manifest| manifest.object).collect()
    }

    /// Applies the objects of a unit's release.
    pub(crate) async fn install(&self, meshes: &Meshes, unit: &DesiredUnit, values: &Value) {
        for object in self.objects(unit, values) {
            meshes.apply_by(unit.unit.cluster.as_str(), object.into_value(), OWNER).await;
        }
    }

    /// Runs a plan, and meanwhile installs what it waits for; `act` gives the values for each thing that a step
    /// lacks, none where nothing is done about it.
    pub(crate) async fn beside(
        &self,
        meshes: &Meshes,
        plan: Plan,
        mut act: impl FnMut(&DesiredUnit, &Unmet) -> Option<Value>,
    ) -> Ran {
        let (sender, mut lacking) = mpsc::unbounded_channel::<(StepId, Unmet)>();
        let (_stopper, stop) = watch::channel(Stop::Go);
        let sender = Mutex::new(Some(sender));
        let installs = async {
            while let Some((step, unmet)) = lacking.recv().await {
                let unit = meshes.desired.unit(&step.unit).expect("a unit");
                if !matches!(unit.done, Done::Installed(_)) {
                    continue;
                }
                if let Some(values) = act(unit, &unmet) {
                    self.install(meshes, unit, &values).await;
                }
            }
        };
        let run = async {
            let ran = meshes.run_telling(plan, stop, |event| {
                if let Event::Waiting { step, unmet } = event
                    && let Some(sender) = &*sender.lock().expect("no panic while held")
                {
                    let _ = sender.send((step.clone(), unmet.clone()));
                }
            });
            let ran = ran.await;
            sender.lock().expect("no panic while held").take();
            ran
        };
        let (ran, ()) = tokio::join!(run, installs);
        ran
    }

    /// Applies, and installs everything as it is asked for.
    pub(crate) async fn comes(&self, meshes: &Meshes) {
        let printed = printed(&meshes.desired);
        let mut done = BTreeSet::new();
        let plan = meshes.plan(Mode::Apply).await;
        let ran = self.beside(meshes, plan, |unit, _| {
            done.insert(unit.unit.clone()).then(|| printed[&unit.unit.to_string()].clone())
        });
        let ran = ran.await;
        assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
        assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
    }
}

/// The values that `compile --values` writes, by unit.
pub(crate) fn printed(desired: &Desired) -> BTreeMap<String, Value> {
    let files: BTreeMap<String, String> =
        values_files(desired).into_iter().map(|file| (file.path, file.text.to_string())).collect();
    let list = files["values.txt"].lines();
    let entry = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        (words[0].to_owned(), helm::yaml(&files[words[2]]))
    };
    list.map(entry).collect()
}

/// The objects of all releases, by cluster.
pub(crate) fn theirs(owner: &Owner, desired: &Desired) -> Vec<(String, ObjectRef)> {
    let printed = printed(desired);
    let units = desired.units.iter().filter(|unit| unit.content.release.is_some());
    let objects = units.flat_map(|unit| {
        let cluster = unit.unit.cluster.to_string();
        let objects = owner.objects(unit, &printed[&unit.unit.to_string()]);
        objects.into_iter().map(move |object| (cluster.clone(), object.reference()))
    });
    objects.collect()
}

/// Installs the release of a unit as the first lines of its printed values say, with a chart that is at hand in the place
/// of the one in Istio's repository.
pub(crate) fn helm_installs(
    desired: &Desired,
    folder: &Path,
    kubeconfig: &Path,
    name: &str,
    charts: &dyn Fn(&str) -> PathBuf,
    more: &[&str],
) {
    let unit = desired.unit(&name.parse().expect("a unit")).expect("there");
    let chart = unit.content.release.as_ref().expect("a release").chart.as_str();
    let files = values_files(desired);
    let path = format!("{}/{chart}.yaml", unit.unit.cluster);
    let file = files.iter().find(|file| file.path == path).expect("its values");
    std::fs::create_dir_all(folder.join(unit.unit.cluster.as_str())).expect("a folder");
    std::fs::write(folder.join(&path), file.text.as_bytes()).expect("a file");
    let line = file.text.lines().find_map(|line| line.strip_prefix("# helm ")).expect("a command");
    let version = desired.mesh.version;
    let published =
        format!(" {chart} --repo https://istio-release.storage.googleapis.com/charts --version {version} ");
    assert!(line.contains(&published), "{line}");
    let line = line.replace(&published, &format!(" {} ", charts(chart).display()));
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("{} {line} {}", helm::binary().display(), more.join(" "))])
        .current_dir(folder)
        .env("KUBECONFIG", kubeconfig)
        .env("HOME", folder)
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{name}: {line}: {}", String::from_utf8_lossy(&output.stderr));
}
