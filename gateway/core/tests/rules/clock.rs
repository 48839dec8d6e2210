//! The clock set by a person: what is refused, what it would collect, and that it is collected.

use crate::site::*;
use gateway_core::alarm::{AlarmKind, Subject};
use gateway_core::clock::{ClockKnown, ClockOrder, ClockQuote, ClockRefusal};
use gateway_core::*;

/// Seconds after the start of November in India.
fn order(at: i64) -> ClockOrder {
    ClockOrder {
        to: UtcSeconds(NOVEMBER + at),
        far: false,
        by: "asha".into(),
        known: ClockKnown::default(),
    }
}

/// Ten in the morning of the fifth, and then nothing knows the time any more.
fn site() -> Site {
    let mut site = Site::with_one_point();
    site.vend("first", "1000").expect("a vend");
    site.now = NOVEMBER + 4 * DAY + 36_000;
    site.read(0);
    (site.trusted, site.now) = (false, 1_800);
    site
}

const TEN_ON_THE_FIFTH: i64 = 4 * DAY + 36_000;

#[track_caller]
fn check(what: &str, order: &ClockOrder, expected: Option<Refusal>) {
    let mut site = site();
    let before = site.journal.len();
    let answer = site.command(Command::SetClock(order.clone()));
    assert_eq!(answer.err(), expected, "{what}");
    let recorded = site.journal[before..].iter();
    let recorded: Vec<_> = recorded.map(|record| record.decision.clone()).collect();
    let set = Decision::ClockSet {
        from: UtcSeconds(1_800),
        to: order.to,
        by: "asha".into(),
    };
    let whole = if expected.is_none() {
        vec![set]
    } else {
        vec![]
    };
    assert_eq!(recorded, whole, "{what}");
}

#[test]
fn what_cannot_be_the_time_is_refused() {
    use ClockRefusal::*;
    let at = |hours: i64| order(TEN_ON_THE_FIFTH + hours * 3_600);
    check("the moment before", &at(0), None);
    check("an hour back", &at(-1), None);
    let back = order(TEN_ON_THE_FIFTH - 3_601);
    check("more than an hour back", &back, Some(BeforeKnown.into()));
    check("1970", &order(-NOVEMBER), Some(BeforeKnown.into()));
    check("three days on", &at(72), None);
    let far = order(TEN_ON_THE_FIFTH + 3 * DAY + 1);
    check("more than three days on", &far, Some(FarAhead.into()));
    check("said to be far", &ClockOrder { far: true, ..far }, None);
    let years = ClockOrder {
        far: true,
        ..order(6 * 366 * DAY)
    };
    check("six years on", &years, Some(TooFarAhead.into()));
    let end = ClockOrder {
        to: UtcSeconds(i64::MAX),
        ..years.clone()
    };
    check("the end of time", &end, Some(TooFarAhead.into()));
    let start = ClockOrder {
        to: UtcSeconds(i64::MIN),
        ..years
    };
    check("its beginning", &start, Some(BeforeKnown.into()));
    let kept = ClockKnown {
        kept: true,
        floor: UtcSeconds(0),
    };
    check(
        "kept",
        &ClockOrder {
            known: kept,
            ..at(1)
        },
        Some(Kept.into()),
    );
    let noted = ClockKnown {
        kept: false,
        floor: UtcSeconds(NOVEMBER + TEN_ON_THE_FIFTH + 4 * 3_600),
    };
    let known = |hours: i64| ClockOrder {
        known: noted,
        ..at(hours)
    };
    check("before what was noted", &known(2), Some(BeforeKnown.into()));
    check("after it", &known(4), None);
    check(
        "nobody",
        &ClockOrder {
            by: String::new(),
            ..at(1)
        },
        Some(Refusal::TextUnusable),
    );
}

fn quote(site: &mut Site, order: ClockOrder) -> ClockQuote {
    let quote = match site.command(Command::QuoteClock(order)) {
        Ok(Answer::ClockQuoted(quote)) => Some(quote),
        _ => None,
    };
    quote.expect("a quote")
}

#[test]
fn a_quote_is_what_is_collected_afterwards() {
    let (mut site, after) = (site(), order(TEN_ON_THE_FIFTH + 2 * DAY));
    let (available, records) = (site.available(), site.journal.len());
    let said = quote(&mut site, after.clone());
    assert_eq!((site.available(), site.journal.len()), (available, records));
    assert_eq!((said.days, said.usage_points, said.cuts), (2, 1, 0));
    assert!(!said.is_far && said.stands_still_s == 0);
    let days = |days| msedcl_reference(0, days, 30, tariff::Phases::Single);
    assert_eq!(said.charged.0, days(7) - days(5));
    let at = after.to.0;
    site.command(Command::SetClock(after)).expect("it is set");
    assert_eq!(site.available(), available, "nothing before time passes");
    (site.trusted, site.now) = (true, at);
    site.event(&Event::Tick).expect("a tick");
    assert_eq!(site.available(), available - said.charged);
}

#[test]
fn a_quote_counts_the_supplies_that_would_go_off() {
    let mut site = site();
    let far = quote(&mut site, order(TEN_ON_THE_FIFTH + 20 * 30 * DAY));
    assert!(far.is_far);
    assert_eq!((far.cuts, far.usage_points), (1, 1));
    let back = quote(&mut site, order(TEN_ON_THE_FIFTH - 600));
    assert_eq!(
        (back.days, back.stands_still_s, back.charged),
        (0, 600, Micro(0))
    );
}

#[test]
fn a_clock_that_was_never_right_may_be_set_to_any_time_of_this_century() {
    let mut site = Site::new_at(0);
    site.trusted = false;
    let said = quote(&mut site, order(0));
    assert_eq!(
        (said.floor, said.days, said.is_far),
        (UtcSeconds(0), 0, false)
    );
    site.command(Command::SetClock(order(0)))
        .expect("it is set");
    let before = Command::SetClock(ClockOrder {
        to: UtcSeconds(1_700_000_000),
        ..order(0)
    });
    assert_eq!(site.command(before), Err(ClockRefusal::BeforeKnown.into()));
    let after = Command::SetClock(ClockOrder {
        to: UtcSeconds(4_102_444_801),
        ..order(0)
    });
    assert_eq!(site.command(after), Err(ClockRefusal::TooFarAhead.into()));
}

#[test]
fn the_alarm_ends_when_the_clock_is_trusted() {
    let mut site = site();
    let report = Command::Report {
        kind: AlarmKind::ClockUntrusted,
        node: None,
        details: "for 10 minutes".into(),
    };
    site.command(report.clone()).expect("an alarm");
    site.command(report).expect("the same alarm");
    let key = (AlarmKind::ClockUntrusted, Subject::Site);
    assert!(site.state.alarms.contains_key(&key));
    site.event(&Event::Tick).expect("a tick");
    assert!(site.state.alarms.contains_key(&key), "nothing has changed");
    (site.trusted, site.now) = (true, NOVEMBER + TEN_ON_THE_FIFTH + 60);
    site.event(&Event::Tick).expect("a tick");
    assert!(!site.state.alarms.contains_key(&key), "it leaves by itself");
}
