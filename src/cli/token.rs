//! The orchestrator's API token, from a flag, a file or an environment variable.

use crate::files::read_limited;
use clap::Args;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Maximum length of a token, in bytes.
const MAX_BYTES: usize = 512;
/// Maximum size of its file, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Where the token comes from.
#[derive(Args, Clone, Debug, Default)]
pub struct TokenArgs {
    /// API token of the orchestrator; visible to every user of this host in the process list, so prefer
    /// --token-file or the environment variable
    #[arg(long, env = "FLOODGATE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// File that contains the API token
    #[arg(long, env = "FLOODGATE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl TokenArgs {
    /// Whether the token was passed on the command line: a variable may be meant for other runs.
    pub fn is_flag(&self) -> bool {
        let differs =
            |name: &str, given: Option<OsString>| given.is_some() && std::env::var_os(name) != given;
        differs("FLOODGATE_TOKEN", self.token.clone().map(OsString::from))
            || differs("FLOODGATE_TOKEN_FILE", self.token_file.clone().map(OsString::from))
    }

    /// The token, if specified. No error repeats it.
    pub fn read(&self) -> Result<Option<String>, String> {
        match (&self.token, &self.token_file) {
            (Some(_), Some(_)) => {
                Err("specify the token once: with --token (FLOODGATE_TOKEN) or with --token-file \
                                       (FLOODGATE_TOKEN_FILE)"
                    .to_owned())
            }
            (Some(token), None) => check("--token", token).map(Some),
            (None, Some(path)) => {
                let name = format!("--token-file {}", path.display());
                let text = read(path).map_err(|e| format!("{name}: {e}"))?;
                check(&name, &text).map(Some)
            }
            (None, None) => Ok(None),
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = read_limited(path, MAX_FILE_BYTES)?;
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())
}

fn check(name: &str, text: &str) -> Result<String, String> {
    let token = text.trim();
    if token.is_empty() {
        return Err(format!("{name} is empty: specify a token, or omit the flag"));
    }
    if token.len() > MAX_BYTES || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "{name}: a token is 1 to {MAX_BYTES} printable ASCII characters without spaces (like the output \
             of `openssl rand -hex 16`)"
        ));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_from_one_place_and_no_error_repeats_it() {
        let given = |text: &str| TokenArgs { token: Some(text.to_owned()), token_file: None }.read();
        assert_eq!(TokenArgs::default().read(), Ok(None));
        assert_eq!(given(" s3cret\n"), Ok(Some("s3cret".to_owned())));
        for bad in ["", "  ", "two words", "caf\u{e9}", &"x".repeat(513)] {
            let error = given(bad).expect_err("refused");
            assert!(error.contains("--token") && (bad.trim().is_empty() || !error.contains(bad)), "{error}");
        }
        let path = std::env::temp_dir().join(format!("floodgate-token-{}", std::process::id()));
        std::fs::write(&path, "from-file\n").expect("written");
        let file = TokenArgs { token: None, token_file: Some(path.clone()) };
        assert_eq!(file.read(), Ok(Some("from-file".to_owned())));
        let both = TokenArgs { token: Some("secret1".to_owned()), ..file.clone() }.read().expect_err("both");
        assert!(both.contains("once") && !both.contains("secret1"), "{both}");
        std::fs::remove_file(&path).expect("removed");
        assert!(file.read().is_err_and(|e| e.contains("cannot be opened")));
    }
}
