//! Emergency credit, friendly hours, low-credit stages, provisional charges and holds.

use crate::site::*;
use gateway_core::event::{Answer, Command};
use gateway_core::ledger::LedgerAccount;
use gateway_core::prepay::{CreditStatus, PrepayCommand, PrepayDecision, Stage};
use gateway_core::supply::{Reason, Relay, SupplyOrder};
use gateway_core::*;
use proptest::prelude::*;

const HOUR: i64 = 3_600;

fn money(text: &str) -> Micro {
    text.parse().expect("amount")
}

fn rupees(whole: i64) -> Micro {
    Micro(whole * 1_000_000)
}

/// What the prepayment rules decided, in order.
fn decided(site: &Site) -> Vec<PrepayDecision> {
    let what = |record: &Record| match &record.decision {
        Decision::Prepay { what, .. } => Some(what.clone()),
        _ => None,
    };
    site.journal.iter().filter_map(what).collect()
}

fn is_off(site: &Site) -> bool {
    site.point().supply.reasons.has(Reason::CreditExhausted)
}

fn activate(site: &mut Site) -> Result<Answer, Refusal> {
    site.command(Command::Prepay(PrepayCommand::ActivateEmergency {
        usage_point: POINT,
        by: "resident".into(),
    }))
}

fn tick(site: &mut Site, at: i64) {
    site.now = at;
    site.event(&Event::Tick).expect("tick");
}

/// The largest register with no more than `below` of debt, by search on the reference of the tariff order: what was paid, less what
/// the month has cost. The site's own month is November.
fn largest_by_search(site: &Site, below: Micro) -> u64 {
    let payments = site.state.ledger.get(&LedgerAccount::Payments).copied();
    let paid = -payments.unwrap_or_default();
    let account = &site.point().account;
    let days = account.period.through.0 - account.period.due_from.0 + 1;
    let days = u64::try_from(days).expect("days");
    let left = |register: u64| {
        let cost = msedcl_reference(register, days, 30, tariff::Phases::Single);
        paid - Micro(cost)
    };
    let mut register = account.settled_to.0;
    for step in [1_000, 1] {
        while left(register + step) >= -below {
            register += step;
        }
    }
    register
}

fn with_emergency(limit: i64, threshold: i64, automatic: bool) -> Site {
    let mut site = Site::with_one_point();
    site.rules.prepay.emergency = prepay::EmergencyRules {
        limit: rupees(limit),
        days: 0,
        threshold: rupees(threshold),
        automatic,
    };
    site
}

#[test]
fn emergency_credit_is_offered_activated_used_and_repaid_before_it_is_offered_again() {
    let mut site = with_emergency(200, 50, false);
    site.vend("a", "100").expect("vend");
    let status = |site: &Site| site.point().prepay.emergency.status;
    assert_eq!(status(&site), CreditStatus::Enabled);
    assert_eq!(activate(&mut site), Err(Refusal::EmergencyNotOffered));
    site.now += 3 * HOUR;
    let without = site.cutoff();
    site.read(without - 1_000);
    assert_eq!(status(&site), CreditStatus::Selectable);
    assert!(prepay::press_is_wanted(site.point()));
    activate(&mut site).expect("offered");
    assert_eq!(status(&site), CreditStatus::Selected);
    assert_eq!(activate(&mut site), Err(Refusal::EmergencyNotOffered));
    let with = site.cutoff();
    assert!(with > without + 20_000, "{with}");
    assert_eq!(with, largest_by_search(&site, rupees(200)));
    // The lease reaches on; nothing is cut where the credit ends.
    site.now += 3 * HOUR;
    site.read(without + 10);
    assert_eq!(status(&site), CreditStatus::InUse);
    assert!(!is_off(&site) && site.available() < Micro::ZERO);
    assert_eq!(site.cutoff(), with, "using it moves nothing");
    // A part payment lowers the debt and lends nothing anew.
    let owed = -site.available();
    site.vend("b", "0.01").expect("vend");
    let repaid = PrepayDecision::EmergencyRepaid {
        amount: money("0.01"),
        left: owed - money("0.01"),
    };
    assert_eq!(decided(&site).last(), Some(&repaid));
    assert_eq!(site.cutoff(), with, "what is left of it stays as it was");
    site.now += 30 * HOUR;
    site.read(with);
    assert!(is_off(&site) && status(&site) == CreditStatus::Exhausted);
    site.vend("c", "150").expect("vend");
    assert!(is_off(&site), "a part payment brings nothing back");
    let owed = -site.available();
    site.vend("d", &owed.to_string()).expect("vend");
    // All is repaid: it is offered again, since there is no credit.
    assert_eq!(site.available(), Micro::ZERO);
    assert_eq!(status(&site), CreditStatus::Selectable);
    assert!(is_off(&site));
    site.vend("e", "500").expect("vend");
    assert!(!is_off(&site));
    assert_eq!(status(&site), CreditStatus::Enabled);
    let postings: usize = site
        .journal
        .iter()
        .filter(|record| matches!(record.decision, Decision::Prepay { .. }))
        .map(|record| record.decision.postings().len())
        .sum();
    assert_eq!(postings, 0, "a loan within the account moves no money");
}

#[test]
fn emergency_days_hold_the_supply_until_they_are_over() {
    let mut site = with_emergency(0, 50, true);
    site.rules.prepay.emergency.days = 3;
    site.vend("a", "100").expect("vend");
    site.now += 12 * HOUR;
    let end = site.cutoff();
    site.read(end);
    let until = site.point().prepay.emergency.until.expect("days");
    assert_eq!(until.0, site.now + 3 * DAY);
    assert!(!is_off(&site));
    let tariff = site.state.tariff_of(site.point());
    let window = prepay::window(&site.rules, site.point(), tariff, UtcSeconds(site.now));
    let window = window.expect("days");
    assert!(window.holds(UtcSeconds(site.now)) && window.until == until);
    let midnight = NOVEMBER + 3 * DAY;
    tick(&mut site, midnight + HOUR);
    assert!(!is_off(&site));
    tick(&mut site, until.0 - 1);
    assert!(!is_off(&site));
    tick(&mut site, until.0);
    assert!(is_off(&site));
    assert_eq!(
        site.point().prepay.emergency.status,
        CreditStatus::Exhausted
    );
    site.vend("b", "1000").expect("vend");
    assert!(!is_off(&site));
}

#[test]
fn emergency_days_begin_when_the_clock_is_known() {
    let mut site = with_emergency(0, 50, true);
    site.rules.prepay.emergency.days = 3;
    site.vend("a", "100").expect("vend");
    site.trusted = false;
    let end = site.cutoff();
    site.read(end);
    assert_eq!(site.point().prepay.emergency.status, CreditStatus::InUse);
    assert!(!is_off(&site));
    // The gateway had stood still for a month by the clock; for the resident it is a minute.
    let known = site.now + 30 * DAY;
    site.trusted = true;
    tick(&mut site, known);
    assert!(!is_off(&site), "cut off by a clock that was set");
    let until = site.point().prepay.emergency.until.expect("days");
    assert_eq!(until.0, known + 3 * DAY);
    tick(&mut site, until.0);
    assert!(is_off(&site));
}

#[test]
fn friendly_hours_cut_nobody_and_their_end_is_announced() {
    let mut site = Site::with_one_point();
    site.rules.prepay.friendly.hours = vec!["16:00-11:00".parse().expect("hours")];
    site.rules.prepay.friendly.notice_min = 60;
    site.vend("a", "100").expect("vend");
    site.now = NOVEMBER + 20 * HOUR;
    let end = site.cutoff();
    site.read(end + 5_000);
    assert!(!is_off(&site) && site.available() < Micro::ZERO);
    let eleven = NOVEMBER + DAY + 11 * HOUR;
    let held = site.point().prepay.friendly.expect("held");
    assert_eq!((held.until.0, held.noticed), (eleven, None));
    // An order off is carried out all the same.
    site.order(SupplyOrder::Off);
    assert!(site.point().supply.reasons.has(Reason::OperatorOff));
    site.order(SupplyOrder::Auto);
    assert_eq!(site.point().supply.desired(), Relay::Closed);
    tick(&mut site, eleven - HOUR - 1);
    assert_eq!(site.point().prepay.urgent_text(), None);
    tick(&mut site, eleven - HOUR);
    let text = site.point().prepay.urgent_text();
    assert_eq!(text.as_deref(), Some("Credit used up, cut at 11:00"));
    let notices = |site: &Site| {
        let is = |what: &&PrepayDecision| matches!(what, PrepayDecision::FriendlyNotice { .. });
        decided(site).iter().filter(is).count()
    };
    tick(&mut site, eleven - 30);
    assert_eq!(notices(&site), 1, "once");
    tick(&mut site, eleven);
    assert!(is_off(&site));
    // Friendly hours bring back who was off, and their end cuts again.
    tick(&mut site, NOVEMBER + DAY + 16 * HOUR);
    assert!(!is_off(&site));
    site.vend("b", "1000").expect("vend");
    assert_eq!(site.point().prepay.friendly, None);
    tick(&mut site, eleven + DAY);
    assert!(!is_off(&site));
    assert_eq!(notices(&site), 1);
}

#[test]
fn each_stage_is_told_once_per_crossing() {
    let mut site = Site::with_one_point();
    site.rules.prepay.stages = vec![
        Stage::Percent(30),
        Stage::Amount(rupees(100)),
        Stage::Days(3),
    ];
    site.read(1);
    let crossings = |site: &Site| {
        let stage = |what: &PrepayDecision| match what {
            PrepayDecision::StageCrossed { stage, .. } => Some(*stage),
            _ => None,
        };
        decided(site).iter().filter_map(stage).collect::<Vec<_>>()
    };
    assert_eq!(
        crossings(&site),
        [],
        "an account without credit crosses nothing"
    );
    site.vend("a", "1000").expect("vend");
    // Nine units a day: 63.07 with the daily charge, once days are whole.
    let mut register = 0;
    let mut day = |site: &mut Site, units: u64| {
        site.now += DAY;
        register += units * 1_000;
        site.read(register);
    };
    site.now = NOVEMBER + 60;
    for _ in 1..=11 {
        day(&mut site, 9);
    }
    assert!(site.available() > rupees(300));
    assert_eq!(crossings(&site), []);
    day(&mut site, 1);
    assert_eq!(crossings(&site), [Stage::Percent(30)]);
    day(&mut site, 9);
    let twice = [Stage::Percent(30), Stage::Days(3)];
    assert_eq!(crossings(&site), twice, "{}", site.available());
    let text = site.point().prepay.low_credit_text();
    assert_eq!(text.as_deref(), Some("Low credit: 3 days left"));
    site.vend("b", "500").expect("vend");
    assert_eq!(site.point().prepay.low_credit_text(), None);
    assert_eq!(site.point().prepay.stages.base, site.available());
    for units in [20, 10, 2, 6, 1] {
        day(&mut site, units);
    }
    let again = [
        Stage::Days(3),
        Stage::Percent(30),
        Stage::Amount(rupees(100)),
    ];
    assert_eq!(crossings(&site), [&twice[..], &again].concat());
}

#[test]
fn a_register_that_went_backwards_is_a_hold_until_somebody_clears_it() {
    for (charge, charged) in [(true, 3_000), (false, 0)] {
        let mut site = Site::with_one_point();
        site.vend("a", "500").expect("vend");
        site.now += HOUR;
        site.read(10_000);
        site.now += HOUR;
        site.read(4_000);
        let held = site.point().prepay.hold.expect("held");
        let lease = site.point().affordable(&msedcl());
        let energy = |site: &Site| site.point().account.period.energy.0;
        let before = energy(&site);
        assert_eq!((held.register.0, before), (10_000, 10_000));
        site.now += HOUR;
        site.read(7_000);
        tick(&mut site, NOVEMBER + DAY + 2 * HOUR);
        assert_eq!(energy(&site), before, "no energy is charged");
        assert!(
            site.point().affordable(&msedcl()) <= lease,
            "the lease bounds it"
        );
        let clear = |note: &str| {
            Command::Prepay(PrepayCommand::ClearHold {
                usage_point: POINT,
                note: note.into(),
                charge,
                by: "clerk".into(),
            })
        };
        assert_eq!(site.command(clear(" ")), Err(Refusal::NoteUnusable));
        site.command(clear("meter reset by a surge")).expect("held");
        assert_eq!(energy(&site), before + charged);
        assert_eq!(site.command(clear("again")), Err(Refusal::NothingHeld));
        site.now += HOUR;
        site.read(8_000);
        tick(&mut site, NOVEMBER + 2 * DAY + HOUR);
        assert_eq!(energy(&site), before + charged + 1_000);
    }
}

fn with_profile() -> Site {
    let mut site = Site::with_one_point();
    site.rules.prepay.stale = prepay::StaleRules {
        provisional_h: 6,
        provisional_days: 3,
        alarm_days: 2,
    };
    site.vend("a", "2000").expect("vend");
    for day in 1..=4 {
        site.now = NOVEMBER + day * DAY + 60;
        site.read(u64::try_from(day).expect("days") * 12_000);
    }
    site
}

#[test]
fn hours_without_readings_are_charged_provisionally_and_posted_back() {
    let mut site = with_profile();
    let profile = &site.point().prepay.profile;
    assert_eq!(profile.energy_per_day(), Some(WattHours(12_000)));
    let (heard, lease, before) = (site.now, site.cutoff(), site.available());
    let in_books = |site: &Site| {
        let account = LedgerAccount::Provisional(POINT);
        let found = site.state.ledger.get(&account).copied();
        found.unwrap_or_default()
    };
    tick(&mut site, heard + 6 * HOUR - 1);
    assert_eq!(in_books(&site), Micro::ZERO);
    tick(&mut site, heard + 6 * HOUR);
    // A quarter of a usual day, 3 units, in the first block: 3 x 5.56 and 16 % of it.
    assert_eq!(in_books(&site), money("19.3488"));
    assert_eq!(site.available(), before - money("19.3488"));
    assert_eq!(site.cutoff(), lease, "a provisional charge cuts nobody");
    tick(&mut site, heard + 13 * HOUR);
    assert_eq!(in_books(&site), money("38.6976"));
    for hours in (14..10 * 24).step_by(7) {
        tick(&mut site, heard + hours * HOUR);
    }
    let provisional = site.point().prepay.provisional.expect("provisional");
    assert_eq!((provisional.hours, provisional.energy.0), (72, 36_000));
    let missing = (
        alarm::AlarmKind::ReadingsMissing,
        alarm::Subject::UsagePoint(POINT),
    );
    assert!(site.state.alarms.contains_key(&missing));
    assert!(!is_off(&site));
    site.now += HOUR;
    site.read(60_000);
    assert_eq!(in_books(&site), Micro::ZERO);
    assert_eq!(site.point().prepay.provisional, None);
    assert!(site.state.alarms[&missing].cleared);
    assert!(site.journal.iter().any(|record| matches!(
        record.decision,
        Decision::Prepay {
            what: PrepayDecision::ProvisionalReversed { .. },
            ..
        }
    )));
}

#[test]
fn a_provisional_charge_beyond_the_credit_cuts_nobody() {
    let mut site = with_profile();
    let taken = site.available() - rupees(10);
    site.now += 60;
    let register = 48_000;
    site.read(register);
    let mut poor = site.clone();
    poor.rules.prepay.stale.provisional_h = 1;
    // As if the credit were nearly gone: a small vend less than what three usual days cost.
    assert!(taken > Micro::ZERO);
    let mut day = poor.now;
    while !is_off(&poor) && poor.now < day + 40 * DAY {
        poor.now += DAY;
        let next = poor
            .cutoff()
            .min(poor.point().account.settled_to.0 + 12_000);
        poor.read(next.saturating_sub(500).max(register));
        if poor.available() < rupees(40) {
            break;
        }
    }
    day = poor.now;
    let lease = poor.cutoff();
    for hours in 1..=60 {
        tick(&mut poor, day + hours * HOUR);
    }
    assert!(poor.point().prepay.provisional() > rupees(40));
    assert!(poor.available() < Micro::ZERO);
    let off = poor.point().supply.reasons;
    assert!(
        off.is_empty() || poor.cutoff() < lease,
        "only daily charges cut"
    );
}

#[derive(Debug, Clone)]
enum Act {
    Use(u64),
    Wait(i64),
    Vend(i64),
    Press,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..9_000_u64).prop_map(Act::Use),
        3 => (1..20 * HOUR).prop_map(Act::Wait),
        2 => (1..400_i64).prop_map(Act::Vend),
        2 => Just(Act::Press),
    ];
    proptest::collection::vec(act, 1..60)
}

/// Drives a site; the meter obeys its lease and the windows it knows, as a node does.
fn drive(site: &mut Site, acts: &[Act], each: impl Fn(&Site, bool)) {
    site.vend("first", "20").expect("vend");
    site.now += 60;
    let mut register = 100;
    site.read(register);
    for (number, act) in acts.iter().enumerate() {
        let mut paid = false;
        match act {
            Act::Use(energy) => {
                site.now += HOUR;
                let (point, at) = (site.point(), UtcSeconds(site.now));
                let tariff = site.state.tariff_of(point);
                let window = prepay::window(&site.rules, point, tariff, at);
                let free = window.is_some_and(|window| window.holds(at));
                let cutoff = site.cutoff();
                let stands = |wanted: u64| if free { wanted } else { wanted.min(cutoff) };
                register = stands(register + energy).max(register);
                site.read(register);
            }
            Act::Wait(seconds) => {
                let at = site.now + seconds;
                tick(site, at);
            }
            Act::Vend(amount) => {
                paid = true;
                let _ = site.vend(&format!("v{number}"), &amount.to_string());
            }
            Act::Press => {
                let _ = activate(site);
            }
        }
        each(site, paid);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn friendly_hours_never_cut(acts in acts(), emergency in any::<bool>()) {
        let mut site = Site::with_one_point();
        site.rules.prepay.friendly.hours =
            vec!["mon-sat 16:00-11:00".parse().expect("hours"), "wed 00:00-24:00".parse().expect("hours")];
        site.rules.prepay.friendly.holidays.insert("2026-11-09".parse().expect("day"));
        if emergency {
            site.rules.prepay.emergency.limit = rupees(100);
        }
        drive(&mut site, &acts, |site, _| {
            // The reference asks the local clock, minute by minute.
            let local = site.now + 19_800;
            let (day, minute) = (local.div_euclid(DAY), local.rem_euclid(DAY) / 60);
            let weekday = (day + 3).rem_euclid(7); // Monday: 0
            let sunday = |weekday: i64| weekday == 6;
            let evening = minute >= 16 * 60 && !sunday(weekday);
            let morning = minute < 11 * 60 && !sunday((weekday + 6) % 7);
            let holiday = day == 20_766; // 2026-11-09
            let friendly = evening || morning || weekday == 2 || holiday;
            let point = site.point();
            if friendly {
                assert!(!is_off(site), "cut at {minute} of weekday {weekday}");
            } else {
                let tariff = site.state.tariff_of(point).expect("tariff");
                let register = point.register_for(site.state.raw_register(point));
                assert_eq!(is_off(site), point.is_used_up(tariff, register));
                assert_eq!(point.prepay.friendly, None);
            }
        });
    }

    #[test]
    fn with_emergency_credit_the_lease_is_the_largest_register_by_search(
        acts in acts(), limit in 1..300_i64, threshold in 0..100_i64, automatic in any::<bool>(),
    ) {
        let mut site = with_emergency(limit, threshold, automatic);
        let granted = core::cell::Cell::new(Micro::ZERO);
        drive(&mut site, &acts, |site, paid| {
            let emergency = site.point().prepay.emergency;
            let lent = emergency.lent();
            assert!(lent <= rupees(limit));
            if !paid && emergency.is_active() && granted.get() > Micro::ZERO {
                assert!(lent <= granted.get(), "nothing is lent anew without an activation");
            }
            granted.set(lent);
            if site.point().account.period.period.first.0 != 20_758 {
                return; // the reference knows November
            }
            let found = site.point().affordable(&msedcl()).0;
            let settled = site.point().account.settled_to.0;
            let left = site.point().available(&msedcl(), WattHours(settled));
            let expected = if left < -lent { settled } else { largest_by_search(site, lent) };
            assert_eq!(found, expected);
        });
        // Every repayment was of money owed, and what was repaid in all is no more than what was paid.
        let repaid: Micro = decided(&site).iter().filter_map(|what| match what {
            PrepayDecision::EmergencyRepaid { amount, .. } => Some(*amount),
            _ => None,
        }).sum();
        let paid = -site.state.ledger.get(&LedgerAccount::Payments).copied().unwrap_or_default();
        assert!(repaid <= paid);
    }

    #[test]
    fn provisional_charges_leave_the_account_as_if_readings_had_come(
        gaps in proptest::collection::vec((0..90 * HOUR, 0..9_000_u64), 1..12), hours in 1..13_u16,
    ) {
        let mut with = with_profile();
        with.rules.prepay.stale.provisional_h = hours;
        let mut without = with.clone();
        without.rules.prepay.stale = prepay::StaleRules::default();
        let mut register = 48_000;
        for (gap, energy) in gaps {
            for site in [&mut with, &mut without] {
                let (from, step) = (site.now, (gap / 7).max(1));
                let mut at = from;
                while at < from + gap {
                    at += step;
                    tick(site, at);
                }
            }
            assert_eq!(with.point().supply.reasons, without.point().supply.reasons);
            assert_eq!(with.cutoff(), without.cutoff());
            let allowed = without.cutoff().max(register);
            register = (register + energy).min(allowed);
            with.read(register);
            without.read(register);
            assert_eq!(with.available(), without.available());
            let account = LedgerAccount::Provisional(POINT);
            assert_eq!(with.state.ledger.get(&account).copied().unwrap_or_default(), Micro::ZERO);
            let (one, other) = (&with.point().account, &without.point().account);
            assert_eq!(one, other);
        }
    }
}

#[test]
fn every_prepay_record_reads_back_as_written() {
    let mut site = with_emergency(200, 50, true);
    site.rules.prepay.friendly.hours = vec!["16:00-11:00".parse().expect("hours")];
    site.rules.prepay.stages = vec![Stage::Percent(30), Stage::Amount(rupees(100))];
    site.rules.prepay.stale.provisional_h = 6;
    site.vend("a", "400").expect("vend");
    for day in 1..=9 {
        site.now = NOVEMBER + day * DAY + 60;
        site.read(u64::try_from(day).expect("days") * 8_000);
    }
    tick(&mut site, NOVEMBER + 10 * DAY);
    site.read(90_000);
    site.vend("b", "900").expect("vend");
    site.read(10_000);
    site.command(Command::Prepay(PrepayCommand::ClearHold {
        usage_point: POINT,
        note: "looked".into(),
        charge: false,
        by: "clerk".into(),
    }))
    .expect("held");
    let mut again = State::default();
    for record in &site.journal {
        let text = serde_json::to_string(record).expect("JSON");
        let read: Record = serde_json::from_str(&text).expect(&text);
        assert_eq!(&read, record);
        again.apply(&read);
    }
    assert_eq!(again.usage_points, site.state.usage_points);
    let row = serde_json::to_string(site.point()).expect("JSON");
    let read: UsagePoint = serde_json::from_str(&row).expect(&row);
    assert_eq!(&read, site.point());
    let kinds = decided(&site).len();
    assert!(kinds >= 8, "{kinds}");
}

#[test]
fn one_look_at_the_clock_charges_nothing_twice() {
    // At 17:00 a time of day begins and friendly hours with it; what was used before is settled for both.
    let (mut site, mut book) = crate::book::begin("at-register");
    site.rules.prepay.friendly.hours = vec!["17:00-08:00".parse().expect("hours")];
    site.now = NOVEMBER + 16 * HOUR;
    site.read(3_000);
    book.read(site.now, 3_000, &[]);
    assert!(is_off(&site));
    tick(&mut site, NOVEMBER + 17 * HOUR);
    book.tick(site.now);
    assert!(!is_off(&site));
    assert_eq!(-site.available().0, book.cost(0));
    let number = site.state.number;
    tick(&mut site, NOVEMBER + 17 * HOUR);
    assert_eq!(site.state.number, number, "all of it was decided");
}
