//! Who is asked what next on one bus, and what the answers mean. No I/O, no clock: milliseconds are an argument.
//!
//! Decided here: the order of requests. Contacts that differ from what they are to be go first, then readings that have begun, then
//! accounts about to run out, then the rest by when they are due; after six that press, one that does not. Not decided here: how
//! a request travels ([`super::Line`]), what a reading is worth (the core).
//!
//! Invariants: a reading goes on only if its register is where it can be, or was read there twice; a contact is told only what
//! committed state says; a meter that does not answer delays its neighbours once per rest.

mod choose;
mod contact;
mod done;
mod follow;
mod meter;
mod sealed;

pub use meter::{in_words, order};

use super::station::Station;
use super::{Ask, Quality};
use crate::models::Catalog;
use contact::Contact;
use gateway_core::NodeId;
use gateway_core::meter_link::MeterReading;
use gateway_core::supply::Relay;
use meter::{Job, Meter, Step};
use sealed::{Sealed, SealedStep};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How a bus is polled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollSettings {
    /// Its name in links and configuration.
    pub bus: String,
    /// Time between two readings of a meter when nothing presses.
    pub usual: Duration,
    /// Longest turnaround of a meter that is not known yet.
    pub longest_answer: Duration,
}

/// What is to be done on the bus now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ask; the answer may take so long to begin.
    Ask(u8, Ask, Duration),
    /// Nothing before that moment.
    Sleep(u64),
}

/// What an answer led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusNews {
    /// A reading.
    Metered(Box<MeterReading>),
    /// The contact of a meter's switch has moved, or is known for the first time.
    Switched(NodeId, Relay),
    /// A sealed frame of a node.
    Frame(NodeId, Vec<u8>),
    /// A reading was not used, or what answers is not the node.
    Implausible(NodeId),
}

/// One bus.
#[derive(Debug)]
pub struct Poller {
    settings: PollSettings,
    catalog: Arc<Catalog>,
    stations: BTreeMap<u8, Station>,
    meters: Vec<Meter>,
    contacts: Vec<Contact>,
    nodes: Vec<Sealed>,
    without_model: Vec<(NodeId, String)>,
    job: Option<Job>,
    asked: Option<Asked>,
    pressing: u32,
    people_asked: u64,
}

#[derive(Debug, Clone)]
enum Asked {
    Step(u8, Step),
    Tell(NodeId, u8),
    Look(u8, Ask),
    Sealed(u8, NodeId, SealedStep),
}

impl Asked {
    fn address(&self) -> u8 {
        match self {
            Self::Step(address, _)
            | Self::Tell(_, address)
            | Self::Look(address, _)
            | Self::Sealed(address, ..) => *address,
        }
    }
}

impl Poller {
    /// A bus with nothing on it yet.
    #[must_use]
    pub fn new(settings: PollSettings, catalog: Arc<Catalog>) -> Self {
        Self {
            settings,
            catalog,
            stations: BTreeMap::new(),
            meters: Vec::new(),
            contacts: Vec::new(),
            nodes: Vec::new(),
            without_model: Vec::new(),
            job: None,
            asked: None,
            pressing: 0,
            people_asked: 0,
        }
    }

    /// Queues a frame for a node of ours; false if it is not on this bus.
    pub fn queue(&mut self, node: NodeId, frame: Vec<u8>) -> bool {
        let place = self.nodes.iter_mut().find(|one| one.node == node);
        place.map(|one| one.queue(frame)).is_some()
    }

    fn meter(&self, node: NodeId) -> Option<&Meter> {
        self.meters
            .iter()
            .find(|meter| meter.installed.node == node)
    }

    /// How well each meter on this bus answers.
    #[must_use]
    pub fn qualities(&self) -> BTreeMap<NodeId, Quality> {
        let quality = |address: u8| self.stations.get(&address).map(|s| s.quality.clone());
        self.places()
            .into_iter()
            .filter_map(|(node, address)| Some((node, quality(address)?)))
            .collect()
    }

    /// At which address each meter is.
    #[must_use]
    pub fn places(&self) -> BTreeMap<NodeId, u8> {
        let meters = self.meters.iter();
        let meters = meters.map(|meter| (meter.installed.node, meter.address));
        let nodes = self.nodes.iter().map(|node| (node.node, node.address));
        meters.chain(nodes).collect()
    }

    /// How well each address answers.
    #[must_use]
    pub fn addresses(&self) -> BTreeMap<u8, Quality> {
        let stations = self.stations.iter();
        stations
            .map(|(at, station)| (*at, station.quality.clone()))
            .collect()
    }

    /// Meters that name a model nobody knows.
    #[must_use]
    pub fn without_model(&self) -> &[(NodeId, String)] {
        &self.without_model
    }
}
