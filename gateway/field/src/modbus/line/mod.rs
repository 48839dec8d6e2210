//! A line: one request, and its answer or a named reason why there is none.
//!
//! Terms: *RTU* are frames with an address and a checksum, on a serial line or inside a TCP connection to a serial server;
//! *Modbus TCP* has a header with a number of its own. *Turnaround* is the time between the end of a request and the beginning of its
//! answer.
//!
//! Modbus TCP is spoken by tokio-modbus, with a new connection after each missing answer. RTU is not: its client takes a late
//! answer for the next one's, and does not look at lengths.
//!
//! Invariants: nothing is sent while something is still coming in; an answer that comes too late is never taken for another's.

mod rtu;
mod serial;
mod tcp;

pub use rtu::{Pace, Rtu, Wire};
pub use serial::{Direction, SerialSettings};

use super::{Ask, BusError, Reply, Speed};
use crate::gpio::OutputPin;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// Where a line leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineSettings {
    /// A serial port.
    Serial(SerialSettings),
    /// RTU frames over TCP, host and port.
    RtuOverTcp(String),
    /// Modbus TCP, host and port.
    Tcp(String),
}

impl LineSettings {
    /// How fast the line is; `None` if it is no serial line of ours.
    #[must_use]
    pub fn speed(&self) -> Option<Speed> {
        match self {
            Self::Serial(serial) => Some(serial.speed()),
            Self::RtuOverTcp(_) | Self::Tcp(_) => None,
        }
    }
}

impl std::fmt::Display for LineSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Serial(serial) => write!(f, "{serial}"),
            Self::RtuOverTcp(address) => write!(f, "{address} (RTU over TCP)"),
            Self::Tcp(address) => write!(f, "{address} (Modbus TCP)"),
        }
    }
}

/// An answer and how long the meter thought about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it says.
    pub reply: Reply,
    /// Time between the end of the request and the beginning of the answer.
    pub turnaround: Duration,
}

/// An open line.
pub enum Line {
    /// RTU, on whatever carries bytes.
    Rtu(Rtu<Box<dyn Wire>>),
    /// Modbus TCP.
    Tcp(tcp::Tcp),
}

impl Line {
    /// Opens a line. For a serial one on which the program drives the transceiver by a GPIO, the pin is handed over.
    ///
    /// # Errors
    /// [`BusError::Line`]: no such port, in use, no such host, nobody listens.
    pub async fn open(
        settings: &LineSettings,
        pin: Option<Box<dyn OutputPin>>,
    ) -> Result<Self, BusError> {
        match settings {
            LineSettings::Serial(serial) => {
                let pace = serial.pace();
                let port: Box<dyn Wire> = Box::new(serial::open(serial, pin)?);
                Ok(Self::Rtu(Rtu::new(port, pace)))
            }
            LineSettings::RtuOverTcp(address) => {
                let stream: Box<dyn Wire> = Box::new(connect(address).await?);
                Ok(Self::Rtu(Rtu::new(stream, Pace::NETWORK)))
            }
            LineSettings::Tcp(address) => Ok(Self::Tcp(tcp::Tcp::connect(address).await?)),
        }
    }

    /// Sets the speed of a serial line; a network has none, and takes any.
    ///
    /// # Errors
    /// [`BusError::Speed`]: the port cannot do it.
    pub fn tune(&mut self, speed: Speed) -> Result<(), BusError> {
        match self {
            Self::Rtu(rtu) => rtu.tune(speed),
            Self::Tcp(_) => Ok(()),
        }
    }

    /// Asks and waits for the answer; `patience` is the longest turnaround.
    ///
    /// # Errors
    /// [`BusError`]. After [`BusError::Line`] the line has to be opened again.
    pub async fn exchange(
        &mut self,
        address: u8,
        ask: &Ask,
        patience: Duration,
    ) -> Result<Answer, BusError> {
        match self {
            Self::Rtu(rtu) => rtu.exchange(address, ask, patience).await,
            Self::Tcp(tcp) => tcp.exchange(address, ask, patience).await,
        }
    }
}

async fn connect(address: &str) -> Result<TcpStream, BusError> {
    let connecting = timeout(CONNECT_WITHIN, TcpStream::connect(address));
    let stream = match connecting.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(BusError::Line(format!("{address}: {error}"))),
        Err(_) => return Err(BusError::Line(format!("{address} does not answer"))),
    };
    // A request is one small packet that must not wait for a second one.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}
