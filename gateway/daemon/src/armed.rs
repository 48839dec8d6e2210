//! Whether supply enforcement is armed: cuts are decided from committed state and can be carried out.
//!
//! For systemd it is a file in the service's run directory; `prepaid-gateway-armed.path` waits for it, and
//! `prepaid-gateway-armed.target` is reached while it is there. It is gone when the process is: systemd removes the directory.

use crate::gateway::Gateway;
use std::path::PathBuf;

/// Its name in the run directory.
const NAME: &str = "armed";

/// What is shown to systemd.
pub struct Armed {
    file: Option<PathBuf>,
    shown: Option<Vec<String>>,
    is_site_armed: bool,
}

impl Armed {
    /// Nothing is shown yet. Without systemd's `RUNTIME_DIRECTORY` there is nobody to show it to but the log.
    pub fn new(is_site_armed: bool) -> Self {
        let file = std::env::var_os("RUNTIME_DIRECTORY").map(|dir| PathBuf::from(dir).join(NAME));
        let mut armed = Self {
            file,
            shown: None,
            is_site_armed,
        };
        // One that a process before left: an exec keeps the directory.
        armed.write(false);
        armed
    }

    /// Looks again.
    pub fn look(&mut self, gateway: &Gateway) {
        let reasons = gateway.desk.unarmed(self.is_site_armed);
        if self.shown.as_ref() == Some(&reasons) {
            return;
        }
        match reasons.is_empty() {
            true => log::info!("supply enforcement is armed"),
            false => log::warn!("supply enforcement is not armed: {}", reasons.join("; ")),
        }
        self.write(reasons.is_empty());
        self.shown = Some(reasons);
    }

    /// The gateway stops.
    pub fn end(&mut self) {
        self.write(false);
    }

    fn write(&mut self, armed: bool) {
        let Some(file) = &self.file else { return };
        let done = match armed {
            true => std::fs::write(file, ""),
            false => match std::fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        };
        if let Err(error) = done {
            log::warn!("failed to show whether supply enforcement is armed: {error}");
        }
    }
}
