//! A server on loopback that publishes files, and misbehaves where a test says so.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What is asked for, and how it is answered: one answer after the other, the last of them for ever.
type Answers = BTreeMap<String, VecDeque<Answer>>;

/// A server that lives as long as the test's process.
pub(crate) struct Published {
    /// Its URL, without a slash at the end.
    pub(crate) url: String,
    /// The certificate of its authority, if it speaks TLS.
    pub(crate) authority: Option<String>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<Answers>,
    seen: Mutex<Vec<Asked>>,
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// `/index.yaml`, or a whole URL where the server is somebody's proxy.
    pub(crate) target: String,
    /// `Authorization`, if there was one.
    pub(crate) authorization: Option<String>,
    /// What was sent.
    pub(crate) body: String,
}

/// How a request is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// With a file.
    File(Vec<u8>),
    /// With another status, headers, and a body.
    Status(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// With the first half of what was announced.
    Half(Vec<u8>),
    /// Not at all, until whoever asks hangs up.
    Silence,
    /// Without an end.
    Endless,
    /// By connecting to this server and passing everything on: what a proxy does with CONNECT.
    Tunnel(String),
}

impl Published {
    /// A server that speaks plain HTTP.
    pub(crate) fn start() -> Self {
        Self::serve(None)
    }

    /// A server with a certificate for 127.0.0.1, of an authority that nobody knows.
    pub(crate) fn start_with_tls() -> Self {
        let key = || rcgen::KeyPair::generate().expect("a key");
        let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer_key = key();
        let pem = authority.self_signed(&issuer_key).expect("a certificate").pem();
        let issuer = rcgen::Issuer::new(authority, issuer_key);
        let leaf_key = key();
        let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        let leaf = leaf.signed_by(&leaf_key, &issuer).expect("a certificate");
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(leaf_key.serialize_der().into()))
            .expect("they belong together");
        Self { authority: Some(pem), ..Self::serve(Some(Arc::new(config))) }
    }

    fn serve(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (shared, tls) = (Arc::clone(&served), tls.clone());
                thread::spawn(move || {
                    let Ok(stream) = stream else { return };
                    let Ok(raw) = stream.try_clone() else { return };
                    // Whoever hangs up in the middle is what some tests are about.
                    let _ = match tls {
                        None => shared.answer(stream, raw),
                        Some(config) => {
                            let connection = ServerConnection::new(config).expect("a configuration");
                            shared.answer(StreamOwned::new(connection, stream), raw)
                        }
                    };
                });
            }
        });
        Self { url, authority: None, shared }
    }

    /// The address, as a registry or a proxy is named.
    pub(crate) fn host(&self) -> &str {
        self.url.split_once("://").expect("a URL").1
    }

    /// From now on this is answered so.
    pub(crate) fn put(&self, target: &str, answer: Answer) {
        self.put_all(target, [answer]);
    }

    /// From now on this is answered so, one after the other, the last for ever.
    pub(crate) fn put_all(&self, target: &str, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.shared.answers).insert(target.to_owned(), answers.into_iter().collect());
    }

    /// What was asked so far.
    pub(crate) fn seen(&self) -> Vec<Asked> {
        lock(&self.shared.seen).clone()
    }

    /// How often something was asked for.
    pub(crate) fn count(&self, target: &str) -> usize {
        self.seen().iter().filter(|asked| asked.target == target).count()
    }

    /// Forgets what was asked.
    pub(crate) fn forget(&self) {
        lock(&self.shared.seen).clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Answers what comes on a stream; `raw` is what lies below it.
    fn answer(&self, stream: impl Read + Write, raw: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let asked = asked(&mut stream)?;
        let target = asked.target.clone();
        lock(&self.seen).push(asked);
        let answer = {
            let mut answers = lock(&self.answers);
            match answers.get_mut(&target) {
                Some(queue) if queue.len() > 1 => queue.pop_front(),
                Some(queue) => queue.front().cloned(),
                None => None,
            }
        };
        let nothing = Answer::Status(404, Vec::new(), b"not here".to_vec());
        match answer.unwrap_or(nothing) {
            Answer::File(body) => whole(stream.get_mut(), 200, &[], &body),
            Answer::Status(status, headers, body) => whole(stream.get_mut(), status, &headers, &body),
            Answer::Half(body) => {
                head(stream.get_mut(), 200, &[], body.len())?;
                stream.get_mut().write_all(&body[..body.len() / 2])?;
                stream.get_mut().flush()
            }
            Answer::Silence => std::io::copy(&mut stream, &mut std::io::sink()).map(drop),
            Answer::Endless => {
                let out = stream.get_mut();
                out.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
                loop {
                    out.write_all(b"10000\r\n")?;
                    out.write_all(&[b' '; 0x10000])?;
                    out.write_all(b"\r\n")?;
                }
            }
            Answer::Tunnel(to) => {
                let there = TcpStream::connect(to)?;
                stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                relayed(raw, there)
            }
        }
    }
}

/// Passes everything on, both ways, until one side hangs up.
fn relayed(here: TcpStream, there: TcpStream) -> std::io::Result<()> {
    let (mut from_here, mut to_there) = (here.try_clone()?, there.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_here, &mut to_there);
        let _ = to_there.shutdown(Shutdown::Both);
    });
    let ended = std::io::copy(&mut &there, &mut &here).map(drop);
    let _ = here.shutdown(Shutdown::Both);
    ended
}

fn asked(stream: &mut BufReader<impl Read>) -> std::io::Result<Asked> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut authorization = None;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let Some((name, value)) = line.trim().split_once(": ") else { continue };
        match name.to_ascii_lowercase().as_str() {
            "authorization" | "proxy-authorization" => authorization = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Asked { target, authorization, body: String::from_utf8_lossy(&body).into_owned() })
}

fn head(
    out: &mut impl Write,
    status: u16,
    headers: &[(&'static str, String)],
    length: usize,
) -> std::io::Result<()> {
    write!(out, "HTTP/1.1 {status} Said\r\nconnection: close\r\ncontent-length: {length}\r\n")?;
    for (name, value) in headers {
        write!(out, "{name}: {value}\r\n")?;
    }
    out.write_all(b"\r\n")
}

fn whole(
    out: &mut impl Write,
    status: u16,
    headers: &[(&'static str, String)],
    body: &[u8],
) -> std::io::Result<()> {
    head(out, status, headers, body.len())?;
    out.write_all(body)?;
    out.flush()
}
