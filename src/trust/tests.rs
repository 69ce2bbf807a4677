//! Claims about roots, intermediates and what is accepted.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::object::Sensitive;

use super::*;

const RSA_ROOT: &str = include_str!("testdata/rsa-root.pem");
const RSA_ROOT_KEY: &str = include_str!("testdata/rsa-root.key");
const P384_ROOT: &str = include_str!("testdata/p384-root.pem");
const P384_ROOT_KEY: &str = include_str!("testdata/p384-root.key");
const SEC1_KEY: &str = include_str!("testdata/sec1.key");
const SAMPLE_ROOT: &str = include_str!("testdata/sample-root.pem");

fn now() -> Timestamp {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

fn days_later(days: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_hours(24 * days)).unwrap()
}

fn load(certificate: &str, key: &str) -> Result<Root, TrustError> {
    Root::load(certificate, &Sensitive::new(key), now())
}

fn rsa_root() -> Root {
    load(RSA_ROOT, RSA_ROOT_KEY).unwrap()
}

fn live(intermediate: &Intermediate) -> LiveCa {
    LiveCa {
        ca_certificate: Some(intermediate.ca_certificate.clone()),
        ca_key: Some(intermediate.ca_key.clone()),
        root_certificate: Some(intermediate.root_certificate.clone()),
        certificate_chain: Some(intermediate.certificate_chain.clone()),
        missing: Vec::new(),
    }
}

fn bundle(certificate: &str, key: &str, root: &str, chain: &str) -> LiveCa {
    LiveCa {
        ca_certificate: Some(certificate.to_owned()),
        ca_key: Some(Sensitive::new(key)),
        root_certificate: Some(root.to_owned()),
        certificate_chain: Some(chain.to_owned()),
        missing: Vec::new(),
    }
}

fn data(entries: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    entries.iter().map(|(key, text)| ((*key).to_owned(), text.as_bytes().to_vec())).collect()
}

#[test]
fn roots_with_rsa_and_p384_keys_load_and_sign() {
    for (certificate, key) in [(RSA_ROOT, RSA_ROOT_KEY), (P384_ROOT, P384_ROOT_KEY)] {
        let root = load(certificate, key).unwrap();
        let issued = root.issue("cluster1", "cluster.local", now()).unwrap();
        assert_eq!(issued.not_after, days_later(730));
        assert_eq!(
            accepts(root.certificate(), &live(&issued), now()),
            Ok(Accepted { not_after: days_later(730) })
        );
    }
}

#[test]
fn what_stands_around_a_certificate_does_not_change_its_text() {
    let with_words = format!("Certificate:\r\n    Data:\n{}\n", RSA_ROOT.replace('\n', "\r\n"));
    assert_eq!(load(&with_words, RSA_ROOT_KEY).unwrap().certificate().pem(), RSA_ROOT);
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    assert_eq!(load(RSA_ROOT, P384_ROOT_KEY), Err(TrustError::KeyMismatch));
}

#[test]
fn keys_in_other_formats_are_refused_with_the_command_that_converts_them() {
    let cases = [
        (SEC1_KEY, "the root's key is a `EC PRIVATE KEY`, not PKCS#8"),
        (include_str!("testdata/pkcs1-ca.key"), "the root's key is a `RSA PRIVATE KEY`, not PKCS#8"),
        (include_str!("testdata/encrypted.key"), "the root's key is encrypted"),
        (include_str!("testdata/proc-type.key"), "the root's key is encrypted"),
    ];
    for (key, message) in cases {
        let failure = load(P384_ROOT, key).unwrap_err().failure();
        assert_eq!(failure.code.name, "root-key-format");
        assert_eq!(failure.message, message);
        assert_eq!(
            failure.help.as_deref(),
            Some("openssl pkcs8 -topk8 -nocrypt -in root.key -out root.pkcs8.key")
        );
    }
}

#[test]
fn texts_that_hold_no_usable_key_are_refused() {
    let twice = format!("{P384_ROOT_KEY}{P384_ROOT_KEY}");
    let cut = P384_ROOT_KEY.replace("-----END PRIVATE KEY-----", "");
    let cases = [
        ("", "there is no PEM private key in it"),
        (P384_ROOT, "there is no PEM private key in it"),
        (twice.as_str(), "there are several private keys in it, and one is wanted"),
        (cut.as_str(), "its PEM block is broken"),
        (include_str!("testdata/ed25519.key"), "it is not one of P-256, P-384 or RSA of 2048 to 4096 bits"),
    ];
    for (key, what) in cases {
        assert_eq!(load(P384_ROOT, key), Err(TrustError::Key(what.to_owned())));
    }
}

#[test]
fn certificates_that_may_not_sign_intermediates_are_refused() {
    let cases = [
        (include_str!("testdata/leaf.pem"), "its basic constraints do not say CA:TRUE"),
        (include_str!("testdata/pathlen0.pem"), "its path length of 0 forbids them"),
        (include_str!("testdata/no-cert-sign.pem"), "its key usage lacks keyCertSign"),
    ];
    for (certificate, why) in cases {
        assert_eq!(load(certificate, P384_ROOT_KEY), Err(TrustError::NotAnAuthority(why)));
    }
}

#[test]
fn a_text_with_no_or_several_certificates_is_refused() {
    let messages: Vec<String> = ["", "no PEM", &format!("{RSA_ROOT}{P384_ROOT}"), &RSA_ROOT[..200]]
        .iter()
        .map(|text| load(text, RSA_ROOT_KEY).unwrap_err().to_string())
        .collect();
    assert_eq!(
        messages,
        [
            "the root's certificate cannot be read: there is no certificate in it",
            "the root's certificate cannot be read: there is no certificate in it",
            "the root's certificate cannot be read: there are 2 certificates in it, and one is wanted",
            "the root's certificate cannot be read: a PEM block is broken",
        ]
    );
}

#[test]
fn a_root_is_only_used_in_its_time() {
    let key = Sensitive::new(RSA_ROOT_KEY);
    let early = Root::load(RSA_ROOT, &key, "2020-01-01T00:00:00Z".parse().unwrap()).unwrap_err();
    let late = Root::load(RSA_ROOT, &key, "2200-01-01T00:00:00Z".parse().unwrap()).unwrap_err();
    assert_eq!([early.code().name, late.code().name], ["root-not-valid", "root-not-valid"]);
    assert!(
        early.to_string().starts_with("the root's certificate is not valid now: it begins on 2026-11-20T")
    );
    assert!(late.to_string().starts_with("the root's certificate is not valid now: it ends on 2126-10-27T"));
}

#[test]
fn istios_published_sample_is_refused() {
    let error = RootCertificate::load(SAMPLE_ROOT, now()).unwrap_err();
    assert_eq!(error.code().name, "root-is-istios-sample");
}

#[test]
fn a_generated_root_lives_ten_years_and_loads_again() {
    let root = Root::generate("mesh1", now()).unwrap();
    assert_eq!(root.certificate().not_after(), days_later(3652));
    assert_eq!(Root::load(root.certificate().pem(), root.key(), now()).as_ref(), Ok(&root));
    let Some(subject) =
        openssl(&["x509", "-noout", "-nameopt", "RFC2253", "-subject"], root.certificate().pem())
    else {
        return;
    };
    assert_eq!(subject, "subject=CN=mesh1 root,O=mesh1\n");
}

#[test]
fn an_intermediate_never_outlives_its_root() {
    let root = Root::generate("mesh1", now()).unwrap();
    let issued = root.issue("cluster1", "cluster.local", days_later(3600)).unwrap();
    assert_eq!(issued.not_after, days_later(3652));
    assert_eq!(
        accepts(root.certificate(), &live(&issued), days_later(3600)),
        Ok(Accepted { not_after: days_later(3652) }),
    );
}

#[test]
fn the_issuer_of_an_intermediate_is_the_roots_subject_byte_for_byte() {
    let issued = rsa_root().issue("cluster1", "cluster.local", now()).unwrap();
    let arguments = ["x509", "-noout", "-nameopt", "RFC2253", "-issuer", "-subject"];
    let Some(names) = openssl(&arguments, &issued.ca_certificate) else { return };
    assert_eq!(
        names,
        "issuer=CN=Corporate Root,DC=example,DC=com\nsubject=L=cluster1,CN=Intermediate CA,O=cluster.local\n"
    );
}

#[test]
fn openssl_agrees_that_what_is_issued_chains_to_the_root() {
    for root in [rsa_root(), load(P384_ROOT, P384_ROOT_KEY).unwrap(), Root::generate("mesh1", now()).unwrap()]
    {
        let issued = root.issue("cluster1", "cluster.local", now()).unwrap();
        let folder =
            std::env::temp_dir().join(format!("stolos-trust-{}", root.certificate().fingerprint().short()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("root.pem");
        std::fs::write(&path, &issued.root_certificate).unwrap();
        let answer = openssl(
            &["verify", "-x509_strict", "-attime", "1798800000", "-CAfile", path.to_str().unwrap()],
            &issued.ca_certificate,
        );
        std::fs::remove_dir_all(&folder).unwrap();
        let Some(answer) = answer else { return };
        assert_eq!(answer, "stdin: OK\n");
    }
}

#[test]
fn the_bundles_that_istiod_reads_are_accepted_in_every_key_format() {
    let root = rsa_root();
    let middle = include_str!("testdata/middle.pem");
    let deep = include_str!("testdata/pkcs1-ca.pem");
    let sec1 = include_str!("testdata/sec1-ca.pem");
    let bundles = [
        bundle(deep, include_str!("testdata/pkcs1-ca.key"), RSA_ROOT, &format!("{deep}{middle}")),
        bundle(sec1, SEC1_KEY, RSA_ROOT, sec1),
        bundle(RSA_ROOT, RSA_ROOT_KEY, RSA_ROOT, RSA_ROOT),
    ];
    for live in bundles {
        assert!(accepts(root.certificate(), &live, now()).is_ok());
    }
}

#[test]
fn the_tls_format_is_read_where_tls_crt_stands() {
    let issued = rsa_root().issue("cluster1", "cluster.local", now()).unwrap();
    let live = LiveCa::from_data(&data(&[
        ("tls.crt", &issued.ca_certificate),
        ("tls.key", issued.ca_key.expose()),
        ("ca.crt", &issued.root_certificate),
    ]));
    assert_eq!(accepts(rsa_root().certificate(), &live, now()), Ok(Accepted { not_after: days_later(730) }));
    assert_eq!(LiveCa::from_data(&data(&[("tls.crt", "")])).missing, ["tls.key", "ca.crt"]);
}

#[test]
fn a_live_secret_is_decoded_and_what_is_no_base64_is_missing() {
    let secret = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cacerts", "namespace": "istio-system"},
        "data": {"ca-cert.pem": "Y2E=", "ca-key.pem": "a2V5", "root-cert.pem": "%%", "cert-chain.pem": 7},
    });
    let live = LiveCa::from_secret(&crate::object::Object::from_value(secret).unwrap());
    let wanted = LiveCa {
        ca_certificate: Some("ca".to_owned()),
        ca_key: Some(Sensitive::new("key")),
        root_certificate: None,
        certificate_chain: None,
        missing: vec!["root-cert.pem", "cert-chain.pem"],
    };
    assert_eq!(live, wanted);
}

#[test]
fn refusals_say_why_in_a_plans_words() {
    let root = rsa_root();
    let other = load(P384_ROOT, P384_ROOT_KEY).unwrap();
    let issued = root.issue("cluster1", "cluster.local", now()).unwrap();
    let good = live(&issued);
    let foreign = live(&other.issue("cluster1", "cluster.local", now()).unwrap());
    let refusal = |live: &LiveCa, now| accepts(root.certificate(), live, now).unwrap_err().to_string();

    let incomplete = LiveCa::from_data(&data(&[("ca-cert.pem", "x"), ("root-cert.pem", "x")]));
    assert_eq!(refusal(&incomplete, now()), "lacks ca-key.pem and cert-chain.pem");
    assert_eq!(refusal(&good, days_later(718)), "expires in 12 days");
    assert_eq!(refusal(&good, days_later(733)), "expired 3 days ago");
    assert_eq!(refusal(&good, days_later(-3)), "is not valid before 2026-12-31T23:55:00Z");
    assert_eq!(
        refusal(&foreign, now()),
        format!("chains to another root {}", other.certificate().fingerprint().short())
    );
    let stolen = LiveCa { ca_key: foreign.ca_key.clone(), ..good.clone() };
    assert_eq!(refusal(&stolen, now()), "holds a key of another certificate");
    let garbled = LiveCa { ca_key: Some(Sensitive::new("garbage")), ..good.clone() };
    assert_eq!(refusal(&garbled, now()), "holds no key that can be read");
    let forged = LiveCa { root_certificate: good.root_certificate.clone(), ..foreign.clone() };
    assert_eq!(refusal(&forged, now()), "does not chain to the root that it carries");
    let leaf = bundle(include_str!("testdata/leaf.pem"), P384_ROOT_KEY, RSA_ROOT, RSA_ROOT);
    assert_eq!(refusal(&leaf, now()), "holds a certificate that may not sign");
    let both = LiveCa { root_certificate: Some(format!("{RSA_ROOT}{P384_ROOT}")), ..good.clone() };
    assert_eq!(
        refusal(&both, now()),
        format!("carries another root {} too", other.certificate().fingerprint().short())
    );
    let broken = LiveCa { ca_certificate: Some("x".to_owned()), ..good };
    assert_eq!(refusal(&broken, now()), "holds no readable signing certificate");
}

#[test]
fn a_fingerprint_is_the_one_that_openssl_prints() {
    let Some(printed) = openssl(&["x509", "-noout", "-fingerprint", "-sha256"], RSA_ROOT) else { return };
    let wanted = printed.trim().rsplit('=').next().unwrap_or_default().to_lowercase();
    let fingerprint = rsa_root().certificate().fingerprint();
    assert_eq!(fingerprint.to_string(), wanted);
    assert_eq!(fingerprint.short(), format!("{}…", &wanted[..8]));
}

#[test]
fn no_error_holds_any_of_the_key() {
    let secret: String = P384_ROOT_KEY.lines().nth(2).unwrap().to_owned();
    let broken = P384_ROOT_KEY.replacen("\n", "\n!", 2);
    let error = load(P384_ROOT, &broken).unwrap_err();
    let shown = format!("{error} {error:?} {:?} {:?}", error.failure(), load(P384_ROOT, P384_ROOT_KEY));
    assert!(!shown.contains(&secret[8..24]), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_a_root_issues_is_accepted_by_it_and_by_no_other(
        day in 0i64..3651,
        cluster in "[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
        mesh in "\\PC{1,40}",
    ) {
        let root = Root::generate(&mesh, now()).unwrap();
        let other = Root::generate(&mesh, now()).unwrap();
        let issued = live(&root.issue(&cluster, "cluster.local", days_later(day)).unwrap());
        prop_assert!(accepts(root.certificate(), &issued, days_later(day)).is_ok());
        prop_assert_eq!(
            accepts(other.certificate(), &issued, days_later(day)),
            Err(Refusal::OtherRoot(root.certificate().fingerprint()))
        );
        let claimed = LiveCa { root_certificate: Some(other.certificate().pem().to_owned()), ..issued };
        prop_assert_eq!(accepts(other.certificate(), &claimed, days_later(day)), Err(Refusal::NoChain));
    }

    #[test]
    fn no_text_makes_the_readers_panic(certificate in ".{0,200}", key in "(-----BEGIN (RSA |EC )?PRIVATE KEY-----\n)?.{0,200}(\n-----END PRIVATE KEY-----)?") {
        prop_assert!(load(&certificate, &key).is_err());
        prop_assert!(load(RSA_ROOT, &key).is_err());
        let live = bundle(&certificate, &key, &certificate, &certificate);
        prop_assert!(accepts(rsa_root().certificate(), &live, now()).is_err());
        let live = bundle(RSA_ROOT, &key, RSA_ROOT, &certificate);
        prop_assert!(accepts(rsa_root().certificate(), &live, now()).is_err());
    }

    #[test]
    fn no_bytes_in_pem_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..900) {
        let broken = super::pem::certificate(&bytes);
        prop_assert!(load(&broken, RSA_ROOT_KEY).is_err());
        let mut der = super::pem::certificates(RSA_ROOT).unwrap().remove(0);
        let place = at % der.len();
        der[place] ^= bytes.first().copied().unwrap_or(1);
        let bent = super::pem::certificate(&der);
        let _ = accepts(rsa_root().certificate(), &bundle(&bent, RSA_ROOT_KEY, &bent, &bent), now());
        let _ = load(&bent, RSA_ROOT_KEY).map(|root| root.issue("cluster1", "cluster.local", now()).is_ok());
    }
}

/// What openssl says of a text on its standard input; none, and a word about it, where there is no openssl.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn openssl(arguments: &[&str], input: &str) -> Option<String> {
    let child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("left out: there is no openssl to compare with");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
}
