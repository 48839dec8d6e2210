//! GPIO lines by the kernel's character device (uAPI v2), on any board that has one.
//!
//! Decided here: how a line is named, and that it is this program's alone while it is used. Not decided here: what a line means.
//!
//! Invariant: whoever drives a line sees [`OutputPin`] and nothing of the kernel, so that a recorded trace or another library takes its place.

use gpiocdev::Request;
use gpiocdev::line::{Offset, Value};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

/// Who is seen as the user of a line, in `gpioinfo`.
const CONSUMER: &str = "prepaid-gateway";

/// A line that is driven.
pub trait OutputPin: Send + Sync {
    /// Makes it active or not; whether active is high is the line's own matter.
    ///
    /// # Errors
    /// The line cannot be set.
    fn set(&mut self, active: bool) -> io::Result<()>;
}

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

impl fmt::Display for LineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(chip, number) => write!(f, "{chip}/{number}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// A line of the kernel's; given back when it is dropped.
struct KernelPin {
    request: Request,
    offset: Offset,
}

impl OutputPin for KernelPin {
    fn set(&mut self, active: bool) -> io::Result<()> {
        let value = if active {
            Value::Active
        } else {
            Value::Inactive
        };
        let set = self.request.set_value(self.offset, value);
        set.map(|_| ())
            .map_err(|error| io::Error::other(error.to_string()))
    }
}

/// Takes a line as an output, inactive at first.
///
/// # Errors
/// This machine has no such line, it is in use, or the user is not in the group `gpio`. In words, with the line's name.
pub fn output(pin: &PinSettings) -> io::Result<Box<dyn OutputPin>> {
    let failed = |why: String| io::Error::other(format!("GPIO {}: {why}", pin.line));
    let (chip, offset) = match &pin.line {
        LineName::Number(chip, offset) => (PathBuf::from("/dev").join(chip), *offset),
        LineName::Named(name) => {
            let found = gpiocdev::find_named_line(name);
            let found = found.ok_or_else(|| {
                failed(
                    "no line of that name; gpioinfo lists them, and without GPIO there are none"
                        .into(),
                )
            })?;
            (found.chip, found.info.offset)
        }
    };
    if !chip.exists() {
        let why = format!(
            "there is no {}: this machine has no such GPIO chip",
            chip.display()
        );
        return Err(failed(why));
    }
    let mut request = Request::builder();
    request
        .on_chip(chip)
        .with_consumer(CONSUMER)
        .with_line(offset)
        .as_output(Value::Inactive);
    if pin.active_low {
        request.as_active_low();
    }
    let request = request.request().map_err(|error| {
        failed(format!(
            "{error}; is it in use, or is the user not in the group gpio?"
        ))
    })?;
    Ok(Box::new(KernelPin { request, offset }))
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
    fn a_machine_without_the_chip_says_so() {
        let pin = PinSettings {
            line: LineName::Number("gpiochip-none".into(), 17),
            active_low: false,
        };
        let error = output(&pin).err().map(|error| error.to_string());
        let words = "GPIO gpiochip-none/17: there is no /dev/gpiochip-none: this machine has no such GPIO chip";
        assert_eq!(error.as_deref(), Some(words));
    }
}
