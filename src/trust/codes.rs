//! The codes of trust and their pages.

use crate::diagnostic::Code;

/// All codes of this module.
pub static CODES: &[&Code] =
    &[&CERTIFICATE, &NOT_AN_AUTHORITY, &NOT_VALID, &SAMPLE, &KEY, &KEY_FORMAT, &KEY_MISMATCH, &ISSUE];

pub(super) static CERTIFICATE: Code = Code {
    name: "root-certificate-unreadable",
    summary: "the root's certificate cannot be read",
    page: "\
`trust.root.certificate` names a file with exactly one X.509 certificate in PEM: a block that begins
with `-----BEGIN CERTIFICATE-----`. A bundle of several certificates is refused, since which of them
signs would be a guess; give the one whose key stands under `trust.root.key`.

Its public key must be ECDSA P-256 or P-384, or RSA of 2048 to 4096 bits: what istiod and Envoy verify
and what Stolos can sign with.

    openssl x509 -in root.pem -noout -subject -text
",
};

pub(super) static NOT_AN_AUTHORITY: Code = Code {
    name: "root-not-an-authority",
    summary: "the root's certificate may not sign intermediates",
    page: "\
Every control plane gets an intermediate of its own, signed by the root. So the root must be an
authority: basic constraints with `CA:TRUE`, no path length of 0 (which forbids intermediates), and, if
it has a key usage at all, `keyCertSign` in it. istiod and Envoy refuse chains that break these rules,
and they would do so only once workloads start.

    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \\
      -subj '/O=example/CN=root' -addext 'basicConstraints=critical,CA:TRUE' \\
      -addext 'keyUsage=critical,keyCertSign,cRLSign' -keyout root.key -out root.pem
",
};

pub(super) static NOT_VALID: Code = Code {
    name: "root-not-valid",
    summary: "the root's certificate is outside of its time",
    page: "\
A certificate is valid between two dates, and now is not between those of this root, or it ends within
a day. Nothing can be signed by it. Check the clock of this machine first.

Changing the root of a running mesh is a rotation: workloads must trust the new root before anything is
signed by it. Replacing the file alone cuts traffic between clusters that restarted and clusters that
did not.
",
};

pub(super) static SAMPLE: Code = Code {
    name: "root-is-istios-sample",
    summary: "the root is the sample that Istio publishes",
    page: "\
Istio's releases carry a root and an intermediate in `samples/certs`, with their private keys. Anybody
can sign certificates that a mesh with this root trusts. Stolos refuses it, on simulated clusters too.

Use a root of your own (`certificate` and `key`), or `trust: {root: generate}`.
",
};

pub(super) static KEY: Code = Code {
    name: "root-key-unreadable",
    summary: "the root's key cannot be read",
    page: "\
`trust.root.key` names a file with one private key in PEM, PKCS#8, without a passphrase: a block that
begins with `-----BEGIN PRIVATE KEY-----`. The key must be ECDSA P-256 or P-384, or RSA of 2048 to 4096
bits. Ed25519 and P-521 are refused: istiod and Envoy do not take part in them.

Nothing of the file is ever shown, so this page cannot say more than the message does.

    openssl pkey -in root.key -noout -text_pub
",
};

pub(super) static KEY_FORMAT: Code = Code {
    name: "root-key-format",
    summary: "the root's key is in another format than plain PKCS#8",
    page: "\
Private keys come in several PEM formats. `EC PRIVATE KEY` (SEC1) and `RSA PRIVATE KEY` (PKCS#1) are the
older ones of OpenSSL; `ENCRYPTED PRIVATE KEY`, or a `Proc-Type: 4,ENCRYPTED` line, stands behind a
passphrase, which a pipeline cannot type. One command turns any of them into what is read here:

    openssl pkcs8 -topk8 -nocrypt -in root.key -out root.pkcs8.key

Keep the result as safe as the original.
",
};

pub(super) static KEY_MISMATCH: Code = Code {
    name: "root-key-mismatch",
    summary: "the root's key does not belong to its certificate",
    page: "\
The public key in the certificate is not the one of the private key. What such a key signs, nobody who
trusts the certificate would accept. Both commands must print the same:

    openssl x509 -in root.pem -noout -pubkey
    openssl pkey -in root.key -pubout
",
};

pub(super) static ISSUE: Code = Code {
    name: "certificate-not-issued",
    summary: "a certificate could not be issued",
    page: "\
Making a key or signing a certificate failed, although the root was read and checked before. The machine
may lack a source of randomness. Otherwise this is a bug in `trust`: please report the message, which
holds no part of any key.
",
};
