//! What to simulate.

use crate::household::Habits;
use crate::meter::Kind;
use prepaid_common::NodeId;
use prepaid_common::wire::Key;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// One node.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its number.
    pub node: NodeId,
    /// Its secret.
    pub key: Key,
    /// What it meters.
    pub kind: Kind,
    /// Its household.
    pub seed: u64,
}

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Config {
    /// The gateway's MQTT address. Without TLS.
    pub broker: SocketAddr,
    /// The nodes.
    pub members: Vec<Member>,
    /// Between reports, in whole seconds; `None` leaves it to the gateway.
    pub report_interval: Option<Duration>,
    /// The step of the world and the nodes' sampling: 20 to 200 ms, in whole milliseconds.
    pub tick: Duration,
    /// How people live.
    pub habits: Habits,
    /// Where the nodes' EEPROMs are kept from one simulation to the next.
    pub eeprom_dir: Option<PathBuf>,
}

impl Config {
    /// The usual: 50 ms steps, the gateway's report interval, an ordinary evening, new nodes.
    #[must_use]
    pub fn new(broker: SocketAddr, members: Vec<Member>) -> Self {
        Self {
            broker,
            members,
            report_interval: None,
            tick: Duration::from_millis(50),
            habits: Habits::default(),
            eeprom_dir: None,
        }
    }
}
