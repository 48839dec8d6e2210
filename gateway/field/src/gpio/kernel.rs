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
        output_at(pin, active)
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

/// Takes a line as an output, inactive at first.
///
/// # Errors
/// This machine has no such line, it is in use, or the user is not in the group `gpio`. In words, with the line's name.
pub fn output(pin: &PinSettings) -> io::Result<Box<dyn OutputPin>> {
    output_at(pin, false)
}

fn output_at(pin: &PinSettings, active: bool) -> io::Result<Box<dyn OutputPin>> {
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
