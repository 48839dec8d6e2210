//! What a token says: the meaning of a block's content, both ways.
//!
//! Decided here: fields and sub-classes. Not decided here: whether a meter obeys ([`super::Acceptance`]). Every block is
//! some message and every message some block, so nothing is lost on the way.

use super::block::CLEAR_CLASS;
use super::{Block, DecoderKey, KeyPart, NotOpened, Tid, TokenNumber};

/// What a credit is for (class 0, in the order of the sub-classes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Commodity {
    /// 0: electricity, in 100 Wh.
    Electricity,
    /// 1: water, in 0.1 m³.
    Water,
    /// 2: gas, in 0.1 m³.
    Gas,
    /// 3: time, in 0.1 minute.
    Time,
    /// 4: money for electricity. The coding of 4 to 7 is not published; their fields are read as those of 0 to 3.
    ElectricityMoney,
    /// 5: money for water.
    WaterMoney,
    /// 6: money for gas.
    GasMoney,
    /// 7: money for time.
    TimeMoney,
}

const COMMODITIES: [Commodity; 8] = [
    Commodity::Electricity,
    Commodity::Water,
    Commodity::Gas,
    Commodity::Time,
    Commodity::ElectricityMoney,
    Commodity::WaterMoney,
    Commodity::GasMoney,
    Commodity::TimeMoney,
];

/// What a management token sets (class 2, other than keys).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Register {
    /// 0: maximum power, coded watts.
    PowerLimit,
    /// 1: clear credit; the value names the register, 0xffff all of them.
    ClearCredit,
    /// 2: tariff rate.
    TariffRate,
    /// 5: clear the tamper condition.
    ClearTamper,
    /// 6: maximum difference of power between phases, coded watts.
    UnbalanceLimit,
}

impl Register {
    fn from_subclass(subclass: u8) -> Option<Self> {
        match subclass {
            0 => Some(Self::PowerLimit),
            1 => Some(Self::ClearCredit),
            2 => Some(Self::TariffRate),
            5 => Some(Self::ClearTamper),
            6 => Some(Self::UnbalanceLimit),
            _ => None,
        }
    }

    fn subclass(self) -> u8 {
        match self {
            Self::PowerLimit => 0,
            Self::ClearCredit => 1,
            Self::TariffRate => 2,
            Self::ClearTamper => 5,
            Self::UnbalanceLimit => 6,
        }
    }
}

/// Fields that credits and registers share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issue {
    /// Random number of the vending system, 0 to 15.
    pub random: u8,
    /// When it was issued.
    pub tid: Tid,
    /// Amount or value, coded as the message says ([`super::amount_of`]).
    pub value: u16,
}

/// A token's meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Class 0.
    Credit {
        /// For what.
        commodity: Commodity,
        /// How much, coded, and when.
        issue: Issue,
    },
    /// Class 1: displays and tests, for any meter.
    MeterTest {
        /// 0: manufacturers of two digits; 1: of four.
        subclass: u8,
        /// Which tests, a bit each: 36 bits in sub-class 0, 28 in 1.
        control: u64,
        /// Manufacturer code, 0 for all: 8 bits in sub-class 0, 16 in 1.
        manufacturer: u16,
    },
    /// Class 2: a setting.
    Set {
        /// Of what.
        register: Register,
        /// To what, and when.
        issue: Issue,
    },
    /// Class 2: a part of a new key.
    Key(KeyPart),
    /// A class or sub-class without published meaning.
    Unknown {
        /// The class, 0 to 3.
        class: u8,
        /// The 48 bits from the sub-class on.
        content: u64,
    },
}

impl Message {
    /// Opens a token and reads it; class 1 needs no key.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn open(number: TokenNumber, key: Option<&DecoderKey>) -> Result<Self, NotOpened> {
        Block::open(number, key).map(|block| Self::read(&block))
    }

    /// Writes a token; `None` if the class is enciphered and there is no key. Numbers too large for their field lose
    /// their upper bits.
    #[must_use]
    pub fn seal(&self, key: Option<&DecoderKey>) -> Option<TokenNumber> {
        self.write().seal(key)
    }

    /// Reads an opened block.
    #[must_use]
    pub fn read(block: &Block) -> Self {
        let unknown = Self::Unknown {
            class: block.class(),
            content: block.content(),
        };
        let subclass = block.subclass();
        match (block.class(), subclass) {
            (0, 0..=7) => Self::Credit {
                commodity: COMMODITIES[usize::from(subclass)],
                issue: read_issue(block),
            },
            (CLEAR_CLASS, 0) => Self::MeterTest {
                subclass,
                control: block.content() >> 8 & 0xf_ffff_ffff,
                manufacturer: u16::try_from(block.bits(0, 8)).unwrap_or(0),
            },
            (CLEAR_CLASS, 1) => Self::MeterTest {
                subclass,
                control: block.bits(16, 28).into(),
                manufacturer: u16::try_from(block.bits(0, 16)).unwrap_or(0),
            },
            (2, 3 | 4 | 8 | 9) => KeyPart::read(block).map_or(unknown, Self::Key),
            (2, subclass) => Register::from_subclass(subclass).map_or(unknown, |register| {
                let issue = read_issue(block);
                Self::Set { register, issue }
            }),
            _ => unknown,
        }
    }

    /// The block that says this.
    #[must_use]
    pub fn write(&self) -> Block {
        match self {
            Self::Credit { commodity, issue } => {
                let subclass = COMMODITIES.iter().position(|each| each == commodity);
                write_issue(0, u8::try_from(subclass.unwrap_or(0)).unwrap_or(0), issue)
            }
            Self::MeterTest {
                subclass,
                control,
                manufacturer,
            } => {
                let (bits, shift) = if *subclass == 0 { (36, 8) } else { (28, 16) };
                let control = control & ((1 << bits) - 1);
                let manufacturer = u64::from(*manufacturer) & ((1 << shift) - 1);
                let content = control << shift | manufacturer;
                Block::new(CLEAR_CLASS, u64::from(*subclass) << 44 | content)
            }
            Self::Set { register, issue } => write_issue(2, register.subclass(), issue),
            Self::Key(part) => part.write(),
            Self::Unknown { class, content } => Block::new(*class, *content),
        }
    }
}

fn read_issue(block: &Block) -> Issue {
    Issue {
        random: u8::try_from(block.bits(40, 4)).unwrap_or(0),
        tid: Tid::new(block.bits(16, 24)).unwrap_or(Tid::LAST),
        value: u16::try_from(block.bits(0, 16)).unwrap_or(0),
    }
}

fn write_issue(class: u8, subclass: u8, issue: &Issue) -> Block {
    let content = u64::from(subclass) << 44
        | u64::from(issue.random & 0xf) << 40
        | u64::from(issue.tid.minutes()) << 16
        | u64::from(issue.value);
    Block::new(class, content)
}
