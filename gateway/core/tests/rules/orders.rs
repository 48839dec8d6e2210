//! Orders of the head-end: taken once, whatever comes again, late or in another order; and no money while it is held.

use crate::site::{DAY, NODE, NOVEMBER, POINT, Site};
use gateway_core::alarm::{AlarmKind, Subject};
use gateway_core::cloud::HoldCause;
use gateway_core::event::{Answer, Command};
use gateway_core::order::{Act, Hex, Order, Outcome, PLACES, Stream};
use gateway_core::supply::SupplyOrder;
use gateway_core::{Decision, Micro, Record, Refusal, State, UtcSeconds};
use proptest::prelude::*;

pub fn site() -> Site {
    let mut site = Site::with_one_point();
    enrol(&mut site, 1);
    site
}

pub fn enrol(site: &mut Site, key: u8) {
    site.command(Command::EnrolCloud {
        cloud_key: Hex([key; 32]),
        gateway_key: Hex([9; 32]),
        by: "clerk".into(),
    })
    .expect("enrolled");
}

pub fn order(sequence: u64, act: Act) -> Order {
    Order {
        id: format!("order {sequence}"),
        sequence,
        not_before: UtcSeconds(NOVEMBER - DAY),
        not_after: UtcSeconds(NOVEMBER + 300 * DAY),
        act,
        with_former_key: false,
    }
}

fn vend(key: &str) -> Act {
    Act::Command(Box::new(Command::Vend {
        key: key.into(),
        usage_point: POINT,
        amount: Micro(100_000_000),
        by: "shop".into(),
    }))
}

fn supply(order: SupplyOrder) -> Act {
    Act::Command(Box::new(Command::OrderSupply {
        usage_point: POINT,
        order,
        by: "head office".into(),
    }))
}

pub fn take(site: &mut Site, order: &Order) -> Result<Answer, Refusal> {
    let order = Box::new(order.clone());
    site.command(Command::TakeOrder { order })
}

/// What became of it in one word, and whether it was known.
pub fn word(answer: Result<Answer, Refusal>) -> (&'static str, bool) {
    match answer {
        Ok(Answer::Ordered {
            outcome, repeated, ..
        }) => match outcome {
            Outcome::Done { .. } => ("done", repeated),
            Outcome::Refused { refusal } => (refusal.name(), repeated),
        },
        Ok(_) => ("another answer", false),
        Err(refusal) => (refusal.name(), false),
    }
}

fn movements(site: &Site) -> usize {
    let moves = |record: &&Record| matches!(record.decision, Decision::Vended { .. });
    site.journal.iter().filter(moves).count()
}

pub fn replayed(site: &Site) -> State {
    let mut state = State::default();
    for record in &site.journal {
        let text = serde_json::to_string(record).expect("writes");
        state.apply(&serde_json::from_str(&text).expect("reads"));
    }
    for last in site.state.readings.values() {
        state.observe(last.clone());
    }
    state
}

#[test]
fn an_order_is_one_movement_and_one_receipt() {
    let mut site = site();
    let first = take(&mut site, &order(1, vend("p1")));
    let again = take(&mut site, &order(1, vend("p1")));
    let (
        Ok(Answer::Ordered {
            number, outcome, ..
        }),
        Ok(Answer::Ordered {
            number: same,
            outcome: told,
            repeated,
        }),
    ) = (&first, &again)
    else {
        unreachable!("{first:?} {again:?}")
    };
    assert_eq!((number, outcome, *repeated), (same, told, true));
    // A year later, after a restart, and from the clerk with the same reference.
    site.now += 365 * DAY;
    assert_eq!(replayed(&site), site.state);
    assert_eq!(word(take(&mut site, &order(1, vend("p1")))), ("done", true));
    assert!(matches!(
        site.vend("p1", "100"),
        Ok(Answer::Vended { repeated: true, .. })
    ));
    assert_eq!(movements(&site), 1);
    let by = site
        .journal
        .iter()
        .find_map(|record| match &record.decision {
            Decision::Vended { by, .. } => Some(by.as_str()),
            _ => None,
        });
    assert_eq!(by, Some("cloud shop"));
}

/// An order, the clock's trust, what becomes of it, and whether its number is used.
type Case = (&'static str, Order, bool, &'static str, bool);

fn cases() -> Vec<Case> {
    let (early, late, former) = (NOVEMBER + DAY, NOVEMBER - 1, true);
    let vend = |change: fn(&mut Order, i64), at| {
        let mut order = order(1, vend("p"));
        change(&mut order, at);
        order
    };
    let early = vend(|order, at| order.not_before = UtcSeconds(at), early);
    let late = vend(|order, at| order.not_after = UtcSeconds(at), late);
    let old = vend(|order, _| order.sequence = 0, 0);
    let former = vend(
        |order, at| order.with_former_key = at > 0,
        i64::from(former),
    );
    let add_node = Act::Command(Box::new(Command::AddNode {
        node: Some(NODE),
        role: gateway_core::event::Role::UsagePoint(POINT),
    }));
    let off = || order(1, supply(SupplyOrder::Off));
    let fresh = vend(|_, _| {}, 0);
    let same_branch = order(1, reconcile(1, 0));
    vec![
        ("obeyed", off(), true, "done", true),
        ("too early", early, true, "order-too-early", false),
        ("too late", late, true, "order-too-late", true),
        ("no clock", off(), false, "order-clock-not-trusted", false),
        ("no clock, but it gives", fresh, false, "done", true),
        ("sequence 0", old, true, "order-sequence-old", false),
        ("a former key", former, true, "order-key-former", false),
        (
            "site only",
            order(1, add_node),
            true,
            "order-not-allowed",
            true,
        ),
        ("same branch", same_branch, true, "branch-not-next", true),
        ("resend", order(1, resend()), true, "done", true),
    ]
}

#[test]
fn what_is_not_taken_waits_and_what_is_refused_is_used() {
    for (what, order, trusted, expected, is_taken) in cases() {
        let mut site = site();
        site.trusted = trusted;
        let before = site.journal.len();
        assert_eq!(word(take(&mut site, &order)).0, expected, "{what}");
        assert_eq!(site.journal.len() > before, is_taken, "{what}");
        let again = word(take(&mut site, &order));
        assert_eq!(again, (expected, is_taken), "{what}");
    }
    let mut nobody = Site::with_one_point();
    let answer = take(&mut nobody, &order(1, vend("p")));
    assert_eq!(word(answer).0, "not-enrolled");
}

fn reconcile(branch: u32, after: u64) -> Act {
    let note = "asked the agent".into();
    Act::Reconcile {
        branch,
        after,
        note,
    }
}

fn resend() -> Act {
    Act::Resend {
        stream: Stream::Journal,
        after: 3,
    }
}

#[test]
fn a_later_order_for_a_supply_makes_an_earlier_one_void() {
    let mut site = site();
    let orders = [
        (7, SupplyOrder::On, "done"),
        (6, SupplyOrder::Off, "order-superseded"),
        (8, SupplyOrder::Auto, "done"),
    ];
    for (sequence, to, expected) in orders {
        assert_eq!(
            word(take(&mut site, &order(sequence, supply(to)))).0,
            expected
        );
    }
    assert_eq!(site.point().supply.order, SupplyOrder::Auto);
}

#[test]
fn one_sequence_for_two_orders_raises_an_alarm() {
    let mut site = site();
    assert_eq!(word(take(&mut site, &order(1, vend("p1")))).0, "done");
    let mut other = order(1, vend("p2"));
    other.id = "another".into();
    assert_eq!(word(take(&mut site, &other)).0, "order-sequence-reused");
    assert_eq!((movements(&site), site.state.alarms.len()), (1, 1));
}

#[test]
fn keys_roll_and_an_enrolment_begins_anew() {
    let mut site = site();
    let roll = order(4, Act::RollKey { key: Hex([2; 32]) });
    assert_eq!(word(take(&mut site, &roll)).0, "done");
    let enrolled = site.state.cloud.enrolled.clone().expect("enrolled");
    assert_eq!(
        (enrolled.cloud_key, enrolled.former_key),
        (Hex([2; 32]), Some(Hex([1; 32])))
    );
    let mut again = roll;
    again.with_former_key = true;
    assert_eq!(word(take(&mut site, &again)), ("done", true));
    enrol(&mut site, 3);
    assert_eq!(word(take(&mut site, &order(4, vend("p")))), ("done", false));
    assert_eq!(replayed(&site), site.state);
}

#[test]
fn money_is_held_until_somebody_has_looked() {
    let hold = |evidence: &str| Command::HoldMoney {
        cause: HoldCause::Diverged,
        evidence: evidence.into(),
    };
    let mut site = site();
    site.vend("before", "50").expect("vend");
    let supplied = site.point().supply.reasons;
    site.command(hold("cursor 900 beyond 12")).expect("held");
    let journal = site.journal.len();
    site.command(hold("cursor 900 beyond 12"))
        .expect("the same");
    assert_eq!(site.journal.len(), journal);
    assert_eq!(site.vend("new", "50"), Err(Refusal::MoneyHeld));
    assert!(site.vend("before", "50").is_ok(), "an old receipt");
    let token = Command::EnterToken {
        usage_point: POINT,
        token: "12345678901234567890".into(),
        by: "keypad".into(),
    };
    assert_eq!(site.command(token), Err(Refusal::MoneyHeld));
    assert_eq!(word(take(&mut site, &order(1, vend("p")))).0, "money-held");
    assert_eq!(site.read(5), None);
    assert_eq!(site.point().supply.reasons, supplied);
    let release = Command::ReleaseMoney {
        note: "asked the agent".into(),
        by: "clerk".into(),
    };
    site.command(release.clone()).expect("released");
    assert_eq!(site.command(release), Err(Refusal::MoneyNotHeld));
    let held = (AlarmKind::MoneyHeld, Subject::Site);
    assert!(
        site.state
            .alarms
            .get(&held)
            .is_none_or(|alarm| alarm.cleared)
    );
    site.command(hold("cursor 900 beyond 12"))
        .expect("answered");
    assert_eq!(word(take(&mut site, &order(1, vend("p")))).0, "done");
    site.command(hold("cursor 950 beyond 14"))
        .expect("new evidence");
    assert_eq!(site.vend("new", "50"), Err(Refusal::MoneyHeld));
    assert_eq!(replayed(&site), site.state);
}

#[test]
fn a_restored_gateway_gets_back_what_moved_and_nothing_twice() {
    let mut site = site();
    let image = site.clone();
    assert_eq!(word(take(&mut site, &order(1, vend("p1")))).0, "done");
    site.vend("local", "70").expect("vend");
    let lost: Vec<Record> = site.journal[image.journal.len()..].to_vec();
    let mut old = image;
    old.command(Command::HoldMoney {
        cause: HoldCause::Copy,
        evidence: "copy".into(),
    })
    .expect("held");
    let after = old.state.number - 2;
    assert_eq!(
        word(take(&mut old, &order(9, reconcile(2, after)))).0,
        "done"
    );
    // Whoever recorded the old order gains nothing.
    assert_eq!(
        word(take(&mut old, &order(1, vend("p1")))).0,
        "order-sequence-old"
    );
    for round in 0..2 {
        for (place, record) in (10..).zip(&lost) {
            let record = Box::new(record.clone());
            let is_money = matches!(record.decision, Decision::Vended { .. });
            let done = word(take(
                &mut old,
                &order(place + 100 * round, Act::Restore { record }),
            ));
            assert_eq!(
                done.0,
                if is_money {
                    "done"
                } else {
                    "restore-not-money"
                }
            );
        }
    }
    assert_eq!(old.point().account.balance, site.point().account.balance);
    assert_eq!((movements(&old), old.state.cloud.branch), (2, 2));
    assert_eq!(replayed(&old), old.state);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any orders, any number of times, in any order, with restarts in between.
    #[test]
    fn no_order_is_ever_taken_twice(sequences in prop::collection::vec(1_u64..1_500, 1..60), keys in 1_u64..40) {
        let mut site = site();
        let mut paid = std::collections::BTreeSet::new();
        for (place, sequence) in sequences.into_iter().enumerate() {
            let key = format!("p{}", sequence % keys);
            if let ("done", _) = word(take(&mut site, &order(sequence, vend(&key)))) {
                paid.insert(key);
            }
            if place % 7 == 0 {
                site.state = replayed(&site);
            }
        }
        prop_assert_eq!(movements(&site), paid.len());
        prop_assert!(site.state.orders.len() as u64 <= PLACES);
    }
}
