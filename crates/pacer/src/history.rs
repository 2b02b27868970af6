//! The latest requests sent, and which of them were throttled: what the achieved rate is read from

use std::collections::VecDeque;
use std::time::Duration;

/// Accepted requests that the achieved rate is taken over
const SPAN_REQUESTS: usize = 40;
/// The shortest time that it is taken over: at high rates, so many requests are a blink
const SPAN_TIME: Duration = Duration::from_secs(3);
/// Entries kept: eight seconds of a thousand a second
const KEPT: usize = 8_192;

/// The latest requests sent, oldest first, numbered without gaps
#[derive(Debug, Default)]
pub(crate) struct History {
    sends: VecDeque<Sent>,
    next: u64,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Duration,
    throttled: bool,
}

impl History {
    /// Notes a request sent at `at` and returns its number
    pub(crate) fn sent(&mut self, at: Duration) -> u64 {
        if self.sends.len() == KEPT {
            self.sends.pop_front();
        }
        self.sends.push_back(Sent { at, throttled: false });
        self.next += 1;
        self.next - 1
    }

    /// Forgets what was achieved before an outage: it would be averaged with the outage itself
    pub(crate) fn forget(&mut self) {
        self.sends.clear();
    }

    /// Requests sent so far, which is also the next one's number
    pub(crate) fn count(&self) -> u64 {
        self.next
    }

    /// Notes that the request `number` was answered by 429
    pub(crate) fn throttled(&mut self, number: u64) {
        let first = self.next - self.sends.len() as u64;
        if let Some(index) = number.checked_sub(first)
            && let Some(sent) = self.sends.get_mut(usize::try_from(index).unwrap_or(usize::MAX))
        {
            sent.throttled = true;
        }
    }

    /// Whether a request sent after `from` and before `until` has not been throttled
    ///
    /// A 429 comes back at once while an answer takes seconds, so silence already means that it was accepted.
    pub(crate) fn accepted_between(&self, from: Duration, until: Duration) -> bool {
        self.sends
            .iter()
            .rev()
            .take_while(|sent| sent.at > from)
            .any(|sent| sent.at < until && !sent.throttled)
    }

    /// Requests a second that the service accepted up to `until`, holds included; `None` when there were none
    pub(crate) fn achieved(&self, until: Duration) -> Option<f64> {
        let mut accepted = 0_usize;
        let mut oldest = until;
        for sent in self.sends.iter().rev().filter(|sent| !sent.throttled && sent.at < until) {
            if accepted >= SPAN_REQUESTS && until - sent.at > SPAN_TIME {
                break;
            }
            accepted += 1;
            oldest = sent.at;
        }
        let span = (until - oldest).as_secs_f64();
        (accepted > 0 && span > 0.0).then(|| accepted as f64 / span)
    }
}
