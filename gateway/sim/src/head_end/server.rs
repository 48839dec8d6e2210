//! `gateway-sim head-end`: the test's head-end at a real broker, driven by JSON lines on standard input.
//!
//! In: `{"expect":CODE}`, `{"order":ACT,"gateway":ID,"not_before":TIME,"not_after":TIME}`, `{"misbehave":{"forgets_acks":20}}`, `{"dump":PATH}`, `{"restore":PATH}` (set back to what was dumped), `{"landed":true}`.
//! Out: `{"ready":KEY}`, `{"ordered":SEQUENCE}`, `{"dumped":PATH}`, `{"land":"journal",…}`. With `--land` rows are given to whoever reads, and
//! count as stored once he says `landed`.

use super::{HeadEnd, JournalRow, Landing, Outgoing, Stored};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Between two looks at the orders without a receipt.
const REPEAT_EVERY: Duration = Duration::from_secs(5);
/// How long whoever lands rows may take.
const LANDING_WITHIN: Duration = Duration::from_secs(60);
/// Requests to the client: acknowledgements of a whole backlog.
const REQUESTS: usize = 65_536;

/// `gateway-sim head-end`
#[derive(clap::Args)]
pub struct Arguments {
    /// The broker, host:port.
    #[arg(long)]
    broker: String,
    /// User and password, user:password.
    #[arg(long)]
    login: Option<String>,
    /// Give rows to whoever reads standard output, and wait until he has stored them.
    #[arg(long)]
    land: bool,
    /// Prefix of the topics.
    #[arg(long, default_value = "pgc/1")]
    prefix: String,
}

/// Rows go to standard output and are stored when `landed` comes back.
struct ToReader {
    landed: Receiver<()>,
}

impl ToReader {
    fn give(&mut self, rows: &Value) -> Result<(), String> {
        say(rows);
        let landed = self.landed.recv_timeout(LANDING_WITHIN);
        landed.map_err(|error| error.to_string())
    }
}

impl Landing for ToReader {
    fn journal(&mut self, gateway: &str, rows: &[JournalRow]) -> Result<(), String> {
        self.give(&json!({"land": "journal", "gateway": gateway, "rows": rows}))
    }
    fn profile(
        &mut self,
        gateway: &str,
        rows: &[(i64, u32, u64, bool)],
        to: u64,
    ) -> Result<(), String> {
        self.give(&json!({"land": "profile", "gateway": gateway, "rows": rows, "to": to}))
    }
}

fn say(value: &Value) {
    // Whoever listened may have gone.
    let _ = writeln!(std::io::stdout(), "{value}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a head-end has a clock of its own"
)]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

/// Runs until standard input ends.
///
/// # Errors
/// The broker's address is none.
pub async fn run(arguments: Arguments) -> Result<ExitCode, String> {
    let (landed_in, landed) = channel();
    let (commands_in, mut commands) = tokio::sync::mpsc::unbounded_channel::<Value>();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let Ok(value) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            let _ = match value.get("landed") {
                Some(_) => landed_in.send(()).is_ok(),
                None => commands_in.send(value).is_ok(),
            };
        }
    });
    let landing: Box<dyn Landing> = match arguments.land {
        true => Box::new(ToReader { landed }),
        false => Box::new(()),
    };
    let mut head_end = HeadEnd::new([42; 32], Stored::default(), landing);
    let (host, port) = arguments
        .broker
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)))
        .ok_or("read --broker: write host:port")?;
    let mut options = MqttOptions::new("head-end", host, port);
    options.set_max_packet_size(4 << 20, 4 << 20);
    options.set_keep_alive(Duration::from_secs(10));
    if let Some((user, password)) = arguments.login.as_deref().and_then(|l| l.split_once(':')) {
        options.set_credentials(user, password);
    }
    let (client, mut events) = AsyncClient::new(options, REQUESTS);
    let mut repeat = tokio::time::interval(REPEAT_EVERY);
    let prefix = format!("{}/", arguments.prefix);
    loop {
        let out = tokio::select! {
            command = commands.recv() => match command {
                Some(command) => obey(&mut head_end, &command),
                None => return Ok(ExitCode::SUCCESS),
            },
            _ = repeat.tick() => {
                let ids: Vec<String> = head_end.stored.sites.keys().cloned().collect();
                ids.iter().flat_map(|id| head_end.repeat_orders(id)).collect()
            }
            event = events.poll() => match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    let filter = format!("{prefix}+/up/#");
                    let _ = client.try_subscribe(filter, QoS::AtLeastOnce);
                    say(&json!({"ready": head_end.public()}));
                    Vec::new()
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    let path = publish.topic.strip_prefix(&prefix).unwrap_or("");
                    head_end.heard(path, &publish.payload, now())
                }
                Ok(_) => Vec::new(),
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    Vec::new()
                }
            },
        };
        for (path, payload) in out {
            // What is lost is asked for again.
            let _ = client.try_publish(format!("{prefix}{path}"), QoS::AtLeastOnce, false, payload);
        }
    }
}

fn obey(head_end: &mut HeadEnd, command: &Value) -> Vec<Outgoing> {
    if let Some(code) = command["expect"].as_str() {
        head_end.expect(code);
    }
    if let Some(id) = command["gateway"].as_str() {
        let not_before = command["not_before"].as_i64().unwrap_or(0);
        let not_after = command["not_after"].as_i64().unwrap_or(i64::MAX);
        let sequence = head_end.order(id, command["order"].clone(), (not_before, not_after));
        say(&json!({"ordered": sequence}));
        return head_end.repeat_orders(id);
    }
    if let Some(wishes) = command.get("misbehave") {
        let number = |name: &str| u32::try_from(wishes[name].as_u64().unwrap_or(0)).unwrap_or(0);
        head_end.misbehaviour.forgets_acks = number("forgets_acks");
        head_end.misbehaviour.repeats_acks = number("repeats_acks");
        head_end.misbehaviour.doubles_orders = number("doubles_orders") > 0;
    }
    if let Some(path) = command["restore"].as_str() {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let backup: Option<Stored> = serde_json::from_str(&text).ok();
        say(&json!({"restored": path, "read": backup.is_some()}));
        if let Some(backup) = backup {
            head_end.stored = backup;
        }
    }
    if let Some(path) = command["dump"].as_str() {
        let text = serde_json::to_string(&head_end.stored).unwrap_or_default();
        let written = std::fs::write(path, text).is_ok();
        say(&json!({"dumped": path, "written": written, "dropped": head_end.dropped}));
    }
    Vec::new()
}
