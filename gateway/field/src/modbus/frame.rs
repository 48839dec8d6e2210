//! RTU frames (Modbus over Serial Line V1.02): address, function, data, checksum.
//!
//! The length of an answer is known from the request, so an answer is searched for in whatever bytes have come: echoes, noise and late
//! answers of other meters lie around it and are stepped over.

use crate::models::Function;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Functions 1 to 4.
    Read {
        /// Which.
        function: Function,
        /// First register or bit.
        start: u16,
        /// How many: at most 125 registers or 2,000 bits.
        count: u16,
    },
    /// Function 5.
    WriteCoil {
        /// Which.
        address: u16,
        /// Closed or open.
        on: bool,
    },
    /// Function 6.
    WriteRegister {
        /// Which.
        address: u16,
        /// What.
        value: u16,
    },
    /// Function 16.
    WriteRegisters {
        /// The first.
        address: u16,
        /// At most 123.
        values: Vec<u16>,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// As many registers as were asked for.
    Words(Vec<u16>),
    /// As many bits as were asked for.
    Bits(Vec<bool>),
    /// Written.
    Written,
}

impl Ask {
    /// Function code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Read { function, .. } => function.code(),
            Self::WriteCoil { .. } => 5,
            Self::WriteRegister { .. } => 6,
            Self::WriteRegisters { .. } => 16,
        }
    }

    /// Bytes of the whole request.
    #[must_use]
    pub fn request_bytes(&self) -> usize {
        match self {
            Self::WriteRegisters { values, .. } => 9 + 2 * values.len(),
            _ => 8,
        }
    }

    /// Bytes of the whole answer.
    #[must_use]
    pub fn reply_bytes(&self) -> usize {
        match self {
            Self::Read {
                function, count, ..
            } => 5 + data_bytes(*function, *count),
            _ => 8,
        }
    }
}

fn data_bytes(function: Function, count: u16) -> usize {
    match function {
        Function::Coils | Function::Discrete => usize::from(count).div_ceil(8),
        Function::Holding | Function::Input => 2 * usize::from(count),
    }
}

/// A register from its two bytes.
#[must_use]
pub fn word(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high, low])
}

/// Checksum, low byte first on the wire.
#[must_use]
pub fn crc(bytes: &[u8]) -> u16 {
    prepaid_common::modbus::crc(bytes)
}

/// Whether a frame ends with its checksum.
#[must_use]
pub fn crc_is_right(frame: &[u8]) -> bool {
    match frame.split_last_chunk::<2>() {
        Some((body, end)) if body.len() >= 2 => crc(body) == u16::from_le_bytes(*end),
        _ => false,
    }
}

/// The whole frame of a request.
#[must_use]
pub fn request(address: u8, ask: &Ask) -> Vec<u8> {
    let mut frame = vec![address, ask.code()];
    match ask {
        Ask::Read { start, count, .. } => {
            frame.extend(start.to_be_bytes());
            frame.extend(count.to_be_bytes());
        }
        Ask::WriteCoil { address, on } => {
            frame.extend(address.to_be_bytes());
            frame.extend(if *on { [0xFF, 0] } else { [0, 0] });
        }
        Ask::WriteRegister { address, value } => {
            frame.extend(address.to_be_bytes());
            frame.extend(value.to_be_bytes());
        }
        Ask::WriteRegisters { address, values } => {
            frame.extend(address.to_be_bytes());
            let count = u16::try_from(values.len()).unwrap_or(u16::MAX);
            frame.extend(count.to_be_bytes());
            frame.push(u8::try_from(2 * values.len()).unwrap_or(u8::MAX));
            frame.extend(values.iter().flat_map(|value| value.to_be_bytes()));
        }
    }
    let end = crc(&frame).to_le_bytes();
    frame.extend(end);
    frame
}

/// The answer to a request among received bytes, and how many came before it: `Err` is the meter's exception code.
#[must_use]
pub fn find(address: u8, ask: &Ask, bytes: &[u8]) -> Option<(usize, Result<Reply, u8>)> {
    (0..bytes.len()).find_map(|at| Some((at, answer_at(address, ask, bytes.get(at..)?)?)))
}

fn answer_at(address: u8, ask: &Ask, bytes: &[u8]) -> Option<Result<Reply, u8>> {
    if bytes.first() != Some(&address) {
        return None;
    }
    let code = *bytes.get(1)?;
    if code == ask.code() | 0x80 {
        let frame = bytes.get(..5)?;
        return crc_is_right(frame).then(|| Err(frame.get(2).copied().unwrap_or_default()));
    }
    let frame = bytes.get(..ask.reply_bytes())?;
    if code != ask.code() || !crc_is_right(frame) {
        return None;
    }
    let data = frame.get(2..frame.len() - 2)?;
    match ask {
        Ask::Read {
            function, count, ..
        } => {
            let (length, data) = data.split_first()?;
            if usize::from(*length) != data_bytes(*function, *count) {
                return None;
            }
            Some(Ok(read_reply(*function, *count, data)))
        }
        // The answer names what was written; for 5 and 6 it is the request again.
        Ask::WriteRegisters { .. } => {
            (request(address, ask).get(2..6) == data.get(..4)).then_some(Ok(Reply::Written))
        }
        _ => (request(address, ask) == frame).then_some(Ok(Reply::Written)),
    }
}

fn read_reply(function: Function, count: u16, data: &[u8]) -> Reply {
    match function {
        Function::Coils | Function::Discrete => {
            let bit = |at: u16| {
                data.get(usize::from(at / 8))
                    .is_some_and(|byte| byte >> (at % 8) & 1 == 1)
            };
            Reply::Bits((0..count).map(bit).collect())
        }
        Function::Holding | Function::Input => {
            let pairs = data.as_chunks::<2>().0.iter();
            Reply::Words(pairs.map(|[high, low]| word(*high, *low)).collect())
        }
    }
}

/// Whether the bytes hold a whole answer to something that was not asked: addresses 1 to 247, functions 1 to 6 and 16.
#[must_use]
pub fn holds_a_stranger(bytes: &[u8]) -> bool {
    let stranger = |at: usize| {
        let bytes = bytes.get(at..)?;
        let (from, code) = (*bytes.first()?, *bytes.get(1)?);
        let length = match code {
            1..=4 => 5 + usize::from(*bytes.get(2)?),
            5 | 6 | 16 => 8,
            0x81..=0x90 => 5,
            _ => return None,
        };
        let known = (1..=247).contains(&from);
        (known && crc_is_right(bytes.get(..length)?)).then_some(())
    };
    (0..bytes.len()).any(|at| stranger(at).is_some())
}

/// Whether the bytes hold somebody else's request to read: another master is on the line, and an answer may be to him.
#[must_use]
pub fn holds_a_request(address: u8, ask: &Ask, bytes: &[u8]) -> bool {
    let own = request(address, ask);
    bytes.windows(8).any(|frame| {
        let shape = (1..=247).contains(&frame[0]) && (1..=4).contains(&frame[1]);
        shape && crc_is_right(frame) && frame != own
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOLTS: Ask = Ask::Read {
        function: Function::Input,
        start: 0,
        count: 2,
    };
    /// From Eastron's protocol document: 230.2 V.
    const REQUEST: [u8; 8] = [0x01, 0x04, 0, 0, 0, 2, 0x71, 0xCB];
    const ANSWER: [u8; 9] = [0x01, 0x04, 0x04, 0x43, 0x66, 0x33, 0x34, 0x1B, 0x38];

    /// Received bytes, and what is found in them.
    type Case = (Vec<u8>, Option<Result<Reply, u8>>);

    fn framed(body: &[u8]) -> Vec<u8> {
        [body, &crc(body).to_le_bytes()].concat()
    }

    #[test]
    fn requests_are_the_makers() {
        assert_eq!(request(1, &VOLTS), REQUEST);
        let coil = Ask::WriteCoil {
            address: 0xAC,
            on: true,
        };
        assert_eq!(
            request(17, &coil),
            [0x11, 0x05, 0x00, 0xAC, 0xFF, 0x00, 0x4E, 0x8B]
        );
        let two = Ask::WriteRegisters {
            address: 1,
            values: vec![10, 0x102],
        };
        assert_eq!(
            request(17, &two),
            [0x11, 0x10, 0, 1, 0, 2, 4, 0, 0x0A, 1, 2, 0xC6, 0xF0]
        );
    }

    #[test]
    fn an_answer_is_found_among_other_bytes_and_nothing_else_is_one() {
        let late = framed(&[2, 4, 4, 1, 2, 3, 4]);
        let longer = framed(&[1, 4, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
        let mut flipped = ANSWER;
        flipped[4] ^= 1;
        let words = Some(Ok(Reply::Words(vec![0x4366, 0x3334])));
        let cases: [Case; 9] = [
            (ANSWER.to_vec(), words.clone()),
            ([&[0xFF, 0x00][..], &ANSWER].concat(), words.clone()),
            ([&REQUEST[..], &ANSWER].concat(), words.clone()),
            ([&late[..], &ANSWER].concat(), words),
            (ANSWER[..8].to_vec(), None),
            (flipped.to_vec(), None),
            (late, None),
            (longer, None),
            (framed(&[1, 0x84, 6]), Some(Err(6))),
        ];
        for (bytes, expected) in cases {
            let found = find(1, &VOLTS, &bytes).map(|(_, result)| result);
            assert_eq!(found, expected, "{bytes:02X?}");
        }
        assert!(holds_a_stranger(&ANSWER) && !holds_a_stranger(&flipped));
        let other = request(7, &VOLTS);
        assert!(holds_a_request(1, &VOLTS, &other) && !holds_a_request(1, &VOLTS, &REQUEST));
    }

    #[test]
    fn bits_and_writes_are_answered() {
        let coils = Ask::Read {
            function: Function::Coils,
            start: 0,
            count: 10,
        };
        let framed = framed(&[3, 1, 2, 0b101, 0b10]);
        let bits = find(3, &coils, &framed).map(|(_, result)| result);
        let mut expected = vec![true, false, true];
        expected.resize(9, false);
        expected.push(true);
        assert_eq!(bits, Some(Ok(Reply::Bits(expected))));
        let write = Ask::WriteCoil {
            address: 4,
            on: true,
        };
        let echo = request(3, &write);
        assert_eq!(find(3, &write, &echo), Some((0, Ok(Reply::Written))));
        let other = request(
            3,
            &Ask::WriteCoil {
                address: 4,
                on: false,
            },
        );
        assert_eq!(find(3, &write, &other), None);
    }
}
