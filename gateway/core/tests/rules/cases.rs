//! Cases of missing energy: opened by the watch, advanced and closed by people.

use crate::site::{NODE, NOVEMBER, POINT, Site, reading};
use gateway_core::alarm::{AlarmKind, Subject};
use gateway_core::case::{Accused, CaseCommand, Found, Lesson, LossReport, Outcome, Verdict};
use gateway_core::loss::{Evidence, Phase};
use gateway_core::{
    Command, Decision, Event, FeederId, Micro, Refusal, UsagePointId, UtcSeconds, WattHours,
};

const BY: &str = "asha";

fn report(wh: u64, going: bool) -> LossReport {
    LossReport {
        feeder: FeederId(1),
        phase: Some(Phase::B),
        // The more is lost, the later it is said.
        at: UtcSeconds(NOVEMBER + 86_400 + wh.cast_signed() + i64::from(!going)),
        since: UtcSeconds(NOVEMBER),
        going,
        watts: 300,
        energy: WattHours(wh),
        verdict: Verdict::PartlyRegistered,
        confidence_permille: 700,
        suspects: vec![Accused {
            usage_point: POINT,
            confidence_permille: 700,
            evidence: vec![Evidence::LossFollowsRegister],
        }],
        evidence: vec![Evidence::LossInTheEvening],
        placed: None,
    }
}

fn hear(site: &mut Site, report: LossReport) {
    let heard = site.command(Command::Case(CaseCommand::Report { report }));
    heard.expect("a report is always heard");
}

fn ask(site: &mut Site, ask: CaseCommand) -> Result<(), Refusal> {
    site.command(Command::Case(ask)).map(|_| ())
}

fn close(case: u64, outcome: Outcome) -> CaseCommand {
    CaseCommand::Close {
        case,
        outcome,
        usage_point: None,
        text: "seal broken".into(),
        by: BY.into(),
    }
}

fn open() -> (Site, u64) {
    let mut site = Site::with_one_point();
    hear(&mut site, report(5_000, true));
    let case = *site.state.cases.keys().next().expect("a case");
    (site, case)
}

#[test]
fn a_report_opens_one_case_with_what_it_is_worth_and_an_alarm() {
    let (mut site, case) = open();
    let found = &site.state.cases[&case];
    assert!(found.is_open() && found.first_suspect() == Some(POINT));
    // 5 kWh in the first block of the tariff: (3.96 + 1.60) * 1.16 each.
    assert_eq!(found.money, Micro(32_248_000));
    let alarm = &site.state.alarms[&(AlarmKind::EnergyMissing, Subject::Case(case))];
    assert!(alarm.details.contains("UP-0001"), "{}", alarm.details);
    let before = site.journal.len();
    hear(&mut site, report(5_500, true));
    assert_eq!(site.journal.len(), before, "a tenth more is no news");
    hear(&mut site, report(9_000, true));
    assert_eq!(site.state.cases[&case].report.energy, WattHours(9_000));
    assert_eq!(site.state.cases.len(), 1);
    assert_eq!(site.state.ledger.values().map(|m| m.0).sum::<i64>(), 0);
}

#[test]
fn what_lost_nothing_or_has_stopped_opens_no_case() {
    for nothing in [report(10, true), report(5_000, false)] {
        let mut site = Site::with_one_point();
        hear(&mut site, nothing);
        assert!(site.state.cases.is_empty());
    }
    let mut site = Site::with_one_point();
    let verdict = Verdict::WrongPhase;
    hear(
        &mut site,
        LossReport {
            verdict,
            ..report(0, true)
        },
    );
    assert_eq!(site.state.cases.len(), 1, "wrong papers are a case");
    assert_eq!(
        site.state.cases.values().next().map(|c| c.money),
        Some(Micro::ZERO)
    );
}

#[test]
fn what_a_watch_built_anew_says_again_is_not_heard_twice() {
    let (mut site, number) = open();
    let before = site.journal.len();
    let mut again = report(90_000, true);
    again.at = report(5_000, true).at;
    hear(&mut site, again);
    assert_eq!(site.journal.len(), before, "older than what the case knows");
    let later = report(90_000, true);
    hear(&mut site, later.clone());
    assert_eq!(site.state.cases[&number].report, later);
    ask(&mut site, close(number, Outcome::Confirmed)).expect("closed");
    hear(&mut site, later);
    assert_eq!(site.state.cases.len(), 1, "nor after the case is closed");
}

#[test]
fn a_loss_that_stops_and_recurs_is_the_same_case() {
    let (mut site, case) = open();
    hear(&mut site, report(5_000, false));
    assert_eq!(site.state.cases[&case].standing(), "stopped");
    hear(&mut site, report(6_000, true));
    assert_eq!(site.state.cases[&case].recurred, 1);
    let late = UtcSeconds(NOVEMBER + 40 * 86_400);
    hear(
        &mut site,
        LossReport {
            since: late,
            at: late,
            ..report(7_000, true)
        },
    );
    assert_eq!(site.state.cases.len(), 2, "after a season it is another");
}

#[test]
fn tampering_of_a_suspect_joins_the_case_whichever_comes_first() {
    let tampered = |site: &mut Site| {
        let mut reading = reading(NODE, 100);
        reading.tamper = prepaid_common::wire::Events::COVER_OPEN.0;
        site.event(&Event::Reading(reading)).expect("a reading");
    };
    let (mut site, case) = open();
    tampered(&mut site);
    tampered(&mut site);
    assert_eq!(site.state.cases[&case].tampers.len(), 1);
    let mut site = Site::with_one_point();
    tampered(&mut site);
    hear(&mut site, report(5_000, true));
    let case = site.state.cases.values().next().expect("a case");
    assert_eq!(case.tampers.len(), 1);
}

#[test]
fn people_note_check_and_close_and_a_closed_case_teaches() {
    let (mut site, case) = open();
    let (text, by) = ("asked the neighbours".to_owned(), BY.to_owned());
    assert_eq!(ask(&mut site, CaseCommand::Note { case, text, by }), Ok(()));
    let check = |case| CaseCommand::Check {
        case,
        usage_point: Some(POINT),
        found: Found::Tampering,
        text: String::new(),
        by: BY.into(),
    };
    assert_eq!(ask(&mut site, check(case)), Ok(()));
    assert_eq!(Lesson::of(&site.state.cases[&case]), None);
    assert_eq!(ask(&mut site, close(case, Outcome::Confirmed)), Ok(()));
    let closed = &site.state.cases[&case];
    let place = closed
        .closing
        .as_ref()
        .and_then(|closing| closing.usage_point);
    assert_eq!(place, Some(POINT), "the first suspect");
    let lesson = Lesson::of(closed).expect("a lesson");
    assert_eq!(lesson.about, Some((POINT, Verdict::PartlyRegistered)));
    let alarm = (AlarmKind::EnergyMissing, Subject::Case(case));
    assert!(!site.state.alarms.contains_key(&alarm), "seen and over");
    assert_eq!(ask(&mut site, check(case)), Err(Refusal::CaseIsClosed));
    hear(&mut site, report(6_000, true));
    assert_eq!(site.state.cases.len(), 2, "it goes on: a new case");
}

#[test]
fn refusals_change_nothing() {
    let (mut site, case) = open();
    let by = || BY.to_owned();
    let note = |case, text: &str| CaseCommand::Note {
        case,
        text: text.into(),
        by: by(),
    };
    let elsewhere = CaseCommand::Close {
        case,
        outcome: Outcome::Confirmed,
        usage_point: Some(UsagePointId(99)),
        text: String::new(),
        by: by(),
    };
    for (asked, refusal) in [
        (note(999, "x"), Refusal::NoSuchCase),
        (close(999, Outcome::False), Refusal::NoSuchCase),
        (note(case, " "), Refusal::NoteUnusable),
        (note(case, "\u{7}"), Refusal::NoteUnusable),
        (note(case, &"x".repeat(501)), Refusal::NoteUnusable),
        (elsewhere, Refusal::NoSuchUsagePoint),
    ] {
        let before = site.journal.len();
        assert_eq!(ask(&mut site, asked), Err(refusal));
        assert_eq!(site.journal.len(), before);
    }
    let report = CaseCommand::Report {
        report: report(1, true),
    };
    assert_eq!(report.in_the_name_of(BY), None, "only the gateway reports");
}

#[test]
fn a_case_survives_the_journal() {
    let (mut site, case) = open();
    ask(&mut site, close(case, Outcome::Technical)).expect("closed");
    let mut replayed = gateway_core::State::default();
    for record in &site.journal {
        let line = serde_json::to_string(record).expect("JSON");
        replayed.apply(&serde_json::from_str(&line).expect("a record"));
    }
    assert_eq!(replayed.cases, site.state.cases);
    let opened =
        |record: &&gateway_core::Record| matches!(record.decision, Decision::CaseOpened { .. });
    assert_eq!(site.journal.iter().filter(opened).count(), 1);
}
