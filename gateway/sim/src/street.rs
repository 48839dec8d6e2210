//! `gateway-sim neighbourhood`: nodes from a list, until Ctrl-C.

use gateway_sim::{Config, Counts, Fault, Habits, Kind, Load, Member, Neighbourhood};
use prepaid_common::NodeId;
use prepaid_common::wire::Key;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Time for the last reports when it ends.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// Between two lines about how it goes.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);
/// Between two looks at the displays, and at what was acknowledged.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub struct Arguments {
    /// The gateway's MQTT address, like 127.0.0.1:1883.
    #[arg(long)]
    broker: SocketAddr,
    /// One node a line: {"node":"N-00000001","key":"<32 hex>","kind":"premises","seed":1}
    #[arg(long)]
    members: PathBuf,
    /// Seconds between reports; the gateway decides if absent.
    #[arg(long)]
    interval: Option<u64>,
    /// Mean seconds between two kettles of a household.
    #[arg(long, default_value_t = Habits::default().kettle_every_s)]
    kettle_every: u32,
    /// Load past every meter, watts: a thief on the line.
    #[arg(long, default_value_t = 0)]
    tap_w: u32,
    /// A line whenever a node's display changes.
    #[arg(long)]
    displays: bool,
    /// Folder that keeps the nodes' EEPROMs from one run to the next.
    #[arg(long)]
    eeprom: Option<PathBuf>,
    /// File that says, ten times a second, which register of each node was last acknowledged: {"N-00000001": 4711}, watt-hours.
    #[arg(long)]
    acknowledged: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    node: String,
    key: String,
    #[serde(default = "premises")]
    kind: Kind,
    #[serde(default)]
    seed: Option<u64>,
    /// What of its current passes the meter, percent.
    #[serde(default = "all")]
    counts_percent: u8,
    /// Whether the rest goes past the relay, too.
    #[serde(default)]
    bridged: bool,
    /// What is amiss at the meter.
    #[serde(default)]
    faults: Vec<Fault>,
    /// A load that never changes, watts, instead of a household.
    #[serde(default)]
    load_w: Option<u32>,
}

const fn all() -> u8 {
    100
}

const fn premises() -> Kind {
    Kind::Premises
}

/// Runs the nodes until Ctrl-C, with a line about each relay and every few seconds.
pub async fn run(arguments: Arguments) -> Result<ExitCode, String> {
    let mut config = Config::new(
        arguments.broker,
        read_lines(&arguments.members, read_member)?,
    );
    config.report_interval = arguments.interval.map(Duration::from_secs);
    config.habits.kettle_every_s = arguments.kettle_every;
    config.eeprom_dir = arguments.eeprom;
    let neighbourhood =
        Neighbourhood::start(config).map_err(|error| format!("read an EEPROM file: {error}"))?;
    neighbourhood.set_tap(arguments.tap_w);
    for (node, line) in read_lines(&arguments.members, read_line)? {
        neighbourhood.tamper(node, line.counts_percent, line.bridged);
        neighbourhood.suffer(node, &line.faults);
        if let Some(watts) = line.load_w {
            neighbourhood.set_load(node, Load::Fixed(watts));
        }
    }
    let mut displays = BTreeMap::new();
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    let mut events = neighbourhood.events();
    let mut status = tokio::time::interval(STATUS_INTERVAL);
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            _ = status.tick() => print_counts(&neighbourhood.counts()),
            _ = looks.tick(), if arguments.displays || arguments.acknowledged.is_some() => {
                if arguments.displays {
                    print_displays(&neighbourhood, &mut displays);
                }
                if let Some(path) = &arguments.acknowledged {
                    keep_acknowledged(&neighbourhood, path)?;
                }
            }
            Ok(event) = events.recv() => {
                let state = if event.closed { "closed" } else { "opened" };
                println!("{} {state} at {} kWh: {:?}", event.node, event.register, event.reason);
            }
        }
    }
    let unsettled = neighbourhood.drain(Instant::now() + DRAIN_TIME).await;
    print_counts(&neighbourhood.counts());
    let stopped = neighbourhood.stop().await;
    stopped.map_err(|error| format!("keep the EEPROM files: {error}"))?;
    if unsettled.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} nodes ended without acknowledgement", unsettled.len());
    Ok(ExitCode::FAILURE)
}

/// What a display shows now and did not a moment ago.
fn print_displays(neighbourhood: &Neighbourhood, before: &mut BTreeMap<NodeId, [String; 2]>) {
    for state in neighbourhood.nodes() {
        if let Some((_, lines)) = state.shows
            && before.get(&state.node) != Some(&lines)
        {
            println!("{} shows {}|{}", state.node, lines[0], lines[1]);
            before.insert(state.node, lines);
        }
    }
}

/// Whoever reads the file at any moment finds it whole.
fn keep_acknowledged(neighbourhood: &Neighbourhood, path: &Path) -> Result<(), String> {
    let nodes = neighbourhood.nodes();
    let known = nodes.iter().filter_map(|node| {
        let register = node.acknowledged_register?;
        Some((node.node.to_string(), register.0))
    });
    let known: BTreeMap<_, _> = known.collect();
    let part = path.with_extension("part");
    let text = serde_json::to_vec(&known).map_err(|error| error.to_string())?;
    std::fs::write(&part, text)
        .and_then(|()| std::fs::rename(&part, path))
        .map_err(|error| format!("write {}: {error}", path.display()))
}

fn print_counts(counts: &Counts) {
    println!(
        "{} in session, {} readings sent, {} acknowledged, {} off for credit, {} on again",
        counts.nodes_in_session,
        counts.readings_sent,
        counts.readings_acknowledged,
        counts.disconnected_for_credit,
        counts.reconnected,
    );
}

fn read_lines<T>(path: &Path, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("read {}: {error}", path.display()))?;
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            read(line).map_err(|why| format!("read {}, line {}: {why}", path.display(), index + 1))
        })
        .collect()
}

fn read_line(line: &str) -> Result<(NodeId, Line), String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let node = line
        .node
        .parse()
        .map_err(|why| format!("{}: {why}", line.node))?;
    Ok((node, line))
}

fn read_member(line: &str) -> Result<Member, String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let node: NodeId = line
        .node
        .parse()
        .map_err(|why| format!("{}: {why}", line.node))?;
    let key = Key::from_hex(&line.key).ok_or("the key is not 32 hexadecimal digits")?;
    let seed = line.seed.unwrap_or(u64::from(node.0));
    Ok(Member {
        node,
        key,
        kind: line.kind,
        seed,
    })
}
