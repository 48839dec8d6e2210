//! Numbers nobody means: a damaged journal, a tariff with a slip in it. Nothing ends, and nothing turns around.

use crate::site::*;
use gateway_core::calendar::LocalDay;
use gateway_core::ledger::LedgerAccount;
use gateway_core::rating::{Component, LARGEST_COST, Usage, cost};
use gateway_core::tariff::{Duty, Phases, Tariff, TariffFault};
use gateway_core::*;

#[test]
fn a_damaged_journal_ends_nothing() {
    let mut site = Site::with_one_point();
    let record = |number, decision| Record {
        number,
        at: UtcSeconds(i64::MAX),
        decision,
    };
    let vended = Decision::Vended {
        usage_point: POINT,
        amount: Micro(i64::MAX),
        key: "k".into(),
        by: "clerk".into(),
        parts: prepay::VendParts::default(),
    };
    site.state.apply(&record(8, vended.clone()));
    site.state.apply(&record(9, vended));
    assert_eq!(site.point().account.balance, Micro(i64::MAX));
    assert_eq!(site.state.ledger[&LedgerAccount::Payments], Micro(i64::MIN));
    let mut period = site.point().account.period.period;
    for day in [i32::MIN, i32::MAX] {
        period.first = LocalDay(day);
        let added = Decision::UsagePointAdded {
            usage_point: POINT,
            label: "Flat".into(),
            phases: Phases::Single,
            tariff: msedcl().id,
            max_power_w: u32::MAX,
            period,
            day: LocalDay(day),
        };
        site.state.apply(&record(u64::MAX, added));
        let clock = Moment {
            at: UtcSeconds(i64::MAX),
            clock_trusted: true,
        };
        let _ = decide(&site.state, &site.rules, clock, &Event::Tick);
        assert!(site.available() <= Micro::ZERO);
    }
}

fn with_rebate(rebate: &str, percent: &str, on: Vec<Component>) -> Tariff {
    let mut tariff = msedcl();
    tariff.block.drain(..3);
    tariff.block[0].fuel_adjustment_per_kwh = rebate.parse().expect("amount");
    let percent = percent.parse().expect("amount");
    tariff.duty = Some(Duty {
        percent,
        on,
        per_kwh: Micro::ZERO,
    });
    tariff
}

#[track_caller]
fn check(rebate: &str, percent: &str, on: &[Component], expected: Result<(), TariffFault>) {
    let tariff = with_rebate(rebate, percent, on.to_vec());
    assert_eq!(tariff.check(), expected);
}

#[test]
fn a_tariff_by_which_using_more_costs_less_is_refused() {
    use Component::{Energy, FuelAdjustment, Wheeling};
    let pays = Err(TariffFault::BlockPaysTheCustomer);
    // Energy 17.53, wheeling 1.60.
    check("-17.53", "16", &[Energy], Ok(()));
    check("-17.54", "0", &[Energy], pays);
    check("-10", "100", &[FuelAdjustment], pays);
    check("-10", "90", &[FuelAdjustment], Ok(()));
    check("-10", "100", &[FuelAdjustment, Wheeling], Ok(()));
    check("-10", "50", &[FuelAdjustment, FuelAdjustment], pays);
}

#[test]
fn the_cost_stops_at_the_largest_and_never_falls() {
    let mut tariff = with_rebate("-999999", "16", vec![Component::Energy]);
    tariff.block[0].energy_per_kwh = "1000000".parse().expect("amount");
    assert_eq!(tariff.check(), Ok(()));
    let total = |energy| {
        let usage = Usage {
            energy: WattHours(energy),
            days_due: 1,
            period_days: 30,
            phases: Phases::Single,
            ..Usage::default()
        };
        cost(&tariff, &usage).total()
    };
    // Energy reaches its largest cost at 10,000,000 Wh.
    let energies = [
        0,
        9_999_999,
        10_000_000,
        10_000_001,
        1_000_000_000,
        u64::MAX,
    ];
    for pair in energies.windows(2) {
        assert!(total(pair[0]) <= total(pair[1]), "{pair:?}");
    }
    assert!(total(u64::MAX) <= Micro(4 * LARGEST_COST.0));
}
