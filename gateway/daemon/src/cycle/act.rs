//! Commit, then act: what follows from a batch, in this order, and only if it is on disk.

use super::batch::Batch;
use super::{Cycle, lease};
use gateway_core::{NodeId, Record};
use gateway_store::{Rejection, StoreError};
use gateway_web::DeskError;
use prepaid_common::wire::{self, Counter, Key};
use std::collections::{BTreeMap, BTreeSet};

/// The same lease is not sent again to a node within this time: its confirmation may be on the way.
const RESEND_AFTER_MS: u64 = 2_000;

impl Cycle {
    /// Commits what has gathered and acts on it.
    pub(super) fn flush(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        for (node, reason) in &batch.rejected {
            if self.is_sealed(*node) {
                self.told.hearing.refused(*node, reason);
            }
            let count = self.refused.entry((*node, reason)).or_default();
            *count += 1;
            // Once per commit and node: whoever forges frames does not fill the log.
            if *count == 1 {
                log::warn!(NODE = node.to_string().as_str(); "rejected a frame of {node}: {reason}");
            }
        }
        if !batch.rows.is_empty() {
            batch.rows.rejections = self.refusals();
        }
        match self.store.commit(&batch.rows, &self.state) {
            Ok(()) => self.act(batch),
            Err(error) => self.fail(batch, &error),
        }
    }

    fn refusals(&self) -> Vec<Rejection> {
        let last_at = self.state.moment(self.clock.now()).at;
        let refused = self.refused.iter();
        let rejection = |((node, reason), count): (&(NodeId, &str), &u64)| Rejection {
            node: Some(*node),
            reason: (*reason).into(),
            count: *count,
            last_at,
        };
        refused.map(rejection).collect()
    }

    fn act(&mut self, batch: Batch) {
        let wrote = !batch.rows.is_empty();
        self.status.committed(&batch);
        if wrote {
            self.refused.clear();
        }
        for (node, counter) in &batch.counters {
            self.links.committed(*node, *counter);
            self.told.hearing.stored(*node);
        }
        for (node, key) in &batch.rows.node_keys {
            self.admit(*node, Key(*key), Counter::ZERO);
        }
        for ack in batch.acks {
            ack.accept();
        }
        self.confirm(&batch.counters);
        for (node, frame) in batch.frames {
            // A node that left again greets again.
            let _ = self.send(node, frame);
        }
        let mut nodes = batch.nodes;
        self.metering_nodes(&batch.rows.records, &mut nodes);
        self.press(&batch.rows.records);
        for node in nodes {
            self.tell(node);
        }
        self.show_hearing();
        self.show_installed();
        self.show_signals(&batch.rows.records);
        for (node, text) in batch.texts {
            self.show(node, &text);
        }
        if let Some((to, boot_ms)) = batch.clock {
            self.clock.set_by_hand(to, boot_ms);
        }
        for (reply, answer) in batch.replies {
            // Whoever asked may have gone; the decision stands.
            let _ = reply.send(answer.map_err(DeskError::Refused));
        }
        for record in &batch.rows.records {
            (self.listener)(record, &self.state);
        }
        if let Some(watch) = &self.watch {
            for round in batch.rows.rounds {
                // An inbox that is full is behind by a day: the round is on disk.
                let _ = watch.try_send(crate::watch::News::of(&self.state, Some(round)));
            }
        }
        if wrote {
            self.changes.send_modify(|number| *number += 1);
        }
    }

    /// Lets a node in: its key and its password.
    pub(super) fn admit(&mut self, node: NodeId, key: Key, floor: Counter) {
        let password = key.mqtt_password();
        self.links.add(node, key, floor);
        let password = std::str::from_utf8(&password).unwrap_or_default();
        if let Err(error) = self.credentials.add_node(node, password) {
            log::error!("failed to let node {node} in: {error}");
        }
    }

    /// Adds the nodes of the usage points the records concern; nodes that were replaced are turned away.
    fn metering_nodes(&mut self, records: &[Record], nodes: &mut BTreeSet<NodeId>) {
        for record in records {
            let point = record
                .decision
                .usage_point()
                .and_then(|id| self.state.usage_points.get(&id));
            nodes.extend(point.and_then(|point| point.meter).map(|fit| fit.node));
            self.turn_away(record);
        }
    }

    /// Tells nodes which reports are stored, where no PUBACK does. One that is lost is made up for by the node's next report.
    fn confirm(&mut self, counters: &[(NodeId, Counter)]) {
        let mut newest = BTreeMap::new();
        let by_word = |(node, _): &&(NodeId, Counter)| self.hears_by_word(*node);
        for (node, counter) in counters.iter().filter(by_word) {
            let highest = newest.entry(*node).or_insert(*counter);
            *highest = (*highest).max(*counter);
        }
        for (node, counter) in newest {
            let command = wire::Command {
                acknowledged: Some(counter),
                ..wire::Command::default()
            };
            if let Ok(frame) = self.links.command(node, &command) {
                let _ = self.send(node, frame);
            }
        }
    }

    /// Sends a node what it should do if its last report shows something else. Level, not edge: asked again with every report.
    fn tell(&mut self, node: NodeId) {
        let Some(terms) = self.terms(node) else {
            return;
        };
        let now = self.clock.monotonic_ms();
        let last = self.state.readings.get(&node).map(|last| &last.reading);
        let mut command = lease::missing(&terms, last);
        command.close = self.told.presses.holds(node, last, now);
        let wanted = lease::Wanted::by(&command);
        if wanted.is_nothing() {
            if let Some((_, at)) = self.told.sent.remove(&node) {
                self.told.hearing.answered(node, at);
            }
            return;
        }
        if let Some((told, at)) = self.told.sent.get(&node)
            && *told == wanted
        {
            if now.saturating_sub(*at) < RESEND_AFTER_MS {
                return;
            }
            self.told.hearing.unanswered(node);
        }
        // Without a session the node learns it with the welcome.
        if let Ok(frame) = self.links.command(node, &command)
            && self.send(node, frame)
        {
            self.told.sent.insert(node, (wanted, now));
        }
    }

    /// Shows how well nodes are heard, as far as it has changed.
    pub(super) fn show_hearing(&mut self) {
        let now = (self.clock.monotonic_ms(), self.settings.report_interval_s);
        let nodes = &self.state.nodes;
        let in_use = |node: NodeId| nodes.get(&node).is_some_and(|node| node.role.is_some());
        self.told.hearing.show(now, in_use);
    }

    /// Nothing of the batch is true. The state is read again; acknowledgements are held so that nodes wait and keep their frames.
    fn fail(&mut self, batch: Batch, error: &StoreError) {
        log::error!("failed to store: {error}");
        let words = format!("nothing can be stored: {error}");
        self.status.storage_failed(&words);
        if let StoreError::Damaged { what } = error {
            self.status.damaged(what);
        }
        self.keypads.forget();
        for (node, counter) in &batch.counters {
            self.links.uncommitted(*node, *counter);
        }
        match self.store.load() {
            Ok(state) => self.state = state,
            Err(error) => log::error!("failed to read the state again: {error}"),
        }
        for (reply, _) in batch.replies {
            let _ = reply.send(Err(DeskError::Unavailable(words.clone())));
        }
        self.status.hold(batch.acks);
    }
}
