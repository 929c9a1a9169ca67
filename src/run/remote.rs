//! A test on a remote fleet, through the orchestrator's HTTP API.

use super::{Backend, Trouble};
use crate::fetch;
use crate::message::TestConfig;
use crate::stats::summary::Summary;
use serde::Deserialize;
use serde::de::DeserializeOwned;
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
/// Timeout of one poll; it also delays Ctrl-C and the progress line.
const LOOK_TIMEOUT: Duration = Duration::from_secs(4);

/// A remote orchestrator.
pub struct Remote {
    config: Config,
    /// The test that was configured.
    test_id: Option<String>,
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
        Remote { config, test_id: None }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.config.url.trim_end_matches('/'))
    }

    fn post(&self, path: &str, body: &impl serde::Serialize) -> Result<Vec<u8>, Trouble> {
        let body = serde_json::to_vec(body).map_err(|e| Trouble::lasting(e.to_string()))?;
        let url = self.url(path);
        let answer =
            fetch::post_json(&url, &body, self.config.token.as_deref(), TIMEOUT).map_err(unreached)?;
        accept(&url, answer)
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
        let configured = self.post("/configure", &plan);
        let configured = configured.and_then(|body| read::<Accepted>(&self.url("/configure"), &body));
        let test_id = configured.map(|configured| configured.test_id).map_err(|trouble| trouble.text)?;
        self.test_id = Some(test_id.clone());
        Ok(test_id)
    }

    fn stop(&mut self, test_id: &str, reason: &str) -> Result<(), String> {
        let body = serde_json::json!({ "test_id": test_id, "reason": reason });
        self.post("/stop", &body).map(|_| ()).map_err(|trouble| trouble.text)
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
        Some(format!(
            "The drivers continue to the end of the plan on their own. To stop them now: if the \
             orchestrator is still running, curl -X POST {} -d '{{\"test_id\":\"{test_id}\"}}' (with its \
             token); otherwise stop each floodgate-driver with Ctrl-C or SIGTERM.",
            self.url("/stop")
        ))
    }
}
