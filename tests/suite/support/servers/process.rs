//! Processes that end with their owner.

use std::fs::File;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError, mpsc};

/// A process that is killed when it is dropped.
pub(super) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts one whose output goes to the end of a file.
    pub(super) fn start(name: &str, command: Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).expect("a log");
        let mut command = bound_to_us(command);
        command.stdin(Stdio::null()).stderr(output.try_clone().expect("a handle")).stdout(output);
        let child = spawn(command).unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it and waits until it is gone; nothing where it is gone already.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Panics with the end of its log if it has ended by itself.
    pub(super) fn must_run(&mut self) {
        if let Some(status) = self.child.try_wait().expect("a child of ours") {
            panic!("{} ended with {status}:\n{}", self.name, self.last_words());
        }
    }

    /// The end of its log.
    pub(super) fn last_words(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log).into_owned();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether the kernel can be asked to kill processes when this one is gone.
pub(super) fn ends_with_us() -> bool {
    static SETPRIV: LazyLock<bool> = LazyLock::new(|| {
        let mut probe = Command::new("setpriv");
        probe.args(["--pdeathsig", "KILL", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    });
    *SETPRIV
}

/// Lets the kernel kill a process when this one is gone, which a destructor cannot do after SIGKILL.
fn bound_to_us(command: Command) -> Command {
    if !ends_with_us() {
        return command;
    }
    let mut bound = Command::new("setpriv");
    bound.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
    bound
}

/// Starts a process from a thread that lives as long as this process does.
///
/// "Parent" means the thread that started it: from a test's or a runtime's own thread, a server would die with that.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in orders {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (answer, child) = mpsc::channel();
    let spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    spawner.send((command, answer)).expect("the thread never ends");
    drop(spawner);
    child.recv().expect("the thread never ends")
}

/// A port on which nobody listens, that no outgoing connection is given, and that this process gives out once.
pub(crate) fn free_port(address: IpAddr) -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Below the range from which kernels take the ports of connections; each process starts elsewhere in it.
    const FIRST: u32 = 18_000;
    const COUNT: u32 = 12_000;
    for _ in 0..COUNT {
        let offset = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + offset % COUNT).expect("a port");
        if TcpListener::bind((address, port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {address} is free")
}
