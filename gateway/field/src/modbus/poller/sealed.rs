//! Our node on a bus: sealed frames fetched from and written into its registers. Nothing here opens one: they are opaque, as on MQTT.

use super::super::{Ask, Reply};
use crate::models::Function;
use gateway_core::NodeId;
use gateway_core::meter_link::{Installed, MeterLink};
use prepaid_common::modbus::{BASE, DOWNLINK, LAYOUT, MAGIC, TAKEN, UPLINK, UPLINK_FRAME};
use prepaid_common::wire::MAX_FRAME;
use std::collections::VecDeque;

/// How often a node is asked whether a frame waits: it reports at once when its relay has moved.
const LOOK_EVERY_MS: u64 = 1_000;
/// A node has its report ready so long after a command.
const AFTER_TELLING_MS: u64 = 150;
/// Frames that wait for a node; the newest pushes the oldest out, each carries the whole desired state.
const MOST_WAITING: usize = 4;

/// One node.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub node: NodeId,
    pub address: u8,
    pub due: u64,
    /// Number and length of a frame that waits in its registers.
    waiting: Option<(u16, u16)>,
    /// Number of a frame that was fetched.
    fetched: Option<u16>,
    down: VecDeque<Vec<u8>>,
}

/// What is asked of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SealedStep {
    Tell,
    Take,
    Fetch,
    Look,
}

impl Sealed {
    pub(super) fn of(installed: &Installed, bus: &str, now_ms: u64) -> Option<Self> {
        match &installed.link {
            MeterLink::NodeOnBus { bus: on, address } if on == bus => Some(Self {
                node: installed.node,
                address: *address,
                due: now_ms,
                waiting: None,
                fetched: None,
                down: VecDeque::new(),
            }),
            _ => None,
        }
    }

    /// Queues a frame for the node.
    pub(super) fn queue(&mut self, frame: Vec<u8>) {
        if self.down.len() >= MOST_WAITING {
            self.down.pop_front();
        }
        self.down.push_back(frame);
    }

    /// When it has something to do.
    pub(super) fn at(&self) -> u64 {
        let presses = !self.down.is_empty() || self.fetched.is_some() || self.waiting.is_some();
        if presses { 0 } else { self.due }
    }

    /// What is to be asked of it now.
    pub(super) fn step(&self, now_ms: u64) -> Option<(SealedStep, Ask)> {
        let read = |start, count| Ask::Read {
            function: Function::Holding,
            start,
            count,
        };
        if let Some(frame) = self.down.front() {
            let mut values = vec![u16::try_from(frame.len()).unwrap_or_default()];
            values.extend(frame.chunks(2).map(|two| match two {
                [high, low] => u16::from_be_bytes([*high, *low]),
                [high] => u16::from_be_bytes([*high, 0]),
                _ => 0,
            }));
            let ask = Ask::WriteRegisters {
                address: DOWNLINK,
                values,
            };
            return Some((SealedStep::Tell, ask));
        }
        if let Some(value) = self.fetched {
            let ask = Ask::WriteRegister {
                address: TAKEN,
                value,
            };
            return Some((SealedStep::Take, ask));
        }
        if let Some((_, length)) = self.waiting {
            // Number, length and frame in one request: they belong together.
            let count = UPLINK_FRAME - UPLINK + length.div_ceil(2);
            return Some((SealedStep::Fetch, read(UPLINK, count)));
        }
        (now_ms >= self.due).then(|| (SealedStep::Look, read(BASE, UPLINK_FRAME)))
    }

    /// Takes an answer: a frame, or why what it says is none of our node's.
    pub(super) fn done(
        &mut self,
        now_ms: u64,
        step: SealedStep,
        reply: &Reply,
    ) -> Result<Option<Vec<u8>>, NotOurs> {
        match (step, reply) {
            (SealedStep::Tell, _) => {
                self.down.pop_front();
                self.due = now_ms + AFTER_TELLING_MS;
            }
            (SealedStep::Take, _) => {
                self.fetched = None;
                // Another may be waiting already.
                self.due = now_ms;
            }
            (SealedStep::Look, Reply::Words(words)) => {
                self.due = now_ms + LOOK_EVERY_MS;
                let [MAGIC, LAYOUT, _, _, number, length] = words[..] else {
                    return Err(NotOurs);
                };
                self.waiting = (length > 0).then_some((number, length));
                if usize::from(length) > MAX_FRAME {
                    self.waiting = None;
                    return Err(NotOurs);
                }
            }
            (SealedStep::Fetch, Reply::Words(words)) => {
                let wanted = self.waiting.take();
                let [number, length, frame @ ..] = &words[..] else {
                    return Err(NotOurs);
                };
                if Some((*number, *length)) != wanted {
                    // A newer one has taken its place.
                    self.due = now_ms;
                    return Ok(None);
                }
                self.fetched = Some(*number);
                let mut bytes: Vec<u8> = frame.iter().flat_map(|word| word.to_be_bytes()).collect();
                bytes.truncate(usize::from(*length));
                return Ok(Some(bytes));
            }
            _ => return Err(NotOurs),
        }
        Ok(None)
    }

    /// A request was refused by the node, or it did not answer.
    pub(super) fn failed(&mut self, now_ms: u64, step: SealedStep, refused: bool) {
        self.due = now_ms + LOOK_EVERY_MS;
        match step {
            SealedStep::Tell if refused => drop(self.down.pop_front()),
            SealedStep::Take if refused => self.fetched = None,
            SealedStep::Fetch => self.waiting = None,
            _ => {}
        }
    }
}

/// What answers at the address is no node of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotOurs;
