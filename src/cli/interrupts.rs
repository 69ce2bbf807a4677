//! Being asked to stop: Ctrl-C, a terminal that closes, and what a supervisor sends to end a process.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Requests to stop, none of which is lost while nobody waits for one.
pub(super) struct Interrupts {
    #[cfg(unix)]
    signals: [Option<Signal>; 3],
}

impl Interrupts {
    /// From now on an interrupt no longer ends the process by itself.
    #[cfg(unix)]
    pub(super) fn new() -> Self {
        // Under `nohup` a terminal that closes is to be ignored.
        let hangup = (!is_ignored(SignalKind::hangup())).then_some(SignalKind::hangup());
        let kinds = [Some(SignalKind::interrupt()), Some(SignalKind::terminate()), hangup];
        Self { signals: kinds.map(|kind| signal(kind?).ok()) }
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
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            () = of(interrupt) => {}
            () = of(terminate) => {}
            () = of(hangup) => {}
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

/// Whether whoever started us wants a signal ignored; no, where the system does not say.
#[cfg(unix)]
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    let bit = u32::try_from(kind.as_raw_value()).ok().and_then(|number| number.checked_sub(1));
    bit.and_then(|bit| mask.checked_shr(bit)).is_some_and(|shifted| shifted & 1 == 1)
}
