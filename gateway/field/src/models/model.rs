//! The shape of a meter model.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A meter model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Name in configuration and on the command line.
    pub id: String,
    /// Raised with every change of what a value means.
    pub version: u32,
    /// Who makes it.
    pub maker: String,
    /// What they call it.
    pub name: String,
    /// What kind of device.
    pub kind: ModelKind,
    /// 1 or 3.
    pub phases: u8,
    /// Why nobody should rely on it before `probe`; `None`: the maker's document or a meter has confirmed it.
    pub unverified: Option<String>,
    /// Most registers in one request.
    pub max_regs_per_read: u16,
    /// Silence the meter needs between two requests to it, in milliseconds.
    pub min_gap_ms: u16,
    /// Where the map comes from.
    pub sources: Vec<String>,
    /// What an installer should know.
    pub caveats: Vec<String>,
    /// How it leaves the factory.
    pub link: LinkDefaults,
    /// A register by which it can be told from others.
    pub detect: Option<Detect>,
    /// Its serial number.
    pub serial: Option<Cell>,
    /// What it measures.
    pub points: Vec<Point>,
    /// How its import register behaves.
    pub counter: Counter,
    /// Its switch.
    pub relay: Option<RelayMap>,
    /// Ways to change its registers over the bus.
    pub tamper: Vec<Warning>,
    /// Registers that can be reset and must not be billed from.
    pub resettable: Vec<Warning>,
    /// Frames with known values.
    pub golden: Vec<Golden>,
}

impl Model {
    /// Maker, name, and whether it is unverified.
    #[must_use]
    pub fn title(&self) -> String {
        let unverified = if self.unverified.is_some() {
            " (unverified)"
        } else {
            ""
        };
        format!("{} {}{unverified}", self.maker, self.name)
    }

    /// The point of a quantity.
    #[must_use]
    pub fn point(&self, quantity: Quantity) -> Option<&Point> {
        self.points.iter().find(|point| point.quantity == quantity)
    }

    /// Whether it has a voltage register.
    #[must_use]
    pub fn has_voltage(&self) -> bool {
        self.point(Quantity::Voltage)
            .or(self.point(Quantity::VoltageL1))
            .is_some()
    }
}

/// What kind of device a model describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// It measures energy.
    Meter,
    /// It switches and measures nothing.
    Relays,
    /// Our own node: its registers carry sealed frames.
    Node,
}

/// How a meter leaves the factory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LinkDefaults {
    /// Bits per second.
    pub baud: u32,
    /// Parity.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
    /// Its address.
    pub address: u8,
}

/// Parity of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Parity {
    /// None.
    N,
    /// Even.
    E,
    /// Odd.
    O,
}

/// A register by which a model is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detect {
    /// Function.
    pub function: Function,
    /// Address.
    pub address: u16,
    /// Registers.
    pub registers: u16,
    /// Text it holds: `#` is a digit, `*` is any rest.
    pub pattern: String,
}

impl Detect {
    /// Whether a text fits the pattern.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        let mut rest = text
            .trim_matches(|c: char| c == '\0' || c.is_whitespace())
            .chars();
        for wanted in self.pattern.chars() {
            match (wanted, rest.next()) {
                ('*', _) => return true,
                ('#', Some(digit)) if digit.is_ascii_digit() => {}
                (wanted, Some(found)) if wanted == found => {}
                _ => return false,
            }
        }
        rest.next().is_none()
    }
}

/// Modbus functions that read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Function {
    /// 1: coils.
    Coils,
    /// 2: discrete inputs.
    Discrete,
    /// 3: holding registers.
    Holding,
    /// 4: input registers.
    Input,
}

impl Function {
    /// Its code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Coils => 1,
            Self::Discrete => 2,
            Self::Holding => 3,
            Self::Input => 4,
        }
    }

    /// From its code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Coils, Self::Discrete, Self::Holding, Self::Input]
            .into_iter()
            .find(|function| function.code() == code)
    }
}

/// How a value is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum WordType {
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
}

impl WordType {
    /// Registers it takes.
    #[must_use]
    pub fn registers(self) -> u16 {
        match self {
            Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::I64 => 4,
        }
    }
}

/// Order of a value's registers. The bytes within one are always the high one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum WordOrder {
    /// The most significant register first.
    #[serde(rename = "ABCD")]
    HighFirst,
    /// The least significant register first.
    #[serde(rename = "CDAB")]
    LowFirst,
}

impl fmt::Display for WordOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HighFirst => "ABCD",
            Self::LowFirst => "CDAB",
        })
    }
}

impl std::str::FromStr for WordOrder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_uppercase().as_str() {
            "ABCD" => Ok(Self::HighFirst),
            "CDAB" => Ok(Self::LowFirst),
            _ => Err("use ABCD (high word first) or CDAB (low word first)".into()),
        }
    }
}

/// A place in a meter's register space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Function that reads it.
    pub function: Function,
    /// Zero-based address.
    pub address: u16,
    /// Coding.
    pub word_type: WordType,
    /// Word order, unless the meter's own setting says otherwise.
    pub order: WordOrder,
}

/// A measured quantity in a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// What it is.
    pub quantity: Quantity,
    /// Where it is.
    pub cell: Cell,
    /// Base units per raw step.
    pub scale: f64,
    /// Raw bit patterns that mean "no value".
    pub invalid: Vec<u64>,
    /// Smallest and largest believable value, in base units.
    pub range: Option<[f64; 2]>,
    /// The number in the maker's document.
    pub printed: Option<u32>,
}

/// How the import register behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Where it begins again at zero, in watt-hours.
    pub wrap_at_wh: Option<u64>,
    /// A register that counts how often it did.
    pub wrap_count: Option<Cell>,
    /// Its step, in watt-hours.
    pub resolution_wh: u64,
}

/// How relays are switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RelayMap {
    /// Coil or register.
    pub form: RelayForm,
    /// Address of the first.
    pub addr: u16,
    /// How many.
    #[serde(default = "one")]
    pub channels: u16,
    /// What closes it, where it is a register.
    #[serde(default = "one")]
    pub on: u16,
    /// What opens it.
    #[serde(default)]
    pub off: u16,
}

fn one() -> u16 {
    1
}

/// How a relay is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelayForm {
    /// Functions 1 and 5.
    Coil,
    /// Functions 3 and 6.
    Register,
}

/// Something to beware of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// Function.
    pub fc: u8,
    /// Zero-based address.
    pub addr: u16,
    /// What it does.
    pub what: String,
}

/// A request and its answer, with the values in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    /// Who has seen it.
    pub origin: String,
    /// Whole RTU frame.
    pub request: Vec<u8>,
    /// Whole RTU frame.
    pub response: Vec<u8>,
    /// Value of each quantity, in base units: a unit that is wrong by a thousand shows.
    pub values: Vec<(Quantity, f64)>,
}

/// What is measured. Base units: V, A, W, VA, var, Hz, Wh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Quantity {
    Voltage,
    VoltageL1,
    VoltageL2,
    VoltageL3,
    Current,
    CurrentL1,
    CurrentL2,
    CurrentL3,
    CurrentN,
    Power,
    PowerL1,
    PowerL2,
    PowerL3,
    ApparentPower,
    ReactivePower,
    PowerFactor,
    Frequency,
    Import,
    ImportL1,
    ImportL2,
    ImportL3,
    Export,
    ExportL1,
    ExportL2,
    ExportL3,
    Total,
}

impl Quantity {
    /// Its base unit.
    #[must_use]
    pub fn base_unit(self) -> &'static str {
        match self {
            Self::Voltage | Self::VoltageL1 | Self::VoltageL2 | Self::VoltageL3 => "V",
            Self::Current
            | Self::CurrentL1
            | Self::CurrentL2
            | Self::CurrentL3
            | Self::CurrentN => "A",
            Self::Power | Self::PowerL1 | Self::PowerL2 | Self::PowerL3 => "W",
            Self::ApparentPower => "VA",
            Self::ReactivePower => "var",
            Self::PowerFactor => "",
            Self::Frequency => "Hz",
            Self::Import | Self::ImportL1 | Self::ImportL2 | Self::ImportL3 => "Wh",
            Self::Export | Self::ExportL1 | Self::ExportL2 | Self::ExportL3 | Self::Total => "Wh",
        }
    }

    /// Whether it is energy, which is kept in whole steps of the meter's resolution.
    #[must_use]
    pub fn is_energy(self) -> bool {
        self.base_unit() == "Wh"
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The file's word for it: VoltageL1 is voltage_l1.
        for (at, letter) in format!("{self:?}").char_indices() {
            if at > 0 && letter.is_ascii_uppercase() {
                f.write_str("_")?;
            }
            write!(f, "{}", letter.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

/// A unit as the maker prints it.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Unit {
    V,
    A,
    W,
    #[serde(rename = "kW")]
    KiloWatt,
    #[serde(rename = "VA")]
    VoltAmpere,
    #[serde(rename = "kVA")]
    KiloVoltAmpere,
    #[serde(rename = "var")]
    Var,
    #[serde(rename = "kvar")]
    KiloVar,
    Wh,
    #[serde(rename = "kWh")]
    KiloWattHour,
    Hz,
    #[serde(rename = "1")]
    One,
}

impl Unit {
    /// Its base unit, and how many of those it is.
    #[must_use]
    pub fn base(self) -> (&'static str, f64) {
        match self {
            Self::V => ("V", 1.0),
            Self::A => ("A", 1.0),
            Self::W => ("W", 1.0),
            Self::KiloWatt => ("W", 1000.0),
            Self::VoltAmpere => ("VA", 1.0),
            Self::KiloVoltAmpere => ("VA", 1000.0),
            Self::Var => ("var", 1.0),
            Self::KiloVar => ("var", 1000.0),
            Self::Wh => ("Wh", 1.0),
            Self::KiloWattHour => ("Wh", 1000.0),
            Self::Hz => ("Hz", 1.0),
            Self::One => ("", 1.0),
        }
    }
}
