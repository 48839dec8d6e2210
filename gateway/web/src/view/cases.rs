//! Cases of missing energy: the list, and one with its evidence, pictures, history and forms.

use super::assess::{self, AssessForm, AssessmentLine};
use super::curves::{Plot, moment, named, plots};
use crate::committed::RoundRows;
use crate::format::{self, Money};
use askama::Template;
use gateway_core::calendar::{Calendar, LocalDay};
use gateway_core::case::trial::Stage;
use gateway_core::case::{Case, Estimate, Found, Outcome, Trial};
use gateway_core::{Rules, UsagePointId, UtcSeconds};

/// Days before a loss that its pictures show: every kind of day.
const BEFORE_S: i64 = 7 * 86_400;
/// Days a picture shows at most.
const MOST_S: i64 = 28 * 86_400;

/// What the pictures of a case show.
pub(crate) fn window(case: &Case, now: UtcSeconds) -> (UtcSeconds, UtcSeconds) {
    let end = case.closing.as_ref().map_or(now, |closing| closing.at);
    let begin = (case.report.since.0 - BEFORE_S).max(end.0 - MOST_S);
    (UtcSeconds(begin.min(end.0)), end)
}

/// A case in a list.
pub(crate) struct CaseLine {
    pub number: u64,
    pub what: String,
    pub place: String,
    pub standing: &'static str,
    pub class: &'static str,
    pub is_open: bool,
    pub since: String,
    pub watts: String,
    pub energy: String,
    pub money: Money,
    pub percent: u16,
}

impl CaseLine {
    fn new(case: &Case, rows: &RoundRows, rules: &Rules, currency: &str) -> Self {
        let report = &case.report;
        let first = report.suspects.first();
        let first = first.map(|suspect| named(rows, suspect.usage_point));
        Self {
            number: case.number,
            what: report.verdict.words(first.as_deref()),
            place: match report.phase {
                Some(phase) => format!("{}, phase {phase}", report.feeder),
                None => report.feeder.to_string(),
            },
            standing: case.standing(),
            class: match (&case.closing, report.going) {
                (Some(_), _) => "none",
                (None, true) => "off",
                (None, false) => "wait",
            },
            is_open: case.is_open(),
            since: moment(rules.calendar, report.since),
            watts: format::power(i64::from(report.watts)),
            energy: format::units(report.energy),
            money: Money::new(case.money, currency),
            percent: report.confidence_permille / 10,
        }
    }
}

#[derive(Template)]
#[template(path = "cases.html")]
pub(crate) struct CasesView {
    pub cases: Vec<CaseLine>,
    pub is_all: bool,
    pub open: usize,
    pub all: usize,
    /// For the loss reports, like `2026-11`.
    pub this_month: String,
    pub last_month: String,
}

impl CasesView {
    /// Newest first; only those that are open unless all are asked for.
    pub(crate) fn new(
        cases: &[Case],
        rows: &RoundRows,
        (rules, currency): (&Rules, &str),
        (is_all, now): (bool, UtcSeconds),
    ) -> Self {
        let today = rules.calendar.day_of(now);
        let months = Calendar {
            period_start_day: 1,
            ..rules.calendar
        };
        let first = months.period_of(today).first;
        let named = |day: LocalDay| day.to_string().get(..7).unwrap_or("").to_owned();
        let shown = cases.iter().rev().filter(|case| is_all || case.is_open());
        Self {
            cases: shown
                .map(|case| CaseLine::new(case, rows, rules, currency))
                .collect(),
            is_all,
            open: cases.iter().filter(|case| case.is_open()).count(),
            all: cases.len(),
            this_month: named(first),
            last_month: named(LocalDay(first.0.saturating_sub(1))),
        }
    }
}

/// Where to look, and why.
pub(crate) struct SuspectLine {
    pub href: String,
    pub name: String,
    pub percent: u16,
    pub why: Vec<&'static str>,
}

/// Something that happened in a case.
pub(crate) struct Event {
    pub at: UtcSeconds,
    pub when: String,
    pub words: String,
    pub class: &'static str,
}

/// A choice of a form.
pub(crate) struct Choice {
    pub value: String,
    pub words: String,
    pub is_chosen: bool,
}

/// What was typed and is not accepted yet.
#[derive(Default)]
pub(crate) struct TypedCase {
    pub text: String,
    pub error: Option<String>,
}

/// What the page of a case is made of.
pub(crate) struct CaseInputs<'a> {
    pub case: &'a Case,
    pub rows: &'a RoundRows,
    pub rules: &'a Rules,
    pub currency: &'a str,
    pub now: UtcSeconds,
    /// What its energy would have cost, and how that is reckoned.
    pub estimate: Option<&'a Estimate>,
    /// Whether who looks may charge it.
    pub may_charge: bool,
    /// Whether who looks may switch supplies.
    pub may_test: bool,
    /// A switch test of it that is announced or open, and whose supply.
    pub trial: Option<(UsagePointId, Trial)>,
}

/// The card that plans a switch test.
pub(crate) struct TestCard {
    /// Whose supply, in the order of suspicion.
    pub places: Vec<Choice>,
    /// How long it lasts, seconds.
    pub seconds: u16,
    /// How long before it the resident is told, in words.
    pub notice: String,
    /// Whether somebody has to have agreed.
    pub asks: bool,
    /// What is planned already or goes on, in words.
    pub planned: Option<String>,
}

impl TestCard {
    /// Nothing where the site allows none, or there is nobody to try it at.
    fn of(inputs: &CaseInputs<'_>, suspects: &[gateway_core::case::Accused]) -> Option<Self> {
        let rules = &inputs.rules.trials;
        let possible = rules.allowed && inputs.may_test && inputs.case.is_open();
        let choice = |suspect: &gateway_core::case::Accused| Choice {
            value: suspect.usage_point.to_string(),
            words: named(inputs.rows, suspect.usage_point),
            is_chosen: false,
        };
        let places: Vec<Choice> = suspects.iter().map(choice).collect();
        (possible && !places.is_empty()).then(|| Self {
            places,
            seconds: rules.seconds,
            notice: match rules.notice_s {
                0 => "at once".to_owned(),
                seconds => format!("{} minutes before", seconds.div_ceil(60)),
            },
            asks: !rules.by_terms,
            planned: inputs.trial.map(|(whose, trial)| {
                let (name, seconds) = (named(inputs.rows, whose), trial.seconds);
                match trial.stage {
                    Stage::Announced { starts } => {
                        let at = moment(inputs.rules.calendar, starts);
                        format!("Planned at {name}: open for {seconds} s from {at} on.")
                    }
                    _ => format!("Going on at {name}: open for {seconds} s."),
                }
            }),
        })
    }
}

#[derive(Template)]
#[template(path = "case.html")]
pub(crate) struct CaseView {
    pub line: CaseLine,
    /// What to look for there.
    pub look_for: &'static str,
    pub seen: String,
    pub recurred: u32,
    pub looks: Vec<&'static str>,
    pub suspects: Vec<SuspectLine>,
    pub plots: Vec<Plot>,
    pub events: Vec<Event>,
    pub places: Vec<Choice>,
    pub found: Vec<Choice>,
    pub outcomes: Vec<Choice>,
    pub assessments: Vec<AssessmentLine>,
    pub charge: Option<AssessForm>,
    pub waits: bool,
    pub test: Option<TestCard>,
    pub worth: Option<String>,
    pub typed: TypedCase,
}

impl CaseView {
    pub(crate) fn new(inputs: &CaseInputs<'_>, typed: TypedCase) -> Self {
        let CaseInputs {
            case, rows, rules, ..
        } = inputs;
        let report = &case.report;
        let suspect = |suspect: &gateway_core::case::Accused| SuspectLine {
            href: format!("/usage-point/{}", suspect.usage_point),
            name: named(rows, suspect.usage_point),
            percent: suspect.confidence_permille / 10,
            why: suspect
                .evidence
                .iter()
                .map(|evidence| evidence.words())
                .collect(),
        };
        let choice = |value: &str, words: &str| Choice {
            value: value.to_owned(),
            words: words.to_owned(),
            is_chosen: false,
        };
        let found = [
            Found::Tampering,
            Found::Fault,
            Found::Nothing,
            Found::NoAccess,
        ];
        let names = ["tampering", "fault", "nothing", "no-access"];
        let found = found.iter().zip(names);
        Self {
            line: CaseLine::new(case, rows, rules, inputs.currency),
            look_for: report.verdict.look_for(),
            seen: moment(rules.calendar, report.at),
            recurred: case.recurred,
            looks: report
                .evidence
                .iter()
                .map(|evidence| evidence.words())
                .collect(),
            suspects: report.suspects.iter().map(suspect).collect(),
            plots: plots(rows, report, window(case, inputs.now), rules.calendar),
            events: events(inputs),
            places: places(case, rows),
            found: found
                .map(|(found, name)| choice(name, found.words()))
                .collect(),
            outcomes: vec![
                choice("confirmed", "confirmed: somebody took energy past a meter"),
                choice(
                    "technical",
                    "technical: a joint, a meter, a ratio, a wrong label",
                ),
                choice("false", "false: nothing was wrong"),
            ],
            assessments: assess::lines(inputs),
            charge: assess::form(inputs),
            waits: assess::waits(inputs),
            test: TestCard::of(inputs, &report.suspects),
            worth: inputs.estimate.map(Estimate::words),
            typed,
        }
    }
}

/// The line itself, the suspects first, then everybody.
fn places(case: &Case, rows: &RoundRows) -> Vec<Choice> {
    let first = case.first_suspect();
    let suspects = case
        .report
        .suspects
        .iter()
        .map(|suspect| suspect.usage_point);
    let suspects: Vec<UsagePointId> = suspects.collect();
    let others = rows.labels.keys().filter(|id| !suspects.contains(id));
    let ids = suspects.iter().chain(others);
    let place = |id: &UsagePointId| Choice {
        value: id.to_string(),
        words: named(rows, *id),
        is_chosen: Some(*id) == first,
    };
    let line = Choice {
        value: String::new(),
        words: "the line itself".to_owned(),
        is_chosen: first.is_none(),
    };
    std::iter::once(line).chain(ids.map(place)).collect()
}

/// Everything that happened, oldest first.
fn events(inputs: &CaseInputs<'_>) -> Vec<Event> {
    let (case, rows) = (inputs.case, inputs.rows);
    let event = |at: UtcSeconds, class, words: String| Event {
        at,
        when: moment(inputs.rules.calendar, at),
        words,
        class,
    };
    let place = |id: Option<UsagePointId>| id.map_or("the line".to_owned(), |id| named(rows, id));
    let mut events = vec![event(
        case.opened_at,
        "alarm",
        "Opened by the watch".to_owned(),
    )];
    for note in &case.tampers {
        let words = format!(
            "{} reports: {}",
            named(rows, note.usage_point),
            note.details
        );
        events.push(event(note.at, "alarm", words));
    }
    for note in &case.notes {
        events.push(event(note.at, "", format!("{}: {}", note.by, note.text)));
    }
    for check in &case.checks {
        let (found, place) = (check.found.words(), place(check.usage_point));
        let words = format!("{} at {place}: {found}. {}", check.by, check.text);
        events.push(event(check.at, "supply", words));
    }
    for finding in &case.findings {
        events.push(event(finding.at, "alarm", finding.to_string()));
    }
    if let Some(closing) = &case.closing {
        let at = closing
            .usage_point
            .map_or(String::new(), |id| format!(", {}", named(rows, id)));
        let outcome: Outcome = closing.outcome;
        let words = format!(
            "Closed as {}{at} by {}. {}",
            outcome.words(),
            closing.by,
            closing.text
        );
        events.push(event(closing.at, "on", words));
    }
    events.sort_by_key(|event| event.at);
    events
}
