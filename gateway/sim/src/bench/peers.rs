//! The contestant one would build without the gateway: Debian's mosquitto, paho and sqlite3.

use super::process::{self, Usage};
use super::report::{Figures, as_float};
use super::{Load, peer_load};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

/// Debian's interpreter: it sees Debian's packages.
const PYTHON: &str = "/usr/bin/python3";
/// Where Debian puts the broker; not in the path of an ordinary user.
const MOSQUITTO: &str = "/usr/sbin/mosquitto";
/// The program under test.
const INGESTER: &str = include_str!("../../../../bench/peer_ingest.py");
/// Time to start.
const START_TIME: Duration = Duration::from_secs(10);
/// Time to work off what has queued up when the load ends.
const CATCH_UP_TIME: Duration = Duration::from_secs(60);

/// Whether the peers can run here.
///
/// # Errors
/// Words that fit after "failed to", with the package to install.
pub async fn check_packages() -> Result<(), String> {
    if !Path::new(MOSQUITTO).exists() {
        return Err(format!(
            "find {MOSQUITTO}; install Debian's package mosquitto"
        ));
    }
    let mut import = Command::new(PYTHON);
    import
        .arg("-c")
        .arg("import paho.mqtt.client")
        .stderr(Stdio::null());
    match import.status().await {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => {
            Err("import paho.mqtt in Python; install Debian's package python3-paho-mqtt".into())
        }
        Err(_) => Err(format!("run {PYTHON}; install Debian's package python3")),
    }
}

/// Runs the load with readings of `payload_bytes`.
///
/// # Errors
/// Words that fit after "failed to".
pub async fn run(
    load: &Load,
    payload_bytes: u64,
    messages_per_commit: u32,
    folder: &Path,
) -> Result<Figures, String> {
    let folder = folder.join(format!("peer-{messages_per_commit}"));
    std::fs::create_dir_all(&folder)
        .map_err(|error| format!("create {}: {error}", folder.display()))?;
    let broker = Broker::start(&folder).await?;
    let mut ingester = Ingester::start(broker.address, messages_per_commit, &folder).await?;
    let before = broker.usage()?.with(ingester.usage()?);
    let payload = usize::try_from(payload_bytes).unwrap_or(usize::MAX);
    let tally = peer_load::run(load, payload, broker.address).await;
    let stored = ingester.finish(tally.sent).await?;
    let usage = broker.usage()?.with(ingester.usage()?).since(before);
    process::end(ingester.process).await?;
    process::end(broker.process).await?;
    let figures = Figures {
        name: format!("mosquitto+paho+sqlite3 by {messages_per_commit}"),
        nodes: u64::from(load.nodes),
        payload_bytes,
        sent: tally.sent,
        acknowledged: tally.acknowledged,
        stored,
        rejected: tally.connections_lost,
        lost: tally.sent.saturating_sub(stored),
        run_out_to_relay: tally.run_out_to_relay.percentiles(),
        vend_to_relay: tally.vend_to_relay.percentiles(),
        acknowledgement: tally.acknowledgement.percentiles(),
        max_overshoot_wh: as_float(tally.overshoot_mwh) / 1000.0,
        ..Figures::default()
    };
    Ok(figures.with_usage(usage))
}

struct Broker {
    process: Child,
    address: SocketAddr,
}

impl Broker {
    /// Without limits on its queues, so that it may keep what the ingester has not taken yet.
    async fn start(folder: &Path) -> Result<Self, String> {
        let address = SocketAddr::from(([127, 0, 0, 1], process::free_port()?));
        let config = folder.join("mosquitto.conf");
        let text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\npersistence false\n\
             max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\n",
            address.port(),
        );
        std::fs::write(&config, text)
            .map_err(|error| format!("write {}: {error}", config.display()))?;
        let mut command = Command::new(MOSQUITTO);
        command.arg("-c").arg(config).stdout(Stdio::null());
        let process = process::start(&mut command, &folder.join("mosquitto.log"))?;
        let answers = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        match timeout(START_TIME, answers).await {
            Ok(()) => Ok(Self { process, address }),
            Err(_) => Err("start mosquitto: nobody listens".into()),
        }
    }

    fn usage(&self) -> Result<Usage, String> {
        Usage::of(&self.process)
    }
}

struct Ingester {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Ingester {
    async fn start(broker: SocketAddr, per_commit: u32, folder: &Path) -> Result<Self, String> {
        let script: PathBuf = folder.join("peer_ingest.py");
        std::fs::write(&script, INGESTER)
            .map_err(|error| format!("write {}: {error}", script.display()))?;
        let mut command = Command::new(PYTHON);
        command
            .arg(script)
            .arg("--port")
            .arg(broker.port().to_string());
        command.arg("--database").arg(folder.join("peer.db"));
        command
            .arg("--messages-per-commit")
            .arg(per_commit.to_string());
        command
            .arg("--thin-every")
            .arg(Load::THIN_EVERY.to_string());
        command.arg("--thin-wh").arg(Load::THIN_WH.to_string());
        command.stdout(Stdio::piped());
        let log = folder.join("peer_ingest.log");
        let mut process = process::start(&mut command, &log)?;
        let stdout = process.stdout.take().ok_or("read from the ingester")?;
        let mut ingester = Self {
            process,
            lines: BufReader::new(stdout).lines(),
        };
        match timeout(START_TIME, ingester.lines.next_line()).await {
            Ok(Ok(Some(line))) if line == "ready" => Ok(ingester),
            _ => Err(format!("start the ingester; see {}", log.display())),
        }
    }

    /// Waits until it has stored `sent` readings or gives up on catching up; how many it has.
    async fn finish(&mut self, sent: u64) -> Result<u64, String> {
        let mut stored = 0;
        let reading = async {
            // It tells its progress twice a second.
            while let Ok(Some(line)) = self.lines.next_line().await {
                let progress: Value = serde_json::from_str(&line).unwrap_or_default();
                stored = progress["stored"].as_u64().unwrap_or(stored);
                if stored >= sent {
                    return true;
                }
            }
            false
        };
        match timeout(CATCH_UP_TIME, reading).await {
            Ok(false) => Err("follow the ingester: it ended".into()),
            Ok(true) | Err(_) => Ok(stored),
        }
    }

    fn usage(&self) -> Result<Usage, String> {
        Usage::of(&self.process)
    }
}
