//! What is asked of API servers: the one table of requests and the RBAC verbs that they take.
//!
//! Every request that [`Cluster`](super::Cluster) sends is of one of these, and `rbac` prints what they take:
//! so what is sent and what is printed cannot part.

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Request {
    /// One object by its name.
    Read,
    /// Objects of a kind: all of them, by a label, or one by its name.
    List,
    /// Changes of what a list gave.
    Watch,
    /// A server-side apply, as a dry run too. The object may be new.
    Apply,
    /// A plain create, which fails where the object is there.
    Create,
    /// A patch of an object that was read: its managers are taken over or given up.
    TakeOver,
    /// A patch of an object that is there.
    Change,
    /// A delete.
    Delete,
    /// A connection to a port of a pod, whose right is that to the part `portforward` of it.
    Forward,
    /// What everybody who is known may read: versions, and which kinds there are.
    Discover,
}

impl Request {
    /// The RBAC verbs that an API server asks for, all of them.
    ///
    /// A server-side apply of what is not there asks for `create` too, of the very name
    /// (`apiserver/pkg/endpoints/handlers/patch.go`, 1.35), so that both can be granted by name.
    /// A list or watch with the field selector `metadata.name=X` counts as one of the name X
    /// (`endpoints/request/requestinfo.go`). Discovery is every authenticated account's
    /// (ClusterRole `system:discovery`).
    pub fn verbs(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["get"],
            Self::List => &["list"],
            Self::Watch => &["watch"],
            Self::Apply => &["create", "patch"],
            Self::Create => &["create"],
            Self::TakeOver | Self::Change => &["patch"],
            Self::Delete => &["delete"],
            // A WebSocket begins with a GET; from 1.35 on it takes the right to a create as well
            // (`AuthorizePodWebsocketUpgradeCreatePermission`, pkg/registry/core/pod/rest/subresources.go).
            Self::Forward => &["get", "create"],
            Self::Discover => &[],
        }
    }

    /// Whether a right to it can be granted by name. A create names its object in the body alone, which no
    /// authorizer sees.
    pub fn is_named(self) -> bool {
        match self {
            Self::Create => false,
            // Pods get their names as they are made.
            Self::Forward => false,
            Self::Read
            | Self::List
            | Self::Watch
            | Self::Apply
            | Self::TakeOver
            | Self::Change
            | Self::Delete
            | Self::Discover => true,
        }
    }

    /// The rights in words, for where a server does not say which of them is missing.
    pub(super) fn takes(self) -> String {
        let verbs = self.verbs().join(", ");
        match self {
            Self::Forward => format!("takes the rights {verbs} to pods/portforward"),
            Self::Apply => format!("takes the rights {verbs}"),
            Self::Read
            | Self::List
            | Self::Watch
            | Self::Create
            | Self::TakeOver
            | Self::Change
            | Self::Delete => format!("takes the right {verbs}"),
            Self::Discover => "takes no more than to be known".to_owned(),
        }
    }

    /// Whether it carries an object, which a server may quote where it refuses it.
    pub(super) fn carries_object(self) -> bool {
        match self {
            Self::Apply | Self::Create | Self::Change => true,
            Self::Read
            | Self::List
            | Self::Watch
            | Self::TakeOver
            | Self::Delete
            | Self::Forward
            | Self::Discover => false,
        }
    }

    /// The request in words, as errors begin: `apply`.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Read | Self::Discover => "read",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Apply => "apply",
            Self::Create => "create",
            Self::TakeOver => "take over fields of",
            Self::Change => "change",
            Self::Delete => "delete",
            Self::Forward => "ask",
        }
    }
}
