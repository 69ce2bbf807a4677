//! Colours for what they help to find; without them nothing is lost.

use crate::plan::{Action, Cause, Change};
use crate::view::diagnostics::{Colours, Look};

/// What a line is about, as a sign and a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    /// Nothing is sent: it is waited for.
    Wait,
    /// Only new objects.
    Create,
    /// Objects of others become ours.
    Adopt,
    /// Objects lose our fields and stay.
    Release,
    /// Objects stay as they are.
    Keep,
    /// Objects change.
    Update,
    /// Live differs though the topology did not change.
    Drift,
    /// Objects are made anew.
    Replace,
    /// Objects go.
    Delete,
}

impl Sign {
    /// The sign of one change.
    pub(super) fn of(change: &Change) -> Self {
        match (&change.cause, change.action) {
            (_, Action::Delete) => Self::Delete,
            (_, Action::Replace) => Self::Replace,
            (_, Action::Release | Action::HandOver) => Self::Release,
            (_, Action::Keep) => Self::Keep,
            (_, Action::NoOp) => Self::Wait,
            (Cause::Drift(_), Action::Create | Action::Adopt | Action::Update) => Self::Drift,
            (Cause::Topology | Cause::Value, Action::Create) => Self::Create,
            (Cause::Topology | Cause::Value, Action::Adopt) => Self::Adopt,
            (Cause::Topology | Cause::Value, Action::Update) => Self::Update,
        }
    }

    /// The sign of several: their own if they agree, else that of a change.
    pub(super) fn of_all<'c>(changes: impl Iterator<Item = &'c Change>) -> Self {
        let mut signs: Vec<Self> = changes.map(Self::of).collect();
        signs.sort();
        signs.dedup();
        match signs.as_slice() {
            [] => Self::Wait,
            [only] => *only,
            [_, ..] => Self::Update,
        }
    }

    /// One character.
    pub(super) fn character(self) -> char {
        match self {
            Self::Wait => '.',
            Self::Create => '+',
            Self::Adopt => '>',
            Self::Release => '<',
            Self::Keep => '=',
            Self::Update => '~',
            Self::Drift => '!',
            Self::Replace => '*',
            Self::Delete => '-',
        }
    }

    /// What the sign means, for those that are in a plan.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Wait => "waits",
            Self::Create => "create",
            Self::Adopt => "adopt",
            Self::Release => "release",
            Self::Keep => "keep",
            Self::Update => "change",
            Self::Drift => "set right what others changed",
            Self::Replace => "delete and make anew",
            Self::Delete => "delete",
        }
    }

    fn colour(self) -> u8 {
        match self {
            Self::Wait | Self::Keep => 2,
            Self::Create => 32,
            Self::Adopt | Self::Release => 36,
            Self::Update => 33,
            Self::Drift => 35,
            Self::Replace | Self::Delete => 31,
        }
    }
}

/// A text in the colour of a sign.
pub(super) fn painted(text: &str, sign: Sign, look: Look) -> String {
    match look.colours {
        Colours::Off => text.to_owned(),
        Colours::On => format!("\u{1b}[{}m{text}\u{1b}[0m", sign.colour()),
    }
}

/// A text that stands out.
pub(super) fn strong(text: &str, look: Look) -> String {
    match look.colours {
        Colours::Off => text.to_owned(),
        Colours::On => format!("\u{1b}[1m{text}\u{1b}[0m"),
    }
}
