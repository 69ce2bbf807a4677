//! HTTP within bounds: time, bytes, redirections, and who is told a password.
//!
//! A URL enters; status, headers and the whole body leave. Proxies are the environment's (`HTTPS_PROXY`,
//! `NO_PROXY`), and so are the system's certificates (`SSL_CERT_FILE`).

use std::error::Error as _;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use reqwest::redirect;

use super::Terms;
use super::error::FetchError;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may say nothing in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(30);
/// How many redirections are followed.
const REDIRECTIONS: usize = 10;
/// How often something is asked for, with these pauses between.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// An HTTP client. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    /// Sent as a form, by POST; none is a GET.
    pub(super) form: Option<String>,
    /// The most bytes of an answer.
    pub(super) most: usize,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer, and whether there may be one the next time.
enum Fault {
    Passing(FetchError),
    Lasting(FetchError),
}

impl Ask {
    /// A GET.
    pub(super) fn get(url: impl Into<String>, most: usize) -> Self {
        Self { url: url.into(), headers: HeaderMap::new(), form: None, most }
    }

    /// With a header.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl Answer {
    /// The body of a success; the error of anything else.
    pub(super) fn success(self, url: &str) -> Result<Vec<u8>, FetchError> {
        match self.status.is_success() {
            true => Ok(self.body),
            false => Err(FetchError::Status { url: url.to_owned(), status: self.status.as_u16() }),
        }
    }
}

impl Client {
    pub(super) fn new(origin: &str, terms: &Terms) -> Result<Self, FetchError> {
        // Once for the process; whoever was first chose the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let broken = |reason: String| FetchError::Broken { url: origin.to_owned(), reason };
        let authorities = match &terms.ca {
            Some(pem) => match reqwest::Certificate::from_pem_bundle(pem) {
                Ok(authorities) if !authorities.is_empty() => authorities,
                Ok(_) | Err(_) => return Err(broken("its `ca` holds no PEM certificate".to_owned())),
            },
            None => Vec::new(),
        };
        let http = reqwest::Client::builder()
            .user_agent(concat!("stolos/v", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(redirect::Policy::custom(followed))
            .referer(false)
            .tls_certs_merge(authorities)
            .build()
            .map_err(|error| broken(chain(&error).join(": ")))?;
        Ok(Self { http })
    }

    /// Asks, and asks again where that may help.
    pub(super) async fn send(&self, ask: &Ask) -> Result<Answer, FetchError> {
        let mut pauses = PAUSES.into_iter();
        loop {
            match (self.once(ask).await, pauses.next()) {
                (Ok(answer), Some(pause)) if is_passing(answer.status) => tokio::time::sleep(pause).await,
                (Ok(answer), Some(_) | None) => return Ok(answer),
                (Err(Fault::Passing(_)), Some(pause)) => tokio::time::sleep(pause).await,
                (Err(Fault::Passing(error)), None) | (Err(Fault::Lasting(error)), Some(_) | None) => {
                    return Err(error);
                }
            }
        }
    }

    async fn once(&self, ask: &Ask) -> Result<Answer, Fault> {
        let Ask { url, headers, form, most } = ask;
        let request = match form {
            None => self.http.get(url),
            Some(form) => self
                .http
                .post(url)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.clone()),
        };
        let failed = |error: reqwest::Error| fault(url, &error);
        let mut response = request.headers(headers.clone()).send().await.map_err(failed)?;
        let too_large = || {
            let reason = format!("the answer has more than {most} bytes");
            Fault::Lasting(FetchError::Broken { url: url.clone(), reason })
        };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > *most {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), headers: response.headers().clone(), body })
    }
}

/// Whether the server itself says that it may be otherwise soon.
fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// Follows a redirection, unless it leaves TLS or goes round in circles.
fn followed(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let leaves_tls = attempt.url().scheme() != "https"
        && attempt.previous().last().is_some_and(|from| from.scheme() == "https");
    if leaves_tls {
        let to = attempt.url().clone();
        return attempt.error(format!("it leads from https to {to}"));
    }
    if attempt.previous().len() > REDIRECTIONS {
        return attempt.error(format!("it leads on more than {REDIRECTIONS} times"));
    }
    attempt.follow()
}

fn fault(url: &str, error: &reqwest::Error) -> Fault {
    let url = url.to_owned();
    if error.is_redirect() {
        let reason = chain(error).pop().unwrap_or_default();
        return Fault::Lasting(FetchError::Broken { url, reason });
    }
    if error.is_builder() {
        return Fault::Lasting(FetchError::Broken { url, reason: chain(error).join(": ") });
    }
    let error = FetchError::Unreachable { url, reasons: chain(error) };
    Fault::Passing(error)
}

/// What lies behind an error, from the outside in. Its own words name the URL, which is known.
fn chain(error: &reqwest::Error) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        // Some print what they hide: it would be said twice.
        if !reasons.iter().any(|reason| reason.contains(&said)) {
            reasons.push(said);
        }
        source = error.source();
    }
    if reasons.is_empty() {
        reasons.push(error.to_string());
    }
    reasons
}
