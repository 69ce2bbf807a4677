//! What is tried again, how often, and for how long.
//!
//! A plan wants to know soon which clusters are away. An apply that has begun
//! rather waits a while: an API server that restarts is back within seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::{Fault, TransportError};

/// How often a request is sent at most where nobody is patient.
const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause that is not asked for.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause that a server may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(5);

/// For how long a cluster that is away is tried again. Cheap to clone; clones share what they find out.
#[derive(Debug, Clone, Default)]
pub(super) struct Patience {
    lasting: Duration,
    /// When nothing is waited for any more, an answer included.
    until: Option<Instant>,
    /// It was waited for once, in vain: whoever asks next need not wait as long again.
    is_lost: Arc<AtomicBool>,
}

/// Whether a fault may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hope {
    /// At once: it is tried a few times, by the patient too.
    Now,
    /// Soon: it is tried a few times, even by those in a hurry.
    Soon,
    /// After a while: only the patient try again.
    Later,
    /// Never.
    None,
}

/// The attempts of one request.
pub(super) struct Attempts<'p> {
    patience: &'p Patience,
    since: Instant,
    /// How many there were.
    pub(super) count: u32,
    pause: Duration,
}

impl Patience {
    /// So long.
    pub(super) fn of(lasting: Duration) -> Self {
        Self { lasting, until: None, is_lost: Arc::default() }
    }

    /// So long from now, for all requests together and for each answer.
    pub(super) fn within(&self, lasting: Duration) -> Self {
        Self { lasting, until: Some(Instant::now() + lasting), is_lost: Arc::clone(&self.is_lost) }
    }

    /// What is answered in time.
    pub(super) async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        match self.until {
            None => answer.await,
            Some(until) => match tokio::time::timeout_at(until, answer).await {
                Ok(answer) => answer,
                // Nobody reads more than tenths of a second.
                Err(_) => {
                    let tenths = (self.lasting.as_secs_f64() * 10.0).round();
                    Err(TransportError::Silent(Duration::from_secs_f64(tenths / 10.0)))
                }
            },
        }
    }

    /// How long something that began to fail `since` then is tried again from now on.
    pub(super) fn left(&self, since: Instant) -> Duration {
        if self.is_lost.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            let left = self.lasting.saturating_sub(since.elapsed());
            self.until.map_or(left, |until| left.min(until.saturating_duration_since(Instant::now())))
        }
    }

    /// The first attempt.
    pub(super) fn attempts(&self) -> Attempts<'_> {
        Attempts { patience: self, since: Instant::now(), count: 1, pause: PAUSE }
    }

    /// The cluster answers.
    pub(super) fn is_back(&self) {
        self.is_lost.store(false, Ordering::Relaxed);
    }

    /// The cluster was waited for in vain.
    pub(super) fn is_gone(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
    }
}

impl Attempts<'_> {
    /// Waits until the request may be sent again. False where that is no use any more.
    pub(super) async fn again(&mut self, hope: Hope, asked: Option<Duration>) -> bool {
        let pause = self.pause(hope, asked, self.patience.left(self.since));
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
        pause.is_some()
    }

    /// How long to wait for the next attempt, which is counted; none where there is none.
    fn pause(&mut self, hope: Hope, asked: Option<Duration>, left: Duration) -> Option<Duration> {
        let pause = self.pause.max(asked.unwrap_or_default()).min(LONGEST_ASKED);
        let is_late = self.patience.until.is_some_and(|until| Instant::now() + pause >= until);
        let goes_on = match hope {
            _ if is_late => false,
            Hope::Now => self.count < ATTEMPTS,
            Hope::Soon => self.count < ATTEMPTS || pause < left,
            Hope::Later => pause < left,
            Hope::None => false,
        };
        self.count += u32::from(goes_on);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        goes_on.then_some(pause)
    }
}

/// What hope there is after an answer.
pub(super) fn hope(fault: &Fault) -> Hope {
    match fault {
        Fault::Server { status: 409 | 429 | 500 | 502 | 503 | 504, .. } => Hope::Soon,
        Fault::Server { .. }
        | Fault::Unreachable(_)
        | Fault::Silent(_)
        | Fault::Credentials(_)
        | Fault::Unauthorized(_)
        | Fault::Forbidden(_)
        | Fault::KindUnknown(_)
        | Fault::KindUnsupported(_)
        | Fault::NotFound(_)
        | Fault::FieldConflict(_)
        | Fault::Changed
        | Fault::Invalid { .. }
        | Fault::Expired
        | Fault::TooLarge
        | Fault::Unintelligible(_) => Hope::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a request is sent, and how long that takes, where every attempt fails at once.
    fn until_given_up(lasting: u64, hope: Hope) -> (u32, Duration) {
        let lasting = Duration::from_secs(lasting);
        let patience = Patience::of(lasting);
        let mut attempts = patience.attempts();
        let mut taken = Duration::ZERO;
        while let Some(pause) = attempts.pause(hope, None, lasting.saturating_sub(taken)) {
            taken += pause;
        }
        (attempts.count, taken)
    }

    #[test]
    fn the_hurried_try_a_few_times_and_the_patient_for_a_while() {
        let a_few_times = (4, Duration::from_millis(1400));
        assert_eq!(until_given_up(0, Hope::None), (1, Duration::ZERO));
        assert_eq!(until_given_up(0, Hope::Later), (1, Duration::ZERO));
        assert_eq!(until_given_up(0, Hope::Soon), a_few_times);
        assert_eq!(until_given_up(10, Hope::Later), (8, Duration::from_secs(9)));
        assert_eq!(until_given_up(10, Hope::Soon), (8, Duration::from_secs(9)));
        assert_eq!(until_given_up(10, Hope::Now), a_few_times);
    }

    #[test]
    fn a_cluster_that_was_waited_for_in_vain_is_not_waited_for_again() {
        let patience = Patience::of(Duration::from_secs(3600));
        let other = patience.clone();
        assert!(other.left(Instant::now()) > Duration::ZERO);
        patience.is_gone();
        assert_eq!(other.left(Instant::now()), Duration::ZERO);
        patience.is_back();
        assert!(other.left(Instant::now()) > Duration::ZERO);
    }

    #[tokio::test]
    async fn nothing_is_waited_for_beyond_a_limit_neither_an_answer_nor_a_pause() {
        let patience = Patience::of(Duration::from_secs(3600)).within(Duration::from_millis(340));
        let mut attempts = patience.attempts();
        assert_eq!(attempts.pause(Hope::Soon, None, Duration::ZERO), Some(PAUSE));
        // It would end after 0.4 s.
        assert_eq!(attempts.pause(Hope::Soon, None, Duration::ZERO), None);
        assert_eq!(attempts.count, 2);
        assert_eq!(patience.in_time(std::future::ready(Ok(()))).await, Ok(()));
        let never = patience.in_time(std::future::pending::<Result<(), TransportError>>()).await;
        assert_eq!(never, Err(TransportError::Silent(Duration::from_millis(300))));
    }

    #[test]
    fn a_server_is_given_the_pause_that_it_asks_for_within_reason() {
        let patience = Patience::default();
        let mut attempts = patience.attempts();
        let mut asked =
            |seconds| attempts.pause(Hope::Soon, Some(Duration::from_secs(seconds)), Duration::ZERO);
        assert_eq!(asked(3), Some(Duration::from_secs(3)));
        assert_eq!(asked(3600), Some(Duration::from_secs(5)));
        assert_eq!(asked(0), Some(Duration::from_millis(800)));
        assert_eq!(asked(0), None);
    }
}
