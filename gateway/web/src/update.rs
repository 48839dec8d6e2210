//! How updates are, in facts.

/// What is known of updates, on a machine where the gateway is installed as a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateFacts {
    /// The version that runs.
    pub version: String,
    /// A signed package on a stick that may be installed.
    pub waiting: Option<WaitingUpdate>,
    /// The last update.
    pub last: Option<LastUpdate>,
}

/// A signed package that may be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingUpdate {
    /// Its version.
    pub version: String,
    /// Where it lies.
    pub file: String,
}

/// How the last update ended, or where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUpdate {
    /// What happened.
    pub words: String,
    /// When, UTC.
    pub at: String,
    /// Whether nobody has to look: it works, or is under way.
    pub is_well: bool,
}
