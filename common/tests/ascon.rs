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

/// First vectors of the known-answer files of the Ascon authors, which use one nonce or the other:
/// empty text, empty associated data.
#[test]
fn first_known_answers() {
    let key: [u8; 16] = core::array::from_fn(|i| u8::try_from(i).unwrap());
    let later: [u8; 16] = core::array::from_fn(|i| u8::try_from(i + 16).unwrap());
    for (nonce, expected) in [
        (key, 0x4427_d64b_8e1e_1451_fc44_5960_f083_9bb0_u128),
        (later, 0x4f9c_2782_11be_c931_6bf6_8f46_ee8b_2ec6),
    ] {
        assert_eq!(
            ascon::seal(&Key(key), &nonce, &[], &mut []),
            expected.to_be_bytes()
        );
    }
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
