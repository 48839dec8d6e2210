//! How values are written in a tariff file: amounts, times of day and component names as text.

use crate::Micro;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A time of day in minutes after midnight, 0 to 1,440; written `"17:00"`, the end of the day `"24:00"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(pub u16);

/// The text is not a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotATimeOfDay;

impl fmt::Display for NotATimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time of day; write it like 09:00 or 24:00")
    }
}

impl core::error::Error for NotATimeOfDay {}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for TimeOfDay {
    type Err = NotATimeOfDay;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let two = |part: &str| {
            let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| part.parse::<u16>().ok()).flatten()
        };
        let (hours, minutes) = text.split_once(':').ok_or(NotATimeOfDay)?;
        match (two(hours), two(minutes)) {
            (Some(hours @ 0..24), Some(minutes @ 0..60)) => Ok(Self(hours * 60 + minutes)),
            (Some(24), Some(0)) => Ok(Self(24 * 60)),
            _ => Err(NotATimeOfDay),
        }
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

fn read<E: serde::de::Error>(text: &str) -> Result<Micro, E> {
    text.parse().map_err(E::custom)
}

/// Serde for an amount written in quotes.
pub(super) mod amount {
    use super::{Micro, String, ToString, read};
    use alloc::format;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(in crate::tariff) fn serialize<S: Serializer>(
        value: &Micro,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub(in crate::tariff) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Micro, D::Error> {
        let text = String::deserialize(from).map_err(|error| {
            D::Error::custom(format!("{error} (write amounts in quotes: \"3.96\")"))
        })?;
        read(&text)
    }
}

/// Serde for an amount that may be absent.
pub(super) mod maybe_amount {
    use super::{Micro, String, ToString, read};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::tariff) fn serialize<S: Serializer>(
        value: &Option<Micro>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(amount) => serializer.serialize_some(&amount.to_string()),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::tariff) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Micro>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| read(&text)).transpose()
    }
}

/// Serde for a list of amounts.
pub(super) mod amounts {
    use super::{Micro, String, ToString, read};
    use alloc::vec::Vec;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::tariff) fn serialize<S: Serializer>(
        list: &[Micro],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(ToString::to_string))
    }

    pub(in crate::tariff) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Micro>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        texts.iter().map(|text| read(text)).collect()
    }
}

/// Serde for a list of component names.
pub(super) mod components {
    use super::String;
    use crate::rating::Component;
    use alloc::format;
    use alloc::vec::Vec;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(in crate::tariff) fn serialize<S: Serializer>(
        list: &[Component],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(list.iter().map(|component| component.name()))
    }

    pub(in crate::tariff) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Component>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        let known = |name: &String| {
            Component::by_name(name).ok_or_else(|| {
                let names = Component::ALL.map(Component::name).join(", ");
                D::Error::custom(format!("no component is called {name}; there are {names}"))
            })
        };
        names.iter().map(known).collect()
    }
}
