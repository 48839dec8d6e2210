//! Where the page and the API put what they want changed, and hear how the gateway is doing.
//!
//! Decided here: nothing. The daemon implements [`Desk`]; a command that comes back with an [`Answer`] is on disk.

use gateway_core::{Answer, Command, Moment, Refusal};
use std::future::Future;
use std::pin::Pin;
use tokio::sync::watch;

/// What [`Desk::submit`] returns.
pub type Submission = Pin<Box<dyn Future<Output = Result<Answer, DeskError>> + Send>>;

/// The daemon, as far as the page can reach it.
pub trait Desk: Send + Sync {
    /// Puts a command into the inbox. Resolves when the decision is committed, refused, or cannot be made.
    ///
    /// Dropping the future does not take the command back.
    fn submit(&self, command: Command) -> Submission;

    /// What is wrong with the gateway itself, in plain words.
    fn health(&self) -> Health;

    /// Counters in Prometheus text format.
    fn metrics(&self) -> String;

    /// Grows by at least one with every commit of journal or telemetry.
    fn changes(&self) -> watch::Receiver<u64>;

    /// What the clock shows, and whether it is to be believed.
    fn now(&self) -> Moment;
}

/// Why a command had no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// The rules refuse it; the value names the reason.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// It could not be decided or stored, for example because the disk is full. Plain words for the operator.
    #[error("{0}")]
    Unavailable(String),
}

/// How the gateway is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// What is wrong, most serious first; empty when all is well.
    pub problems: Vec<Problem>,
}

impl Health {
    /// Whether the gateway does its work: no problem is serious.
    #[must_use]
    pub fn is_working(&self) -> bool {
        !self.problems.iter().any(|problem| problem.serious)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether decisions cannot be made or stored because of it; otherwise it only needs attention.
    pub serious: bool,
    /// What is wrong and what to do, as a sentence: `The disk is full. Nothing can be sold until there is space.`
    pub words: String,
}
