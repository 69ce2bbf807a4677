//! One object: what is asked for against what is live.
//!
//! Only fields that the topology asks for and fields that we applied are looked at; what servers
//! add and what controllers own is not ours. Who holds a field decides what a difference is:
//! our own old value, somebody's drift, or a conflict with another tool.

mod compared;
mod divergence;
mod fields;
mod fixed;
mod migrated;
mod ownership;
mod released;
mod renamed;
mod same;
mod settle;
mod shown;

pub(in crate::plan) use compared::compared;
pub use divergence::divergence;
pub use fixed::may_be_replaced;
pub use migrated::migrated;
use migrated::migrations;
pub(in crate::plan) use ownership::Ownership;
use ownership::is_our_making;
pub use released::{given_up, without_us};
pub use renamed::taken_over;
pub use settle::settled;

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use self::fields::{Difference, Open, differences};
use self::ownership::{covers, leaves, outermost_missing, value_at};
use self::renamed::{Renamed, renamed};
use self::same::{Exactness, is_nothing};
use super::{
    Action, Author, Cause, Change, Conflicts, DryRun, DryRuns, FieldChange, InventoryEntry, Origin, codes,
};
use crate::compile::{Hole, PART_OF, markers_in};
use crate::diagnostic::{Failure, counted, listed};
use crate::object::kinds::{self, Shape};
use crate::object::{FieldPath, FieldSet, Object, PathElement};
use crate::plan::markers::fits;
use crate::topology::ClusterName;

/// What to do where a server refuses an object.
const MEND_REFUSED: &str = "mend the field that it names: in the topology if the value comes from there, \
     in the live object if somebody added it there; then plan again";

/// Whether a live object stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// It does.
    Stays,
    /// It is being deleted, or what holds it is.
    Leaves,
}

/// One object and everything that it is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'c> {
    /// The cluster that it belongs to.
    pub cluster: &'c ClusterName,
    /// The desired object, markers for what is not known.
    pub desired: &'c Object,
    /// Its [`digest`](super::digest), all holes open.
    pub digest: &'c str,
    /// What is there.
    pub live: Option<&'c Object>,
    /// Whether that stays until somebody changes it.
    pub lasting: Lasting,
    /// What the last apply recorded.
    pub recorded: Option<&'c InventoryEntry>,
    /// Whether fields that another tool applies may be taken from it.
    pub conflicts: Conflicts,
    /// Clusters that could not be read: a hole that waits for one is as it was, whatever that is.
    pub unread: &'c BTreeSet<ClusterName>,
    /// What the server said of this very object.
    pub dry_runs: &'c DryRuns,
}

impl Comparison<'_> {
    /// What is to be done to the object.
    pub fn change(&self) -> Result<Change, Failure> {
        match (self.live, self.lasting) {
            (None, _) => self.new_object(),
            (Some(live), Lasting::Leaves) => Ok(self.creation(Some(live))),
            (Some(live), Lasting::Stays) => {
                self.refuse_other_sets(live)?;
                self.against(live)
            }
        }
    }

    /// An object that is not there, unless a server says already that it would refuse it.
    fn new_object(&self) -> Result<Change, Failure> {
        let creation = self.creation(None);
        let desired = creation.desired.as_ref();
        match desired.and_then(|desired| self.dry_runs.of(self.cluster, desired)) {
            Some(DryRun::Refused(failure)) => Err(failure.clone().with_help(MEND_REFUSED)),
            Some(DryRun::Merged(_) | DryRun::Conflict(_) | DryRun::NotAllowed | DryRun::NotAsked) | None => {
                Ok(creation)
            }
        }
    }

    fn creation(&self, leaving: Option<&Object>) -> Change {
        // Recorded without a UID: the apply that meant to create it never came so far.
        let was_there = self.recorded.is_some_and(|recorded| recorded.uid.is_some());
        let note = match leaving {
            Some(_) => Some("is being deleted; made again once it is gone".to_owned()),
            None => was_there.then(|| "was deleted since the last apply".to_owned()),
        };
        Change {
            object: self.desired.reference(),
            action: Action::Create,
            cause: if was_there { Cause::Drift(None) } else { Cause::Topology },
            fields: Vec::new(),
            note,
            uid: leaving.and_then(Object::uid).map(str::to_owned),
            origin: Origin::Created,
            desired: Some(settled(self.desired, None)),
            digest: Some(self.digest.to_owned()),
            conflicts: Conflicts::Refuse,
            renamed: Vec::new(),
            migrated: Vec::new(),
        }
    }

    /// Another tool's set, or another mesh's: a member belongs to one alone.
    fn refuse_other_sets(&self, live: &Object) -> Result<(), Failure> {
        match (live.label(PART_OF), self.desired.label(PART_OF)) {
            (Some(theirs), Some(ours)) if theirs != ours => {
                let message = format!("{}: {} belongs to {theirs}", self.cluster, live.reference());
                Err(Failure::new(&codes::OBJECT_OF_ANOTHER_APPLY_SET, message)
                    .with_fact(format!("this mesh's set is {ours}"))
                    .with_help("take it out of the other set, or put this mesh into another cluster"))
            }
            _ => Ok(()),
        }
    }

    fn against(&self, live: &Object) -> Result<Change, Failure> {
        let ownership = Ownership::of(live);
        let desired = settled(self.desired, Some(live));
        let known = kinds::find(&desired.reference().group, desired.kind());
        let shape = known.map_or_else(kinds::custom_shape, |kind| kind.shape);
        let asked = FieldSet::of_map(desired.as_map(), shape).without_identity();

        let demand = self.demand();
        let exactness = match demand {
            Demand::Same => Exactness::Subset,
            Demand::Other => Exactness::Whole,
        };
        let mut found = differences(&desired, live, shape, exactness, self);
        found.extend(removals(&asked, live, &ownership));
        let mut claims = claims(&asked, &desired, live, &ownership);

        if let Some(field) = fixed::fixed_field(&desired, live, &found) {
            return self.replacement(live, &ownership, &found, &field);
        }
        let renamed = renamed(&desired, live, shape, exactness, self);
        found.retain(|difference| !renamed.iter().any(|renamed| renamed.tells(&difference.path)));
        // Until it is ours, all that a server could say of a renamed item is that it stands in the way.
        if let Some(answer) = self.dry_runs.of(self.cluster, &desired).filter(|_| renamed.is_empty()) {
            match answer {
                DryRun::Merged(merged) => {
                    found = exact(live, merged, shape);
                    if ownership.ours == Ownership::of(merged).ours {
                        claims.clear();
                    }
                }
                DryRun::Conflict(lines) => return Err(self.conflict(live, lines.clone())),
                DryRun::Refused(failure) => return Err(failure.clone().with_help(MEND_REFUSED)),
                DryRun::NotAllowed | DryRun::NotAsked => {}
            }
        }
        let standing = self.standing(live, &ownership);
        let fields = fields(&desired, &found, &renamed, &ownership);
        let is_written = standing != Standing::Ours || !fields.is_empty() || !claims.is_empty();
        let reworded = if is_written { reworded(&asked, &desired, live, &ownership) } else { Vec::new() };
        let conflicts = self.conflicts(live, &found, &reworded, &ownership)?;
        let conflicts = if renamed.is_empty() { conflicts } else { Conflicts::Force };
        let action = match standing {
            Standing::Strange | Standing::Remade => Action::Adopt,
            Standing::Ours if fields.is_empty() && claims.is_empty() => Action::NoOp,
            Standing::Ours => Action::Update,
        };
        let cause = match standing {
            Standing::Remade => Cause::Drift(None),
            Standing::Strange => Cause::Topology,
            Standing::Ours if action == Action::NoOp => Cause::Topology,
            Standing::Ours => cause(demand, &fields, &claims, &ownership),
        };
        let note = match standing {
            Standing::Remade => Some("was deleted and made anew by others since the last apply".to_owned()),
            Standing::Ours if fields.is_empty() => claim_note(&claims, &ownership),
            Standing::Strange if is_our_making(self.desired, live) => {
                Some("was made by an apply of ours whose record is gone".to_owned())
            }
            Standing::Ours | Standing::Strange => None,
        };
        // Later on, whoever else holds a field of ours set it to something else, and an apply takes it whole.
        let is_first = standing != Standing::Ours || ownership.ours.is_none();
        let migrated = if is_first { migrations(&desired, live) } else { Vec::new() };
        let origin = match standing {
            Standing::Ours => self.recorded.map_or(Origin::Adopted, |recorded| recorded.origin),
            Standing::Strange if is_our_making(self.desired, live) => Origin::Created,
            Standing::Strange | Standing::Remade => Origin::Adopted,
        };
        Ok(Change {
            object: desired.reference(),
            action,
            cause,
            fields,
            note,
            uid: live.uid().map(str::to_owned),
            origin,
            desired: Some(desired),
            digest: Some(self.digest.to_owned()),
            conflicts,
            renamed: renamed.into_iter().map(|renamed| renamed.item).collect(),
            migrated,
        })
    }

    /// Whether the last apply asked for the same.
    fn demand(&self) -> Demand {
        match self.recorded {
            Some(recorded) if recorded.digest == self.digest => Demand::Same,
            Some(_) | None => Demand::Other,
        }
    }

    /// Whose object a live one is.
    fn standing(&self, live: &Object, ownership: &Ownership) -> Standing {
        let Some(recorded) = self.recorded else { return Standing::Strange };
        let is_the_same = recorded.uid.as_deref() == live.uid();
        match ownership.ours {
            Some(_) => Standing::Ours,
            None if is_the_same => Standing::Ours,
            None if recorded.uid.is_none() => Standing::Strange,
            None => Standing::Remade,
        }
    }

    /// A field cannot be changed: the object is made anew if it is ours, and refused otherwise.
    fn replacement(
        &self,
        live: &Object,
        ownership: &Ownership,
        found: &[Difference],
        field: &str,
    ) -> Result<Change, Failure> {
        let desired = settled(self.desired, None);
        if self.standing(live, ownership) != Standing::Ours || ownership.ours.is_none() {
            let message =
                format!("{}: {} is not ours and differs in {field}", self.cluster, live.reference());
            return Err(Failure::new(&codes::ADOPTION_NEEDS_DELETE, message)
                .with_fact("Kubernetes never changes this field, so the object would have to be deleted")
                .with_help("delete or rename it yourself, then plan again"));
        }
        let fields: Vec<FieldChange> =
            found.iter().map(|difference| shown::field_change(&desired, difference, ownership)).collect();
        Ok(Change {
            object: desired.reference(),
            action: Action::Replace,
            cause: cause(self.demand(), &fields, &[], ownership),
            fields,
            note: Some(format!("{field} cannot be changed")),
            uid: live.uid().map(str::to_owned),
            origin: Origin::Created,
            desired: Some(desired),
            digest: Some(self.digest.to_owned()),
            conflicts: Conflicts::Refuse,
            renamed: Vec::new(),
            migrated: Vec::new(),
        })
    }

    /// Whether fields have to be taken from their managers; refused where those are tools that apply.
    fn conflicts(
        &self,
        live: &Object,
        found: &[Difference],
        reworded: &[FieldPath],
        ownership: &Ownership,
    ) -> Result<Conflicts, Failure> {
        if self.conflicts == Conflicts::Force {
            return Ok(Conflicts::Force);
        }
        // A field of ours that goes is let go of, not taken.
        let changed = found.iter().filter(|difference| difference.after.is_some());
        let changed: BTreeSet<&FieldPath> =
            changed.map(|difference| &difference.path).chain(reworded).collect();
        let lines: Vec<String> = changed
            .iter()
            .filter_map(|path| {
                let manager = ownership.is_applied_by_others(path)?;
                Some(format!("{path} is applied by {manager}"))
            })
            .collect();
        if !lines.is_empty() {
            return Err(self.conflict(live, lines));
        }
        let takes = changed.iter().any(|path| ownership.is_others(path));
        Ok(if takes { Conflicts::Force } else { Conflicts::Refuse })
    }

    fn conflict(&self, live: &Object, lines: Vec<String>) -> Failure {
        let message = format!("{}: {} has fields of another tool", self.cluster, live.reference());
        let failure = Failure::new(&codes::FIELD_CONFLICT, message);
        lines.into_iter().fold(failure, Failure::with_fact).with_help(
            "take the object out of the other tool, or run the command again with --force-conflicts",
        )
    }
}

/// Whether a path lies in what a Secret holds in base64.
fn is_data(path: &FieldPath) -> bool {
    matches!(path.0.first(), Some(PathElement::Field(name)) if name == "data")
}

/// What a value in base64 says; none where it is no text.
fn data_text(value: &Value) -> Option<String> {
    let bytes = STANDARD.decode(value.as_str()?).ok()?;
    String::from_utf8(bytes).ok()
}

/// What any other value says; none where it is no text.
fn plain_text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// What is asked for, beside what the last apply asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    /// It is the same, holes aside.
    Same,
    /// It is something else, or nothing was asked for.
    Other,
}

/// Whose object a live one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Ours: recorded, and applied by us or still the one that we recorded.
    Ours,
    /// Nobody recorded it: it was there before.
    Strange,
    /// Ours was deleted, and this one has its name.
    Remade,
}

impl Open for Comparison<'_> {
    fn agrees(&self, path: &FieldPath, desired: &str, live: &Value) -> bool {
        let holes = markers_in(desired);
        let is_unread = |hole: &Hole| match hole {
            Hole::Observed { unit, .. } => self.unread.contains(&unit.cluster),
            Hole::Minted { cluster, .. } | Hole::Context { cluster } => self.unread.contains(cluster),
        };
        if holes.is_empty() || !holes.iter().all(is_unread) {
            return false;
        }
        let is_encoded = self.desired.kind() == "Secret" && is_data(path);
        let live = if is_encoded { data_text(live) } else { plain_text(live) };
        live.is_some_and(|live| fits(desired, &live))
    }
}

/// Fields that we applied and no longer ask for, as far as they are still there and nobody else's.
fn removals(asked: &FieldSet, live: &Object, ownership: &Ownership) -> Vec<Difference> {
    let Some(ours) = &ownership.ours else { return Vec::new() };
    let gone: BTreeSet<FieldPath> = leaves(ours)
        .into_iter()
        .filter(|path| !covers(asked, path) && !ownership.is_others(path))
        .map(|path| outermost_missing(asked, &path))
        .collect();
    gone.into_iter()
        .filter_map(|path| {
            let before = value_at(live, &path)?.clone();
            Some(Difference { path, before: Some(before), after: None })
        })
        .collect()
}

/// Fields that are as asked for, though somebody else holds them.
fn claims(asked: &FieldSet, desired: &Object, live: &Object, ownership: &Ownership) -> Vec<FieldPath> {
    let holds_something = |path: &FieldPath| {
        value_at(desired, path).is_some_and(|value| !is_nothing(value)) && value_at(live, path).is_some()
    };
    leaves(asked).into_iter().filter(|path| !ownership.is_ours(path) && holds_something(path)).collect()
}

/// Fields that others hold and that mean what is asked for in other words: `2Gi` for `2048Mi`, or with a
/// default that the server added. It compares by the letter, so to it they are conflicts.
fn reworded(asked: &FieldSet, desired: &Object, live: &Object, ownership: &Ownership) -> Vec<FieldPath> {
    let is_reworded = |path: &FieldPath| {
        let (Some(desired), Some(live)) = (value_at(desired, path), value_at(live, path)) else {
            return false;
        };
        desired != live && !is_nothing(desired) && markers_in(&desired.to_string()).is_empty()
    };
    let leaves = leaves(asked).into_iter();
    leaves.filter(|path| ownership.is_others(path) && is_reworded(path)).collect()
}

/// What a write would change, from the object as the server says it would become.
fn exact(live: &Object, merged: &Object, shape: &'static Shape) -> Vec<Difference> {
    struct Closed;
    impl Open for Closed {
        fn agrees(&self, _: &FieldPath, _: &str, _: &Value) -> bool {
            false
        }
    }
    let (live, merged) = (meaning(live), meaning(merged));
    let mut found = differences(&merged, &live, shape, Exactness::Whole, &Closed);
    let back = differences(&live, &merged, shape, Exactness::Whole, &Closed);
    // What differs on both sides is there already; what only the live object has goes.
    found.extend(
        back.into_iter().filter(|difference| difference.before.is_none()).map(|difference| Difference {
            path: difference.path,
            before: difference.after,
            after: None,
        }),
    );
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// An object without what every write changes.
fn meaning(object: &Object) -> Object {
    let mut object = object.clone();
    object.as_map_mut().remove("status");
    if let Some(Value::Object(metadata)) = object.as_map_mut().get_mut("metadata") {
        for name in ["managedFields", "resourceVersion", "generation", "uid", "selfLink"] {
            metadata.remove(name);
        }
    }
    object
}

/// What a plan shows, in the order of the paths: fields that differ, and items under other keys.
fn fields(
    desired: &Object,
    found: &[Difference],
    renamed: &[Renamed],
    ownership: &Ownership,
) -> Vec<FieldChange> {
    let plain = found.iter().map(|difference| (difference, None));
    let of_items = renamed
        .iter()
        .flat_map(|renamed| renamed.differences.iter().map(move |difference| (difference, Some(renamed))));
    let mut all: Vec<(&Difference, Option<&Renamed>)> = plain.chain(of_items).collect();
    all.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    let shown = all.into_iter().map(|(difference, renamed)| {
        let change = shown::field_change(desired, difference, ownership);
        match renamed {
            Some(renamed) => FieldChange { by: ownership.author(&renamed.item), ..change },
            None => change,
        }
    });
    shown.collect()
}

/// Why an object of ours differs.
fn cause(demand: Demand, fields: &[FieldChange], claims: &[FieldPath], ownership: &Ownership) -> Cause {
    if demand == Demand::Other {
        return Cause::Topology;
    }
    let author = || -> Option<Author> {
        let of_fields = fields.iter().find_map(|field| field.by.clone());
        of_fields.or_else(|| claims.iter().find_map(|path| ownership.author(path)))
    };
    // A field that we still hold has the value that we gave it: it is what we take from others that changed.
    let is_drift = |field: &FieldChange| field.by.is_some() || field.before.is_none();
    if fields.iter().any(is_drift) || fields.is_empty() {
        return Cause::Drift(author());
    }
    Cause::Value
}

fn claim_note(claims: &[FieldPath], ownership: &Ownership) -> Option<String> {
    let holders: BTreeSet<String> =
        claims.iter().filter_map(|path| ownership.author(path)).map(|author| author.manager).collect();
    let fields = counted(claims.len(), "field", "fields");
    match (claims.is_empty(), holders.is_empty()) {
        (true, _) => None,
        (false, true) => Some(format!("takes over {fields} that nobody holds")),
        (false, false) => {
            Some(format!("takes over {fields} from {}", listed(holders.iter().map(String::as_str))))
        }
    }
}

#[cfg(test)]
mod tests;
