//! The envelope and the proofs, as the document says them.

use flate2::read::ZlibDecoder;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::io::Read as _;

/// Largest content.
const MOST: u64 = 1 << 20;

/// A key that can be rolled over: each next seed is the hash of the one before.
pub struct Key {
    seed: [u8; 32],
}

impl Key {
    /// From a secret.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { seed: *seed }
    }

    fn pair(seed: &[u8; 32]) -> Option<Ed25519KeyPair> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok()
    }

    fn public_of(seed: &[u8; 32]) -> String {
        Self::pair(seed).map_or_else(String::new, |pair| hex(pair.public_key().as_ref()))
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> String {
        Self::public_of(&self.seed)
    }

    fn next(&self) -> [u8; 32] {
        Sha256::digest(self.seed).into()
    }

    /// The public key after a roll-over.
    #[must_use]
    pub fn next_public(&self) -> String {
        Self::public_of(&self.next())
    }

    /// Goes over to the next key.
    pub fn roll(&mut self) {
        self.seed = self.next();
    }

    /// Seals a text; never packed, which the document allows.
    #[must_use]
    pub fn seal(&self, path: &str, text: &str) -> Vec<u8> {
        let signature = Self::pair(&self.seed)
            .map(|pair| {
                pair.sign(&signed(path, 0, text.as_bytes()))
                    .as_ref()
                    .to_vec()
            })
            .unwrap_or_default();
        [&[1, 0][..], &signature, text.as_bytes()].concat()
    }
}

fn signed(path: &str, encoding: u8, body: &[u8]) -> Vec<u8> {
    let start = format!("prepaid-gateway/cloud/1\n{path}\n");
    [start.as_bytes(), &[encoding], body].concat()
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hexadecimal digits as bytes; nothing if they are none.
#[must_use]
pub fn unhex(text: &str) -> Vec<u8> {
    let pair = |place: usize| u8::from_str_radix(text.get(place..place + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(pair).collect();
    bytes.unwrap_or_default()
}

/// Opens a payload signed with a public key in hexadecimal digits.
///
/// # Errors
/// Why it is dropped.
pub fn open(key: &str, path: &str, payload: &[u8]) -> Result<String, &'static str> {
    let (header, body) = payload.split_at_checked(66).ok_or("too short")?;
    if header[0] != 1 || header[1] > 1 {
        return Err("another version");
    }
    UnparsedPublicKey::new(&ED25519, unhex(key))
        .verify(&signed(path, header[1], body), &header[2..])
        .map_err(|_| "signature wrong")?;
    content(payload)
}

fn content(payload: &[u8]) -> Result<String, &'static str> {
    let body = payload.get(66..).ok_or("too short")?;
    let bytes = if payload[1] == 1 {
        let mut bytes = Vec::new();
        let mut unpacked = ZlibDecoder::new(body).take(MOST);
        unpacked
            .read_to_end(&mut bytes)
            .map_err(|_| "does not unpack")?;
        bytes
    } else {
        body.to_vec()
    };
    String::from_utf8(bytes).map_err(|_| "no text")
}

/// HMAC-SHA256 with a code, in hexadecimal digits.
#[must_use]
pub fn proof(code: &str, lines: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(code.as_bytes()) else {
        return String::new();
    };
    mac.update(lines.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// A genuine enrolment, and the code it knows.
///
/// # Errors
/// Why it is dropped.
pub fn enrolment(
    codes: &[String],
    id: &str,
    path: &str,
    payload: &[u8],
) -> Result<(Map<String, Value>, String), &'static str> {
    let text = content(payload)?;
    let request: Value = text
        .lines()
        .next()
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or("head is no JSON")?;
    let request = request.as_object().ok_or("head is no object")?.clone();
    let word = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or("");
    let (key, nonce) = (word("key"), word("nonce"));
    open(key, path, payload)?;
    let lines = format!("enrol\n{id}\n{key}\n{nonce}");
    let code = codes
        .iter()
        .find(|code| proof(code, &lines) == word("proof"));
    let code = code.ok_or("no code fits")?.clone();
    Ok((request, code))
}
