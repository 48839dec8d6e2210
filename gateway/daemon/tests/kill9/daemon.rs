//! The daemon as a process, started and killed again and again on the same directory and ports.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Daemon {
    dir: PathBuf,
    pub broker: SocketAddr,
    child: Option<Child>,
}

impl Daemon {
    /// Writes a configuration; nothing runs yet. The broker keeps one port over all starts, because nodes come back to it.
    pub fn new() -> Self {
        let unique = format!("kill9-{}", std::process::id());
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(unique);
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a directory");
        let free = TcpListener::bind("127.0.0.1:0")
            .and_then(|l| l.local_addr())
            .expect("a port");
        let config = format!(
            "[store]\ndata_dir = \"{}\"\n[field]\nlisten = \"{free}\"\n[web]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n[clock]\ntrust = \"always\"\n[cycle]\ngather_ms = 100\n[log]\nlevel = \"warn\"\n",
            dir.display()
        );
        std::fs::write(dir.join("gateway.toml"), config).expect("a configuration");
        Self {
            dir,
            broker: free,
            child: None,
        }
    }

    pub fn database(&self) -> PathBuf {
        self.dir.join("gateway.db")
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    /// Starts it and waits until it answers.
    pub fn start(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prepaid-gateway"));
        command
            .arg("run")
            .arg("--config")
            .arg(self.dir.join("gateway.toml"));
        self.child = Some(command.stdout(Stdio::null()).spawn().expect("the daemon"));
        let deadline = Instant::now() + Duration::from_secs(20);
        while ask(&self.socket(), r#"{"request":"status"}"#).is_none() {
            assert!(Instant::now() < deadline, "the daemon does not answer");
            std::thread::yield_now();
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("a running daemon");
        child.kill().expect("kill");
        child.wait().expect("wait");
    }

    /// Asks it to end, and waits.
    pub fn stop(&mut self) {
        let mut child = self.child.take().expect("a running daemon");
        let told = Command::new("kill")
            .arg(child.id().to_string())
            .status()
            .expect("kill");
        assert!(told.success());
        assert!(
            child.wait().expect("wait").success(),
            "the daemon did not end cleanly"
        );
    }

    /// Sends a command; the answer's line if it was carried out.
    pub fn command(&self, command: &str) -> Option<String> {
        let answer = ask(
            &self.socket(),
            &format!(r#"{{"request":"command","command":{command}}}"#),
        )?;
        answer.contains(r#""response":"done""#).then_some(answer)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// One request over the control socket; `None` if nobody answered.
pub fn ask(socket: &std::path::Path, request: &str) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    stream.write_all(b"\n").ok()?;
    let mut line = String::new();
    let read = BufReader::new(stream).read_line(&mut line).ok()?;
    (read > 0 && line.ends_with('\n')).then_some(line)
}
