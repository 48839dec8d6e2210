//! The node's end of a Modbus line: sealed frames in a block of registers, asked for by the gateway.
//!
//! Decided here: which frame waits in the registers, what a request gets as its answer. Not decided here: when a byte is received or sent.
//!
//! Terms: the *window* is the block of registers. The newest frame takes the place of one that nobody has fetched: frames are level,
//! and a hello has to be the last one.
//!
//! Invariants: no panic on any request; a request with a wrong checksum or for another address gets no answer; nothing that is
//! written here is believed unless it is an authentic frame.

use crate::link::Received;
use crate::node::Node;
use crate::records::Storage;
use prepaid_common::NodeId;
use prepaid_common::modbus::{
    BASE, DOWNLINK, FRAME_REGISTERS, LAYOUT, MAGIC, NODE, TAKEN, UPLINK, UPLINK_FRAME, crc,
};
use prepaid_common::wire::{Counter, MAX_FRAME};

/// Longest RTU frame (Modbus over Serial Line V1.02, 2.3).
pub const LONGEST_RTU: usize = 256;

const READ: u8 = 3;
const WRITE_ONE: u8 = 6;
const WRITE_MANY: u8 = 16;
const ILLEGAL_FUNCTION: u8 = 1;
const ILLEGAL_ADDRESS: u8 = 2;
const ILLEGAL_VALUE: u8 = 3;

/// The registers.
pub struct Window {
    node: NodeId,
    frame: [u8; MAX_FRAME],
    length: usize,
    number: u16,
    counter: Option<Counter>,
}

/// What a request was, beside its answer.
enum Asked {
    Nothing,
    Taken(Counter),
    Downlink { from: usize, length: usize },
}

impl Window {
    /// Of a node, with nothing in it.
    #[must_use]
    pub fn new(node: NodeId) -> Self {
        Self {
            node,
            frame: [0; MAX_FRAME],
            length: 0,
            number: 0,
            counter: None,
        }
    }

    /// Puts a frame into the registers.
    fn put(&mut self, frame: &[u8], counter: Counter) {
        let Some(place) = self.frame.get_mut(..frame.len()) else {
            return;
        };
        place.copy_from_slice(frame);
        self.length = frame.len();
        self.number = self.number.checked_add(1).unwrap_or(1);
        self.counter = Some(counter);
    }

    fn register(&self, register: u16) -> Option<u16> {
        let [a, b, c, d] = self.node.0.to_be_bytes();
        match register {
            BASE => Some(MAGIC),
            1 => Some(LAYOUT),
            NODE => Some(u16::from_be_bytes([a, b])),
            3 => Some(u16::from_be_bytes([c, d])),
            UPLINK => Some(self.number),
            5 => u16::try_from(self.length).ok(),
            register => {
                let at = usize::from(register.checked_sub(UPLINK_FRAME)?) * 2;
                let two = self.frame.get(at..at + 2)?;
                let two = [*two.first()?, *two.get(1)?];
                // What is beyond the frame is of an older one.
                Some(if at < self.length {
                    u16::from_be_bytes(two)
                } else {
                    0
                })
            }
        }
    }

    /// The answer to a request, its length, and what the request was.
    fn answer(&mut self, address: u8, request: &[u8], reply: &mut [u8]) -> Option<(usize, Asked)> {
        let (body, end) = request.split_last_chunk::<2>()?;
        let (&to, &code) = (body.first()?, body.get(1)?);
        if to != address || crc(body) != u16::from_le_bytes(*end) || reply.len() < LONGEST_RTU {
            return None;
        }
        let (length, asked) = match self.act(code, body, reply) {
            Ok(done) => done,
            Err(exception) => {
                *reply.get_mut(2)? = exception;
                (3, Asked::Nothing)
            }
        };
        let failed = length == 3;
        *reply.get_mut(0)? = address;
        *reply.get_mut(1)? = if failed { code | 0x80 } else { code };
        let sum = crc(reply.get(..length)?).to_le_bytes();
        reply.get_mut(length..length + 2)?.copy_from_slice(&sum);
        Some((length + 2, asked))
    }

    /// Carries a request out; the answer without address, function and checksum is in `reply` from its third byte on.
    fn act(&mut self, code: u8, body: &[u8], reply: &mut [u8]) -> Result<(usize, Asked), u8> {
        let word = |at: usize| {
            let two = body.get(at..at + 2).ok_or(ILLEGAL_VALUE)?;
            let two = <[u8; 2]>::try_from(two).map_err(|_| ILLEGAL_VALUE)?;
            Ok::<u16, u8>(u16::from_be_bytes(two))
        };
        match code {
            READ => {
                let (start, count) = (word(2)?, word(4)?);
                if !(1..=125).contains(&count) {
                    return Err(ILLEGAL_VALUE);
                }
                for at in 0..count {
                    let register = start.checked_add(at).and_then(|at| self.register(at));
                    let value = register.ok_or(ILLEGAL_ADDRESS)?.to_be_bytes();
                    let place = 3 + usize::from(at) * 2;
                    let place = reply.get_mut(place..place + 2).ok_or(ILLEGAL_VALUE)?;
                    place.copy_from_slice(&value);
                }
                let bytes = usize::from(count) * 2;
                *reply.get_mut(2).ok_or(ILLEGAL_VALUE)? =
                    u8::try_from(bytes).map_err(|_| ILLEGAL_VALUE)?;
                Ok((3 + bytes, Asked::Nothing))
            }
            WRITE_ONE => {
                let (register, value) = (word(2)?, word(4)?);
                if register != TAKEN {
                    return Err(ILLEGAL_ADDRESS);
                }
                echo(body, reply)?;
                let taken = self.counter.filter(|_| value == self.number);
                if taken.is_some() {
                    (self.length, self.counter) = (0, None);
                }
                Ok((6, taken.map_or(Asked::Nothing, Asked::Taken)))
            }
            WRITE_MANY => {
                let (start, count, length) = (word(2)?, word(4)?, usize::from(word(7)?));
                let bytes = body.get(6).copied().map(usize::from);
                if start != DOWNLINK || !(2..=FRAME_REGISTERS + 1).contains(&count) {
                    return Err(ILLEGAL_ADDRESS);
                }
                let whole = body.len() == 7 + usize::from(count) * 2;
                let fits = length <= usize::from(count - 1) * 2 && length <= MAX_FRAME;
                if bytes != Some(usize::from(count) * 2) || !whole || !fits {
                    return Err(ILLEGAL_VALUE);
                }
                echo(body, reply)?;
                Ok((6, Asked::Downlink { from: 9, length }))
            }
            _ => Err(ILLEGAL_FUNCTION),
        }
    }
}

/// Answers to writes say again what was written where.
fn echo(body: &[u8], reply: &mut [u8]) -> Result<(), u8> {
    let place = reply.get_mut(2..6).ok_or(ILLEGAL_VALUE)?;
    place.copy_from_slice(body.get(2..6).ok_or(ILLEGAL_VALUE)?);
    Ok(())
}

impl<S: Storage> Node<S> {
    /// Answers a request on the line; the length of the answer, or nothing if it is not for this node. `reply` has at least
    /// [`LONGEST_RTU`] bytes. The request is whole: the line was silent for 3.5 characters after it.
    pub fn serve(
        &mut self,
        window: &mut Window,
        address: u8,
        request: &mut [u8],
        reply: &mut [u8],
    ) -> Option<usize> {
        let (length, asked) = window.answer(address, request, reply)?;
        match asked {
            Asked::Nothing => {}
            Asked::Taken(counter) => self.acknowledged(counter),
            Asked::Downlink { from, length } => {
                let frame = request.get_mut(from..from + length)?;
                // What was wrong with it, the next report says; on the line a frame that is none is no error.
                let _: Result<Received, _> = self.received(frame);
            }
        }
        self.fill(window);
        Some(length)
    }

    /// Puts the frame that is due into the window. Call it after every `sample`.
    pub fn fill(&mut self, window: &mut Window) {
        let mut frame = [0; MAX_FRAME];
        while let Some((length, counter)) = self.poll_transmit(&mut frame) {
            if let Some(frame) = frame.get(..length) {
                window.put(frame, counter);
            }
        }
    }
}
