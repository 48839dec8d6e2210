//! Tariff files: their bills, what is wrong with them, and every price against the reference.

use crate::reference::{self, Used};
use gateway_core::WattHours;
use gateway_core::rating::{Component, Usage, cost};
use gateway_core::tariff::bands::Bands;
use gateway_core::tariff::{Phases, Tariff, TariffFault};
use proptest::prelude::*;

/// Every shipped file, and shapes that no shipped file has.
pub const FILES: [&str; 11] = [
    include_str!("../../../tariffs/msedcl-lt1b-2024-25.toml"),
    include_str!("../../../tariffs/msedcl-lt1b-2025-26.toml"),
    include_str!("../../../tariffs/msedcl-lt1b-2026-27.toml"),
    include_str!("../../../tariffs/mepdcl-domestic-2025-26.toml"),
    include_str!("../../../tariffs/example-minigrid-2026.toml"),
    include_str!("../../../tariffs/example-commercial-tod-2026-27.toml"),
    include_str!("../tariffs/mepdcl-bpl.toml"),
    include_str!("../tariffs/fuel-on-previous.toml"),
    include_str!("../../../tariffs/msedcl-lt1b-tod-2025-26.toml"),
    include_str!("../../../tariffs/msedcl-lt1b-tod-2026-27.toml"),
    include_str!("../tariffs/percent-and-weekdays.toml"),
];

pub fn tariff(text: &str) -> Tariff {
    let tariff: Tariff = toml::from_str(text).expect("a tariff");
    assert_eq!(tariff.check(), Ok(()), "{}", tariff.id);
    tariff
}

#[test]
fn every_worked_bill_comes_out_to_the_micro_unit() {
    let mut bills = 0;
    for text in FILES {
        let tariff = tariff(text);
        let file: toml::Value = toml::from_str(text).expect("TOML");
        assert!(!tariff.worked_bill.is_empty(), "{}", tariff.id);
        for bill in &tariff.worked_bill {
            assert_eq!(bill.differences(&tariff), [], "{}: {bill:?}", tariff.id);
            let used = used(&bill.usage());
            let mut expected = reference::total(&file, &used);
            if let Some(day) = bill.day {
                let before = Used {
                    wh: u64::from(bill.before_kwh.unwrap_or(0)) * 1_000,
                    days_due: u64::from(day) - 1,
                    ..used
                };
                expected -= reference::total(&file, &before);
            }
            assert_eq!(bill.total.0, expected, "{}: {bill:?}", tariff.id);
            bills += 1;
        }
    }
    assert!(bills >= 40, "{bills}");
}

fn used(usage: &Usage) -> Used {
    let part = if usage.block_days == 0 {
        usage.period_days
    } else {
        usage.block_days
    };
    Used {
        wh: usage.energy.0,
        bands: usage.bands.iter().map(|(_, energy)| energy.0).collect(),
        days_due: u64::from(usage.days_due),
        days: u64::from(usage.period_days),
        part: u64::from(part),
        three: usage.phases == Phases::Three,
        load_w: u64::from(usage.load_w),
        month: usage.month.to_string(),
        previous: usage.previous_energy.0,
    }
}

prop_compose! {
    fn usages()(
        wh in prop_oneof![0_u64..700_000, 99_900_u64..100_100, 0_u64..20_000_000],
        shares in prop::collection::vec(0_u64..20, 7),
        period_days in 28_u16..=31, due in 0_u16..=31, part in 0_u16..=31, three in any::<bool>(),
        load_w in prop_oneof![Just(1_000_u32), 1_u32..200_000],
        month in prop::sample::select(vec!["2026-04", "2026-05", "2026-10", "2026-12"]),
        previous in 0_i64..20_000_000_000,
    ) -> Usage {
        let mut bands = Bands::default();
        let whole: u64 = shares.iter().sum::<u64>().max(1) + 7;
        for (band, share) in (1..).zip(&shares) {
            bands.add(band, WattHours(wh * share / whole));
        }
        Usage {
            energy: WattHours(wh),
            days_due: due.min(period_days),
            period_days,
            block_days: part.min(period_days),
            phases: if three { Phases::Three } else { Phases::Single },
            load_w,
            bands,
            month: month.parse().expect("as written"),
            previous_energy: gateway_core::Micro(previous),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_component_equals_the_reference(usage in usages(), file in 0..FILES.len()) {
        let charges = cost(&tariff(FILES[file]), &usage);
        let expected = reference::bill(&toml::from_str(FILES[file]).expect("as written"), &used(&usage));
        for (name, amount) in expected {
            let component = Component::by_name(name).expect("as written");
            prop_assert_eq!(charges[component].0, amount.in_micro(), "{}", name);
        }
    }

    #[test]
    fn a_watt_hour_more_never_costs_less(usage in usages(), file in 0..FILES.len(), band in 0_u8..=7) {
        let tariff = tariff(FILES[file]);
        let band = if usize::from(band) > tariff.band.len() { 0 } else { band };
        let more = Usage {
            energy: WattHours(usage.energy.0 + 1),
            bands: usage.bands.plus(Bands::all_in(band, WattHours(1))),
            ..usage
        };
        prop_assert!(cost(&tariff, &more).total() >= cost(&tariff, &usage).total());
    }
}

#[track_caller]
fn check(from: &str, to: &str, fault: TariffFault) {
    const COMMERCIAL: &str = FILES[5];
    assert!(COMMERCIAL.contains(from), "{from}");
    let tariff: Tariff = toml::from_str(&COMMERCIAL.replacen(from, to, 1)).expect("a tariff");
    assert_eq!(tariff.check(), Err(fault), "{to}");
}

#[test]
fn what_makes_no_sense_is_named() {
    check(
        "family = \"example-",
        "family = \"Example ",
        TariffFault::IdIsNotAShortName,
    );
    check("2026-04-01", "2026-04-31", TariffFault::ValidFromIsNotADay);
    check("[4, 5", "[0, 5", TariffFault::BandIsNever);
    check("to = \"17:00\"", "to = \"09:00\"", TariffFault::BandIsNever);
    check("\"2026-10\"", "\"2026-05\"", TariffFault::FuelMonthTwice);
    check(
        "[\"-0.20\"]",
        "[\"-0.20\", \"1\"]",
        TariffFault::FuelAmountsAreNotOnePerBlock,
    );
    check("\"-15\"", "\"-99.9\"", TariffFault::BlockPaysTheCustomer);
    check("\"-15\"", "\"-100.1\"", TariffFault::BandTakesMoreThanAll);
    check(
        "[[block]]",
        "[[block]]\nup_to_kwh = 100\nenergy_per_kwh = \"9.81\"\n\n[[block]]",
        TariffFault::PercentBandNeedsRisingBlocks,
    );
    check("\"-0.20\"", "\"-7.40\"", TariffFault::BlockPaysTheCustomer);
    check("\"-15\"", "\"-1500\"", TariffFault::RateTooLarge);
    check(
        "\"fixed\", \"energy\"",
        "\"energy\"",
        TariffFault::DutyOnMinimumAlone,
    );
    let rebate = |percent: &str| format!("[rebate]\npercent = \"{percent}\"\n\n[minimum]");
    check(
        "[minimum]",
        &rebate("100.000001"),
        TariffFault::RebateAboveAll,
    );
    check(
        "[minimum]",
        &rebate("80"),
        TariffFault::BlockPaysTheCustomer,
    );
    check("[minimum]", &rebate("-1"), TariffFault::NegativeRate);
    let on = FILES[5].lines().find(|line| line.starts_with("on = "));
    check(on.expect("a duty"), "on = []", TariffFault::DutyOnNothing);
    let allowance = "[allowance]\nwh_per_day = 500\nreset_hour = 24\n\n[minimum]";
    check("[minimum]", allowance, TariffFault::AllowanceIsNever);
}

#[track_caller]
fn check_band(local: &str, minute: i64, band: u8) {
    let tariff = tariff(FILES[10]);
    let calendar = crate::site::rules().calendar;
    let midnight = calendar.start_of(local.parse().expect("a day")).0;
    let at = gateway_core::UtcSeconds(midnight + minute * 60);
    assert_eq!(tariff.band_at(calendar, at), band, "{local} {minute}");
}

#[test]
fn a_band_over_midnight_belongs_to_the_weekday_on_which_it_began() {
    // 2026-11-20 is a Friday.
    check_band("2026-11-20", 17 * 60 + 59, 0);
    check_band("2026-11-20", 18 * 60, 3);
    check_band("2026-11-20", 22 * 60, 2);
    check_band("2026-11-21", 6 * 60 - 1, 2);
    check_band("2026-11-21", 6 * 60, 0);
    check_band("2026-11-21", 23 * 60, 0);
    check_band("2026-11-22", 0, 1);
    check_band("2026-11-22", 23 * 60, 1);
    check_band("2026-11-23", 0, 0);
    check_band("2026-11-23", 22 * 60, 2);
    let calendar = crate::site::rules().calendar;
    let start = |day: &str| calendar.start_of(day.parse().expect("a day"));
    let week = tariff(FILES[10]).band_changes(calendar, start("2026-11-16"), start("2026-11-23"));
    // Monday: evening, night; Tuesday to Friday: day, evening, night; Saturday: day, evening, night's hours, Sunday; Monday.
    assert_eq!(week.len(), 2 + 4 * 3 + 3 + 1 + 1, "{week:?}");
}

#[test]
fn the_lease_is_the_largest_register_the_reference_can_pay() {
    use gateway_core::account::Account;
    use gateway_core::{Micro, lease};
    let calendar = crate::site::rules().calendar;
    let day: gateway_core::calendar::LocalDay = "2026-05-20".parse().expect("a day");
    for (file, text) in FILES.iter().enumerate() {
        let tariff = tariff(text);
        let read: toml::Value = toml::from_str(text).expect("TOML");
        for band in 0..=u8::try_from(tariff.band.len()).expect("few") {
            let mut account = Account::open(
                tariff.id.clone(),
                calendar.period_of(day),
                day,
                WattHours(0),
            );
            account.period.energy = WattHours(120_345);
            account.period.bands = Bands::all_in(band.min(1), WattHours(60_001));
            account.period.through = day;
            account.settled_to = WattHours(120_345);
            account.band = band;
            let connection = gateway_core::tariff::Connection::from(Phases::Single);
            account.period.charged = account.cost_at(&tariff, connection, account.settled_to, day);
            account.balance = Micro(123_456_789 + 7_654_321 * i64::try_from(file).expect("few"));
            let cost = |register: u64| {
                let advance = account.advance_to(WattHours(register));
                reference::total(&read, &used(&account.usage_at(connection, &advance, day)))
            };
            let can_pay =
                |register: u64| cost(register) - cost(account.settled_to.0) <= account.balance.0;
            // By search on the reference alone: ever smaller steps up to the first register that is too much.
            let mut register = account.settled_to.0;
            for step in [100_000, 10_000, 1_000, 100, 10, 1] {
                while can_pay(register + step) && register < 100_000_000 {
                    register += step;
                }
            }
            let lease = lease::affordable_register(&account, &tariff, connection, Micro::ZERO);
            assert_eq!(lease.0, register, "{} band {band}", tariff.id);
        }
    }
}
