//! Charts of a Helm repository on loopback: loaded down, pinned, and refused where the server misbehaves.
//!
//! The embedded charts serve as those that somebody publishes.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use stolos::chart::lock::ArchiveDigest;

use crate::support::archives::{CHARTS, files_below, packed, packed_with};
use crate::support::command::{Ran, command, repository, stolos, stolos_with};
use crate::support::meshes::topology_text;
use crate::support::published::{Answer, Published};
use crate::support::scratch::{of_this_run, scratch};

const FILE: &str = "primary-remote-multi-network.yaml";

/// A folder with a topology whose charts come from a source, as the topology names it.
fn mesh(test: &str, source: &str) -> PathBuf {
    let folder = scratch(test);
    let text = topology_text(FILE).replace("charts: embedded", &format!("charts: {source}"));
    fs::write(folder.join("mesh.yaml"), text).expect("scratch");
    folder
}

fn repo(server: &Published) -> String {
    format!("{{ repo: \"{}\" }}", server.url)
}

/// An index in which each chart lies where `file` says, with its digest.
fn index(file: impl Fn(&str) -> String) -> Vec<u8> {
    let mut text = "apiVersion: v1\nentries:\n".to_owned();
    for chart in CHARTS {
        let digest = ArchiveDigest::of(&packed(&[chart]));
        text.push_str(&format!(
            "  {chart}:\n  - {{ name: {chart}, version: 1.30.3, digest: {digest}, urls: ['{}'] }}\n  - {{ name: \
             {chart}, version: 1.29.6, urls: [old.tgz] }}\n",
            file(chart)
        ));
    }
    text.into_bytes()
}

fn archive_of(chart: &str) -> String {
    format!("{chart}-1.30.3.tgz")
}

/// A repository with the charts.
fn repository_of_charts() -> Published {
    filled(Published::start())
}

fn filled(server: Published) -> Published {
    server.put("/index.yaml", Answer::File(index(archive_of)));
    for chart in CHARTS {
        server.put(&format!("/{}", archive_of(chart)), Answer::File(packed(&[chart])));
    }
    server
}

fn vendor(folder: &Path) -> Ran {
    stolos(folder, &["vendor", "mesh.yaml"])
}

fn compile(folder: &Path) -> Ran {
    stolos(folder, &["compile", "mesh.yaml", "-o", "out"])
}

/// What was written besides the topology and what the test put there.
fn written(folder: &Path) -> Vec<String> {
    let ours = |path: &String| {
        path == "stolos.lock" || ["charts/", "out/", ".cache/"].iter().any(|start| path.starts_with(start))
    };
    files_below(folder).into_keys().filter(ours).collect()
}

/// The error of a run that had to fail and to leave nothing behind, without its help.
fn refused(folder: &Path, ran: Ran) -> Vec<String> {
    assert_eq!(ran.code, Some(1), "{ran}");
    assert_eq!(written(folder), [""; 0], "something was written: {ran}");
    assert_eq!(ran.stdout, "");
    let lines = ran.stderr.lines().filter(|line| !line.starts_with("Loading "));
    let lines = lines.take_while(|line| !line.starts_with("  help: ") && !line.contains("stolos explain"));
    lines.map(str::to_owned).collect()
}

/// The same with the server's URL left out.
fn said(folder: &Path, server: &Published, ran: Ran) -> Vec<String> {
    refused(folder, ran).into_iter().map(|line| line.replace(&server.url, "URL")).collect()
}

fn is_as_embedded(folder: &Path) {
    let golden = files_below(&repository("golden/primary-remote-multi-network")).into_iter();
    let expected: Vec<_> =
        golden.filter(|(path, _)| path == "order.txt" || path.starts_with("cluster")).collect();
    let found: Vec<_> = files_below(&folder.join("out")).into_iter().collect();
    assert!(found == expected, "it is not what the embedded charts compile to");
}

#[test]
fn charts_of_a_repository_are_vendored_and_compile_without_a_network() {
    let server = repository_of_charts();
    let folder = mesh("vendor-repository", &repo(&server));
    let ran = vendor(&folder);
    let digest = |chart: &str| ArchiveDigest::of(&packed(&[chart])).to_string()[..12].to_owned();
    assert_eq!(
        ran.to_string(),
        format!(
            "------- stderr -------\n\
             Loading base, istiod, gateway 1.30.3 down from {}\n\
             + base     1.30.3  sha256:{}  charts/base-1.30.3.tgz\n\
             + istiod   1.30.3  sha256:{}  charts/istiod-1.30.3.tgz\n\
             + gateway  1.30.3  sha256:{}  charts/gateway-1.30.3.tgz\n\
             stolos.lock pins them. Commit it and the archives: other commands then need no network.\n\
             [exit 0]\n",
            server.url,
            digest("base"),
            digest("istiod"),
            digest("gateway")
        )
    );
    assert_eq!(server.seen().len(), 4, "an index and three archives");
    server.forget();
    fs::remove_dir_all(folder.join(".cache")).expect("a cache was filled");
    let ran = compile(&folder);
    assert_eq!(ran.code, Some(0), "{ran}");
    is_as_embedded(&folder);

    let lock = fs::read(folder.join("stolos.lock")).expect("a lock");
    let again = vendor(&folder);
    assert_eq!(again.code, Some(0), "{again}");
    assert!(again.stderr.ends_with("stolos.lock pinned them already, and nothing has changed.\n"), "{again}");
    assert_eq!(fs::read(folder.join("stolos.lock")).expect("a lock"), lock);
    assert_eq!(server.seen(), [], "the network was used");
}

#[test]
fn a_lock_alone_is_enough_and_archives_are_cached_by_their_digest() {
    let server = repository_of_charts();
    let folder = mesh("vendor-lock-only", &repo(&server));
    let ran = stolos(&folder, &["vendor", "--lock-only", "mesh.yaml"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(!folder.join("charts").exists());
    server.forget();
    assert_eq!(compile(&folder).code, Some(0));
    assert_eq!(server.seen(), [], "they were in the cache");

    let cache = folder.join(".cache/stolos/charts");
    let spoilt =
        fs::read_dir(&cache).expect("a cache").next().expect("an archive").expect("an archive").path();
    fs::write(&spoilt, b"spoilt").expect("scratch");
    fs::remove_dir_all(folder.join("out")).expect("scratch");
    let ran = compile(&folder);
    assert_eq!(ran.code, Some(0), "{ran}");
    is_as_embedded(&folder);
    assert_eq!(server.seen().len(), 2, "the index, and the one archive that was spoilt");
    assert_ne!(fs::read(&spoilt).expect("it is back"), b"spoilt");

    // A cache that cannot be written is done without.
    fs::remove_dir_all(folder.join(".cache")).expect("scratch");
    fs::write(folder.join(".cache"), b"no folder").expect("scratch");
    let ran = compile(&folder);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn nothing_is_rendered_from_what_is_not_pinned() {
    let server = repository_of_charts();
    let folder = mesh("vendor-unpinned", &repo(&server));
    let missing = format!("error[charts-not-pinned]: stolos.lock does not pin base 1.30.3 of {}", server.url);
    assert_eq!(refused(&folder, compile(&folder)), [missing]);
    assert_eq!(server.seen(), []);

    assert_eq!(vendor(&folder).code, Some(0));
    let text = fs::read_to_string(folder.join("mesh.yaml")).expect("scratch");
    fs::write(folder.join("mesh.yaml"), text.replace("1.30.3", "1.29.6")).expect("scratch");
    let ran = compile(&folder);
    assert_eq!(ran.code, Some(1), "{ran}");
    let said: Vec<&str> = ran.stderr.lines().take(3).collect();
    let missing = format!("error[charts-not-pinned]: stolos.lock does not pin base 1.29.6 of {}", server.url);
    assert_eq!(said, [missing.as_str(), "  it pins 1.30.3", "  help: stolos vendor mesh.yaml"]);
}

#[test]
fn other_bytes_than_the_pinned_are_refused_wherever_they_come_from() {
    let server = repository_of_charts();
    let folder = mesh("vendor-mismatch", &repo(&server));
    assert_eq!(vendor(&folder).code, Some(0));
    let pinned = ArchiveDigest::of(&packed(&["istiod"]));
    let other = packed(&["istiod", "base"]);
    let facts =
        [format!("  pinned  sha256:{pinned}"), format!("  found   sha256:{}", ArchiveDigest::of(&other))];
    let said = |ran: Ran| -> Vec<String> {
        assert_eq!(ran.code, Some(1), "{ran}");
        let lines = ran.stderr.lines().filter(|line| !line.starts_with("Loading "));
        lines.take_while(|line| !line.starts_with("  help: ")).map(str::to_owned).collect()
    };

    let vendored = folder.join("charts/istiod-1.30.3.tgz");
    fs::write(&vendored, &other).expect("scratch");
    let message = "error[chart-digest-mismatch]: charts/istiod-1.30.3.tgz is not what stolos.lock pins";
    for ran in [compile(&folder), vendor(&folder), stolos(&folder, &["plan", "--sandbox", "mesh.yaml"])] {
        assert_eq!(said(ran), [message, &facts[0], &facts[1]]);
    }
    assert_eq!(fs::read(&vendored).expect("it stays"), other, "it was written over");

    // The server hands them out, with a digest in its index that fits.
    fs::remove_file(&vendored).expect("scratch");
    fs::remove_dir_all(folder.join(".cache")).expect("scratch");
    server.put("/istiod-1.30.3.tgz", Answer::File(other.clone()));
    let index = String::from_utf8(index(archive_of)).expect("text");
    let index = index.replace(&pinned.to_string(), &ArchiveDigest::of(&other).to_string());
    server.put("/index.yaml", Answer::File(index.into_bytes()));
    let message =
        format!("error[chart-digest-mismatch]: istiod 1.30.3 of {} is not what stolos.lock pins", server.url);
    for ran in [compile(&folder), vendor(&folder)] {
        assert_eq!(said(ran), [message.clone(), facts[0].clone(), facts[1].clone()]);
    }
    assert!(!vendored.exists());
}

#[test]
fn servers_that_hand_out_something_else_are_told_so() {
    let server = repository_of_charts();
    let folder = mesh("vendor-broken", &repo(&server));
    let broken = |target: &str, answer: Answer| {
        server.put(target, answer);
        let said = said(&folder, &server, vendor(&folder));
        filled_again(&server);
        said
    };
    let index_is = |text: &str| Answer::File(text.as_bytes().to_vec());
    assert_eq!(
        broken("/index.yaml", index_is("<!doctype html><title>Welcome</title>")),
        [
            "error[chart-source-broken]: URL/index.yaml is not what it should be",
            "  it is no index of a Helm repository: it has no `entries`",
            "  named in mesh.yaml:6"
        ]
    );
    assert_eq!(
        broken("/index.yaml", index_is("entries: { base: [{ version: 1.29.1, urls: [x] }] }")),
        [
            "error[chart-not-published]: URL has no chart base 1.30.3",
            "  it has 1.29.1",
            "  named in mesh.yaml:6"
        ]
    );
    let archive = "/base-1.30.3.tgz";
    let other = packed(&["gateway"]);
    assert_eq!(
        broken(archive, Answer::File(other.clone())),
        [
            "error[chart-source-broken]: URL/base-1.30.3.tgz is not what it should be".to_owned(),
            format!(
                "  its SHA-256 is {}, and the index of the repository says {}",
                ArchiveDigest::of(&other),
                ArchiveDigest::of(&packed(&["base"]))
            ),
            "  named in mesh.yaml:6".to_owned()
        ]
    );
    assert_eq!(
        broken(archive, Answer::Status(404, Vec::new(), Vec::new())),
        ["error[chart-source-unreachable]: URL/base-1.30.3.tgz answers 404", "  named in mesh.yaml:6"]
    );
    assert_eq!(
        broken(archive, Answer::Status(403, Vec::new(), Vec::new())),
        [
            "error[chart-source-denied]: URL/base-1.30.3.tgz answers 403",
            "  nobody has told Helm or Docker of credentials for it",
            "  named in mesh.yaml:6"
        ]
    );
    for target in ["/index.yaml", archive] {
        assert_eq!(
            broken(target, Answer::Endless),
            [
                format!("error[chart-source-broken]: URL{target} is not what it should be").as_str(),
                "  the answer has more than 33554432 bytes",
                "  named in mesh.yaml:6"
            ]
        );
    }
}

fn filled_again(server: &Published) {
    server.put("/index.yaml", Answer::File(index(archive_of)));
    for chart in CHARTS {
        server.put(&format!("/{}", archive_of(chart)), Answer::File(packed(&[chart])));
    }
}

/// A repository whose index says nothing of digests: all that is left is what the archives are.
fn without_digests(server: &Published) {
    let text = String::from_utf8(index(archive_of)).expect("text");
    let lines = text.lines().map(|line| match line.find("digest: ") {
        Some(at) => format!("{}{}", &line[..at], &line[at + "digest: , ".len() + 64..]),
        None => line.to_owned(),
    });
    server.put("/index.yaml", Answer::File(lines.collect::<Vec<_>>().join("\n").into_bytes()));
}

#[test]
fn archives_that_are_none_or_of_another_chart_are_not_pinned() {
    let server = repository_of_charts();
    without_digests(&server);
    let folder = mesh("vendor-no-archive", &repo(&server));
    let whole = packed(&["base"]);
    let mut spoilt = whole.clone();
    let middle = spoilt.len() / 2;
    spoilt[middle] ^= 0xff;
    let version: &[u8] = b"apiVersion: v2\nname: base\nversion: 1.29.6\n";
    let of_another_version = packed_with(&[], &[("base/Chart.yaml", version)]);
    for (bytes, code) in [
        (b"no archive".to_vec(), "chart-archive"),
        (Vec::new(), "chart-archive"),
        (whole[..whole.len() / 2].to_vec(), "chart-archive"),
        (spoilt, "chart-archive"),
        (of_another_version, "chart-files"),
        (packed(&["istiod"]), "chart-files"),
    ] {
        server.put("/base-1.30.3.tgz", Answer::File(bytes));
        let said = said(&folder, &server, vendor(&folder));
        assert!(said[0].starts_with(&format!("error[{code}]: ")), "{said:?}");
    }
    server.put("/base-1.30.3.tgz", Answer::File(whole));
    let ran = vendor(&folder);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn connections_that_break_and_servers_that_are_busy_are_asked_again() {
    let server = repository_of_charts();
    let folder = mesh("vendor-again", &repo(&server));
    let whole = packed(&["base"]);
    let busy = Answer::Status(503, Vec::new(), Vec::new());
    server.put_all("/index.yaml", [busy.clone(), busy.clone(), Answer::File(index(archive_of))]);
    server.put_all("/base-1.30.3.tgz", [Answer::Half(whole.clone()), Answer::File(whole.clone())]);
    let ran = vendor(&folder);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!((server.count("/index.yaml"), server.count("/base-1.30.3.tgz")), (3, 2));

    let folder = mesh("vendor-given-up", &repo(&server));
    server.forget();
    server.put("/base-1.30.3.tgz", Answer::Half(whole));
    let cut = said(&folder, &server, vendor(&folder));
    assert_eq!(cut[0], "error[chart-source-unreachable]: URL/base-1.30.3.tgz cannot be reached");
    assert!(cut.iter().any(|line| line.contains("end of file before message length reached")), "{cut:?}");
    assert_eq!(server.count("/base-1.30.3.tgz"), 3);
    server.put("/index.yaml", busy);
    let busy = said(&folder, &server, vendor(&folder));
    assert_eq!(busy[0], "error[chart-source-unreachable]: URL/index.yaml answers 503");

    let nobody = "http://127.0.0.1:1";
    let folder = mesh("vendor-nobody", &format!("{{ repo: \"{nobody}\" }}"));
    let said = refused(&folder, vendor(&folder));
    assert_eq!(said[0], "error[chart-source-unreachable]: http://127.0.0.1:1/index.yaml cannot be reached");
    assert!(said.iter().any(|line| line.contains("Connection refused")), "{said:?}");
}

#[test]
fn a_server_that_says_nothing_is_given_up_in_time() {
    let server = repository_of_charts();
    let folder = mesh("vendor-slow", &repo(&server));
    for target in ["/index.yaml", "/istiod-1.30.3.tgz"] {
        server.put(target, Answer::Silence);
        let ran = stolos(&folder, &["vendor", "--timeout", "1s", "mesh.yaml"]);
        assert_eq!(
            said(&folder, &server, ran),
            [
                "error[chart-source-unreachable]: URL did not hand over its charts in 1s",
                "  named in mesh.yaml:6"
            ]
        );
        filled_again(&server);
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_is_killed_while_it_loads_leaves_nothing_half_written() {
    let server = repository_of_charts();
    let folder = mesh("vendor-killed", &repo(&server));
    server.put("/gateway-1.30.3.tgz", Answer::Silence);
    let mut child =
        command(&folder, &["vendor", "mesh.yaml"]).stderr(Stdio::piped()).spawn().expect("it starts");
    while server.count("/gateway-1.30.3.tgz") == 0 {
        std::thread::yield_now();
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("UTF-8");
    assert_eq!(written(&folder), [""; 0], "{said}");
    filled_again(&server);
    let ran = vendor(&folder);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn redirections_are_followed_but_not_in_circles_nor_with_a_password() {
    let (server, other) = (Published::start(), repository_of_charts());
    let to = |url: String| Answer::Status(302, vec![("location", url)], Vec::new());
    server.put("/index.yaml", Answer::File(index(archive_of)));
    for chart in CHARTS {
        server.put(&format!("/{}", archive_of(chart)), to(format!("{}/{}", other.url, archive_of(chart))));
    }
    let folder = mesh("vendor-redirected", &repo(&server));
    fs::write(
        folder.join("repositories.yaml"),
        format!(
            "repositories:\n- {{ name: x, url: \"{}/\", username: me, password: hunter2 }}\n",
            server.url
        ),
    )
    .expect("scratch");
    let known = [("HELM_REPOSITORY_CONFIG", "repositories.yaml")];
    let ran = stolos_with(&folder, &["vendor", "mesh.yaml"], &known);
    assert_eq!(ran.code, Some(0), "{ran}");
    let told = |server: &Published| -> Vec<Option<String>> {
        server.seen().into_iter().map(|asked| asked.authorization).collect()
    };
    // me:hunter2
    assert_eq!(told(&server), vec![Some("Basic bWU6aHVudGVyMg==".to_owned()); 4]);
    assert_eq!(told(&other), vec![None; 3], "a password was told to another server");

    // An index may name another server outright.
    other.forget();
    let elsewhere = other.url.clone();
    server.put("/index.yaml", Answer::File(index(|chart| format!("{elsewhere}/{}", archive_of(chart)))));
    let folder = mesh("vendor-elsewhere", &repo(&server));
    fs::copy(scratch_of("vendor-redirected").join("repositories.yaml"), folder.join("repositories.yaml"))
        .expect("scratch");
    let ran = stolos_with(&folder, &["vendor", "mesh.yaml"], &known);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(told(&other), vec![None; 3], "a password was told to another server");

    let folder = mesh("vendor-circle", &repo(&server));
    server.put("/index.yaml", to("/index.yaml".to_owned()));
    assert_eq!(
        said(&folder, &server, vendor(&folder)),
        [
            "error[chart-source-broken]: URL/index.yaml is not what it should be",
            "  it leads on more than 10 times",
            "  named in mesh.yaml:6"
        ]
    );
}

/// The folder of another test, which ran before in the same test.
fn scratch_of(test: &str) -> PathBuf {
    of_this_run().join(test)
}

#[test]
fn an_authority_of_ones_own_is_named_by_the_topology_or_by_the_environment() {
    let server = filled(Published::start_with_tls());
    let authority = server.authority.clone().expect("it speaks TLS");
    let folder = mesh("vendor-tls", &repo(&server));
    let unknown = said(&folder, &server, vendor(&folder));
    assert_eq!(unknown[0], "error[chart-source-unreachable]: URL/index.yaml cannot be reached");
    assert!(unknown.iter().any(|line| line.contains("UnknownIssuer")), "{unknown:?}");

    fs::write(folder.join("ca.pem"), &authority).expect("scratch");
    let ran = stolos_with(&folder, &["vendor", "mesh.yaml"], &[("SSL_CERT_FILE", "ca.pem")]);
    assert_eq!(ran.code, Some(0), "{ran}");

    let folder = mesh("vendor-tls-named", &format!("{{ repo: \"{}\", ca: ca.pem }}", server.url));
    assert_eq!(refused(&folder, vendor(&folder))[0], "error[file-unreadable]: ca.pem cannot be read");
    fs::write(folder.join("ca.pem"), "no certificate").expect("scratch");
    let said = refused(&folder, vendor(&folder));
    assert!(said[1].contains("`ca`"), "{said:?}");
    fs::write(folder.join("ca.pem"), &authority).expect("scratch");
    let ran = vendor(&folder);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn a_redirection_does_not_lead_away_from_tls() {
    let (server, plain) = (Published::start_with_tls(), repository_of_charts());
    server.put(
        "/index.yaml",
        Answer::Status(302, vec![("location", format!("{}/index.yaml", plain.url))], Vec::new()),
    );
    let folder = mesh("vendor-downgrade", &format!("{{ repo: \"{}\", ca: ca.pem }}", server.url));
    fs::write(folder.join("ca.pem"), server.authority.as_deref().expect("TLS")).expect("scratch");
    assert_eq!(
        said(&folder, &server, vendor(&folder)),
        [
            "error[chart-source-broken]: URL/index.yaml is not what it should be".to_owned(),
            format!("  it leads from https to {}/index.yaml", plain.url),
            "  named in mesh.yaml:6".to_owned()
        ]
    );
    assert_eq!(plain.seen(), []);
}

#[test]
fn proxies_of_the_environment_are_honoured() {
    // Plain HTTP: the proxy is asked for the whole URL, of a server that nobody reaches otherwise.
    let proxy = Published::start();
    let away = "http://charts.example.com";
    proxy.put(&format!("{away}/index.yaml"), Answer::File(index(archive_of)));
    for chart in CHARTS {
        proxy.put(&format!("{away}/{}", archive_of(chart)), Answer::File(packed(&[chart])));
    }
    let folder = mesh("vendor-proxy", &format!("{{ repo: \"{away}\" }}"));
    let ran = stolos_with(&folder, &["vendor", "mesh.yaml"], &[("http_proxy", &proxy.url)]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(proxy.seen().len(), 4);

    // TLS: the proxy passes it on and reads nothing.
    let server = filled(Published::start_with_tls());
    let proxy = Published::start();
    proxy.put(server.host(), Answer::Tunnel(server.host().to_owned()));
    let source = format!("{{ repo: \"{}\", ca: ca.pem }}", server.url);
    let folder = mesh("vendor-proxy-tls", &source);
    fs::write(folder.join("ca.pem"), server.authority.as_deref().expect("TLS")).expect("scratch");
    let ran = stolos_with(&folder, &["vendor", "mesh.yaml"], &[("HTTPS_PROXY", &proxy.url)]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(proxy.count(server.host()) > 0);
    assert_eq!(server.count("/index.yaml"), 1);

    let folder = mesh("vendor-no-proxy", &source);
    fs::write(folder.join("ca.pem"), server.authority.as_deref().expect("TLS")).expect("scratch");
    proxy.forget();
    let around = [("HTTPS_PROXY", proxy.url.as_str()), ("NO_PROXY", "127.0.0.1")];
    let ran = stolos_with(&folder, &["vendor", "mesh.yaml"], &around);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(proxy.seen(), []);
}

#[test]
fn a_folder_of_ones_own_is_found_again_from_the_lock() {
    let server = repository_of_charts();
    let folder = mesh("vendor-dir", &repo(&server));
    fs::create_dir(folder.join("prod")).expect("scratch");
    fs::rename(folder.join("mesh.yaml"), folder.join("prod/mesh.yaml")).expect("scratch");
    fs::create_dir(folder.join("prod/ca")).expect("scratch");
    let ran = stolos(&folder, &["vendor", "prod", "--dir", "third-party/istio"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let lock = fs::read_to_string(folder.join("prod/stolos.lock")).expect("beside the topology");
    assert!(lock.contains("file = \"../third-party/istio/base-1.30.3.tgz\""), "{lock}");
    server.forget();
    fs::remove_dir_all(folder.join(".cache")).expect("scratch");
    let ran = stolos(&folder, &["compile", "prod", "-o", "out"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(server.seen(), []);
}

#[test]
fn a_node_agent_is_vendored_where_the_topology_has_one() {
    let server = repository_of_charts();
    let chart: &[u8] = b"apiVersion: v2\nname: cni\nversion: 1.30.3\n";
    let template: &[u8] = b"apiVersion: v1\nkind: ConfigMap\nmetadata: { name: agent }\n";
    let agent = packed_with(&[], &[("cni/Chart.yaml", chart), ("cni/templates/agent.yaml", template)]);
    let mut index = index(archive_of);
    index.extend_from_slice(b"  cni:\n  - { name: cni, version: 1.30.3, urls: [cni.tgz] }\n");
    server.put("/index.yaml", Answer::File(index));
    server.put("/cni.tgz", Answer::File(agent));
    let folder = mesh("vendor-cni", &format!("{}, cni: enabled", repo(&server)));
    let ran = vendor(&folder);
    assert_eq!(ran.code, Some(0), "{ran}");
    let archives: Vec<String> =
        written(&folder).into_iter().filter(|path| path.starts_with("charts/")).collect();
    assert_eq!(
        archives,
        ["base", "cni", "gateway", "istiod"].map(|chart| format!("charts/{chart}-1.30.3.tgz"))
    );
    let lock = fs::read_to_string(folder.join("stolos.lock")).expect("a lock");
    assert!(lock.contains("file = \"charts/cni-1.30.3.tgz\""), "{lock}");
}

#[test]
fn what_is_not_published_anywhere_is_not_vendored() {
    for (source, from) in [("embedded", "from the binary"), ("{ path: charts }", "from charts")] {
        let folder = mesh("vendor-nothing", source);
        let ran = vendor(&folder);
        assert_eq!(
            refused(&folder, ran),
            [format!(
                "error[nothing-to-vendor]: there is nothing to load down: mesh.yaml takes its charts {from}"
            )]
        );
    }
}

#[test]
fn a_saved_plan_is_bound_to_what_the_lock_pins() {
    let server = repository_of_charts();
    let folder = mesh("vendor-saved", &repo(&server));
    assert_eq!(vendor(&folder).code, Some(0));
    let planned = stolos(&folder, &["plan", "--sandbox", "--out", "mesh.plan", "mesh.yaml"]);
    assert_eq!(planned.code, Some(0), "{planned}");
    assert!(planned.stdout.starts_with(&format!(
        "Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.3 (charts of {})\n",
        server.url
    )));
    // Somebody pins another chart, and means it.
    let other = packed_with(&["base"], &[("base/files/note.txt", b"another")]);
    let lock = fs::read_to_string(folder.join("stolos.lock")).expect("a lock");
    let digest = |bytes: &[u8]| ArchiveDigest::of(bytes).to_string();
    let changed = lock.replace(&digest(&packed(&["base"])), &digest(&other));
    fs::write(folder.join("stolos.lock"), changed).expect("scratch");
    fs::write(folder.join("charts/base-1.30.3.tgz"), other).expect("scratch");
    let applied = stolos(&folder, &["apply", "mesh.plan"]);
    assert_eq!(applied.code, Some(1), "{applied}");
    let said: Vec<&str> = applied.stderr.lines().take(2).collect();
    assert_eq!(
        said,
        ["error[plan-stale]: mesh.plan is no longer what an apply would do", "  stolos.lock was changed"]
    );
}
