//! The embedded charts as anybody's own: in archives.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::command::repository;

/// The charts that a mesh takes.
pub(crate) const CHARTS: [&str; 3] = ["base", "istiod", "gateway"];

/// Every file below a folder, by its path there.
pub(crate) fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below it").to_str().expect("UTF-8").to_owned();
                files.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    files
}

/// A .tgz with files.
pub(crate) fn tgz(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content.as_slice()).expect("memory");
    }
    tar.into_inner().and_then(GzEncoder::finish).expect("memory")
}

/// Embedded charts in a .tgz, each below a folder of its name.
pub(crate) fn packed(charts: &[&str]) -> Vec<u8> {
    packed_with(charts, &[])
}

/// The same with other files besides.
pub(crate) fn packed_with(charts: &[&str], others: &[(&str, &[u8])]) -> Vec<u8> {
    let below = |chart: &&str| {
        let files = files_below(&repository("src/chart/embedded").join(chart)).into_iter();
        files.map(|(path, content)| (format!("{chart}/{path}"), content)).collect::<Vec<_>>()
    };
    let others = others.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec()));
    tgz(charts.iter().flat_map(below).chain(others))
}
