//! What the head-end has stored.

use super::envelope::{hex, unhex};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Told of rows before they count as stored: a database, a file, or nothing. It returns once they are safe.
pub trait Landing: Send {
    /// Journal rows of a gateway, in order.
    ///
    /// # Errors
    /// They are not stored; the gateway is not told anything.
    fn journal(&mut self, gateway: &str, rows: &[JournalRow]) -> Result<(), String>;
    /// Profile rows: end, node, register, exact; and the cursor after them.
    ///
    /// # Errors
    /// They are not stored.
    fn profile(
        &mut self,
        gateway: &str,
        rows: &[(i64, u32, u64, bool)],
        to: u64,
    ) -> Result<(), String>;
}

impl Landing for () {
    fn journal(&mut self, _: &str, _: &[JournalRow]) -> Result<(), String> {
        Ok(())
    }
    fn profile(&mut self, _: &str, _: &[(i64, u32, u64, bool)], _: u64) -> Result<(), String> {
        Ok(())
    }
}

/// A journal row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRow {
    /// Which continuation.
    pub branch: u64,
    /// Its number.
    pub number: u64,
    /// Its time.
    pub at: i64,
    /// Its body.
    pub body: String,
    /// Its hash, in hexadecimal digits.
    pub hash: String,
}

/// An order that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderKept {
    /// Its name.
    pub id: String,
    /// Not before.
    pub not_before: i64,
    /// Not after.
    pub not_after: i64,
    /// What.
    pub act: Value,
    /// Its final receipt.
    pub receipt: Option<Value>,
    /// What it waits for, said last.
    pub waiting: Option<String>,
}

/// One gateway.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// Its public key.
    pub key: String,
    /// The code it enrolled with.
    pub code: String,
    /// The instance accepted last.
    pub accepted: Option<String>,
    /// Those before it.
    pub past: Vec<String>,
    /// The present branch.
    pub branch: u64,
    /// Where it began, and the hash there.
    pub branch_after: (u64, String),
    /// Rows of all branches, in the order they came.
    pub journal: Vec<JournalRow>,
    /// The place in `journal` at which the present branch begins.
    pub branch_place: usize,
    /// Profile registers and whether they are exact, by "end node".
    pub profile: BTreeMap<String, (u64, bool)>,
    /// Up to where profile rows are stored.
    pub profile_cursor: u64,
    /// Orders by sequence.
    pub orders: BTreeMap<u64, OrderKept>,
    /// The last sequence.
    pub sequence: u64,
    /// The last hello.
    pub last_hello: Map<String, Value>,
    /// Status and case: head and rows.
    pub retained: BTreeMap<String, (Map<String, Value>, String)>,
}

/// Everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// Gateways.
    pub sites: BTreeMap<String, Site>,
    /// Codes that are good.
    pub codes: Vec<String>,
    /// Codes that were used.
    pub burnt: Vec<String>,
}

impl Site {
    pub(super) fn enrol(&mut self, key: &str, code: &str) {
        self.key = key.into();
        self.code = code.into();
        self.accepted = None;
        self.past.clear();
        self.branch = self.branch.max(1);
        self.orders.clear();
        self.sequence = 0;
    }

    /// Rows of the present branch.
    pub(super) fn branch_rows(&self) -> &[JournalRow] {
        self.journal.get(self.branch_place..).unwrap_or_default()
    }

    /// The last row stored: number and hash.
    #[must_use]
    pub fn cursor(&self, id: &str) -> (u64, String) {
        match self.branch_rows().last() {
            Some(row) => (row.number, row.hash.clone()),
            None if self.branch_after.0 == 0 => (0, hex(&Sha256::digest(unhex(id)))),
            None => self.branch_after.clone(),
        }
    }

    /// The hash of a record of the present branch, or of one it goes on from.
    #[must_use]
    pub fn hash_at(&self, id: &str, number: u64) -> Option<String> {
        if number == 0 {
            return Some(hex(&Sha256::digest(unhex(id))));
        }
        let found = self.journal.iter().rev().find(|row| {
            row.number == number && (row.branch == self.branch || number <= self.branch_after.0)
        });
        found.map(|row| row.hash.clone())
    }

    /// Whether the gateway's head fits what is stored.
    pub(super) fn agrees(&self, id: &str, hello: &Map<String, Value>) -> bool {
        let head = &hello["head"];
        let (number, hash) = (head["number"].as_u64().unwrap_or(0), head["hash"].as_str());
        if hello["branch"].as_u64() != Some(self.branch) {
            return false;
        }
        let cursor = self.cursor(id).0;
        match number < cursor {
            true => false,
            false if number == cursor => self.hash_at(id, number).as_deref() == hash,
            false => true,
        }
    }

    /// The last record both sides have, by the marks of the last hello.
    #[must_use]
    pub fn common(&self, id: &str) -> u64 {
        let marks = self.last_hello.get("marks").and_then(Value::as_array);
        let both = |mark: &Value| {
            let number = mark["number"].as_u64()?;
            let ours = self.hash_at(id, number)?;
            (mark["hash"].as_str() == Some(ours.as_str())).then_some(number)
        };
        let marks = marks.into_iter().flatten();
        marks.filter_map(both).max().unwrap_or(0)
    }

    /// A branch that was ordered has begun, though the receipt has not come yet.
    pub(super) fn follow(&mut self, branch: u64) {
        let ordered = self.orders.values().find(|order| {
            order.act["command"] == "reconcile"
                && order.act["branch"].as_u64() == Some(branch)
                && branch > self.branch
        });
        if let Some(act) = ordered.map(|order| order.act.clone()) {
            self.begin_branch(&act);
        }
    }

    pub(super) fn begin_branch(&mut self, act: &Value) {
        if act["branch"].as_u64() == Some(self.branch) {
            return;
        }
        let after = act["after"].as_u64().unwrap_or(0);
        let own = || {
            let row = self.journal.iter().rev().find(|row| row.number == after);
            row.map(|row| row.hash.clone())
        };
        let named = act["hash"].as_str().map(str::to_owned);
        let hash = named.or_else(own).unwrap_or_default();
        self.branch = act["branch"].as_u64().unwrap_or(self.branch);
        self.branch_after = (after, hash);
        self.branch_place = self.journal.len();
        self.past.extend(self.accepted.take());
    }
}
