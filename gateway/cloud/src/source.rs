//! What the uplink reads of the site: committed rows only, some at a time.

use crate::message::HeadMark;
use gateway_core::order::Hex32;
use gateway_core::{NodeId, UtcSeconds, WattHours};

/// A row of the journal, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub number: u64,
    /// Its time.
    pub at: UtcSeconds,
    /// Its body.
    pub body: String,
    /// Its hash.
    pub hash: Hex32,
}

/// A row of a load profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfileRow {
    /// When it was written: only the order matters.
    pub written: u64,
    /// End of the half hour.
    pub end: UtcSeconds,
    /// The node.
    pub node: NodeId,
    /// Its raw register.
    pub register: WattHours,
    /// Whether the node measured it there.
    pub exact: bool,
}

/// Something open: one JSON object, one line.
pub type Case = String;

/// The database cannot be read; in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// What [`crate::message::Status`] says of the site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SiteFacts {
    /// Its name.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// What the clock shows.
    pub at: UtcSeconds,
    /// Whether it is believed.
    pub clock_trusted: bool,
    /// Usage points.
    pub usage_points: u32,
    /// Whether money is held.
    pub money_held: bool,
    /// Which continuation of the journal this is.
    pub branch: u32,
    /// The last record of the branch before that both sides have.
    pub branch_after: u64,
    /// Single readings before this moment were shed; 0: only by age.
    pub shed_readings_before: i64,
    /// What is wrong, in words.
    pub problems: Vec<String>,
}

/// The site, as far as the uplink can see it.
pub trait Source {
    /// The end of the journal.
    ///
    /// # Errors
    /// The database cannot be read; so for every call.
    fn head(&self) -> Result<HeadMark, SourceError>;
    /// Rows after a number, oldest first, until their bodies together pass so many bytes; at least one if there is one.
    ///
    /// # Errors
    /// See above.
    fn rows_after(&self, number: u64, bytes: usize) -> Result<Vec<Row>, SourceError>;
    /// The hash of a record; of number 0 the hash before the first.
    ///
    /// # Errors
    /// See above.
    fn hash_of(&self, number: u64) -> Result<Option<Hex32>, SourceError>;
    /// The end of the profile stream.
    ///
    /// # Errors
    /// See above.
    fn profile_head(&self) -> Result<u64, SourceError>;
    /// Profile rows written after a moment of writing, about so many; those of one moment come together.
    ///
    /// # Errors
    /// See above.
    fn profile_after(&self, written: u64, most: u32) -> Result<Vec<ProfileRow>, SourceError>;
    /// How many profile rows were written after a moment of writing.
    ///
    /// # Errors
    /// See above.
    fn profile_backlog(&self, written: u64) -> Result<u64, SourceError>;
    /// What is open.
    ///
    /// # Errors
    /// See above.
    fn cases(&self) -> Result<Vec<Case>, SourceError>;
    /// How the site is.
    fn facts(&self) -> SiteFacts;
}
