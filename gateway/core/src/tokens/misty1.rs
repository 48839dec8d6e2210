//! MISTY1 with eight rounds (RFC 2994, ISO/IEC 18033-3): 64-bit blocks under a 128-bit key.
//!
//! Decided here: the cipher alone. Blocks and keys are numbers whose most significant bit is the first bit of the RFC.
//! Names (FI, FO, FL, EK) are the RFC's. Our own, because no maintained `no_std` crate has it.

use super::misty1_tables::{S7, S9};

/// The expanded key: the eight key words, then each of them mixed with its successor.
pub(super) struct Misty1 {
    words: [u16; 8],
    mixed: [u16; 8],
}

impl Misty1 {
    /// Expands a key (clause 2.2).
    pub(super) fn new(key: &[u8; 16]) -> Self {
        let mut words = [0; 8];
        for (word, pair) in words.iter_mut().zip(key.chunks_exact(2)) {
            *word = u16::from(pair[0]) << 8 | u16::from(pair[1]);
        }
        let mixed = core::array::from_fn(|i| fi(words[i], words[(i + 1) % 8]));
        Self { words, mixed }
    }

    /// Enciphers one block.
    pub(super) fn encrypt(&self, block: u64) -> u64 {
        let (mut left, mut right) = halves(block);
        for round in (0..8).step_by(2) {
            left = self.fl(left, round);
            right = self.fl(right, round + 1);
            right ^= self.fo(left, round);
            left ^= self.fo(right, round + 1);
        }
        left = self.fl(left, 8);
        right = self.fl(right, 9);
        u64::from(right) << 32 | u64::from(left)
    }

    /// Deciphers one block.
    pub(super) fn decrypt(&self, block: u64) -> u64 {
        let (right, left) = halves(block);
        let mut left = self.fl_inverse(left, 8);
        let mut right = self.fl_inverse(right, 9);
        for round in (0..8).step_by(2).rev() {
            left ^= self.fo(right, round + 1);
            right ^= self.fo(left, round);
            left = self.fl_inverse(left, round);
            right = self.fl_inverse(right, round + 1);
        }
        u64::from(left) << 32 | u64::from(right)
    }

    fn fo(&self, input: u32, k: usize) -> u32 {
        let (mut a, mut b) = words(input);
        a = fi(a ^ self.words[k], self.mixed[(k + 5) % 8]) ^ b;
        b = fi(b ^ self.words[(k + 2) % 8], self.mixed[(k + 1) % 8]) ^ a;
        a = fi(a ^ self.words[(k + 7) % 8], self.mixed[(k + 3) % 8]) ^ b;
        b ^= self.words[(k + 4) % 8];
        u32::from(b) << 16 | u32::from(a)
    }

    /// The two key words of layer `k` of FL: the one for AND and the one for OR.
    fn fl_keys(&self, k: usize) -> (u16, u16) {
        let half = k / 2;
        if k.is_multiple_of(2) {
            (self.words[half % 8], self.mixed[(half + 6) % 8])
        } else {
            (self.mixed[(half + 2) % 8], self.words[(half + 4) % 8])
        }
    }

    fn fl(&self, input: u32, k: usize) -> u32 {
        let (and, or) = self.fl_keys(k);
        let (mut a, mut b) = words(input);
        b ^= a & and;
        a ^= b | or;
        u32::from(a) << 16 | u32::from(b)
    }

    fn fl_inverse(&self, input: u32, k: usize) -> u32 {
        let (and, or) = self.fl_keys(k);
        let (mut a, mut b) = words(input);
        a ^= b | or;
        b ^= a & and;
        u32::from(a) << 16 | u32::from(b)
    }
}

fn fi(input: u16, key: u16) -> u16 {
    let (mut nine, mut seven) = (input >> 7, input & 0x7f);
    nine = S9[usize::from(nine)] ^ seven;
    seven = (S7[usize::from(seven)] ^ nine) & 0x7f;
    seven ^= key >> 9;
    nine ^= key & 0x1ff;
    nine = S9[usize::from(nine)] ^ seven;
    seven << 9 | nine
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
fn halves(block: u64) -> (u32, u32) {
    ((block >> 32) as u32, block as u32)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
fn words(half: u32) -> (u16, u16) {
    ((half >> 16) as u16, half as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2994, appendix A.
    #[test]
    fn the_vectors_of_the_rfc() {
        let key = core::array::from_fn(|i| u8::try_from(i * 0x11).expect("below 256"));
        let cipher = Misty1::new(&key);
        for (plain, sealed) in [
            (0x0123_4567_89ab_cdef, 0x8b1d_a5f5_6ab3_d07c),
            (0xfedc_ba98_7654_3210, 0x04b6_8240_b13b_e95d),
        ] {
            assert_eq!(cipher.encrypt(plain), sealed);
            assert_eq!(cipher.decrypt(sealed), plain);
        }
    }
}
