//! What changes while a simulator runs: counters, meters, and how often each prompt was asked.

use std::collections::HashMap;

use crate::counters::{Counters, Tokens};
use crate::pool::Pool;
use crate::quota::{Meter, Per};
use crate::scenario::Scenario;

/// Everything that requests change, behind one lock.
pub struct State {
    pub counters: Counters,
    /// Requests for text so far; the first is number 1.
    pub arrivals: u64,
    /// Replies of status 200 so far, by order of decision.
    pub given: u64,
    meters: Vec<Meter>,
    pool: Option<Pool>,
    asks: HashMap<u64, u64>,
    answered: HashMap<u64, bool>,
    uses: HashMap<String, u64>,
}

/// Why a request is not admitted.
pub enum Refused {
    /// The quota at this place of the scenario, and the seconds to wait.
    Quota(usize, f64),
    /// The shared pool.
    Pool,
}

/// What became of a request, as the counters see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// 200; `whole` where it finished with STOP and text, `truncated` where with MAX_TOKENS.
    Ok { whole: bool, truncated: bool, tokens: Tokens, body: u64 },
    /// 429.
    RateLimited(Limit),
    /// Another 4xx.
    ClientError,
    /// 5xx, or HTML of whatever status.
    ServerError,
}

/// Whose limit a 429 speaks of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// One's own.
    Own(Per),
    /// The shared pool's.
    Pool,
}

impl State {
    /// The state at the start.
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            counters: Counters::default(),
            arrivals: 0,
            given: 0,
            meters: scenario.quota.iter().map(Meter::new).collect(),
            pool: scenario.shared_pool.as_ref().map(Pool::new),
            asks: HashMap::new(),
            answered: HashMap::new(),
            uses: HashMap::new(),
        }
    }

    /// Admits a request of `tokens` at `now` and charges every meter, or none.
    pub fn admit(&mut self, now: f64, tokens: u64) -> Result<(), Refused> {
        let waits = self.meters.iter_mut().map(|meter| meter.wait(now, meter.cost(tokens)));
        // The quota that asks for the longest wait is the one worth naming.
        let longest = waits
            .enumerate()
            .filter_map(|(place, wait)| wait.map(|wait| (place, wait)))
            .max_by(|left, right| left.1.total_cmp(&right.1));
        if let Some((place, wait)) = longest {
            return Err(Refused::Quota(place, wait));
        }
        if self.pool.as_mut().is_some_and(|pool| !pool.holds(now, tokens)) {
            return Err(Refused::Pool);
        }
        for meter in &mut self.meters {
            meter.charge(meter.cost(tokens));
        }
        if let Some(pool) = &mut self.pool {
            pool.charge(tokens);
        }
        Ok(())
    }

    /// How often the prompt was admitted before; counts this time.
    pub fn ask(&mut self, key: u64) -> u64 {
        let asks = self.asks.entry(key).or_default();
        *asks += 1;
        *asks - 1
    }

    /// How often the token was used before; counts this time.
    pub fn use_token(&mut self, token: &str) -> u64 {
        if let Some(uses) = self.uses.get_mut(token) {
            *uses += 1;
            return *uses - 1;
        }
        self.uses.insert(token.into(), 1);
        0
    }

    /// Counts a reply that the client has been sent whole.
    pub fn sent(&mut self, outcome: Outcome) {
        let counters = &mut self.counters;
        match outcome {
            Outcome::Ok { whole, truncated, tokens, body } => {
                counters.ok += 1;
                counters.complete += u64::from(whole);
                counters.truncated += u64::from(truncated);
                counters.empty += u64::from(!whole && !truncated);
                counters.tokens += tokens;
                match self.answered.get_mut(&body) {
                    Some(was_whole) => {
                        counters.duplicates += 1;
                        counters.paid_twice += u64::from(whole && *was_whole);
                        *was_whole |= whole;
                    }
                    None => {
                        self.answered.insert(body, whole);
                    }
                }
            }
            Outcome::RateLimited(limit) => {
                counters.rate_limited += 1;
                match limit {
                    Limit::Own(Per::Minute) => counters.rate_limited_minute += 1,
                    Limit::Own(Per::Day) => counters.rate_limited_day += 1,
                    Limit::Pool => counters.rate_limited_pool += 1,
                }
            }
            Outcome::ClientError => counters.client_errors += 1,
            Outcome::ServerError => counters.server_errors += 1,
        }
    }
}
