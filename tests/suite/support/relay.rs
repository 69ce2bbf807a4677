//! A way to a cluster that can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes everything on to a cluster until it is cut.
pub(crate) struct Relay {
    pub(crate) url: String,
    cut: watch::Sender<bool>,
    is_cut: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Relay {
    /// To the server at a URL of loopback.
    pub(crate) async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let here = format!("http://{}", listener.local_addr().expect("an address"));
        let there = url.strip_prefix("http://").expect("a plain URL").to_owned();
        let (cut, watched) = watch::channel(false);
        let is_cut = Arc::new(AtomicBool::new(false));
        let refuses = Arc::clone(&is_cut);
        let task = tokio::spawn(async move {
            loop {
                let Ok((mut from, _)) = listener.accept().await else { return };
                if refuses.load(Ordering::Relaxed) {
                    continue;
                }
                let (there, mut watched) = (there.clone(), watched.clone());
                tokio::spawn(async move {
                    let Ok(mut to) = TcpStream::connect(there).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut from, &mut to) => {}
                        _ = watched.wait_for(|cut| *cut) => {}
                    }
                });
            }
        });
        Self { url: here, cut, is_cut, task }
    }

    /// From now on nothing gets through, on no connection.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
        self.cut.send_replace(true);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
