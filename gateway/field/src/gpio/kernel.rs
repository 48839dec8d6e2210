//! Lines of the kernel's character device (uAPI v2), on any board that has one. A line is this program's alone while it is used.

use super::{Bias, Board, Edge, InputPin, InputSettings, LineName, OutputPin, PinSettings};
use gpiocdev::line::{self, EdgeDetection, EdgeKind, Offset, Value};
use gpiocdev::{Request, chip::Chip};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Who is seen as the user of a line, in `gpioinfo`.
const CONSUMER: &str = "prepaid-gateway";

/// The kernel's chips.
pub(super) struct Kernel;

struct KernelPin {
    request: Request,
    offset: Offset,
}

impl Board for Kernel {
    fn name(&self) -> &'static str {
        "gpiocdev"
    }

    fn look(&self, line: &LineName) -> Result<(), String> {
        place(line).map(|_| ()).map_err(|error| error.to_string())
    }

    fn output(&self, pin: &PinSettings, active: bool) -> io::Result<Box<dyn OutputPin>> {
        let (chip, offset) = place(&pin.line)?;
        let mut request = Request::builder();
        request
            .on_chip(chip)
            .with_consumer(CONSUMER)
            .with_line(offset)
            .as_output(value(active));
        if pin.active_low {
            request.as_active_low();
        }
        let request = request.request().map_err(|error| in_use(pin, &error))?;
        Ok(Box::new(KernelPin { request, offset }))
    }

    fn keeps_level(&self, line: &LineName) -> Option<bool> {
        let (chip, _) = place(line).ok()?;
        let label = Chip::from_path(&chip).ok()?.info().ok()?.label;
        let file = parameter(&label)?;
        keeps(std::fs::read_to_string(file).ok().as_deref())
    }

    fn input(&self, input: &InputSettings) -> io::Result<Box<dyn InputPin>> {
        let (chip, offset) = place(&input.pin.line)?;
        let mut request = Request::builder();
        request
            .on_chip(chip)
            .with_consumer(CONSUMER)
            .with_line(offset);
        request
            .as_input()
            .with_edge_detection(EdgeDetection::BothEdges);
        request.with_bias(match input.bias {
            Bias::Up => line::Bias::PullUp,
            Bias::Down => line::Bias::PullDown,
            Bias::None => line::Bias::Disabled,
        });
        if input.pin.active_low {
            request.as_active_low();
        }
        let request = request
            .request()
            .map_err(|error| in_use(&input.pin, &error))?;
        Ok(Box::new(KernelPin { request, offset }))
    }
}

impl OutputPin for KernelPin {
    fn set(&mut self, active: bool) -> io::Result<()> {
        let set = self.request.set_value(self.offset, value(active));
        set.map(|_| ()).map_err(other)
    }
}

impl InputPin for KernelPin {
    fn is_active(&mut self) -> io::Result<bool> {
        let value = self.request.value(self.offset).map_err(other)?;
        Ok(value == Value::Active)
    }

    fn wait(&mut self, patience: Duration) -> io::Result<Option<Edge>> {
        if !self.request.wait_edge_event(patience).map_err(other)? {
            return Ok(None);
        }
        let event = self.request.read_edge_event().map_err(other)?;
        Ok(Some(Edge {
            at_ms: event.timestamp_ns / 1_000_000,
            active: event.kind == EdgeKind::Rising,
        }))
    }
}

/// Where the driver of a Raspberry Pi's header says whether it keeps the level of a line that is let go. Raspberry Pi's own kernel does, unless
/// `strict_gpiod` is set; the kernel's own, from 6.11 on, if its command line says so.
fn parameter(label: &str) -> Option<&'static str> {
    match label {
        "pinctrl-rp1" => Some("/sys/module/pinctrl_rp1/parameters/persist_gpio_outputs"),
        label if label.starts_with("pinctrl-bcm2") => {
            Some("/sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs")
        }
        _ => None,
    }
}

/// What it says; a driver without the parameter is one of before it, of which both kinds are about.
fn keeps(parameter: Option<&str>) -> Option<bool> {
    match parameter?.trim() {
        "Y" | "1" => Some(true),
        "N" | "0" => Some(false),
        _ => None,
    }
}

fn value(active: bool) -> Value {
    if active {
        Value::Active
    } else {
        Value::Inactive
    }
}

fn other(error: gpiocdev::Error) -> io::Error {
    io::Error::other(error.to_string())
}

fn failed(line: &LineName, why: &str) -> io::Error {
    io::Error::other(format!("GPIO {line}: {why}"))
}

fn in_use(pin: &PinSettings, error: &gpiocdev::Error) -> io::Error {
    let why = format!("{error}; is it in use, or is the user not in the group gpio?");
    failed(&pin.line, &why)
}

/// The chip of a line and its number there.
fn place(line: &LineName) -> io::Result<(PathBuf, Offset)> {
    let (path, offset) = match line {
        LineName::Number(chip, offset) => (PathBuf::from("/dev").join(chip), *offset),
        LineName::Named(name) => {
            let found = gpiocdev::find_named_line(name).ok_or_else(|| {
                let why =
                    "no line of that name; gpioinfo lists them, and without GPIO there are none";
                failed(line, why)
            })?;
            return Ok((found.chip, found.info.offset));
        }
    };
    if !path.exists() {
        let why = format!(
            "there is no {}: this machine has no such GPIO chip",
            path.display()
        );
        return Err(failed(line, &why));
    }
    let chip = Chip::from_path(&path).map_err(|error| failed(line, &error.to_string()))?;
    let lines = chip
        .info()
        .map_err(|error| failed(line, &error.to_string()))?
        .num_lines;
    if offset >= lines {
        return Err(failed(line, &format!("the chip has {lines} lines, from 0")));
    }
    Ok((path, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_driver_says_of_levels_it_keeps() {
        for (label, has) in [
            ("pinctrl-bcm2711", true),
            ("pinctrl-bcm2835", true),
            ("pinctrl-rp1", true),
            ("raspberrypi-exp-gpio", false),
        ] {
            assert_eq!(parameter(label).is_some(), has, "{label}");
        }
        for (text, expected) in [
            (Some("Y\n"), Some(true)),
            (Some("N\n"), Some(false)),
            (Some(""), None),
            (None, None),
        ] {
            assert_eq!(keeps(text), expected, "{text:?}");
        }
    }
}
