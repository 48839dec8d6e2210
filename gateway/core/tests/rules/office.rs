//! What the office changes from afar: a usage point's name, limit, tariff and message; settings and going back; another calendar.

use crate::orders::{order, replayed, site, take, word};
use crate::site::{DAY, NOVEMBER, POINT, Site};
use crate::tariffs::{FILES, tariff};
use gateway_core::alarm::{AlarmKind, Subject};
use gateway_core::calendar::LocalDay;
use gateway_core::configured::{Changes, Setting};
use gateway_core::event::{Command, Event};
use gateway_core::order::Act;
use gateway_core::point_change::{PointChange, What};
use gateway_core::{Decision, Refusal, UtcSeconds};

fn ordered(what: What) -> Act {
    Act::Command(Box::new(asked(what)))
}

fn asked(what: What) -> Command {
    Command::ChangeUsagePoint(PointChange {
        usage_point: POINT,
        what,
        by: "office".into(),
    })
}

fn message(text: &str, until: Option<i64>) -> What {
    What::Message {
        text: text.into(),
        until: until.map(UtcSeconds),
    }
}

fn settings(values: &[(&str, Option<Setting>)], is_fit: bool) -> Act {
    let values = values.iter().cloned();
    let changes: Changes = values.map(|(key, value)| (key.to_owned(), value)).collect();
    Act::Configure {
        changes,
        by: "office".into(),
        is_fit,
    }
}

fn check(site: &mut Site, sequence: u64, act: Act, expected: &str) {
    let order = order(sequence, act);
    assert_eq!(word(take(site, &order)), (expected, false), "{order:?}");
    let journal = site.journal.len();
    assert_eq!(word(take(site, &order)), (expected, true), "{order:?}");
    assert_eq!(site.journal.len(), journal, "obeyed twice: {order:?}");
}

fn text(site: &Site) -> String {
    let point = site.point();
    let tariff = site.state.tariff_of(point).expect("a tariff");
    point.directive(tariff).expect("a meter").text
}

#[test]
fn a_name_a_limit_and_a_message_are_changed_once() {
    let mut site = site();
    site.read(0);
    let label = |label: &str| {
        ordered(What::Label {
            label: label.into(),
        })
    };
    let power = |max_power_w| ordered(What::MaxPower { max_power_w });
    check(&mut site, 1, label("Flat 7B"), "done");
    check(&mut site, 2, power(5_000), "done");
    check(&mut site, 3, label(" "), "text-unusable");
    check(&mut site, 4, power(0), "load-out-of-range");
    let at = site.now;
    check(
        &mut site,
        5,
        ordered(message("Water off at 10", Some(at + 600))),
        "done",
    );
    assert_eq!(site.point().label, "Flat 7B");
    assert_eq!(site.point().max_power_w, 5_000);
    assert_eq!(text(&site), "Water off at 10");
    let long = "x".repeat(321);
    check(&mut site, 6, ordered(message(&long, None)), "text-unusable");
    check(
        &mut site,
        7,
        ordered(message("bell \u{7}", None)),
        "text-unusable",
    );
    let journal = site.journal.len();
    site.command(asked(message("Water off at 10", Some(at + 600))))
        .expect("the same");
    assert_eq!(site.journal.len(), journal);
    site.now = at + 599;
    site.event(&Event::Tick).expect("a tick");
    assert!(site.point().message.is_some());
    site.now = at + 600;
    site.event(&Event::Tick).expect("a tick");
    assert_eq!((&site.point().message, text(&site).as_str()), (&None, ""));
    let by = site
        .journal
        .iter()
        .filter_map(|record| match &record.decision {
            Decision::UsagePointChanged(change) => Some(change.by.as_str()),
            _ => None,
        });
    let by: Vec<_> = by.collect();
    assert_eq!(
        by,
        ["cloud office", "cloud office", "cloud office", "gateway"]
    );
    assert_eq!(replayed(&site), site.state);
}

#[test]
fn another_tariff_takes_over_at_a_midnight_and_charges_nothing_anew() {
    let mut site = Site::with_tariffs(&[tariff(FILES[2]), tariff(FILES[4])]);
    site.add_point_with(POINT, crate::site::NODE, "msedcl-lt1b-2026-27");
    crate::orders::enrol(&mut site, 1);
    site.vend("p", "500").expect("vend");
    site.read(0);
    let next = |from: Option<&str>| {
        ordered(What::Tariff {
            tariff: "example-minigrid".into(),
            from: from.map(|day| day.parse().expect("a day")),
        })
    };
    let unknown = What::Tariff {
        tariff: "nobody's".into(),
        from: None,
    };
    check(&mut site, 1, ordered(unknown), "no-such-tariff");
    // Yesterday is too late: tomorrow, the 12th.
    site.now = NOVEMBER + 10 * DAY + 40_000;
    site.read(8_000);
    check(&mut site, 2, next(Some("2026-11-01")), "done");
    let from: LocalDay = "2026-11-12".parse().expect("a day");
    assert_eq!(
        site.point().next_tariff.as_ref().map(|next| next.from),
        Some(from)
    );
    site.now = NOVEMBER + 11 * DAY + 1;
    site.read(9_000);
    let before = site.posted();
    let changes = site
        .journal
        .iter()
        .filter_map(|record| match &record.decision {
            Decision::TariffChanged { from, to, .. } => Some((from.as_str(), to.as_str())),
            _ => None,
        });
    let changes: Vec<_> = changes.collect();
    assert_eq!(changes, [("msedcl-lt1b-2026-27", "example-minigrid-2026")]);
    assert_eq!(site.point().next_tariff, None);
    // 22.50 a unit from here on, and nothing of the old tariff again.
    site.now += 7_200;
    site.read(10_000);
    site.command(asked(What::MaxPower { max_power_w: 9_000 }))
        .expect("any command");
    let available = site.available();
    site.now += 3_600;
    site.read(11_000);
    assert_eq!((available - site.available()).0, 22_500_000);
    assert!(site.posted() >= before);
    // The same again, or back and forth, leaves nothing behind.
    check(&mut site, 3, next(None), "done");
    assert_eq!(site.point().next_tariff, None);
    assert_eq!(replayed(&site), site.state);
}

#[test]
fn settings_are_ordered_once_and_can_be_undone() {
    let mut site = site();
    let low = |text: &str| Some(Setting::Text(text.into()));
    let change = |value| settings(&[("prepay.low_credit", value)], true);
    check(
        &mut site,
        1,
        settings(&[("field.listen", low("x"))], false),
        "settings-unfit",
    );
    assert!(site.state.cloud.configured.is_empty());
    check(&mut site, 2, change(low("80.00")), "done");
    check(&mut site, 3, change(low("90.00")), "done");
    let configured = site.state.cloud.configured.clone();
    assert_eq!(
        configured.values.get("prepay.low_credit"),
        low("90.00").as_ref()
    );
    let undo = |change| Command::UndoSettings {
        change,
        why: "did not start".into(),
    };
    for wrong in [0, configured.number - 1, configured.number + 1] {
        assert_eq!(site.command(undo(wrong)), Err(Refusal::NoSuchChange));
    }
    site.command(undo(configured.number)).expect("undone");
    assert_eq!(
        site.command(undo(configured.number)),
        Err(Refusal::NoSuchChange)
    );
    let values = site.state.cloud.configured.values.clone();
    assert_eq!(values.get("prepay.low_credit"), low("80.00").as_ref());
    let alarm = (AlarmKind::SettingsUndone, Subject::Site);
    assert!(site.state.alarms.contains_key(&alarm));
    check(&mut site, 4, change(None), "done");
    assert!(site.state.cloud.configured.values.is_empty());
    assert_eq!(replayed(&site), site.state);
}

#[test]
fn after_a_change_of_the_calendar_no_day_is_in_two_periods() {
    let mut site = site();
    site.vend("p", "5000").expect("vend");
    site.read(0);
    site.rules.calendar.period_start_day = 18;
    let mut periods = Vec::new();
    for day in 1..80 {
        site.now = NOVEMBER + day * DAY + 1_000;
        site.event(&Event::Tick).expect("a tick");
        let period = site.point().account.period.period;
        if periods.last() != Some(&period) {
            periods.push(period);
        }
    }
    let days: Vec<_> = periods
        .iter()
        .map(|period| (period.first.to_string(), period.days))
        .collect();
    let expected = [
        ("2026-11-01", 30),
        ("2026-12-01", 17),
        ("2026-12-18", 31),
        ("2027-01-18", 31),
    ];
    assert_eq!(days, expected.map(|(day, days)| (day.to_owned(), days)));
}
