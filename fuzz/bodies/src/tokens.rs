//! Transfer tokens: any digits, any block behind a seal, any order of entries.

use crate::bytes::Bytes;
use gateway_core::UtcSeconds;
use gateway_core::tokens::{
    Acceptance, Algorithm, BaseDate, DecoderKey, Ea07Tables, Effect, Entry, KeyTerms, KeyType,
    Keys, Message, MeterPan, NewKey, Tid, TokenNumber,
};
use std::collections::BTreeSet;

/// Most tokens entered.
const MOST_ENTRIES: usize = 200;

const TERMS: KeyTerms = KeyTerms {
    supply_group: 123_456,
    tariff_index: 7,
    revision: 1,
    key_type: KeyType::Unique,
    base_date: BaseDate::Y2014,
};

/// Texts, then a usage point's life.
pub fn tokens(data: &[u8]) {
    if let Ok(text) = core::str::from_utf8(data) {
        texts(text);
    }
    entries(&mut Bytes(data));
}

fn texts(text: &str) {
    let _ = text.parse::<MeterPan>();
    let _ = text.parse::<Ea07Tables>();
    let _ = DecoderKey::from_hex(&Algorithm::Ea11, text);
    if let Ok(number) = text.parse::<TokenNumber>() {
        assert_eq!(number.to_string().parse(), Ok(number));
        opened(number);
    }
    if let Ok(entry) = serde_json::from_str::<Entry>(text) {
        let json = serde_json::to_string(&entry).expect("JSON");
        assert_eq!(serde_json::from_str(&json).ok(), Some(entry.clone()));
        acceptance().apply(&entry);
    }
    if let Ok(acceptance) = serde_json::from_str::<Acceptance>(text) {
        let key = key(0);
        let keys = Keys {
            provisioned: Some(&key),
            others: &[],
        };
        let _ = acceptance.enter(&keys, TokenNumber::MAX, UtcSeconds(0));
    }
}

fn key(number: u8) -> DecoderKey {
    DecoderKey::new(&Algorithm::Ea11, &[number; 16]).expect("16 bytes")
}

fn acceptance() -> Acceptance {
    Acceptance::new(&key(0), TERMS, 255)
}

/// What opens is written as the same number again.
fn opened(number: TokenNumber) {
    let key = key(0);
    if let Ok(message) = Message::open(number, Some(&key)) {
        assert_eq!(message.seal(Some(&key)), Some(number));
    }
}

/// An identifier is used once, unless a key change with the roll-over bit came in between.
fn entries(bytes: &mut Bytes<'_>) {
    let (provisioned, mut acceptance) = (key(0), acceptance());
    let others = [key(1), key(2)];
    let keys = Keys {
        provisioned: Some(&provisioned),
        others: &others,
    };
    let mut used: BTreeSet<Tid> = BTreeSet::new();
    let mut waiting: Vec<TokenNumber> = Vec::new();
    let mut at = 1_800_000_000;
    for _ in 0..MOST_ENTRIES {
        if bytes.is_empty() {
            break;
        }
        let Some(present) = acceptance.present_key(&provisioned) else {
            unreachable!("the changes taken lead to no key");
        };
        let token = match waiting.pop() {
            Some(token) if !bytes.u8().is_multiple_of(8) => token,
            _ => next_token(bytes, &present, &mut waiting),
        };
        at += i64::from(bytes.u8()).pow(2);
        let entry = acceptance.enter(&keys, token, UtcSeconds(at));
        acceptance.apply(&entry);
        let json = serde_json::to_string(&acceptance).expect("JSON");
        let read: Option<Acceptance> = serde_json::from_str(&json).ok();
        assert_eq!(read.as_ref(), Some(&acceptance));
        let Ok(effect) = &entry.outcome else { continue };
        if let Effect::KeyChanged { rollover: true, .. } = effect {
            used.clear();
        }
        if let Some(tid) = effect.tid() {
            assert!(used.insert(tid), "{tid:?} used twice");
        }
    }
}

/// Mostly a token of the present key.
fn next_token(
    bytes: &mut Bytes<'_>,
    present: &DecoderKey,
    waiting: &mut Vec<TokenNumber>,
) -> TokenNumber {
    let any = |bytes: &mut Bytes<'_>| {
        let bits = u128::from(bytes.u64()) << 2 | u128::from(bytes.u8() & 3);
        TokenNumber::from_bits(bits).unwrap_or(TokenNumber::MAX)
    };
    match bytes.u8() % 8 {
        0 => any(bytes),
        1 => {
            let key = key(bytes.u8() % 4);
            let terms = KeyTerms {
                tariff_index: bytes.u8() % 128,
                ..TERMS
            };
            let new = NewKey::new(key, &terms, bytes.u8(), bytes.bool());
            let parts = new.parts().into_iter().map(Message::Key);
            waiting.extend(parts.filter_map(|part| part.seal(Some(present))));
            waiting.pop().unwrap_or(TokenNumber::MAX)
        }
        choice => {
            // Few minutes, so that identifiers come again.
            let (subclass, minute) = (u64::from(bytes.u8()), u64::from(bytes.u8() % 16));
            let minute = if bytes.u8() == 0xff {
                0xff_ffff - minute
            } else {
                minute
            };
            let content = subclass << 40 | minute << 16 | u64::from(bytes.u16());
            let class = if choice < 5 { 0 } else { choice - 4 };
            let message = Message::Unknown { class, content };
            let sealed = message.seal(Some(present));
            sealed.unwrap_or_else(|| any(bytes))
        }
    }
}
