//! Transfer tokens through the one way: what they move, once, and what is never written down.
#![expect(clippy::panic, reason = "a helper of tests")]

use crate::site::{DAY, NODE, NOVEMBER, POINT, Site, msedcl, msedcl_reference, reading};
use gateway_core::alarm::{AlarmKind, Subject};
use gateway_core::cloud::HoldCause;
use gateway_core::event::{Answer, Command};
use gateway_core::ledger::LedgerAccount;
use gateway_core::tariff::Phases;
use gateway_core::tokens::*;
use gateway_core::{Decision, Event, Micro, Record, Refusal, State, UsagePointId};
use proptest::prelude::*;

const NEIGHBOUR: UsagePointId = UsagePointId(2);
const KEYS: [&str; 3] = [
    "f94b6ed353c3bfdb113e2d3a7ea3c41d",
    "290e2626f5a0d106aad1aab6411589df",
    "00112233445566778899aabbccddeeff",
];

fn key(number: usize) -> DecoderKey {
    DecoderKey::from_hex(&Algorithm::Ea11, KEYS[number]).expect("a key")
}

fn terms() -> KeyTerms {
    KeyTerms {
        supply_group: 123_457,
        tariff_index: 1,
        revision: 1,
        key_type: KeyType::Unique,
        base_date: BaseDate::Y2014,
    }
}

fn meter(number: usize) -> MeterKey {
    MeterKey {
        meter: "600727000000000009".parse().expect("a meter number"),
        terms: terms(),
        expiry: 255,
        key: key(number),
    }
}

/// Two usage points with keys; the first read at zero.
fn site() -> Site {
    let mut site = Site::with_one_point();
    site.add_point(NEIGHBOUR, gateway_core::NodeId(2));
    site.tokens.keys = [(POINT, meter(0)), (NEIGHBOUR, meter(1))].into();
    site
}

fn issue(tid: u32, value: u16) -> Issue {
    Issue {
        random: 5,
        tid: Tid::new(tid).expect("24 bits"),
        value,
    }
}

fn seal(key: &DecoderKey, message: &Message) -> String {
    message.seal(Some(key)).expect("sealed").to_string()
}

fn credit(number: usize, tid: u32, tenths: u16) -> String {
    let commodity = Commodity::Electricity;
    let issue = issue(tid, tenths);
    seal(&key(number), &Message::Credit { commodity, issue })
}

fn set(register: Register, tid: u32, value: u16) -> String {
    let issue = issue(tid, value);
    seal(&key(0), &Message::Set { register, issue })
}

fn enter(site: &mut Site, token: &str) -> Result<Answer, Refusal> {
    site.command(Command::EnterToken {
        usage_point: POINT,
        token: token.into(),
        by: "clerk".into(),
    })
}

fn amount(answer: Result<Answer, Refusal>) -> Micro {
    match answer {
        Ok(Answer::TokenTaken { amount, .. }) => amount,
        other => panic!("not taken: {other:?}"),
    }
}

/// The state after the journal was written, read and replayed: what a restart finds.
fn restarted(site: &Site) -> State {
    let mut state = State::default();
    for record in &site.journal {
        let text = serde_json::to_string(record).expect("writes");
        let record: Record = serde_json::from_str(&text).expect("reads");
        state.apply(&record);
    }
    for last in site.state.readings.values() {
        state.observe(last.clone());
    }
    state
}

fn restart(site: &mut Site) {
    let state = restarted(site);
    assert_eq!(state, site.state);
    site.state = state;
}

#[test]
fn a_credit_is_worth_what_its_energy_costs_from_where_the_account_stands() {
    for (used_wh, tenths) in [(0, 10), (90_000, 200), (99_999, 1), (290_000, 3_000)] {
        let mut site = site();
        site.vend("k", "9000").expect("vend");
        site.now = NOVEMBER + 20 * DAY;
        assert_eq!(site.read(used_wh / 2), None);
        // The rest is used, not settled.
        site.now += 7 * 3_600;
        assert_eq!(site.read(used_wh), None);
        let taken = amount(enter(&mut site, &credit(0, 7, tenths)));
        let energy = u64::from(tenths) * 100;
        let cost = |wh| msedcl_reference(wh, 21, 30, Phases::Single);
        let expected = cost(used_wh + energy) - cost(used_wh);
        assert_eq!(taken, Micro(expected), "{used_wh} Wh, {tenths} tenths");
        assert_eq!(
            site.state.ledger[&LedgerAccount::Tokens],
            Micro(-taken.0),
            "one posting from tokens"
        );
        let with = site.available();
        site.now += 16 * 3_600;
        assert_eq!(site.read(used_wh + energy), None);
        assert_eq!(site.available(), with - taken, "{used_wh} Wh used it up");
        restart(&mut site);
    }
}

#[test]
fn a_site_that_sells_money_credits_tenths_of_the_currency() {
    let mut site = site();
    site.tokens.credit = TokenCredit::Money;
    let taken = amount(enter(&mut site, &credit(0, 7, 1_234)));
    assert_eq!(taken, Micro(123_400_000));
    assert_eq!(site.state.ledger[&LedgerAccount::Tokens], -taken);
}

#[test]
fn what_is_not_taken_is_named_and_moves_nothing() {
    let water = Message::Credit {
        commodity: Commodity::Water,
        issue: issue(9, 10),
    };
    let test = Message::MeterTest {
        subclass: 0,
        control: 1,
        manufacturer: 0,
    };
    let free = "11111111111111111111";
    let cases = [
        ("1234", "not-twenty-digits"),
        ("99999999999999999999", "number-too-large"),
        (&credit(0, 7, 10), "used"),
        (&credit(1, 8, 10), "wrong-key"),
        (&seal(&key(0), &water), "for-water"),
        (
            &test.seal(None).expect("no key").to_string(),
            "token-test-not-here",
        ),
        (
            &set(Register::UnbalanceLimit, 10, 1),
            "unbalance-limit-not-here",
        ),
        (&set(Register::TariffRate, 11, 1), "tariff-rate-not-used"),
        (&credit(0, 12, 0), "token-worth-nothing"),
    ];
    for (token, name) in cases {
        let mut site = site();
        amount(enter(&mut site, &credit(0, 7, 10)));
        let balance = site.point().account.balance;
        let refusal = enter(&mut site, token).expect_err(name);
        assert_eq!(refusal.name(), name);
        assert_eq!(site.point().account.balance, balance, "{name}");
        restart(&mut site);
    }
    let mut unprovisioned = Site::with_one_point();
    let refusal = enter(&mut unprovisioned, free).expect_err("no key");
    assert_eq!(refusal.name(), "key-not-provisioned");
    // A token too large for the account is not used up.
    let mut site = site();
    site.rules.prepay.largest_balance = Micro(10_000_000);
    let token = credit(0, 7, 1_000);
    assert_eq!(enter(&mut site, &token), Err(Refusal::BalanceTooLarge));
    site.rules.prepay.largest_balance = Micro(10_000_000_000);
    amount(enter(&mut site, &token));
}

#[test]
fn a_lockout_outlives_a_restart() {
    let mut site = site();
    let wrong = credit(2, 7, 10);
    for name in ["checksum-wrong", "checksum-wrong", "checksum-wrong"] {
        assert_eq!(enter(&mut site, &wrong).expect_err(name).name(), name);
    }
    restart(&mut site);
    let good = credit(0, 8, 10);
    assert_eq!(
        enter(&mut site, &good).expect_err("locked").name(),
        "locked-out"
    );
    let records = site.journal.len();
    assert!(enter(&mut site, &good).is_err());
    assert_eq!(site.journal.len(), records, "waiting writes nothing");
    site.now += 11;
    amount(enter(&mut site, &good));
}

#[test]
fn settings_are_carried_out() {
    let mut site = site();
    let command = set(Register::PowerLimit, 7, 2_300);
    amount(enter(&mut site, &command));
    let directive = |site: &Site| site.point().directive(&msedcl()).expect("a meter");
    assert_eq!(directive(&site).load_limit_w, 2_300);
    amount(enter(&mut site, &credit(0, 8, 100)));
    let cleared = amount(enter(&mut site, &set(Register::ClearCredit, 9, 0xffff)));
    assert!(cleared < Micro::ZERO);
    assert_eq!(site.point().account.balance, Micro::ZERO);
    let mut tampered = reading(NODE, 0);
    tampered.tamper = prepaid_common::wire::Events::LATCHED.0;
    tampered.boot_count = Some(5);
    site.event(&Event::Reading(tampered)).expect("read");
    let alarm = (AlarmKind::Tamper, Subject::UsagePoint(POINT));
    assert!(site.state.alarms[&alarm].acknowledged_by.is_none());
    amount(enter(&mut site, &set(Register::ClearTamper, 10, 0)));
    assert_eq!(
        site.state.alarms[&alarm].acknowledged_by.as_deref(),
        Some("clerk"),
        "the node is told to clear what it latched"
    );
    site.event(&Event::Reading(reading(NODE, 0))).expect("read");
    assert!(!site.state.alarms.contains_key(&alarm));
    restart(&mut site);
}

#[test]
fn four_key_change_tokens_in_any_order_bring_a_new_key() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let mut site = site();
        let terms = KeyTerms {
            revision: 2,
            ..terms()
        };
        let new = NewKey::new(key(2), &terms, 255, false);
        let parts = new.parts();
        assert_eq!(parts.len(), order.len());
        for place in order {
            amount(enter(
                &mut site,
                &seal(&key(0), &Message::Key(parts[place])),
            ));
            restart(&mut site);
        }
        amount(enter(&mut site, &credit(2, 7, 10)));
        let old = enter(&mut site, &credit(0, 8, 10)).expect_err("the old key");
        assert_eq!(old.name(), "wrong-key");
    }
}

#[test]
fn after_a_restored_backup_no_token_of_before_is_taken() {
    let mut site = site();
    enter(&mut site, &credit(0, 1_000, 100)).expect("taken before the backup");
    let now = VendingTime(site.now + i64::from(site.rules.calendar.utc_offset_s));
    let minute = BaseDate::Y2014.tid_at(now).expect("a minute").minutes();
    site.command(Command::HoldMoney {
        cause: HoldCause::Restored,
        evidence: "the backup of yesterday was restored".into(),
    })
    .expect("held");
    site.command(Command::ReleaseMoney {
        note: "compared".into(),
        by: "clerk".into(),
    })
    .expect("released");
    let old = Err(Refusal::Token(Rejection::Old));
    // Which of these were used since the backup is not known.
    for tid in [1_000, 2_000, minute] {
        assert_eq!(enter(&mut site, &credit(0, tid, 100)), old, "{tid}");
    }
    enter(&mut site, &credit(0, minute + 2, 100)).expect("issued since");
    assert_eq!(restarted(&site), site.state);
}

#[test]
fn another_key_in_the_file_keeps_used_tokens_used() {
    let mut site = site();
    amount(enter(&mut site, &credit(0, 7, 10)));
    site.tokens.keys.insert(POINT, meter(2));
    assert_eq!(
        enter(&mut site, &credit(2, 7, 10))
            .expect_err("used")
            .name(),
        "used"
    );
    amount(enter(&mut site, &credit(2, 8, 10)));
    restart(&mut site);
    let provisioned =
        |record: &&Record| matches!(record.decision, Decision::TokenProvisioned { .. });
    assert_eq!(site.journal.iter().filter(provisioned).count(), 2);
}

#[test]
fn no_key_is_written_down_or_printed() {
    let mut site = site();
    amount(enter(&mut site, &credit(0, 7, 10)));
    let journal = serde_json::to_string(&site.journal).expect("writes");
    let printed = format!("{:?} {:?} {:?}", site.tokens, site.state, meter(0));
    for text in [journal, printed] {
        let text = text.to_lowercase();
        for key in KEYS {
            assert!(!text.contains(key) && !text.contains(&key[..16]), "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any order and repetition, with use, days and restarts in between: each token moves money once at most, and the ledger holds.
    #[test]
    fn each_token_is_credited_once(steps in prop::collection::vec((0_u32..40, any::<bool>(), 0_u64..3_000), 1..60)) {
        let mut site = site();
        let (mut register, mut taken) = (0, std::collections::BTreeSet::new());
        for (tid, restarts, wh) in steps {
            register += wh;
            site.now += 1_800;
            prop_assert_eq!(site.read(register), None);
            let before = site.state.ledger.get(&LedgerAccount::Tokens).copied().unwrap_or_default();
            let entered = enter(&mut site, &credit(0, tid * 1_440 + 5, 25));
            let after = site.state.ledger.get(&LedgerAccount::Tokens).copied().unwrap_or_default();
            match entered {
                Ok(Answer::TokenTaken { amount, .. }) => {
                    prop_assert!(taken.insert(tid), "{} twice", tid);
                    prop_assert_eq!(before - after, amount);
                }
                other => {
                    prop_assert!(taken.contains(&tid), "{:?}", other);
                    prop_assert_eq!(before, after);
                }
            }
            if restarts {
                restart(&mut site);
            }
        }
    }
}

#[test]
fn a_token_pays_no_debt_and_repays_emergency_credit() {
    use gateway_core::debt::{CapPeriod, DebtKind};
    let money = crate::debts::amount;
    let mut site = site();
    let cap = Some(("500", CapPeriod::Week));
    site.open_debt(DebtKind::Arrears, "300", crate::debts::terms(50, "0", cap));
    site.open_debt(
        DebtKind::Accumulated,
        "40",
        crate::debts::terms(100, "0", None),
    );
    site.rules.prepay.emergency.limit = money("200");
    site.rules.prepay.emergency.automatic = true;
    site.rules.prepay.vend.smallest = money("500");
    site.now = NOVEMBER + 3_600;
    assert_eq!(site.read(10_000), None);
    let before = site.available();
    assert!(before < Micro::ZERO, "emergency credit is in use");
    // A tenth of a unit, far below the smallest recharge; then 100 units.
    for (tid, tenths) in [(7, 1), (8, 1_000)] {
        let before = site.available();
        let taken = amount(enter(&mut site, &credit(0, tid, tenths)));
        assert_eq!(site.available(), before + taken, "all of it is credit");
        let left = |kind| site.owed(kind);
        let owed = (left(DebtKind::Arrears), left(DebtKind::Accumulated));
        assert_eq!(owed, (money("300"), money("40")));
    }
    assert!(!site.point().prepay.emergency.is_active(), "it is repaid");
    // The cap has not counted it either: the next recharge pays its half and what was put off.
    site.vend("paid", "600").expect("a recharge");
    assert_eq!(site.owed(DebtKind::Arrears), Micro::ZERO);
    assert_eq!(site.owed(DebtKind::Accumulated), Micro::ZERO);
    restart(&mut site);
}

#[test]
fn a_token_made_here_is_made_once_for_its_key_and_taken_once() {
    let mut site = site();
    let order = |key: &str, amount_100wh: u32| {
        Command::MakeToken(MakeToken {
            key: key.into(),
            usage_point: POINT,
            amount_100wh,
            random: 3,
            by: "asha".into(),
        })
    };
    let made = |answer| match answer {
        Ok(Answer::TokenMade {
            token, repeated, ..
        }) => (token, repeated),
        other => panic!("{other:?}"),
    };
    let (first, _) = made(site.command(order("a", 25)));
    let before = site.state.ledger.clone();
    let (second, _) = made(site.command(order("b", 25)));
    assert_ne!(first, second, "two in the same minute");
    assert_eq!(made(site.command(order("a", 25))), (first.clone(), true));
    let other = site.command(order("a", 26));
    let used = gateway_core::prepay::MoneyRefusal::KeyUsedForOther;
    assert_eq!(other, Err(used.into()));
    assert_eq!(site.command(order("c", 0)), Err(Refusal::AmountNotPositive));
    assert_eq!(
        site.state.ledger, before,
        "no money moves before it is entered"
    );
    let enter = |token: &str| Command::EnterToken {
        usage_point: POINT,
        token: token.into(),
        by: "keypad".into(),
    };
    for token in [&second, &first] {
        let taken = site.command(enter(token));
        assert!(
            matches!(
                taken,
                Ok(Answer::TokenTaken {
                    units_100wh: 25,
                    ..
                })
            ),
            "{taken:?}"
        );
    }
    let used = site.command(enter(&first));
    assert_eq!(used, Err(Refusal::Token(Rejection::Used)));
    let journal = serde_json::to_string(&site.journal).expect("JSON");
    for secret in [first.as_str(), second.as_str(), KEYS[0]] {
        assert!(!journal.contains(secret), "{secret} is in the journal");
    }
    for record in &site.journal {
        let text = serde_json::to_string(record).expect("JSON");
        assert_eq!(&serde_json::from_str::<Record>(&text).expect(&text), record);
    }
    site.tokens.keys.remove(&POINT);
    let missing = Err(Refusal::Token(Rejection::KeyNotProvisioned));
    assert_eq!(site.command(order("d", 25)), missing);
}
