//! nginx on a loopback port, one worker process, pinned to the first core.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running nginx; ends with this value.
pub struct Nginx {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Nginx {
    /// Starts it and waits until it answers.
    pub fn start() -> Result<Nginx, String> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|e| format!("no free port: {e}"))?.port();
        let folder = std::env::temp_dir().join(format!("floodgate-bench-{port}"));
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let config = folder.join("nginx.conf");
        let text = format!(
            "daemon off; master_process off; worker_processes 1; pid {0}/pid; error_log {0}/error.log;\n\
             events {{ worker_connections 16384; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;\n\
             server {{ listen 127.0.0.1:{port} backlog=16384; location / {{ return 200 \"pong\"; }} }} }}\n",
            folder.display()
        );
        std::fs::write(&config, text).map_err(|e| format!("{}: {e}", config.display()))?;
        let child = Command::new("taskset")
            .args(["-c", "0", "nginx", "-c"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("nginx cannot be started ({e}): install nginx and util-linux"))?;
        let server = Nginx { child, folder, port };
        server.wait()?;
        Ok(server)
    }

    /// What to load.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/ping", self.port)
    }

    #[allow(clippy::disallowed_methods)]
    fn wait(&self) -> Result<(), String> {
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("nginx does not answer on port {}: see {}", self.port, self.folder.display()))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
