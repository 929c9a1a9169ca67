//! Flags for targets that ask for credentials or certificates, or that listen on a Unix socket.

use crate::files::read_limited;
use crate::http::{Identity, Proxy};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Maximum size of a file with a password or a token, in bytes.
const MAX_SECRET_BYTES: u64 = 16 * 1024;
/// Maximum size of a file with certificates, in bytes.
pub const MAX_PEM_BYTES: u64 = 16 << 20;

/// How the target is reached.
#[derive(Args, Clone, Debug, Default)]
pub struct AccessArgs {
    /// Send this name and password (Authorization: Basic), or with @FILE those in a file; every user of
    /// this host sees them in the process list, so prefer @FILE or FLOODGATE_BASIC
    #[arg(
        long,
        env = "FLOODGATE_BASIC",
        hide_env_values = true,
        value_name = "USER:PASSWORD|@FILE",
        conflicts_with = "bearer_file"
    )]
    basic: Option<String>,
    /// Send the token in this file (Authorization: Bearer)
    #[arg(long, env = "FLOODGATE_BEARER_FILE", value_name = "FILE")]
    bearer_file: Option<PathBuf>,
    /// PEM file with a certificate to show to the target (mutual TLS), and with its key unless --key has it
    #[arg(long, env = "FLOODGATE_CERT", value_name = "FILE")]
    cert: Option<PathBuf>,
    /// PEM file with the private key of --cert, not encrypted
    #[arg(long, env = "FLOODGATE_KEY", value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Connect to this Unix socket instead of the URL's host; native client only
    #[arg(long, env = "FLOODGATE_UNIX_SOCKET", value_name = "PATH")]
    pub unix_socket: Option<PathBuf>,
    /// Tunnel through this proxy (CONNECT), which then is part of what is measured; ureq client only
    #[arg(
        long,
        env = "FLOODGATE_HTTP_PROXY",
        hide_env_values = true,
        value_name = "http://HOST:PORT",
        conflicts_with = "unix_socket"
    )]
    http_proxy: Option<String>,
    /// Do not verify the target's certificate; the result says so
    #[arg(long, env = "FLOODGATE_INSECURE")]
    pub insecure: bool,
}

impl AccessArgs {
    /// The value of the header `Authorization`, if any.
    ///
    /// # Errors
    /// What is wrong, without repeating the secret.
    pub fn authorization(&self) -> Result<Option<String>, String> {
        if let Some(given) = &self.basic {
            let (name, text) = match given.strip_prefix('@') {
                Some(path) => (format!("--basic {given}"), secret(Path::new(path), "--basic @")?),
                None => ("--basic".to_owned(), given.clone()),
            };
            if !text.contains(':') || text.chars().any(char::is_control) {
                return Err(format!("{name}: use USER:PASSWORD, in one line"));
            }
            return Ok(Some(format!("Basic {}", BASE64.encode(text))));
        }
        let Some(path) = &self.bearer_file else { return Ok(None) };
        let token = secret(path, "--bearer-file ")?;
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let what = "must contain one token of printable ASCII characters without spaces";
            return Err(format!("--bearer-file {}: {what}", path.display()));
        }
        Ok(Some(format!("Bearer {token}")))
    }

    /// The certificate of `--cert` with its key.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub fn identity(&self) -> Result<Option<Identity>, String> {
        let Some(cert) = &self.cert else { return Ok(None) };
        let read = |flag: &str, path: &Path| {
            read_limited(path, MAX_PEM_BYTES).map_err(|why| format!("{flag} {}: {why}", path.display()))
        };
        let certificate = read("--cert", cert)?;
        let key = self.key.as_deref().map_or_else(|| Ok(certificate.clone()), |path| read("--key", path))?;
        let with_key = self.key.as_ref().map_or_else(String::new, |key| format!(" --key {}", key.display()));
        let named = |why| format!("--cert {}{with_key}: {why}", cert.display());
        Identity::from_pem(&certificate, &key).map(Some).map_err(named)
    }

    /// The proxy.
    ///
    /// # Errors
    /// What is allowed.
    pub fn proxy(&self) -> Result<Option<Proxy>, String> {
        let proxy = self.http_proxy.as_deref().map(str::parse).transpose();
        proxy.map_err(|why| format!("--http-proxy: {why}"))
    }

    /// The environment variables among these settings that a plan would carry to the drivers of a fleet.
    pub fn variables_of_plan(&self) -> Vec<&'static str> {
        let named = [
            ("FLOODGATE_BASIC", is_from("FLOODGATE_BASIC", self.basic.as_deref().map(OsStr::new))),
            (
                "FLOODGATE_BEARER_FILE",
                is_from("FLOODGATE_BEARER_FILE", self.bearer_file.as_deref().map(Path::as_os_str)),
            ),
            ("FLOODGATE_INSECURE", self.insecure && std::env::var_os("FLOODGATE_INSECURE").is_some()),
        ];
        named.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect()
    }

    /// Fails if there are settings that each driver has of its own.
    ///
    /// # Errors
    /// The first of them.
    pub fn check_remote(&self) -> Result<(), String> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.clone().into_os_string());
        let own = [
            ("--cert", "FLOODGATE_CERT", path(&self.cert)),
            ("--unix-socket", "FLOODGATE_UNIX_SOCKET", path(&self.unix_socket)),
            ("--http-proxy", "FLOODGATE_HTTP_PROXY", self.http_proxy.clone().map(Into::into)),
        ];
        let Some((flag, name, value)) = own.iter().find(|(.., value)| value.is_some()) else { return Ok(()) };
        Err(match is_from(name, value.as_deref()) {
            true => format!(
                "{name} in the environment is a setting of each driver: unset it here, or omit --orchestrator"
            ),
            false => format!(
                "{flag} is a setting of each driver: start floodgate-driver with it, or omit --orchestrator"
            ),
        })
    }
}

/// Whether a setting is that of this environment variable.
fn is_from(name: &str, value: Option<&OsStr>) -> bool {
    value.is_some() && std::env::var_os(name).as_deref() == value
}

/// A secret in a file, without the line end after it.
fn secret(path: &Path, flag: &str) -> Result<String, String> {
    let named = |why: String| format!("{flag}{}: {why}", path.display());
    let bytes = read_limited(path, MAX_SECRET_BYTES).map_err(named)?;
    let text = String::from_utf8(bytes).map_err(|_| named("is not UTF-8 text".to_owned()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &str) -> Result<Option<String>, String> {
        AccessArgs { basic: Some(text.to_owned()), ..AccessArgs::default() }.authorization()
    }

    #[test]
    fn credentials_come_from_flags_and_files_and_no_error_repeats_them() {
        assert_eq!(AccessArgs::default().authorization(), Ok(None));
        assert_eq!(basic("joe:p:w"), Ok(Some("Basic am9lOnA6dw==".to_owned())));
        assert!(
            ["s3cret", "a:s3cret\n", ""].iter().all(|bad| basic(bad).is_err_and(|e| !e.contains("s3cret")))
        );
        let path = std::env::temp_dir().join(format!("floodgate-access-{}", std::process::id()));
        std::fs::write(&path, "joe:pw\n").expect("written");
        assert_eq!(basic(&format!("@{}", path.display())), Ok(Some("Basic am9lOnB3".to_owned())));
        let bearer =
            || AccessArgs { bearer_file: Some(path.clone()), ..AccessArgs::default() }.authorization();
        std::fs::write(&path, "tok-1.a_b\r\n").expect("written");
        assert_eq!(bearer(), Ok(Some("Bearer tok-1.a_b".to_owned())));
        for bad in ["", "\n", "two words", "two\nlines", "caf\u{e9}"] {
            std::fs::write(&path, bad).expect("written");
            let error = bearer().expect_err("refused");
            assert!(error.starts_with("--bearer-file /") && !error.contains("two"), "{error}");
        }
        std::fs::remove_file(&path).expect("removed");
        assert!(bearer().is_err_and(|e| e.contains("cannot be opened")));
    }
}
