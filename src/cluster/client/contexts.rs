//! The contexts of kubeconfig files: how each leads to an API server, and how its credentials are had.

use std::io;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use jiff::Timestamp;
use kube::config::{
    AuthInfo, ExecConfig, ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError,
};
use serde_json::{Value, json};

use super::Transport;
use crate::cluster::credentials::{MARGIN, Renewed, Source, SourceKind, TOKEN_FILE};
use crate::cluster::plugin::{Given, Interaction, Plugin};
use crate::cluster::proxy::proxy_for;
use crate::cluster::status;
use crate::cluster::transport::{ContextError, Limits, TransportError, Trust};

/// The contexts of one or more kubeconfig files, merged as kubectl does.
///
/// It has no `Debug`: it holds credentials.
pub struct Contexts {
    merged: Kubeconfig,
    /// The files, for messages.
    files: Vec<PathBuf>,
}

impl Contexts {
    /// Reads and merges files; the first to name something wins.
    ///
    /// A file that does not exist is passed over where there are several, as kubectl does.
    pub fn read(files: &[PathBuf]) -> Result<Self, ContextError> {
        let mut merged = Kubeconfig::default();
        for file in files {
            let shown = || file.display().to_string();
            match Kubeconfig::read_from(file) {
                Ok(next) => {
                    merged = merged.merge(next).map_err(|_| ContextError::Invalid { file: shown() })?;
                }
                Err(KubeconfigError::ReadConfig(source, _))
                    if source.kind() == io::ErrorKind::NotFound && files.len() > 1 => {}
                Err(KubeconfigError::ReadConfig(source, _)) => {
                    return Err(ContextError::Unreadable { file: shown(), reason: source.to_string() });
                }
                // The parser's own message may quote the text that it could not read.
                Err(_) => return Err(ContextError::Invalid { file: shown() }),
            }
        }
        Ok(Self { merged, files: files.to_vec() })
    }

    /// The contexts that there are.
    pub fn names(&self) -> Vec<String> {
        self.merged.contexts.iter().map(|context| context.name.clone()).collect()
    }

    /// Opens the door that a context names; nothing is sent yet.
    pub async fn open(&self, context: &str, limits: Limits) -> Result<Transport, ContextError> {
        if !self.merged.contexts.iter().any(|known| known.name == context) {
            return Err(ContextError::NoContext {
                context: context.to_owned(),
                known: self.names(),
                files: self.files.iter().map(|file| file.display().to_string()).collect(),
            });
        }
        let unusable = |reason: String| ContextError::Unusable { context: context.to_owned(), reason };
        let mut merged = self.merged.clone();
        let source = source_of(&mut merged, context).map_err(unusable)?;
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let proxy = merged.clusters.iter().find(|cluster| cluster.name == source.cluster);
        let proxy = proxy.and_then(|cluster| cluster.cluster.as_ref()?.proxy_url.clone());
        let mut config = kube::Config::from_custom_kubeconfig(merged, &options)
            .await
            .map_err(|error| unusable(reason_of_kubeconfig(&error)))?;
        // Only http and https are URLs that the client can send a request to.
        if !matches!(config.cluster_url.scheme_str(), Some("http" | "https")) {
            return Err(unusable("its cluster's server is no URL".to_owned()));
        }
        // kube compares NO_PROXY with the proxy's host, not with the server's.
        config.proxy_url = proxy_for(&config.cluster_url, proxy.as_deref(), |name| std::env::var(name).ok())
            .map_err(unusable)?;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let trust = match config.accept_invalid_certs && config.cluster_url.scheme_str() == Some("https") {
            true => Trust::Blind,
            false => Trust::Verified,
        };
        Transport::new(config, server, limits, Some(source), trust)
            .map_err(|error| unusable(error.to_string()))
    }
}

/// Takes what is to be had anew out of a kubeconfig, so that what is left is fixed.
fn source_of(merged: &mut Kubeconfig, context: &str) -> Result<Source, String> {
    let named = merged.contexts.iter().find(|known| known.name == context);
    let Some(of_context) = named.and_then(|known| known.context.clone()) else {
        return Err("it names neither a cluster nor a user".to_owned());
    };
    let cluster = merged.clusters.iter().find(|known| known.name == of_context.cluster);
    let about = cluster.and_then(|known| known.cluster.as_ref()).map(about_cluster);
    let user = of_context.user.clone().unwrap_or_default();
    let known = merged.auth_infos.iter_mut().find(|known| known.name == user);
    let kind = match known.and_then(|known| known.auth_info.as_mut()) {
        Some(info) => kind_of(info, about)?,
        None => SourceKind::Fixed,
    };
    Ok(Source { context: context.to_owned(), cluster: of_context.cluster, user, kind })
}

/// How a user's credentials are had; takes what is to be had anew out of them.
fn kind_of(info: &mut AuthInfo, cluster: Option<Value>) -> Result<SourceKind, String> {
    if let Some(provider) = &info.auth_provider {
        return Err(format!(
            "its user has an auth-provider (`{}`), which Kubernetes has removed: use a credential plugin (exec)",
            status::clean(&provider.name)
        ));
    }
    if let Some(file) = info.token_file.take() {
        return Ok(SourceKind::TokenFile(PathBuf::from(file)));
    }
    // As kubectl has it: other credentials of the user go before a plugin's.
    let is_fixed = info.token.is_some() || info.username.is_some();
    match info.exec.take() {
        Some(exec) if !is_fixed => {
            plugin_of(exec, cluster).map(|plugin| SourceKind::Plugin(Box::new(plugin)))
        }
        Some(_) | None => Ok(SourceKind::Fixed),
    }
}

/// Puts renewed credentials into a user's; gives when they end.
pub(super) fn take_in(info: &mut AuthInfo, renewed: Renewed) -> Result<Option<Timestamp>, TransportError> {
    let of_file = || Ok(Some(Timestamp::now() + TOKEN_FILE + MARGIN));
    match renewed {
        Renewed::Same => Ok(None),
        Renewed::Token(token) => {
            info.token = Some(token.expose().to_owned().into());
            of_file()
        }
        Renewed::Unread(_) if info.token.is_some() => of_file(),
        Renewed::Unread(error) => Err(error),
        Renewed::Given(Given { token, certificate, expires }) => {
            info.token = token.map(|token| token.expose().to_owned().into());
            let (certificate, key) = certificate.unzip();
            info.client_certificate_data = certificate.map(|pem| STANDARD.encode(pem));
            info.client_key_data = key.map(|pem| STANDARD.encode(pem.expose()).into());
            Ok(expires)
        }
    }
}

fn plugin_of(exec: ExecConfig, cluster: Option<Value>) -> Result<Plugin, String> {
    let Some(command) = exec.command.filter(|command| !command.is_empty()) else {
        return Err("its user's credential plugin has no command".to_owned());
    };
    let variables = exec
        .env
        .unwrap_or_default()
        .into_iter()
        .filter_map(|mut pair| Some((pair.remove("name")?, pair.remove("value").unwrap_or_default())));
    Ok(Plugin {
        version: exec.api_version.unwrap_or_default(),
        command,
        arguments: exec.args.unwrap_or_default(),
        variables: variables.collect(),
        interaction: match exec.interactive_mode {
            Some(ExecInteractiveMode::Never) => Interaction::Never,
            Some(ExecInteractiveMode::Always) => Interaction::Always,
            Some(ExecInteractiveMode::IfAvailable) | None => Interaction::IfAvailable,
        },
        hint: exec.install_hint,
        cluster: cluster.filter(|_| exec.provide_cluster_info),
    })
}

/// What a plugin is told of its cluster (`client.authentication.k8s.io/v1`, ExecCredentialSpec).
fn about_cluster(cluster: &kube::config::Cluster) -> Value {
    let mut about = json!({"server": cluster.server});
    if let Some(name) = &cluster.tls_server_name {
        about["tls-server-name"] = json!(name);
    }
    if cluster.insecure_skip_tls_verify == Some(true) {
        about["insecure-skip-tls-verify"] = json!(true);
    }
    let from_file = || {
        let file = cluster.certificate_authority.as_ref()?;
        Some(STANDARD.encode(std::fs::read(file).ok()?))
    };
    if let Some(data) = cluster.certificate_authority_data.clone().or_else(from_file) {
        about["certificate-authority-data"] = json!(data);
    }
    if let Some(url) = &cluster.proxy_url {
        about["proxy-url"] = json!(url);
    }
    let extensions = cluster.extensions.iter().flatten();
    let mut of_plugins = extensions.filter(|known| known.name == "client.authentication.k8s.io/exec");
    if let Some(extension) = of_plugins.next() {
        about["config"] = extension.extension.clone();
    }
    about
}

/// What is wrong with a context, without any of its contents.
fn reason_of_kubeconfig(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::LoadClusterOfContext(name) => format!("there is no cluster `{name}`"),
        KubeconfigError::MissingClusterUrl => "its cluster has no server".to_owned(),
        KubeconfigError::ParseClusterUrl(_) => "its cluster's server is no URL".to_owned(),
        KubeconfigError::ParseProxyUrl(_) => "its proxy-url is no URL".to_owned(),
        KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => {
            "its cluster's certificate authority cannot be read".to_owned()
        }
        KubeconfigError::LoadClientCertificate(_) => "its user's certificate cannot be read".to_owned(),
        KubeconfigError::LoadClientKey(_) => "its user's key cannot be read".to_owned(),
        _ => "its kubeconfig is not valid".to_owned(),
    }
}
