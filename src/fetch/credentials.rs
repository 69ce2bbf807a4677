//! What `helm` and `docker` were told: credentials for registries and repositories.
//!
//! The configuration files of both are read, never written. No credential leaves but in a header to the server
//! that it is for.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use http::HeaderValue;
use serde_json::Value as Json;

use super::error::FetchError;
use crate::document::yaml::{self, Limits, Schema};
use crate::document::{Kind, Node, SourceId};
use crate::object::Sensitive;
use crate::topology::RepositoryUrl;

/// What Docker calls its own registry (`IndexServer` in docker/cli, cli/config/credentials).
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Where the files are. One that is not there says nothing.
#[derive(Debug, Clone, Default)]
pub struct ConfigFiles {
    /// Helm's logins to registries.
    pub helm_registries: Option<PathBuf>,
    /// Helm's repositories.
    pub helm_repositories: Option<PathBuf>,
    /// Docker's logins.
    pub docker: Option<PathBuf>,
}

/// What a registry wants to know.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) secret: Secret,
    /// The file that it comes from.
    pub(super) file: String,
}

/// How somebody shows who they are.
#[derive(Clone)]
pub(super) enum Secret {
    /// By a password.
    Password { user: String, password: Sensitive },
    /// By a token that is changed into others.
    Refresh(Sensitive),
}

/// A user and a password of a repository.
#[derive(Clone)]
pub(super) struct Basic {
    pub(super) user: String,
    pub(super) password: Sensitive,
    /// Certificates that are trusted there.
    pub(super) ca: Option<Vec<u8>>,
    /// The file that it comes from.
    pub(super) file: String,
}

impl ConfigFiles {
    /// Where Helm and Docker look, by the environment (Helm's `lazypath_unix.go`, Docker's `cli/config`).
    pub fn of_environment() -> Self {
        let set =
            |name: &str| env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
        let home = set("HOME").or_else(|| set("USERPROFILE"));
        let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let default = if cfg!(target_os = "macos") { "Library/Preferences" } else { ".config" };
        let helm = set("HELM_CONFIG_HOME").or_else(|| {
            set("XDG_CONFIG_HOME").or_else(|| below_home(default)).map(|config| config.join("helm"))
        });
        let of_helm =
            |name: &str, path: &str| set(name).or_else(|| helm.as_ref().map(|helm| helm.join(path)));
        Self {
            helm_registries: of_helm("HELM_REGISTRY_CONFIG", "registry/config.json"),
            helm_repositories: of_helm("HELM_REPOSITORY_CONFIG", "repositories.yaml"),
            docker: set("DOCKER_CONFIG")
                .or_else(|| below_home(".docker"))
                .map(|folder| folder.join("config.json")),
        }
    }

    /// The login to a registry: Helm's, else Docker's, as Helm has it. May run a credential helper and wait for it.
    pub(super) fn registry(&self, host: &str) -> Result<Option<Login>, FetchError> {
        for file in [&self.helm_registries, &self.docker].into_iter().flatten() {
            if let Some(login) = login_in(file, host)? {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }

    /// What `helm repo add` noted of a repository.
    pub(super) fn repository(&self, url: &RepositoryUrl) -> Result<Option<Basic>, FetchError> {
        let Some(file) = &self.helm_repositories else { return Ok(None) };
        let unusable = |reason: String| unusable(&url.to_string(), file, reason);
        let Some(bytes) = content(file).map_err(|error| unusable(error.to_string()))? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes).map_err(|_| unusable("it is no UTF-8 text".to_owned()))?;
        let document = yaml::parse_one(SourceId(0), &text, Schema::Go, Limits::TOPOLOGY).into_result();
        // What is wrong where may quote a password: that it is wrong has to do.
        let document = document.map_err(|_| unusable("it is no YAML".to_owned()))?;
        let repositories = document.as_ref().and_then(|node| node.child("repositories"));
        let Some(Node { kind: Kind::List(repositories), .. }) = repositories else { return Ok(None) };
        let text = |node: &'_ Node, key: &str| node.child(key).and_then(Node::words).map(str::to_owned);
        let is_it = |node: &&Node| {
            text(node, "url").is_some_and(|said| said.trim_end_matches('/') == url.to_string())
        };
        let Some(found) = repositories.iter().find(is_it) else { return Ok(None) };
        let Some(user) = text(found, "username").filter(|user| !user.is_empty()) else { return Ok(None) };
        let ca = match text(found, "caFile").filter(|ca| !ca.is_empty()) {
            Some(ca) => Some(fs::read(&ca).map_err(|error| unusable(format!("its caFile {ca}: {error}")))?),
            None => None,
        };
        let password = Sensitive::new(text(found, "password").unwrap_or_default());
        Ok(Some(Basic { user, password, ca, file: file.display().to_string() }))
    }
}

/// `Basic …`, never shown by who prints headers.
pub(super) fn basic(user: &str, password: &Sensitive) -> HeaderValue {
    let said = STANDARD.encode(format!("{user}:{}", password.expose()));
    sensitive(&format!("Basic {said}")).expect("base64 is plain text")
}

/// A header that who prints headers does not show; none where the text cannot stand in one.
pub(super) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn login_in(file: &Path, host: &str) -> Result<Option<Login>, FetchError> {
    let unusable = |reason: String| unusable(host, file, reason);
    let Some(bytes) = content(file).map_err(|error| unusable(error.to_string()))? else { return Ok(None) };
    let name = match host {
        "docker.io" | "registry-1.docker.io" | "index.docker.io" => DOCKER_HUB,
        host => host,
    };
    match get_credential_from_reader(bytes.as_slice(), name) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(Some(Login {
            secret: Secret::Password { user, password: Sensitive::new(password) },
            file: file.display().to_string(),
        })),
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Login {
            secret: Secret::Refresh(Sensitive::new(token)),
            file: file.display().to_string(),
        })),
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
        Err(error) => match (reason_of(&error), names(&bytes, name)) {
            // A store that is asked for every server need not know this one, nor be there.
            (Reason::Helper(_), false) => Ok(None),
            (Reason::Helper(reason) | Reason::File(reason), _) => Err(unusable(reason)),
        },
    }
}

/// Whether the fault is the file's, or a credential helper's.
enum Reason {
    File(String),
    Helper(String),
}

/// What a helper printed is left out: it may be a secret.
fn reason_of(error: &CredentialRetrievalError) -> Reason {
    match error {
        CredentialRetrievalError::HelperFailure { helper, .. } => Reason::Helper(format!("{helper} failed")),
        CredentialRetrievalError::HelperCommunicationError => {
            Reason::Helper("the credential helper that it names cannot be run".to_owned())
        }
        CredentialRetrievalError::MalformedHelperResponse => {
            Reason::Helper("the credential helper that it names answers nonsense".to_owned())
        }
        CredentialRetrievalError::CredentialDecodingError => {
            Reason::File("the `auth` of this server is not USER:PASSWORD in base64".to_owned())
        }
        CredentialRetrievalError::CredentialMismatchError => {
            Reason::File("`auth` says otherwise than `username` and `password`".to_owned())
        }
        CredentialRetrievalError::ConfigReadError => {
            Reason::File("it is no configuration of Docker".to_owned())
        }
        CredentialRetrievalError::ConfigNotFound | CredentialRetrievalError::NoCredentialConfigured => {
            Reason::File("it names no credentials".to_owned())
        }
    }
}

/// Whether a configuration says something of this very server.
fn names(config: &[u8], server: &str) -> bool {
    let Ok(config) = serde_json::from_slice::<Json>(config) else { return false };
    ["auths", "credHelpers"].iter().any(|key| config.get(key).is_some_and(|map| map.get(server).is_some()))
}

/// The content of a file; none where it is not there.
fn content(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn unusable(host: &str, file: &Path, reason: String) -> FetchError {
    FetchError::Credentials { host: host.to_owned(), file: file.display().to_string(), reason }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.file)
    }
}
