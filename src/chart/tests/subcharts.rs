//! Charts with charts inside of them: what is refused, and bounds.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn files(files: &[(&str, &str)]) -> Files {
    let mut all: Files = [("Chart.yaml".to_owned(), b"name: small\nversion: 1.0.0\n".to_vec())].into();
    all.extend(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
    all
}

fn rendered_files(files: Files) -> Result<Vec<Manifest>, ChartError> {
    let capabilities = Capabilities::of_kubernetes("1.33").expect("a version");
    let release = ReleaseInfo::new("rel", "ns");
    render(&Chart::load(files)?, &serde_json::Value::Null, &release, &capabilities)
}

fn packed(files: &Files) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("folder/{path}"), content.as_slice()).expect("memory");
    }
    tar.into_inner().and_then(GzEncoder::finish).expect("memory")
}

#[test]
fn a_template_that_cannot_be_used_is_no_matter_while_its_chart_is_not_taken() {
    let chart = |enabled: bool| {
        files(&[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: small\nversion: 1.0.0\ndependencies:\n\
                 - { name: x, version: 1.0.0, condition: x.enabled }\n",
            ),
            ("values.yaml", if enabled { "x: { enabled: true }" } else { "x: { enabled: false }" }),
            ("charts/x/Chart.yaml", "name: x\nversion: 1.0.0\n"),
            ("charts/x/templates/a.yaml", "{{ now }}"),
        ])
    };
    assert_eq!(rendered_files(chart(false)), Ok(Vec::new()));
    let error = rendered_files(chart(true)).expect_err("the clock is read").to_string();
    assert!(error.starts_with("small: charts/x/templates/a.yaml:1:4: function `now` is refused"), "{error}");
}

#[test]
fn which_of_two_charts_is_meant_is_no_matter_of_chance() {
    let two = |dependencies: &str| {
        let error = rendered_files(files(&[
            ("Chart.yaml", &format!("name: small\nversion: 1.0.0\n{dependencies}")),
            ("charts/a/Chart.yaml", "name: x\nversion: 1.0.0\n"),
            ("charts/b/Chart.yaml", "name: x\nversion: 1.1.0\n"),
        ]));
        error.map(|manifests| manifests.len()).map_err(|error| error.to_string())
    };
    assert_eq!(two(""), Err("small: two subcharts are called `x`: one needs an alias".to_owned()));
    let either = "dependencies: [ { name: x, version: ^1.0 } ]";
    let more = "small: `charts` has more than one chart for the dependency `x`";
    assert_eq!(two(either), Err(more.to_owned()));
    let both = "dependencies: [ { name: x, version: ~1.0 }, { name: x, version: ~1.1, alias: y } ]";
    assert_eq!(two(both), Ok(0));
}

#[test]
fn charts_inside_of_charts_and_aliases_of_them_are_bounded() {
    let mut deep = files(&[]);
    for level in 0..17 {
        let folder = "charts/x/".repeat(level + 1);
        deep.insert(format!("{folder}Chart.yaml"), b"name: x\nversion: 1.0.0\n".to_vec());
    }
    let folder = "charts/x/".repeat(17);
    assert_eq!(
        rendered_files(deep).expect_err("too deep").to_string(),
        format!("small: {folder}Chart.yaml: charts lie in charts more than 16 levels deep")
    );

    let aliases: String =
        (0..1_000).map(|nth| format!("- {{ name: x, version: 1.0.0, alias: a{nth} }}\n")).collect();
    let many = files(&[
        ("Chart.yaml", &format!("name: small\nversion: 1.0.0\ndependencies:\n{aliases}")),
        ("charts/x/Chart.yaml", "name: x\nversion: 1.0.0\n"),
    ]);
    let error = rendered_files(many).expect_err("too many");
    assert_eq!(
        (error.to_string().as_str(), error.code().name),
        ("small: the chart has more than 1000 charts inside of it", "chart-limit")
    );
}

#[test]
fn archives_inside_of_a_chart_share_the_room_of_one() {
    let heavy = |name: &str| {
        let text = format!("name: {name}\nversion: 1.0.0\n");
        let mut heavy = files(&[("Chart.yaml", &text)]);
        for nth in 0..3 {
            heavy.insert(format!("zeros{nth}"), vec![0; 12 << 20]);
        }
        packed(&heavy)
    };
    let mut whole = files(&[]);
    whole.insert("charts/a.tgz".to_owned(), heavy("a"));
    assert_eq!(rendered_files(whole.clone()), Ok(Vec::new()));
    whole.insert("charts/b.tgz".to_owned(), heavy("b"));
    let error = rendered_files(whole).expect_err("more than one archive may hold");
    assert!(error.to_string().starts_with("small: charts/b.tgz: it holds more than "), "{error}");
    assert_eq!(error.code().name, "chart-archive");

    let mut inner = files(&[]);
    inner.insert("charts/b.tgz".to_owned(), heavy("b"));
    inner.insert("charts/a.tgz".to_owned(), heavy("a"));
    let mut outer = files(&[]);
    outer.insert("charts/inner.tgz".to_owned(), packed(&inner));
    let error = rendered_files(outer).expect_err("packed twice is no way around it").to_string();
    assert!(error.starts_with("small: charts/inner.tgz/charts/b.tgz: it holds more than "), "{error}");
}

#[test]
fn an_archive_inside_of_a_chart_leads_nowhere_else() {
    let with = |archive: Vec<u8>| {
        let mut whole = files(&[]);
        whole.insert("charts/a.tgz".to_owned(), archive);
        rendered_files(whole).expect_err("it is refused").to_string()
    };
    let raw = |name: &str, kind: tar::EntryType| {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_cksum();
        let mut tar = tar::Builder::new(Vec::new());
        tar.append(&header, &b""[..]).expect("memory");
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&tar.into_inner().expect("memory")).expect("memory");
        gzip.finish().expect("memory")
    };
    use tar::EntryType::{Regular, Symlink};
    assert_eq!(
        with(raw("../Chart.yaml", Regular)),
        "small: charts/a.tgz: `../Chart.yaml` leads out of the archive"
    );
    assert_eq!(with(raw("a/values.yaml", Symlink)), "small: charts/a.tgz: `a/values.yaml` is a link");
    assert_eq!(
        with(raw("Chart.yaml", Regular)),
        "small: charts/a.tgz: `Chart.yaml` lies in no folder, and a packed chart is one"
    );
    assert!(with(b"no archive".to_vec()).starts_with("small: charts/a.tgz: it is no whole gzip file"));
}
