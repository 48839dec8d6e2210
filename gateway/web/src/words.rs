//! What residents read, in their language: catalogues of `gateway/i18n`, one file a language, all with the same keys.
//!
//! Decided here: which language (one chosen on the page, else the first of the browser's that there is, else English) and how a text is
//! filled in. Staff pages are in English only.

use axum::http::{HeaderMap, header};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Cookie that holds the chosen language.
pub(crate) const COOKIE: &str = "language";

const FILES: [(&str, &str); 3] = [
    ("en", include_str!("../../i18n/en.toml")),
    ("hi", include_str!("../../i18n/hi.toml")),
    ("mr", include_str!("../../i18n/mr.toml")),
];

type Texts = BTreeMap<String, String>;

/// One language.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    /// Its code, for `lang`.
    pub code: &'static str,
    texts: &'static Texts,
}

fn catalogues() -> &'static [(&'static str, Texts)] {
    static READ: OnceLock<Vec<(&'static str, Texts)>> = OnceLock::new();
    READ.get_or_init(|| FILES.map(|(code, text)| (code, parse(text))).into())
}

/// Lines of `key = "text"`: the part of TOML that a catalogue needs.
fn parse(text: &str) -> Texts {
    let line = |line: &str| {
        let (key, value) = line.split_once(" = ")?;
        let value = value.trim().strip_prefix('"')?.strip_suffix('"')?;
        Some((key.trim().to_owned(), value.to_owned()))
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(line).collect()
}

impl Words {
    /// The language of a request.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let chosen = text(header::COOKIE).and_then(|cookies| {
            let mut pairs = cookies
                .split(';')
                .filter_map(|pair| pair.trim().split_once('='));
            pairs
                .find(|(name, _)| *name == COOKIE)
                .map(|(_, code)| code)
        });
        let asked = text(header::ACCEPT_LANGUAGE).unwrap_or("");
        let asked = asked
            .split(',')
            .map(|range| range.split([';', '-']).next().unwrap_or(""));
        let codes = chosen.into_iter().chain(asked.map(str::trim));
        codes
            .filter_map(Self::named)
            .next()
            .unwrap_or_else(Self::english)
    }

    /// The language of a code, if there is one.
    pub(crate) fn named(code: &str) -> Option<Self> {
        let found = catalogues().iter().find(|(known, _)| *known == code);
        found.map(|(code, texts)| Self { code, texts })
    }

    fn english() -> Self {
        let (code, texts) = &catalogues()[0];
        Self { code, texts }
    }

    /// Every language: its code and its own name.
    pub(crate) fn all() -> Vec<(&'static str, &'static str)> {
        let named = |(code, texts): &'static (&'static str, Texts)| {
            (*code, texts.get("language").map_or(*code, String::as_str))
        };
        catalogues().iter().map(named).collect()
    }

    /// A text; the key itself if there is none, so that it is noticed.
    pub(crate) fn get(&self, key: &'static str) -> &'static str {
        self.find(key).unwrap_or(key)
    }

    /// A text, if there is one.
    pub(crate) fn find(&self, key: &str) -> Option<&'static str> {
        self.texts.get(key).map(String::as_str)
    }

    /// A text with something filled in.
    pub(crate) fn with(&self, key: &'static str, value: &str) -> String {
        self.get(key).replace("{0}", value)
    }

    /// A text with two things filled in.
    pub(crate) fn with_two(&self, key: &'static str, first: &str, second: &str) -> String {
        self.with(key, first).replace("{1}", second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::supply::Reason;

    #[test]
    fn every_language_says_the_same() {
        let all = catalogues();
        let (_, english) = &all[0];
        assert!(english.len() > 40);
        for (code, texts) in all {
            for (key, text) in english {
                let other = texts
                    .get(key)
                    .unwrap_or_else(|| panic!("{code} lacks {key}"));
                assert!(!other.is_empty(), "{code}: {key}");
                for place in ["{0}", "{1}"] {
                    assert_eq!(text.contains(place), other.contains(place), "{code}: {key}");
                }
            }
            for key in texts.keys() {
                assert!(
                    english.contains_key(key),
                    "{code} has {key}, English has not"
                );
            }
        }
    }

    #[test]
    fn every_line_of_a_catalogue_is_read_and_is_toml() {
        for (code, text) in FILES {
            let whole: BTreeMap<String, String> = toml::from_str(text).unwrap();
            assert_eq!(whole, parse(text), "{code}");
        }
    }

    #[test]
    fn every_reason_is_explained() {
        for (code, texts) in catalogues() {
            for reason in Reason::ALL {
                let name = serde_json::to_value(reason).unwrap();
                for what in ["reason", "do"] {
                    let key = format!("{what}-{}", name.as_str().unwrap());
                    assert!(texts.contains_key(&key), "{code} lacks {key}");
                }
            }
        }
    }

    #[test]
    fn the_browsers_language_is_taken_and_a_chosen_one_before_it() {
        for (accept, cookie, expected) in [
            ("", "", "en"),
            ("mr-IN,mr;q=0.9,en;q=0.8", "", "mr"),
            ("fr, hi;q=0.5", "", "hi"),
            ("fr", "", "en"),
            ("hi", "a=b; language=mr", "mr"),
            ("hi", "language=xx", "hi"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, accept.parse().unwrap());
            headers.insert(header::COOKIE, cookie.parse().unwrap());
            assert_eq!(Words::of(&headers).code, expected, "{accept} {cookie}");
        }
    }
}
