//! A statement re-adds to the micro-unit, whatever happened to the account, and any two that meet continue each other.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

mod site;

use gateway_core::tariff::Tariff;
use gateway_core::{Command, Micro, UsagePointId, UtcSeconds};
use gateway_store::{AccountStatement, Reader};
use proptest::prelude::*;
use rusqlite::Connection;
use site::{START, Site};

const POINT: UsagePointId = UsagePointId(1);
const DAY: i64 = 86_400;
const ALWAYS: (i64, i64) = (0, START + 10_000 * DAY);

fn statement(site: &Site, (from, to): (i64, i64)) -> AccountStatement {
    let reader = Reader::open(&site.directory.database()).unwrap();
    let found = reader.account_statement(POINT, UtcSeconds(from), UtcSeconds(to));
    found.unwrap().unwrap()
}

/// Everything that has to add up, added up here once more from the lines alone.
fn check(statement: &AccountStatement) {
    assert!(statement.check.is_good(), "{:?}", statement.check);
    let mut credit = statement.opening_micro;
    for line in &statement.lines {
        let items: Micro = line.items.iter().map(|item| item.amount_micro).sum();
        assert_eq!(items, line.amount_micro, "{line:?}");
        credit += items;
        assert_eq!(credit, line.credit_micro, "{line:?}");
        let energy = line.items.iter().filter(|i| i.account == "revenue:energy");
        let energy: Micro = energy.map(|item| item.amount_micro).sum();
        let blocks: Micro = line.blocks.iter().map(|block| block.amount_micro).sum();
        assert_eq!(blocks, energy, "{line:?}");
        let wh: i64 = line.blocks.iter().map(|block| block.energy_wh).sum();
        assert_eq!(wh.cast_unsigned(), line.energy_wh.0, "{line:?}");
    }
    assert_eq!(credit, statement.closing_micro);
}

/// The shipped tariff as a family with a version that takes over a few days into the simulation.
fn next_version(on_change: &str) -> Tariff {
    let text = include_str!("../../tariffs/msedcl-lt1b-2026-27.toml");
    let mut tariff: Tariff = toml::from_str(text).unwrap();
    let before = tariff.block[0].energy_per_kwh;
    tariff.id = "next".into();
    tariff.valid_from = "2026-12-09".into();
    tariff.worked_bill.clear();
    for block in &mut tariff.block {
        block.energy_per_kwh += Micro(before.0 / 7);
    }
    tariff.on_change = match on_change {
        "by-days" => gateway_core::tariff::OnChange::ByDays,
        _ => gateway_core::tariff::OnChange::AtRegister,
    };
    tariff
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn statements_of_simulated_accounts_re_add(
        steps in prop::collection::vec((0_i64..200_000, 0_u64..30_000, 0_i64..3_000), 5..40),
        on_change in prop::sample::select(vec!["none", "by-days", "at-register"]),
        cut in 0_i64..40,
    ) {
        let mut site = Site::with_usage_points(1);
        if on_change != "none" {
            let tariff = Box::new(next_version(on_change));
            site.command(Command::AdoptTariff { tariff }).unwrap();
        }
        let mut register = 1_000;
        for (i, (seconds, wh, amount)) in steps.into_iter().enumerate() {
            site.now += seconds;
            register += wh;
            let _ = site.read(1, register);
            if amount > 2_000 {
                site.vend(1, amount, &format!("key {i}")).unwrap();
            }
        }
        site.commit().unwrap();
        let whole = statement(&site, ALWAYS);
        check(&whole);
        let balance = site.state.usage_points[&POINT].account.balance;
        prop_assert_eq!(whole.closing_micro, balance);
        let cut = START + cut * DAY + cut;
        let (first, second) = (
            statement(&site, (ALWAYS.0, cut)),
            statement(&site, (cut, ALWAYS.1)),
        );
        check(&first);
        check(&second);
        prop_assert_eq!(first.closing_micro, second.opening_micro);
        prop_assert_eq!([first.lines, second.lines].concat(), whole.lines);
    }
}

#[test]
fn a_damaged_ledger_is_named_and_an_unknown_usage_point_has_no_statement() {
    let mut site = Site::with_usage_points(1);
    site.vend(1, 500, "one").unwrap();
    site.now += 3 * DAY;
    site.read(1, 250_000).unwrap();
    site.commit().unwrap();
    check(&statement(&site, ALWAYS));
    let path = site.directory.database();
    let reader = Reader::open(&path).unwrap();
    let nobody = reader.account_statement(UsagePointId(9), UtcSeconds(0), UtcSeconds(1));
    assert_eq!(nobody.unwrap(), None);
    let damage = "UPDATE ledger SET balance = balance + 1 WHERE account = 'credit:1'";
    Connection::open(&path)
        .unwrap()
        .execute(damage, [])
        .unwrap();
    let found = statement(&site, ALWAYS);
    assert!(
        found.check.re_adds && !found.check.stored_agrees,
        "{:?}",
        found.check
    );
}
