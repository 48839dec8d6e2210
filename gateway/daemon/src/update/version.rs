//! A package's version, ordered as dpkg orders them (deb-version(7)), without asking dpkg: the daemon may run no other program.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Longest version: dpkg's own names are far shorter.
const LONGEST: usize = 100;

/// `[EPOCH:]UPSTREAM[-REVISION]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(String);

impl Version {
    /// Epoch, upstream version, revision.
    fn parts(&self) -> (u32, &str, &str) {
        let (epoch, rest) = self.0.split_once(':').unwrap_or(("0", &self.0));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        (epoch.parse().unwrap_or(0), upstream, revision)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no version");
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        let upstream = rest.rsplit_once('-').map_or(rest, |(upstream, _)| upstream);
        let fits = |letter: u8| letter.is_ascii_alphanumeric() || b".+~-".contains(&letter);
        let is_one = text.len() <= LONGEST
            && epoch.bytes().all(|letter| letter.is_ascii_digit())
            && epoch.parse::<u32>().is_ok()
            && upstream.starts_with(|letter: char| letter.is_ascii_digit())
            && rest.bytes().all(fits)
            && !rest.ends_with('-');
        is_one.then(|| Self(text.to_owned())).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mine, theirs) = (self.parts(), other.parts());
        let by_epoch = mine.0.cmp(&theirs.0);
        by_epoch
            .then_with(|| compare(mine.1.as_bytes(), theirs.1.as_bytes()))
            .then_with(|| compare(mine.2.as_bytes(), theirs.2.as_bytes()))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

/// In turn a part without digits and a number.
fn compare(mut one: &[u8], mut other: &[u8]) -> Ordering {
    while !one.is_empty() || !other.is_empty() {
        let (words, others) = (without_digits(&mut one), without_digits(&mut other));
        let longest = words.len().max(others.len());
        for place in 0..longest {
            let order = weight(words.get(place)).cmp(&weight(others.get(place)));
            if order != Ordering::Equal {
                return order;
            }
        }
        let (number, others) = (number(&mut one), number(&mut other));
        let order = number.len().cmp(&others.len()).then(number.cmp(others));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

fn without_digits<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(u8::is_ascii_digit);
    let (taken, rest) = text.split_at(end.unwrap_or(text.len()));
    *text = rest;
    taken
}

/// The digits at the beginning, leading zeros taken off.
fn number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|letter| !letter.is_ascii_digit());
    let (taken, rest) = text.split_at(end.unwrap_or(text.len()));
    *text = rest;
    let zeros = taken.iter().take_while(|&&digit| digit == b'0').count();
    &taken[zeros..]
}

/// A tilde before the end, the end before letters, letters before everything else.
fn weight(letter: Option<&u8>) -> i32 {
    match letter {
        Some(b'~') => -1,
        None => 0,
        Some(&letter) if letter.is_ascii_alphabetic() => letter.into(),
        Some(&letter) => i32::from(letter) + 256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect(text)
    }

    #[test]
    fn versions_are_ordered_as_dpkg_orders_them() {
        // Each was asked of `dpkg --compare-versions`.
        for (one, order, other) in [
            ("0.1.0-1", "lt", "0.1.0-2"),
            ("0.9-1", "lt", "0.10-1"),
            ("1.0~rc1-1", "lt", "1.0-1"),
            ("1.0-1~bpo12+1", "lt", "1.0-1"),
            ("1.0-1", "lt", "1.0-1+deb12u1"),
            ("1.0", "lt", "1.0a"),
            ("1.0a", "lt", "1.0+b"),
            ("2.0", "lt", "1:0.1"),
            ("1.007", "eq", "1.7"),
            ("1.0", "eq", "1.0-0"),
            ("1.0-1-2", "gt", "1.0-1"),
            ("1.2.3.10", "gt", "1.2.3.9z"),
        ] {
            let expected = match order {
                "lt" => Ordering::Less,
                "eq" => Ordering::Equal,
                _ => Ordering::Greater,
            };
            assert_eq!(version(one).cmp(&version(other)), expected, "{one} {other}");
            let turned = version(other).cmp(&version(one));
            assert_eq!(turned, expected.reverse(), "{other} {one}");
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in [
            "",
            "a",
            "1.0-",
            "1 0",
            "x:1.0",
            "1:",
            "-1",
            "1.0_1",
            "9999999999:1",
            "1:2:3",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
        assert!("1".repeat(101).parse::<Version>().is_err());
    }
}
