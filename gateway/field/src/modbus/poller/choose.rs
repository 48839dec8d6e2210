//! Who is asked what next.

use super::super::Ask;
use super::super::station::Station;
use super::meter::{Job, Meter, Step};
use super::{Asked, Next, Poller, contact};
use gateway_core::supply::Relay;
use std::collections::BTreeMap;

/// After so many readings that press, one that does not.
const MOST_PRESSING: u32 = 6;
/// Between two questions of people while a contact waits or an account is about to run out: a question costs a missing answer's time at most, so
/// a twentieth of the line's.
const REST_WHILE_PRESSING_MS: u64 = 10_000;
/// And while meters are due for their usual reading.
const REST_WHILE_DUE_MS: u64 = 2_000;
/// How long an idle bus sleeps at most.
const LONGEST_SLEEP_MS: u64 = 60_000;
/// A reading in progress is waited for if its meter may be asked within so long.
const SHORT_WAIT_MS: u64 = 5;

impl Poller {
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

    /// Whether a question of people may go first now: whenever nothing is due; else once in a while, so that a scan comes to its end
    /// on a bus that is always busy too.
    pub fn lets_ask(&mut self, now_ms: u64) -> bool {
        let usual = self.settings.usual;
        let contacts = self.contacts.iter();
        let mut waiting =
            contacts.map(|contact| contact.order(now_ms).is_some() || contact.presses(now_ms));
        let due = |meter: &&Meter| meter.due <= now_ms;
        let mut meters = self.meters.iter().filter(due);
        let presses = waiting.any(|waits| waits)
            || meters.any(|meter| meter.presses(usual, self.is_open(meter)));
        let is_due = self.job.is_some()
            || self.meters.iter().any(|meter| due(&meter))
            || self.nodes.iter().any(|node| node.at() <= now_ms);
        let rest = match (presses, is_due) {
            (true, _) => REST_WHILE_PRESSING_MS,
            (false, true) => REST_WHILE_DUE_MS,
            (false, false) => 0,
        };
        let lets = now_ms >= self.people_asked + rest;
        if lets {
            self.people_asked = now_ms;
        }
        lets
    }

    /// Whether nothing is used behind a meter; a contact on another bus is believed to be what it is to be.
    pub(super) fn is_open(&self, meter: &Meter) -> bool {
        let node = meter.installed.node;
        let contact = self.contacts.iter().find(|contact| contact.node == node);
        let relay = match contact {
            Some(contact) => contact.reported,
            None => meter.installed.wanted,
        };
        relay == Some(Relay::Open)
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
}
