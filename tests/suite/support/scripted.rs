//! An HTTP server on loopback that answers as it is told, for the ways in which clusters fail.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What becomes of one request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status code and a JSON body.
    Json(u16, serde_json::Value),
    /// A status code and a plain text.
    Text(u16, &'static str),
    /// The connection is closed with a reset.
    Reset,
    /// Nothing, ever.
    Silence,
    /// Lines of a watch, and the end of the answer.
    Lines(Vec<serde_json::Value>),
    /// Lines of a watch that stays open.
    Open(Vec<serde_json::Value>),
}

/// The server. Requests take replies in order; the last one is given again and again.
pub(crate) struct Scripted {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    pub(crate) async fn new(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(serve(stream, Arc::clone(&requests), replies.clone()));
            }
        });
        Self { url, seen, task }
    }

    /// `METHOD path` of each request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().expect("no panic while held").clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, replies: Vec<Reply>) {
    while let Some(request) = head(&mut stream).await {
        let position = {
            let mut seen = seen.lock().expect("no panic while held");
            seen.push(request);
            seen.len() - 1
        };
        let reply = replies.get(position).or(replies.last()).cloned();
        let (status, kind, body, open) = match reply {
            Some(Reply::Json(status, body)) => (status, "application/json", body.to_string(), false),
            Some(Reply::Text(status, body)) => (status, "text/plain", body.to_owned(), false),
            Some(Reply::Lines(lines)) => (200, "application/json", joined(&lines), false),
            Some(Reply::Open(lines)) => (200, "application/json", joined(&lines), true),
            Some(Reply::Reset) | None => {
                let _ = stream.set_zero_linger();
                return;
            }
            Some(Reply::Silence) => {
                std::future::pending::<()>().await;
                return;
            }
        };
        let length = if open { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{length}\r\n{body}");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        if open {
            std::future::pending::<()>().await;
        }
    }
}

fn joined(lines: &[serde_json::Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Reads one request whole and gives its first line without the protocol.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    };
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length: usize = text
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length:").map(str::trim).map(str::to_owned)
        })
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    while bytes.len() < end + length {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
    text.lines().next()?.strip_suffix(" HTTP/1.1").map(str::to_owned)
}
