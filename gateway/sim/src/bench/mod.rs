//! `gateway-sim bench`: the same neighbourhood against our gateway and, if asked, against what one would
//! build without it.
//!
//! Everything is on loopback, is bounded, and ends by itself. Numbers of one run come from one
//! machine in one go; what the machine did besides is not known here.

mod gateway;
mod gateway_load;
mod modbus;
mod peer_load;
mod peer_meter;
mod peers;
mod process;
mod report;

use report::Report;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// Simulated nodes.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=5000))]
    nodes: u32,
    /// Milliseconds between two readings of a node, in whole seconds.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1000..=600_000))]
    interval_ms: u64,
    /// Seconds of load.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(5..=3600))]
    seconds: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// The same load into mosquitto and a Python ingester, commit per message and per 100.
    #[arg(long)]
    peers: bool,
    /// The gateway's executable; beside this one if absent.
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// Folder for databases and logs, removed at the end; a new one in the temporary folder if absent.
    #[arg(long)]
    folder: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
enum What {
    /// How much of a serial line the gateway uses, on a real pty with byte times.
    Modbus(modbus::Arguments),
}

/// The load.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Connections.
    pub nodes: u32,
    /// Between two readings of a node.
    pub interval: Duration,
    /// How long.
    pub length: Duration,
}

impl Load {
    /// One node in twenty pays a little at a time and runs out again and again.
    pub const THIN_EVERY: u32 = 20;
    /// What it draws, watts: about 2 s per watt-hour, and no whole number of steps.
    pub const THIN_WATTS: u32 = 2_030;
    /// What it buys each time, watt-hours: 18 s.
    pub const THIN_WH: u64 = 10;
    /// How long it sits in the dark.
    pub const DARK: Duration = Duration::from_secs(2);
    /// What the others buy once: a tenth of a kilowatt for years.
    pub const PLENTY_WH: u64 = 1_000_000;

    /// Whether the node with this number (from 0) is thin, and what it buys first, so that they do
    /// not all run out at once.
    pub fn first_wh(index: u32) -> u64 {
        if index.is_multiple_of(Self::THIN_EVERY) {
            2 + u64::from(index / Self::THIN_EVERY) % Self::THIN_WH
        } else {
            Self::PLENTY_WH
        }
    }
}

/// Open files beside two for each node: the contestant's database, logs and this program's own.
const SPARE_FILES: u32 = 200;
const RAISED: &str = "GATEWAY_SIM_FILES_RAISED";

/// Runs the benchmark and prints its figures. The exit code is 1 if our gateway lost or rejected a reading.
pub async fn run(arguments: Arguments) -> Result<ExitCode, String> {
    if let Some(What::Modbus(arguments)) = arguments.what {
        return modbus::run(arguments).await;
    }
    raise_file_limit(arguments.nodes)?;
    if arguments.peers {
        peers::check_packages().await?;
    }
    let load = Load {
        nodes: arguments.nodes,
        interval: Duration::from_millis(arguments.interval_ms),
        length: Duration::from_secs(arguments.seconds),
    };
    let program = match arguments.gateway {
        Some(program) => program,
        None => beside_this("prepaid-gateway")?,
    };
    let folder = arguments.folder.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("gateway-bench-{}", std::process::id()))
    });
    std::fs::create_dir_all(&folder)
        .map_err(|error| format!("create {}: {error}", folder.display()))?;
    let outcome = contest(&load, &program, &folder, arguments.peers).await;
    if outcome.is_ok() {
        std::fs::remove_dir_all(&folder)
            .map_err(|error| format!("remove {}: {error}", folder.display()))?;
    }
    let (ours, peers) = outcome?;
    let clean = ours.lost == 0 && ours.rejected == 0;
    let report = Report::new(arguments.seconds, arguments.interval_ms, ours, peers);
    if arguments.json {
        let json = serde_json::to_string(&report);
        println!(
            "{}",
            json.map_err(|error| format!("write the figures: {error}"))?
        );
    } else {
        report.print();
    }
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn contest(
    load: &Load,
    program: &Path,
    folder: &Path,
    with_peers: bool,
) -> Result<(report::Figures, Vec<report::Figures>), String> {
    let ours = gateway_load::run(load, program, folder).await?;
    let mut others = Vec::new();
    if with_peers {
        for messages_per_commit in [1, 100] {
            let payload = ours.payload_bytes;
            others.push(peers::run(load, payload, messages_per_commit, folder).await?);
        }
    }
    Ok((ours, others))
}

/// The usual limit of 1,024 open files is too small for 1,000 connections: starts this program again
/// with a larger one.
fn raise_file_limit(nodes: u32) -> Result<(), String> {
    let needed = nodes * 2 + SPARE_FILES;
    let limits = std::fs::read_to_string("/proc/self/limits")
        .map_err(|error| format!("read /proc/self/limits: {error}"))?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap_or("0");
    if soft == "unlimited" || soft.parse().is_ok_and(|soft: u32| soft >= needed) {
        return Ok(());
    }
    if std::env::var_os(RAISED).is_some() {
        return Err(format!(
            "open {needed} files; the limit is {soft}, raise it with ulimit -n"
        ));
    }
    let this = std::env::current_exe().map_err(|error| format!("find this program: {error}"))?;
    let error = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -n {needed}; exec \"$0\" \"$@\""))
        .arg(this)
        .args(std::env::args_os().skip(1))
        .env(RAISED, "1")
        .exec();
    Err(format!("run sh: {error}"))
}

fn beside_this(name: &str) -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| format!("find this program: {error}"))?;
    let beside = this.with_file_name(name);
    if beside.exists() {
        return Ok(beside);
    }
    Err(format!(
        "find {}; build it with cargo build --release -p prepaid-gateway, or name it with --gateway",
        beside.display()
    ))
}
