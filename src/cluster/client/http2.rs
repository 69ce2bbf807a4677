//! One connection for all requests to an API server, where it speaks HTTP/2.
//!
//! kube's own client speaks HTTP/1.1, which takes a connection, and with it a TLS handshake, for each request
//! that is under way beside another: those of a plan cost the server more than its answers. Through a proxy,
//! and without TLS, kube's own client is used. A server that does not offer HTTP/2 is spoken HTTP/1.1 with.

use std::time::Duration;

use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ClientBuilder, ConfigExt, RustlsTlsError};
use tower::{BoxError, ServiceExt};

/// How long a connection with requests under way may be still until it is asked whether it lives, and how
/// long it has to say so. Together no longer than a read may take, so that the next attempt finds another.
const STILL: Duration = Duration::from_secs(5);

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    /// HTTP/2 where it is offered, one connection for all.
    Shared,
    /// HTTP/1.1 alone: a connection may be upgraded, and is then no other's.
    Http1,
}

/// A client with the credentials of a config.
///
/// kube's own would wait with a small packet until the one before it was acknowledged, for 40 ms where the other side
/// delays that (RFC 1122, section 4.2.3.2): `nodelay` is off there.
pub(super) fn client(config: &kube::Config, speech: Speech) -> Result<kube::Client, kube::Error> {
    if config.proxy_url.is_some() || config.cluster_url.scheme_str() != Some("https") {
        return kube::Client::try_from(config.clone());
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let mut tls = HttpsConnectorBuilder::new().with_tls_config(config.rustls_client_config()?).https_only();
    if let Some(name) = &config.tls_server_name {
        let name = name.clone().try_into();
        let name = name.map_err(|error| kube::Error::RustlsTls(RustlsTlsError::InvalidServerName(error)))?;
        tls = tls.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let tls = match speech {
        Speech::Shared => tls.enable_all_versions().wrap_connector(tcp),
        Speech::Http1 => tls.enable_http1().wrap_connector(tcp),
    };
    let mut connector = TimeoutConnector::new(tls);
    connector.set_connect_timeout(config.connect_timeout);
    let client: Client<_, Body> = Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(STILL)
        .http2_keep_alive_timeout(STILL)
        .build(connector);
    let service = ClientBuilder::new(client.map_err(BoxError::from), config.default_namespace.clone())
        .with_layer(&config.base_uri_layer())
        .with_layer(&config.extra_headers_layer()?);
    Ok(match config.auth_layer()? {
        Some(credentials) => service.with_layer(&credentials).build(),
        None => service.build(),
    })
}
