//! Identifiers. Each is a small number on the wire and a short word for people.
//!
//! | type | shown as | means |
//! |---|---|---|
//! | [`UsagePointId`] | `UP-0007` | the premises' connection, owner of the account (IEC 61968 UsagePoint) |
//! | [`NodeId`] | `N-00000007` | one meter node; it can be moved or replaced |
//! | [`FeederId`] | `F-01` | one low-voltage feeder |

use core::fmt;
use core::str::FromStr;

/// The text was not an identifier of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnIdentifier;

impl fmt::Display for NotAnIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an identifier; write it like UP-0007, N-00000007 or F-01")
    }
}

impl core::error::Error for NotAnIdentifier {}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $width:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(transparent))]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{:0", $width, "}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnIdentifier;

            /// Accepts the shown form in either case, and the bare number.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let digits = match text.split_once('-') {
                    Some((prefix, rest)) if prefix.eq_ignore_ascii_case($prefix) => rest,
                    Some(_) => return Err(NotAnIdentifier),
                    None => text,
                };
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(NotAnIdentifier);
                }
                digits.parse().map($name).map_err(|_| NotAnIdentifier)
            }
        }
    };
}

identifier!(
    /// The premises' connection; owns the account, so a meter swap never moves money.
    UsagePointId, "UP", "4"
);
identifier!(
    /// One meter node. Also its MQTT client id and user name, as eight digits.
    NodeId, "N", "8"
);
identifier!(
    /// One low-voltage feeder.
    FeederId, "F", "2"
);
