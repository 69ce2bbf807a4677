//! Who this process is, to those who find its leases, and whether the process behind one has ended.
//!
//! The environment and `/proc` enter; a [`Holder`] leaves. A process is named by what no other one
//! has while the machine runs: boot, namespaces, number and start. On systems without `/proc` it
//! is not named, and whoever finds its lease waits until that runs out.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;

use crate::apply::Holder;

/// This process, running `command`.
pub(super) fn of_this_process(command: &str) -> Holder {
    Holder {
        who: format!("{}@{}", user(), machine()),
        pid: std::process::id(),
        command: command.to_owned(),
        run: format!("{:08x}", RandomState::new().build_hasher().finish() & 0xffff_ffff),
        process: Process::this(Path::new("/proc")).map(|process| process.to_string()),
    }
}

/// Whether the process of a lease was one of this machine and has ended, for certain.
pub(super) fn has_ended(process: &str) -> bool {
    ended_as_seen_in(Path::new("/proc"), process)
}

fn ended_as_seen_in(proc: &Path, process: &str) -> bool {
    let (Some(theirs), Some(ours)) = (Process::read(process), Process::this(proc)) else { return false };
    if theirs.place != ours.place {
        return false;
    }
    match Status::of(proc, &theirs.pid) {
        // A number is given again, but not with the same start.
        Some(status) => status.start != theirs.start || status.is_over,
        // Without our own entry beside it the whole of `proc` would be unreadable.
        None => !proc.join(&theirs.pid).exists() && Status::of(proc, &ours.pid).is_some(),
    }
}

/// A process as its machine finds it again: `BOOT USER PID-NAMESPACE TIME-NAMESPACE HOST PID START`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    /// Where its number means something, and by whom it can be seen.
    place: Vec<String>,
    pid: String,
    start: String,
}

/// What `/proc/PID/stat` says.
struct Status {
    pid: String,
    start: String,
    /// It has ended, and nobody has asked how.
    is_over: bool,
}

impl Process {
    /// How many words name the place.
    const PLACE: usize = 5;

    /// The process that asks.
    fn this(proc: &Path) -> Option<Self> {
        let status = Status::of(proc, "self")?;
        // Another namespace's `/proc` numbers processes in another way than the one that we live in.
        if status.pid != std::process::id().to_string() {
            return None;
        }
        let text = |path: &str| Some(std::fs::read_to_string(proc.join(path)).ok()?.trim().to_owned());
        let link =
            |path: &str| Some(std::fs::read_link(proc.join(path)).ok()?.to_string_lossy().into_owned());
        let place = vec![
            text("sys/kernel/random/boot_id")?,
            // `hidepid` hides the processes of other users: one that is hidden has not ended.
            owner(&proc.join("self"))?,
            link("self/ns/pid")?,
            link("self/ns/time").unwrap_or_else(|| "none".to_owned()),
            // Copies of a running machine share the rest.
            text("sys/kernel/hostname")?,
        ];
        let is_plain = |word: &String| !word.is_empty() && !word.contains(char::is_whitespace);
        place.iter().all(is_plain).then_some(Self { place, pid: status.pid, start: status.start })
    }

    fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let (place, rest) = words.split_at_checked(Self::PLACE)?;
        let [pid, start] = rest else { return None };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let place = place.iter().map(|word| (*word).to_owned()).collect();
        (is_number(pid) && is_number(start)).then(|| Self {
            place,
            pid: (*pid).to_owned(),
            start: (*start).to_owned(),
        })
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.place.join(" "), self.pid, self.start)
    }
}

impl Status {
    /// Reads `/proc/PID/stat`: `PID (NAME) STATE …`, the start as its 22nd word (proc_pid_stat(5)).
    fn of(proc: &Path, pid: &str) -> Option<Self> {
        let text = std::fs::read_to_string(proc.join(pid).join("stat")).ok()?;
        let (pid, rest) = text.split_once(" (")?;
        // The name may hold anything, brackets among it.
        let (_, rest) = rest.rsplit_once(") ")?;
        let words: Vec<&str> = rest.split_whitespace().collect();
        let is_over = matches!(*words.first()?, "Z" | "X" | "x");
        Some(Self { pid: pid.to_owned(), start: (*words.get(19)?).to_owned(), is_over })
    }
}

#[cfg(unix)]
fn owner(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    Some(std::fs::metadata(path).ok()?.uid().to_string())
}

#[cfg(not(unix))]
fn owner(_path: &Path) -> Option<String> {
    None
}

fn user() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| word(std::env::var(name).ok()?));
    named
        .or_else(|| owner(Path::new("/proc/self")).map(|uid| format!("uid-{uid}")))
        .unwrap_or_else(|| "somebody".to_owned())
}

fn machine() -> String {
    let told = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok().and_then(word);
    let set = || ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| word(std::env::var(name).ok()?));
    let asked = || {
        let output = std::process::Command::new("hostname").output().ok()?;
        word(String::from_utf8(output.stdout).ok()?)
    };
    told().or_else(set).or_else(asked).unwrap_or_else(|| "somewhere".to_owned())
}

/// A name without what would not stand in one line; none where nothing is left.
fn word(text: String) -> Option<String> {
    let word: String = text.trim().chars().filter(|letter| !letter.is_control()).take(64).collect();
    if word.is_empty() { None } else { Some(word) }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn this() -> Process {
        Process::this(Path::new("/proc")).expect("Linux names its processes")
    }

    #[test]
    fn a_process_that_runs_has_not_ended_and_one_that_was_waited_for_has() {
        assert!(!has_ended(&this().to_string()));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
        let status = Status::of(Path::new("/proc"), &child.id().to_string()).expect("it runs");
        let theirs = Process { pid: status.pid, start: status.start, ..this() }.to_string();
        assert!(!has_ended(&theirs));
        child.kill().expect("it runs");
        // Killed and not yet waited for it is a zombie, which writes nothing any more.
        let over = || has_ended(&theirs);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !over() {
            assert!(std::time::Instant::now() < deadline, "it was killed");
            std::thread::yield_now();
        }
        child.wait().expect("it was ours");
        assert!(over());
    }

    #[test]
    fn a_number_that_was_given_again_is_another_process() {
        let before = Process { start: "1".to_owned(), ..this() };
        assert!(has_ended(&before.to_string()));
    }

    #[test]
    fn nothing_is_said_of_a_process_of_elsewhere_or_of_no_process() {
        let gone = Process { pid: "4194305".to_owned(), ..this() };
        assert!(has_ended(&gone.to_string()));
        for part in 0..Process::PLACE {
            let mut elsewhere = gone.clone();
            elsewhere.place[part] = "other".to_owned();
            assert!(!has_ended(&elsewhere.to_string()), "{elsewhere}");
        }
        for text in ["", "boot 1", "a b c d e 1", "a b c d e ../1 2", "a b c d e 1 2 3"] {
            assert!(!has_ended(text), "{text}");
        }
    }

    #[test]
    fn a_machine_that_shows_no_processes_says_nothing() {
        let gone = Process { pid: "4194305".to_owned(), ..this() };
        assert!(!ended_as_seen_in(Path::new("/nowhere"), &gone.to_string()));
    }

    #[test]
    fn two_runs_of_one_process_are_told_apart() {
        let (first, second) = (of_this_process("a"), of_this_process("a"));
        assert_ne!(first.identity(), second.identity());
        assert_eq!(first.process, second.process);
    }
}
