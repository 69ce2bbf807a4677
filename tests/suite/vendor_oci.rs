//! Charts of an OCI registry: a real one on loopback, and ones that lie.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stolos::chart::lock::ArchiveDigest;

use crate::support::archives::{CHARTS, files_below, packed};
use crate::support::command::{Ran, repository, stolos, stolos_with};
use crate::support::meshes::topology_text;
use crate::support::published::{Answer, Published};
use crate::support::registry::Registry;
use crate::support::scratch::scratch;

const FILE: &str = "primary-remote-multi-network.yaml";
const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";

fn mesh(test: &str, host: &str) -> PathBuf {
    let folder = scratch(test);
    let source = format!("charts: {{ oci: \"oci://{host}/istio/charts\" }}");
    fs::write(folder.join("mesh.yaml"), topology_text(FILE).replace("charts: embedded", &source))
        .expect("scratch");
    folder
}

fn vendor(folder: &Path) -> Ran {
    stolos(folder, &["vendor", "mesh.yaml"])
}

/// The error of a run that had to fail and to leave nothing behind, without its help.
fn refused(folder: &Path, host: &str, ran: Ran) -> Vec<String> {
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(!folder.join("stolos.lock").exists() && !folder.join("charts").exists(), "something was written");
    let lines = ran.stderr.lines().filter(|line| !line.starts_with("Loading "));
    let lines = lines.take_while(|line| !line.contains("stolos explain"));
    lines.map(|line| line.replace(host, "HOST")).collect()
}

/// The archives of the charts in a folder, as `helm push` takes them.
fn archives(folder: &Path) -> Vec<PathBuf> {
    let path = |chart: &&str| {
        let path = folder.join(format!("{chart}-1.30.3.tgz"));
        fs::write(&path, packed(&[chart])).expect("scratch");
        path
    };
    CHARTS.iter().map(path).collect()
}

#[test]
#[ignore = "takes a registry and helm: tests/tools/build-registry, tests/tools/build-helm"]
fn charts_of_a_real_registry_are_vendored_and_compile_without_a_network() {
    let registry = Registry::start();
    let folder = mesh("oci-real", &registry.host);
    assert_eq!(
        refused(&folder, &registry.host, vendor(&folder)),
        [
            "error[chart-not-published]: oci://HOST/istio/charts has no chart base 1.30.3",
            "  named in mesh.yaml:6"
        ]
    );
    for archive in archives(&scratch("oci-real-pushed")) {
        registry.push(&archive, "istio/charts", None);
    }
    let ran = vendor(&folder);
    assert_eq!(ran.code, Some(0), "{ran}");
    drop(registry);
    for chart in CHARTS {
        let vendored = fs::read(folder.join(format!("charts/{chart}-1.30.3.tgz"))).expect("it was vendored");
        assert!(vendored == packed(&[chart]), "{chart} is not what was pushed");
    }
    fs::remove_dir_all(folder.join(".cache")).expect("a cache was filled");
    let ran = stolos(&folder, &["compile", "mesh.yaml", "-o", "out"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let golden = files_below(&repository("golden/primary-remote-multi-network")).into_iter();
    let expected: Vec<_> =
        golden.filter(|(path, _)| path == "order.txt" || path.starts_with("cluster")).collect();
    assert!(files_below(&folder.join("out")).into_iter().collect::<Vec<_>>() == expected);
}

/// A registry with the charts that lets nobody in but `me` with `hunter2`, and a file that says so. Its files go into
/// a folder.
fn closed_registry(folder: &Path) -> (Registry, PathBuf) {
    // hunter2, by bcrypt.
    let htpasswd = "me:$2a$05$bx7IA.cltRfl9R9O1hveoOn9C7lVcZ6uAAUSp8Q5CqHCI7vfNRkDi\n";
    fs::write(folder.join("htpasswd"), htpasswd).expect("scratch");
    let registry = Registry::start_closed(&folder.join("htpasswd"));
    let known = folder.join("config.json");
    fs::write(&known, config(&registry.host, "me:hunter2")).expect("scratch");
    for archive in archives(folder) {
        registry.push(&archive, "istio/charts", Some(&known));
    }
    (registry, known)
}

/// A configuration as `docker login` and `helm registry login` write it.
fn config(host: &str, user: &str) -> String {
    json!({ "auths": { host: { "auth": STANDARD.encode(user) } } }).to_string()
}

#[test]
#[ignore = "takes a registry and helm: tests/tools/build-registry, tests/tools/build-helm"]
fn a_registry_that_wants_to_know_who_asks_is_told_by_helms_or_dockers_files() {
    let setting = scratch("oci-closed-setting");
    let (registry, known) = closed_registry(&setting);
    let host = registry.host.as_str();

    let folder = mesh("oci-closed", host);
    let denied = |fact: &str| {
        [
            "error[chart-source-denied]: http://HOST/v2/istio/charts/base/manifests/1.30.3 answers 401"
                .to_owned(),
            format!("  {fact}"),
            "  named in mesh.yaml:6".to_owned(),
            "  help: log in, and run the same command again: helm registry login HOST".to_owned(),
        ]
    };
    assert_eq!(
        refused(&folder, host, vendor(&folder)),
        denied("nobody has told Helm or Docker of credentials for it")
    );
    fs::create_dir(folder.join(".docker")).expect("scratch");
    fs::write(folder.join(".docker/config.json"), config(host, "me:wrong")).expect("scratch");
    let expected = denied(&format!("with the credentials of {}/.docker/config.json", folder.display()));
    assert_eq!(refused(&folder, host, vendor(&folder)), expected);

    // Helm's come first.
    let helm = folder.join(".config/helm/registry");
    fs::create_dir_all(&helm).expect("scratch");
    fs::write(helm.join("config.json"), config(host, "me:hunter2")).expect("scratch");
    let ran = vendor(&folder);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(
        !ran.to_string().contains("hunter2") && !ran.to_string().contains(&STANDARD.encode("me:hunter2"))
    );

    for (test, environment) in
        [("oci-docker-config", "DOCKER_CONFIG"), ("oci-helm-config", "HELM_REGISTRY_CONFIG")]
    {
        let folder = mesh(test, host);
        let path = if environment == "DOCKER_CONFIG" { &setting } else { &known };
        let path = path.to_str().expect("UTF-8");
        let ran = stolos_with(&folder, &["vendor", "mesh.yaml"], &[(environment, path)]);
        assert_eq!(ran.code, Some(0), "{environment}: {ran}");
    }
}

#[cfg(unix)]
#[test]
#[ignore = "takes a registry and helm: tests/tools/build-registry, tests/tools/build-helm"]
fn a_credential_helper_is_asked_and_what_it_prints_is_never_shown() {
    use std::os::unix::fs::PermissionsExt;

    let setting = scratch("oci-helper-setting");
    let (registry, _) = closed_registry(&setting);
    let host = registry.host.as_str();
    let helper = |text: &str| {
        let path = setting.join("docker-credential-tests");
        fs::write(&path, text).expect("scratch");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("scratch");
    };
    let path = format!("{}:/usr/bin:/bin", setting.display());
    let run = |folder: &Path, config: Value| {
        fs::create_dir_all(folder.join(".docker")).expect("scratch");
        fs::write(folder.join(".docker/config.json"), config.to_string()).expect("scratch");
        stolos_with(folder, &["vendor", "mesh.yaml"], &[("PATH", &path)])
    };
    let for_host = json!({ "credHelpers": { host: "tests" } });

    let folder = mesh("oci-helper", host);
    helper("#!/bin/sh\necho 'hunter2 is wrong'\nexit 1\n");
    assert_eq!(
        refused(&folder, host, run(&folder, for_host.clone())),
        [
            "error[chart-credentials]: the credentials for HOST cannot be had".to_owned(),
            format!("  {}/.docker/config.json: docker-credential-tests failed", folder.display()),
            "  named in mesh.yaml:6".to_owned()
        ]
    );
    let answer = format!(
        "#!/bin/sh\nread host\n[ \"$1 $host\" = 'get {host}' ] || exit 1\necho '{}'\n",
        json!({ "ServerURL": host, "Username": "me", "Secret": "hunter2" })
    );
    helper(&answer);
    let ran = run(&folder, for_host);
    assert_eq!(ran.code, Some(0), "{ran}");

    // A store that is asked for everything and is not there is no reason not to try without.
    let folder = mesh("oci-store", host);
    let said = refused(&folder, host, run(&folder, json!({ "credsStore": "nowhere" })));
    assert_eq!(said[1], "  nobody has told Helm or Docker of credentials for it");
}

/// A manifest of a chart, as `helm push` makes it.
fn manifest(archive: &[u8]) -> Vec<u8> {
    let layer = json!({ "mediaType": CHART, "digest": format!("sha256:{}", ArchiveDigest::of(archive)), "size": archive.len() });
    let config =
        json!({ "mediaType": CONFIG, "digest": format!("sha256:{}", ArchiveDigest::of(b"")), "size": 0 });
    json!({ "schemaVersion": 2, "config": config, "layers": [layer] }).to_string().into_bytes()
}

fn manifest_of(chart: &str) -> String {
    format!("/v2/istio/charts/{chart}/manifests/1.30.3")
}

fn blob_of(chart: &str) -> String {
    format!("/v2/istio/charts/{chart}/blobs/sha256:{}", ArchiveDigest::of(&packed(&[chart])))
}

fn fill(server: &Published) {
    for chart in CHARTS {
        let archive = packed(&[chart]);
        server.put(&manifest_of(chart), Answer::File(manifest(&archive)));
        server.put(&blob_of(chart), Answer::File(archive));
    }
}

#[test]
fn registries_that_lie_are_told_so() {
    let server = Published::start();
    fill(&server);
    let folder = mesh("oci-lies", server.host());
    let said = |target: &str, answer: Answer| {
        server.put(target, answer);
        let said = refused(&folder, server.host(), vendor(&folder));
        fill(&server);
        assert_eq!(said.last().map(String::as_str), Some("  named in mesh.yaml:6"));
        said[..said.len() - 1].to_vec()
    };
    let (manifest_target, blob) = (manifest_of("base"), blob_of("base"));
    let (whole, other) = (packed(&["base"]), packed(&["gateway"]));
    let broken =
        |target: &str| format!("error[chart-source-broken]: http://HOST{target} is not what it should be");

    let found = ArchiveDigest::of(&other);
    assert_eq!(
        said(&blob, Answer::File(other.clone())),
        [
            broken(&blob),
            format!("  its SHA-256 is {found}, and the registry says sha256:{}", ArchiveDigest::of(&whole))
        ]
    );
    let announced = ("docker-content-digest", format!("sha256:{}", ArchiveDigest::of(b"another")));
    let lie = Answer::Status(200, vec![announced.clone()], manifest(&whole));
    assert_eq!(
        said(&manifest_target, lie),
        [
            broken(&manifest_target),
            format!(
                "  its SHA-256 is {}, and the registry says {}",
                ArchiveDigest::of(&manifest(&whole)),
                announced.1
            )
        ]
    );
    let image = String::from_utf8(manifest(&whole)).expect("text");
    let image = image.replace(CONFIG, "application/vnd.oci.image.config.v1+json");
    assert_eq!(
        said(&manifest_target, Answer::File(image.into_bytes())),
        [
            broken(&manifest_target),
            format!("  it is of type application/vnd.oci.image.config.v1+json, not a chart ({CONFIG})")
        ]
    );
    assert_eq!(
        said(&manifest_target, Answer::Endless),
        [broken(&manifest_target), "  the answer has more than 4194304 bytes".to_owned()]
    );
    assert_eq!(
        said(&blob, Answer::Endless),
        [broken(&blob), "  the answer has more than 33554432 bytes".to_owned()]
    );
    let cut = said(&blob, Answer::Half(whole));
    assert_eq!(cut[0], format!("error[chart-source-unreachable]: http://HOST{blob} cannot be reached"));
    let ran = vendor(&folder);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn a_token_is_asked_for_where_the_registry_says_and_told_to_nobody_else() {
    let (server, authority, storage) = (Published::start(), Published::start(), Published::start());
    let wants = format!(
        "Bearer realm=\"{}/token\",service=\"charts\",scope=\"repository:istio/charts/x:pull\"",
        authority.url
    );
    let refuse = || Answer::Status(401, vec![("www-authenticate", wants.clone())], Vec::new());
    let serve = |server: &Published| {
        for chart in CHARTS {
            let archive = packed(&[chart]);
            server.put_all(&manifest_of(chart), [refuse(), Answer::File(manifest(&archive))]);
            let there = vec![("location", format!("{}/{chart}", storage.url))];
            server.put(&blob_of(chart), Answer::Status(307, there, Vec::new()));
            storage.put(&format!("/{chart}"), Answer::File(archive));
        }
    };
    let asked = "/token?service=charts&scope=repository%3Aistio%2Fcharts%2Fx%3Apull";
    authority.put(asked, Answer::File(json!({ "token": "t0ken" }).to_string().into_bytes()));
    authority.put("/token", Answer::File(json!({ "access_token": "t0ken" }).to_string().into_bytes()));
    let told = |server: &Published| -> Vec<Option<String>> {
        let mut told: Vec<_> = server.seen().into_iter().map(|asked| asked.authorization).collect();
        told.sort();
        told
    };
    let some = |text: &str| Some(text.to_owned());

    // Nobody in particular.
    serve(&server);
    let folder = mesh("oci-token", server.host());
    let ran = vendor(&folder);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(told(&authority), vec![None; 3]);
    let expected = [vec![None; 3], vec![some("Bearer t0ken"); 6]].concat();
    assert_eq!(told(&server), expected);
    assert_eq!(told(&storage), vec![None; 3], "a token was told to another server");

    // Somebody with a password, then with a token that is changed into others.
    for (test, auth, basic, form) in [
        (
            "oci-token-password",
            json!({ "auth": STANDARD.encode("me:hunter2") }),
            some("Basic bWU6aHVudGVyMg=="),
            "",
        ),
        (
            "oci-token-refresh",
            json!({ "identitytoken": "r3fresh" }),
            None,
            "service=charts&scope=repository%3Aistio%2Fcharts%2Fx%3Apull&grant_type=refresh_token&client_id=stolos&\
             refresh_token=r3fresh",
        ),
    ] {
        [&server, &authority, &storage].into_iter().for_each(Published::forget);
        serve(&server);
        let folder = mesh(test, server.host());
        let config = json!({ "auths": { server.host(): auth } });
        fs::write(folder.join("config.json"), config.to_string()).expect("scratch");
        let ran = stolos_with(&folder, &["vendor", "mesh.yaml"], &[("HELM_REGISTRY_CONFIG", "config.json")]);
        assert_eq!(ran.code, Some(0), "{test}: {ran}");
        assert_eq!(told(&authority), vec![basic; 3], "{test}");
        assert!(authority.seen().iter().all(|asked| asked.body == form), "{:?}", authority.seen());
        assert_eq!(told(&storage), vec![None; 3], "{test}: a token was told to another server");
    }

    // An authority that does not let us in, and one that says nonsense, whose words may be a token.
    serve(&server);
    authority.put(asked, Answer::Status(403, Vec::new(), b"s3cret".to_vec()));
    let folder = mesh("oci-token-denied", server.host());
    let ran = vendor(&folder);
    assert!(
        ran.stderr.contains(&format!("error[chart-source-denied]: {}/token answers 403", authority.url)),
        "{ran}"
    );
    serve(&server);
    authority.put(asked, Answer::File(b"{\"token\": s3cret".to_vec()));
    let ran = vendor(&folder);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("  the answer holds no token\n") && !ran.stderr.contains("s3cret"), "{ran}");
    // One that would have the password in the clear.
    let clear = "Bearer realm=\"http://auth.example.com/token\"".to_owned();
    for chart in CHARTS {
        server.put(
            &manifest_of(chart),
            Answer::Status(401, vec![("www-authenticate", clear.clone())], Vec::new()),
        );
    }
    let said = refused(&folder, server.host(), vendor(&folder));
    assert_eq!(
        said[..2],
        [
            "error[chart-source-broken]: http://auth.example.com/token is not what it should be",
            "  the registry sends us there for a token, and it does not speak TLS"
        ]
    );
}
