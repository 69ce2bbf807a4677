//! A network of a test's own, in which addresses are real that belong to nobody: those for documentation and private
//! ones.
//!
//! A test goes in by running itself again there, in network, process and, for who is not root, user namespaces that
//! end with it. Nothing outside is reached from there, and no port there is taken by anybody else.

use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use super::servers::Servers;

/// Says to a test that it is there.
const INSIDE: &str = "STOLOS_TEST_NETWORK";

/// What makes addresses real: all of these are this machine's. `exec` so that signals reach what runs.
const SETUP: &str = "set -e; ip link set lo up; \
    for net in 198.51.100.0/24 203.0.113.0/24 10.0.0.0/8; do ip route add local $net dev lo; done; \
    exec \"$@\"";

/// Whether this test is in such a network. Where not, it has been run there and has passed; `name` is its own, as the
/// test harness has it.
pub(crate) fn is_inside(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    match &*UNSHARE {
        Ok(flags) => {
            let here = std::env::current_exe().expect("a path");
            let mut inner = within(flags);
            inner.arg(here).args(["--exact", name, "--include-ignored", "--nocapture"]).env(INSIDE, "own");
            let Output { status, stdout, stderr } = inner.output().expect("unshare ran before");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let told = text(&stdout);
            assert!(
                status.success() && told.contains("1 passed"),
                "{name} in a network of its own: {status}\n{told}{}",
                text(&stderr)
            );
        }
        Err(why) => panic!("a network of its own cannot be had: {why}"),
    }
    false
}

/// What `unshare` takes here; why it does not do.
static UNSHARE: LazyLock<Result<&'static [&'static str], String>> = LazyLock::new(|| {
    // As root, else as root of a user namespace.
    let ways: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];
    let mut why = String::new();
    for flags in ways {
        match within(flags).arg("true").output() {
            Ok(output) if output.status.success() => return Ok(flags),
            Ok(output) => why = String::from_utf8_lossy(&output.stderr).trim().replace('\n', ", "),
            Err(error) => why = format!("unshare: {error}"),
        }
    }
    Err(why)
});

/// A command in such a network, which lacks its last words.
fn within(flags: &[&str]) -> Command {
    // Both end with us, where the kernel can be asked for it.
    let mut command = match Servers::end_with_this_process() {
        true => Command::new("setpriv"),
        false => Command::new("unshare"),
    };
    if Servers::end_with_this_process() {
        command.args(["--pdeathsig", "KILL", "--", "unshare"]);
    }
    command.args(["--net", "--pid", "--fork", "--kill-child"]).args(flags);
    command.args(["sh", "-c", SETUP, "sh"]).stdin(Stdio::null());
    command
}
