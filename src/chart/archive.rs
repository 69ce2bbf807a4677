//! A .tgz, as Helm packs charts, to the files in it.
//!
//! Bytes enter and files leave, in memory: nothing is unpacked to a disk. An archive that holds anything but
//! files and folders, or names one outside of itself, is refused whole, and so is one that becomes too large.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Component;

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};

use super::meter::MOST_FILE;

/// Files by path, with `/` between its parts.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The most bytes that an archive may hold. Istio's charts together have two million.
const MOST_BYTES: u64 = 64 << 20;
/// The most files and folders that it may hold.
const MOST_ENTRIES: usize = 10_000;

/// What archives may still unpack to. A chart's own archives share one, so that no number of them is more.
#[derive(Debug)]
pub(super) struct Room {
    bytes: u64,
    entries: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { bytes: MOST_BYTES, entries: MOST_ENTRIES }
    }
}

/// The files of a .tgz; the error says what is wrong with it.
pub fn files_of(bytes: &[u8]) -> Result<Files, String> {
    files_within(bytes, &mut Room::default())
}

/// The files of a .tgz, as far as there is room for them.
pub(super) fn files_within(bytes: &[u8], room: &mut Room) -> Result<Files, String> {
    let mut unpacked = Vec::new();
    let most = room.bytes + 1;
    MultiGzDecoder::new(bytes)
        .take(most)
        .read_to_end(&mut unpacked)
        .map_err(|error| format!("it is no whole gzip file: {error}"))?;
    if unpacked.len() as u64 == most {
        return Err(format!("it holds more than {MOST_BYTES} bytes"));
    }
    room.bytes -= unpacked.len() as u64;
    let mut files = Files::new();
    let mut archive = Archive::new(unpacked.as_slice());
    let broken = |error: std::io::Error| format!("it is no whole tar file: {error}");
    for entry in archive.entries().map_err(broken)? {
        room.entries = room
            .entries
            .checked_sub(1)
            .ok_or_else(|| format!("it holds more than {MOST_ENTRIES} files and folders"))?;
        let mut entry = entry.map_err(broken)?;
        let path = path_of(&entry)?;
        match entry.header().entry_type() {
            EntryType::Regular => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            EntryType::Symlink | EntryType::Link => return Err(format!("`{path}` is a link")),
            _ => return Err(format!("`{path}` is neither a file nor a folder")),
        }
        if entry.size() > MOST_FILE as u64 {
            return Err(format!("`{path}` has more than {MOST_FILE} bytes"));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(broken)?;
        if files.insert(path.clone(), content).is_some() {
            return Err(format!("it holds `{path}` twice"));
        }
    }
    Ok(files)
}

fn path_of(entry: &tar::Entry<'_, impl Read>) -> Result<String, String> {
    let path = entry.path().map_err(|error| format!("a name in it cannot be read: {error}"))?;
    let shown = path.display();
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => match part.to_str() {
                Some(part) if !part.contains(['\\', '\0']) => parts.push(part),
                Some(_) | None => return Err(format!("`{shown}` is no name of a file in a chart")),
            },
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(format!("`{shown}` leads out of the archive"));
            }
        }
    }
    Ok(parts.join("/"))
}

/// The charts among files: each with the path of its folder, and its files by their paths in it.
///
/// What lies in a chart's own `charts` folder is a part of it.
pub fn charts_in(files: Files) -> Vec<(String, Files)> {
    let of_root = |path: &str| -> Option<String> {
        match path.strip_suffix("Chart.yaml")? {
            "" => Some(String::new()),
            folder => folder.strip_suffix('/').map(str::to_owned),
        }
    };
    // A folder comes before what is in it.
    let mut roots: Vec<String> = Vec::new();
    let mut folders: Vec<String> = files.keys().filter_map(|path| of_root(path)).collect();
    folders.sort_unstable_by_key(|folder| (folder.matches('/').count(), folder.clone()));
    for folder in folders {
        let is_inside = |root: &String| root.is_empty() || below(&folder, root).is_some();
        if !roots.iter().any(is_inside) {
            roots.push(folder);
        }
    }
    let mut charts: BTreeMap<String, Files> = roots.into_iter().map(|root| (root, Files::new())).collect();
    for (path, content) in files {
        let of_chart = charts.iter_mut().find_map(|(root, files)| {
            let inner = if root.is_empty() { Some(path.as_str()) } else { below(&path, root) };
            Some((files, inner?.to_owned()))
        });
        if let Some((files, inner)) = of_chart {
            files.insert(inner, content);
        }
    }
    charts.into_iter().collect()
}

/// The rest of a path below a folder.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    path.strip_prefix(folder)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    fn packed(tar: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(tar).expect("memory");
        gzip.finish().expect("memory")
    }

    fn header(name: &str, kind: EntryType, size: u64) -> Header {
        let mut header = Header::new_gnu();
        // Written as they are: a builder refuses what an attacker writes.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        header
    }

    fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, kind, content) in entries {
            builder.append(&header(name, *kind, content.len() as u64), *content).expect("memory");
        }
        packed(&builder.into_inner().expect("memory"))
    }

    #[test]
    fn files_keep_their_paths_and_folders_are_none() {
        let archive = archive(&[
            ("base", EntryType::Directory, b""),
            ("./base/Chart.yaml", EntryType::Regular, b"name: base"),
            ("base/templates/a.yaml", EntryType::Regular, b"a"),
        ]);
        let files = files_of(&archive).expect("an archive");
        let shown: Vec<(&str, &[u8])> =
            files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect();
        assert_eq!(shown, [("base/Chart.yaml", &b"name: base"[..]), ("base/templates/a.yaml", b"a")]);
    }

    #[test]
    fn what_leads_out_of_the_archive_is_refused() {
        for name in ["../a", "base/../../a", "/etc/passwd", "base/..\\..\\a"] {
            let error = files_of(&archive(&[(name, EntryType::Regular, b"x")])).expect_err(name);
            assert!(error.contains("leads out") || error.contains("no name"), "{name}: {error}");
        }
        for kind in [EntryType::Symlink, EntryType::Link] {
            let error = files_of(&archive(&[("base/values.yaml", kind, b"")])).expect_err("a link");
            assert_eq!(error, "`base/values.yaml` is a link");
        }
        for kind in [EntryType::Fifo, EntryType::Char, EntryType::Block] {
            let error = files_of(&archive(&[("base/x", kind, b"")])).expect_err("a device");
            assert_eq!(error, "`base/x` is neither a file nor a folder");
        }
    }

    #[test]
    fn bombs_and_broken_archives_are_refused() {
        let zeros = vec![0; 1 << 20];
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        (0..=MOST_BYTES >> 20).for_each(|_| gzip.write_all(&zeros).expect("memory"));
        let bomb = gzip.finish().expect("memory");
        assert!(bomb.len() < 1 << 20);
        assert_eq!(files_of(&bomb).unwrap_err(), "it holds more than 67108864 bytes");

        let names: Vec<String> = (0..=MOST_ENTRIES).map(|nth| format!("f{nth}")).collect();
        let many: Vec<(&str, EntryType, &[u8])> =
            names.iter().map(|name| (name.as_str(), EntryType::Regular, &b""[..])).collect();
        assert_eq!(files_of(&archive(&many)).unwrap_err(), "it holds more than 10000 files and folders");

        let twice = [("a", EntryType::Regular, &b"1"[..]), ("./a", EntryType::Regular, b"2")];
        assert_eq!(files_of(&archive(&twice)).unwrap_err(), "it holds `a` twice");

        let whole = archive(&[("a", EntryType::Regular, &[7; 4000])]);
        for end in [0, 1, 10, whole.len() / 2, whole.len() - 1] {
            assert!(files_of(&whole[..end]).is_err(), "{end} of {} bytes", whole.len());
        }
        assert!(files_of(b"no archive").is_err());
        assert!(files_of(&packed(b"no tar file, and longer than that")).is_err());
        let mut claims = header("a", EntryType::Regular, 1 << 40).as_bytes().to_vec();
        claims.extend([0; 512]);
        assert_eq!(files_of(&packed(&claims)).unwrap_err(), "`a` has more than 16777216 bytes");
    }

    #[test]
    fn charts_are_folders_with_a_chart_file_and_those_inside_belong_to_them() {
        let files =
            |paths: &[&str]| -> Files { paths.iter().map(|path| ((*path).to_owned(), Vec::new())).collect() };
        let shown = |paths: &[&str]| -> Vec<(String, Vec<String>)> {
            let charts = charts_in(files(paths)).into_iter();
            charts.map(|(folder, files)| (folder, files.into_keys().collect())).collect()
        };
        assert_eq!(
            shown(&["README.md", "a/Chart.yaml", "a/charts/b/Chart.yaml", "ab/Chart.yaml", "ab/values.yaml"]),
            [
                ("a".to_owned(), vec!["Chart.yaml".to_owned(), "charts/b/Chart.yaml".to_owned()]),
                ("ab".to_owned(), vec!["Chart.yaml".to_owned(), "values.yaml".to_owned()]),
            ]
        );
        assert_eq!(
            shown(&["Chart.yaml", "a/Chart.yaml"]),
            [(String::new(), vec!["Chart.yaml".to_owned(), "a/Chart.yaml".to_owned()])]
        );
    }
}
