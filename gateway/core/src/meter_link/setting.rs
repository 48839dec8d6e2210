//! What people set about a usage point at commissioning: its phase, and whether its cuts are carried out.

use crate::FeederId;
use serde::{Deserialize, Serialize};

/// Which phases of the feeder a connection hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeederPhase {
    /// L1.
    A,
    /// L2.
    B,
    /// L3.
    C,
    /// All three.
    Three,
}

impl FeederPhase {
    /// As people write it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::Three => "A, B and C",
        }
    }
}

/// What somebody set about carrying out cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arming {
    /// As the site is.
    #[default]
    Site,
    /// Cuts are carried out, whatever the site is.
    Armed,
    /// Cuts are shown and not carried out, whatever the site is.
    Shadow,
}

impl Arming {
    /// Whether it is the default.
    #[must_use]
    pub fn is_site(&self) -> bool {
        *self == Self::Site
    }

    /// Whether cuts are carried out at a site that is armed or not.
    #[must_use]
    pub fn armed(self, site_armed: bool) -> bool {
        match self {
            Self::Site => site_armed,
            Self::Armed => true,
            Self::Shadow => false,
        }
    }
}

/// Something people set about a usage point at commissioning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "setting", rename_all = "kebab-case")]
pub enum PointSetting {
    /// The feeder's phase it hangs on; `None`: not known.
    Phase {
        /// The phase.
        phase: Option<FeederPhase>,
    },
    /// The feeder it hangs on; `None`: not known.
    Feeder {
        /// The feeder.
        feeder: Option<FeederId>,
    },
    /// Whether cuts are carried out.
    Arming {
        /// As set.
        arming: Arming,
    },
}

impl PointSetting {
    /// Its name on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Phase { .. } => "phase",
            Self::Feeder { .. } => "feeder",
            Self::Arming { .. } => "arming",
        }
    }
}
