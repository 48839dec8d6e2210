//! Orders of the head-end: taken once, whatever is repeated, reordered or replayed.
//!
//! Decided here: what an order is, which commands it may hold, and the memory of those taken. Not decided here: whether it is genuine (the
//! crate `cloud` checks the signature before anything reaches the core) and what its command does ([`crate::decide`]).
//!
//! Terms: *sequence*: the head-end counts its orders from 1; *ring*: the orders taken, each at the place *sequence modulo
//! [`PLACES`]*; *floor*: every sequence up to it counts as taken.
//!
//! Invariants: an order is taken in the transaction of its effect; a sequence is never taken twice; the ring never grows.

use crate::case::CaseCommand;
use crate::configured::Changes;
use crate::decision::Record;
use crate::event::Answer;
use crate::{Command, Refusal, UsagePointId, UtcSeconds};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

mod sets;

pub(crate) use sets::is_same;

/// Orders remembered one by one. A head-end with 300 premises sends some hundreds a day; a day's worth may come in any order. In
/// memory and on the disk half a kilobyte each.
pub const PLACES: u64 = 1_024;

/// Bytes shown and stored as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hex<const N: usize>(pub [u8; N]);

/// A hash or a public key.
pub type Hex32 = Hex<32>;

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not so many bytes in hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotHex;

impl fmt::Display for NotHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the right number of hexadecimal digits")
    }
}

impl<const N: usize> core::str::FromStr for Hex<N> {
    type Err = NotHex;
    fn from_str(text: &str) -> Result<Self, NotHex> {
        let digits = text.as_bytes();
        let mut bytes = [0; N];
        if digits.len() != 2 * N {
            return Err(NotHex);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16).ok_or(NotHex)?;
                *byte = (*byte << 4) | u8::try_from(value).map_err(|_| NotHex)?;
            }
        }
        Ok(Self(bytes))
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// A genuine order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The head-end's name for it, up to 64 bytes.
    pub id: String,
    /// From 1.
    pub sequence: u64,
    /// Not taken before.
    pub not_before: UtcSeconds,
    /// Not obeyed after.
    pub not_after: UtcSeconds,
    /// What to do.
    pub act: Act,
    /// Signed with the key before the present one: only a receipt may be given again.
    #[serde(default)]
    pub with_former_key: bool,
}

/// What an order asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// A command that an order may hold.
    Command(Box<Command>),
    /// Send a stream again.
    Resend {
        /// Which.
        stream: Stream,
        /// After this cursor.
        after: u64,
    },
    /// Change settings of the site.
    Configure {
        /// Which.
        changes: Changes,
        /// Who.
        by: String,
        /// Whether the configuration's own rules allow it; the daemon has asked them.
        #[serde(default)]
        is_fit: bool,
    },
    /// Obey another key from now on.
    RollKey {
        /// It.
        key: Hex32,
    },
    /// Go on as another branch, from the last record both sides have.
    Reconcile {
        /// The branch to begin, one more than the present one at least.
        branch: u32,
        /// The last record both sides have.
        after: u64,
        /// Who decided that and why.
        note: String,
    },
    /// Make a record of an abandoned branch again.
    Restore {
        /// It.
        record: Box<Record>,
    },
}

/// A stream with a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Decisions.
    Journal,
    /// Load profiles.
    Profile,
}

impl Act {
    /// The names of all of them.
    pub const NAMES: [&str; 21] = [
        "vend",
        "enter-token",
        "order-supply",
        "adopt-tariff",
        "set-sanctioned-load",
        "add-usage-point",
        "change-usage-point",
        "set-point",
        "acknowledge-alarm",
        "resolve-dispute",
        "case",
        "correct",
        "agent",
        "prepay",
        "guard",
        "work-on-meter",
        "set-config",
        "resend",
        "roll-key",
        "reconcile",
        "restore",
    ];

    /// Its name on the wire; `None` for a command that no order may hold.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Resend { .. } => "resend",
            Self::Configure { .. } => "set-config",
            Self::RollKey { .. } => "roll-key",
            Self::Reconcile { .. } => "reconcile",
            Self::Restore { .. } => "restore",
            Self::Command(command) => match command.as_ref() {
                Command::Vend { .. } => "vend",
                Command::EnterToken { .. } => "enter-token",
                Command::Correct(_) => "correct",
                Command::Agent(_) => "agent",
                Command::OrderSupply { .. } => "order-supply",
                Command::AdoptTariff { .. } => "adopt-tariff",
                Command::SetSanctionedLoad { .. } => "set-sanctioned-load",
                Command::AddUsagePoint { .. } => "add-usage-point",
                Command::ChangeUsagePoint(_) => "change-usage-point",
                Command::SetPoint { .. } => "set-point",
                Command::AcknowledgeAlarm { .. } => "acknowledge-alarm",
                Command::ResolveDispute { .. } => "resolve-dispute",
                Command::Prepay(_) => "prepay",
                Command::Guard(_) => "guard",
                Command::WorkOnMeter { .. } => "work-on-meter",
                Command::Case(asked) if !matches!(asked, CaseCommand::Report { .. }) => "case",
                _ => return None,
            },
        })
    }

    /// Whether it only ever adds to a resident's credit: obeyed also while the clock is not trusted.
    #[must_use]
    pub fn gives(&self) -> bool {
        matches!(self.name(), Some("vend" | "enter-token" | "restore"))
    }

    /// The usage point whose supply it orders: a later order for the same one makes it void.
    #[must_use]
    pub fn supply_of(&self) -> Option<UsagePointId> {
        match self {
            Self::Command(command) => match command.as_ref() {
                Command::OrderSupply { usage_point, .. } => Some(*usage_point),
                _ => None,
            },
            _ => None,
        }
    }
}

/// What became of an order that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Obeyed.
    Done {
        /// What it achieved.
        answer: Box<Answer>,
    },
    /// Not obeyed, for good; nothing but the order's number is used.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

/// An order that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The head-end's name for it.
    pub order: String,
    /// Its sequence.
    pub sequence: u64,
    /// The enrolment it belongs to; each counts its own orders.
    pub enrolment: u64,
    /// Number of the record that says so.
    pub number: u64,
    /// The usage point whose supply it ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supply_of: Option<UsagePointId>,
    /// What it has set ([`Act::sets`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sets: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The orders remembered, each at its place.
pub type Ring = BTreeMap<u64, Taken>;

/// The place of a sequence.
#[must_use]
pub fn place(sequence: u64) -> u64 {
    sequence % PLACES
}

/// What is known of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'a> {
    /// It is new.
    New,
    /// It was taken.
    Taken(&'a Taken),
    /// It is too old to be known one by one, and counts as taken.
    Old,
}

/// Looks a sequence of an enrolment up. Everything up to `floor` is old unless the ring has it.
#[must_use]
pub fn look_up(ring: &Ring, enrolment: u64, floor: u64, sequence: u64) -> Known<'_> {
    let of_it = |taken: &&Taken| taken.enrolment == enrolment;
    if let Some(taken) = ring.get(&place(sequence)).filter(of_it) {
        if taken.sequence == sequence {
            return Known::Taken(taken);
        }
        if taken.sequence > sequence {
            return Known::Old;
        }
    }
    let highest = ring.values().filter(of_it).map(|taken| taken.sequence);
    let highest = highest.max();
    let window = highest.unwrap_or(0).saturating_sub(PLACES - 1);
    if sequence == 0 || sequence <= floor || sequence < window {
        return Known::Old;
    }
    Known::New
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    fn taken(sequence: u64) -> (u64, Taken) {
        let answer = Box::new(Answer::Done);
        let taken = Taken {
            order: sequence.to_string(),
            sequence,
            enrolment: 5,
            number: sequence,
            supply_of: None,
            sets: None,
            outcome: Outcome::Done { answer },
        };
        (place(sequence), taken)
    }

    fn is(ring: &Ring, floor: u64, sequence: u64) -> char {
        match look_up(ring, 5, floor, sequence) {
            Known::New => 'n',
            Known::Taken(_) => 't',
            Known::Old => 'o',
        }
    }

    #[test]
    fn a_sequence_is_new_once_whatever_the_order() {
        let ring: Ring = [taken(3), taken(1), taken(1_026)].into();
        for (floor, sequence, expected) in [
            (0, 0, 'o'),
            (0, 1, 't'),
            (0, 2, 'o'),
            (0, 3, 't'),
            (0, 4, 'n'),
            (0, 1_026, 't'),
            (0, 1_027, 'n'),
            (0, 9_999, 'n'),
            (5, 4, 'o'),
            (5, 6, 'n'),
        ] {
            assert_eq!(is(&ring, floor, sequence), expected, "{floor} {sequence}");
        }
        assert_eq!(look_up(&ring, 6, 0, 3), Known::New, "another enrolment");
    }

    #[test]
    fn bytes_are_written_as_digits_and_read_again() {
        let hex: Hex<3> = "00fA7c".parse().unwrap();
        assert_eq!(
            (hex, hex.to_string().as_str()),
            (Hex([0, 250, 124]), "00fa7c")
        );
        for wrong in ["00fa7", "00fa7g", "00fa7c00", "", "é0fa7"] {
            assert_eq!(wrong.parse::<Hex<3>>(), Err(NotHex), "{wrong}");
        }
    }
}
