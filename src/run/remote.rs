//! A test on a remote fleet, through the orchestrator's HTTP API.

use super::{Backend, Trouble};
use crate::fetch;
use crate::message::{TestConfig, encode};
use crate::stats::summary::Summary;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::time::Duration;

/// Address and token of the orchestrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its address: `http://HOST:PORT`, without a path.
    pub url: String,
    /// Its API token.
    pub token: Option<String>,
}

const PAUSE: Duration = Duration::from_millis(500);
/// Timeout of a request that changes state.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of `/configure`, which the orchestrator answers within 16 s.
const CONFIGURE_TIMEOUT: Duration = Duration::from_secs(20);
/// Timeout of one poll; it also delays Ctrl-C and the progress line.
const LOOK_TIMEOUT: Duration = Duration::from_secs(4);

/// A remote orchestrator.
pub struct Remote {
    config: Config,
    /// The test that was configured, or may have been.
    test_id: Option<String>,
    /// Whether the orchestrator said that it was.
    is_accepted: bool,
}

#[derive(Deserialize)]
struct Accepted {
    test_id: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Remote {
    /// Sends nothing yet.
    pub fn new(config: Config) -> Remote {
        Remote { config, test_id: None, is_accepted: false }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.config.url.trim_end_matches('/'))
    }

    fn post(&self, url: &str, body: &[u8], timeout: Duration) -> Result<fetch::Fetched, fetch::FetchError> {
        fetch::post_json(url, body, self.config.token.as_deref(), timeout)
    }
}

fn unreached(error: fetch::FetchError) -> Trouble {
    if error.is_lasting {
        return Trouble::lasting(format!("{error}: check --orchestrator"));
    }
    Trouble::passing(format!(
        "{error}: the orchestrator is unreachable; check --orchestrator and that the orchestrator is running"
    ))
}

/// The body of a successful response, else the orchestrator's error.
fn accept(url: &str, answer: fetch::Fetched) -> Result<Vec<u8>, Trouble> {
    if (200..300).contains(&answer.status) {
        return Ok(answer.body);
    }
    let hint = if answer.status == 401 { " (use --token-file, --token or FLOODGATE_TOKEN)" } else { "" };
    let text = match serde_json::from_slice::<Refusal>(&answer.body) {
        Ok(refusal) => format!("the orchestrator refused the request: {}{hint}", refusal.error),
        Err(_) => format!("{url} returned status {}: is it a floodgate-orchestrator?", answer.status),
    };
    // A proxy in between, or an unavailable bus, may recover.
    Err(Trouble { text, is_lasting: answer.status < 500 })
}

fn read<T: DeserializeOwned>(url: &str, body: &[u8]) -> Result<T, Trouble> {
    serde_json::from_slice(body).map_err(|e| {
        Trouble::lasting(format!(
            "{url} returned an unreadable response ({e}): is it a floodgate-orchestrator?"
        ))
    })
}

impl Backend for Remote {
    fn configure(&mut self, plan: TestConfig) -> Result<String, String> {
        let (url, body) = (self.url("/configure"), encode(&plan));
        let answer = self.post(&url, &body, CONFIGURE_TIMEOUT).map_err(|error| {
            self.test_id = Some(plan.test_id).filter(|_| error.may_have_arrived);
            unreached(error).text
        })?;
        let accepted = accept(&url, answer).and_then(|body| read::<Accepted>(&url, &body));
        let test_id = accepted.map_err(|trouble| trouble.text)?.test_id;
        (self.test_id, self.is_accepted) = (Some(test_id.clone()), true);
        Ok(test_id)
    }

    fn stop(&mut self, test_id: &str, reason: &str) -> Result<(), Trouble> {
        let (url, body) = (self.url("/stop"), encode(&json!({ "test_id": test_id, "reason": reason })));
        accept(&url, self.post(&url, &body, TIMEOUT).map_err(unreached)?).map(|_| ())
    }

    fn summary(&mut self, test_id: &str) -> Result<Option<Summary>, Trouble> {
        let url = self.url(&format!("/tests/{test_id}"));
        let answer = fetch::get(&url, LOOK_TIMEOUT).map_err(unreached)?;
        if answer.status == 404 {
            return Ok(None);
        }
        let body = accept(&url, answer)?;
        read(&url, &body).map(Some)
    }

    fn pause(&self) -> Duration {
        PAUSE
    }

    fn out_of_reach(&self) -> Option<String> {
        let test_id = self.test_id.as_deref()?;
        let what = match self.is_accepted {
            true => "The drivers continue to the end of the plan on their own.",
            false => "The orchestrator may have received the plan, and then the drivers execute it.",
        };
        Some(format!(
            "{what} To stop them now: if the \
             orchestrator is still running, curl -X POST {} -d '{{\"test_id\":\"{test_id}\"}}' (with its \
             token); otherwise stop each floodgate-driver with Ctrl-C or SIGTERM.",
            self.url("/stop")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::TestType;
    use std::net::TcpListener;

    #[test]
    fn a_plan_that_may_have_arrived_comes_with_how_to_stop_its_test() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let mut remote = Remote::new(Config { url, token: None });
        // It takes connections and closes them without an answer.
        let server = std::thread::spawn(move || drop((listener.accept(), listener)));
        let plan = TestConfig::new("t-7", TestType::Tsunami);
        assert!(remote.configure(plan.clone()).is_err());
        server.join().expect("ends");
        let advice = remote.out_of_reach().expect("an advice");
        assert!(advice.starts_with("The orchestrator may have received the plan"), "{advice}");
        assert!(advice.contains(r#"/stop -d '{"test_id":"t-7"}'"#), "{advice}");
        assert!(remote.configure(plan).expect_err("refused").contains("unreachable"));
        assert_eq!(remote.out_of_reach(), None, "nobody listens any more: nothing was received");
    }
}
