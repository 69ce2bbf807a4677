//! Being asked to stop: Ctrl-C, and what a supervisor sends to end a process.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Requests to stop, none of which is lost while nobody waits for one.
pub(super) struct Interrupts {
    #[cfg(unix)]
    signals: [Option<Signal>; 2],
}

impl Interrupts {
    /// From now on an interrupt no longer ends the process by itself.
    #[cfg(unix)]
    pub(super) fn new() -> Self {
        Self { signals: [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok()) }
    }

    /// From now on an interrupt no longer ends the process by itself.
    #[cfg(not(unix))]
    pub(super) fn new() -> Self {
        Self {}
    }

    /// The next one; never, where the system does not tell of any. Safe to cancel.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) {
        async fn of(signal: &mut Option<Signal>) {
            let received = match signal {
                Some(signal) => signal.recv().await,
                None => None,
            };
            if received.is_none() {
                std::future::pending::<()>().await;
            }
        }
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            () = of(interrupt) => {}
            () = of(terminate) => {}
        }
    }

    /// The next one; never, where the system does not tell of any.
    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
