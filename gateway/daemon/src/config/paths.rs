//! Where things lie inside the data directory.

use std::path::{Path, PathBuf};

/// The data directory of a packaged gateway.
pub const DATA_DIR: &str = "/var/lib/prepaid-gateway";

/// The database.
pub fn database_in(data_dir: &Path) -> PathBuf {
    data_dir.join("gateway.db")
}

/// The control socket.
pub fn socket_in(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}

/// The hash of the operator's password for the page.
pub fn operator_password_in(data_dir: &Path) -> PathBuf {
    data_dir.join("operator-password")
}

/// How far each channel of notices has come.
pub fn notify_memory_in(data_dir: &Path) -> PathBuf {
    data_dir.join("notify.json")
}

/// What the link to the head-end remembers: the gateway's key, its instances.
pub fn cloud_memory_in(data_dir: &Path) -> PathBuf {
    data_dir.join("cloud.json")
}
