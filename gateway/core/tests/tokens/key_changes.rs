//! Key changes: four tokens in any order, and what they leave as it was.

use crate::site::{KEY, Meter, OTHER_KEY, change, credit, key, terms};
use gateway_core::tokens::*;

const THIRD_KEY: &str = "92666e9f0478a17770614c1c5fce9d46";

fn next() -> KeyTerms {
    KeyTerms {
        supply_group: 654_321,
        tariff_index: 42,
        revision: 2,
        ..terms()
    }
}

fn orders() -> Vec<[usize; 4]> {
    let mut orders = Vec::new();
    for number in 0..256 {
        let order = [number / 64, number / 16 % 4, number / 4 % 4, number % 4];
        if (0..4).all(|part| order.contains(&part)) {
            orders.push(order);
        }
    }
    orders
}

#[track_caller]
fn changed(meter: &mut Meter, tokens: &[TokenNumber]) {
    let (last, first) = tokens.split_last().expect("a set");
    for token in first {
        assert!(matches!(
            meter.enter(*token),
            Ok(Effect::KeyPartTaken { .. })
        ));
    }
    assert!(matches!(meter.enter(*last), Ok(Effect::KeyChanged { .. })));
}

#[test]
fn the_four_tokens_are_taken_in_any_order() {
    assert_eq!(orders().len(), 24);
    for order in orders() {
        let mut meter = Meter::new();
        let tokens = change(&key(KEY), &key(OTHER_KEY), &next(), false);
        for (missing, part) in [3, 2, 1].into_iter().zip(order) {
            let taken = Effect::KeyPartTaken {
                part: u8::try_from(part + 1).expect("small"),
                tokens: order[..4 - usize::from(missing)]
                    .iter()
                    .map(|part| tokens[*part])
                    .collect(),
                missing,
            };
            assert_eq!(meter.enter(tokens[part]), Ok(taken), "{order:?}");
            // Credit under the old key is still taken in between.
            let old = credit(&key(KEY), u32::from(missing), 1);
            assert!(meter.enter(old).is_ok());
        }
        assert!(matches!(
            meter.enter(tokens[order[3]]),
            Ok(Effect::KeyChanged { .. })
        ));
        assert!(meter.present() == key(OTHER_KEY));
        assert_eq!(*meter.state.terms(), next());
        // The old key's tokens are known for what they are; used identifiers stay used.
        assert_eq!(
            meter.enter(credit(&key(KEY), 50, 1)),
            Err(Rejection::WrongKey)
        );
        assert_eq!(meter.enter(tokens[0]), Err(Rejection::WrongKey));
        assert_eq!(
            meter.enter(credit(&key(OTHER_KEY), 3, 1)),
            Err(Rejection::Used)
        );
        assert!(meter.enter(credit(&key(OTHER_KEY), 50, 1)).is_ok());
    }
}

#[test]
fn a_part_entered_again_or_anew_takes_its_own_place() {
    let mut meter = Meter::new();
    let wrong = change(&key(KEY), &key(THIRD_KEY), &next(), false);
    let right = change(&key(KEY), &key(OTHER_KEY), &next(), false);
    for (token, missing) in [(wrong[0], 3), (wrong[1], 2), (wrong[1], 2), (right[1], 2)] {
        let taken = meter.enter(token).expect("taken");
        assert!(matches!(taken, Effect::KeyPartTaken { missing: m, .. } if m == missing));
    }
    changed(&mut meter, &[right[0], right[2], right[3]]);
    assert!(meter.present() == key(OTHER_KEY));
}

#[test]
fn a_forgotten_part_does_not_mix_with_the_next_set() {
    for (waited, mixes) in [(7 * 86_400, true), (7 * 86_400 + 1, false)] {
        let mut meter = Meter::new();
        let forgotten = change(&key(KEY), &key(THIRD_KEY), &next(), false)[3];
        assert!(meter.enter(forgotten).is_ok());
        meter.now += waited;
        let tokens = change(&key(KEY), &key(OTHER_KEY), &next(), false);
        assert!(meter.enter(tokens[0]).is_ok());
        assert!(meter.enter(tokens[1]).is_ok());
        let third = meter.enter(tokens[2]);
        assert_eq!(matches!(third, Ok(Effect::KeyChanged { .. })), mixes);
    }
}

#[test]
fn a_roll_over_clears_the_memory_with_the_key() {
    let mut meter = Meter::new();
    assert!(meter.enter(credit(&key(KEY), 900, 1)).is_ok());
    changed(
        &mut meter,
        &change(&key(KEY), &key(OTHER_KEY), &next(), true),
    );
    assert_eq!(meter.state.memory().used(), []);
    assert_eq!(meter.state.terms().base_date, BaseDate::Y2035);
    assert!(meter.enter(credit(&key(OTHER_KEY), 900, 1)).is_ok());
    assert_eq!(
        meter.enter(credit(&key(KEY), 901, 1)),
        Err(Rejection::WrongKey)
    );
}

#[test]
fn no_change_makes_used_tokens_good_again() {
    let (a, b, c) = (key(KEY), key(OTHER_KEY), key(THIRD_KEY));
    let mut meter = Meter::new();
    let refuse = |meter: &mut Meter, tokens: Vec<TokenNumber>| {
        for token in &tokens[..3] {
            assert!(meter.enter(*token).is_ok());
        }
        assert_eq!(meter.enter(tokens[3]), Err(Rejection::NewKeyRetired));
        // The set is dropped: its last token is the first of a set again.
        let again = meter.enter(tokens[3]);
        assert!(matches!(again, Ok(Effect::KeyPartTaken { missing: 3, .. })));
        for token in &tokens[..2] {
            assert!(meter.enter(*token).is_ok());
        }
        assert_eq!(meter.enter(tokens[2]), Err(Rejection::NewKeyRetired));
    };
    // To the key in use, with a clearing of the memory.
    refuse(&mut meter, change(&a, &a, &terms(), true));
    // There and back without clearing: allowed, nothing was forgotten.
    changed(&mut meter, &change(&a, &b, &next(), false));
    changed(&mut meter, &change(&b, &a, &terms(), false));
    // There again with clearing: b was in use before.
    refuse(&mut meter, change(&a, &b, &next(), true));
    changed(&mut meter, &change(&a, &c, &next(), true));
    // Back to keys from before the clearing: never.
    refuse(&mut meter, change(&c, &a, &terms(), false));
    refuse(&mut meter, change(&c, &b, &terms(), true));
    assert!(meter.present() == c);
    // Nor by provisioning.
    let before = meter.state.clone();
    let back = meter.state.reprovision(a.check(), terms(), 255);
    assert_eq!(back, Err(Rejection::NewKeyRetired));
    assert_eq!(meter.state, before);
}

#[test]
fn faulty_sets_are_refused_and_dropped() {
    for faulty in [
        KeyTerms {
            revision: 0,
            ..next()
        },
        KeyTerms {
            revision: 10,
            ..next()
        },
        KeyTerms {
            tariff_index: 100,
            ..next()
        },
        KeyTerms {
            supply_group: 1_000_000,
            ..next()
        },
        KeyTerms {
            key_type: KeyType::Initialisation,
            ..next()
        },
    ] {
        let mut meter = Meter::new();
        let tokens = change(&key(KEY), &key(OTHER_KEY), &faulty, false);
        for token in &tokens[..3] {
            assert!(meter.enter(*token).is_ok());
        }
        assert_eq!(
            meter.enter(tokens[3]),
            Err(Rejection::NewKeyFaulty),
            "{faulty:?}"
        );
        changed(
            &mut meter,
            &change(&key(KEY), &key(OTHER_KEY), &next(), false),
        );
    }
}

#[test]
fn a_key_provisioned_anew_keeps_what_was_used() {
    let mut meter = Meter::new();
    changed(
        &mut meter,
        &change(&key(KEY), &key(OTHER_KEY), &next(), false),
    );
    assert!(meter.enter(credit(&key(OTHER_KEY), 9, 1)).is_ok());
    meter.key = key(OTHER_KEY);
    let check = meter.key.check();
    assert_eq!(meter.state.reprovision(check, next(), 255), Ok(()));
    assert_eq!(
        meter.enter(credit(&key(OTHER_KEY), 9, 1)),
        Err(Rejection::Used)
    );
    assert!(meter.enter(credit(&key(OTHER_KEY), 10, 1)).is_ok());
}

#[test]
fn the_state_holds_no_key() {
    let mut meter = Meter::new();
    let tokens = change(&key(KEY), &key(OTHER_KEY), &next(), false);
    changed(&mut meter, &tokens);
    let text = serde_json::to_string(&meter.state).expect("writes");
    for hex in [KEY, OTHER_KEY] {
        for word in hex.as_bytes().chunks(8) {
            let word = str::from_utf8(word).expect("hex");
            let number = u32::from_str_radix(word, 16).expect("hex").to_string();
            assert!(!text.contains(word) && !text.contains(&number), "{text}");
        }
    }
    // Without the provisioned key the change tokens in it lead nowhere.
    assert!(meter.state.present_key(&key(OTHER_KEY)).is_none());
}
