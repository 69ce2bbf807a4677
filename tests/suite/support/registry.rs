//! A real OCI registry on loopback, and `helm` to fill it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::command::repository;
use super::helm;

/// A registry that ends with the test.
pub(crate) struct Registry {
    /// `127.0.0.1:PORT`.
    pub(crate) host: String,
    child: Child,
}

impl Registry {
    /// One that lets everybody in.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// One that wants to know who asks: the lines of the file are of htpasswd.
    pub(crate) fn start_closed(htpasswd: &Path) -> Self {
        Self::with(&[htpasswd])
    }

    fn with(arguments: &[&Path]) -> Self {
        let binary = repository("target/tools/registry");
        assert!(binary.is_file(), "there is no registry: tests/tools/build-registry builds it");
        let mut child = Command::new(binary)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the registry starts");
        let mut host = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut host).expect("it says where it is");
        Self { host: host.trim().to_owned(), child }
    }

    /// Pushes an archive as a person does.
    pub(crate) fn push(&self, archive: &Path, folder: &str, config: Option<&Path>) {
        let mut command = Command::new(helm::binary());
        command.arg("push").arg(archive).arg(format!("oci://{}/{folder}", self.host)).arg("--plain-http");
        if let Some(config) = config {
            command.arg("--registry-config").arg(config);
        }
        let output = command.output().expect("helm starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
