//! Speed and parity of a serial line.

use super::Pace;
use crate::models::Parity;

/// How fast a serial line is, and how a character looks on it; eight bits of data always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// Bits per second.
    pub baud: u32,
    /// Parity.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
}

/// Speeds and parities by how often meters leave the factory with them; one stop bit each.
pub const USUAL_SPEEDS: [(u32, Parity); 10] = [
    (9_600, Parity::N),
    (9_600, Parity::E),
    (19_200, Parity::E),
    (2_400, Parity::N),
    (19_200, Parity::N),
    (38_400, Parity::N),
    (4_800, Parity::N),
    (115_200, Parity::N),
    (9_600, Parity::O),
    (1_200, Parity::N),
];

impl Speed {
    /// How fast bytes travel: a start bit, eight of data, parity, stop bits.
    #[must_use]
    pub fn pace(self) -> Pace {
        let parity = u32::from(self.parity != Parity::N);
        Pace::serial(self.baud, 9 + parity + u32::from(self.stop_bits))
    }

    /// The usual ones that fit what is known already; if none does, what is known and the most usual of the rest.
    #[must_use]
    pub fn candidates(
        baud: Option<u32>,
        parity: Option<Parity>,
        stop_bits: Option<u8>,
    ) -> Vec<Self> {
        let fits = |(usual, of): &(u32, Parity)| {
            baud.is_none_or(|wanted| wanted == *usual) && parity.is_none_or(|wanted| wanted == *of)
        };
        let mut speeds: Vec<_> = USUAL_SPEEDS.into_iter().filter(fits).collect();
        if speeds.is_empty() {
            speeds.push((baud.unwrap_or(9_600), parity.unwrap_or(Parity::N)));
        }
        let stop_bits = stop_bits.unwrap_or(1);
        let speed = |(baud, parity)| Self {
            baud,
            parity,
            stop_bits,
        };
        speeds.into_iter().map(speed).collect()
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} 8{:?}{}", self.baud, self.parity, self.stop_bits)
    }
}
