//! What a usage point takes and refuses, in order.

use crate::site::{KEY, Meter, OTHER_KEY, credit, key, seal, set, terms};
use gateway_core::tokens::*;

fn tid(minutes: u32) -> Tid {
    Tid::new(minutes).expect("24 bits")
}

fn of(commodity: Commodity) -> TokenNumber {
    let issue = crate::site::issue(9, 9);
    seal(&key(KEY), &Message::Credit { commodity, issue })
}

fn meter_test(control: u64) -> TokenNumber {
    let message = Message::MeterTest {
        subclass: 0,
        control,
        manufacturer: 0,
    };
    message.seal(None).expect("needs no key")
}

/// A number of class 0 that no key here opens.
fn nonsense(count: u32) -> TokenNumber {
    let stranger = key(&format!("{count:032x}"));
    credit(&stranger, count, 1)
}

#[test]
fn each_kind_has_its_effect() {
    let check = |token, effect| assert_eq!(Meter::new().enter(token), effect);
    let key = key(KEY);
    let at = |register, value| set(&key, register, 9, value);
    let amount_100wh = 16_394;
    check(
        credit(&key, 9, 0x4001),
        Ok(Effect::Credit {
            tid: tid(9),
            amount_100wh,
        }),
    );
    let watts = 20_004;
    check(
        at(Register::PowerLimit, 0x416a),
        Ok(Effect::PowerLimit { tid: tid(9), watts }),
    );
    check(
        at(Register::UnbalanceLimit, 0x416a),
        Ok(Effect::UnbalanceLimit { tid: tid(9), watts }),
    );
    check(
        at(Register::ClearCredit, 0xffff),
        Ok(Effect::ClearCredit { tid: tid(9) }),
    );
    check(
        at(Register::ClearCredit, 0),
        Ok(Effect::ClearCredit { tid: tid(9) }),
    );
    check(
        at(Register::ClearCredit, 1),
        Err(Rejection::RegisterNotHere),
    );
    check(
        at(Register::ClearTamper, 0),
        Ok(Effect::ClearTamper { tid: tid(9) }),
    );
    check(
        at(Register::TariffRate, 1),
        Err(Rejection::TariffRateNotUsed),
    );
    check(
        meter_test(2),
        Ok(Effect::MeterTest {
            control: 2,
            manufacturer: 0,
        }),
    );
    check(of(Commodity::Water), Err(Rejection::ForWater));
    check(of(Commodity::Gas), Err(Rejection::ForGas));
    check(of(Commodity::Time), Err(Rejection::ForTime));
    check(of(Commodity::ElectricityMoney), Err(Rejection::InMoney));
    check(of(Commodity::TimeMoney), Err(Rejection::InMoney));
    let unknown = |class, content| seal(&key, &Message::Unknown { class, content });
    check(unknown(0, 8 << 44), Err(Rejection::SubclassUnknown));
    check(unknown(1, 2 << 44), Err(Rejection::SubclassUnknown));
    check(unknown(2, 15 << 44), Err(Rejection::SubclassUnknown));
    check(unknown(3, 0), Err(Rejection::ClassUnknown));
}

#[test]
fn used_old_wrong_key_and_mistyped_are_told_apart() {
    let mut meter = Meter::new();
    let present = key(KEY);
    meter.others = vec![key(OTHER_KEY)];
    let first = credit(&present, 1_000, 1);
    assert!(meter.enter(first).is_ok());
    assert_eq!(meter.enter(first), Err(Rejection::Used));
    // The same minute with another amount or another register is the same identifier.
    assert_eq!(
        meter.enter(credit(&present, 1_000, 2)),
        Err(Rejection::Used)
    );
    assert_eq!(
        meter.enter(set(&present, Register::ClearTamper, 1_000, 0)),
        Err(Rejection::Used)
    );
    assert_eq!(
        meter.enter(credit(&key(OTHER_KEY), 1_001, 1)),
        Err(Rejection::WrongKey)
    );
    assert_eq!(meter.enter(nonsense(7)), Err(Rejection::ChecksumWrong));
    assert_eq!(meter.state.memory().used(), [tid(1_000)]);
}

#[test]
fn the_memory_takes_any_order_until_it_is_full() {
    let mut meter = Meter::new();
    let present = key(KEY);
    let last = u32::try_from(REMEMBERED).expect("small") * 10;
    // Every tenth minute, the latest first: all are taken.
    for minutes in (10..=last).rev().step_by(10) {
        assert!(
            meter.enter(credit(&present, minutes, 1)).is_ok(),
            "{minutes}"
        );
    }
    assert_eq!(meter.state.memory().used().len(), REMEMBERED);
    assert_eq!(meter.enter(credit(&present, 9, 1)), Err(Rejection::Old));
    assert_eq!(meter.enter(credit(&present, 10, 1)), Err(Rejection::Used));
    assert!(meter.enter(credit(&present, 11, 1)).is_ok());
    assert_eq!(meter.enter(credit(&present, 10, 1)), Err(Rejection::Old));
    assert_eq!(meter.state.memory().used().len(), REMEMBERED);
}

#[test]
fn a_restored_backup_refuses_what_may_have_been_used_since() {
    let mut meter = Meter::new();
    meter.state.refuse_up_to(tid(500));
    meter.state.refuse_up_to(tid(400));
    assert_eq!(meter.enter(credit(&key(KEY), 500, 1)), Err(Rejection::Old));
    assert!(meter.enter(credit(&key(KEY), 501, 1)).is_ok());
}

#[test]
fn expired_and_default_keys_take_no_credit() {
    let mut meter = Meter::with(key(KEY), terms(), 1);
    assert!(meter.enter(credit(&key(KEY), 0x1_ffff, 1)).is_ok());
    let late = credit(&key(KEY), 0x2_0000, 1);
    assert_eq!(meter.enter(late), Err(Rejection::KeyExpired));
    let late = set(&key(KEY), Register::ClearTamper, 0x2_0000, 0);
    assert_eq!(meter.enter(late), Err(Rejection::KeyExpired));
    let default = KeyTerms {
        key_type: KeyType::Default,
        ..terms()
    };
    let mut meter = Meter::with(key(KEY), default, 255);
    assert_eq!(
        meter.enter(credit(&key(KEY), 9, 1)),
        Err(Rejection::DefaultKeyInUse)
    );
}

#[test]
fn without_the_provisioned_key_nothing_enciphered_is_taken() {
    let mut meter = Meter::new();
    meter.key = key(OTHER_KEY);
    let mut check = |token, expected| assert_eq!(meter.enter(token), expected);
    check(credit(&key(KEY), 9, 1), Err(Rejection::KeyNotProvisioned));
    check(
        credit(&key(OTHER_KEY), 9, 1),
        Err(Rejection::KeyNotProvisioned),
    );
    check(
        meter_test(1),
        Ok(Effect::MeterTest {
            control: 1,
            manufacturer: 0,
        }),
    );
}

#[test]
fn wrong_entries_lock_for_longer_and_longer() {
    let mut meter = Meter::new();
    let waits = [0, 0, 10, 20, 40, 80, 160, 320, 640, 1_280, 1_280, 1_280];
    for (count, wait_s) in (1..).zip(waits) {
        assert_eq!(meter.enter(nonsense(count)), Err(Rejection::ChecksumWrong));
        if wait_s == 0 {
            continue;
        }
        // Looked at too early, good and bad entries alike wait, and waiting does not make it longer.
        let locked = |wait_s| Err(Rejection::LockedOut { wait_s });
        assert_eq!(meter.enter(credit(&key(KEY), 9, 1)), locked(wait_s));
        meter.now += i64::from(wait_s) - 1;
        assert_eq!(meter.enter(nonsense(99)), locked(1));
        assert!(
            meter.enter(meter_test(1)).is_ok(),
            "class 1 is never locked"
        );
        meter.now += 1;
    }
    assert!(meter.enter(credit(&key(KEY), 9, 1)).is_ok());
    assert_eq!(meter.state.lockout().wrong_entries(), 0);
}

#[test]
fn only_a_token_used_up_ends_a_lock() {
    let mut meter = Meter::new();
    let present = key(KEY);
    assert!(meter.enter(credit(&present, 9, 1)).is_ok());
    let part = crate::site::change(&present, &key(OTHER_KEY), &terms(), false)[0];
    for (count, wrong_entries) in (1..=6).zip([1, 2, 3, 4, 5, 6]) {
        assert_eq!(meter.enter(nonsense(count)), Err(Rejection::ChecksumWrong));
        meter.now += 10_000;
        assert_eq!(meter.enter(credit(&present, 9, 1)), Err(Rejection::Used));
        assert!(meter.enter(meter_test(1)).is_ok());
        assert!(matches!(meter.enter(part), Ok(Effect::KeyPartTaken { .. })));
        assert_eq!(meter.state.lockout().wrong_entries(), wrong_entries);
    }
    assert!(
        meter
            .enter(set(&present, Register::ClearTamper, 10, 0))
            .is_ok()
    );
    assert_eq!(meter.state.lockout().wrong_entries(), 0);
}

#[test]
fn a_clock_set_back_does_not_lock_for_days() {
    let mut meter = Meter::new();
    for count in 1..=3 {
        assert_eq!(meter.enter(nonsense(count)), Err(Rejection::ChecksumWrong));
    }
    meter.now -= 1_000_000;
    let token = credit(&key(KEY), 9, 1);
    assert_eq!(meter.enter(token), Err(Rejection::LockedOut { wait_s: 10 }));
    meter.now += 10;
    assert!(meter.enter(token).is_ok());
}
