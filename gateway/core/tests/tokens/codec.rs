//! Codings one by one.

use crate::site::{self, key};
use gateway_core::tokens::*;

#[test]
fn twenty_digits_and_nothing_else_are_a_token() {
    let check = |text: &str, expected: Result<&str, Rejection>| {
        let read = text.parse::<TokenNumber>().map(|number| number.to_string());
        assert_eq!(read, expected.map(String::from), "{text:?}");
    };
    check("59386323472137426967", Ok("59386323472137426967"));
    check(" 5938 6323 4721 3742 6967 ", Ok("59386323472137426967"));
    check("5938-6323-4721-3742-6967", Ok("59386323472137426967"));
    check("00000000002281728512", Ok("00000000002281728512"));
    check("73786976294838206463", Ok("73786976294838206463"));
    check("73786976294838206464", Err(Rejection::NumberTooLarge));
    check("99999999999999999999", Err(Rejection::NumberTooLarge));
    for text in [
        "",
        "5938632347213742696",
        "593863234721374269670",
        "5938632347213742696x",
    ] {
        check(text, Err(Rejection::NotTwentyDigits));
    }
    check("५९३८६३२३४७२१३७४२६९६७", Err(Rejection::NotTwentyDigits));
    check(&"1".repeat(100_000), Err(Rejection::NotTwentyDigits));
}

#[test]
fn amounts_take_the_next_higher_code() {
    let check = |amount: u32, code: Option<u16>, worth: u32| {
        assert_eq!(code_for(amount), code, "{amount}");
        assert_eq!(code.map_or(worth, amount_of), worth, "{amount}");
    };
    check(0, Some(0), 0);
    check(16_383, Some(0x3fff), 16_383);
    check(16_384, Some(0x4000), 16_384);
    check(16_385, Some(0x4001), 16_394);
    check(180_214, Some(0x7fff), 180_214);
    check(180_215, Some(0x8000), 180_224);
    check(180_223, Some(0x8000), 180_224);
    check(1_818_623, Some(0xc000), 1_818_624);
    check(LARGEST_AMOUNT, Some(0xffff), LARGEST_AMOUNT);
    check(LARGEST_AMOUNT + 1, None, 0);
    check(u32::MAX, None, 0);
    // The codes in order are the amounts in order, and each is its own code.
    let mut last = None;
    for code in 0..=u16::MAX {
        let amount = amount_of(code);
        assert_eq!(code_for(amount), Some(code));
        assert!(last.is_none_or(|last| last < amount));
        last = Some(amount);
    }
}

#[test]
fn identifiers_are_minutes_of_the_vending_clock() {
    // 2014-01-01 00:00.
    const START: i64 = 1_388_534_400;
    let check = |at: i64, minutes: Option<u32>| {
        let tid = BaseDate::Y2014.tid_at(VendingTime(at)).map(Tid::minutes);
        assert_eq!(tid, minutes, "{at}");
    };
    check(START, Some(0));
    check(START + 59, Some(0));
    check(START + 60, Some(2)); // 00:01 is reserved
    check(START + 119, Some(2));
    check(START + 120, Some(2));
    check(START + 180, Some(3));
    check(START + 86_400 + 60, Some(1_442));
    check(START - 1, None);
    check(START + 60 * 0xff_ffff, Some(0xff_ffff));
    check(START + 60 * 0x100_0000, None);
    check(i64::MAX, None);
    check(i64::MIN, None);
    for (base_date, last) in [
        (BaseDate::Y1993, "2024-11-24T20:15"),
        (BaseDate::Y2014, "2045-11-24T20:15"),
        (BaseDate::Y2035, "2066-11-24T20:15"),
    ] {
        assert_eq!(base_date.issued_at(Tid::LAST).to_string(), last);
        assert_eq!(
            base_date.tid_at(last.parse().expect("a time")),
            Some(Tid::LAST)
        );
    }
    assert!(Tid::new(0x0100_0000).is_none());
}

#[test]
fn vending_times_are_read_in_both_forms() {
    let check = |text: &str, expected: Option<i64>| {
        let read = text.parse().ok().map(|VendingTime(at)| at);
        assert_eq!(read, expected, "{text}");
    };
    let at = Some(1_078_146_000);
    check("01/03/2004 13:00:00", at);
    check("2004-03-01T13:00:00", at);
    check("2004-03-01T13:00", at);
    check("2004-03-01 13:00", at);
    check("2004-03-01T13:00:00Z", at);
    check("1970-01-01T00:00", Some(0));
    for text in [
        "",
        "now",
        "31/02/2004 13:00:00",
        "2004-03-01T13:00+05:30",
        "01/03 13:00",
        "-/",
    ] {
        check(text, None);
    }
    assert_eq!(VendingTime(1_078_146_000).to_string(), "2004-03-01T13:00");
    let _ = (
        VendingTime(i64::MAX).to_string(),
        VendingTime(i64::MIN).to_string(),
    );
}

#[test]
fn keys_expire_by_the_upper_byte() {
    let tid = |minutes| Tid::new(minutes).expect("24 bits");
    assert!(!tid(0x0a_ffff).is_after(0x0a));
    assert!(tid(0x0b_0000).is_after(0x0a));
    assert!(!Tid::LAST.is_after(255));
}

#[test]
fn meter_numbers_are_checked_twice() {
    let check = |text: &str, expected: Result<&str, NotAMeterPan>| {
        let read = text.parse::<MeterPan>().map(|pan| pan.to_string());
        assert_eq!(read, expected.map(String::from), "{text}");
    };
    check("600727000000000009", Ok("600727000000000009"));
    check("000001000000000082", Ok("000001000000000082"));
    check("00000000000", Ok("600727000000000009"));
    check("0100000000008", Ok("000001000000000082"));
    check("600727000000000008", Err(NotAMeterPan::PanCheckDigitWrong));
    check(
        "600727000000000018",
        Err(NotAMeterPan::MeterCheckDigitWrong),
    );
    check("600728000000000009", Err(NotAMeterPan::IssuerUnknown));
    check("60072700000000000x", Err(NotAMeterPan::NotDigits));
    check("6007270000000000", Err(NotAMeterPan::WrongLength));
    check("", Err(NotAMeterPan::WrongLength));
    let short: MeterPan = "000001000000000082".parse().expect("a meter number");
    assert_eq!(short.meter_number(), b"0100000000008");
}

#[test]
fn keys_do_not_print_themselves() {
    let vending = "abababababababab949494949494949401234567";
    let printed = format!("{:?} {:?}", vending.parse::<VendingKey>(), key(site::KEY));
    assert!(
        !printed.contains("abab") && !printed.contains("f94b"),
        "{printed}"
    );
    let part = NewKey::new(key(site::KEY), &site::terms(), 255, false).parts();
    let word = u32::from_str_radix(&site::KEY[..8], 16).expect("hex");
    let printed = format!("{part:?} {:x?}", Message::Key(part[0]));
    assert!(
        !printed.contains("f94b") && !printed.contains(&word.to_string()),
        "{printed}"
    );
    let token: TokenNumber = "59386323472137426967".parse().expect("a token");
    assert_eq!(format!("{token:?}"), "TokenNumber(…6967)");
}

#[test]
fn faulty_keys_and_terms_are_named() {
    assert_eq!("abc".parse::<VendingKey>().err(), Some(NotAKey::NotHex));
    assert_eq!("zz".parse::<VendingKey>().err(), Some(NotAKey::NotHex));
    assert_eq!("ab".parse::<VendingKey>().err(), Some(NotAKey::WrongLength));
    let short = DecoderKey::from_hex(&Algorithm::Ea11, "0011223344556677");
    assert_eq!(short.err(), Some(NotAKey::WrongLength));
    let vending: VendingKey = "abababababababab949494949494949401234567"
        .parse()
        .expect("a key");
    let pan: MeterPan = "600727000000000009".parse().expect("a meter number");
    let derive = |terms| vending.derive(&Algorithm::Ea11, &terms, &pan).err();
    let out = |terms| assert_eq!(derive(terms), Some(NotAKey::TermsOutOfRange));
    out(KeyTerms {
        supply_group: 1_000_000,
        ..site::terms()
    });
    out(KeyTerms {
        tariff_index: 100,
        ..site::terms()
    });
    out(KeyTerms {
        revision: 0,
        ..site::terms()
    });
    let common = KeyTerms {
        key_type: KeyType::Common,
        ..site::terms()
    };
    assert_eq!(derive(common), Some(NotAKey::KeyTypeNotDerived));
}

#[test]
fn without_its_key_a_token_stays_closed() {
    let token = site::credit(&key(site::KEY), 1_000, 5);
    assert_eq!(Message::open(token, None), Err(NotOpened::NeedsKey));
    let wrong = key(site::OTHER_KEY);
    assert_eq!(
        Message::open(token, Some(&wrong)),
        Err(NotOpened::ChecksumWrong)
    );
}
