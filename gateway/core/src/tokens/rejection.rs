//! Why a token was not taken. Values, in order of precedence.

use core::fmt;
use serde::{Deserialize, Serialize};

/// A named rejection. The first that applies is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rejection {
    /// The text is not 20 digits.
    NotTwentyDigits,
    /// The 20 digits are above 2^66 − 1, which no token is.
    NumberTooLarge,
    /// Too many wrong entries; wait.
    LockedOut {
        /// Seconds until the next entry is looked at.
        wait_s: u32,
    },
    /// Class 3, which no token has.
    ClassUnknown,
    /// The site has no key for the usage point, or another than the one its tokens were accepted with.
    KeyNotProvisioned,
    /// The token is good under another key: an earlier one of this usage point, or another usage point's.
    WrongKey,
    /// The checksum is wrong under every key known here.
    ChecksumWrong,
    /// A sub-class without meaning.
    SubclassUnknown,
    /// A credit for water.
    ForWater,
    /// A credit for gas.
    ForGas,
    /// A credit for time.
    ForTime,
    /// A credit in money, whose coding is not published.
    InMoney,
    /// A tariff rate; tariffs come from the site's files.
    TariffRateNotUsed,
    /// Clears a credit register that is not electricity's.
    RegisterNotHere,
    /// The key in the meter is a default key, which takes no credit: change the key first.
    DefaultKeyInUse,
    /// The key expired before the token was issued.
    KeyExpired,
    /// Issued before the oldest token remembered; it may have been used.
    Old,
    /// Used before.
    Used,
    /// The new key's numbers are out of range; the parts collected so far are dropped.
    NewKeyFaulty,
    /// The new key was in use before the token memory was cleared, or would clear it for a key in use; its tokens could be
    /// used twice. The parts collected so far are dropped.
    NewKeyRetired,
    /// More key changes than are kept; provision the present key. The parts collected so far are dropped.
    TooManyKeyChanges,
}

impl Rejection {
    /// Whether it counts towards the lock-out: an entry that no vending system issued for this usage point.
    #[must_use]
    pub fn is_wrong_entry(self) -> bool {
        matches!(
            self,
            Self::ClassUnknown | Self::WrongKey | Self::ChecksumWrong
        )
    }

    /// Whether the key parts collected so far are dropped.
    #[must_use]
    pub fn drops_key_parts(self) -> bool {
        matches!(
            self,
            Self::NewKeyFaulty | Self::NewKeyRetired | Self::TooManyKeyChanges
        )
    }

    /// Stable name for metrics and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotTwentyDigits => "not-twenty-digits",
            Self::NumberTooLarge => "number-too-large",
            Self::LockedOut { .. } => "locked-out",
            Self::ClassUnknown => "class-unknown",
            Self::KeyNotProvisioned => "key-not-provisioned",
            Self::WrongKey => "wrong-key",
            Self::ChecksumWrong => "checksum-wrong",
            Self::SubclassUnknown => "subclass-unknown",
            Self::ForWater => "for-water",
            Self::ForGas => "for-gas",
            Self::ForTime => "for-time",
            Self::InMoney => "in-money",
            Self::TariffRateNotUsed => "tariff-rate-not-used",
            Self::RegisterNotHere => "register-not-here",
            Self::DefaultKeyInUse => "default-key-in-use",
            Self::KeyExpired => "key-expired",
            Self::Old => "old",
            Self::Used => "used",
            Self::NewKeyFaulty => "new-key-faulty",
            Self::NewKeyRetired => "new-key-retired",
            Self::TooManyKeyChanges => "too-many-key-changes",
        }
    }
}

impl fmt::Display for Rejection {
    /// What is wrong and what to do next, to stand after "failed to …:".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LockedOut { wait_s } => {
                return write!(
                    f,
                    "too many wrong tokens; wait {wait_s} s and enter it again"
                );
            }
            Self::NotTwentyDigits => "a token has 20 digits; enter all of them",
            Self::NumberTooLarge => "no token has this number; check the digits",
            Self::ClassUnknown => "no token has this number; check the digits",
            Self::KeyNotProvisioned => {
                "the site has no token key for this usage point; provision it"
            }
            Self::WrongKey => {
                "the token is for another meter or an earlier key; return it where it was bought"
            }
            Self::ChecksumWrong => {
                "the digits are wrong or the token is for another meter; check the digits"
            }
            Self::SubclassUnknown => "the token asks for something this meter does not know",
            Self::ForWater => "the token is for a water meter",
            Self::ForGas => "the token is for a gas meter",
            Self::ForTime => "the token is for a time meter",
            Self::InMoney => "the token is in money; this site takes tokens in kilowatt-hours",
            Self::TariffRateNotUsed => {
                "the token sets a tariff rate; tariffs come from the site's files"
            }
            Self::RegisterNotHere => "the token clears a register this meter does not have",
            Self::DefaultKeyInUse => {
                "the meter still has its default key; enter its key change tokens first"
            }
            Self::KeyExpired => {
                "the meter's key expired before the token was issued; ask for key change tokens"
            }
            Self::Old => {
                "the token is older than the oldest remembered; return it where it was bought"
            }
            Self::Used => "the token was used before",
            Self::NewKeyFaulty => {
                "the key change tokens do not belong together; enter the whole set again"
            }
            Self::NewKeyRetired => {
                "the key change tokens lead back to a key that is out of use; ask for new ones"
            }
            Self::TooManyKeyChanges => {
                "too many key changes; provision the present key at the site"
            }
        })
    }
}

impl core::error::Error for Rejection {}
