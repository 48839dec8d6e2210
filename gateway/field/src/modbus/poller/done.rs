//! What an answer, or none, means.

use super::super::station::{AGAIN, Station};
use super::super::{Answer, Ask, BusError, Reply, inquiry};
use super::meter::{Step, Verdict};
use super::sealed::SealedStep;
use super::{Asked, BusNews, Poller, contact};
use crate::models::{Purpose, Sample, take, words_of};
use gateway_core::NodeId;
use std::time::Duration;

impl Poller {
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
}
