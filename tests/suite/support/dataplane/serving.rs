//! What an API server finds at istiod's webhook port: its certificate, and its answers to AdmissionReviews.
//!
//! The certificate is issued as istiod issues its own, with the key of the
//! bundle in its namespace, so that an API server trusts it only where the
//! webhook's `caBundle` is that bundle's root.

use std::convert::Infallible;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, Issuer, KeyPair};
use serde_json::{Value, json};
use stolos::object::Object;
use stolos::sandbox::controllers::{Controlled, Webhook};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, version};
use tokio_rustls::server::TlsStream;

/// TLS as an istiod speaks it; why it cannot, as the caller sees it.
pub(super) fn acceptor(home: &dyn Controlled, webhook: &Webhook) -> Result<TlsAcceptor, String> {
    let refused = || "connection refused".to_owned();
    let (certificate, chain, key) = bundle(home, webhook.namespace()).ok_or_else(refused)?;
    let ca_key = KeyPair::from_pem(&key).map_err(|_| refused())?;
    let issuer = Issuer::from_ca_cert_pem(&certificate, ca_key).map_err(|_| refused())?;
    let own_key = KeyPair::generate().expect("P-256 keys can always be made");
    let name = format!("istiod.{}.svc", webhook.namespace());
    let leaf = CertificateParams::new([name]).expect("a name").signed_by(&own_key, &issuer);
    let mut shown = vec![leaf.expect("a certificate").der().clone()];
    for pem in [&certificate, &chain] {
        shown.extend(CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok));
    }
    let key = PrivateKeyDer::try_from(own_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(shown, key)
        .expect("a key and its certificate");
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Certificate, chain and key with which an istiod signs.
fn bundle(home: &dyn Controlled, namespace: &str) -> Option<(String, String, String)> {
    let secret = ["cacerts", "istio-ca-secret"]
        .into_iter()
        .find_map(|name| home.find("", "Secret", Some(namespace), name))?;
    let text = |key: &str| -> Option<String> {
        let bytes = STANDARD.decode(secret.text(&["data", key])?).ok()?;
        String::from_utf8(bytes).ok()
    };
    Some((text("ca-cert.pem")?, text("cert-chain.pem").unwrap_or_default(), text("ca-key.pem")?))
}

/// Answers one call, and tells its path as soon as it has come.
pub(super) async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: TlsStream<S>,
    webhook: Webhook,
    heard: impl Fn(&str),
) -> Option<()> {
    let webhook = Arc::new(webhook);
    let service = service_fn(move |request: Request<Incoming>| {
        heard(request.uri().path());
        let webhook = Arc::clone(&webhook);
        async move { Ok::<_, Infallible>(reply(request, &webhook).await) }
    });
    // The next call may lead elsewhere.
    http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await.ok()
}

async fn reply(request: Request<Incoming>, webhook: &Webhook) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let reviewed = match request.into_body().collect().await {
        Ok(body) => serde_json::from_slice(&body.to_bytes()).ok().and_then(|r| review(&path, &r, webhook)),
        Err(_) => None,
    };
    let (status, body) = match reviewed {
        Some(body) => (StatusCode::OK, body),
        None => (StatusCode::NOT_FOUND, Value::Null),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", "application/json".parse().expect("a header"));
    response
}

/// What istiod says to a review; none for a path that it does not have.
fn review(path: &str, review: &Value, webhook: &Webhook) -> Option<Value> {
    let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
    if !path.starts_with("/validate") {
        let pod = Object::from_value(named(&review["request"])).ok()?;
        let injected = webhook.inject(path, &pod)?;
        let part = |pointer: &str| injected.as_value().pointer(pointer).cloned().unwrap_or_default();
        let patch = json!([
            {"op": "add", "path": "/metadata/annotations", "value": part("/metadata/annotations")},
            {"op": "replace", "path": "/spec", "value": part("/spec")},
        ]);
        response["patchType"] = "JSONPatch".into();
        response["patch"] = STANDARD.encode(patch.to_string()).into();
    }
    Some(json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response,
    }))
}

/// The Pod of a request, with a name: a Pod of a ReplicaSet has none yet.
fn named(request: &Value) -> Value {
    let mut pod = request["object"].clone();
    if let Some(metadata) = pod["metadata"].as_object_mut() {
        metadata.entry("name").or_insert_with(|| "unnamed".into());
    }
    pod
}
