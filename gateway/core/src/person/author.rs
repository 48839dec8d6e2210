//! Who did something, as records write it down (`by`).
//!
//! The text is a person's name, alone or followed by the way it came in: `asha`, `asha via page`, `asha via command line`. A name here has
//! no blank, so it cannot hold a way in; records of earlier versions (`operator at 192.168.4.7`) read the same way. What the
//! gateway does by itself has a word of its own: `gateway`, `keypad`, `configuration`.
//!
//! Rules that ask for a second person compare [`person_of`], with [`is_same`].

use alloc::format;
use alloc::string::String;
use core::fmt;

/// The way something came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The page.
    Page,
    /// The HTTP API.
    Api,
    /// The command line.
    CommandLine,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Page => "page",
            Self::Api => "api",
            Self::CommandLine => "command line",
        })
    }
}

/// The author of a record: a name and the way in.
#[must_use]
pub fn author(name: &str, way: Way) -> String {
    format!("{name} via {way}")
}

/// The person an author names. Of somebody at the head-end (`cloud asha`) it is the name there.
#[must_use]
pub fn person_of(by: &str) -> &str {
    let by = by.trim();
    let name = by.strip_prefix("cloud ").unwrap_or(by);
    let name = name.split_once(" via ").map_or(name, |(name, _)| name);
    let name = name.split_once(" at ").map_or(name, |(name, _)| name);
    name.trim()
}

/// Whether two authors are the same person.
#[must_use]
pub fn is_same(by: &str, other: &str) -> bool {
    person_of(by).eq_ignore_ascii_case(person_of(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_the_same_whatever_the_way() {
        for by in [
            "asha",
            "asha via page",
            "Asha via command line",
            "asha at 192.168.4.7",
            "cloud asha",
        ] {
            assert!(is_same(by, "asha"), "{by}");
        }
        for by in ["", "cloud", "asha2", "as", "ravi via page", "keypad"] {
            assert!(!is_same(by, "asha"), "{by}");
        }
        assert_eq!(person_of(&author("UP-0007", Way::Api)), "UP-0007");
    }
}
