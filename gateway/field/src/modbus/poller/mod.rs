//! Who is asked what next on one bus, and what the answers mean. No I/O, no clock: milliseconds are an argument.
//!
//! Decided here: the order of requests. Contacts that differ from what they are to be go first, then readings that have begun, then
//! accounts about to run out, then the rest by when they are due; after six that press, one that does not. Not decided here: how
//! a request travels ([`super::Line`]), what a reading is worth (the core).
//!
//! Invariants: a reading goes on only if its register is where it can be, or was read there twice; a contact is told only what
//! committed state says; a meter that does not answer delays its neighbours once per rest.

mod contact;
mod meter;
mod sealed;

pub use meter::{in_words, order};

use super::inquiry;
use super::station::{AGAIN, Station};
use super::{Answer, Ask, BusError, Quality, Reply};
use crate::models::{Catalog, Purpose, Sample, take, words_of};
use contact::Contact;
use gateway_core::NodeId;
use gateway_core::meter_link::{Installed, MeterLink, MeterReading};
use gateway_core::supply::Relay;
use meter::{Job, Meter, Step, Verdict};
use sealed::{Sealed, SealedStep};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// After so many readings that press, one that does not.
const MOST_PRESSING: u32 = 6;
/// How long an idle bus sleeps at most.
const LONGEST_SLEEP_MS: u64 = 60_000;

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
        }
    }

    /// Follows what is installed; what is known of a meter that stays is kept.
    pub fn follow(&mut self, now_ms: u64, installed: &[Installed]) {
        let mut before = std::mem::take(&mut self.meters);
        let contacts = std::mem::take(&mut self.contacts);
        self.without_model.clear();
        self.follow_nodes(now_ms, installed);
        for one in installed {
            self.follow_contact(one, &contacts);
            let MeterLink::Modbus { bus, model, .. } = &one.link else {
                continue;
            };
            if *bus != self.settings.bus {
                continue;
            }
            let Some(model) = self.catalog.get(model) else {
                self.without_model.push((one.node, model.clone()));
                continue;
            };
            let same = |old: &Meter| {
                old.installed.node == one.node
                    && old.installed.link.is_same_place(&one.link)
                    && meter::place(&old.installed.link) == meter::place(&one.link)
                    && old.model.id == model.id
            };
            let meter = match before.iter().position(same) {
                Some(place) => {
                    let mut meter = before.swap_remove(place);
                    meter.installed = one.clone();
                    meter.hurry(now_ms, self.settings.usual);
                    Some(meter)
                }
                None => Meter::new(one, model.clone(), now_ms),
            };
            let Some(meter) = meter else { continue };
            let longest = self.settings.longest_answer;
            let station = self.stations.entry(meter.address);
            station.or_insert_with(|| Station::new(longest)).gap =
                Duration::from_millis(model.min_gap_ms.into());
            self.meters.push(meter);
        }
        let (meters, contacts, nodes) = (&self.meters, &self.contacts, &self.nodes);
        self.stations.retain(|address, _| {
            nodes.iter().any(|node| node.address == *address)
                || meters.iter().any(|meter| meter.address == *address)
                || contacts.iter().any(|contact| contact.address == *address)
        });
        let gone = |job: &Job| !meters.iter().any(|meter| meter.installed.node == job.node);
        if self.job.as_ref().is_some_and(gone) {
            self.job = None;
        }
    }

    fn follow_nodes(&mut self, now_ms: u64, installed: &[Installed]) {
        let before = std::mem::take(&mut self.nodes);
        for one in installed {
            let Some(node) = Sealed::of(one, &self.settings.bus, now_ms) else {
                continue;
            };
            let longest = self.settings.longest_answer;
            let station = self.stations.entry(node.address);
            station.or_insert_with(|| Station::new(longest));
            let same = |old: &&Sealed| (old.node, old.address) == (node.node, node.address);
            let known = before.iter().find(same).cloned();
            self.nodes.push(known.unwrap_or(node));
        }
    }

    /// Queues a frame for a node of ours; false if it is not on this bus.
    pub fn queue(&mut self, node: NodeId, frame: Vec<u8>) -> bool {
        let place = self.nodes.iter_mut().find(|one| one.node == node);
        place.map(|one| one.queue(frame)).is_some()
    }

    /// What a node of ours is asked now, the one that has waited longest first.
    fn sealed(&mut self, now_ms: u64) -> Option<Next> {
        let free = |address: u8| {
            let station = self.stations.get(&address);
            station.is_none_or(|station| station.free_at() <= now_ms)
        };
        let due = self.nodes.iter().filter(|node| node.at() <= now_ms);
        let node = due
            .filter(|node| free(node.address))
            .min_by_key(|node| node.at())?;
        let (address, id) = (node.address, node.node);
        let (step, ask) = node.step(now_ms)?;
        Some(self.ask(address, ask, Asked::Sealed(address, id, step)))
    }

    fn follow_contact(&mut self, installed: &Installed, before: &[Contact]) {
        let catalog = &self.catalog;
        let model = |id: &str| catalog.get(id).map(|model| (*model).clone());
        let Some(mut contact) = Contact::of(installed, &self.settings.bus, model) else {
            return;
        };
        if let Some(known) = before.iter().find(|known| known.is_same(&contact)) {
            let wanted = contact.wanted;
            contact = known.clone();
            contact.want(wanted);
        }
        let longest = self.settings.longest_answer;
        let station = self.stations.entry(contact.address);
        station.or_insert_with(|| Station::new(longest));
        self.contacts.push(contact);
    }

    /// What is to be done now. Whatever is asked, [`Poller::done`] has to be told how it ended.
    pub fn next(&mut self, now_ms: u64) -> Next {
        let free = |stations: &BTreeMap<u8, Station>, address: u8| {
            stations
                .get(&address)
                .is_none_or(|station| station.free_at() <= now_ms)
        };
        let due = self.contacts.iter().find_map(|contact| {
            let order = contact.order(now_ms)?;
            free(&self.stations, contact.address).then_some((contact.node, contact.address, order))
        });
        if let Some((node, address, order)) = due {
            return self.ask(address, order, Asked::Tell(node, address));
        }
        let look = self
            .contacts
            .iter()
            .find(|contact| contact.presses(now_ms) && free(&self.stations, contact.address));
        if let Some((address, ask)) = look.map(|at| (at.address, contact::look(&self.contacts, at)))
        {
            return self.ask(address, ask.clone(), Asked::Look(address, ask));
        }
        if let Some(next) = self.sealed(now_ms) {
            return next;
        }
        if let Some(step) = self.step(now_ms) {
            return step;
        }
        let look = self
            .contacts
            .iter()
            .find(|contact| contact.look_at <= now_ms && free(&self.stations, contact.address));
        if let Some((address, ask)) = look.map(|at| (at.address, contact::look(&self.contacts, at)))
        {
            return self.ask(address, ask.clone(), Asked::Look(address, ask));
        }
        self.begin(now_ms);
        match self.step(now_ms) {
            Some(step) => step,
            None => Next::Sleep(self.wake(now_ms)),
        }
    }

    fn ask(&mut self, address: u8, ask: Ask, asked: Asked) -> Next {
        let station = self.stations.get(&address);
        let allowed = station.map_or(self.settings.longest_answer, Station::allowed);
        self.asked = Some(asked);
        Next::Ask(address, ask, allowed)
    }

    /// The next step of the reading in progress.
    fn step(&mut self, now_ms: u64) -> Option<Next> {
        let job = self.job.as_ref()?;
        let step = *job.steps.front()?;
        let meter = self.meter(job.node)?;
        let address = meter.address;
        if self.stations.get(&address)?.free_at() > now_ms {
            return None;
        }
        let ask = match step {
            Step::Serial(cell) => Ask::Read {
                function: cell.function,
                start: cell.address,
                count: cell.word_type.registers(),
            },
            Step::Block(block) => Ask::Read {
                function: block.function,
                start: block.start,
                count: block.count,
            },
        };
        Some(self.ask(address, ask, Asked::Step(address, step)))
    }

    fn meter(&self, node: NodeId) -> Option<&Meter> {
        self.meters
            .iter()
            .find(|meter| meter.installed.node == node)
    }

    /// Whether nothing is used behind a meter; a contact on another bus is believed to be what it is to be.
    fn is_open(&self, meter: &Meter) -> bool {
        let node = meter.installed.node;
        let contact = self.contacts.iter().find(|contact| contact.node == node);
        let relay = match contact {
            Some(contact) => contact.reported,
            None => meter.installed.wanted,
        };
        relay == Some(Relay::Open)
    }

    /// Chooses whom to read, if no reading is in progress that can go on.
    fn begin(&mut self, now_ms: u64) {
        let waits = |job: &Job| {
            let station = self
                .meter(job.node)
                .and_then(|m| self.stations.get(&m.address));
            station.is_some_and(|station| station.free_at() <= now_ms + SHORT_WAIT_MS)
        };
        if self.job.as_ref().is_some_and(waits) {
            return;
        }
        let usual = self.settings.usual;
        let ready = self.meters.iter().filter(|meter| {
            let station = self.stations.get(&meter.address);
            meter.due <= now_ms && station.is_some_and(|station| station.free_at() <= now_ms)
        });
        let (pressing, others): (Vec<_>, Vec<_>) =
            ready.partition(|meter| meter.presses(usual, self.is_open(meter)));
        let first = |meters: &[&Meter]| {
            meters
                .iter()
                .min_by_key(|meter| meter.due)
                .map(|m| m.job(now_ms))
        };
        let turn = self.pressing < MOST_PRESSING || others.is_empty();
        let job = match first(&pressing).filter(|_| turn) {
            Some(job) => {
                self.pressing += 1;
                Some(job)
            }
            None => {
                self.pressing = 0;
                first(&others)
            }
        };
        if job.is_some() {
            self.job = job;
        }
    }

    /// The next moment at which something may be due.
    fn wake(&self, now_ms: u64) -> u64 {
        let free = |address: u8| self.stations.get(&address).map_or(0, Station::free_at);
        let meters = self
            .meters
            .iter()
            .map(|meter| meter.due.max(free(meter.address)));
        let contacts = self.contacts.iter().map(|contact| {
            let moment = contact
                .tell_at()
                .map_or(contact.look_at, |at| at.min(contact.look_at));
            moment.max(free(contact.address))
        });
        let job = self.job.as_ref().and_then(|job| self.meter(job.node));
        let job = job.map(|meter| free(meter.address));
        let nodes = self
            .nodes
            .iter()
            .map(|node| node.at().max(free(node.address)));
        let soonest = meters.chain(contacts).chain(nodes).chain(job).min();
        soonest
            .unwrap_or(u64::MAX)
            .clamp(now_ms + 1, now_ms + LONGEST_SLEEP_MS)
    }

    /// Takes the end of what was asked last.
    pub fn done(&mut self, now_ms: u64, result: Result<Answer, BusError>) -> Vec<BusNews> {
        let Some(asked) = self.asked.take() else {
            return Vec::new();
        };
        if let Err(BusError::Line(_)) = result {
            // Nobody's fault: everything that was going on begins anew when the line is back.
            self.job = None;
            for meter in &mut self.meters {
                meter.was_silent(now_ms);
            }
            return Vec::new();
        }
        if let Some(station) = self.stations.get_mut(&asked.address()) {
            let outcome = result.as_ref().map(|answer| answer.turnaround);
            station.note(now_ms, outcome);
        }
        match (asked, result) {
            (Asked::Tell(node, _), result) => {
                let contacts = self.contacts.iter_mut();
                for contact in contacts.filter(|contact| contact.node == node) {
                    if result.is_ok() {
                        contact.told(now_ms);
                    }
                }
                Vec::new()
            }
            (Asked::Sealed(_, node, step), result) => self.unsealed(now_ms, node, step, &result),
            (Asked::Look(address, ask), Ok(answer)) => self.looked(now_ms, address, &ask, &answer),
            (Asked::Look(..), Err(_)) => Vec::new(),
            (Asked::Step(_, step), Ok(answer)) => self.stepped(now_ms, step, &answer.reply),
            (Asked::Step(_, step), Err(error)) => {
                self.failed(now_ms, step, &error);
                Vec::new()
            }
        }
    }

    fn looked(&mut self, now_ms: u64, address: u8, ask: &Ask, answer: &Answer) -> Vec<BusNews> {
        let moved = contact::looked(&mut self.contacts, now_ms, (address, ask, &answer.reply));
        let mut news = Vec::new();
        for (node, relay) in moved {
            let meters = self.meters.iter_mut();
            meters
                .filter(|meter| meter.installed.node == node)
                .for_each(|meter| meter.switched(now_ms, relay, self.settings.usual));
            news.push(BusNews::Switched(node, relay));
        }
        news
    }

    fn unsealed(
        &mut self,
        now_ms: u64,
        id: NodeId,
        step: SealedStep,
        result: &Result<Answer, BusError>,
    ) -> Vec<BusNews> {
        let Some(node) = self.nodes.iter_mut().find(|node| node.node == id) else {
            return Vec::new();
        };
        match result {
            Ok(answer) => match node.done(now_ms, step, &answer.reply) {
                Ok(frame) => frame
                    .map(|frame| BusNews::Frame(id, frame))
                    .into_iter()
                    .collect(),
                Err(_) => {
                    let address = node.address;
                    if let Some(station) = self.stations.get_mut(&address) {
                        station.quality.implausible += 1;
                    }
                    Vec::new()
                }
            },
            Err(error) => {
                node.failed(now_ms, step, matches!(error, BusError::Exception(_)));
                Vec::new()
            }
        }
    }

    fn failed(&mut self, now_ms: u64, step: Step, error: &BusError) {
        let Some(mut job) = self.job.take() else {
            return;
        };
        let Some(meter) = self
            .meters
            .iter_mut()
            .find(|m| m.installed.node == job.node)
        else {
            return;
        };
        match (step, error) {
            // It does not have the register of its serial number; its readings count all the same.
            (Step::Serial(_), BusError::Exception(1..=4)) => {
                meter.serial_is(now_ms, None);
                job.steps.pop_front();
                if let Some(station) = self.stations.get_mut(&meter.address) {
                    station.forgive(now_ms);
                }
                self.job = Some(job);
            }
            (_, error) if error.is_noise() && job.repeats < AGAIN => {
                job.repeats += 1;
                self.job = Some(job);
            }
            (_, BusError::NoReply | BusError::WrongMeter) => meter.was_silent(now_ms),
            _ => {}
        }
    }

    fn stepped(&mut self, now_ms: u64, step: Step, reply: &Reply) -> Vec<BusNews> {
        let Some(mut job) = self.job.take() else {
            return Vec::new();
        };
        let place = self
            .meters
            .iter()
            .position(|m| m.installed.node == job.node);
        let Some(meter) = place.and_then(|place| self.meters.get_mut(place)) else {
            return Vec::new();
        };
        let Reply::Words(words) = reply else {
            return Vec::new();
        };
        match step {
            Step::Serial(cell) => {
                let number = words_of(cell, None, cell.address, words);
                meter.serial_is(now_ms, inquiry::in_words(number));
            }
            Step::Block(block) => {
                let since = Duration::from_millis(now_ms.saturating_sub(job.began));
                take(
                    &meter.model,
                    meter.order,
                    block,
                    words,
                    since,
                    &mut job.sample,
                );
            }
        }
        job.steps.pop_front();
        job.repeats = 0;
        if !job.steps.is_empty() {
            self.job = Some(job);
            return Vec::new();
        }
        self.finished(now_ms, job.node, job.purpose, &job.sample)
    }

    fn finished(
        &mut self,
        now_ms: u64,
        node: NodeId,
        purpose: Purpose,
        sample: &Sample,
    ) -> Vec<BusNews> {
        let usual = self.settings.usual;
        let contact = self.contacts.iter().find(|contact| contact.node == node);
        let relay = contact.and_then(|contact| contact.reported);
        let open = self.meter(node).is_some_and(|meter| self.is_open(meter));
        let Some(meter) = self.meters.iter_mut().find(|m| m.installed.node == node) else {
            return Vec::new();
        };
        let station = self.stations.get_mut(&meter.address);
        let implausible = |station: Option<&mut Station>| {
            if let Some(station) = station {
                station.quality.implausible += 1;
            }
        };
        match meter.judge(now_ms, sample) {
            Verdict::Believed(mut reading) => {
                reading.reading.relay = relay;
                meter.plan_next(now_ms, purpose, usual, open);
                vec![BusNews::Metered(reading)]
            }
            Verdict::ReadAgain => {
                implausible(station);
                Vec::new()
            }
            Verdict::NoRegister => {
                implausible(station);
                meter.plan_next(now_ms, purpose, usual, open);
                vec![BusNews::Implausible(node)]
            }
        }
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

/// A reading in progress is waited for if its meter may be asked within so long.
const SHORT_WAIT_MS: u64 = 5;
