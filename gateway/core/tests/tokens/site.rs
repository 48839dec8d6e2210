//! A usage point with a vending system beside it.

use gateway_core::UtcSeconds;
use gateway_core::tokens::*;

pub const KEY: &str = "f94b6ed353c3bfdb113e2d3a7ea3c41d";
pub const OTHER_KEY: &str = "290e2626f5a0d106aad1aab6411589df";

pub fn key(hex: &str) -> DecoderKey {
    DecoderKey::from_hex(&Algorithm::Ea11, hex).expect("a key")
}

pub fn terms() -> KeyTerms {
    KeyTerms {
        supply_group: 123_457,
        tariff_index: 1,
        revision: 1,
        key_type: KeyType::Unique,
        base_date: BaseDate::Y2014,
    }
}

pub fn issue(tid: u32, value: u16) -> Issue {
    Issue {
        random: 5,
        tid: Tid::new(tid).expect("24 bits"),
        value,
    }
}

pub fn credit(key: &DecoderKey, tid: u32, value: u16) -> TokenNumber {
    let commodity = Commodity::Electricity;
    seal(
        key,
        &Message::Credit {
            commodity,
            issue: issue(tid, value),
        },
    )
}

pub fn set(key: &DecoderKey, register: Register, tid: u32, value: u16) -> TokenNumber {
    let issue = issue(tid, value);
    seal(key, &Message::Set { register, issue })
}

pub fn seal(key: &DecoderKey, message: &Message) -> TokenNumber {
    message.seal(Some(key)).expect("a key was given")
}

/// The tokens that lead from one key to another.
pub fn change(
    from: &DecoderKey,
    to: &DecoderKey,
    terms: &KeyTerms,
    clear: bool,
) -> Vec<TokenNumber> {
    let new = NewKey::new(to.clone(), terms, 255, clear);
    let parts = new.parts();
    parts
        .iter()
        .map(|part| seal(from, &Message::Key(*part)))
        .collect()
}

/// A usage point, its key, and the time.
pub struct Meter {
    pub state: Acceptance,
    pub key: DecoderKey,
    pub others: Vec<DecoderKey>,
    pub now: i64,
}

impl Meter {
    pub fn new() -> Self {
        Self::with(key(KEY), terms(), 255)
    }

    pub fn with(key: DecoderKey, terms: KeyTerms, expiry: u8) -> Self {
        Self {
            state: Acceptance::new(&key, terms, expiry),
            key,
            others: Vec::new(),
            now: 1_700_000_000,
        }
    }

    /// Decides on a token, and carries the decision out on a copy that was written down and read again, as after a
    /// power cut in between.
    pub fn enter(&mut self, token: TokenNumber) -> Result<Effect, Rejection> {
        let keys = Keys {
            provisioned: Some(&self.key),
            others: &self.others,
        };
        let before = self.state.clone();
        let entry = self.state.enter(&keys, token, UtcSeconds(self.now));
        assert_eq!(self.state, before, "a decision alone changes nothing");
        let entry: Entry = again(&entry);
        self.state = again(&self.state);
        self.state.apply(&entry);
        entry.outcome
    }

    pub fn present(&self) -> DecoderKey {
        self.state
            .present_key(&self.key)
            .expect("the chain of keys holds")
    }
}

/// Written as JSON and read again.
pub fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("writes");
    serde_json::from_str(&text).expect("reads")
}
