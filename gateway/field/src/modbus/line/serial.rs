//! Serial ports, and who switches the direction of an RS-485 transceiver.

use super::rtu::{Pace, Wire};
use crate::gpio::OutputPin;
use crate::modbus::{BusError, Speed};
use crate::models::Parity;
use serial2_tokio::SerialPort;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Who switches the transceiver between talking and listening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The adapter by itself: nearly every USB adapter and many boards.
    Adapter,
    /// The kernel's driver by RTS (`TIOCSRS485`): exact, where the driver can.
    Kernel,
    /// This program by RTS.
    Rts,
    /// This program by a GPIO.
    Pin,
}

/// A serial port and how it is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialSettings {
    /// The device; a name below `/dev/serial/by-id` or `by-path` stays the same when it is plugged in again.
    pub port: PathBuf,
    /// Bits per second.
    pub baud: u32,
    /// Parity.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
    /// Who switches the transceiver.
    pub direction: Direction,
}

impl SerialSettings {
    /// How fast it is.
    #[must_use]
    pub fn speed(&self) -> Speed {
        Speed {
            baud: self.baud,
            parity: self.parity,
            stop_bits: self.stop_bits,
        }
    }

    /// How fast bytes travel.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.speed().pace()
    }
}

impl std::fmt::Display for SerialSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.port.display(), self.speed())
    }
}

pub(super) struct Serial {
    port: SerialPort,
    direction: Direction,
    pin: Option<Box<dyn OutputPin>>,
    /// Holds the lock that keeps a second program from the port.
    lock: File,
}

pub(super) fn open(
    settings: &SerialSettings,
    pin: Option<Box<dyn OutputPin>>,
) -> Result<Serial, BusError> {
    let name = settings.port.display();
    let unusable = |error: io::Error| BusError::Line(format!("{name}: {error}"));
    let port = SerialPort::open(&settings.port, |mut line: serial2_tokio::Settings| {
        line.set_raw();
        line.set_char_size(serial2_tokio::CharSize::Bits8);
        set_speed(&mut line, settings.speed())?;
        line.set_flow_control(serial2_tokio::FlowControl::None);
        Ok(line)
    });
    let port = port.map_err(unusable)?;
    let lock = File::open(&settings.port).map_err(unusable)?;
    if lock.try_lock().is_err() {
        let words = "is used by another program (a running gateway?); one master per bus";
        return Err(BusError::Line(format!("{name} {words}")));
    }
    if settings.direction == Direction::Kernel {
        let mode = serial2_tokio::rs4xx::Rs485Config::new();
        port.set_rs4xx_mode(mode).map_err(|error| {
            let words = "its driver cannot switch RS-485 by RTS; use direction = \"rts\"";
            BusError::Line(format!("{name}: {words} ({error})"))
        })?;
    }
    let mut serial = Serial {
        port,
        direction: settings.direction,
        pin,
        lock,
    };
    serial.listen().map_err(unusable)?;
    serial.port.discard_input_buffer().map_err(unusable)?;
    Ok(serial)
}

fn set_speed(line: &mut serial2_tokio::Settings, speed: Speed) -> io::Result<()> {
    line.set_baud_rate(speed.baud)?;
    line.set_parity(match speed.parity {
        Parity::N => serial2_tokio::Parity::None,
        Parity::E => serial2_tokio::Parity::Even,
        Parity::O => serial2_tokio::Parity::Odd,
    });
    line.set_stop_bits(match speed.stop_bits {
        2 => serial2_tokio::StopBits::Two,
        _ => serial2_tokio::StopBits::One,
    });
    Ok(())
}

impl Serial {
    fn turn(&mut self, talk: bool) -> io::Result<()> {
        match (self.direction, &mut self.pin) {
            (Direction::Rts, _) => self.port.set_rts(talk),
            (Direction::Pin, Some(pin)) => pin.set(talk),
            (Direction::Pin, None) => Err(io::Error::other("no GPIO is named for its direction")),
            _ => Ok(()),
        }
    }
}

impl Wire for Serial {
    fn talk(&mut self) -> io::Result<()> {
        self.turn(true)
    }

    fn listen(&mut self) -> io::Result<()> {
        self.turn(false)
    }

    fn tune(&mut self, speed: Speed) -> io::Result<bool> {
        let mut line = self.port.get_configuration()?;
        set_speed(&mut line, speed)?;
        self.port.set_configuration(&line)?;
        Ok(true)
    }

    fn drain(&mut self) -> io::Result<()> {
        Ok(rustix::termios::tcdrain(&self.lock)?)
    }

    fn turns(&self) -> bool {
        matches!(self.direction, Direction::Rts | Direction::Pin)
    }
}

impl AsyncRead for Serial {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.port).poll_read(cx, buf)
    }
}

impl AsyncWrite for Serial {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.port).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The driver sends by itself, and waiting for it would block.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.port).poll_shutdown(cx)
    }
}
