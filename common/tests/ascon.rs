//! Our Ascon-AEAD128 against an independent implementation of NIST SP 800-232.

use ascon_aead::aead::{Aead, KeyInit, Payload};
use ascon_aead::{AsconAead128, AsconAead128Key, AsconAead128Nonce};
use prepaid_common::wire::{Key, ascon};
use proptest::prelude::*;

/// Seals with both implementations, compares, opens, and opens again with one bit flipped.
fn check(key: [u8; 16], nonce: [u8; 16], associated: &[u8], text: &[u8], flip: usize) {
    let theirs = AsconAead128::new(&AsconAead128Key::from(key))
        .encrypt(
            &AsconAead128Nonce::from(nonce),
            Payload {
                msg: text,
                aad: associated,
            },
        )
        .expect("sealing");
    let key = Key(key);
    let mut sealed = text.to_vec();
    let tag = ascon::seal(&key, &nonce, associated, &mut sealed);
    assert_eq!([&sealed[..], &tag[..]].concat(), theirs);

    let mut opened = sealed.clone();
    assert_eq!(
        ascon::open(&key, &nonce, associated, &mut opened, &tag),
        Ok(())
    );
    assert_eq!(opened, text);

    let mut altered = [&sealed[..], &tag[..]].concat();
    let bit = flip % (altered.len() * 8);
    altered[bit / 8] ^= 1 << (bit % 8);
    let (body, tag) = altered
        .split_last_chunk_mut::<16>()
        .expect("16 bytes of tag");
    assert_eq!(
        ascon::open(&key, &nonce, associated, body, tag),
        Err(ascon::NotAuthentic)
    );
    assert!(body.iter().all(|byte| *byte == 0), "plaintext left behind");
}

#[test]
fn every_short_length_equals_the_reference() {
    let bytes: Vec<u8> = (0..=255).collect();
    let key = core::array::from_fn(|i| u8::try_from(i).unwrap());
    for associated in 0..40 {
        for text in 0..40 {
            check(
                key,
                key,
                &bytes[..associated],
                &bytes[..text],
                associated * 41 + text,
            );
        }
    }
}

/// First vector of the known-answer file of SP 800-232 (empty text, empty associated data).
#[test]
fn first_known_answer() {
    let key: [u8; 16] = core::array::from_fn(|i| u8::try_from(i).unwrap());
    let tag = ascon::seal(&Key(key), &key, &[], &mut []);
    let expected = 0x4f9c_2782_11be_c931_6bf6_8f46_ee8b_2ec6_u128;
    assert_eq!(tag, expected.to_be_bytes());
}

proptest! {
    #[test]
    fn any_input_equals_the_reference(
        key: [u8; 16],
        nonce: [u8; 16],
        associated in proptest::collection::vec(any::<u8>(), 0..300),
        text in proptest::collection::vec(any::<u8>(), 0..300),
        flip: usize,
    ) {
        check(key, nonce, &associated, &text, flip);
    }
}
