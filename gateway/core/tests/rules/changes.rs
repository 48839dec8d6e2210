//! Bands and versions change between readings: any order of readings, vends and ticks gives the account of the reference, and
//! the lease is the largest register it can pay.

use crate::book::{Book, END, begin, intervals, remembered, versions};
use crate::site::*;
use crate::tariffs::{FILES, tariff};
use gateway_core::account::Change;
use gateway_core::event::{Command, IntervalEnd, Role};
use gateway_core::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    /// Minutes pass, the register advances, and the node may remember the half hours in between.
    Read {
        minutes: u16,
        advance: u16,
        remembers: bool,
    },
    Again,
    Tick(u16),
    Vend(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let read = (1_u16..900, 0_u16..30_000, any::<bool>());
    prop_oneof![
        8 => read.prop_map(|(minutes, advance, remembers)| Step::Read { minutes, advance, remembers }),
        1 => Just(Step::Again),
        3 => (1_u16..700).prop_map(Step::Tick),
        2 => (1_u16..900).prop_map(Step::Vend),
    ]
}

/// By search on the reference: at the lease the account can pay, a watt-hour further it cannot.
fn check_lease(site: &Site, book: &Book, paid: i64) -> Result<(), TestCaseError> {
    let tariff = site.state.tariff_of(site.point()).expect("as written");
    let lease = site.point().affordable(tariff).0;
    match book.lease(paid, 0) {
        Some(expected) => prop_assert_eq!(lease, expected),
        None => prop_assert!(lease <= book.charged()),
    }
    Ok(())
}

fn walk(steps: &[Step], on_change: &str) -> Result<(), TestCaseError> {
    let (mut site, mut book) = begin(on_change);
    let mut paid = 0;
    for (i, step) in steps.iter().enumerate() {
        match *step {
            Step::Read {
                minutes,
                advance,
                remembers,
            } => {
                site.now = (site.now + i64::from(minutes) * 60).min(END);
                let last = book.last();
                let most =
                    u64::try_from(site.now - last.0).expect("small and positive") * 23_000 / 3_600;
                let register = last.1 + u64::from(advance).min(most);
                let mut marks = Vec::new();
                if remembers && site.now > last.0 {
                    marks = remembered(last, (site.now, register));
                }
                let mut reading = reading(NODE, register);
                reading.intervals = intervals(&marks);
                prop_assert_eq!(site.event(&Event::Reading(reading)).err(), None);
                book.read(site.now, register - last.1, &marks);
            }
            Step::Again => {
                prop_assert_eq!(site.read(book.last().1), None);
                book.read(site.now, 0, &[]);
            }
            Step::Tick(minutes) => {
                site.now = (site.now + i64::from(minutes) * 60).min(END);
                site.event(&Event::Tick).expect("as written");
                book.tick(site.now);
            }
            Step::Vend(rupees) => {
                site.vend(&format!("key {i}"), &format!("{rupees}0"))
                    .expect("as written");
                paid += i64::from(rupees) * 10_000_000;
            }
        }
        prop_assert_eq!(
            site.available().0,
            paid - book.cost(0),
            "after step {}: {:?}",
            i,
            step
        );
        if i % 16 == 3 || i + 1 == steps.len() {
            check_lease(&site, &book, paid)?;
        }
    }
    let mut folded = State::default();
    site.journal.iter().for_each(|record| folded.apply(record));
    folded.readings = site.state.readings.clone();
    folded.observed_at = site.state.observed_at;
    prop_assert_eq!(&folded, &site.state);
    for record in &site.journal {
        let text = serde_json::to_string(record).expect("as written");
        prop_assert_eq!(
            &serde_json::from_str::<Record>(&text).expect("as written"),
            record
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_order_gives_the_account_cut_at_the_register(steps in prop::collection::vec(step(), 1..90)) {
        walk(&steps, "at-register")?;
    }

    #[test]
    fn any_order_gives_the_account_split_by_days(steps in prop::collection::vec(step(), 1..90)) {
        walk(&steps, "by-days")?;
    }
}

fn settlements(site: &Site) -> Vec<account::Settlement> {
    let settled = |record: &Record| match &record.decision {
        Decision::Settled { settlement, .. } => Some(*settlement),
        _ => None,
    };
    site.journal.iter().filter_map(settled).collect()
}

/// From 07:00 with 0 Wh to 11:00 with 8,000 Wh, the solar band beginning at 09:00.
#[track_caller]
fn check_split(marks: &[(i64, u64)], before: u64, uncertain: u64) {
    let (mut site, _) = begin("at-register");
    site.now = NOVEMBER + 7 * 3_600;
    site.read(0);
    site.now = NOVEMBER + 9 * 3_600;
    site.event(&Event::Tick).expect("as written");
    assert_eq!(site.point().account.band, 3, "the tick begins the band");
    site.now = NOVEMBER + 11 * 3_600;
    let mut reading = reading(NODE, 8_000);
    let interval = |(minute, register): &(i64, u64)| IntervalEnd {
        end: UtcSeconds(NOVEMBER + minute * 60),
        register: WattHours(*register),
    };
    reading.intervals = marks.iter().map(interval).collect();
    site.event(&Event::Reading(reading)).expect("as written");
    let settled = *settlements(&site).last().expect("as written");
    assert_eq!((settled.energy.0, settled.uncertain.0), (before, uncertain));
    assert!(settled.bands.is_empty());
    assert_eq!(site.point().account.settled_to.0, before);
}

#[test]
fn a_band_boundary_is_settled_at_its_register_or_split_in_proportion_to_time() {
    check_split(&[], 4_000, 8_000);
    check_split(&[(540, 1_000)], 1_000, 0);
    check_split(&[(510, 3_000), (570, 4_001)], 3_500, 1_001);
    // What contradicts the readings is not used.
    check_split(&[(540, 9_000)], 4_000, 8_000);
    check_split(&[(400, 9_000), (700, 1)], 4_000, 8_000);
}

#[test]
fn a_version_that_begins_with_a_period_splits_nothing() {
    let [old, new] = versions("by-days");
    let new = new.replace("2026-11-16", "2026-12-01");
    let mut site = Site::with_tariffs(&[tariff(&old), tariff(&new)]);
    site.add_point_with(POINT, NODE, "example-commercial-tod-2026-27");
    site.read(0);
    site.now = NOVEMBER + 30 * DAY + 3_600;
    site.read(1_000);
    let changes: Vec<_> = site
        .journal
        .iter()
        .filter_map(|record| match &record.decision {
            Decision::TariffChanged { to, change, .. } => Some((to.as_str(), change.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(
        changes,
        [("example-commercial-tod-2026-11", Change::Period)]
    );
    let account = &site.point().account;
    assert_eq!(
        (account.tariff.as_str(), account.period.period.days),
        ("example-commercial-tod-2026-11", 31)
    );
}

#[test]
fn accounts_begin_with_the_version_of_the_day_and_follow_one_that_is_named_late() {
    let texts = [FILES[0], FILES[1], FILES[2]];
    let tariffs = texts.map(tariff);
    let check = |tariffs: &[tariff::Tariff], name: &str, expected: &str| {
        let mut site = Site::with_tariffs(tariffs);
        site.add_point_with(POINT, NODE, name);
        assert_eq!(site.point().account.tariff, expected, "{name}");
        site
    };
    check(&tariffs, "msedcl-lt1b", "msedcl-lt1b-2026-27");
    check(&tariffs, "msedcl-lt1b-2024-25", "msedcl-lt1b-2026-27");
    // The newer versions arrive on 5 November: split by days, the whole period is theirs, from its first day.
    let mut site = check(&tariffs[..1], "msedcl-lt1b", "msedcl-lt1b-2024-25");
    site.read(0);
    site.now += 4 * DAY + 3_600;
    site.read(90_000);
    for tariff in &tariffs[1..] {
        let tariff = Box::new(tariff.clone());
        site.command(Command::AdoptTariff { tariff })
            .expect("as written");
    }
    site.now += DAY;
    site.read(150_000);
    assert_eq!(site.point().account.tariff, "msedcl-lt1b-2026-27");
    let expected = msedcl_reference(150_000, 6, 30, Default::default());
    assert_eq!(-site.available().0, expected);
}

#[test]
fn later_fuel_adjustments_amend_a_tariff_and_earlier_ones_do_not() {
    let adopt = |site: &mut Site, text: &str| {
        let tariff = Box::new(tariff(text));
        site.command(Command::AdoptTariff { tariff })
    };
    let mut site = Site::with_tariffs(&[tariff(FILES[5])]);
    let entry =
        |month: &str| format!("[[fuel_adjustment]]\nmonth = \"{month}\"\nper_kwh = [\"0.55\"]\n\n");
    let amended = |month: &str| {
        FILES[5].replacen(
            "[[fuel_adjustment]]",
            &(entry(month) + "[[fuel_adjustment]]"),
            1,
        )
    };
    assert_eq!(
        adopt(&mut site, &amended("2026-11")),
        Err(Refusal::TariffDiffers)
    );
    assert!(adopt(&mut site, &amended("2026-12")).is_ok());
    let id = "example-commercial-tod-2026-27";
    assert_eq!(site.state.tariffs[id].fuel_adjustment.len(), 3);
    let other_family = FILES[5].replace("family = \"example", "family = \"other");
    assert_eq!(adopt(&mut site, &other_family), Err(Refusal::TariffDiffers));
    let dearer = FILES[5].replace("\"9.80\"", "\"9.81\"");
    assert_eq!(adopt(&mut site, &dearer), Err(Refusal::TariffDiffers));
}

#[test]
fn a_sanctioned_load_out_of_range_is_refused() {
    let mut site = Site::with_one_point();
    let mut set = |load_w, by: &str| {
        let by = by.to_owned();
        site.command(Command::SetSanctionedLoad {
            usage_point: POINT,
            load_w,
            by,
        })
        .err()
    };
    assert_eq!(set(0, "clerk"), Some(Refusal::LoadOutOfRange));
    assert_eq!(set(10_000_001, "clerk"), Some(Refusal::LoadOutOfRange));
    assert_eq!(set(2_000, ""), Some(Refusal::TextUnusable));
    assert_eq!(set(2_000, "clerk"), None);
    assert_eq!(site.point().sanctioned_load_w, 2_000);
    let role = Role::UsagePoint(POINT);
    assert_eq!(site.state.node_for(role), Some(NODE));
}
