//! Which board hands out the lines.

use super::{InputPin, InputSettings, LineName, OutputPin, PinSettings, kernel, pi, trace};
use std::io;
use std::path::PathBuf;

/// Where lines come from.
pub trait Board: Send + Sync {
    /// Its driver's name, as in the configuration.
    fn name(&self) -> &'static str;

    /// Whether it has a line; takes nothing, so that it can be asked beside a running daemon.
    ///
    /// # Errors
    /// In words, with the line's name.
    fn look(&self, line: &LineName) -> Result<(), String>;

    /// Takes a line as an output with a first level.
    ///
    /// # Errors
    /// There is no such line, or it is in use. In words, with the line's name.
    fn output(&self, pin: &PinSettings, active: bool) -> io::Result<Box<dyn OutputPin>>;

    /// Whether an output keeps its level when the program ends; `None`: that is not known of this board.
    fn keeps_level(&self, line: &LineName) -> Option<bool> {
        let _ = line;
        Some(true)
    }

    /// Takes a line as an input.
    ///
    /// # Errors
    /// As for an output.
    fn input(&self, input: &InputSettings) -> io::Result<Box<dyn InputPin>>;
}

/// Which board a site wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Driver {
    /// rppal on a Raspberry Pi whose header has all the lines, else the kernel.
    #[default]
    Auto,
    /// rppal.
    Pi,
    /// The kernel's character device.
    Kernel,
    /// A recorded trace, followed while it grows.
    Trace(PathBuf),
}

/// The board for these lines.
///
/// # Errors
/// This machine has none; in words.
pub fn board(driver: &Driver, lines: &[&LineName]) -> Result<Box<dyn Board>, String> {
    match driver {
        Driver::Pi => pi::Pi::open().map(|board| Box::new(board) as _),
        Driver::Kernel => Ok(Box::new(kernel::Kernel)),
        Driver::Trace(file) => {
            let board = trace::Recorded::open(file);
            board
                .map(|board| Box::new(board) as _)
                .map_err(|error| format!("{}: {error}", file.display()))
        }
        Driver::Auto => {
            let on_header = lines.iter().all(|line| line.header().is_some());
            match pi::Pi::open() {
                Ok(board) if on_header => Ok(Box::new(board)),
                _ => Ok(Box::new(kernel::Kernel)),
            }
        }
    }
}
