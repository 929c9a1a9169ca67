//! The meaning of the options in `sasl.jaas.config`.

use super::{inline, load, unsupported};
use crate::bus::kafka::security::jaas::Jaas;
use crate::bus::kafka::security::pem::Store;
use crate::bus::kafka::security::{Given, Mechanism, Secret};

/// Takes a login module. Options without a meaning here are refused, since a login without them may be
/// another one than the user wants.
///
/// # Errors
/// The module or the option that is not supported, never a value of an option.
pub fn take(
    given: &mut Given,
    jaas: &Jaas,
    file: &mut impl FnMut(&str) -> Result<Vec<u8>, String>,
) -> Result<(), String> {
    let is_bearer = match jaas.module.as_str() {
        "PlainLoginModule" => {
            given.mechanism = given.mechanism.or(Some(Mechanism::Plain));
            false
        }
        "ScramLoginModule" => false,
        "OAuthBearerLoginModule" => {
            given.mechanism = given.mechanism.or(Some(Mechanism::OauthBearer));
            true
        }
        other => {
            return Err(format!(
                "{other} is not supported: use PlainLoginModule, ScramLoginModule or OAuthBearerLoginModule"
            ));
        }
    };
    for (name, value) in &jaas.options {
        match (name.as_str(), is_bearer) {
            ("username", false) | ("clientId", true) => given.user = Some(value.clone()),
            ("password", false) | ("clientSecret", true) => given.password = Some(Secret::new(value)),
            ("scope", true) => given.token_scope = Some(value.clone()),
            // Whom to trust at the token endpoint.
            ("ssl.truststore.location", true) => given.token_ca = Some(load(value, Store::Trust, file)?),
            ("ssl.truststore.certificates", true) => given.token_ca = Some(inline(name, value)),
            ("ssl.truststore.type" | "ssl.truststore.password", true) => {}
            ("tokenauth", false) if value == "false" => {}
            _ => return Err(format!("its option {name} {}", unsupported())),
        }
    }
    Ok(())
}
