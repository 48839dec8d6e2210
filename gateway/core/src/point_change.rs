//! What the office changes at a usage point: its name, the limit of its connection, its next tariff, a message to its resident.
//!
//! Decided here: what such a change is and what it leaves behind. Not decided here: who may make it ([`crate::decide`]), and how the next tariff
//! takes over (as another version does).

use crate::calendar::LocalDay;
use crate::usage_point::UsagePoint;
use crate::{UsagePointId, UtcSeconds};
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Longest message, in bytes: what a resident reads in one go, and a fifth of a text message of old in other scripts.
pub const LONGEST_MESSAGE: usize = 320;

/// A change at a usage point: asked for, or decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointChange {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// Who; `gateway` for a message whose time is over.
    pub by: String,
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum What {
    /// What people call it.
    Label {
        /// The new name.
        label: String,
    },
    /// Largest power of the connection.
    MaxPower {
        /// Watts.
        max_power_w: u32,
    },
    /// The tariff of its account from a day on.
    Tariff {
        /// A family, or the id of a version; decided: the id of the version of that day.
        tariff: String,
        /// The day, tomorrow at the earliest; tomorrow if absent.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "day")]
        from: Option<LocalDay>,
    },
    /// The message to its resident.
    Message {
        /// Up to [`LONGEST_MESSAGE`] bytes; empty: none any more. A node's display shows as much as it can.
        text: String,
        /// Until when it is shown; as long as no other comes if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<UtcSeconds>,
    },
}

impl What {
    /// Its name on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Label { .. } => "label",
            Self::MaxPower { .. } => "max-power",
            Self::Tariff { .. } => "tariff",
            Self::Message { .. } => "message",
        }
    }
}

/// A day as people and head-ends write it: `2026-12-01`.
mod day {
    use crate::calendar::LocalDay;
    use alloc::string::String;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(
        day: &Option<LocalDay>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match day {
            Some(day) => serializer.collect_str(day),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<LocalDay>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let day = text.map(|text| text.parse().map_err(D::Error::custom));
        day.transpose()
    }
}

/// A message to the resident of a usage point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The words.
    pub text: String,
    /// When it came.
    pub at: UtcSeconds,
    /// Until when it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UtcSeconds>,
}

/// The tariff that an account goes over to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextTariff {
    /// Id of the version.
    pub id: String,
    /// Its first day here.
    pub from: LocalDay,
}

impl UsagePoint {
    /// Makes a change true.
    pub(crate) fn change(&mut self, at: UtcSeconds, change: &PointChange) {
        match &change.what {
            What::Label { label } => self.label.clone_from(label),
            What::MaxPower { max_power_w } => self.max_power_w = *max_power_w,
            What::Tariff { tariff, from } => {
                let next = |from: LocalDay| NextTariff {
                    id: tariff.clone(),
                    from,
                };
                self.next_tariff = from.filter(|_| *tariff != self.account.tariff).map(next);
            }
            What::Message { text, until } => {
                self.message = (!text.is_empty()).then(|| Message {
                    text: text.clone(),
                    at,
                    until: *until,
                });
            }
        }
    }
}
