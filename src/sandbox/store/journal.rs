//! The durable journal of one cluster: one JSON line per write.
//!
//! The first line says which cluster this is; each further one puts or removes
//! an object. A line counts once its newline is on the disk, so a line torn by a
//! kill is dropped when the file is opened again. Opening writes the file anew
//! with only what is still there. Writes that come while one is being synced
//! share the next sync.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::object::{Object, ObjectRef};

/// What the first line of a journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The cluster's name.
    pub cluster: String,
    /// The made-up certificate of its API server's CA, PEM; UIDs derive from it.
    pub ca: String,
    /// The revision up to which the file is complete.
    pub revision: u64,
}

/// A journal as it was read.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// Its first line, with the revision of its last.
    pub header: Header,
    /// The objects that are still there.
    pub objects: Vec<Object>,
    /// Whether the file holds anything else.
    pub refuse: Refuse,
}

/// Whether a journal holds lines that no longer count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refuse {
    /// Superseded or torn ones.
    Some,
    /// None: it may be written on as it is.
    None,
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalFault {
    /// The file system says no.
    #[error("cannot be read or written")]
    Io(#[from] io::Error),
    /// A line that is not the last is broken, so it was not a kill that broke it.
    #[error("line {0} is broken")]
    Broken(usize),
    /// It is another cluster's or another program's.
    #[error("it is not a journal of the sandbox")]
    Foreign,
}

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Mutex<File>,
    pending: Mutex<Pending>,
    durable: watch::Sender<Durable>,
}

#[derive(Debug, Default)]
struct Pending {
    lines: Vec<u8>,
    revision: u64,
    flush_is_due: bool,
}

/// How far the disk has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Durable {
    /// Every write up to this revision is on the disk.
    pub revision: u64,
    /// The disk's refusal; nothing is written any more.
    pub failed: Option<String>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// Reads a journal; `None` where there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Recovered>, JournalFault> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // What follows the last newline was never answered.
        let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else { return Ok(None) };
        let mut lines = bytes[..end].split(|byte| *byte == b'\n').enumerate();
        let first = lines.next().and_then(|(_, line)| serde_json::from_slice::<Value>(line).ok());
        let mut header = first.as_ref().and_then(Header::from_value).ok_or(JournalFault::Foreign)?;
        let mut objects = std::collections::BTreeMap::<ObjectRef, Object>::new();
        let mut entries = 0;
        for (position, line) in lines {
            entries += 1;
            let broken = || JournalFault::Broken(position + 1);
            let mut entry: Value = serde_json::from_slice(line).map_err(|_| broken())?;
            let revision = entry.get("revision").and_then(Value::as_u64).ok_or_else(broken)?;
            // Compacted lines stand in the order of names, not of revisions.
            header.revision = header.revision.max(revision);
            if let Some(object) = entry.get_mut("put") {
                let object = Object::from_value(object.take()).map_err(|_| broken())?;
                objects.insert(object.reference(), object);
            } else if let Some(gone) = entry.get("remove") {
                objects.remove(&reference_from(gone).ok_or_else(broken)?);
            } else {
                return Err(broken());
            }
        }
        let is_clean = end + 1 == bytes.len() && objects.len() == entries;
        let refuse = if is_clean { Refuse::None } else { Refuse::Some };
        Ok(Some(Recovered { header, objects: objects.into_values().collect(), refuse }))
    }

    /// Reads only the first line.
    pub(crate) fn read_header(path: &Path) -> Option<Header> {
        let mut first = String::new();
        io::BufReader::new(File::open(path).ok()?).read_line(&mut first).ok()?;
        Header::from_value(&serde_json::from_str(&first).ok()?)
    }

    /// Writes a journal that holds just these objects, in the place of whatever is there.
    pub(crate) fn create<'o>(
        path: &Path,
        header: &Header,
        objects: impl IntoIterator<Item = &'o Object>,
    ) -> Result<Self, JournalFault> {
        let fresh = path.with_extension("tmp");
        let mut bytes = line(&header.to_value());
        for object in objects {
            let revision = object.text(&["metadata", "resourceVersion"]).and_then(|text| text.parse().ok());
            bytes.extend(put_line(revision.unwrap_or(header.revision), object));
        }
        let mut file = File::create(&fresh)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        drop(file);
        fs::rename(&fresh, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Self::append_to(path, header)
    }

    /// Writes on in a journal without refuse.
    pub(crate) fn append_to(path: &Path, header: &Header) -> Result<Self, JournalFault> {
        Ok(Self {
            file: Mutex::new(OpenOptions::new().append(true).open(path)?),
            pending: Mutex::default(),
            durable: watch::Sender::new(Durable { revision: header.revision, failed: None }),
        })
    }

    /// How far the disk has come, to watch.
    pub(crate) fn durable(&self) -> watch::Receiver<Durable> {
        self.durable.subscribe()
    }

    /// Notes that an object was written; says whether a flush must be started.
    pub(crate) fn put(&self, revision: u64, object: &Object) -> FlushDue {
        self.queue(revision, &put_line(revision, object))
    }

    /// Notes that an object was removed; says whether a flush must be started.
    pub(crate) fn remove(&self, revision: u64, reference: &ObjectRef) -> FlushDue {
        let gone = json!({
            "group": reference.group, "kind": reference.kind,
            "namespace": reference.namespace, "name": reference.name,
        });
        self.queue(revision, &line(&json!({"revision": revision, "remove": gone})))
    }

    fn queue(&self, revision: u64, line: &[u8]) -> FlushDue {
        let mut pending = locked(&self.pending);
        pending.lines.extend_from_slice(line);
        pending.revision = revision;
        if std::mem::replace(&mut pending.flush_is_due, true) { FlushDue::Already } else { FlushDue::Now }
    }

    /// Brings everything noted so far to the disk.
    pub(crate) fn flush(&self) {
        let mut file = locked(&self.file);
        let (lines, revision) = {
            let mut pending = locked(&self.pending);
            pending.flush_is_due = false;
            (std::mem::take(&mut pending.lines), pending.revision)
        };
        if lines.is_empty() || self.durable.borrow().failed.is_some() {
            return;
        }
        let written = file.write_all(&lines).and_then(|()| file.sync_data());
        self.durable.send_modify(|durable| match written {
            Ok(()) => durable.revision = revision,
            Err(error) => durable.failed = Some(error.to_string()),
        });
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Whether a note was the first since the last flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlushDue {
    /// Somebody must flush.
    Now,
    /// A flush was asked for and has not begun.
    Already,
}

impl Header {
    fn from_value(value: &Value) -> Option<Self> {
        (value.get("stolosSandbox")?.as_u64()? == 1).then_some(())?;
        Some(Self {
            cluster: value.get("cluster")?.as_str()?.to_owned(),
            ca: value.get("ca")?.as_str()?.to_owned(),
            revision: value.get("revision")?.as_u64()?,
        })
    }

    fn to_value(&self) -> Value {
        json!({"stolosSandbox": 1, "cluster": self.cluster, "ca": self.ca, "revision": self.revision})
    }
}

fn line(value: &Value) -> Vec<u8> {
    let mut bytes = value.to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

fn put_line(revision: u64, object: &Object) -> Vec<u8> {
    // Written by hand around the object, which is not cloned for it.
    let mut bytes = format!("{{\"revision\":{revision},\"put\":").into_bytes();
    serde_json::to_writer(&mut bytes, object.as_map()).expect("maps with text keys are always JSON");
    bytes.extend_from_slice(b"}\n");
    bytes
}

fn reference_from(value: &Value) -> Option<ObjectRef> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(ObjectRef {
        group: text("group")?,
        kind: text("kind")?,
        namespace: text("namespace"),
        name: text("name")?,
    })
}
