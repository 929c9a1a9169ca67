//! The meaning of a Kafka client's properties: those of Java, and the names of librdkafka that differ.

mod login;

use super::{Entry, parse};
use crate::bus::kafka::security::jaas;
use crate::bus::kafka::security::pem::{Pem, Store, unfold};
use crate::bus::kafka::security::{Given, Secret};
use crate::units::clip;
use std::path::PathBuf;

/// Keys under `ssl.` and `sasl.` that change nothing here.
const HARMLESS: [&str; 8] = [
    // Passwords of stores: PEM has none, and a store that is not PEM is refused with its name.
    "ssl.truststore.password",
    "ssl.keystore.password",
    "ssl.key.password",
    "sasl.login.refresh.",
    "sasl.login.retry.",
    "sasl.login.connect.timeout.ms",
    "sasl.login.read.timeout.ms",
    "sasl.oauthbearer.method",
];

/// Longest key that is named as ignored, in characters.
const LONGEST_KEY: usize = 80;

/// Reads a properties file: the settings it makes, and the keys that have no meaning here. `file` returns the
/// content of a file that a property names.
///
/// # Errors
/// The line, the key and what is wrong, never a secret.
pub fn read(
    text: &str,
    mut file: impl FnMut(&str) -> Result<Vec<u8>, String>,
) -> Result<(Given, Vec<String>), String> {
    let (mut given, mut ignored) = (Given::default(), Vec::new());
    for entry in parse(text) {
        let taken = take(&mut given, &entry, &mut file);
        match taken.map_err(|why| format!("line {}: {}: {why}", entry.line, entry.key))? {
            true => {}
            // It may be part of a secret whose lines have lost their backslashes.
            false if entry.value.is_empty() && !entry.key.contains('.') => {
                return Err(format!(
                    "line {}: is not KEY=VALUE; if it belongs to the value above, that line must end with \\",
                    entry.line
                ));
            }
            false => ignored.push(clip(&entry.key, LONGEST_KEY)),
        }
    }
    Ok((given, ignored))
}

/// Takes an entry; returns false if it has no meaning here.
fn take(
    given: &mut Given,
    entry: &Entry,
    file: &mut impl FnMut(&str) -> Result<Vec<u8>, String>,
) -> Result<bool, String> {
    let (key, value) = (entry.key.as_str(), entry.value.as_str());
    let text = || Some(value.to_owned());
    match key {
        "bootstrap.servers" => {
            given.brokers =
                value.split(',').map(|one| one.trim().to_owned()).filter(|s| !s.is_empty()).collect();
        }
        "security.protocol" => given.protocol = Some(value.parse()?),
        "sasl.mechanism" | "sasl.mechanisms" => given.mechanism = Some(value.parse()?),
        "sasl.username" => given.user = text(),
        "sasl.password" => given.password = Some(Secret::new(value)),
        "sasl.jaas.config" => login::take(given, &jaas::parse(value)?, file)?,
        "sasl.oauthbearer.token.endpoint.url" => match value.strip_prefix("file://") {
            Some(path) => given.token_file = Some(PathBuf::from(path)),
            None => given.token_url = text(),
        },
        "sasl.oauthbearer.client.id" | "sasl.oauthbearer.client.credentials.client.id" => given.user = text(),
        "sasl.oauthbearer.client.secret" | "sasl.oauthbearer.client.credentials.client.secret" => {
            given.password = Some(Secret::new(value));
        }
        "sasl.oauthbearer.scope" => given.token_scope = text(),
        "sasl.oauthbearer.header.urlencode" => given.header_urlencode = Some(boolean(value)?),
        "https.ca.location" => given.token_ca = Some(load(value, Store::Trust, file)?),
        "https.ca.pem" => given.token_ca = Some(inline(key, value)),
        "sasl.login.callback.handler.class" => check_handler(value)?,
        _ if key.starts_with("ssl.") || key == "enable.ssl.certificate.verification" => {
            take_tls(given, entry, file)?;
        }
        _ if is_harmless(key) => {}
        _ if key.starts_with("sasl.") || key.starts_with("security.") => return Err(unsupported()),
        _ => return Ok(false),
    }
    Ok(true)
}

fn is_harmless(key: &str) -> bool {
    HARMLESS.iter().any(|one| key == *one || (one.ends_with('.') && key.starts_with(one)))
}

fn unsupported() -> String {
    "is not supported: remove it if the connection is meant to work without it".to_owned()
}

fn take_tls(
    given: &mut Given,
    entry: &Entry,
    file: &mut impl FnMut(&str) -> Result<Vec<u8>, String>,
) -> Result<(), String> {
    let (key, value) = (entry.key.as_str(), entry.value.as_str());
    let mut load = |store| load(value, store, file).map(Some);
    let inline = || Some(inline(key, value));
    match key {
        "ssl.truststore.location" | "ssl.ca.location" => given.ca = load(Store::Trust)?,
        "ssl.truststore.certificates" | "ssl.ca.pem" => given.ca = inline(),
        "ssl.keystore.location" => {
            given.cert = load(Store::Own)?;
            given.key.clone_from(&given.cert);
        }
        "ssl.certificate.location" => given.cert = load(Store::Own)?,
        "ssl.key.location" => given.key = load(Store::Own)?,
        "ssl.keystore.certificate.chain" | "ssl.certificate.pem" => given.cert = inline(),
        "ssl.keystore.key" | "ssl.key.pem" => given.key = inline(),
        // What the file is shows in its content.
        "ssl.truststore.type" | "ssl.keystore.type" => {}
        "ssl.protocol" | "ssl.enabled.protocols" => check_versions(value)?,
        "ssl.endpoint.identification.algorithm" if value.eq_ignore_ascii_case("https") => {}
        "ssl.endpoint.identification.algorithm" => {
            return Err(
                "would turn off the check of the broker's name, which is always made: remove it, and \
                        let the broker's certificate name its address"
                    .to_owned(),
            );
        }
        "enable.ssl.certificate.verification" if value.eq_ignore_ascii_case("true") => {}
        "enable.ssl.certificate.verification" => {
            return Err(
                "would turn off the check of the broker's certificate, which is always made: remove \
                        it, and name the authority with ssl.ca.location"
                    .to_owned(),
            );
        }
        _ if is_harmless(key) => {}
        _ => return Err(unsupported()),
    }
    Ok(())
}

/// The PEM file that a property names.
fn load(
    path: &str,
    store: Store,
    file: &mut impl FnMut(&str) -> Result<Vec<u8>, String>,
) -> Result<Pem, String> {
    Pem::load(path.to_owned(), path, store, file)
}

/// The PEM text in a property.
fn inline(key: &str, value: &str) -> Pem {
    Pem { name: key.to_owned(), bytes: unfold(value) }
}

fn boolean(value: &str) -> Result<bool, String> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{value:?} is neither true nor false")),
    }
}

fn check_versions(value: &str) -> Result<(), String> {
    match value.split(',').map(str::trim).find(|one| !["TLS", "TLSv1.2", "TLSv1.3"].contains(one)) {
        None => Ok(()),
        Some(other) => Err(format!("{other:?} is not supported: TLSv1.2 and TLSv1.3 are")),
    }
}

fn check_handler(class: &str) -> Result<(), String> {
    match class.rsplit('.').next() {
        Some("OAuthBearerLoginCallbackHandler") => Ok(()),
        _ => Err(format!(
            "{class} is a Java class, which this program cannot run: use SCRAM, PLAIN, or OAUTHBEARER with a \
             token endpoint or --kafka-token-file"
        )),
    }
}

#[cfg(test)]
mod tests;
