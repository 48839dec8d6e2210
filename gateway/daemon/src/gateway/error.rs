//! What can keep the gateway from starting.

use crate::sockets::SocketError;
use gateway_web::DeskError;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the gateway did not start; fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error("open the database: {0}")]
    Store(#[from] gateway_store::StoreError),
    /// The broker.
    #[error("{0}")]
    Field(#[from] gateway_field::FieldError),
    /// The page's address.
    #[error(
        "open the page on {address}: {error}; is another program using it? Choose another with web.listen"
    )]
    Web {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// A socket of the service manager.
    #[error("{0}")]
    Socket(#[from] SocketError),
    /// The control socket.
    #[error("open the control socket: {0}")]
    Control(std::io::Error),
    /// Anything a file named in the configuration may do.
    #[error("read {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file of token keys is unusable.
    #[error("read the token keys in {path}: {mistake}; run `check` to see every mistake")]
    TokenKeys {
        /// The file.
        path: PathBuf,
        /// The first mistake; never a key.
        mistake: String,
    },
    /// A file of holidays is unusable.
    #[error("read the holidays in {path}: {mistake}; run `check` to see every mistake")]
    Holidays {
        /// The file.
        path: PathBuf,
        /// The first mistake.
        mistake: String,
    },
    /// That a backup was restored cannot be recorded.
    #[error("hold money after a restored backup: {0}")]
    Restored(DeskError),
    /// That a damaged database was put together again cannot be recorded.
    #[error("record that the database was damaged: {0}")]
    Mended(DeskError),
    /// The operator's password is not stored.
    #[error("take over the operator's password: {0}")]
    Password(DeskError),
    /// The page has no password yet.
    #[error(
        "open the page: no operator password is set; run `prepaid-gateway operator set-password --data {0}` first"
    )]
    NoPassword(String),
    /// Something is to hang on pins that this machine does not have, or somebody else uses.
    #[error("use the pins: {0}; docs/gpio.md says what each board has")]
    Pins(String),
    /// The system gave no threads.
    #[error("start a thread: {0}")]
    Thread(std::io::Error),
}
