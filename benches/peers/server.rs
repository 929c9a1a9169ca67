//! nginx on loopback ports, one for HTTP and one for HTTPS, with one worker process pinned to the first core.

use super::certificate::{CIPHER, Certificate, negotiated};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The default answer.
pub const SMALL_BODY: &str = "pong";

/// A running nginx, stopped on drop.
pub struct Nginx {
    child: Child,
    folder: PathBuf,
    port: u16,
    secure: Option<Secure>,
}

/// The HTTPS side of a server.
pub struct Secure {
    port: u16,
    /// The certificate (PEM), which a client that verifies must trust.
    pub certificate: PathBuf,
    /// The TLS version and cipher negotiated with clients.
    pub cipher: String,
}

impl Nginx {
    /// Starts nginx with bodies of this size and waits until it answers. Serves HTTPS if requested and if
    /// openssl is available to make a certificate.
    pub fn start(with_https: bool, bytes: usize) -> Result<Nginx, String> {
        let port = free_port()?;
        let folder = std::env::temp_dir().join(format!("floodgate-bench-{port}"));
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let secure = if with_https { Certificate::make(&folder)? } else { None };
        let secure = secure.map(|made| free_port().map(|port| (port, made))).transpose()?;
        let listen = secure.as_ref().map(|(port, made)| listen_secure(*port, made)).unwrap_or_default();
        let answer = answer(&folder, bytes)?;
        let config = folder.join("nginx.conf");
        let text = format!(
            "daemon off; master_process off; worker_processes 1; pid {0}/pid; error_log {0}/error.log;\n\
             events {{ worker_connections 16384; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;\n\
             server {{ listen 127.0.0.1:{port} backlog=16384;\n{listen}\
             location / {{ {answer} }} }} }}\n",
            folder.display()
        );
        std::fs::write(&config, text).map_err(|e| format!("{}: {e}", config.display()))?;
        let mut server = Nginx { child: spawn(&config)?, folder, port, secure: None };
        server.wait(port)?;
        if let Some((port, made)) = secure {
            server.wait(port)?;
            let cipher = negotiated(port)?;
            server.secure = Some(Secure { port, certificate: made.certificate, cipher });
        }
        Ok(server)
    }

    /// The URL to load.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/ping", self.port)
    }

    /// The HTTPS side, if any.
    pub fn secure(&self) -> Option<&Secure> {
        self.secure.as_ref()
    }

    #[allow(clippy::disallowed_methods)]
    fn wait(&mut self, port: u16) -> Result<(), String> {
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(());
            }
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let said = std::fs::read_to_string(self.folder.join("error.log")).unwrap_or_default();
        Err(format!("nginx does not answer on port {port}: {said}"))
    }
}

impl Secure {
    /// The URL to load.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}/ping", self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> Result<u16, String> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    Ok(free.map_err(|e| format!("no free port: {e}"))?.port())
}

fn spawn(config: &Path) -> Result<Child, String> {
    Command::new("taskset")
        .args(["-c", "0", "nginx", "-c"])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("nginx cannot be started ({e}): install nginx and util-linux"))
}

/// The small body from nginx's memory, any other body from a file.
fn answer(folder: &Path, bytes: usize) -> Result<String, String> {
    if bytes == SMALL_BODY.len() {
        return Ok(format!("return 200 \"{SMALL_BODY}\";"));
    }
    let file = folder.join("ping");
    std::fs::write(&file, "x".repeat(bytes)).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(format!("root {}; sendfile on; open_file_cache max=8;", folder.display()))
}

fn listen_secure(port: u16, made: &Certificate) -> String {
    format!(
        "listen 127.0.0.1:{port} ssl backlog=16384; ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {CIPHER};\n\
         ssl_certificate {}; ssl_certificate_key {};\n",
        made.certificate.display(),
        made.key.display()
    )
}
