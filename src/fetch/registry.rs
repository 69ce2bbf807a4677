//! An OCI registry: a chart is a repository, a version a tag.
//!
//! What is asked and what the answers mean is OCI's distribution specification v1.1; how a registry is told who
//! asks is the token authentication of CNCF's distribution; what a chart looks like in it is Helm's HIP-6.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_auth::{ChallengeRef, parse_challenges};
use reqwest::Url;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::client::{Answer, Ask, Client};
use super::credentials::{Login, Secret, basic, sensitive};
use super::error::FetchError;
use super::{MOST_ARCHIVE, Terms};
use crate::chart::lock::ArchiveDigest;
use crate::object::Sensitive;
use crate::topology::{ChartName, RegistryUrl, is_loopback};

/// The most bytes of a manifest: what the specification has registries take.
const MOST_MANIFEST: usize = 4 << 20;
/// The most bytes of the answer to a request for a token.
const MOST_TOKEN: usize = 1 << 20;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
/// The archive of a chart: as it is, and as it was before Helm 3.7.
const ARCHIVES: [&str; 2] = ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"];

/// What says which bytes somebody sent.
const DIGEST: &str = "docker-content-digest";

/// A registry. Cheap to clone.
#[derive(Clone)]
pub(super) struct Registry {
    client: Client,
    url: RegistryUrl,
    /// The scheme and the host of its API.
    api: String,
    terms: Terms,
    /// Asked for at the first 401, since a helper may have to run.
    login: Arc<Mutex<Option<Option<Login>>>>,
}

/// A manifest, as far as a chart has one.
#[derive(Debug, Deserialize)]
struct Manifest {
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    manifests: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

/// The answer to a request for a token; registries call it either way.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// What a registry wants before it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Registry {
    pub(super) fn new(url: &RegistryUrl, terms: &Terms) -> Result<Self, FetchError> {
        let host = match url.host() {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            host => host,
        };
        // Docker and Helm speak to a registry on this machine without TLS; an authority is for TLS.
        let scheme = if url.is_loopback() && terms.ca.is_none() { "http" } else { "https" };
        Ok(Self {
            client: Client::new(&url.to_string(), terms)?,
            url: url.clone(),
            api: format!("{scheme}://{host}"),
            terms: terms.clone(),
            login: Arc::default(),
        })
    }

    /// The archive of a chart.
    pub(super) async fn archive(&self, chart: ChartName, version: &str) -> Result<Vec<u8>, FetchError> {
        let repository = self.url.repository(chart);
        // A tag has no `+`: Helm writes `_` for it (pkg/registry/client.go).
        let tag = version.replace('+', "_");
        let url = format!("{}/v2/{repository}/manifests/{tag}", self.api);
        let ask = Ask::get(&url, MOST_MANIFEST).with(header::ACCEPT, HeaderValue::from_static(MANIFEST));
        let mut authorization = None;
        let answer = self.ask(ask, &repository, &mut authorization).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Err(FetchError::NotPublished {
                origin: self.url.to_string(),
                chart: chart.as_str(),
                version: version.to_owned(),
                there: None,
            });
        }
        let announced = answer.headers.get(DIGEST).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let manifest = answer.success(&url)?;
        let broken = |url: &str, reason: String| FetchError::Broken { url: url.to_owned(), reason };
        if let Some(announced) = announced {
            same(&manifest, &announced).map_err(|reason| broken(&url, reason))?;
        }
        let layer = layer_of(&manifest).map_err(|reason| broken(&url, reason))?;
        let blob = format!("{}/v2/{repository}/blobs/{}", self.api, layer.digest);
        let archive =
            self.ask(Ask::get(&blob, MOST_ARCHIVE), &repository, &mut authorization).await?.success(&blob)?;
        same(&archive, &layer.digest).map_err(|reason| broken(&blob, reason))?;
        Ok(archive)
    }

    /// Asks, and says who asks where the registry wants to know it.
    async fn ask(
        &self,
        ask: Ask,
        repository: &str,
        authorization: &mut Option<HeaderValue>,
    ) -> Result<Answer, FetchError> {
        let with = |authorization: &Option<HeaderValue>| match authorization {
            Some(value) => ask.clone().with(header::AUTHORIZATION, value.clone()),
            None => ask.clone(),
        };
        let answer = self.client.send(&with(authorization)).await?;
        if answer.status != StatusCode::UNAUTHORIZED || authorization.is_some() {
            return self.admitted(answer, &ask.url, None);
        }
        let login = self.login().await?;
        let challenge = challenge_of(&answer.headers);
        *authorization = match (challenge, &login) {
            (Some(Challenge::Bearer { realm, service, scope }), login) => {
                let scope = scope.unwrap_or_else(|| format!("repository:{repository}:pull"));
                Some(self.token(&realm, service.as_deref(), &scope, login.as_ref()).await?)
            }
            (Some(Challenge::Basic), Some(Login { secret: Secret::Password { user, password }, .. })) => {
                Some(basic(user, password))
            }
            (Some(Challenge::Basic), Some(Login { secret: Secret::Refresh(_), .. }) | None) | (None, _) => {
                None
            }
        };
        if authorization.is_none() {
            return self.admitted(answer, &ask.url, login.as_ref());
        }
        let answer = self.client.send(&with(authorization)).await?;
        self.admitted(answer, &ask.url, login.as_ref())
    }

    /// The answer, unless it is that we may not have one.
    fn admitted(&self, answer: Answer, url: &str, login: Option<&Login>) -> Result<Answer, FetchError> {
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(self.denied(url, answer.status.as_u16(), login))
            }
            _ => Ok(answer),
        }
    }

    fn denied(&self, url: &str, status: u16, login: Option<&Login>) -> FetchError {
        FetchError::Denied {
            url: url.to_owned(),
            status,
            credentials: login.map(|login| login.file.clone()),
            host: self.url.host().to_owned(),
            login: "helm registry login",
        }
    }

    async fn login(&self) -> Result<Option<Login>, FetchError> {
        let mut known = self.login.lock().await;
        if let Some(login) = known.as_ref() {
            return Ok(login.clone());
        }
        let (config, host) = (self.terms.config.clone(), self.url.host().to_owned());
        let asked = tokio::task::spawn_blocking(move || config.registry(&host)).await;
        let login = asked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        *known = Some(login.clone());
        Ok(login)
    }

    /// Asks the authority of a registry for a token that lets us read.
    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
        login: Option<&Login>,
    ) -> Result<HeaderValue, FetchError> {
        let broken = |reason: &str| FetchError::Broken { url: realm.to_owned(), reason: reason.to_owned() };
        let mut url = Url::parse(realm)
            .map_err(|_| broken("the registry sends us there for a token, and it is no URL"))?;
        // In the clear only where the registry itself is on this machine, and speaks so.
        let in_the_clear = self.api.starts_with("http://") && url.host_str().is_some_and(is_loopback);
        if url.scheme() != "https" && !in_the_clear {
            return Err(broken("the registry sends us there for a token, and it does not speak TLS"));
        }
        let mut query: Vec<(&str, &str)> = service.into_iter().map(|service| ("service", service)).collect();
        query.push(("scope", scope));
        let ask = match login.map(|login| &login.secret) {
            Some(Secret::Refresh(token)) => {
                query.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", "stolos"),
                    ("refresh_token", token.expose()),
                ]);
                let mut form = url.clone();
                form.query_pairs_mut().clear().extend_pairs(query);
                let form = form.query().unwrap_or_default().to_owned();
                Ask { form: Some(form), ..Ask::get(url, MOST_TOKEN) }
            }
            Some(Secret::Password { user, password }) => {
                url.query_pairs_mut().extend_pairs(query);
                Ask::get(url, MOST_TOKEN).with(header::AUTHORIZATION, basic(user, password))
            }
            None => {
                url.query_pairs_mut().extend_pairs(query);
                Ask::get(url, MOST_TOKEN)
            }
        };
        let answer = self.client.send(&ask).await?;
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST)
        {
            return Err(self.denied(realm, answer.status.as_u16(), login));
        }
        let body = Sensitive::new(String::from_utf8_lossy(&answer.success(realm)?).into_owned());
        // What is wrong where may quote the token: that it is wrong has to do.
        let answer: Token =
            serde_json::from_str(body.expose()).map_err(|_| broken("the answer holds no token"))?;
        let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty());
        token
            .and_then(|token| sensitive(&format!("Bearer {token}")))
            .ok_or_else(|| broken("the answer holds no token"))
    }
}

/// What a registry wants; none where it does not say, or in no way that is known.
fn challenge_of(headers: &HeaderMap) -> Option<Challenge> {
    let said = headers.get_all(header::WWW_AUTHENTICATE).into_iter().filter_map(|value| value.to_str().ok());
    let challenges: Vec<Challenge> = said
        .flat_map(|said| {
            parse_challenges(said).unwrap_or_default().iter().filter_map(known).collect::<Vec<_>>()
        })
        .collect();
    // A token is worth less than a password to whoever finds it.
    let bearer = challenges.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    bearer.or(challenges.first()).cloned()
}

fn known(challenge: &ChallengeRef<'_>) -> Option<Challenge> {
    let param = |wanted: &str| {
        let mut params = challenge.params.iter();
        params.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.to_unescaped())
    };
    if challenge.scheme.eq_ignore_ascii_case("bearer") {
        Some(Challenge::Bearer { realm: param("realm")?, service: param("service"), scope: param("scope") })
    } else {
        challenge.scheme.eq_ignore_ascii_case("basic").then_some(Challenge::Basic)
    }
}

/// The layer with the archive; the error says why the manifest is not of a chart.
fn layer_of(manifest: &[u8]) -> Result<Descriptor, String> {
    let manifest: Manifest = serde_json::from_slice(manifest)
        .map_err(|error| format!("it is no manifest of a registry: {error}"))?;
    if manifest.manifests.is_some() {
        return Err("it is an index of images, not a chart".to_owned());
    }
    match manifest.config {
        Some(config) if config.media_type == CONFIG => {}
        Some(config) => return Err(format!("it is of type {}, not a chart ({CONFIG})", config.media_type)),
        None => return Err("it is no manifest of a chart: it has no config".to_owned()),
    }
    let is_archive = |layer: &&Descriptor| ARCHIVES.contains(&layer.media_type.as_str());
    let layer =
        manifest.layers.iter().find(is_archive).ok_or("it has no layer with the archive of a chart")?;
    if layer.size > MOST_ARCHIVE as u64 {
        return Err(format!("the archive of the chart has {} bytes, more than {MOST_ARCHIVE}", layer.size));
    }
    match layer.digest.strip_prefix("sha256:").and_then(ArchiveDigest::parse) {
        Some(_) => Ok(layer.clone()),
        None => Err(format!("`{}` is no digest by SHA-256", layer.digest)),
    }
}

/// Whether bytes have the digest that was announced.
fn same(bytes: &[u8], announced: &str) -> Result<(), String> {
    let found = ArchiveDigest::of(bytes);
    match announced.strip_prefix("sha256:") {
        Some(digest) if digest == found.to_string() => Ok(()),
        Some(_) | None => Err(format!("its SHA-256 is {found}, and the registry says {announced}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(said: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for said in said {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_str(said).expect("a header"));
        }
        challenge_of(&headers)
    }

    #[test]
    fn a_registry_says_what_it_wants() {
        let bearer = Challenge::Bearer {
            realm: "https://auth.example.com/token".to_owned(),
            service: Some("registry.example.com".to_owned()),
            scope: Some("repository:a/b:pull".to_owned()),
        };
        let said = "Bearer realm=\"https://auth.example.com/token\",service=\"registry.example.com\",\
                    scope=\"repository:a/b:pull\"";
        assert_eq!(challenge(&[said]), Some(bearer.clone()));
        assert_eq!(challenge(&["Basic realm=\"x\"", said]), Some(bearer));
        assert_eq!(challenge(&["basic realm=x"]), Some(Challenge::Basic));
        assert_eq!(challenge(&["Bearer service=x"]), None);
        assert_eq!(challenge(&["Negotiate"]), None);
        assert_eq!(challenge(&["\"\"\"", ""]), None);
        assert_eq!(challenge(&[]), None);
    }

    #[test]
    fn a_manifest_of_something_else_is_no_chart() {
        let digest = format!("sha256:{}", ArchiveDigest::of(b""));
        let config = format!(r#""config":{{"mediaType":"{CONFIG}","digest":"{digest}","size":1}}"#);
        let layer = |kind: &str, digest: &str, size: u64| {
            format!(r#""layers":[{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}]"#)
        };
        let read = |inner: String| layer_of(format!("{{{inner}}}").as_bytes()).map(|layer| layer.digest);
        assert_eq!(read(format!("{config},{}", layer(ARCHIVES[0], &digest, 9))), Ok(digest.clone()));
        let said = |inner: String| read(inner).expect_err("no chart");
        assert_eq!(said(format!("{config},\"manifests\":[]")), "it is an index of images, not a chart");
        assert_eq!(said(String::new()), "it is no manifest of a chart: it has no config");
        assert!(
            said(config.replace("cncf.helm", "oci.image"))
                .starts_with("it is of type application/vnd.oci.image")
        );
        assert_eq!(
            said(format!("{config},{}", layer("text/html", &digest, 9))),
            "it has no layer with the archive of a chart"
        );
        assert_eq!(
            said(format!("{config},{}", layer(ARCHIVES[1], "sha512:abc", 9))),
            "`sha512:abc` is no digest by SHA-256"
        );
        assert_eq!(
            said(format!("{config},{}", layer(ARCHIVES[0], "sha256:../../../etc", 9))),
            "`sha256:../../../etc` is no digest by SHA-256"
        );
        assert!(
            said(format!("{config},{}", layer(ARCHIVES[0], &digest, 1 << 40))).contains("more than 33554432")
        );
        assert!(layer_of(b"<html>").unwrap_err().starts_with("it is no manifest of a registry: "));
    }
}
