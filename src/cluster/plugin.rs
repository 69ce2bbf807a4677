//! Credential plugins: programs that print an `ExecCredential`.
//!
//! What a kubeconfig says of one enters; a token or a certificate with its end leaves, or why there is none, in
//! words that hold nothing of what it printed, was given or was told in its environment: all of that may
//! be secret. A plugin that does not end is ended.

use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::object::Sensitive;

/// The API versions that plugins speak.
const VERSIONS: [&str; 2] = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
/// How much of what it prints is read.
const LONGEST: u64 = 1 << 20;
/// How much longer a plugin may take that asks somebody: a login in a browser, a code.
const INTERACTIVE: u32 = 10;
/// How often is looked whether it has ended.
const TICK: Duration = Duration::from_millis(5);

/// Whether a plugin may ask somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interaction {
    /// It may not.
    Never,
    /// Where there is a terminal.
    IfAvailable,
    /// It has to.
    Always,
}

/// Whom a plugin that runs may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// It has nothing to ask on.
    Nobody,
    /// It has the terminal.
    Somebody,
}

/// A plugin as a kubeconfig names it. It has no `Debug`: arguments and variables may be secret.
#[derive(Clone)]
pub(super) struct Plugin {
    /// `client.authentication.k8s.io/v1`.
    pub(super) version: String,
    pub(super) command: String,
    pub(super) arguments: Vec<String>,
    pub(super) variables: Vec<(String, String)>,
    pub(super) interaction: Interaction,
    /// How to install it.
    pub(super) hint: Option<String>,
    /// The cluster, where the plugin is told of it.
    pub(super) cluster: Option<Value>,
}

/// What a plugin gave.
#[derive(Default)]
pub(super) struct Given {
    pub(super) token: Option<Sensitive>,
    /// PEM of a certificate and of its key.
    pub(super) certificate: Option<(String, Sensitive)>,
    /// When it ends.
    pub(super) expires: Option<Timestamp>,
}

impl Plugin {
    /// What it is called: its file's name.
    pub(super) fn name(&self) -> String {
        let name = Path::new(&self.command).file_name().map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| self.command.clone())
    }

    /// Runs it to its end, which it must reach within `limit`; longer where it may ask somebody.
    pub(super) fn run(&self, limit: Duration) -> Result<Given, String> {
        let name = self.name();
        if !VERSIONS.contains(&self.version.as_str()) {
            return Err(format!(
                "the credential plugin `{name}` is to speak {}, which is not known",
                self.version
            ));
        }
        let there_is_a_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        let asks = match self.interaction {
            Interaction::IfAvailable | Interaction::Always if there_is_a_terminal => Asks::Somebody,
            Interaction::Never | Interaction::IfAvailable => Asks::Nobody,
            Interaction::Always => {
                return Err(format!("the credential plugin `{name}` asks on a terminal, and there is none"));
            }
        };
        let limit = match asks {
            Asks::Somebody => limit * INTERACTIVE,
            Asks::Nobody => limit,
        };
        let mut child = self.start(asks)?;
        let printed =
            printed(&mut child, limit).map_err(|fault| format!("the credential plugin `{name}` {fault}"))?;
        self.understood(&printed).ok_or_else(|| {
            format!(
                "the credential plugin `{name}` did not answer with an ExecCredential of {}",
                self.version
            )
        })
    }

    fn start(&self, asks: Asks) -> Result<Child, String> {
        let mut spec = json!({"interactive": asks == Asks::Somebody});
        if let Some(cluster) = &self.cluster {
            spec["cluster"] = cluster.clone();
        }
        let info = json!({"kind": "ExecCredential", "apiVersion": self.version, "spec": spec});
        let (input, errors) = match asks {
            Asks::Somebody => (Stdio::inherit(), Stdio::inherit()),
            Asks::Nobody => (Stdio::null(), Stdio::null()),
        };
        let started = Command::new(&self.command)
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("KUBERNETES_EXEC_INFO", info.to_string())
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn();
        started.map_err(|error| {
            let name = self.name();
            let hint = self.hint.as_ref().map(|hint| format!("; {}", super::status::clean(hint.trim())));
            let hint = hint.unwrap_or_default();
            match error.kind() {
                io::ErrorKind::NotFound => {
                    format!("there is no credential plugin `{name}` on this machine{hint}")
                }
                kind => format!("the credential plugin `{name}` does not start: {kind}{hint}"),
            }
        })
    }

    /// What it printed, if that is an answer.
    fn understood(&self, printed: &[u8]) -> Option<Given> {
        let answer: Value = serde_json::from_slice(printed).ok()?;
        if answer["kind"] != "ExecCredential" || answer["apiVersion"] != self.version.as_str() {
            return None;
        }
        let text = |key: &str| answer["status"][key].as_str().filter(|text| !text.is_empty());
        let certificate = match (text("clientCertificateData"), text("clientKeyData")) {
            (Some(certificate), Some(key)) => Some((certificate.to_owned(), Sensitive::new(key.to_owned()))),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return None,
        };
        let token = text("token").map(|token| Sensitive::new(token.to_owned()));
        let expires = match text("expirationTimestamp") {
            Some(time) => Some(time.parse().ok()?),
            None => None,
        };
        (token.is_some() || certificate.is_some()).then_some(Given { token, certificate, expires })
    }
}

/// What a child printed until it ended well; else what it did.
fn printed(child: &mut Child, limit: Duration) -> Result<Vec<u8>, String> {
    let end = Instant::now() + limit;
    let silent = || format!("did not answer within {} s", limit.as_secs_f64());
    let (sender, receiver) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        // Not waited for: what it started in turn may hold the pipe open for ever.
        std::thread::spawn(move || {
            let mut printed = Vec::new();
            let _ = output.take(LONGEST).read_to_end(&mut printed);
            let _ = sender.send(printed);
        });
    }
    let mut printed = None;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => {
                let left = end.saturating_duration_since(Instant::now());
                return printed.or_else(|| receiver.recv_timeout(left).ok()).ok_or_else(silent);
            }
            Ok(Some(status)) => return Err(format!("ended with {status}")),
            Ok(None) if Instant::now() >= end => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(silent());
            }
            // A full pipe would keep it from ending: what comes is taken meanwhile.
            Ok(None) => match receiver.recv_timeout(TICK) {
                Ok(all) => printed = Some(all),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => std::thread::sleep(TICK),
            },
            Err(error) => return Err(format!("cannot be waited for: {}", error.kind())),
        }
    }
}
