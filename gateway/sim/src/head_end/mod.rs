//! A head-end for tests, written from `docs/cloud.md` alone and independent of the gateway's own code: it stores, acknowledges, asks for gaps,
//! verifies the chain, signs orders, and misbehaves on request.
//!
//! It is a function of what it is told: payloads and the time come in, payloads come out. What it has stored is [`Stored`]; a
//! crash is a new [`HeadEnd`] with the same store.

mod envelope;
mod rows;
pub mod server;
mod store;

pub use envelope::{Key, open};
pub use store::{JournalRow, Landing, OrderKept, Site, Stored};

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How it misbehaves, in percent of the messages.
#[derive(Debug, Clone, Copy, Default)]
pub struct Misbehaviour {
    /// Stores and does not say so.
    pub forgets_acks: u32,
    /// Says an old cursor again.
    pub repeats_acks: u32,
    /// Sends each order twice.
    pub doubles_orders: bool,
}

/// Something to publish: topic without its prefix, and payload.
pub type Outgoing = (String, Vec<u8>);

/// The head-end.
pub struct HeadEnd {
    key: Key,
    /// What is stored.
    pub stored: Stored,
    /// How it misbehaves.
    pub misbehaviour: Misbehaviour,
    /// Told of rows before they count as stored.
    pub landing: Box<dyn Landing>,
    /// What was dropped, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    parts: BTreeMap<String, BTreeMap<u64, String>>,
    chance: crate::random::Random,
    last_ack: BTreeMap<String, Vec<u8>>,
}

impl HeadEnd {
    /// A head-end with a key and what it stored in earlier lives.
    #[must_use]
    pub fn new(seed: [u8; 32], stored: Stored, landing: Box<dyn Landing>) -> Self {
        Self {
            key: Key::from_seed(&seed),
            stored,
            misbehaviour: Misbehaviour::default(),
            landing,
            dropped: BTreeMap::new(),
            parts: BTreeMap::new(),
            chance: crate::random::Random::new(u64::from_be_bytes([
                seed[0], seed[1], seed[2], seed[3], 5, 6, 7, 8,
            ])),
            last_ack: BTreeMap::new(),
        }
    }

    /// Its public key in hexadecimal digits.
    #[must_use]
    pub fn public(&self) -> String {
        self.key.public()
    }

    /// Lets a gateway enrol with a code.
    pub fn expect(&mut self, code: &str) {
        let plain: String = code.chars().filter(|c| *c != '-').collect();
        self.stored.codes.push(plain.to_uppercase());
    }

    /// A payload has come on a topic (without its prefix).
    pub fn heard(&mut self, path: &str, payload: &[u8], now: i64) -> Vec<Outgoing> {
        match self.answer(path, payload, now) {
            Ok(out) => out,
            Err(why) => {
                *self.dropped.entry(why).or_default() += 1;
                Vec::new()
            }
        }
    }

    fn answer(
        &mut self,
        path: &str,
        payload: &[u8],
        now: i64,
    ) -> Result<Vec<Outgoing>, &'static str> {
        let mut levels = path.splitn(2, '/');
        let (id, channel) = (levels.next().unwrap_or(""), levels.next().unwrap_or(""));
        if channel == "up/enrol" {
            return self.enrol(id, path, payload);
        }
        if payload.is_empty() {
            return Ok(Vec::new());
        }
        let site = self.stored.sites.get(id).ok_or("unknown gateway")?;
        let text = open(&site.key, path, payload)?;
        let (head, rows) = text.split_once('\n').ok_or("no head")?;
        let head: Value = serde_json::from_str(head).map_err(|_| "head is no JSON")?;
        let head = head.as_object().ok_or("head is no object")?;
        match channel {
            "up/hello" => Ok(self.hello(id, head, now)),
            "up/receipt" => {
                self.receipt(id, head);
                Ok(Vec::new())
            }
            "up/status" | "up/case" => {
                let site = self.stored.sites.get_mut(id).ok_or("unknown gateway")?;
                let kept = (head.clone(), rows.to_owned());
                site.retained.insert(channel.to_owned(), kept);
                Ok(Vec::new())
            }
            "up/journal" | "up/profile" => {
                let instance = text_of(head, "instance");
                let site = self.stored.sites.get(id).ok_or("unknown gateway")?;
                if site.accepted.as_deref() != Some(instance) {
                    let ack = self.ack(id, instance, None, now, Some("superseded"));
                    return Ok(ack.into_iter().collect());
                }
                let verdict = match channel {
                    "up/journal" => self.journal(id, head, rows),
                    _ => self.profile(id, head, rows),
                };
                Ok(self.say(id, instance, verdict?, now))
            }
            _ => Err("unknown channel"),
        }
    }

    /// An acknowledgement, unless it is forgotten.
    fn say(&mut self, id: &str, instance: &str, verdict: rows::Verdict, now: i64) -> Vec<Outgoing> {
        let refused = match verdict {
            rows::Verdict::Wait => return Vec::new(),
            rows::Verdict::Acknowledge => None,
            rows::Verdict::Diverged => Some("diverged"),
        };
        let path = format!("{id}/down/ack");
        if self.chance.between(1, 100) <= self.misbehaviour.forgets_acks {
            return Vec::new();
        }
        if self.chance.between(1, 100) <= self.misbehaviour.repeats_acks
            && let Some(old) = self.last_ack.get(id)
        {
            return vec![(path, old.clone())];
        }
        self.ack(id, instance, None, now, refused)
            .into_iter()
            .collect()
    }

    fn ack(
        &mut self,
        id: &str,
        instance: &str,
        nonce: Option<&str>,
        now: i64,
        refused: Option<&str>,
    ) -> Option<Outgoing> {
        let site = self.stored.sites.get(id)?;
        let (number, hash) = site.cursor(id);
        let mut ack = json!({
            "instance": instance, "branch": site.branch,
            "journal": {"number": number, "hash": hash},
            "profile": site.profile_cursor, "at": now,
        });
        if let Some(nonce) = nonce {
            ack["nonce"] = json!(nonce);
        }
        if let Some(refused) = refused {
            ack["refused"] = json!(refused);
        }
        let path = format!("{id}/down/ack");
        let payload = self.key.seal(&path, &format!("{ack}\n"));
        if nonce.is_none() && refused.is_none() {
            self.last_ack.insert(id.to_owned(), payload.clone());
        }
        Some((path, payload))
    }

    fn hello(&mut self, id: &str, head: &Map<String, Value>, now: i64) -> Vec<Outgoing> {
        let (instance, nonce) = (text_of(head, "instance"), text_of(head, "nonce"));
        let Some(site) = self.stored.sites.get_mut(id) else {
            return Vec::new();
        };
        let lineage: Vec<&str> = head["lineage"]
            .as_array()
            .map(|list| list.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let branch = head["branch"].as_u64().unwrap_or(0);
        site.last_hello = head.clone();
        site.follow(branch);
        let refused = if site.past.iter().any(|past| past == instance) {
            Some("superseded")
        } else if branch == site.branch
            && site
                .accepted
                .as_deref()
                .is_some_and(|known| known != instance && !lineage.contains(&known))
        {
            Some("copy")
        } else if !site.agrees(id, head) {
            Some("diverged")
        } else {
            None
        };
        if refused.is_none() && site.accepted.as_deref() != Some(instance) {
            site.past.extend(site.accepted.replace(instance.to_owned()));
        }
        let instance = instance.to_owned();
        let mut out: Vec<Outgoing> = self
            .ack(id, &instance, Some(nonce), now, refused)
            .into_iter()
            .collect();
        out.extend(self.repeat_orders(id));
        out
    }

    fn receipt(&mut self, id: &str, head: &Map<String, Value>) {
        let Some(site) = self.stored.sites.get_mut(id) else {
            return;
        };
        let outcome = text_of(head, "outcome").to_owned();
        let sequence = head["sequence"].as_u64().unwrap_or(0);
        let Some(order) = site.orders.get_mut(&sequence) else {
            return;
        };
        if text_of(head, "order") != order.id || order.receipt.is_some() {
            return;
        }
        if outcome == "waiting" {
            order.waiting = Some(text_of(head, "refusal").to_owned());
            return;
        }
        order.receipt = Some(Value::Object(head.clone()));
        let (done, act) = (outcome == "done", order.act.clone());
        if done && act["command"] == "reconcile" {
            site.begin_branch(&act);
        }
        if done && act["command"] == "roll-key" {
            self.key.roll();
        }
    }

    /// Gives an order; it is repeated until it has its receipt. Returns its sequence; 0 for a gateway nobody knows.
    pub fn order(&mut self, id: &str, act: Value, (not_before, not_after): (i64, i64)) -> u64 {
        let Some(site) = self.stored.sites.get_mut(id) else {
            return 0;
        };
        site.sequence += 1;
        let sequence = site.sequence;
        let mut act = act;
        if act["command"] == "roll-key" {
            act["key"] = json!(self.key.next_public());
        }
        let order = OrderKept {
            id: format!("order-{sequence}"),
            not_before,
            not_after,
            act,
            receipt: None,
            waiting: None,
        };
        site.orders.insert(sequence, order);
        sequence
    }

    /// Every order without a receipt, signed with the present key.
    pub fn repeat_orders(&self, id: &str) -> Vec<Outgoing> {
        let Some(site) = self.stored.sites.get(id) else {
            return Vec::new();
        };
        let path = format!("{id}/down/order");
        let times = 1 + usize::from(self.misbehaviour.doubles_orders);
        let open = site
            .orders
            .iter()
            .filter(|(_, order)| order.receipt.is_none());
        let sealed = open.map(|(sequence, order)| {
            let content = json!({
                "order": order.id, "gateway": id, "sequence": sequence,
                "not_before": order.not_before, "not_after": order.not_after, "do": order.act,
            });
            (path.clone(), self.key.seal(&path, &format!("{content}\n")))
        });
        sealed.flat_map(|order| vec![order; times]).collect()
    }

    fn enrol(
        &mut self,
        id: &str,
        path: &str,
        payload: &[u8],
    ) -> Result<Vec<Outgoing>, &'static str> {
        let (request, code) = envelope::enrolment(&self.stored.codes, id, path, payload)?;
        let (key, nonce) = (text_of(&request, "key"), text_of(&request, "nonce"));
        let is_new = self
            .stored
            .sites
            .get(id)
            .is_none_or(|site| site.key != key || site.code != code);
        let is_burnt = self.stored.burnt.contains(&code);
        if is_new {
            if is_burnt {
                return Err("code used before");
            }
            let mut site = self.stored.sites.remove(id).unwrap_or_default();
            site.enrol(key, &code);
            self.stored.sites.insert(id.to_owned(), site);
            self.stored.burnt.push(code.clone());
        }
        let public = self.key.public();
        let lines = format!("enrolled\n{id}\n{key}\n{public}\n{nonce}");
        let answer = json!({
            "gateway": id, "key": public, "nonce": nonce, "proof": envelope::proof(&code, &lines),
        });
        let path = format!("{id}/down/enrolled");
        let payload = self.key.seal(&path, &format!("{answer}\n"));
        Ok(vec![(path, payload)])
    }
}

fn text_of<'a>(head: &'a Map<String, Value>, name: &str) -> &'a str {
    head.get(name).and_then(Value::as_str).unwrap_or("")
}
