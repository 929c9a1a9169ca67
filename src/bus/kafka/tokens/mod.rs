//! Bearer tokens: from a file, or from an OAuth server by client credentials (RFC 6749, section 4.4, as in
//! KIP-768). One token serves all connections until it expires. It is replaced ahead of that, so that a
//! server that is away for a short time goes unnoticed.

mod endpoint;

use self::endpoint::Issued;
use super::security::{Secret, TokenEndpoint, TokenSource, read_secret};
use crate::bus::BusError;
use crate::clock::{self, NS_PER_S};
use crate::threads;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time for one request to the server, however short the call that needs a token.
const FETCH_WITHIN: Duration = Duration::from_secs(10);
/// A token is replaced when this percentage of its life is over, as by Kafka's own clients
/// (`sasl.login.refresh.window.factor`), and no longer used after that one.
const RENEW_AFTER_PERCENT: u64 = 80;
const USE_UNTIL_PERCENT: u64 = 98;
/// How long a call that has a valid token waits for the next one.
const NEXT_WITHIN_NS: u64 = NS_PER_S;
/// Pause before another attempt to replace a valid token.
const PAUSE_NS: u64 = 5 * NS_PER_S;

/// The tokens of one client.
#[derive(Default)]
pub struct Tokens(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    fetched: Condvar,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    is_fetching: bool,
    /// Number of the last request that ended, and its result.
    last: (u64, Option<Result<Secret, BusError>>),
    /// No valid token is replaced before.
    not_before_ns: u64,
}

/// A token that can be used several times.
struct Kept {
    token: Secret,
    renew_ns: u64,
    until_ns: u64,
}

impl Tokens {
    /// A token. Connections that need one at the same time wait for the same request, each as long as it can.
    ///
    /// # Errors
    /// Why there is none, without any secret: lasting if there is no file or the server refuses.
    pub fn get(
        &self,
        source: &TokenSource,
        ca_pem: Option<&[u8]>,
        deadline_ns: u64,
    ) -> Result<Secret, BusError> {
        self.get_at(clock::now_ns(), source, ca_pem, deadline_ns)
    }

    /// See [`Tokens::get`]; a kept token is judged at `now_ns`.
    fn get_at(
        &self,
        now_ns: u64,
        source: &TokenSource,
        ca_pem: Option<&[u8]>,
        deadline_ns: u64,
    ) -> Result<Secret, BusError> {
        let endpoint = match source {
            TokenSource::File(path) => {
                let named = |why| BusError::Denied(format!("--kafka-token-file {} {why}", path.display()));
                return read_secret(path).map_err(named);
            }
            TokenSource::Endpoint(endpoint) => endpoint,
        };
        let mut state = self.0.lock();
        let kept = state.kept.as_ref().filter(|kept| now_ns < kept.until_ns);
        let valid = kept.map(|kept| (kept.token.clone(), kept.renew_ns));
        match valid {
            Some((token, renew_ns)) if now_ns < renew_ns.max(state.not_before_ns) => Ok(token),
            Some((token, _)) => {
                let until_ns = deadline_ns.min(clock::now_ns().saturating_add(NEXT_WITHIN_NS));
                state.not_before_ns = now_ns.saturating_add(PAUSE_NS);
                Ok(self.fetch(state, endpoint, ca_pem, until_ns).unwrap_or_else(|error| {
                    log::debug!("the token for Kafka is used on: {error}");
                    token
                }))
            }
            None => self.fetch(state, endpoint, ca_pem, deadline_ns),
        }
    }

    /// Asks the server, unless a request is on its way, and waits for its answer.
    fn fetch(
        &self,
        mut state: MutexGuard<'_, State>,
        endpoint: &TokenEndpoint,
        ca_pem: Option<&[u8]>,
        deadline_ns: u64,
    ) -> Result<Secret, BusError> {
        let before = state.last.0;
        if !state.is_fetching {
            self.begin(endpoint, ca_pem)?;
            state.is_fetching = true;
        }
        loop {
            if let (number, Some(result)) = &state.last
                && *number != before
            {
                return result.clone();
            }
            let left = clock::until(deadline_ns);
            if left.is_zero() {
                let url = &endpoint.url;
                return Err(BusError::Unavailable(format!(
                    "no token for Kafka: {url} does not answer in time"
                )));
            }
            let waited = self.0.fetched.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Asks on a thread of its own, which no caller's deadline cuts off.
    fn begin(&self, endpoint: &TokenEndpoint, ca_pem: Option<&[u8]>) -> Result<(), BusError> {
        let (shared, endpoint) = (Arc::clone(&self.0), endpoint.clone());
        let ca_pem = ca_pem.map(<[u8]>::to_vec);
        let ask = move || {
            let began_ns = clock::now_ns();
            shared.ended(began_ns, endpoint::ask(&endpoint, ca_pem.as_deref(), FETCH_WITHIN));
        };
        let failed = Arc::clone(&self.0);
        let why = |what| BusError::Unavailable(format!("no token for Kafka: {what}"));
        let on_panic = move |what| failed.ended(clock::now_ns(), Err(why(what)));
        // Not joined: it ends after FETCH_WITHIN.
        threads::spawn("token", ask, on_panic).map(drop).map_err(why)
    }

    /// Forgets a token that a broker refused.
    pub fn forget(&self) {
        self.0.lock().kept = None;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of the end of a request that began at `began_ns`, and wakes those who wait.
    fn ended(&self, began_ns: u64, result: Result<Issued, BusError>) {
        let mut state = self.lock();
        if let Ok(issued) = &result {
            let life_ns = clock::to_ns(Duration::from_secs(issued.expires_in));
            let after = |percent| began_ns.saturating_add(life_ns / 100 * percent);
            let token = issued.access_token.clone();
            let (renew_ns, until_ns) = (after(RENEW_AFTER_PERCENT), after(USE_UNTIL_PERCENT));
            state.kept = Some(Kept { token, renew_ns, until_ns });
        }
        state.is_fetching = false;
        state.last = (state.last.0 + 1, Some(result.map(|issued| issued.access_token)));
        self.fetched.notify_all();
    }
}

#[cfg(test)]
mod tests;
