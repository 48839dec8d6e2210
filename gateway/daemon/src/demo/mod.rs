//! `demo`: the whole product on this machine, with a simulated neighbourhood instead of a real one.
//!
//! The daemon is the same as `run`: broker on TCP, database on disk, page. The nodes are separate MQTT clients with the node's own
//! logic. Nothing is special about the accounts: some residents paid a lot, some next to nothing, and an agent recharges
//! those who ran out.

mod facts;
mod residents;
mod words;

use crate::cli::DemoArgs;
use crate::config::{ClockTrust, Config, WebAccess};
use crate::gateway::{Gateway, StartError};
use crate::mend::open::open;
use crate::sockets::Sockets;
use facts::Facts;
use gateway_sim::{Habits, Neighbourhood};
use residents::Agent;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, interval, sleep_until};

/// Time for the last readings to be acknowledged when the demo ends.
const LAST_READINGS: Duration = Duration::from_millis(900);
/// Between two status lines.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// Ports tried first; the next free ones if they are taken.
const PAGE_PORT: u16 = 8080;
const BROKER_PORT: u16 = 1883;

/// Why the demo did not work; fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The gateway.
    #[error("{0}")]
    Start(#[from] StartError),
    /// Never: an empty configuration is valid.
    #[error("configure the gateway: its defaults contradict each other")]
    Defaults,
    /// A command was not obeyed.
    #[error("set up the neighbourhood: {0}")]
    SetUp(#[from] gateway_web::DeskError),
    /// The database.
    #[error("read the database: {0}")]
    Store(#[from] gateway_store::StoreError),
    /// The simulation.
    #[error("simulate the neighbourhood: {0}")]
    Simulate(std::io::Error),
}

/// Runs the demo until Ctrl-C, a termination signal, or the given number of seconds.
///
/// # Errors
/// The gateway or the neighbourhood cannot be started.
pub async fn run(options: &DemoArgs, json: bool) -> Result<(), DemoError> {
    let (data_dir, temporary) = match &options.data {
        Some(dir) => (dir.clone(), false),
        None => (temporary_dir(), true),
    };
    let config = config(options, &data_dir)?;
    let say = Arc::new(words::Voice::new(
        json,
        config.rules().calendar.utc_offset_s,
    ));
    let opened = open(&config.store.data_dir, false).map_err(StartError::from)?;
    let gateway = Gateway::start(
        &config,
        opened,
        None,
        words::listener(say.clone()),
        &Sockets::default(),
    )
    .await?;
    let page = format!("http://{}/", gateway.page);
    say.line(&format!("page      {page}"));
    say.line(&format!("broker    {} (MQTT 3.1.1)", gateway.broker));
    let kept = if temporary {
        "removed at the end; keep it with --data DIR"
    } else {
        "kept"
    };
    say.line(&format!("data      {} ({kept})", data_dir.display()));

    let members = residents::move_in(
        gateway.desk.as_ref(),
        &config.database(),
        u32::from(options.meters),
    )
    .await?;
    let mut world = gateway_sim::Config::new(gateway.broker, members);
    // Tea every two minutes instead of every three hours, so that a short demonstration has some.
    world.habits = Habits {
        kettle_every_s: 120,
        ..Habits::default()
    };
    world.eeprom_dir = (!temporary).then(|| data_dir.join("eeprom"));
    let neighbourhood = Arc::new(Neighbourhood::start(world).map_err(DemoError::Simulate)?);
    say.line(&format!(
        "{} meters and a feeder meter are starting; Ctrl-C ends",
        options.meters
    ));

    let agent = Agent::start(gateway.desk.clone(), neighbourhood.events());
    wait(options.seconds.map(u64::from), &say, &neighbourhood, &agent).await;

    let mut facts = Facts::of_world(&neighbourhood, &agent.stop().await);
    let unsettled = neighbourhood.drain(Instant::now() + LAST_READINGS).await;
    facts.drained(&neighbourhood, unsettled.len());
    let gateway_stopped = gateway.stop();
    gateway_stopped.await;
    if let Ok(neighbourhood) = Arc::try_unwrap(neighbourhood) {
        neighbourhood.stop().await.map_err(DemoError::Simulate)?;
    }
    facts.read_back(&config.database())?;
    if json {
        println!("{}", facts.json());
    } else {
        say.line(&facts.words());
    }
    if temporary && let Err(error) = std::fs::remove_dir_all(&data_dir) {
        say.line(&format!("failed to remove {}: {error}", data_dir.display()));
    }
    Ok(())
}

fn temporary_dir() -> PathBuf {
    let mut random = [0; 8];
    // Without randomness the process number alone keeps two demos apart.
    let _ = getrandom::fill(&mut random);
    let name = format!(
        "prepaid-demo-{}-{:x}",
        std::process::id(),
        u64::from_be_bytes(random)
    );
    std::env::temp_dir().join(name)
}

fn config(options: &DemoArgs, data_dir: &Path) -> Result<Config, DemoError> {
    let mut config = Config::parse("").map_err(|_| DemoError::Defaults)?;
    config.site.name = "Demo neighbourhood".into();
    config.store.data_dir = data_dir.into();
    config.clock.trust = ClockTrust::Always;
    config.cycle.gather = Duration::from_millis(200);
    config.cycle.report_interval_s = 2;
    config.web.access = WebAccess::Open;
    config.web.listen = free(options.web_port, PAGE_PORT);
    config.field.listen = free(options.mqtt_port, BROKER_PORT);
    Ok(config)
}

/// The asked-for port; else the usual one if it is free, else any.
fn free(asked: Option<u16>, usual: u16) -> SocketAddr {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match asked {
        Some(port) => at(port),
        None if std::net::TcpListener::bind(at(usual)).is_ok() => at(usual),
        None => at(0),
    }
}

async fn wait(seconds: Option<u64>, say: &words::Voice, world: &Neighbourhood, agent: &Agent) {
    // A year stands for "until told".
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(365 * 86_400));
    let mut status = interval(STATUS_EVERY);
    status.tick().await;
    let told = crate::signals::told_to_stop();
    tokio::pin!(told);
    loop {
        tokio::select! {
            () = &mut told => return,
            () = sleep_until(end) => return,
            _ = status.tick() => say.status(&world.counts(), agent.recharged(), world.nodes().len()),
        }
    }
}
