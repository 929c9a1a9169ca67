//! Logging in over an open connection (SaslHandshake, SaslAuthenticate), and again before the session ends
//! (KIP-368).

use super::Connection;
use super::stage::{Stage, Step};
use crate::bus::BusError;
use crate::bus::kafka::access;
use crate::bus::kafka::responses::{self, Authenticated};
use crate::bus::kafka::sasl::Exchange;
use crate::bus::kafka::security::{Login, Protocol};
use crate::bus::kafka::versions::Api;
use crate::bus::kafka::{faults, requests};
use crate::clock::{self, NS_PER_MS};
use crate::units::clip;

/// Most messages of one login; SCRAM has two.
const MOST_MESSAGES: usize = 4;
/// A session is renewed when this percentage of it is over, as in Kafka's own clients at the earliest.
const RENEW_AFTER_PERCENT: u64 = 85;
/// The broker's error codes: an unknown mechanism, and a request that does not fit the listener.
const UNSUPPORTED_MECHANISM: i16 = 33;
const ILLEGAL_STATE: i16 = 34;

impl Connection {
    /// Logs in if the settings say so; notes in `stage` how far it has come.
    pub(super) fn log_in(&mut self, deadline_ns: u64, stage: &Stage) -> Result<(), BusError> {
        let access = std::sync::Arc::clone(&self.access);
        let Some(login) = access.login() else { return Ok(()) };
        if !self.agreed.has_login() {
            return Err(BusError::Unsupported(format!(
                "Kafka broker {} is too old for a login by SASL messages: it must be 1.0 or newer",
                self.address
            )));
        }
        stage.reached(Step::Token);
        let token = access.token(deadline_ns)?;
        stage.reached(Step::Login);
        let nonce = access::nonce().map_err(BusError::Unavailable)?;
        self.shake_hands(login, deadline_ns)?;
        let mut exchange = Exchange::new(login, token, &nonce);
        let mut message = exchange.first();
        for _ in 0..MOST_MESSAGES {
            let began_ns = clock::now_ns();
            let answered = self.authenticate(login, &message, deadline_ns)?;
            let next = exchange.answer(&answered.bytes).map_err(|why| self.distrusted(&why))?;
            match next {
                Some(next) => message = next,
                None => {
                    self.renew_ns = renewal(began_ns, answered.lifetime_ms);
                    return Ok(());
                }
            }
        }
        Err(self.distrusted("its login has no end"))
    }

    /// Logs in again if most of the session is over.
    pub(super) fn renew_login(&mut self, deadline_ns: u64) -> Result<(), BusError> {
        if clock::now_ns() < self.renew_ns {
            return Ok(());
        }
        self.log_in(deadline_ns, &Stage::default())?;
        log::debug!("logged in again at Kafka broker {}", self.address);
        Ok(())
    }

    fn shake_hands(&mut self, login: &Login, deadline_ns: u64) -> Result<(), BusError> {
        let name = login.mechanism().name();
        let asked =
            self.exchange(Api::SaslHandshake, |head| requests::sasl_handshake(head, name), deadline_ns);
        let answer = asked.map_err(|error| self.hinted(error))?;
        let read = answer.body().and_then(|mut body| responses::sasl_handshake(&mut body));
        let (code, offered) = read.map_err(|malformed| faults::malformed(&self.address, malformed))?;
        let address = &self.address;
        match code {
            0 => Ok(()),
            UNSUPPORTED_MECHANISM => Err(BusError::Denied(format!(
                "Kafka broker {address} does not offer {name}: use --kafka-mechanism with one of {}",
                clip(&offered.join(", "), faults::MOST_SAID)
            ))),
            ILLEGAL_STATE => {
                let protocol = Protocol::of(self.access.tls.is_some(), false);
                Err(BusError::Denied(format!(
                    "the listener of Kafka broker {address} has no login: use --kafka-protocol {protocol}, or \
                     the port of another listener"
                )))
            }
            code => Err(self.distrusted(&format!("it answered with error {code}"))),
        }
    }

    fn authenticate(
        &mut self,
        login: &Login,
        message: &[u8],
        deadline_ns: u64,
    ) -> Result<Authenticated, BusError> {
        let api = Api::SaslAuthenticate;
        let asked = self.exchange(api, |head| requests::sasl_authenticate(head, message), deadline_ns);
        let answer = asked.map_err(|error| self.hinted(error))?;
        let read = answer.body().and_then(|mut body| responses::sasl_authenticate(&mut body, answer.version));
        let answered = read.map_err(|malformed| faults::malformed(&self.address, malformed))?;
        if answered.error == 0 {
            return Ok(answered);
        }
        self.access.refused();
        Err(faults::login(answered.error, answered.message.as_deref(), login, &self.address))
    }

    /// The error for a broker that does not log us in as the protocol says.
    fn distrusted(&self, why: &str) -> BusError {
        BusError::Denied(format!("the login at Kafka broker {} failed: {why}", self.address))
    }

    /// The error for a connection that was lost during the login.
    fn hinted(&self, error: BusError) -> BusError {
        match error {
            BusError::Unavailable(why) => BusError::Unavailable(format!("{why} during the login")),
            other => other,
        }
    }
}

/// When to log in again; never if the broker sets no limit.
fn renewal(began_ns: u64, lifetime_ms: i64) -> u64 {
    match u64::try_from(lifetime_ms) {
        Ok(1..) => {
            let lifetime_ns = (lifetime_ms as u64).saturating_mul(NS_PER_MS);
            began_ns.saturating_add(lifetime_ns / 100 * RENEW_AFTER_PERCENT)
        }
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_renewed_before_it_ends() {
        assert_eq!(renewal(7, 0), u64::MAX);
        assert_eq!(renewal(7, -1), u64::MAX);
        assert_eq!(renewal(7, 10_000), 7 + 8_500 * NS_PER_MS);
        assert_eq!(renewal(7, i64::MAX), u64::MAX / 100 * 85 + 7);
    }
}
