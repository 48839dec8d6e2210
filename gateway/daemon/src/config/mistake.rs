//! A mistake in a file that people write: where, which key, what is wrong, and what was probably meant.

use serde::Serialize;
use std::fmt;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Line in the file, from 1; absent if the mistake is not in a line (a file that is missing).
    pub line: Option<usize>,
    /// The key with its section, for example `web.listen`; empty for a syntax error.
    pub key: String,
    /// What is wrong and what to write instead.
    pub what: String,
    /// The nearest right key, with its section, if the key is unknown and one is near.
    pub nearest: Option<String>,
}

impl Mistake {
    /// A mistake at a key.
    pub fn at(line: Option<usize>, key: &str, what: impl Into<String>) -> Self {
        Self {
            line,
            key: key.into(),
            what: what.into(),
            nearest: None,
        }
    }
}

impl fmt::Display for Mistake {
    /// `line 4: web.lisen: no such key; did you mean web.listen?`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

/// The candidate nearest to a text, if one is near enough to have been meant.
pub fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Half of the letters right: `lisen` finds `listen`, `foo` finds nothing.
    const NEAR: f64 = 0.5;
    let text = text.to_lowercase().replace('-', "_");
    candidates
        .map(|candidate| {
            let near = strsim::normalized_damerau_levenshtein(
                &text,
                &candidate.to_lowercase().replace('-', "_"),
            );
            (near, candidate)
        })
        .filter(|(near, _)| *near >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
