//! What people get of a case: residents told, assessments, and what grows, shrinks and changes places in it.

use crate::site::{NODE, NOVEMBER, POINT, Site};
use gateway_core::case::{
    Accused, Assessment, CaseCommand, Lesson, LossReport, News, Outcome, Standing, Tell, Verdict,
    standing,
};
use gateway_core::correction::CorrectionCommand;
use gateway_core::debt::{DebtKind, Terms};
use gateway_core::event::Moment;
use gateway_core::guard::terms;
use gateway_core::ledger::LedgerAccount;
use gateway_core::loss::{Evidence, Phase};
use gateway_core::prepay::MoneyRefusal;
use gateway_core::{
    Answer, Command, Decision, FeederId, Micro, NodeId, Refusal, UsagePointId, UtcSeconds,
    WattHours,
};

const DAY: i64 = 86_400;
const OTHER: UsagePointId = UsagePointId(2);

fn accused(usage_point: UsagePointId, confidence_permille: u16) -> Accused {
    Accused {
        usage_point,
        confidence_permille,
        evidence: vec![Evidence::LossFollowsRegister],
    }
}

/// A report `hours` after the loss began.
fn report(hours: i64, wh: u64, suspects: &[Accused]) -> LossReport {
    LossReport {
        feeder: FeederId(1),
        phase: Some(Phase::B),
        at: UtcSeconds(NOVEMBER + hours * 3_600),
        since: UtcSeconds(NOVEMBER),
        going: true,
        watts: 300,
        energy: WattHours(wh),
        verdict: Verdict::PartlyRegistered,
        confidence_permille: 700,
        suspects: suspects.to_vec(),
        evidence: vec![Evidence::LossInTheEvening],
        placed: None,
    }
}

fn hear(site: &mut Site, report: LossReport) {
    let heard = site.command(Command::Case(CaseCommand::Report { report }));
    heard.expect("a report is always heard");
}

fn close(site: &mut Site, case: u64, outcome: Outcome) {
    let close = CaseCommand::Close {
        case,
        outcome,
        usage_point: None,
        text: String::new(),
        by: "asha".into(),
    };
    site.command(Command::Case(close)).expect("closed");
}

fn site() -> Site {
    let mut site = Site::with_one_point();
    site.add_point(OTHER, NodeId(2));
    site
}

fn case_of(site: &Site) -> u64 {
    *site.state.cases.keys().next_back().expect("a case")
}

/// Who was told what, in order.
fn told(site: &Site) -> Vec<(u32, News)> {
    let told = site
        .journal
        .iter()
        .filter_map(|record| match &record.decision {
            Decision::ResidentTold {
                usage_point, news, ..
            } => Some((usage_point.0, *news)),
            _ => None,
        });
    told.collect()
}

#[test]
fn residents_hear_what_the_site_lets_them_hear_and_nothing_twice() {
    use News::{Confirmed, Settled, Suspicion};
    let check = |tell, outcome, expected: &[(u32, News)]| {
        let mut site = site();
        site.rules.resident.tell = tell;
        hear(&mut site, report(2, 500, &[accused(POINT, 600)]));
        assert_eq!(told(&site), [], "not sure enough");
        hear(&mut site, report(3, 1_000, &[accused(POINT, 700)]));
        hear(&mut site, report(4, 2_000, &[accused(POINT, 800)]));
        hear(&mut site, report(5, 4_000, &[accused(OTHER, 900)]));
        hear(&mut site, report(6, 8_000, &[accused(POINT, 900)]));
        let case = case_of(&site);
        close(&mut site, case, outcome);
        assert_eq!(told(&site), expected, "{tell:?} {outcome:?}");
    };
    check(
        Tell::Suspicion,
        Outcome::Confirmed,
        &[(1, Suspicion), (2, Suspicion), (2, Settled), (1, Confirmed)],
    );
    check(
        Tell::Suspicion,
        Outcome::False,
        &[(1, Suspicion), (2, Suspicion), (1, Settled), (2, Settled)],
    );
    check(Tell::Confirmed, Outcome::Confirmed, &[(1, Confirmed)]);
    check(Tell::Confirmed, Outcome::Technical, &[]);
    check(Tell::Never, Outcome::Confirmed, &[]);
    let mut site = site();
    hear(
        &mut site,
        LossReport {
            verdict: Verdict::WrongPhase,
            ..report(3, 0, &[accused(POINT, 900)])
        },
    );
    assert_eq!((site.state.cases.len(), told(&site)), (1, vec![]), "papers");
}

#[test]
fn the_display_shows_it_for_two_weeks_and_no_longer() {
    let mut site = site();
    site.vend("k", "500").expect("credit");
    hear(&mut site, report(3, 1_000, &[accused(POINT, 700)]));
    let shown = |site: &Site, days: i64| {
        let now = Moment {
            at: UtcSeconds(site.now + days * DAY),
            clock_trusted: true,
        };
        let terms = terms(&site.state, &site.rules, NODE, now).expect("terms");
        (terms.text, terms.plan.map(|plan| plan.plan_id))
    };
    assert_eq!(shown(&site, 0).0, "ENERGY MISSING  ASK THE OFFICE");
    assert_eq!(
        shown(&site, 13),
        shown(&site, 0),
        "the same number: not sent again"
    );
    assert_eq!(shown(&site, 14).0, "");
    let now = UtcSeconds(site.now);
    assert!(standing(&site.state.cases, OTHER, now).is_none());
    let case = case_of(&site);
    close(&mut site, case, Outcome::False);
    // Of the same second, the later one.
    let newest = standing(&site.state.cases, POINT, now).map(|notice| notice.news);
    assert_eq!(newest, Some(News::Settled));
    assert_eq!(shown(&site, 3).0, "");
}

fn assess(site: &mut Site, case: u64, amount: Option<&str>, by: &str) -> Result<Answer, Refusal> {
    site.command(Command::Case(CaseCommand::Assess {
        case,
        usage_point: None,
        amount: amount.map(|text| text.parse().expect("an amount")),
        terms: Terms {
            percent_hundredths: 2_000,
            ..Terms::default()
        },
        reason: "bypass behind the board".into(),
        by: by.into(),
    }))
}

fn confirmed(wh: u64) -> (Site, u64) {
    let mut site = site();
    hear(&mut site, report(30, wh, &[accused(POINT, 900)]));
    let case = case_of(&site);
    close(&mut site, case, Outcome::Confirmed);
    (site, case)
}

fn owed(site: &Site) -> Micro {
    let account = LedgerAccount::Debt(POINT, DebtKind::Fraud);
    let owed = site.state.ledger.get(&account).copied().unwrap_or_default();
    assert_eq!(-owed, site.point().debts.remaining(), "ledger and register");
    -owed
}

fn last(site: &Site, case: u64) -> &Assessment {
    site.state.cases[&case]
        .assessments
        .last()
        .expect("an assessment")
}

#[test]
fn a_confirmed_case_becomes_a_debt_at_the_tariff() {
    let (mut site, case) = confirmed(5_000);
    let answer = assess(&mut site, case, None, "asha").expect("charged");
    let Answer::Corrected { number } = answer else {
        panic!("{answer:?}");
    };
    // 5 kWh in the first block of the tariff: (3.96 + 1.60) * 1.16 each.
    assert_eq!(owed(&site), Micro(32_248_000));
    assert_eq!(
        last(&site, case).standing,
        Standing::Posted { posting: number }
    );
    let posted = site.journal.iter().find(|record| record.number == number);
    let words = serde_json::to_string(posted.expect("the posting")).expect("JSON");
    assert!(
        words.contains(&format!("case {case}: bypass behind the board")),
        "{words}"
    );
    assert_eq!(
        site.point()
            .debts
            .of(DebtKind::Fraud)
            .map(|d| d.terms.percent_hundredths),
        Some(2_000)
    );
    let again = assess(&mut site, case, Some("1"), "asha");
    assert_eq!(again, Err(MoneyRefusal::CaseAssessedBefore.into()));
    // A second case raises the same debt.
    hear(
        &mut site,
        LossReport {
            since: UtcSeconds(NOVEMBER + 60 * DAY),
            ..report(61 * 24, 5_000, &[accused(POINT, 900)])
        },
    );
    let second = case_of(&site);
    assert_eq!(
        assess(&mut site, second, None, "asha"),
        Err(MoneyRefusal::CaseNotConfirmed.into())
    );
    close(&mut site, second, Outcome::Confirmed);
    assess(&mut site, second, Some("7.752"), "asha").expect("charged");
    assert_eq!(owed(&site), Micro(40_000_000));
}

#[test]
fn above_the_limit_a_second_person_decides_and_the_case_knows() {
    let approve = |site: &mut Site, proposal, by: &str| {
        let by = by.into();
        site.command(Command::Correct(CorrectionCommand::Approve {
            proposal,
            by,
        }))
    };
    let propose = |site: &mut Site, case| match assess(site, case, Some("900"), "asha") {
        Ok(Answer::Proposed { proposal }) => proposal,
        other => panic!("{other:?}"),
    };
    let (mut site, case) = confirmed(5_000);
    let proposal = propose(&mut site, case);
    assert_eq!(last(&site, case).standing, Standing::Waiting { proposal });
    assert_eq!(owed(&site), Micro::ZERO);
    assert_eq!(
        assess(&mut site, case, None, "ravi"),
        Err(MoneyRefusal::CaseAssessedBefore.into())
    );
    assert!(
        approve(&mut site, proposal, "asha").is_err(),
        "the same person"
    );
    let reason = "the meter was ours".to_owned();
    let refuse = CorrectionCommand::Refuse {
        proposal,
        reason,
        by: "ravi".into(),
    };
    site.command(Command::Correct(refuse)).expect("refused");
    assert_eq!(last(&site, case).standing, Standing::Refused);
    let proposal = propose(&mut site, case);
    let answer = approve(&mut site, proposal, "ravi").expect("approved");
    let Answer::Corrected { number } = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(
        last(&site, case).standing,
        Standing::Posted { posting: number }
    );
    let opened = &site.journal[usize::try_from(number).expect("small") - 1].decision;
    assert!(matches!(opened, Decision::Debt { .. }), "{opened:?}");
    assert_eq!(owed(&site), "900".parse().expect("an amount"));
    let (mut site, case) = confirmed(5_000);
    propose(&mut site, case);
    site.now += 40 * DAY;
    site.event(&gateway_core::Event::Tick).expect("a tick");
    assert_eq!(last(&site, case).standing, Standing::Expired);
}

#[test]
fn a_loss_over_three_periods_is_priced_in_each() {
    let mut site = site();
    let suspects = [accused(POINT, 900)];
    // Three times 150 kWh: half in the first block of 100 kWh of each month, not 450 kWh up through the dearest.
    let mut long = report(70 * 24, 450_000, &suspects);
    hear(&mut site, long.clone());
    let three = site.state.cases[&case_of(&site)].money;
    long.since = long.at;
    let mut site = self::site();
    hear(&mut site, long.clone());
    let one = site.state.cases[&case_of(&site)].money;
    assert!(three < one, "{three} {one}");
    let mut site = self::site();
    long.energy = WattHours(150_000);
    hear(&mut site, long);
    let part = site.state.cases[&case_of(&site)].money;
    assert_eq!(three, Micro(part.0 * 3));
}

#[test]
fn a_case_grows_shrinks_and_changes_its_first_suspect() {
    let mut site = site();
    let (first, second) = (accused(POINT, 500), accused(OTHER, 300));
    hear(
        &mut site,
        report(2, 1_000, &[first.clone(), second.clone()]),
    );
    let case = case_of(&site);
    let check = |site: &mut Site, report: LossReport, is_news: bool| {
        let before = site.journal.len();
        hear(site, report.clone());
        assert_eq!(site.journal.len() > before, is_news, "{report:?}");
        let known = &site.state.cases[&case].report;
        assert_eq!(known == &report, is_news);
        assert_eq!(site.state.cases.len(), 1);
    };
    check(
        &mut site,
        report(3, 1_200, &[first.clone(), second.clone()]),
        false,
    );
    check(
        &mut site,
        report(4, 1_300, &[first.clone(), second.clone()]),
        true,
    );
    // Less than was thought is no news by itself, and is taken with the next.
    check(
        &mut site,
        report(5, 900, &[first.clone(), second.clone()]),
        false,
    );
    check(
        &mut site,
        report(6, 900, &[second.clone(), first.clone()]),
        true,
    );
    assert_eq!(site.state.cases[&case].first_suspect(), Some(OTHER));
    assert!(site.state.cases[&case].suspects(POINT));
    check(&mut site, report(7, 900, &[second]), false);
    let verdict = Verdict::Tap;
    check(
        &mut site,
        LossReport {
            verdict,
            ..report(8, 900, &[first])
        },
        true,
    );
    let going = false;
    check(
        &mut site,
        LossReport {
            going,
            verdict,
            ..report(9, 900, &[])
        },
        true,
    );
    assert_eq!(site.state.cases[&case].standing(), "stopped");
}

#[test]
fn what_a_closed_case_teaches_the_next() {
    let lesson = |outcome| {
        let mut site = site();
        hear(
            &mut site,
            report(30, 9_000, &[accused(POINT, 900), accused(OTHER, 50)]),
        );
        let case = case_of(&site);
        close(&mut site, case, outcome);
        Lesson::of(&site.state.cases[&case]).expect("a lesson")
    };
    let again = lesson(Outcome::Confirmed);
    let (whom, nats) = again.expects().expect("likelier");
    assert!(whom == POINT && nats > 0.0);
    let known = again.known().expect("known until it was closed");
    assert_eq!((known.until, known.watts), (Some(again.at), 300));
    let never = lesson(Outcome::False);
    let (whom, nats) = never.expects().expect("less likely");
    assert!(whom == POINT && nats < 0.0);
    assert_eq!(
        never.known().map(|known| known.until),
        Some(None),
        "how the site is"
    );
    let equipment = lesson(Outcome::Technical);
    assert_eq!(equipment.expects(), None);
    assert!(equipment.known().is_some());
}
