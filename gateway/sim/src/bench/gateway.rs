//! The gateway under test: a process of its own, spoken to over its control socket only.

use super::process::{self, Usage};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// Time to start.
const START_TIME: Duration = Duration::from_secs(20);
/// Between two looks whether it has started.
const LOOK: Duration = Duration::from_millis(50);
/// Time for one answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// A tariff of 10.00 per unit and nothing else, so that a watt-hour costs 0.01.
const TARIFF: &str = r#"
id = "bench-flat"
name = "One price, for benchmarks"
currency = "INR"
source = "made for gateway-sim bench"
valid_from = "2020-01-01"
block_proration = "calendar-month"
[[block]]
energy_per_kwh = "10"
"#;
/// Its id.
pub const TARIFF_ID: &str = "bench-flat";
/// What a watt-hour costs in it, micro-units.
pub const MICRO_PER_WH: u64 = 10_000;

/// A running gateway.
pub struct Gateway {
    process: Child,
    socket: PathBuf,
    /// Where nodes connect.
    pub broker: SocketAddr,
    page: SocketAddr,
}

impl Gateway {
    /// Writes a configuration into `folder` and starts `program` on it.
    ///
    /// # Errors
    /// Words that fit after "failed to".
    pub async fn start(program: &Path, folder: &Path) -> Result<Self, String> {
        Self::start_with(program, folder, "").await
    }

    /// The same with more text in the configuration.
    ///
    /// # Errors
    /// Words that fit after "failed to".
    pub async fn start_with(program: &Path, folder: &Path, more: &str) -> Result<Self, String> {
        let broker = loopback(process::free_port()?);
        let page = loopback(process::free_port()?);
        let data = folder.join("data");
        let tariffs = folder.join("tariffs");
        let config = folder.join("gateway.toml");
        let text = format!(
            "[site]\ntariffs_dir = {tariffs:?}\n[prepay]\nlow_credit = \"0.00\"\n\
             [store]\ndata_dir = {data:?}\n[field]\nlisten = \"{broker}\"\n\
             [web]\nlisten = \"{page}\"\naccess = \"open\"\n[clock]\ntrust = \"always\"\n\
             [log]\nlevel = \"warn\"\n[cycle]\ngather_ms = 500\n{more}",
        );
        let write = |path: &Path, text: &str| {
            std::fs::write(path, text).map_err(|error| format!("write {}: {error}", path.display()))
        };
        std::fs::create_dir_all(&tariffs)
            .map_err(|error| format!("create {}: {error}", tariffs.display()))?;
        write(&tariffs.join("bench-flat.toml"), TARIFF)?;
        write(&config, &text)?;
        let mut command = Command::new(program);
        command.arg("run").arg("--config").arg(&config);
        let log = folder.join("gateway.log");
        let process = process::start(&mut command, &log)?;
        let mut gateway = Self {
            process,
            socket: data.join("control.sock"),
            broker,
            page,
        };
        match timeout(START_TIME, gateway.wait()).await {
            Ok(Ok(())) => Ok(gateway),
            Ok(Err(why)) => {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                Err(format!(
                    "start the gateway: {why}; it said: {}",
                    said.trim()
                ))
            }
            Err(_) => Err("start the gateway: its control socket did not answer".into()),
        }
    }

    async fn wait(&mut self) -> Result<(), String> {
        loop {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(format!("it ended with {status}"));
            }
            if self.ask(&json!({"request": "status"})).await.is_ok() {
                return Ok(());
            }
            sleep(LOOK).await;
        }
    }

    /// Asks one thing; the answer.
    ///
    /// # Errors
    /// Words that fit after "failed to": nobody answers, or the answer is a refusal.
    pub async fn ask(&self, request: &Value) -> Result<Value, String> {
        let exchange = async {
            let mut stream = UnixStream::connect(&self.socket).await?;
            stream.write_all(format!("{request}\n").as_bytes()).await?;
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).await?;
            std::io::Result::Ok(line)
        };
        let line = match timeout(ANSWER_TIME, exchange).await {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => return Err(format!("ask the gateway: {error}")),
            Err(_) => return Err("ask the gateway: no answer".into()),
        };
        let answer: Value =
            serde_json::from_str(&line).map_err(|error| format!("read the answer: {error}"))?;
        match answer["response"].as_str() {
            Some("refused" | "failed") | None => Err(format!("obtain {request}: {}", line.trim())),
            Some(_) => Ok(answer),
        }
    }

    /// Gives a command; what it achieved.
    ///
    /// # Errors
    /// As [`Gateway::ask`].
    pub async fn command(&self, command: &Value) -> Result<Value, String> {
        let request = json!({"request": "command", "command": command});
        Ok(self.ask(&request).await?["answer"].take())
    }

    /// Recharges an account.
    ///
    /// # Errors
    /// As [`Gateway::ask`].
    pub async fn vend(&self, usage_point: u64, wh: u64, key: &str) -> Result<(), String> {
        let vend = json!({
            "command": "vend", "key": key, "usage_point": usage_point,
            "amount": wh * MICRO_PER_WH, "by": "bench",
        });
        self.command(&vend).await.map(|_| ())
    }

    /// The sum of a counter over its labels, as `/metrics` tells it.
    ///
    /// # Errors
    /// Words that fit after "failed to".
    pub async fn metric(&self, name: &str) -> Result<u64, String> {
        let fetch = async {
            let mut stream = TcpStream::connect(self.page).await?;
            let host = self.page;
            let request =
                format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await?;
            std::io::Result::Ok(text)
        };
        let text = match timeout(ANSWER_TIME, fetch).await {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => return Err(format!("read /metrics: {error}")),
            Err(_) => return Err("read /metrics: no answer".into()),
        };
        let samples = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let family = series.split('{').next()?;
            if family == name {
                value.parse::<u64>().ok()
            } else {
                None
            }
        });
        Ok(samples.sum())
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// Words that fit after "failed to".
    pub fn usage(&self) -> Result<Usage, String> {
        Usage::of(&self.process)
    }

    /// Ends it as systemd would.
    ///
    /// # Errors
    /// Words that fit after "failed to".
    pub async fn stop(self) -> Result<(), String> {
        process::end(self.process).await
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
