//! A node's frame on its way to the caller, and the acknowledgement on its way back.
//!
//! The node keeps a frame until it is acknowledged, so the PUBACK must mean "stored". It is written
//! when the caller says [`Ack::accept`]; an [`Ack`] that is dropped closes the node's connection,
//! and the node sends the frame again after reconnecting. A frame that never will be stored is
//! refused, [`Ack::refuse`].
//!
//! With an external broker the PUBACK goes to the broker, which delivers again what has none once
//! the connection is made again. A refused frame gets one, or it would come again for ever.

use std::collections::VecDeque;

use bytes::Bytes;
use prepaid_common::NodeId;
use tokio::sync::mpsc::UnboundedSender;

/// One frame from an authenticated node.
#[derive(Debug)]
pub struct Uplink {
    /// Who sent it, as authenticated; 0 is the front end's own self-test.
    pub node: NodeId,
    /// The payload of the publish, at most the node's packet limit.
    pub payload: Bytes,
    /// To be accepted once the frame is stored, or known to be needed no more.
    pub ack: Ack,
}

/// The right to acknowledge one [`Uplink`].
#[derive(Debug)]
pub struct Ack {
    place: u64,
    /// Whether a refused frame is acknowledged all the same.
    refusal_settles: bool,
    verdict: Option<UnboundedSender<Verdict>>,
}

/// What became of the uplink at `place` of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    place: u64,
    accepted: bool,
}

impl Ack {
    /// Lets the node forget the frame. A connection that is already gone is no error: the node
    /// sends the frame again and the caller recognises the repetition.
    pub fn accept(mut self) {
        self.send(true);
    }

    /// The frame is wrong and stays wrong: nobody should send it again. Closes the connection of
    /// the node it came from; towards an external broker it is acknowledged.
    pub fn refuse(mut self) {
        self.send(self.refusal_settles);
    }

    /// For a frame whose sender is told by a sealed frame what is stored, and has no connection to close.
    #[must_use]
    pub fn unheard() -> Self {
        Self {
            place: 0,
            refusal_settles: true,
            verdict: None,
        }
    }

    fn send(&mut self, accepted: bool) {
        if let Some(verdict) = self.verdict.take() {
            // The session may have ended; then there is nobody to tell.
            let _ = verdict.send(Verdict {
                place: self.place,
                accepted,
            });
        }
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        self.send(false);
    }
}

/// The publishes of one connection that wait for their verdict, in the order they came.
///
/// Bounded by its owner, which reads no publish while [`Unacknowledged::len`] is at the limit; so is
/// the channel of verdicts.
pub(crate) struct Unacknowledged {
    verdicts: UnboundedSender<Verdict>,
    refusal_settles: bool,
    first: u64,
    waiting: VecDeque<(u16, bool)>,
}

/// Someone dropped an [`Ack`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotStored;

impl Unacknowledged {
    pub fn new(verdicts: UnboundedSender<Verdict>) -> Self {
        Self {
            verdicts,
            refusal_settles: false,
            first: 0,
            waiting: VecDeque::new(),
        }
    }

    /// For a connection on which refused frames are acknowledged.
    pub fn where_refusals_settle(verdicts: UnboundedSender<Verdict>) -> Self {
        Self {
            refusal_settles: true,
            ..Self::new(verdicts)
        }
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Notes a publish (`pkid` 0: QoS 0) and makes its acknowledgement.
    pub fn expect(&mut self, pkid: u16) -> Ack {
        let place = self.first + self.waiting.len() as u64;
        self.waiting.push_back((pkid, false));
        Ack {
            place,
            refusal_settles: self.refusal_settles,
            verdict: Some(self.verdicts.clone()),
        }
    }

    /// Takes in a verdict and returns the identifiers that may now be acknowledged, in the order of
    /// their publishes (MQTT-4.6.0-2). Identifier 0 stands for a QoS 0 publish.
    pub fn settle(&mut self, verdict: Verdict) -> Result<Vec<u16>, NotStored> {
        let place = verdict
            .place
            .checked_sub(self.first)
            .and_then(|at| usize::try_from(at).ok());
        let Some(entry) = place.and_then(|at| self.waiting.get_mut(at)) else {
            return Ok(Vec::new());
        };
        // Nobody sends a QoS 0 frame again, so closing would only cost the node its connection.
        if !verdict.accepted && entry.0 != 0 {
            return Err(NotStored);
        }
        entry.1 = true;
        let mut settled = Vec::new();
        while let Some((pkid, true)) = self.waiting.front().copied() {
            self.waiting.pop_front();
            self.first += 1;
            settled.push(pkid);
        }
        Ok(settled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::unbounded_channel;

    #[test]
    fn acknowledgements_keep_the_order_of_the_publishes() {
        let (sender, mut verdicts) = unbounded_channel();
        let mut waiting = Unacknowledged::new(sender);
        let (one, zero, two) = (waiting.expect(11), waiting.expect(0), waiting.expect(12));
        let mut next = |waiting: &mut Unacknowledged| {
            waiting.settle(verdicts.try_recv().expect("a verdict was sent"))
        };
        two.accept();
        assert_eq!(next(&mut waiting), Ok(vec![]));
        drop(zero);
        assert_eq!(next(&mut waiting), Ok(vec![]));
        one.accept();
        assert_eq!(next(&mut waiting), Ok(vec![11, 0, 12]));
        assert!(waiting.is_empty());
        drop(waiting.expect(13));
        assert_eq!(next(&mut waiting), Err(NotStored));
    }

    #[test]
    fn only_a_broker_is_told_to_forget_a_refused_frame() {
        let outcome = |make: fn(UnboundedSender<Verdict>) -> Unacknowledged| {
            let (sender, mut verdicts) = unbounded_channel();
            let mut waiting = make(sender);
            waiting.expect(7).refuse();
            waiting.settle(verdicts.try_recv().expect("a verdict was sent"))
        };
        assert_eq!(outcome(Unacknowledged::new), Err(NotStored));
        assert_eq!(outcome(Unacknowledged::where_refusals_settle), Ok(vec![7]));
    }
}
