//! A client with credentials, renewed when they end or are refused.

use std::sync::Arc;

use jiff::Timestamp;
use kube::config::AuthInfo;
use tokio::sync::{Mutex, Semaphore};

use super::contexts::take_in;
use super::fault::fault_of;
use super::http2::{self, Speech};
use crate::cluster::credentials::{MARGIN, Source, SourceKind};
use crate::cluster::transport::{Limits, TransportError};

/// What a server answers that does not know us.
pub(super) const UNAUTHORIZED: u16 = 401;

/// How many watches share the connection of the requests. A server takes about a hundred streams on one,
/// and requests must not wait for watches to end.
const WATCHES: usize = 50;

/// The way into one API server.
pub(super) struct Access {
    config: kube::Config,
    pub(super) source: Option<Source>,
    /// The watches that may share the connection of the requests still.
    pub(super) watches: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    client: Option<kube::Client>,
    /// The credentials of the client.
    info: AuthInfo,
    /// When they end.
    expires: Option<Timestamp>,
    /// How often they were got.
    turn: u64,
    /// Whether the server refused them when they were new: others would be no better.
    is_refused: bool,
}

/// A client, and which credentials it has.
pub(super) struct Admitted {
    pub(super) client: kube::Client,
    /// How often credentials had been got by then.
    pub(super) turn: u64,
}

impl Access {
    /// Checks at once what is fixed; a plugin runs when the first request needs it.
    pub(super) fn new(config: kube::Config, source: Option<Source>) -> Result<Self, TransportError> {
        let mut state = State { info: config.auth_info.clone(), ..State::default() };
        if source.as_ref().is_none_or(|source| matches!(source.kind, SourceKind::Fixed)) {
            state.client = Some(http2::client(&config, Speech::Shared).map_err(|error| fault_of(&error))?);
        }
        let watches = Arc::new(Semaphore::new(WATCHES));
        Ok(Self { config, source, watches, state: Mutex::new(state) })
    }

    /// A client whose credentials have not ended.
    pub(super) async fn client(&self, limits: Limits) -> Result<Admitted, TransportError> {
        let mut state = self.state.lock().await;
        self.current(&mut state, limits).await
    }

    /// The same with connections of its own, which speak HTTP/1.1: for what is no request and answer.
    pub(super) async fn alone(&self, limits: Limits) -> Result<kube::Client, TransportError> {
        let mut state = self.state.lock().await;
        self.current(&mut state, limits).await?;
        http2::client(&self.config_with(&state), Speech::Http1).map_err(|error| fault_of(&error))
    }

    /// A client with credentials of a later turn than those that the server refused; none where others
    /// cannot be had or were refused as well.
    pub(super) async fn another(
        &self,
        refused: u64,
        limits: Limits,
    ) -> Result<Option<Admitted>, TransportError> {
        let can_renew = self.source.as_ref().is_some_and(|source| !matches!(source.kind, SourceKind::Fixed));
        let mut state = self.state.lock().await;
        match &state.client {
            Some(client) if state.turn > refused => {
                Ok(Some(Admitted { client: client.clone(), turn: state.turn }))
            }
            Some(_) | None if !can_renew || state.is_refused => Ok(None),
            Some(_) | None => self.renewed(&mut state, limits).await.map(Some),
        }
    }

    /// Notes what a server said to new credentials.
    pub(super) async fn note(&self, status: u16, turn: u64) {
        let mut state = self.state.lock().await;
        if state.turn == turn {
            state.is_refused = status == UNAUTHORIZED;
        }
    }

    async fn current(&self, state: &mut State, limits: Limits) -> Result<Admitted, TransportError> {
        let has_ended = state.expires.is_some_and(|end| Timestamp::now() + MARGIN >= end);
        match &state.client {
            Some(client) if !has_ended => Ok(Admitted { client: client.clone(), turn: state.turn }),
            Some(_) | None => self.renewed(state, limits).await,
        }
    }

    async fn renewed(&self, state: &mut State, limits: Limits) -> Result<Admitted, TransportError> {
        if let Some(source) = &self.source {
            state.expires = take_in(&mut state.info, source.renew(limits).await?)?;
        }
        let client =
            http2::client(&self.config_with(state), Speech::Shared).map_err(|error| fault_of(&error))?;
        state.client = Some(client.clone());
        state.turn += 1;
        Ok(Admitted { client, turn: state.turn })
    }

    fn config_with(&self, state: &State) -> kube::Config {
        let mut config = self.config.clone();
        config.auth_info = state.info.clone();
        config
    }
}
