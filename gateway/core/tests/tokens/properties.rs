//! Properties: nothing twice, nothing forged, no panic.

use crate::site::{KEY, Meter, OTHER_KEY, again, change, credit, key, seal, terms};
use gateway_core::UtcSeconds;
use gateway_core::tokens::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn number() -> impl Strategy<Value = TokenNumber> {
    (0..=TokenNumber::MAX.bits()).prop_map(|bits| TokenNumber::from_bits(bits).expect("66 bits"))
}

fn steps() -> impl Strategy<Value = Vec<(u32, u8, bool)>> {
    prop::collection::vec((0..400_u32, 0..16_u8, any::<bool>()), 100..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Few minutes and more of them than are remembered, so that tokens meet, fall out of memory and come back; now and
    /// then the key changes, with or without clearing; the state is written and read between any two entries.
    #[test]
    fn each_token_takes_effect_at_most_once(steps in steps()) {
        let keys: Vec<_> = (1..20_u32).map(|n| key(&format!("{n:032x}"))).collect();
        let mut meter = Meter::with(keys[0].clone(), terms(), 255);
        let (mut present, mut unused) = (0, 1);
        let mut taken = BTreeSet::new();
        for (minutes, what, flag) in steps {
            meter.now += 2_000;
            let here = &keys[present];
            if what == 0 && minutes < 50 && unused < keys.len() {
                // Onwards to a fresh key, or back to the first.
                let to = if flag { unused } else { 0 };
                for token in change(here, &keys[to], &terms(), minutes % 3 == 0) {
                    if let Ok(Effect::KeyChanged { .. }) = meter.enter(token) {
                        (present, unused) = (to, unused.max(to + 1));
                    }
                }
                continue;
            }
            let from = if what == 1 { &keys[usize::from(flag)] } else { here };
            let token = credit(from, minutes, u16::from(what));
            if let Ok(effect) = meter.enter(token) {
                prop_assert!(effect.tid().is_some());
                prop_assert!(taken.insert(token), "{token} was taken twice");
            }
        }
        prop_assert!(meter.present() == keys[present]);
    }

    #[test]
    fn no_number_panics_and_a_message_is_its_number(number in number(), control in any::<bool>()) {
        let present = key(KEY);
        let number = if control { number } else {
            Message::Unknown { class: 2, content: u64::try_from(number.bits() >> 18).unwrap_or(0) }
                .seal(Some(&present)).expect("a key was given")
        };
        if let Ok(message) = Message::open(number, Some(&present)) {
            prop_assert_eq!(message.seal(Some(&present)), Some(number));
        }
        let mut meter = Meter::new();
        let before = meter.state.clone();
        let outcome = meter.enter(number);
        prop_assert!(outcome.is_ok() || meter.state == before || outcome.is_err_and(Rejection::is_wrong_entry));
    }

    #[test]
    fn every_content_is_read_and_written(class in 0..4_u8, content in 0..1_u64 << 48) {
        let present = key(OTHER_KEY);
        let token = seal(&present, &Message::Unknown { class, content });
        let message = Message::open(token, Some(&present)).expect("opens");
        prop_assert_eq!(message.seal(Some(&present)), Some(token));
    }

    /// Always, for one or two wrong bits, as the checksum has it. An enciphered block is scrambled by a wrong bit and passes
    /// once in 65,536; for those, see the test below.
    #[test]
    fn bit_flips_of_clear_tokens_are_refused(control in 0..1_u64 << 36, one in 0..66_u32, two in 0..66_u32) {
        let message = Message::MeterTest { subclass: 0, control, manufacturer: 0 };
        let bits = message.seal(None).expect("needs no key").bits() ^ 1 << one ^ 1 << two;
        let token = TokenNumber::from_bits(bits).expect("66 bits");
        if one != two {
            prop_assert!(Meter::new().enter(token).is_err());
        }
    }

    #[test]
    fn damaged_state_never_panics(cut in 0..2_000_usize, digit in 0..10_u8, token in number()) {
        let mut meter = Meter::new();
        for part in &change(&key(KEY), &key(OTHER_KEY), &terms(), false)[..3] {
            meter.enter(*part).expect("taken");
        }
        let mut text = serde_json::to_string(&meter.state).expect("writes").into_bytes();
        let place = cut % text.len();
        if text[place].is_ascii_digit() {
            text[place] = b'0' + digit;
        }
        if let Ok(state) = serde_json::from_slice::<Acceptance>(&text) {
            meter.state = state;
            let keys = Keys { provisioned: Some(&meter.key), others: &[] };
            let last = change(&key(KEY), &key(OTHER_KEY), &terms(), false)[3];
            for token in [token, last, credit(&key(KEY), 9, 9)] {
                let entry = meter.state.enter(&keys, token, UtcSeconds(0));
                meter.state.apply(&again(&entry));
            }
        }
    }
}

#[test]
fn every_wrong_bit_of_a_credit_is_refused() {
    for tid in 0..50 {
        let token = credit(&key(KEY), tid * 7_919, 1_234);
        for bit in 0..66 {
            let wrong = TokenNumber::from_bits(token.bits() ^ 1 << bit).expect("66 bits");
            assert!(Meter::new().enter(wrong).is_err(), "{token} bit {bit}");
        }
    }
}
