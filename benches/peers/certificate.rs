//! A certificate for the HTTPS part, made with `openssl`, and the negotiated cipher.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The server's only cipher, so that all clients bear the same cost.
pub const CIPHER: &str = "TLS_AES_128_GCM_SHA256";

/// A self-signed certificate for 127.0.0.1 and its key, as PEM files.
pub struct Certificate {
    /// The server's certificate, which a client that verifies must trust.
    pub certificate: PathBuf,
    /// The server's private key.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes one in `folder`; `None` if openssl is not installed.
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
            return Err(format!(
                "openssl cannot make a certificate: {}",
                String::from_utf8_lossy(&done.stderr)
            ));
        }
        Ok(Some(made))
    }
}

/// What a client with default settings negotiates on `port`, according to openssl: `TLSv1.3, Cipher is …`.
pub fn negotiated(port: u16) -> Result<String, String> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}")]);
    let done = run(command)?.ok_or("openssl is not installed")?;
    let text = String::from_utf8_lossy(&done.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("New, ")).unwrap_or_default();
    if line.contains(CIPHER) {
        return Ok(line.replace("Cipher is ", ""));
    }
    Err(format!("the server does not support {CIPHER}: {line:?}"))
}

/// The output of the command; `None` if the program is not installed.
fn run(mut command: Command) -> Result<Option<Output>, String> {
    match command.stdin(Stdio::null()).output() {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("openssl: {error}")),
    }
}
