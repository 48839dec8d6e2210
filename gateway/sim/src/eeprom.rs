//! The simulated EEPROM of a node.

use meter_node::{EEPROM_BYTES, Storage};
use std::io;
use std::path::Path;

const ERASED: u8 = 0xff;

/// Bytes that survive a power cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eeprom(Vec<u8>);

impl Default for Eeprom {
    /// As it leaves the factory: erased.
    fn default() -> Self {
        Self(vec![ERASED; usize::from(EEPROM_BYTES)])
    }
}

impl Eeprom {
    /// What an earlier simulation left in a file; erased if there is none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load(path: &Path) -> io::Result<Self> {
        let mut bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        bytes.resize(usize::from(EEPROM_BYTES), ERASED);
        Ok(Self(bytes))
    }

    /// Leaves it for the next simulation.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, &self.0)
    }
}

impl Storage for Eeprom {
    fn read(&self, address: u16) -> u8 {
        self.0.get(usize::from(address)).copied().unwrap_or(ERASED)
    }

    fn write(&mut self, address: u16, value: u8) {
        if let Some(byte) = self.0.get_mut(usize::from(address)) {
            *byte = value;
        }
    }
}
