//! A site that was set up before its clock was ever right: nothing is charged for days nobody knows of.

use crate::debts::{amount, terms};
use crate::site::*;
use gateway_core::debt::DebtKind;
use gateway_core::*;

/// 20 November 2026, 10:00, in India: the tenth hour of the period's twentieth day.
const KNOWN: i64 = NOVEMBER + 19 * DAY + 36_000;

/// Set up, paid for and used with a clock that shows 1970.
fn before_the_clock(used: u64) -> Site {
    let mut site = Site::new_at(0);
    site.trusted = false;
    let tariff = Box::new(msedcl());
    site.command(Command::AdoptTariff { tariff })
        .expect("a tariff");
    site.add_point(POINT, NODE);
    site.read(0);
    site.vend("first", "1000").expect("a vend");
    site.open_debt(DebtKind::Appliance, "100", terms(0, "10", None));
    site.now = 7_200;
    site.read(used);
    site
}

fn check(used: u64, first: impl Fn(&mut Site)) {
    let mut site = before_the_clock(used);
    let cost = |wh, days| msedcl_reference(wh, days, 30, tariff::Phases::Single);
    assert_eq!(site.posted(), cost(used, 0), "no day has been collected");
    (site.trusted, site.now) = (true, KNOWN);
    first(&mut site);
    // What was used is charged, and one day: the one that is known.
    let expected = cost(used, 0) + cost(0, 1);
    let credit = 1_000_000_000 - expected;
    assert_eq!(site.available(), Micro(credit));
    let period = &site.point().account.period;
    assert_eq!(
        (period.period.days, period.period.first.to_string()),
        (30, "2026-11-01".into())
    );
    assert_eq!(period.due_from.to_string(), "2026-11-20");
    assert_eq!(
        site.owed(DebtKind::Appliance),
        amount("100"),
        "from the next day on"
    );
    site.now += DAY;
    site.event(&Event::Tick).expect("a tick");
    assert_eq!(
        site.available(),
        Micro(credit - 10_000_000 - cost(0, 2) + cost(0, 1))
    );
    assert_eq!(site.owed(DebtKind::Appliance), amount("90"));
    // The whole of it is in the journal.
    let mut folded = State::default();
    for record in &site.journal {
        let text = serde_json::to_string(record).expect("JSON");
        folded.apply(&serde_json::from_str(&text).expect("a record"));
    }
    assert_eq!(folded.usage_points, site.state.usage_points);
}

#[test]
fn days_begin_with_the_first_moment_that_is_known() {
    let tick = |site: &mut Site| {
        site.event(&Event::Tick).expect("a tick");
    };
    check(0, tick);
    check(5_000, tick);
    check(5_000, |site| assert_eq!(site.read(5_000), None));
}
