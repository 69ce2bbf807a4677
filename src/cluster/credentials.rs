//! Whose credentials a context has, and how they are had anew.
//!
//! A [`Source`] enters that `client` took out of a kubeconfig; [`Renewed`] ones leave. Nothing of them
//! is ever quoted: messages name the user, the context and the plugin.

use std::path::PathBuf;
use std::time::Duration;

use super::plugin::{Given, Plugin};
use super::transport::{Limits, TransportError};
use crate::object::Sensitive;

/// How long a token that was read from a file is used until the file is read again, as kubectl does.
pub(super) const TOKEN_FILE: Duration = Duration::from_secs(60);
/// How long before its end a credential is no longer used.
pub(super) const MARGIN: Duration = Duration::from_secs(10);

/// Who a context's user is, and how its credentials are had.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) context: String,
    pub(super) cluster: String,
    pub(super) user: String,
    pub(super) kind: SourceKind,
}

/// How credentials are had.
#[derive(Clone)]
pub(super) enum SourceKind {
    /// They stand in the kubeconfig, or in files that are read once.
    Fixed,
    /// A token, read again and again.
    TokenFile(PathBuf),
    /// A program prints them.
    Plugin(Box<Plugin>),
}

impl Source {
    /// Whose credentials they are.
    fn whose(&self) -> String {
        match self.user.as_str() {
            "" => format!("context `{}`, which names no user", self.context),
            user => format!("user `{user}` of context `{}`", self.context),
        }
    }

    /// Whose credentials they are and how they are had.
    pub(super) fn words(&self) -> String {
        let whose = self.whose();
        match &self.kind {
            SourceKind::Fixed => whose,
            SourceKind::TokenFile(file) => format!("{whose}, with a token from {}", file.display()),
            SourceKind::Plugin(plugin) => format!("{whose}, by the credential plugin `{}`", plugin.name()),
        }
    }

    /// Gets credentials anew.
    pub(super) async fn renew(&self, limits: Limits) -> Result<Renewed, TransportError> {
        let fault = |reason: String| TransportError::Credentials(format!("{reason} ({})", self.whose()));
        match &self.kind {
            SourceKind::Fixed => Ok(Renewed::Same),
            SourceKind::TokenFile(file) => Ok(match std::fs::read_to_string(file) {
                Ok(token) => Renewed::Token(Sensitive::new(token.trim())),
                Err(error) => {
                    let file = file.display();
                    Renewed::Unread(fault(format!("the token file {file} cannot be read: {}", error.kind())))
                }
            }),
            SourceKind::Plugin(plugin) => {
                let plugin = plugin.clone();
                let ran = tokio::task::spawn_blocking(move || plugin.run(limits.plugin)).await;
                let given = ran.map_err(|_| fault("the credential plugin could not be run".to_owned()))?;
                given.map(Renewed::Given).map_err(fault)
            }
        }
    }
}

/// What came of getting credentials anew.
pub(super) enum Renewed {
    /// There are no others than those that stand in the kubeconfig.
    Same,
    /// What the token's file holds now.
    Token(Sensitive),
    /// The token's file could not be read: another token has to do, if there is one.
    Unread(TransportError),
    /// What a plugin gave, in the place of all others.
    Given(Given),
}
