//! `case list|show|note|check|test|close|assess`

use super::args::Target;
use super::ask::{ask, command, unexpected};
use super::said::{Failure, Result, Said};
use super::table::{Align, Table, pairs};
use crate::control::{Request, Response};
use clap::{Args, Subcommand, ValueEnum};
use gateway_core::case::{Case, CaseCommand, Found, Outcome};
use gateway_core::{Command, Micro, Refusal, UsagePointId};
use serde_json::json;

/// `case …`
#[derive(Debug, Subcommand)]
pub enum CaseAction {
    /// List cases that are open
    List {
        /// Also those that are closed
        #[arg(long)]
        all: bool,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Show one case: evidence, suspects, notes, visits
    Show {
        /// Its number, from `case list`
        case: u64,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Write a note into a case
    Note {
        /// Its number, from `case list`
        case: u64,
        /// The note, up to 500 bytes
        text: String,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Enter what a visit found
    Check(CheckArgs),
    /// Say what a case was
    Close(CloseArgs),
    /// Open a suspect's supply for a moment, to compare what the feeder delivers less with what the meter counted
    Test(TestArgs),
    /// Charge a confirmed case as a debt; above the site's limit it waits for a second person
    Assess(AssessArgs),
}

/// `case test`
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The case's number, from `case list`
    pub case: u64,
    /// Whose supply; the first suspect's if absent
    #[arg(long)]
    pub usage_point: Option<UsagePointId>,
    /// How long, 20 up to loss.switch_test.seconds; that if absent
    #[arg(long)]
    pub seconds: Option<u16>,
    /// Who agreed to it, and how; not needed where the terms of supply allow it
    #[arg(long, default_value = "")]
    pub consent: String,
    /// Only say whether it could be planned
    #[arg(long)]
    pub dry_run: bool,
    /// Take a planned test back, or end one that runs
    #[arg(long, conflicts_with_all = ["usage_point", "seconds", "consent", "dry_run"])]
    pub take_back: bool,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `case assess`
#[derive(Debug, Args)]
pub struct AssessArgs {
    /// The case's number, from `case list`
    pub case: u64,
    /// How much; the estimate that `case show` shows if absent
    #[arg(long)]
    pub amount: Option<Micro>,
    /// Whose premises; those the case was closed with if absent
    #[arg(long)]
    pub usage_point: Option<UsagePointId>,
    /// How it is paid back.
    #[command(flatten)]
    pub terms: super::debt::TermsArgs,
    /// Why, up to 150 bytes; it stands on the statement
    #[arg(long)]
    pub reason: String,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `case check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The case's number, from `case list`
    pub case: u64,
    /// What was found
    #[arg(value_enum)]
    pub found: FoundWord,
    /// Where; the line itself was looked at if absent
    #[arg(long)]
    pub usage_point: Option<UsagePointId>,
    /// In words
    #[arg(long, default_value = "")]
    pub note: String,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `case close`
#[derive(Debug, Args)]
pub struct CloseArgs {
    /// The case's number, from `case list`
    pub case: u64,
    /// What it was
    #[arg(value_enum)]
    pub outcome: OutcomeWord,
    /// Whose premises; the first suspect of a confirmed case if absent
    #[arg(long)]
    pub usage_point: Option<UsagePointId>,
    /// In words
    #[arg(long, default_value = "")]
    pub note: String,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// What a visit found.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FoundWord {
    /// A bypass, a tap, a tampered meter
    Tampering,
    /// A fault without fault
    Fault,
    /// Nothing
    Nothing,
    /// Nobody opened
    NoAccess,
}

/// What a case was.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum OutcomeWord {
    /// Somebody took energy past a meter
    Confirmed,
    /// Nothing was wrong
    False,
    /// A joint, a meter, a ratio, a wrong label
    Technical,
}

/// Does it.
pub fn carry_out(action: &CaseAction) -> Result {
    let by = String::new();
    match action {
        CaseAction::List { all, target } => list(target, *all),
        CaseAction::Show { case, target } => show(target, *case),
        CaseAction::Note { case, text, target } => {
            let (case, text) = (*case, text.clone());
            give(
                target,
                "write the note",
                CaseCommand::Note { case, text, by },
            )
        }
        CaseAction::Check(args) => {
            let check = CaseCommand::Check {
                case: args.case,
                usage_point: args.usage_point,
                found: match args.found {
                    FoundWord::Tampering => Found::Tampering,
                    FoundWord::Fault => Found::Fault,
                    FoundWord::Nothing => Found::Nothing,
                    FoundWord::NoAccess => Found::NoAccess,
                },
                text: args.note.clone(),
                by,
            };
            give(&args.target, "enter the visit", check)
        }
        CaseAction::Close(args) => {
            let close = CaseCommand::Close {
                case: args.case,
                usage_point: args.usage_point,
                outcome: match args.outcome {
                    OutcomeWord::Confirmed => Outcome::Confirmed,
                    OutcomeWord::False => Outcome::False,
                    OutcomeWord::Technical => Outcome::Technical,
                },
                text: args.note.clone(),
                by,
            };
            give(&args.target, "close the case", close)
        }
        CaseAction::Test(args) => test(args),
        CaseAction::Assess(args) => {
            const DOING: &str = "charge the case";
            let assess = CaseCommand::Assess {
                case: args.case,
                usage_point: args.usage_point,
                amount: args.amount,
                terms: args.terms.terms().unwrap_or_default(),
                reason: args.reason.clone(),
                by,
            };
            let answer = command(&args.target, DOING, Command::Case(assess))?;
            super::correct::told(answer, DOING)
        }
    }
}

fn test(args: &TestArgs) -> Result {
    const DOING: &str = "plan the switch test";
    let by = String::new();
    if args.take_back {
        let case = args.case;
        return give(
            &args.target,
            "take the test back",
            CaseCommand::TakeBack { case, by },
        );
    }
    let asked = CaseCommand::Try {
        case: args.case,
        usage_point: args.usage_point,
        seconds: args.seconds,
        consent: args.consent.clone(),
        dry_run: args.dry_run,
        by,
    };
    command(&args.target, DOING, Command::Case(asked))?;
    let (done, text) = if args.dry_run {
        ("possible", "it could be planned; nothing was changed")
    } else {
        (
            "planned",
            "planned: the resident is told, and `case show` will say what it found",
        )
    };
    Ok(Said::done(text, json!({ "done": done })))
}

fn give(target: &Target, doing: &'static str, asked: CaseCommand) -> Result {
    command(target, doing, Command::Case(asked))?;
    Ok(Said::done("done", json!({ "done": "done" })))
}

fn cases(
    target: &Target,
    doing: &'static str,
    all: bool,
) -> std::result::Result<Vec<Case>, Failure> {
    match ask(target, doing, &Request::Cases { all })? {
        Response::Cases { cases } => Ok(cases),
        other => Err(unexpected(doing, &other)),
    }
}

fn list(target: &Target, all: bool) -> Result {
    let cases = cases(target, "list the cases", all)?;
    let mut table = Table::new(&[
        ("case", Align::Right),
        ("feeder", Align::Left),
        ("state", Align::Left),
        ("since", Align::Left),
        ("W", Align::Right),
        ("kWh", Align::Right),
        ("worth", Align::Right),
        ("sure", Align::Right),
        ("what", Align::Left),
    ]);
    for case in &cases {
        let report = &case.report;
        let phase = report
            .phase
            .map_or_else(String::new, |phase| format!(" {phase}"));
        table.row(vec![
            case.number.to_string(),
            format!("{}{phase}", report.feeder),
            case.standing().into(),
            day(report.since.0),
            report.watts.to_string(),
            report.energy.to_string(),
            case.money.to_string(),
            format!("{} %", report.confidence_permille / 10),
            what(case),
        ]);
    }
    let text = if cases.is_empty() {
        "no cases".into()
    } else {
        table.render()
    };
    Ok(Said::done(text, json!({ "cases": cases })))
}

fn what(case: &Case) -> String {
    let first = case
        .report
        .suspects
        .first()
        .map(|s| s.usage_point.to_string());
    case.report.verdict.words(first.as_deref())
}

fn day(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |t| t.to_string())
}

fn show(target: &Target, number: u64) -> Result {
    const DOING: &str = "show the case";
    let found = cases(target, DOING, true)?
        .into_iter()
        .find(|case| case.number == number);
    let case = found
        .ok_or_else(|| Failure::refused(DOING, Refusal::NoSuchCase.name(), Refusal::NoSuchCase))?;
    let report = &case.report;
    let phase = report
        .phase
        .map_or_else(String::new, |phase| format!(", phase {phase}"));
    let looks: Vec<_> = report
        .evidence
        .iter()
        .map(|evidence| evidence.words())
        .collect();
    let mut text = pairs(&[
        ("case", format!("{number}, {}", case.standing())),
        ("where", format!("{}{phase}", report.feeder)),
        ("what", what(&case)),
        ("look for", report.verdict.look_for().to_owned()),
        ("sure", format!("{} %", report.confidence_permille / 10)),
        ("since", day(report.since.0)),
        ("last seen", day(report.at.0)),
        (
            "lost",
            format!(
                "{} W, {} kWh, worth about {}",
                report.watts, report.energy, case.money
            ),
        ),
        ("looks like", looks.join("; ")),
        ("began again", format!("{} times", case.recurred)),
    ]);
    for (place, suspect) in report.suspects.iter().enumerate() {
        let why: Vec<_> = suspect
            .evidence
            .iter()
            .map(|evidence| evidence.words())
            .collect();
        let sure = suspect.confidence_permille / 10;
        text.push_str(&format!(
            "suspect {}: {}, {sure} %: {}\n",
            place + 1,
            suspect.usage_point,
            why.join("; ")
        ));
    }
    let worth = match ask(target, DOING, &Request::CaseWorth { case: number })? {
        Response::CaseWorth { estimate } => estimate,
        other => return Err(unexpected(DOING, &other)),
    };
    if let Some(worth) = &worth {
        text.push_str(&format!("estimate {}\n", worth.words()));
    }
    text.push_str(&history(&case));
    Ok(Said::done(text, json!({ "case": case, "estimate": worth })))
}

/// Reports of nodes, notes, visits, and how it ended.
fn history(case: &Case) -> String {
    let mut text = String::new();
    for note in &case.tampers {
        text.push_str(&format!(
            "{} {} reports: {}\n",
            day(note.at.0),
            note.usage_point,
            note.details
        ));
    }
    for note in &case.notes {
        text.push_str(&format!("{} {}: {}\n", day(note.at.0), note.by, note.text));
    }
    for check in &case.checks {
        let place = check
            .usage_point
            .map_or_else(|| "the line".into(), |id| id.to_string());
        let found = check.found.words();
        text.push_str(&format!(
            "{} {} at {place}: {found} {}\n",
            day(check.at.0),
            check.by,
            check.text
        ));
    }
    for finding in &case.findings {
        text.push_str(&format!("{} {finding}\n", day(finding.at.0)));
    }
    if let Some(closing) = &case.closing {
        let outcome = closing.outcome.words();
        text.push_str(&format!(
            "{} closed as {outcome} by {} {}\n",
            day(closing.at.0),
            closing.by,
            closing.text
        ));
    }
    for notice in &case.notices {
        let (at, whose, what) = (day(notice.at.0), notice.usage_point, notice.news.name());
        text.push_str(&format!("{at} the resident of {whose} was told: {what}\n"));
    }
    for of in &case.assessments {
        text.push_str(&format!(
            "{} {} assessed with {:.2} for {} kWh by {}: {}; {}\n",
            day(of.at.0),
            of.usage_point,
            of.amount,
            of.energy,
            of.by,
            of.standing.words(),
            of.reason
        ));
    }
    text
}
