//! GPIO lines: one trait for pins, and three boards behind it.
//!
//! Decided here: how a line is named, and that whoever drives or reads a line sees [`OutputPin`] and [`InputPin`] and nothing of the
//! library behind them. Not decided here: what a line means.
//!
//! Terms: a *board* hands out lines: the kernel's character device ([`Driver::Kernel`], any board that has one), a Raspberry Pi's registers
//! ([`Driver::Pi`]), or a recorded trace ([`Driver::Trace`], any machine). *Active* is what a line means, whether that is high or low.
//!
//! Invariant: an output takes its first level in the same step as it becomes an output; there is no moment at which it is something else.

mod board;
mod debounce;
mod kernel;
mod pi;
mod trace;

pub use board::{Board, Driver, board};
pub use debounce::{Change, Debounce, Pulses};
pub use trace::{NoTrace, Sample, parse as parse_trace};

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

/// A line that is driven.
pub trait OutputPin: Send + Sync {
    /// Makes it active or not; whether active is high is the line's own matter.
    ///
    /// # Errors
    /// The line cannot be set.
    fn set(&mut self, active: bool) -> io::Result<()>;
}

/// A line that is read.
pub trait InputPin: Send {
    /// Whether it is active now.
    ///
    /// # Errors
    /// The line cannot be read.
    fn is_active(&mut self) -> io::Result<bool>;

    /// Waits for its next edge. `None`: none came within `patience`.
    ///
    /// # Errors
    /// The line is gone.
    fn wait(&mut self, patience: Duration) -> io::Result<Option<Edge>>;
}

/// A line became active or inactive, bounces included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// When, in milliseconds of a clock that only runs forward; where it begins is the board's own matter.
    pub at_ms: u64,
    /// What it became.
    pub active: bool,
}

/// The resistor inside the chip that holds an open input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bias {
    /// To 3.3 V: for a contact or an open collector that pulls to ground.
    #[default]
    Up,
    /// To ground.
    Down,
    /// None: there is one outside.
    None,
}

/// An input and its resistor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSettings {
    /// The line, and which level is active.
    pub pin: PinSettings,
    /// The resistor.
    pub bias: Bias,
}

/// The header of every 40-pin Raspberry Pi ends with GPIO27.
const LAST_ON_HEADER: u8 = 27;

/// Which line, and which level is active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinSettings {
    /// The line.
    pub line: LineName,
    /// Active is low.
    pub active_low: bool,
}

/// A line as written: `gpiochip0/17`, or the name the board gives it, `GPIO17`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineName {
    /// The chip's device below `/dev` and the number on it.
    Number(String, u32),
    /// The board's name for it: the same whatever number the kernel gives the chip.
    Named(String),
}

/// Why a text names no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a GPIO is written like \"gpiochip0/17\" or \"GPIO17\"")]
pub struct NoLineName;

impl FromStr for LineName {
    type Err = NoLineName;

    fn from_str(text: &str) -> Result<Self, NoLineName> {
        let fits = |name: &str| {
            let letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !name.is_empty() && name.chars().all(letter) && !name.starts_with('.')
        };
        match text.split_once('/') {
            Some((chip, number)) if fits(chip) => {
                let number = number.parse().map_err(|_| NoLineName)?;
                Ok(Self::Number(chip.into(), number))
            }
            None if fits(text) => Ok(Self::Named(text.into())),
            _ => Err(NoLineName),
        }
    }
}

impl LineName {
    /// Its number on a Raspberry Pi's 40-pin header (BCM), GPIO0 to GPIO27.
    #[must_use]
    pub fn header(&self) -> Option<u8> {
        let Self::Named(name) = self else { return None };
        let digits = name.strip_prefix("GPIO")?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .parse()
            .ok()
            .filter(|number| plain && *number <= LAST_ON_HEADER)
    }
}

impl fmt::Display for LineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(chip, number) => write!(f, "{chip}/{number}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_number_on_a_chip_or_a_name() {
        let number = |chip: &str, number| Ok(LineName::Number(chip.into(), number));
        for (text, expected) in [
            ("gpiochip0/17", number("gpiochip0", 17)),
            ("GPIO17", Ok(LineName::Named("GPIO17".into()))),
            ("gpiochip0/", Err(NoLineName)),
            ("gpiochip0/-1", Err(NoLineName)),
            ("../mem/17", Err(NoLineName)),
            ("..", Err(NoLineName)),
            ("", Err(NoLineName)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
            if let Ok(line) = text.parse::<LineName>() {
                assert_eq!(line.to_string(), text);
            }
        }
    }

    #[test]
    fn only_a_header_line_has_a_number_on_a_pi() {
        for (text, number) in [
            ("GPIO0", Some(0)),
            ("GPIO27", Some(27)),
            ("GPIO28", None),
            ("gpiochip0/17", None),
            ("GPIO+7", None),
        ] {
            assert_eq!(
                text.parse::<LineName>().ok().and_then(|l| l.header()),
                number,
                "{text}"
            );
        }
    }

    #[test]
    fn a_machine_without_the_chip_says_so() {
        let pin = PinSettings {
            line: LineName::Number("gpiochip-none".into(), 17),
            active_low: false,
        };
        let kernel = board(&Driver::Kernel, &[&pin.line]).expect("any machine");
        let error = kernel.output(&pin, false).err();
        let error = error.map(|error| error.to_string());
        let words = "GPIO gpiochip-none/17: there is no /dev/gpiochip-none: this machine has no such GPIO chip";
        assert_eq!(error.as_deref(), Some(words));
    }
}
