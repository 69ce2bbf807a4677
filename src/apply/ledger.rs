//! The inventory of one cluster while a plan runs.
//!
//! An object is in the inventory before it is made and stays in it until it is
//! gone: whatever is written at any moment lists all that may exist.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::{ApplyError, Leases};
use crate::cluster::{ApplyOptions, Cluster, Write};
use crate::compile::MeshFacts;
use crate::object::ObjectRef;
use crate::plan::{
    Action, Change, Conflicts, Inventory, InventoryEntry, Mode, Plan, PlannedCluster, inventory_ref,
};
use crate::topology::ClusterName;

/// The inventory of one cluster.
pub(super) struct Ledger {
    cluster: Cluster,
    mesh: MeshFacts,
    /// The ID of the plan, where it was saved.
    saved: Option<String>,
    leases: Arc<Leases>,
    book: Mutex<Book>,
}

struct Book {
    /// What stands in the cluster; none where there is no inventory.
    written: Option<Inventory>,
    /// What is there, or may be.
    now: Inventory,
    /// What this plan makes and has not begun to make.
    planned: BTreeMap<ObjectRef, InventoryEntry>,
    /// Whether what is planned has been written.
    opened: bool,
    /// Whether the namespace in which it lies is kept, because it names what nobody could look into.
    stays: bool,
}

/// Whether inventories are not what they should be although the plan has nothing to do: an earlier run was
/// cut off before its last writes, which are those of the inventories.
pub fn inventories_lag(plan: &Plan) -> bool {
    let read = plan.clusters.iter().filter(|(name, _)| !plan.unknown.contains_key(*name));
    let mut books = read.map(|(name, facts)| Book::of(name, facts, plan));
    books.any(|book| book.written.as_ref().is_some_and(|written| *written != book.now))
}

impl Book {
    /// Old and new together.
    fn union(&self) -> Inventory {
        let mut union = self.now.clone();
        for (object, entry) in &self.planned {
            union.entries.entry(object.clone()).or_insert_with(|| entry.clone());
        }
        union
    }

    /// What the plan means for the inventory of a cluster.
    fn of(cluster: &ClusterName, facts: &PlannedCluster, plan: &Plan) -> Self {
        let mut now = facts.inventory.clone().unwrap_or_default();
        if let Some(uid) = &facts.uid {
            now.cluster_uid.clone_from(uid);
        }
        now.members = plan.clusters.keys().map(|name| name.as_str().to_owned()).collect();
        let mut planned = BTreeMap::new();
        let mut named = BTreeSet::new();
        for step in plan.steps.iter().filter(|step| step.unit.cluster == *cluster) {
            for change in &step.changes {
                named.insert(&change.object);
                let known = now.entries.get(&change.object);
                let entry = change.digest.clone().map(|digest| InventoryEntry {
                    uid: change.uid.clone().or_else(|| known.and_then(|entry| entry.uid.clone())),
                    origin: change.origin,
                    unit: step.unit.clone(),
                    digest,
                });
                match (change.action, entry) {
                    (Action::NoOp, Some(entry)) => {
                        now.entries.insert(change.object.clone(), entry);
                    }
                    (_, Some(entry)) => {
                        planned.insert(change.object.clone(), entry);
                    }
                    // What a destroy keeps is said in its plan, and is nobody's from then on.
                    (Action::Keep, None)
                        if plan.mode == Mode::Destroy && !facts.goes_on_to_name(&change.object) =>
                    {
                        now.entries.remove(&change.object);
                    }
                    (_, None) => {}
                }
            }
        }
        // What the inventory has and the plan does not name is gone already.
        now.entries.retain(|object, _| named.contains(object));
        Self {
            written: facts.inventory.clone().filter(|_| !plan.makes_namespace_anew(cluster)),
            now,
            planned,
            opened: false,
            stays: !facts.unseen.is_empty(),
        }
    }
}

impl Ledger {
    /// The inventory of a cluster before the plan is run.
    pub(super) fn new(
        cluster: Cluster,
        facts: &PlannedCluster,
        plan: &Plan,
        saved: Option<String>,
        leases: Arc<Leases>,
    ) -> Self {
        let book = Book::of(cluster.name(), facts, plan);
        Self { cluster, mesh: plan.mesh.clone(), saved, leases, book: Mutex::new(book) }
    }

    /// Whether what it will hold is not what stands written.
    pub(super) async fn is_to_be_written(&self, mode: Mode) -> bool {
        let book = self.book.lock().await;
        match mode {
            Mode::Apply => {
                let union = book.union();
                (book.written.is_some() || !union.entries.is_empty()) && book.written.as_ref() != Some(&union)
            }
            Mode::Destroy => book.written.is_some(),
        }
    }

    /// Writes old and new together, once, before the first object is made.
    pub(super) async fn open(&self) -> Result<(), ApplyError> {
        let mut book = self.book.lock().await;
        if book.opened {
            return Ok(());
        }
        if let Some(id) = &self.saved {
            book.now.use_plan(id);
        }
        let union = book.union();
        self.write(&mut book, union).await?;
        book.opened = true;
        Ok(())
    }

    /// Whether a step that runs writes it, though it may change no object.
    pub(super) fn notes_plan(&self) -> bool {
        self.saved.is_some()
    }

    /// Notes that a saved plan is used up, before the first object is taken down.
    pub(super) async fn note_saved(&self) -> Result<(), ApplyError> {
        let mut book = self.book.lock().await;
        let (Some(id), Some(written)) = (&self.saved, &book.written) else { return Ok(()) };
        let mut noted = written.clone();
        noted.use_plan(id);
        book.now.use_plan(id);
        self.write(&mut book, noted).await
    }

    /// An object is about to be written: from now on it may exist.
    pub(super) async fn begin(&self, object: &ObjectRef) {
        let mut book = self.book.lock().await;
        if let Some(entry) = book.planned.get(object).cloned() {
            book.now.entries.entry(object.clone()).or_insert(entry);
        }
    }

    /// An object is as planned.
    pub(super) async fn record(&self, change: &Change, uid: Option<&str>) {
        let mut book = self.book.lock().await;
        if let Some(mut entry) = book.planned.remove(&change.object) {
            entry.uid = uid.map(str::to_owned).or(entry.uid);
            book.now.entries.insert(change.object.clone(), entry);
        }
    }

    /// An object is gone, or no longer ours.
    pub(super) async fn forget(&self, object: &ObjectRef) {
        let mut book = self.book.lock().await;
        book.planned.remove(object);
        book.now.entries.remove(object);
    }

    /// Writes what is there, if that is not what stands written; an empty one is deleted
    /// where a mesh is destroyed.
    pub(super) async fn settle(&self, mode: Mode) -> Result<(), ApplyError> {
        let mut book = self.book.lock().await;
        if mode == Mode::Destroy && book.now.entries.is_empty() {
            return self.delete(&mut book).await;
        }
        // A namespace that is going takes nothing in any more, and the inventory goes with it. Until then what
        // stands written is how the next run finds the namespace.
        let goes = |object: &ObjectRef| self.is_mesh_namespace(object);
        if mode == Mode::Destroy && !book.stays && book.now.entries.keys().all(goes) {
            return Ok(());
        }
        // Without an inventory and without a namespace to put one in there was nothing to record.
        if book.written.is_none() && book.now.entries.is_empty() {
            return Ok(());
        }
        let now = book.now.clone();
        self.write(&mut book, now).await
    }

    fn is_mesh_namespace(&self, object: &ObjectRef) -> bool {
        object.kind == "Namespace" && object.name == self.mesh.namespace
    }

    async fn write(&self, book: &mut Book, inventory: Inventory) -> Result<(), ApplyError> {
        if book.written.as_ref() == Some(&inventory) {
            return Ok(());
        }
        self.leases.ready(self.cluster.name()).await?;
        // Nobody else writes it; where somebody did, what we know of our objects wins.
        let options = ApplyOptions { write: Write::Persist, conflicts: Conflicts::Force };
        self.cluster.apply(&inventory.to_object(&self.mesh), options).await?;
        book.written = Some(inventory);
        Ok(())
    }

    async fn delete(&self, book: &mut Book) -> Result<(), ApplyError> {
        if book.written.is_some() {
            self.leases.ready(self.cluster.name()).await?;
            self.cluster.delete(&inventory_ref(&self.mesh), None).await?;
            book.written = None;
        }
        Ok(())
    }
}
