//! Journal and profile: what is stored, and what is asked for again.

use super::envelope::{hex, unhex};
use super::{HeadEnd, JournalRow, text_of};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// What to tell the gateway.
pub enum Verdict {
    /// Nothing yet: pieces are missing.
    Wait,
    /// The cursor.
    Acknowledge,
    /// Its journal is another one.
    Diverged,
}

fn chain(previous: &str, number: u64, at: i64, body: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(unhex(previous));
    hasher.update(number.to_be_bytes());
    hasher.update(at.to_be_bytes());
    hasher.update(body.as_bytes());
    hex(&hasher.finalize())
}

impl HeadEnd {
    pub(super) fn journal(
        &mut self,
        id: &str,
        head: &Map<String, Value>,
        rows: &str,
    ) -> Result<Verdict, &'static str> {
        let Some(lines) = self.whole(id, head, rows)? else {
            return Ok(Verdict::Wait);
        };
        let site = self.stored.sites.get(id).ok_or("unknown gateway")?;
        if head["branch"].as_u64() != Some(site.branch) {
            return Ok(Verdict::Diverged);
        }
        let first = head["first"].as_u64().ok_or("no first")?;
        let cursor = site.cursor(id).0;
        if first == 0 || first > cursor + 1 {
            return Ok(Verdict::Acknowledge);
        }
        let mut hash = text_of(head, "previous").to_owned();
        if site
            .hash_at(id, first - 1)
            .is_some_and(|known| known != hash)
        {
            return Ok(Verdict::Diverged);
        }
        let mut fresh = Vec::new();
        for (number, line) in (first..).zip(lines.lines()) {
            let (at, body) = line.split_once(' ').ok_or("no row")?;
            let at: i64 = at.parse().map_err(|_| "no time")?;
            hash = chain(&hash, number, at, body);
            if number <= cursor {
                if site.hash_at(id, number).is_some_and(|known| known != hash) {
                    return Ok(Verdict::Diverged);
                }
                continue;
            }
            fresh.push(JournalRow {
                branch: site.branch,
                number,
                at,
                body: body.to_owned(),
                hash: hash.clone(),
            });
        }
        if hash != text_of(head, "last") {
            return Ok(Verdict::Diverged);
        }
        if !fresh.is_empty() {
            let landed = self.landing.journal(id, &fresh);
            landed.map_err(|_| "not stored")?;
            if let Some(site) = self.stored.sites.get_mut(id) {
                site.journal.extend(fresh);
            }
        }
        Ok(Verdict::Acknowledge)
    }

    /// The rows of a message; of a row in pieces only once all are there.
    fn whole(
        &mut self,
        id: &str,
        head: &Map<String, Value>,
        rows: &str,
    ) -> Result<Option<String>, &'static str> {
        let Some(part) = head.get("part").and_then(Value::as_array) else {
            return Ok(Some(rows.to_owned()));
        };
        let number = |place: usize| part.get(place).and_then(Value::as_u64);
        let (Some(this), Some(of)) = (number(0), number(1)) else {
            return Err("no part");
        };
        let key = format!("{id} {} {of}", head["first"]);
        let pieces = self.parts.entry(key.clone()).or_default();
        let piece = rows.strip_suffix('\n').unwrap_or(rows);
        pieces.insert(this, piece.to_owned());
        if pieces.len() as u64 != of {
            return Ok(None);
        }
        let whole: String = pieces.values().map(String::as_str).collect();
        self.parts.remove(&key);
        Ok(Some(format!("{whole}\n")))
    }

    pub(super) fn profile(
        &mut self,
        id: &str,
        head: &Map<String, Value>,
        rows: &str,
    ) -> Result<Verdict, &'static str> {
        let from = head["from"].as_u64().ok_or("no from")?;
        let to = head["to"].as_u64().ok_or("no to")?;
        let site = self.stored.sites.get(id).ok_or("unknown gateway")?;
        if from > site.profile_cursor || to <= site.profile_cursor {
            return Ok(Verdict::Acknowledge);
        }
        let mut parsed = Vec::new();
        for line in rows.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [end, node, register, exact] = words[..] else {
                return Err("no profile row");
            };
            let row = (|| {
                let (end, node) = (end.parse().ok()?, node.parse().ok()?);
                Some((end, node, register.parse().ok()?, exact == "1"))
            })();
            parsed.push(row.ok_or("no profile row")?);
        }
        let landed = self.landing.profile(id, &parsed, to);
        landed.map_err(|_| "not stored")?;
        let Some(site) = self.stored.sites.get_mut(id) else {
            return Err("unknown gateway");
        };
        for (end, node, register, exact) in parsed {
            let kept = site.profile.entry(format!("{end} {node}"));
            let kept = kept.or_insert((register, exact));
            if exact && !kept.1 {
                *kept = (register, true);
            }
        }
        site.profile_cursor = to;
        Ok(Verdict::Acknowledge)
    }
}
