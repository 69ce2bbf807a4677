//! The kubelet of a cluster's only node: as much of it as port-forward needs (`tests/kube/portforward-kubelet`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::Settings;
use super::authority::Authority;
use super::process::{Process, free_port};

/// A node with a kubelet that runs until it is dropped.
pub(crate) struct Kubelet {
    node: String,
    address: SocketAddr,
    command: (PathBuf, Vec<String>),
    log: PathBuf,
    process: Mutex<Process>,
}

impl Kubelet {
    /// Starts it beside its API server, whose `ca.crt` is in the folder. What runs in its Pods listens at a socket.
    pub(super) fn start(
        binary: &Path,
        folder: &Path,
        settings: &Settings,
        authority: &Authority,
        pods: &Path,
    ) -> Self {
        let address = SocketAddr::new(settings.address, free_port(settings.address));
        let serving = authority.server(&[settings.address.to_string()]);
        let calling = authority.client("kube-apiserver-kubelet-client", Some("system:masters"));
        for (name, text) in [
            ("kubelet.crt", serving.certificate),
            ("kubelet.key", serving.key),
            ("kubelet-client.crt", calling.certificate),
            ("kubelet-client.key", calling.key),
        ] {
            std::fs::write(folder.join(name), text).expect("a file");
        }
        let files = [("certificate", "kubelet.crt"), ("key", "kubelet.key"), ("client-authority", "ca.crt")];
        let files = files.map(|(flag, file)| format!("--{flag}={}", folder.join(file).display()));
        let mut arguments = vec![format!("--listen={address}"), format!("--pods={}", pods.display())];
        arguments.extend(files);
        let (command, log) = ((binary.to_owned(), arguments), folder.join("kubelet.log"));
        let process = Mutex::new(start(&command, &log));
        Self { node: format!("{}-node", settings.name), address, command, log, process }
    }

    /// Kills it; it refuses connections from then on.
    pub(crate) fn kill(&self) {
        self.process().kill();
    }

    /// Starts it again where it was.
    pub(crate) fn start_again(&self) {
        *self.process() = start(&self.command, &self.log);
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What lets an API server call it, and no one else who listens there.
    pub(super) fn arguments(folder: &Path) -> Vec<String> {
        let file = |name: &str| folder.join(name).display().to_string();
        vec![
            format!("--kubelet-client-certificate={}", file("kubelet-client.crt")),
            format!("--kubelet-client-key={}", file("kubelet-client.key")),
            format!("--kubelet-certificate-authority={}", file("ca.crt")),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
        ]
    }

    /// The name of its node.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// Its node, as a kubelet registers it.
    pub(super) fn registration(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": self.node, "labels": {"kubernetes.io/hostname": self.node}},
            "status": {
                "addresses": [{"type": "InternalIP", "address": self.address.ip().to_string()}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": self.address.port()}},
                "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            },
        })
    }
}

fn start((binary, arguments): &(PathBuf, Vec<String>), log: &Path) -> Process {
    let mut command = Command::new(binary);
    command.args(arguments);
    Process::start("portforward-kubelet", command, log)
}
