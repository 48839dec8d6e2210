//! Ascon-AEAD128 as in NIST SP 800-232, in place, without tables: small before fast (ATmega328P: 32
//! KB flash, 2 KB RAM).
//!
//! Checked against an independent implementation in `tests/ascon.rs`. No branch and no index
//! depends on a secret.

use super::Key;

/// The tag did not fit key, nonce, associated data and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAuthentic;

const INITIAL_VALUE: u64 = 0x0000_1000_808c_0001;
const RATE: usize = 16;
const DOMAIN_SEPARATION: u64 = 1 << 63;

struct State([u64; 5]);

impl State {
    fn new(key: (u64, u64), nonce: &[u8; 16]) -> Self {
        let (n0, n1) = words(nonce);
        let mut state = Self([INITIAL_VALUE, key.0, key.1, n0, n1]);
        state.permute(12);
        state.0[3] ^= key.0;
        state.0[4] ^= key.1;
        state
    }

    /// The last `rounds` of the twelve rounds. Kept out of line: it is used in four places.
    #[inline(never)]
    fn permute(&mut self, rounds: u8) {
        let [mut a, mut b, mut c, mut d, mut e] = self.0;
        for round in 12 - rounds..12 {
            c ^= u64::from(((15 - round) << 4) | round);
            a ^= e;
            e ^= d;
            c ^= b;
            let (old_a, old_b) = (a, b);
            a ^= !b & c;
            b ^= !c & d;
            c ^= !d & e;
            d ^= !e & old_a;
            e ^= !old_a & old_b;
            b ^= a;
            a ^= e;
            d ^= c;
            c = !c;
            a ^= a.rotate_right(19) ^ a.rotate_right(28);
            b ^= b.rotate_right(61) ^ b.rotate_right(39);
            c ^= c.rotate_right(1) ^ c.rotate_right(6);
            d ^= d.rotate_right(10) ^ d.rotate_right(17);
            e ^= e.rotate_right(7) ^ e.rotate_right(41);
        }
        self.0 = [a, b, c, d, e];
    }

    /// XORs one byte into the outer part, `at` below [`RATE`], and returns the byte that then
    /// stands there.
    fn mix(&mut self, at: usize, byte: u8) -> u8 {
        let shift = (at % 8) * 8;
        let word = if at < 8 {
            &mut self.0[0]
        } else {
            &mut self.0[1]
        };
        *word ^= u64::from(byte) << shift;
        word.to_le_bytes()[at % 8]
    }

    fn absorb(&mut self, data: &[u8]) {
        if !data.is_empty() {
            let mut at = 0;
            for &byte in data {
                self.mix(at, byte);
                at = self.step(at);
            }
            self.mix(at, 1);
            self.permute(8);
        }
        self.0[4] ^= DOMAIN_SEPARATION;
    }

    fn encrypt(&mut self, text: &mut [u8]) {
        let mut at = 0;
        for byte in text {
            *byte = self.mix(at, *byte);
            at = self.step(at);
        }
        self.mix(at, 1);
    }

    fn decrypt(&mut self, text: &mut [u8]) {
        let mut at = 0;
        for byte in text {
            let sealed = *byte;
            let clear = self.mix(at, 0) ^ sealed;
            self.mix(at, clear);
            *byte = clear;
            at = self.step(at);
        }
        self.mix(at, 1);
    }

    /// The next position; a full block is permuted at once, so the padding always has room.
    fn step(&mut self, at: usize) -> usize {
        if at + 1 < RATE {
            return at + 1;
        }
        self.permute(8);
        0
    }

    fn tag(mut self, key: (u64, u64)) -> [u8; 16] {
        self.0[2] ^= key.0;
        self.0[3] ^= key.1;
        self.permute(12);
        let mut tag = [0; 16];
        tag[..8].copy_from_slice(&(self.0[3] ^ key.0).to_le_bytes());
        tag[8..].copy_from_slice(&(self.0[4] ^ key.1).to_le_bytes());
        tag
    }
}

fn words(bytes: &[u8; 16]) -> (u64, u64) {
    let value = u128::from_le_bytes(*bytes);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
    let halves = (value as u64, (value >> 64) as u64);
    halves
}

/// Encrypts `text` in place and returns the tag over `associated` and `text`.
///
/// A nonce must never be used twice with one key.
#[must_use]
pub fn seal(key: &Key, nonce: &[u8; 16], associated: &[u8], text: &mut [u8]) -> [u8; 16] {
    let key = words(&key.0);
    let mut state = State::new(key, nonce);
    state.absorb(associated);
    state.encrypt(text);
    state.tag(key)
}

/// Decrypts `text` in place if `tag` fits.
///
/// # Errors
/// [`NotAuthentic`]; `text` is then all zeros, so that nothing unauthenticated can be used by
/// mistake.
pub fn open(
    key: &Key,
    nonce: &[u8; 16],
    associated: &[u8],
    text: &mut [u8],
    tag: &[u8; 16],
) -> Result<(), NotAuthentic> {
    let words = words(&key.0);
    let mut state = State::new(words, nonce);
    state.absorb(associated);
    state.decrypt(text);
    let expected = state.tag(words);
    let difference = expected
        .iter()
        .zip(tag)
        .fold(0, |seen, (a, b)| seen | (a ^ b));
    if core::hint::black_box(difference) == 0 {
        return Ok(());
    }
    text.fill(0);
    Err(NotAuthentic)
}
