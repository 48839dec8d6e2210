//! Supply off the moment the credit is used up, on when it is back, and never by mistake.

use crate::site::*;
use gateway_core::alarm::{AlarmKind, Subject};
use gateway_core::event::{Answer, IntervalEnd};
use gateway_core::metering::RegisterBreak;
use gateway_core::supply::{Reason, Relay, SupplyOrder};
use gateway_core::*;

fn reasons(site: &Site) -> Vec<Reason> {
    site.point().supply.reasons.iter().collect()
}

fn open(site: &Site, kind: AlarmKind) -> bool {
    let alarm = site.state.alarms.get(&(kind, Subject::UsagePoint(POINT)));
    alarm.is_some_and(|alarm| !alarm.cleared)
}

#[test]
fn credit_runs_out_at_the_lease_and_a_vend_brings_it_back() {
    let mut site = Site::with_one_point();
    assert_eq!(reasons(&site), [Reason::CreditExhausted]);
    site.vend("a", "100").unwrap();
    assert_eq!(reasons(&site), []);
    let cutoff = site.cutoff();
    site.now += 7_200;
    assert_eq!(site.read(cutoff - 1), None);
    assert_eq!(reasons(&site), []);
    assert!(open(&site, AlarmKind::LowCredit));
    assert_eq!(site.read(cutoff), None);
    assert_eq!(reasons(&site), [Reason::CreditExhausted]);
    let left = site.point().account.balance;
    assert!(left >= Micro::ZERO && left < Micro(10_000), "{left}");
    assert_eq!(site.point().account.settled_to, WattHours(cutoff));
    site.vend("b", "200").unwrap();
    assert_eq!(reasons(&site), []);
    assert!(!open(&site, AlarmKind::LowCredit));
    assert!(site.cutoff() > cutoff);
}

#[test]
fn a_key_is_one_vend_whatever_is_asked() {
    let mut site = Site::with_one_point();
    let Ok(Answer::Vended {
        receipt,
        available,
        repeated: false,
        ..
    }) = site.vend("k", "50")
    else {
        panic!("first vend");
    };
    let Ok(Answer::Vended {
        receipt: same,
        available: still,
        repeated: true,
        ..
    }) = site.vend("k", "50")
    else {
        panic!("same vend");
    };
    assert_eq!((receipt, available), (same, still));
    assert_eq!(site.vend("k", "51"), Err(Refusal::KeyUsedForOtherVend));
    assert!(open(&site, AlarmKind::VendConflict));
    assert_eq!(site.available(), still);
}

#[test]
fn vends_are_refused_by_name() {
    let mut site = Site::with_one_point();
    let check = |site: &mut Site, key: &str, amount: &str, refusal| {
        let before = site.state.clone();
        assert_eq!(site.vend(key, amount), Err(refusal), "{key} {amount}");
        assert_eq!(site.state, before);
    };
    check(&mut site, "", "1", Refusal::TextUnusable);
    check(&mut site, "line\nbreak", "1", Refusal::TextUnusable);
    check(&mut site, &"k".repeat(65), "1", Refusal::TextUnusable);
    check(&mut site, "k", "0", Refusal::AmountNotPositive);
    check(&mut site, "k", "-5", Refusal::AmountNotPositive);
    let above = prepay::MoneyRefusal::VendAboveLargest {
        largest: Micro(25_000_000_000),
    };
    check(&mut site, "k", "25000.000001", above.into());
    site.rules.prepay.largest_balance = Micro(10_000_000);
    check(&mut site, "k", "16", Refusal::BalanceTooLarge);
    let usage_point = UsagePointId(9);
    let (key, by) = ("k".to_owned(), "clerk".to_owned());
    let nobody = Command::Vend {
        key,
        usage_point,
        amount: Micro::ONE,
        by,
    };
    assert_eq!(site.command(nobody), Err(Refusal::NoSuchUsagePoint));
}

#[test]
fn orders_go_over_credit_both_ways() {
    let mut site = Site::with_one_point();
    site.order(SupplyOrder::On);
    assert_eq!(reasons(&site), []);
    site.order(SupplyOrder::Off);
    assert_eq!(
        reasons(&site),
        [Reason::OperatorOff, Reason::CreditExhausted]
    );
    site.vend("a", "100").unwrap();
    assert_eq!(reasons(&site), [Reason::OperatorOff]);
    site.order(SupplyOrder::Auto);
    assert_eq!(reasons(&site), []);
}

#[track_caller]
fn check_break(
    first: (u64, u32, u32),
    then: (u64, u32, u32),
    expected: Option<(RegisterBreak, u64)>,
    register: u64,
) {
    let mut site = Site::with_one_point();
    site.vend("a", "5000").expect("vend");
    for (raw, boot, uptime) in [first, then] {
        site.now += 3_600;
        let mut reading = reading(NODE, raw);
        (reading.boot_count, reading.uptime_s) = (Some(boot), Some(uptime));
        assert!(site.event(&Event::Reading(reading)).is_ok());
    }
    let fitted = site
        .journal
        .iter()
        .rev()
        .find_map(|record| match &record.decision {
            Decision::MeterFitted {
                cause: Some(cause),
                set_aside,
                ..
            } => Some((*cause, set_aside.0)),
            _ => None,
        });
    assert_eq!(fitted, expected);
    let now = site
        .point()
        .register_for(site.state.raw_register(site.point()));
    assert_eq!(now, WattHours(register));
}

#[test]
fn breaks_of_a_register_never_become_money() {
    check_break((1_000, 1, 60), (2_000, 1, 3_660), None, 2_000);
    check_break(
        (1_000, 1, 60),
        (990, 2, 5),
        Some((RegisterBreak::Restarted, 0)),
        1_000,
    );
    check_break(
        (1_000, 1, 60),
        (0, 1, 3_660),
        Some((RegisterBreak::WentBackwards, 0)),
        1_000,
    );
    check_break(
        (1_000, 1, 60),
        (0, 2, 5),
        Some((RegisterBreak::WentBackwards, 0)),
        1_000,
    );
    check_break(
        (1_000, 1, 60),
        (90_000, 1, 3_660),
        Some((RegisterBreak::Jumped, 89_000)),
        1_000,
    );
}

#[track_caller]
fn check_untrusted(boots: (u32, u32), uptimes: (u32, u32), jumped: bool) {
    let mut site = Site::with_one_point();
    site.vend("a", "5000").expect("vend");
    site.trusted = false;
    for (raw, boot, uptime) in [(0, boots.0, uptimes.0), (40_000, boots.1, uptimes.1)] {
        let mut reading = reading(NODE, raw);
        (reading.boot_count, reading.uptime_s) = (Some(boot), Some(uptime));
        assert!(site.event(&Event::Reading(reading)).is_ok());
    }
    assert_eq!(
        open(&site, AlarmKind::RegisterJumped),
        jumped,
        "{boots:?} {uptimes:?}"
    );
}

#[test]
fn without_a_clock_the_node_s_uptime_tells_a_jump_from_an_advance() {
    // 40 kWh in an hour is a jump on 23 kW, in four hours it is not, and across a restart nobody knows.
    check_untrusted((1, 1), (60, 3_660), true);
    check_untrusted((1, 1), (60, 14_460), false);
    check_untrusted((1, 2), (60, 30), false);
}

#[test]
fn a_disputed_jump_is_charged_only_when_an_operator_says_so() {
    for charge in [false, true] {
        let mut site = Site::with_one_point();
        site.vend("a", "5000").unwrap();
        site.now += 60;
        site.read(500_000);
        assert!(open(&site, AlarmKind::RegisterJumped));
        let before = site.available();
        let number = site.point().disputes[0].number;
        let (by, usage_point) = ("clerk".to_owned(), POINT);
        site.command(Command::ResolveDispute {
            usage_point,
            number,
            charge,
            by,
        })
        .unwrap();
        assert_eq!(site.point().disputes, []);
        assert_eq!(site.available() < before, charge);
        site.now += 3_600;
        site.read(500_400);
        let register = site
            .point()
            .register_for(site.state.raw_register(site.point()));
        assert_eq!(register.0, if charge { 500_400 } else { 400 });
    }
}

#[test]
fn a_stuck_relay_is_noticed_and_an_obedient_one_is_not() {
    let mut site = Site::with_one_point();
    for (uptime, relay, alarmed) in [
        (10, Relay::Closed, false),
        (15, Relay::Closed, false),
        (40, Relay::Closed, true),
        (50, Relay::Open, false),
    ] {
        let mut reading = reading(NODE, 0);
        (reading.relay, reading.uptime_s, reading.lease_id) = (Some(relay), Some(uptime), Some(7));
        reading.cutoff = Some(WattHours(site.cutoff()));
        site.event(&Event::Reading(reading)).unwrap();
        assert_eq!(
            open(&site, AlarmKind::SwitchDoesNotAnswer),
            alarmed,
            "at {uptime} s"
        );
    }
}

#[test]
fn silence_is_noticed_and_never_disconnects() {
    let mut site = Site::with_one_point();
    site.vend("a", "1000").unwrap();
    site.now += 86_400 / 2;
    site.event(&Event::Tick).unwrap();
    let silent = (AlarmKind::NodeSilent, Subject::Node(NODE));
    assert!(site.state.alarms.contains_key(&silent));
    assert_eq!(reasons(&site), []);
    site.read(10);
    assert!(!site.state.alarms.contains_key(&silent));
}

#[test]
fn an_untrusted_clock_charges_no_day_and_cuts_only_by_energy() {
    let mut site = Site::with_one_point();
    site.vend("a", "100").unwrap();
    let balance = site.point().account.balance;
    (site.trusted, site.now) = (false, NOVEMBER + 4_000 * DAY);
    site.event(&Event::Tick).unwrap();
    assert_eq!(site.read(100), None);
    assert_eq!(site.point().account.balance, balance);
    assert_eq!(site.state.at, UtcSeconds(NOVEMBER));
    let cutoff = site.cutoff();
    site.read(cutoff);
    assert_eq!(reasons(&site), [Reason::CreditExhausted]);
}

#[test]
fn a_month_closes_at_the_register_the_node_remembered() {
    let mut site = Site::with_one_point();
    site.vend("a", "5000").unwrap();
    site.now = NOVEMBER + 30 * DAY - 7_200;
    site.read(40_000);
    site.now = NOVEMBER + 30 * DAY + 7_200;
    let mut reading = reading(NODE, 50_000);
    let end = UtcSeconds(NOVEMBER + 30 * DAY);
    reading.intervals = vec![IntervalEnd {
        end,
        register: WattHours(44_000),
    }];
    site.event(&Event::Reading(reading)).unwrap();
    let november = msedcl_reference(44_000, 30, 30, Default::default());
    let december = msedcl_reference(6_000, 1, 31, Default::default());
    assert_eq!(5_000_000_000 - site.available().0, november + december);
    assert_eq!(site.point().account.period.energy, WattHours(0));
}

#[test]
fn an_alarm_leaves_the_list_when_a_person_saw_it_and_its_cause_is_gone() {
    let mut site = Site::with_one_point();
    let tamper = |site: &mut Site, bits| {
        let mut reading = reading(NODE, 0);
        reading.tamper = bits;
        site.event(&Event::Reading(reading)).unwrap();
    };
    tamper(&mut site, 1);
    tamper(&mut site, 0);
    let (kind, subject) = (AlarmKind::Tamper, Subject::UsagePoint(POINT));
    let number = site.state.alarms[&(kind, subject)].number;
    let by = || "clerk".to_owned();
    site.command(Command::AcknowledgeAlarm { number, by: by() })
        .unwrap();
    assert!(!site.state.alarms.contains_key(&(kind, subject)));
    let refused = site.command(Command::AcknowledgeAlarm { number, by: by() });
    assert_eq!(refused, Err(Refusal::NoSuchAlarm));
    assert!(open(&site, AlarmKind::LowCredit));
    site.vend("a", "5000").unwrap();
    assert!(site.state.alarms.is_empty());
}

#[test]
fn tariffs_are_adopted_once_and_never_changed_in_place() {
    let mut site = Site::empty();
    let adopt = |site: &mut Site, tariff| {
        site.command(Command::AdoptTariff {
            tariff: Box::new(tariff),
        })
    };
    let before = site.state.number;
    assert!(adopt(&mut site, msedcl()).is_ok());
    assert_eq!(site.state.number, before);
    let mut dearer = msedcl();
    dearer.wheeling_per_kwh = Micro::ONE;
    assert_eq!(
        adopt(&mut site, dearer.clone()),
        Err(Refusal::TariffDiffers)
    );
    dearer.id = "msedcl-dearer".into();
    dearer.block.clear();
    assert_eq!(adopt(&mut site, dearer), Err(Refusal::TariffFaulty));
}

#[test]
fn journal_records_read_back_as_written() {
    let mut site = Site::with_one_point();
    site.vend("a", "100").unwrap();
    let cutoff = site.cutoff();
    site.now += 7_200;
    site.read(cutoff);
    site.order(SupplyOrder::Off);
    for record in &site.journal {
        let text = serde_json::to_string(record).unwrap();
        assert_eq!(
            &serde_json::from_str::<Record>(&text).unwrap(),
            record,
            "{text}"
        );
    }
}
