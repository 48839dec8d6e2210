//! Switch tests: who may have one, and that it ends by itself whatever happens.

use crate::site::*;
use gateway_core::case::trial::{Reckoned, Says, Stage};
use gateway_core::case::{
    Accused, CaseCommand, Finding, LossReport, TrialRefusal, TrialRules, Verdict,
};
use gateway_core::event::{Moment, Role};
use gateway_core::guard::{NodeStatus, NodeSwitch, terms};
use gateway_core::supply::{Reason, Relay, SupplyOrder};
use gateway_core::*;
use prepaid_common::wire::SwitchReason;

/// A case that suspects the one usage point, whose supply is on.
fn site() -> (Site, u64) {
    let mut site = Site::with_one_point();
    site.rules.trials = TrialRules {
        allowed: true,
        seconds: 60,
        notice_s: 300,
        hours: (0, 1_440),
        most_in_30_days: 2,
        ..TrialRules::default()
    };
    site.vend("a", "1000").expect("vend");
    let report = LossReport {
        feeder: FeederId(1),
        phase: None,
        at: UtcSeconds(site.now),
        since: UtcSeconds(site.now - 7_200),
        going: true,
        watts: 600,
        energy: WattHours(5_000),
        verdict: Verdict::PartlyRegistered,
        confidence_permille: 700,
        suspects: vec![Accused {
            usage_point: POINT,
            confidence_permille: 700,
            evidence: Vec::new(),
        }],
        evidence: Vec::new(),
        placed: None,
    };
    ask(&mut site, CaseCommand::Report { report }).expect("heard");
    let feeder = Command::AddNode {
        node: Some(NodeId(99)),
        role: Role::Feeder(FeederId(1)),
    };
    site.command(feeder).expect("a feeder meter");
    says(&mut site, SwitchReason::WithinLease);
    let case = *site.state.cases.keys().next().expect("a case");
    (site, case)
}

fn ask(site: &mut Site, command: CaseCommand) -> Result<Answer, Refusal> {
    site.command(Command::Case(command))
}

fn test_at(case: u64, consent: &str, dry_run: bool) -> CaseCommand {
    CaseCommand::Try {
        case,
        usage_point: None,
        seconds: None,
        consent: consent.into(),
        dry_run,
        by: "asha".into(),
    }
}

fn plan(site: &mut Site, case: u64) -> Result<Answer, Refusal> {
    ask(site, test_at(case, "the resident, by telephone", false))
}

/// A report of the node.
fn says(site: &mut Site, why: SwitchReason) {
    site.now += 1;
    let relay = match why.is_closed() {
        true => Relay::Closed,
        false => Relay::Open,
    };
    let status = NodeStatus {
        switch: NodeSwitch { why, trips: 0 },
        wait_s: u16::from(why == SwitchReason::Trial) * 60,
        echo: None,
        pressed: false,
        evidence: None,
    };
    let report = Reading {
        relay: Some(relay),
        status: Some(Box::new(status)),
        ..Reading::of(NODE, WattHours(100))
    };
    site.event(&Event::Reading(report)).expect("a report");
}

fn tick(site: &mut Site, seconds: i64) {
    site.now += seconds;
    site.event(&Event::Tick).expect("a tick");
}

fn stage(site: &Site) -> Option<Stage> {
    site.point().guard.trial.map(|trial| trial.stage)
}

/// What the node is told of it.
fn told(site: &Site) -> Option<(u16, u16)> {
    let now = Moment {
        at: UtcSeconds(site.now),
        clock_trusted: true,
    };
    let terms = terms(&site.state, &site.rules, NODE, now)?;
    terms.trial.map(|trial| (trial.trial_id, trial.seconds))
}

#[test]
fn a_test_is_announced_opens_once_and_ends_by_itself() {
    let (mut site, case) = site();
    plan(&mut site, case).expect("planned");
    assert!(matches!(stage(&site), Some(Stage::Announced { .. })));
    assert_eq!(told(&site), None, "not before its time");
    tick(&mut site, 299);
    assert_eq!(told(&site), None);
    tick(&mut site, 1);
    let (id, seconds) = told(&site).expect("told to open");
    assert_eq!(seconds, 60);
    says(&mut site, SwitchReason::Trial);
    assert!(site.point().supply.reasons.has(Reason::Trial));
    assert_eq!(told(&site), None, "the node has shown that it opened");
    tick(&mut site, 60);
    says(&mut site, SwitchReason::WithinLease);
    assert!(site.point().supply.reasons.is_empty());
    assert!(matches!(stage(&site), Some(Stage::Weighed { .. })));
    let trial = site.point().guard.trial.expect("weighed");
    let finding = Finding {
        at: UtcSeconds(site.now - 60),
        usage_point: POINT,
        natural: false,
        reckoned: Reckoned {
            says: Says::CountsPart,
            fell_w: 900,
            within_w: 30,
            metered_w: 300,
            voltage_out_dv: None,
            current_ma: None,
        },
    };
    let found = |number| CaseCommand::Found {
        case,
        number,
        finding: finding.clone(),
    };
    ask(&mut site, found(trial.number + 1)).expect("of another test: not taken");
    assert_eq!(site.state.cases[&case].findings, []);
    ask(&mut site, found(trial.number)).expect("found");
    ask(&mut site, found(trial.number)).expect("said again: not taken twice");
    assert_eq!(site.state.cases[&case].findings, [finding]);
    assert_eq!(stage(&site), None);
    assert_eq!(id, trial.wire_id());
}

#[test]
fn who_may_not_be_tested_is_said() {
    let refused = |change: &dyn Fn(&mut Site), consent: &str, expected| {
        let (mut site, case) = site();
        change(&mut site);
        let before = site.journal.len();
        let told = ask(&mut site, test_at(case, consent, false));
        assert_eq!(told, Err(Refusal::Trial(expected)));
        assert_eq!(
            ask(&mut site, test_at(case, consent, true)),
            told,
            "a dry run says the same"
        );
        assert_eq!(site.journal.len(), before);
    };
    let nothing = |_: &mut Site| ();
    refused(&nothing, " ", TrialRefusal::NoConsent);
    refused(
        &|site| site.rules.trials.allowed = false,
        "x",
        TrialRefusal::NotAllowed,
    );
    let never = |site: &mut Site| {
        site.rules.trials.never.insert(POINT);
    };
    refused(&never, "x", TrialRefusal::NeverHere);
    refused(
        &|site| site.rules.trials.hours = (0, 0),
        "x",
        TrialRefusal::OutsideHours,
    );
    refused(
        &|site| site.rules.trials.seconds = 19,
        "x",
        TrialRefusal::SecondsOutOfRange,
    );
    refused(
        &|site| site.order(SupplyOrder::Off),
        "x",
        TrialRefusal::SupplyNotOn,
    );
    refused(
        &|site| says(site, SwitchReason::LeaseExhausted),
        "x",
        TrialRefusal::SupplyNotOn,
    );
    let twice = |site: &mut Site| {
        let case = *site.state.cases.keys().next().expect("a case");
        plan(site, case).expect("the first");
    };
    refused(&twice, "x", TrialRefusal::OneAtATime);
    let (mut site, case) = site();
    let before = site.journal.len();
    assert_eq!(ask(&mut site, test_at(case, "x", true)), Ok(Answer::Done));
    assert_eq!(site.journal.len(), before, "a dry run changes nothing");
    site.rules.trials.by_terms = true;
    assert_eq!(ask(&mut site, test_at(case, "", false)), Ok(Answer::Done));
}

#[test]
fn a_test_that_cannot_take_place_ends_and_keeps_nothing_open() {
    let ends = |change: &dyn Fn(&mut Site, u64)| {
        let (mut site, case) = site();
        plan(&mut site, case).expect("planned");
        change(&mut site, case);
        assert_eq!(stage(&site), None);
        assert!(!site.point().supply.reasons.has(Reason::Trial));
        assert_eq!(told(&site), None);
    };
    let take_back = |site: &mut Site, case| {
        let by = "asha".into();
        ask(site, CaseCommand::TakeBack { case, by }).expect("taken back");
    };
    ends(&take_back);
    ends(&|site, _| tick(site, 700));
    ends(&|site, _| {
        site.order(SupplyOrder::Off);
        tick(site, 301);
    });
    ends(&|site, case| {
        let close = CaseCommand::Close {
            case,
            outcome: case::Outcome::False,
            usage_point: None,
            text: String::new(),
            by: "asha".into(),
        };
        ask(site, close).expect("closed");
        tick(site, 301);
    });
    // The node never opened.
    ends(&|site, _| {
        tick(site, 301);
        tick(site, 60);
        tick(site, 31);
    });
    // Nobody compared.
    ends(&|site, _| {
        tick(site, 301);
        says(site, SwitchReason::Trial);
        tick(site, 60);
        says(site, SwitchReason::WithinLease);
        tick(site, 2_000);
    });
}

#[test]
fn a_supply_that_opens_for_credit_is_an_experiment_for_nothing() {
    let (mut site, _) = site();
    says(&mut site, SwitchReason::WithinLease);
    site.order(SupplyOrder::Off);
    says(&mut site, SwitchReason::ForcedOff);
    let trial = site.point().guard.trial.expect("noticed");
    assert!(trial.natural && matches!(trial.stage, Stage::Weighed { .. }));
    assert_eq!(told(&site), None);
}

/// The supply opens for a planned test and closes again.
fn open_and_close(site: &mut Site, case: u64) {
    let mut test = test_at(case, "the resident, by telephone", false);
    if let CaseCommand::Try { usage_point, .. } = &mut test {
        // Also if an opening before has cleared them.
        *usage_point = Some(POINT);
    }
    ask(site, test).expect("planned");
    tick(site, 301);
    says(site, SwitchReason::Trial);
    tick(site, 60);
    says(site, SwitchReason::WithinLease);
}

fn found(site: &mut Site, case: u64, says: Says) {
    let trial = site.point().guard.trial.expect("weighed");
    let finding = Finding {
        at: UtcSeconds(site.now - 60),
        usage_point: POINT,
        natural: trial.natural,
        reckoned: Reckoned {
            says,
            fell_w: 900,
            within_w: 30,
            metered_w: 900,
            voltage_out_dv: Some(0),
            current_ma: None,
        },
    };
    let number = trial.number;
    let command = CaseCommand::Found {
        case,
        number,
        finding,
    };
    ask(site, command).expect("found");
}

#[test]
fn each_opening_of_a_supply_counts_and_none_that_did_not_open() {
    let (mut site, case) = site();
    plan(&mut site, case).expect("planned");
    let by = "asha".to_string();
    ask(&mut site, CaseCommand::TakeBack { case, by }).expect("taken back");
    // One finds nothing, as nobody compares.
    open_and_close(&mut site, case);
    tick(&mut site, 2_000);
    assert_eq!(stage(&site), None);
    open_and_close(&mut site, case);
    found(&mut site, case, Says::TooLittleLoad);
    let refused = Err(Refusal::Trial(TrialRefusal::TooOften));
    assert_eq!(plan(&mut site, case), refused, "two within thirty days");
    site.now += 30 * 86_400;
    says(&mut site, SwitchReason::WithinLease);
    assert_eq!(plan(&mut site, case), Ok(Answer::Done), "a month later");
}

#[test]
fn what_was_found_ranks_the_case_anew_and_every_later_report() {
    let (mut site, case) = site();
    let first = |site: &Site| {
        let case = &site.state.cases[&case];
        (
            case.report.verdict,
            case.report.suspects[0].confidence_permille,
        )
    };
    let before = site.state.cases[&case].report.clone();
    open_and_close(&mut site, case);
    found(&mut site, case, Says::CountsAll);
    let cleared = first(&site);
    assert!(cleared.0 == Verdict::Tap && cleared.1 < 150, "{cleared:?}");
    assert_eq!(
        site.state.cases[&case].first_suspect(),
        None,
        "nobody to be charged by default"
    );
    // The watch knows of no test: what it says next is weighed by it again, and once.
    let later = LossReport {
        at: UtcSeconds(site.now),
        energy: WattHours(50_000),
        ..before
    };
    ask(&mut site, CaseCommand::Report { report: later }).expect("heard");
    assert_eq!(site.state.cases[&case].report.energy, WattHours(50_000));
    assert_eq!(first(&site), cleared);
    open_and_close(&mut site, case);
    found(&mut site, case, Says::Bridged);
    let proved = first(&site);
    assert!(
        proved.0 == Verdict::Bypassed && proved.1 > 900,
        "{proved:?}"
    );
    assert_eq!(site.state.cases[&case].first_suspect(), Some(POINT));
}
