//! Folders that tests write to.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// This run's folder, and what tells other runs that it is taken.
struct Taken {
    folder: PathBuf,
    _lock: File,
}

static TAKEN: LazyLock<Taken> = LazyLock::new(|| {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut number = 0;
    loop {
        let folder = all.join(format!("run{number}"));
        if let Some(taken) = taken(folder) {
            return taken;
        }
        number += 1;
    }
});

fn taken(folder: PathBuf) -> Option<Taken> {
    std::fs::create_dir_all(&folder).expect("cargo's own folder");
    let path = folder.join("lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path).expect("a file");
    match lock.try_lock() {
        Ok(()) => Some(Taken { folder, _lock: lock }),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(error)) => panic!("a folder is locked: {error}"),
    }
}

/// A folder that no other run of the suite writes to while this one lives: two at once do not get in each other's way.
pub(crate) fn of_this_run() -> &'static Path {
    &TAKEN.folder
}

/// An empty folder of a test's own, by the test's name.
pub(crate) fn scratch(test: &str) -> PathBuf {
    let folder = of_this_run().join(test);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("a folder of this suite");
    }
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}
