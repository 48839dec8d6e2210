//! One node's sessions and counters.

use super::limiter::Limiter;
use super::{Arrival, LinkError, LinkOutcome, MAX_IN_FLIGHT, ReplyReason};
use prepaid_common::NodeId;
use prepaid_common::wire::{
    Command, Counter, Envelope, FrameRejection, Hello, Key, MAX_FRAME, Message, Report, TimeSignal,
    Welcome, Who,
};
use std::collections::BTreeSet;

/// Committed counters of the current session that are remembered, to tell a duplicate from a frame
/// that was overtaken.
const REMEMBERED: usize = 64;

#[derive(Debug)]
pub(super) struct NodeLink {
    node: NodeId,
    key: Key,
    current: Option<u64>,
    offered: Option<u64>,
    /// The highest committed counter.
    floor: Counter,
    in_flight: BTreeSet<Counter>,
    /// The latest committed counters of the current session.
    stored: BTreeSet<Counter>,
    /// The last counter used downwards.
    downlink: Counter,
    hellos: Limiter,
    whos: Limiter,
}

impl NodeLink {
    pub fn new(node: NodeId, key: Key, floor: Counter, gateway_epoch: u32) -> Self {
        Self {
            node,
            key,
            current: None,
            offered: None,
            floor,
            in_flight: BTreeSet::new(),
            stored: BTreeSet::new(),
            downlink: Counter::new(gateway_epoch, 0).unwrap_or_default(),
            hellos: Limiter::default(),
            whos: Limiter::default(),
        }
    }

    pub fn key(&self) -> &Key {
        &self.key
    }

    pub fn floor(&self) -> Counter {
        self.floor
    }

    pub fn has_session(&self) -> bool {
        self.current.is_some()
    }

    /// The highest counter accepted, committed or not.
    fn highest_accepted(&self) -> Counter {
        self.in_flight
            .last()
            .map_or(self.floor, |in_flight| self.floor.max(*in_flight))
    }

    /// Answers an authentic hello with a welcome.
    pub fn hello(
        &mut self,
        body: &[u8],
        arrival: &Arrival<'_>,
    ) -> Result<LinkOutcome, FrameRejection> {
        let floor = self.highest_accepted();
        if floor.next_epoch().is_none() {
            return Err(FrameRejection::CounterExhausted);
        }
        if !self.hellos.take(arrival.monotonic_ms) {
            return Err(FrameRejection::TooFrequent);
        }
        let hello = Hello::decode(body)?;
        let raised_gateway_epoch = self.raise_above(hello.highest_gateway_counter)?;
        let counter = self
            .next_downlink()
            .ok_or(FrameRejection::CounterExhausted)?;
        // Session 0 means none.
        let session = arrival.session_random.max(1);
        let welcome = Welcome {
            challenge: hello.challenge,
            uplink_floor: floor,
            time: TimeSignal {
                utc: arrival.now,
                trusted: arrival.clock_trusted,
            },
            command: arrival.directive.copied().unwrap_or_default(),
        };
        let envelope = Envelope {
            node: self.node,
            counter,
            session,
        };
        let frame = sealed(|buffer| welcome.encode_and_seal(envelope, &self.key, buffer))
            .map_err(|_| FrameRejection::TooLong)?;
        self.offered = Some(session);
        let reason = ReplyReason::Welcome {
            hello,
            raised_gateway_epoch,
        };
        Ok(LinkOutcome::Reply { frame, reason })
    }

    /// Judges an authentic report.
    pub fn report(
        &mut self,
        envelope: Envelope,
        body: &[u8],
        arrival: &Arrival<'_>,
    ) -> Result<LinkOutcome, FrameRejection> {
        let Envelope {
            counter, session, ..
        } = envelope;
        let confirms = self.offered == Some(session);
        if !confirms && self.current != Some(session) {
            return self.who(session, arrival);
        }
        if self.in_flight.contains(&counter) || self.stored.contains(&counter) {
            let committed = self.stored.contains(&counter);
            return Ok(LinkOutcome::Duplicate { counter, committed });
        }
        if counter <= self.highest_accepted() {
            return Err(FrameRejection::Replayed);
        }
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            return Err(FrameRejection::TooManyUncommitted);
        }
        let report = Box::new(Report::decode(body)?);
        if confirms {
            self.current = self.offered.take();
            self.stored.clear();
        }
        self.in_flight.insert(counter);
        Ok(LinkOutcome::Report { counter, report })
    }

    pub fn committed(&mut self, counter: Counter) {
        if !self.in_flight.remove(&counter) {
            return;
        }
        self.floor = self.floor.max(counter);
        self.stored.insert(counter);
        if self.stored.len() > REMEMBERED {
            self.stored.pop_first();
        }
    }

    pub fn uncommitted(&mut self, counter: Counter) {
        self.in_flight.remove(&counter);
    }

    pub fn command(&mut self, command: &Command) -> Result<Vec<u8>, LinkError> {
        let session = self.current.ok_or(LinkError::NoSession)?;
        let counter = self.next_downlink().ok_or(LinkError::CounterExhausted)?;
        let envelope = Envelope {
            node: self.node,
            counter,
            session,
        };
        Ok(sealed(|buffer| {
            command.encode_and_seal(envelope, &self.key, buffer)
        })?)
    }

    /// The node answers only if this is its own current session, so a recorded who is worthless
    /// later.
    fn who(&mut self, session: u64, arrival: &Arrival<'_>) -> Result<LinkOutcome, FrameRejection> {
        if !self.whos.take(arrival.monotonic_ms) {
            return Err(FrameRejection::StaleSession);
        }
        let counter = self
            .next_downlink()
            .ok_or(FrameRejection::CounterExhausted)?;
        let envelope = Envelope {
            node: self.node,
            counter,
            session,
        };
        let frame = sealed(|buffer| Who.encode_and_seal(envelope, &self.key, buffer))
            .map_err(|_| FrameRejection::TooLong)?;
        Ok(LinkOutcome::Reply {
            frame,
            reason: ReplyReason::Who,
        })
    }

    /// Counts above what the node has seen.
    fn raise_above(&mut self, seen: Counter) -> Result<Option<u32>, FrameRejection> {
        if seen <= self.downlink {
            return Ok(None);
        }
        let raised = seen.next_epoch().ok_or(FrameRejection::CounterExhausted)?;
        self.downlink = raised;
        Ok(Some(raised.epoch()))
    }

    fn next_downlink(&mut self) -> Option<Counter> {
        self.downlink = self.downlink.next()?;
        Some(self.downlink)
    }
}

fn sealed<E>(seal: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<Vec<u8>, E> {
    let mut buffer = [0; MAX_FRAME];
    let length = seal(&mut buffer)?;
    Ok(buffer.get(..length).unwrap_or_default().to_vec())
}
