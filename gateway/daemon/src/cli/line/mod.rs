//! `scan`, `read`, `probe`: a line and the meters on it, opened for it or shared with the gateway that polls it.
//!
//! Decided here: the words of the command line, who opens the line, and how results are shown. Not decided here: what is done
//! ([`crate::line_work`]), who is found and what is wrong (`gateway_field::modbus`).

mod probe;
mod read;
mod scan;
mod worker;

pub use probe::{ProbeArgs, probe};
pub use read::{ReadArgs, read};
pub use scan::{ScanArgs, scan};

use super::args::Target;
use clap::{Args, ValueEnum};
use gateway_core::meter_link::WordOrder;
use gateway_field::gpio::{LineName, PinSettings};
use gateway_field::modbus::{Direction, LineSettings, SerialSettings, Speed};
use gateway_field::models::Catalog;
use gateway_web::bus_work::{BusMeter, ParityWish, SpeedWish};
use std::path::PathBuf;
use std::time::Duration;

/// Longest time somebody may think about an answer if nothing else is said, in milliseconds.
const TIMEOUT_MS: u64 = 300;

/// Which line.
#[derive(Debug, Clone, Args)]
pub struct LineArgs {
    /// A bus of the running gateway, which goes on polling it meanwhile
    #[arg(long, value_name = "NAME", conflicts_with_all = ["port", "tcp", "rtu"])]
    pub bus: Option<String>,
    /// A serial port; if the running gateway has it, it is asked through that bus
    #[arg(long, conflicts_with = "tcp", required_unless_present_any = ["tcp", "bus"])]
    pub port: Option<PathBuf>,
    /// A meter, gateway or serial server: host and port
    #[arg(long, value_name = "HOST:PORT")]
    pub tcp: Option<String>,
    /// The serial server passes the line's own frames on (RTU over TCP)
    #[arg(long, requires = "tcp")]
    pub rtu: bool,
    /// Who switches the RS-485 transceiver
    #[arg(long, value_enum, default_value = "adapter")]
    pub direction: DirectionWord,
    /// GPIO of the transceiver: gpiochip0/18, or the board's name for it
    #[arg(long, value_name = "LINE", required_if_eq("direction", "gpio"), value_parser = line_name)]
    pub direction_gpio: Option<LineName>,
    /// That GPIO is low while this program talks
    #[arg(long, requires = "direction_gpio")]
    pub direction_low: bool,
    /// Longest time a meter may think about an answer, in milliseconds; 300, or as the bus has it, if absent
    #[arg(long, value_parser = clap::value_parser!(u64).range(10..=10_000))]
    pub timeout_ms: Option<u64>,
    /// Directory of the site's own meter models
    #[arg(long, default_value = "/etc/prepaid-gateway/meter-models")]
    pub models: PathBuf,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// How a serial line is set.
#[derive(Debug, Clone, Args)]
pub struct SpeedArgs {
    /// Bits per second; as the bus is set, or as the model leaves the factory, if absent
    #[arg(long)]
    pub baud: Option<u32>,
    /// Parity; likewise
    #[arg(long, value_enum)]
    pub parity: Option<ParityWord>,
    /// Stop bits
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub stop_bits: Option<u8>,
}

/// One meter of a line.
#[derive(Debug, Clone, Args)]
pub struct MeterArgs {
    /// Id of its meter model
    #[arg(long)]
    pub model: String,
    /// Its address; as the model leaves the factory if absent
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=247))]
    pub address: Option<u8>,
    /// Its word order where it differs from its model's: abcd or cdab
    #[arg(long, value_parser = super::meter::word_order)]
    pub word_order: Option<WordOrder>,
    /// The line.
    #[command(flatten)]
    pub line: LineArgs,
    /// How it is set.
    #[command(flatten)]
    pub speed: SpeedArgs,
}

/// Who switches a transceiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DirectionWord {
    /// It does so by itself.
    Adapter,
    /// The port's driver, by RTS.
    Kernel,
    /// This program, by RTS.
    Rts,
    /// This program, by a GPIO.
    Gpio,
}

/// Parity of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ParityWord {
    /// None.
    None,
    /// Even.
    Even,
    /// Odd.
    Odd,
}

impl From<ParityWord> for ParityWish {
    fn from(word: ParityWord) -> Self {
        match word {
            ParityWord::None => Self::None,
            ParityWord::Even => Self::Even,
            ParityWord::Odd => Self::Odd,
        }
    }
}

fn line_name(text: &str) -> Result<LineName, String> {
    text.parse()
        .map_err(|error: gateway_field::gpio::NoLineName| error.to_string())
}

impl SpeedArgs {
    fn wish(&self) -> SpeedWish {
        SpeedWish {
            baud: self.baud,
            parity: self.parity.map(ParityWish::from),
            stop_bits: self.stop_bits,
        }
    }
}

impl LineArgs {
    /// The line at a speed.
    fn settings(&self, speed: Speed) -> LineSettings {
        match (&self.port, &self.tcp) {
            (Some(port), _) => LineSettings::Serial(SerialSettings {
                port: port.clone(),
                baud: speed.baud,
                parity: speed.parity,
                stop_bits: speed.stop_bits,
                direction: match self.direction {
                    DirectionWord::Adapter => Direction::Adapter,
                    DirectionWord::Kernel => Direction::Kernel,
                    DirectionWord::Rts => Direction::Rts,
                    DirectionWord::Gpio => Direction::Pin,
                },
            }),
            (None, Some(host)) if self.rtu => LineSettings::RtuOverTcp(host.clone()),
            (None, host) => LineSettings::Tcp(host.clone().unwrap_or_default()),
        }
    }

    /// The GPIO of its transceiver.
    fn pin(&self) -> Option<PinSettings> {
        let wanted = self.direction == DirectionWord::Gpio && self.port.is_some();
        Some(PinSettings {
            line: self.direction_gpio.clone().filter(|_| wanted)?,
            active_low: self.direction_low,
        })
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.unwrap_or(TIMEOUT_MS))
    }

    fn catalog(&self) -> Catalog {
        Catalog::with_directory(&self.models).0
    }
}

impl MeterArgs {
    fn meter(&self) -> BusMeter {
        BusMeter {
            model: self.model.clone(),
            address: self.address,
            word_order: self.word_order,
            speed: self.speed.wish(),
            timeout_ms: self.line.timeout_ms,
        }
    }
}
