//! Frames from nodes: authenticated and counted here, before the core sees a reading.

use super::{Cycle, lease, node};
use gateway_core::alarm::AlarmKind;
use gateway_core::cloud::HoldCause;
use gateway_core::guard::{self, NodeTerms};
use gateway_core::{Command, Event, NodeId};
use gateway_field::link::{Arrival, LinkOutcome, ReplyReason};
use gateway_field::{SELF_TEST_NODE, Uplink};
use prepaid_common::wire::{self, FrameRejection, Kind};

/// A restored backup is at most some years of daily starts old.
const LARGEST_LEAP: u32 = 4_096;

impl Cycle {
    pub(super) fn uplink(&mut self, uplink: Uplink) {
        self.batch.touch();
        if uplink.node == SELF_TEST_NODE {
            self.batch.rows.tested_at = Some(self.state.moment(self.clock.now()).at);
            self.batch.urgent = true;
            return self.batch.acks.push(uplink.ack);
        }
        match self.open(uplink.node, &uplink.payload) {
            LinkOutcome::Report { counter, report } => {
                let now_ms = self.clock.monotonic_ms();
                self.told.hearing.arrived(uplink.node, now_ms);
                let reading = node::reading(uplink.node, counter, &report);
                if let Err(refusal) = self.event(&Event::Reading(reading)) {
                    self.batch.rejected.push((uplink.node, refusal.name()));
                }
                self.typed(
                    uplink.node,
                    report.keypad.as_ref().and_then(wire::Short::as_str),
                );
                if report.pressed {
                    self.pressed(uplink.node);
                }
                self.batch.counters.push((uplink.node, counter));
                self.batch.acks.push(uplink.ack);
            }
            LinkOutcome::Reply {
                frame,
                reason: ReplyReason::Who,
            } => {
                self.batch
                    .rejected
                    .push((uplink.node, FrameRejection::StaleSession.reason()));
                // Not stored. With the own broker the connection ends and the node greets on the next one; an external
                // one keeps its connection, so the node is asked.
                if self.hears_by_word(uplink.node) {
                    self.batch.frames.push((uplink.node, frame));
                }
                uplink.ack.refuse();
            }
            LinkOutcome::Reply { frame, reason } => {
                self.greet(uplink.node, &reason);
                self.batch.frames.push((uplink.node, frame));
                self.batch.acks.push(uplink.ack);
                self.batch.urgent = true;
            }
            LinkOutcome::Duplicate { .. } => self.batch.acks.push(uplink.ack),
            // With the own broker this closes the connection: an honest node greets again and gets a new session.
            LinkOutcome::Rejected(rejection) => {
                self.batch.rejected.push((uplink.node, rejection.reason()));
                uplink.ack.refuse();
            }
        }
    }

    fn open(&mut self, sender: NodeId, frame: &[u8]) -> LinkOutcome {
        let mut random = [0; 8];
        if getrandom::fill(&mut random).is_err() {
            return LinkOutcome::Rejected(FrameRejection::StaleSession);
        }
        let is_hello = wire::peek(frame).is_ok_and(|header| header.kind == Kind::Hello);
        let directive = is_hello.then(|| self.welcome(sender));
        let clock = self.clock.now();
        let arrival = Arrival {
            session_random: u64::from_be_bytes(random),
            now: clock.at,
            clock_trusted: clock.clock_trusted,
            monotonic_ms: self.clock.monotonic_ms(),
            directive: directive.as_ref(),
        };
        self.links.uplink(sender, frame, &arrival)
    }

    /// What a node is told with its welcome.
    fn welcome(&self, node: NodeId) -> wire::Command {
        let command = self.terms(node).map(|terms| lease::command(&terms));
        let report_interval_s = Some(self.settings.report_interval_s);
        // It tells the node that PUBACK means no more than "sent" here, and that this item means "stored".
        let acknowledged = self.links.uplink_floor(node);
        wire::Command {
            report_interval_s,
            acknowledged: acknowledged.filter(|_| self.hears_by_word(node)),
            ..command.unwrap_or_default()
        }
    }

    /// What a node is to have, by committed state and this batch.
    pub(super) fn terms(&self, node: NodeId) -> Option<NodeTerms> {
        let now = self.state.moment(self.clock.now());
        guard::terms(&self.state, &self.rules, node, now)
    }

    /// Stores a raised number of starts, so that the next start counts above it; not if one node claims a leap that would use the
    /// numbers up.
    fn remember_epoch(&mut self, epoch: u32) {
        if epoch <= self.epoch.saturating_add(LARGEST_LEAP) {
            match self.store.raise_epoch(epoch) {
                Ok(epoch) => self.epoch = epoch,
                Err(error) => log::error!("failed to store the number of starts: {error}"),
            }
        }
    }

    /// Stops taking money once enough nodes have seen a later gateway.
    fn doubt(&mut self, node: NodeId, seen_epoch: u32) {
        let in_use = |node: &&gateway_core::state::Node| node.role.is_some();
        let nodes = self.state.nodes.values().filter(in_use).count();
        if self.doubt.hello(node, seen_epoch, nodes) {
            let (cause, evidence) = (HoldCause::Nodes, self.doubt.words());
            let hold = Command::HoldMoney { cause, evidence };
            let _ = self.event(&Event::Command(hold));
        }
    }

    fn greet(&mut self, node: NodeId, reason: &ReplyReason) {
        if let ReplyReason::Welcome { hello, .. } = reason {
            self.doubt(node, hello.highest_gateway_counter.epoch());
        }
        if let ReplyReason::Welcome {
            raised_gateway_epoch: Some(epoch),
            hello,
        } = reason
        {
            let details = format!(
                "node {node} has seen gateway counter {}, later than any this gateway has used; it goes on with start {epoch}",
                hello.highest_gateway_counter
            );
            let kind = AlarmKind::OlderThanItsNodes;
            self.remember_epoch(*epoch);
            let _ = self.event(&Event::Command(Command::Report {
                kind,
                node: None,
                details,
            }));
        }
    }
}
