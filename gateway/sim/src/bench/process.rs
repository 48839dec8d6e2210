//! What the kernel says about a process, and ending it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Ticks per second in `/proc/PID/stat`: fixed by the Linux ABI (`USER_HZ`).
const TICKS_PER_S: f64 = 100.0;
/// Time to end after SIGTERM.
const END_TIME: Duration = Duration::from_secs(20);

/// Resources a process has used since it started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// CPU seconds, user and system.
    pub cpu_s: f64,
    /// Largest resident memory, KiB.
    pub peak_kib: u64,
    /// Bytes it caused to be written to the disk.
    pub written_bytes: u64,
}

impl Usage {
    /// Of a living process.
    ///
    /// # Errors
    /// Words that fit after "failed to": the process is gone, or is somebody else's.
    pub fn of(process: &Child) -> Result<Self, String> {
        let id = process.id().ok_or("measure a process that has ended")?;
        let read = |name: &str| {
            let path = format!("/proc/{id}/{name}");
            std::fs::read_to_string(&path).map_err(|error| format!("read {path}: {error}"))
        };
        let stat = read("stat")?;
        // Fields 14 and 15, counted after the name in brackets, which is field 2.
        let fields = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let ticks: f64 = fields
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<f64>().ok())
            .sum();
        Ok(Self {
            cpu_s: ticks / TICKS_PER_S,
            peak_kib: number_after(&read("status")?, "VmHWM:"),
            written_bytes: number_after(&read("io")?, "write_bytes:"),
        })
    }

    /// What was used since `earlier`; memory stays the peak.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu_s: self.cpu_s - earlier.cpu_s,
            peak_kib: self.peak_kib,
            written_bytes: self.written_bytes - earlier.written_bytes,
        }
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            cpu_s: self.cpu_s + other.cpu_s,
            peak_kib: self.peak_kib + other.peak_kib,
            written_bytes: self.written_bytes + other.written_bytes,
        }
    }
}

/// Asks a process to end and waits for it; kills it when that takes too long.
///
/// # Errors
/// Words that fit after "failed to".
pub async fn end(mut process: Child) -> Result<(), String> {
    if let Some(id) = process.id() {
        let asked = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -TERM {id}"))
            .status()
            .await;
        asked.map_err(|error| format!("run sh: {error}"))?;
    }
    match tokio::time::timeout(END_TIME, process.wait()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("wait for a process: {error}")),
        Err(_) => process
            .kill()
            .await
            .map_err(|error| format!("kill a process: {error}")),
    }
}

/// Starts a program that ends with this one. Its errors go to `log`.
///
/// # Errors
/// Words that fit after "failed to".
pub fn start(command: &mut Command, log: &Path) -> Result<Child, String> {
    let file =
        std::fs::File::create(log).map_err(|error| format!("write {}: {error}", log.display()))?;
    command.stdin(Stdio::null()).stderr(file).kill_on_drop(true);
    let program = command.as_std().get_program().display().to_string();
    command
        .spawn()
        .map_err(|error| format!("start {program}: {error}"))
}

/// A port that nobody uses on loopback at this moment.
///
/// # Errors
/// Words that fit after "failed to".
pub fn free_port() -> Result<u16, String> {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("find a free port: {error}"))
}

fn number_after(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
