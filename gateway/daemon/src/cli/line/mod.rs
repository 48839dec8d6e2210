//! `scan`, `read`, `probe`: a line and the meters on it, without a daemon.
//!
//! Decided here: the words of the command line and how results are shown. Not decided here: who is found and what is wrong
//! (`gateway_field::modbus`).

mod probe;
mod read;
mod scan;

pub use probe::{ProbeArgs, probe};
pub use read::{ReadArgs, read};
pub use scan::{ScanArgs, scan};

use super::said::{Failure, Result};
use clap::{Args, ValueEnum};
use gateway_core::meter_link::WordOrder;
use gateway_field::modbus::{
    BusError, Direction, Line, LineSettings, Opened, SerialSettings, order,
};
use gateway_field::models::{Catalog, Model, Parity, Quantity};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Which line.
#[derive(Debug, Clone, Args)]
pub struct LineArgs {
    /// A serial port
    #[arg(long, conflicts_with = "tcp", required_unless_present = "tcp")]
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
    /// Longest time a meter may think about an answer, in milliseconds
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(10..=10_000))]
    pub timeout_ms: u64,
    /// Directory of the site's own meter models
    #[arg(long, default_value = "/etc/prepaid-gateway/meter-models")]
    pub models: PathBuf,
}

/// How a serial line is set.
#[derive(Debug, Clone, Args)]
pub struct SpeedArgs {
    /// Bits per second; as the model leaves the factory if absent
    #[arg(long)]
    pub baud: Option<u32>,
    /// Parity; as the model leaves the factory if absent
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

impl From<ParityWord> for Parity {
    fn from(word: ParityWord) -> Self {
        match word {
            ParityWord::None => Self::N,
            ParityWord::Even => Self::E,
            ParityWord::Odd => Self::O,
        }
    }
}

impl LineArgs {
    /// The line at a speed.
    fn settings(&self, baud: u32, parity: Parity, stop_bits: u8) -> LineSettings {
        match (&self.port, &self.tcp) {
            (Some(port), _) => LineSettings::Serial(SerialSettings {
                port: port.clone(),
                baud,
                parity,
                stop_bits,
                direction: match self.direction {
                    DirectionWord::Adapter => Direction::Adapter,
                    DirectionWord::Kernel => Direction::Kernel,
                    DirectionWord::Rts => Direction::Rts,
                },
            }),
            (None, Some(host)) if self.rtu => LineSettings::RtuOverTcp(host.clone()),
            (None, host) => LineSettings::Tcp(host.clone().unwrap_or_default()),
        }
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    fn catalog(&self) -> Catalog {
        Catalog::with_directory(&self.models).0
    }
}

impl MeterArgs {
    fn model(&self, doing: &'static str) -> std::result::Result<Arc<Model>, Failure> {
        let catalog = self.line.catalog();
        catalog.get(&self.model).ok_or_else(|| {
            let known: Vec<_> = catalog.iter().map(|model| model.id.clone()).collect();
            let why = format!(
                "no meter model is called {}; there are {}",
                self.model,
                known.join(", ")
            );
            Failure::refused(doing, "no-such-model", why)
        })
    }

    fn address(&self, model: &Model) -> u8 {
        self.address.unwrap_or(model.link.address)
    }

    fn order(&self) -> Option<gateway_field::models::WordOrder> {
        self.word_order.map(order)
    }

    async fn open(&self, model: &Model) -> std::result::Result<Opened, BusError> {
        let settings = self.line.settings(
            self.speed.baud.unwrap_or(model.link.baud),
            self.speed.parity.map_or(model.link.parity, Parity::from),
            self.speed.stop_bits.unwrap_or(model.link.stop_bits),
        );
        let line = Line::open(&settings, None).await?;
        Ok(Opened::new(line, self.line.patience()))
    }
}

/// Runs a subcommand that talks on a line.
fn on_a_line(doing: &'static str, work: impl Future<Output = Result>) -> Result {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(doing, "no-runtime", error))?;
    runtime.block_on(work)
}

fn failed(doing: &'static str) -> impl Fn(BusError) -> Failure {
    move |error| Failure::refused(doing, error.name(), error)
}

/// A value with its unit, as people read it.
fn words(quantity: Quantity, value: f64) -> String {
    match quantity.base_unit() {
        "Wh" => format!("{:.3} kWh", value / 1000.0),
        "" => format!("{value:.3}"),
        "W" | "VA" | "var" => format!("{value:.1} {}", quantity.base_unit()),
        unit => format!("{value:.2} {unit}"),
    }
}
