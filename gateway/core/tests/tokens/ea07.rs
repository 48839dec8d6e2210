//! EA07 with tables made up for this test; the real ones are not public.

use crate::site;
use gateway_core::tokens::*;

/// Reversed and rotated numbers, and a permutation that is not its own inverse.
fn tables() -> String {
    let sbox = |turn: usize| -> String {
        (0..16)
            .map(|i| format!("{} ", (21 - i + turn) % 16))
            .collect()
    };
    let permutation: String = (0..64).map(|i| format!("{} ", (i * 29 + 5) % 64)).collect();
    format!(
        "# made up\nsbox1 = {}\nsbox2={}# second\n\npermutation = {permutation}",
        sbox(0),
        sbox(6)
    )
}

fn algorithm() -> Algorithm {
    Algorithm::Ea07(tables().parse::<Ea07Tables>().expect("tables").into())
}

#[test]
fn table_files_are_checked() {
    let check = |from: &str, to: &str, fault: TablesFaulty| {
        let text = tables().replacen(from, to, 1);
        assert_ne!(text, tables());
        assert_eq!(text.parse::<Ea07Tables>().err(), Some(fault));
    };
    check("sbox2=", "sbox3=", TablesFaulty::LineUnknown(3));
    check("# made up", "made up", TablesFaulty::LineUnknown(1));
    check("sbox2=", "sbox1=", TablesFaulty::EntryRepeated(3));
    check(
        "sbox1 = 5 4",
        "sbox1 = 4 4",
        TablesFaulty::NotAPermutation(2),
    );
    check(
        "sbox1 = 5 4",
        "sbox1 = 16 4",
        TablesFaulty::NotAPermutation(2),
    );
    check(
        "sbox1 = 5 4",
        "sbox1 = 5 x",
        TablesFaulty::NotAPermutation(2),
    );
    check(
        "permutation = 5 ",
        "permutation = ",
        TablesFaulty::NotAPermutation(5),
    );
    check("permutation", "#", TablesFaulty::EntryMissing);
}

#[test]
fn tokens_under_the_sites_tables_are_written_read_and_taken() {
    let vending: VendingKey = "abababababababab949494949494949401234567"
        .parse()
        .expect("a key");
    let pan: MeterPan = "600727000000000009".parse().expect("a meter number");
    let key = vending
        .derive(&algorithm(), &site::terms(), &pan)
        .expect("derives");
    let mut meter = site::Meter::with(key.clone(), site::terms(), 255);
    let token = site::credit(&key, 77, 12);
    let tid = Tid::new(77).expect("24 bits");
    let credited = Effect::Credit {
        tid,
        amount_100wh: 12,
    };
    assert_eq!(meter.enter(token), Ok(credited));
    assert_eq!(meter.enter(token), Err(Rejection::Used));

    // A change takes two tokens; parts three and four are of EA11 only.
    let next = KeyTerms {
        revision: 2,
        ..site::terms()
    };
    let new = vending.derive(&algorithm(), &next, &pan).expect("derives");
    let mut change = site::change(&key, &new, &next, false);
    assert_eq!(change.len(), 2);
    let third = KeyPart::Third {
        supply_group_low: 1,
        word: 2,
    };
    let third = site::seal(&key, &Message::Key(third));
    assert_eq!(meter.enter(third), Err(Rejection::SubclassUnknown));
    change.reverse();
    assert!(matches!(
        meter.enter(change[0]),
        Ok(Effect::KeyPartTaken { missing: 1, .. })
    ));
    assert!(matches!(
        meter.enter(change[1]),
        Ok(Effect::KeyChanged { .. })
    ));
    assert!(meter.present() == new);
    assert_eq!(
        meter.enter(site::credit(&new, 77, 12)),
        Err(Rejection::Used)
    );
}

#[test]
fn every_bit_of_key_and_block_matters() {
    let key = |hex: u64| DecoderKey::new(&algorithm(), &hex.to_be_bytes()).expect("a key");
    let token = site::credit(&key(0x0123_4567_89ab_cdef), 77, 12);
    for bit in 0..64 {
        let other = site::credit(&key(0x0123_4567_89ab_cdef ^ 1 << bit), 77, 12);
        assert_ne!(token, other, "key bit {bit}");
    }
}
