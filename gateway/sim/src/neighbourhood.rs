//! Many nodes on one feeder, and what can be seen and done from outside.
//!
//! Every number here is counted at the nodes; nothing is asked of the gateway.

use crate::config::Config;
use crate::connection;
use crate::counts::{Counts, NodeState, RelayEvent};
use crate::device::{Device, Load};
use crate::fault::Fault;
use crate::world::{Slot, World, turn};
use prepaid_common::NodeId;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

/// How long to wait for the connections to end.
const STOP_TIME: Duration = Duration::from_secs(1);

/// A running neighbourhood. Dropping it breaks all connections at once.
pub struct Neighbourhood {
    world: Arc<World>,
    eeprom_dir: Option<PathBuf>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Neighbourhood {
    /// Powers all nodes up; they connect over the next moments. Needs a tokio runtime.
    ///
    /// # Errors
    /// An EEPROM file cannot be read.
    pub fn start(config: Config) -> io::Result<Self> {
        let world = Arc::new(World::new(&config)?);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for slot in &world.slots {
            tasks.spawn(connection::keep(
                slot.clone(),
                world.clone(),
                stopped.clone(),
            ));
        }
        tasks.spawn(turn(world.clone(), stopped));
        Ok(Self {
            world,
            eeprom_dir: config.eeprom_dir,
            stop,
            tasks,
        })
    }

    /// Relay changes from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<RelayEvent> {
        self.world.events.subscribe()
    }

    /// The sums.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.world.counts()
    }

    /// Every node as it is now, in the order of the members.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeState> {
        self.world.slots.iter().map(|slot| slot.state()).collect()
    }

    /// One node as it is now; `None` for a stranger.
    #[must_use]
    pub fn node(&self, node: NodeId) -> Option<NodeState> {
        self.slot(node).map(|slot| slot.state())
    }

    /// Puts another load behind a meter. False for a stranger.
    pub fn set_load(&self, node: NodeId, load: Load) -> bool {
        self.with(node, |device| device.load = load)
    }

    /// Welds a relay's contact together, or loosens it. False for a stranger.
    pub fn weld(&self, node: NodeId, welded: bool) -> bool {
        self.with(node, |device| device.meter.weld(welded))
    }

    /// Lets a meter count only a part; with `bridged` the rest goes past the relay, too. False for a stranger.
    pub fn tamper(&self, node: NodeId, counts_percent: u8, bridged: bool) -> bool {
        self.with(node, |device| device.meter.tamper(counts_percent, bridged))
    }

    /// What is amiss at a meter from now on. False for a stranger.
    pub fn suffer(&self, node: NodeId, faults: &[Fault]) -> bool {
        self.with(node, |device| device.meter.suffer(faults))
    }

    /// Opens the cover of a meter, or closes it. False for a stranger.
    pub fn open_cover(&self, node: NodeId, open: bool) -> bool {
        self.with(node, |device| device.meter.open_cover(open))
    }

    /// Presses the button of a node. False for a stranger.
    pub fn press(&self, node: NodeId) -> bool {
        self.with(node, |device| device.meter.press())
    }

    /// Types digits at a node's keypad. False for a stranger, and while the digits before wait for the gateway.
    pub fn type_digits(&self, node: NodeId, digits: &str) -> bool {
        let mut taken = false;
        self.with(node, |device| taken = device.meter.typed(digits));
        taken
    }

    /// A load at the feeder that no meter counts, watts.
    pub fn set_tap(&self, watts: u32) {
        self.world.set_tap(watts);
    }

    /// Takes the power of a node away for a while: its RAM is lost and its connection breaks
    /// without a word; then it boots from its EEPROM. False for a stranger.
    pub fn power_cut(&self, node: NodeId, dark: Duration) -> bool {
        let until = Instant::now() + dark;
        let known = self.with(node, |device| device.power_cut(until));
        self.break_connection(node) && known
    }

    /// Breaks the connection of a node without a word; it connects again by itself. False for a
    /// stranger.
    pub fn break_connection(&self, node: NodeId) -> bool {
        let slot = self.slot(node);
        if let Some(slot) = slot {
            slot.cut.notify_one();
        }
        slot.is_some()
    }

    /// Ends the measuring: all loads go to zero, every node reports where it stands, and rests
    /// once that is acknowledged. Returns the nodes that had not got so far at the deadline.
    pub async fn drain(&self, deadline: impl Into<Instant>) -> Vec<NodeId> {
        let deadline = deadline.into();
        let mut looks = tokio::time::interval(self.world.tick);
        loop {
            let unsettled: Vec<NodeId> = self
                .world
                .slots
                .iter()
                .filter(|slot| !slot.device().settle())
                .map(|slot| slot.node)
                .collect();
            if unsettled.is_empty() || Instant::now() >= deadline {
                return unsettled;
            }
            looks.tick().await;
        }
    }

    /// Says goodbye on all connections and keeps the EEPROMs if there is a folder for them. At most
    /// about a second.
    ///
    /// # Errors
    /// An EEPROM file cannot be written.
    pub async fn stop(mut self) -> io::Result<()> {
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIME, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
        let Some(folder) = &self.eeprom_dir else {
            return Ok(());
        };
        std::fs::create_dir_all(folder)?;
        for slot in &self.world.slots {
            let eeprom = slot.device().meter.save();
            eeprom.save(&folder.join(slot.node.to_string()))?;
        }
        Ok(())
    }

    fn slot(&self, node: NodeId) -> Option<&Slot> {
        let mut slots = self.world.slots.iter();
        slots.find(|slot| slot.node == node).map(Arc::as_ref)
    }

    fn with(&self, node: NodeId, change: impl FnOnce(&mut Device)) -> bool {
        let slot = self.slot(node);
        if let Some(slot) = slot {
            change(&mut slot.device());
        }
        slot.is_some()
    }
}
