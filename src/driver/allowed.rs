//! Which hosts a driver may load: that of its target, and those of `--allow-target`. So a plan cannot turn a
//! fleet against a host that the fleet's operators did not allow.

use crate::plan::request::parse_url;

/// The hosts that a driver may load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    hosts: Vec<(String, Option<u16>)>,
}

impl Allowed {
    /// `target_url` is the driver's target; each of `more` is `HOST` or `HOST:PORT` (`[::1]:80` for IPv6).
    pub fn new(target_url: Option<&str>, more: &[String]) -> Result<Allowed, String> {
        let mut hosts = Vec::new();
        if let Some(url) = target_url {
            let uri = parse_url(url)?;
            hosts.push((plain(uri.host().unwrap_or_default()), None));
        }
        for text in more {
            hosts.push(parse_host(text)?);
        }
        Ok(Allowed { hosts })
    }

    /// Fails if `host` is not allowed; the error says how to allow it.
    pub fn check(&self, host: &str, port: u16) -> Result<(), String> {
        let host = plain(host);
        if self.hosts.iter().any(|(name, only)| *name == host && only.is_none_or(|only| only == port)) {
            return Ok(());
        }
        Err(format!(
            "this driver may not load {host}:{port}; start it with --target on that host or with \
             --allow-target {host}:{port}"
        ))
    }
}

fn plain(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

fn parse_host(text: &str) -> Result<(String, Option<u16>), String> {
    let error =
        || format!("--allow-target {text:?}: use HOST or HOST:PORT, like example.org:8080 or [::1]:80");
    let trimmed = text.trim();
    let bare_ipv6 = trimmed.matches(':').count() > 1 && !trimmed.starts_with('[');
    let (host, port) = match trimmed.rsplit_once(':') {
        Some((host, port)) if !bare_ipv6 && !port.ends_with(']') => {
            (host, Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(error)?))
        }
        _ => (trimmed, None),
    };
    let usable = !host.is_empty() && !host.contains(['/', '@']) && !host.contains(char::is_whitespace);
    if usable { Ok((plain(host), port)) } else { Err(error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_allowed_by_name_and_by_port() {
        let more = ["b:81", "[::1]:82", "fe80::1", "C"].map(str::to_owned);
        let allowed = Allowed::new(Some("http://A:80/x"), &more).expect("valid");
        for (host, port) in [("a", 80), ("A", 9), ("b", 81), ("::1", 82), ("fe80::1", 5), ("c", 1)] {
            assert_eq!(allowed.check(host, port), Ok(()), "{host}:{port}");
        }
        for (host, port) in [("b", 80), ("::1", 81), ("d", 80), ("", 80)] {
            assert!(allowed.check(host, port).is_err(), "{host}:{port}");
        }
    }

    #[test]
    fn malformed_hosts_are_refused_with_a_hint() {
        for text in ["", ":80", "a:0", "a:99999", "a:b", "http://a/", "a b"] {
            let error = Allowed::new(None, &[text.to_owned()]).expect_err(text);
            assert!(error.contains("--allow-target"), "{error}");
        }
    }
}
