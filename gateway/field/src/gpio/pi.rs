//! The lines of a Raspberry Pi's header by its registers (rppal): an output keeps its level when the program ends, whatever kernel it is.

use super::{Bias, Board, Edge, InputPin, InputSettings, LineName, OutputPin, PinSettings};
use rppal::gpio::{self, Gpio, Level, Trigger};
use std::io;
use std::time::Duration;

/// A Raspberry Pi.
pub(super) struct Pi(Gpio);

struct PiOutput(gpio::OutputPin, bool);

struct PiInput(gpio::InputPin, bool);

impl Pi {
    /// # Errors
    /// This machine is no Raspberry Pi, or its registers may not be used. In words.
    pub(super) fn open() -> Result<Self, String> {
        let gpio = Gpio::new().map_err(|error| match error {
            gpio::Error::UnknownModel => "this machine is no Raspberry Pi".to_owned(),
            error => format!("{error}; /dev/gpiomem must be there, for the group of the service"),
        });
        gpio.map(Self)
    }

    fn take(&self, line: &LineName) -> io::Result<gpio::Pin> {
        let failed = |why: String| io::Error::other(format!("GPIO {line}: {why}"));
        let number = line.header().ok_or_else(|| failed(NOT_ON_HEADER.into()))?;
        let pin = self.0.get(number);
        pin.map_err(|error| failed(format!("{error}; is it in use?")))
    }
}

const NOT_ON_HEADER: &str = "rppal knows the lines of the header only, \"GPIO0\" to \"GPIO27\"";

impl Board for Pi {
    fn name(&self) -> &'static str {
        "rppal"
    }

    fn look(&self, line: &LineName) -> Result<(), String> {
        let known = line.header().map(|_| ());
        known.ok_or_else(|| format!("GPIO {line}: {NOT_ON_HEADER}"))
    }

    fn output(&self, pin: &PinSettings, active: bool) -> io::Result<Box<dyn OutputPin>> {
        let line = self.take(&pin.line)?;
        // The level goes into the register before the line becomes an output.
        let mut line = match active != pin.active_low {
            true => line.into_output_high(),
            false => line.into_output_low(),
        };
        line.set_reset_on_drop(false);
        Ok(Box::new(PiOutput(line, pin.active_low)))
    }

    fn input(&self, input: &InputSettings) -> io::Result<Box<dyn InputPin>> {
        let line = self.take(&input.pin.line)?;
        let mut line = match input.bias {
            Bias::Up => line.into_input_pullup(),
            Bias::Down => line.into_input_pulldown(),
            Bias::None => line.into_input(),
        };
        line.set_interrupt(Trigger::Both, None).map_err(other)?;
        Ok(Box::new(PiInput(line, input.pin.active_low)))
    }
}

fn other(error: gpio::Error) -> io::Error {
    io::Error::other(error.to_string())
}

impl OutputPin for PiOutput {
    fn set(&mut self, active: bool) -> io::Result<()> {
        self.0.write(Level::from(active != self.1));
        Ok(())
    }
}

impl InputPin for PiInput {
    fn is_active(&mut self) -> io::Result<bool> {
        Ok(self.0.is_high() != self.1)
    }

    fn wait(&mut self, patience: Duration) -> io::Result<Option<Edge>> {
        let event = self
            .0
            .poll_interrupt(false, Some(patience))
            .map_err(other)?;
        Ok(event.map(|event| Edge {
            at_ms: u64::try_from(event.timestamp.as_millis()).unwrap_or(u64::MAX),
            active: (event.trigger == Trigger::RisingEdge) != self.1,
        }))
    }
}
