//! What is installed on a bus becomes its stations, meters, contacts and nodes.

use super::super::station::Station;
use super::Poller;
use super::contact::Contact;
use super::meter::{self, Job, Meter};
use super::sealed::Sealed;
use gateway_core::meter_link::{Installed, MeterLink};
use std::time::Duration;

impl Poller {
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
}
