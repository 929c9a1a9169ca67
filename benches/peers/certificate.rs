//! A certificate for the HTTPS part, made by the program `openssl`, and the cipher that a client is given.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The one cipher of the server, so that all clients pay for the same.
pub const CIPHER: &str = "TLS_AES_128_GCM_SHA256";

/// A self-signed certificate for 127.0.0.1 and its key, as PEM files.
pub struct Certificate {
    /// What the server shows, and what a client that checks must trust.
    pub certificate: PathBuf,
    /// The server's secret.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes one in `folder`; `None` where openssl is not installed.
    pub fn make(folder: &Path) -> Result<Option<Certificate>, String> {
        let made = Certificate { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
        let mut command = Command::new("openssl");
        command
            .args(
                "req -x509 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1".split(' '),
            )
            .args("-newkey ec -pkeyopt ec_paramgen_curve:prime256v1".split(' '))
            .arg("-out")
            .arg(&made.certificate)
            .arg("-keyout")
            .arg(&made.key);
        let Some(done) = run(command)? else { return Ok(None) };
        if !done.status.success() {
            return Err(format!("openssl makes no certificate: {}", String::from_utf8_lossy(&done.stderr)));
        }
        Ok(Some(made))
    }
}

/// What a client with no wishes of its own is given on `port`, seen by openssl: `TLSv1.3, Cipher is …`.
pub fn negotiated(port: u16) -> Result<String, String> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}")]);
    let done = run(command)?.ok_or("openssl is gone")?;
    let text = String::from_utf8_lossy(&done.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("New, ")).unwrap_or_default();
    if line.contains(CIPHER) {
        return Ok(line.replace("Cipher is ", ""));
    }
    Err(format!("the server does not speak {CIPHER}: {line:?}"))
}

/// Its output; `None` where the program is not installed.
fn run(mut command: Command) -> Result<Option<Output>, String> {
    match command.stdin(Stdio::null()).output() {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("openssl: {error}")),
    }
}
