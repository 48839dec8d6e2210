//! Money: the tariff against an independent reference, and every split of a month against its bill.

use crate::site::*;
use gateway_core::calendar::Calendar;
use gateway_core::event::Role;
use gateway_core::rating::{Usage, cost};
use gateway_core::tariff::Phases;
use gateway_core::*;
use proptest::prelude::*;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn total(energy_wh: u64, days_due: u16, period_days: u16, phases: Phases) -> i64 {
    let usage = Usage {
        energy: WattHours(energy_wh),
        days_due,
        period_days,
        phases,
        ..Usage::default()
    };
    cost(&msedcl(), &usage).total().0
}

#[test]
fn worked_bills_of_the_tariff_file_come_out_exactly() {
    let tariff = msedcl();
    tariff.check().expect("a sound tariff");
    assert!(tariff.worked_bill.len() >= 6);
    for bill in &tariff.worked_bill {
        let units = bill.units_kwh;
        assert_eq!(bill.differences(&tariff), [], "{units} in {}", bill.days);
    }
}

proptest! {
    #![proptest_config(config(2_000))]
    #[test]
    fn cost_equals_the_reference(
        wh in prop_oneof![0_u64..700_000, 99_900_u64..100_100, 308_900_u64..309_100, 0_u64..50_000_000],
        period_days in 28_u16..=31, due in 0_u16..=31, three in any::<bool>(),
    ) {
        let phases = if three { Phases::Three } else { Phases::Single };
        let due = due.min(period_days);
        let expected = msedcl_reference(wh, u64::from(due), u64::from(period_days), phases);
        prop_assert_eq!(total(wh, due, period_days, phases), expected);
    }
}

/// What happens to the site between two readings.
#[derive(Debug, Clone)]
enum Step {
    /// Hours pass and the register advances by watt-hours.
    Read {
        minutes: u16,
        advance: u16,
    },
    /// The same reading arrives again.
    Again,
    /// A vend in whole rupees.
    Vend(u16),
    /// The meter is replaced by one that starts at another register.
    Swap(u32),
    /// The clock is set back by minutes for one reading.
    Back(u16),
    /// The clock is not trusted for one reading.
    Untrusted {
        advance: u16,
    },
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1_u16..2_000, 0_u16..9_000).prop_map(|(minutes, advance)| Step::Read { minutes, advance }),
        1 => Just(Step::Again),
        2 => (1_u16..900).prop_map(Step::Vend),
        1 => any::<u32>().prop_map(Step::Swap),
        1 => (1_u16..3_000).prop_map(Step::Back),
        1 => (0_u16..500).prop_map(|advance| Step::Untrusted { advance }),
        2 => Just(Step::Tick),
    ]
}

proptest! {
    #![proptest_config(config(400))]
    #[test]
    fn any_split_of_a_month_posts_its_bill(steps in prop::collection::vec(step(), 1..80)) {
        let mut site = Site::with_one_point();
        let (mut node, mut raw, mut used, mut paid) = (NODE, 0_u64, 0_u64, 0_i64);
        for (i, step) in steps.iter().enumerate() {
            match *step {
                Step::Read { minutes, advance } => {
                    // November only, and never more than the connection can carry.
                    site.now = (site.now + i64::from(minutes) * 60).min(NOVEMBER + 30 * DAY - 1);
                    let advance = u64::from(advance).min(u64::from(minutes) * 23_000 / 60);
                    let known = site.state.readings.get(&node).map_or(site.now, |last| last.at.0);
                    let carried = u64::try_from((site.now - known).max(0)).unwrap() * 23_000 / 3600 + 50;
                    raw += advance.min(carried);
                    used += advance.min(carried);
                    prop_assert_eq!(site.event(&Event::Reading(reading(node, raw))).err(), None);
                }
                Step::Again => { prop_assert_eq!(site.event(&Event::Reading(reading(node, raw))).err(), None); }
                Step::Vend(rupees) => {
                    let answer = site.vend(&format!("key {i}"), &rupees.to_string());
                    prop_assert!(answer.is_ok());
                    paid += i64::from(rupees) * 1_000_000;
                }
                Step::Swap(start) => {
                    node = NodeId(node.0 + 1);
                    raw = u64::from(start);
                    let role = Role::UsagePoint(POINT);
                    site.command(Command::AddNode { node: Some(node), role }).unwrap();
                    prop_assert_eq!(site.event(&Event::Reading(reading(node, raw))).err(), None);
                }
                Step::Back(minutes) => {
                    let now = site.now;
                    site.now -= i64::from(minutes) * 60;
                    prop_assert_eq!(site.event(&Event::Reading(reading(node, raw))).err(), None);
                    site.now = now;
                }
                Step::Untrusted { advance } => {
                    let now = site.now;
                    (site.trusted, site.now) = (false, 4_000_000_000);
                    raw += u64::from(advance);
                    used += u64::from(advance);
                    prop_assert_eq!(site.event(&Event::Reading(reading(node, raw))).err(), None);
                    (site.trusted, site.now) = (true, now);
                }
                Step::Tick => { site.event(&Event::Tick).unwrap(); }
            }
        }
        // The next month's first reading closes November with what it used.
        site.now = NOVEMBER + 30 * DAY + 60;
        prop_assert_eq!(site.event(&Event::Reading(reading(node, raw))).err(), None);
        let december = site.point().account.period.charged.total().0;
        prop_assert_eq!(site.posted() - december, msedcl_reference(used, 30, 30, Phases::Single));
        prop_assert_eq!(december, msedcl_reference(0, 1, 31, Phases::Single));
        prop_assert_eq!(site.point().account.balance.0, paid - site.posted());
        // State is a fold of the journal.
        let mut folded = State::default();
        site.journal.iter().for_each(|record| folded.apply(record));
        folded.readings = site.state.readings.clone();
        folded.observed_at = site.state.observed_at;
        prop_assert_eq!(folded, site.state);
    }

    #[test]
    fn a_lease_is_the_largest_affordable_register(
        credit in 1_i64..3_000_000_000, used in 0_u64..600_000, day in 0_i64..30,
    ) {
        let mut site = Site::with_one_point();
        site.vend("first", "20000").unwrap();
        site.now += day * DAY + 3_600;
        site.rules.default_max_power_w = u32::MAX;
        site.state.usage_points.get_mut(&POINT).unwrap().max_power_w = u32::MAX;
        site.read(used);
        site.event(&Event::Tick).unwrap();
        site.state.usage_points.get_mut(&POINT).unwrap().account.balance = Micro(credit);
        let account = &site.point().account;
        let lease = site.point().affordable(&msedcl()).0;
        for register in [lease.saturating_sub(1), lease, lease + 1] {
            let register = register.max(site.point().account.settled_to.0);
            let used_up = site.point().is_used_up(&msedcl(), WattHours(register));
            prop_assert_eq!(used_up, register >= lease, "at {} of {}", register, lease);
        }
        let days = u64::try_from(account.period.through.0 - account.period.due_from.0 + 1).unwrap();
        let charged = account.period.charged.total().0;
        let before = account.settled_to.0 - account.period.energy.0;
        let left = |register: u64| {
            credit - (msedcl_reference(register - before, days, 30, Phases::Single) - charged)
        };
        prop_assert!(left(lease) >= 0 && left(lease + 1) < 0, "{} {}", left(lease), left(lease + 1));
    }
}

#[test]
fn a_gateway_off_for_a_year_collects_each_month_once() {
    let mut site = Site::with_one_point();
    site.now += 3_600;
    site.read(1_000);
    site.now = NOVEMBER + 395 * DAY + 3_600;
    site.event(&Event::Tick).unwrap();
    let calendar = Calendar {
        utc_offset_s: 19_800,
        period_start_day: 1,
    };
    let today = calendar.day_of(UtcSeconds(site.now));
    let months = 13; // November 2026 to November 2027 are whole
    let whole = msedcl_reference(1_000, 30, 30, Phases::Single)
        + (months - 1) * msedcl_reference(0, 31, 31, Phases::Single);
    let begun = site.point().account.period.charged.total().0;
    assert_eq!(site.posted(), whole + begun);
    assert_eq!(site.point().account.period.through, today);
    assert_eq!(
        site.event(&Event::Tick).map(|_| site.posted()),
        Ok(whole + begun)
    );
}
