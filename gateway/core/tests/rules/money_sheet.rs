//! The words of worksheets about recharges, debts, corrections and agents. What they mean is written in `worksheets/README.txt`.

use crate::site::*;
use gateway_core::agent::AgentCommand;
use gateway_core::correction::{CorrectionAct, CorrectionCommand};
use gateway_core::debt::{Cap, CapPeriod, DebtChange, DebtKind, Terms};
use gateway_core::event::{Answer, Command};
use gateway_core::ledger::LedgerAccount;
use gateway_core::prepay::PrepayRules;
use gateway_core::*;

type Outcome = Result<(), String>;

fn amount(text: &str) -> Result<Micro, String> {
    text.parse().map_err(|_| format!("{text} is not an amount"))
}

/// A percentage with two decimals, in hundredths.
fn hundredths(text: &str) -> Result<u16, String> {
    let micro = amount(text)?.0;
    u16::try_from(micro / 10_000).map_err(|_| format!("{text} is not a percentage"))
}

fn kind(text: &str) -> Result<DebtKind, String> {
    text.parse()
        .map_err(|_| format!("{text} is no kind of debt"))
}

/// A line that sets a rule; nothing for others.
pub fn rule(rules: &mut PrepayRules, words: &[&str]) -> Option<Outcome> {
    let outcome = match words {
        [
            "recharge",
            "smallest",
            smallest,
            "multiples-of",
            multiple,
            "largest",
            largest,
        ] => (|| {
            rules.vend.smallest = amount(smallest)?;
            rules.vend.multiple = amount(multiple)?;
            rules.largest_vend = amount(largest)?;
            Ok(())
        })(),
        ["debts", order @ .., "most", percent, "percent"] => (|| {
            rules.debt.order = order.iter().map(|it| kind(it)).collect::<Result<_, _>>()?;
            rules.debt.most_of_payment = hundredths(percent)?;
            Ok(())
        })(),
        ["alone", up_to] => amount(up_to).map(|up_to| rules.correction.alone_up_to = up_to),
        _ => return None,
    };
    Some(outcome)
}

/// How a debt is paid back: `25 percent`, `3 daily`, `at-most 5 a week`, in any order.
fn terms(mut words: &[&str]) -> Result<Terms, String> {
    let mut terms = Terms::default();
    loop {
        words = match words {
            [] => return Ok(terms),
            [percent, "percent", rest @ ..] => {
                terms.percent_hundredths = hundredths(percent)?;
                rest
            }
            [daily, "daily", rest @ ..] => {
                terms.per_day = amount(daily)?;
                rest
            }
            ["at-most", most, "a", per, rest @ ..] => {
                let per = match *per {
                    "day" => CapPeriod::Day,
                    "week" => CapPeriod::Week,
                    "month" => CapPeriod::Month,
                    _ => return Err("write a day, a week or a month".into()),
                };
                let amount = amount(most)?;
                terms.cap = Some(Cap { amount, per });
                rest
            }
            _ => return Err("write N percent, N daily, at-most N a week".into()),
        };
    }
}

/// The receipt of the nth vend, from 1.
fn receipt(site: &Site, nth: &str) -> Result<u64, String> {
    let nth: usize = nth.parse().map_err(|_| "write which vend, from 1")?;
    let vends = site.journal.iter();
    let mut vends = vends.filter(|record| matches!(record.decision, Decision::Vended { .. }));
    let vend = nth.checked_sub(1).and_then(|before| vends.nth(before));
    vend.map(|record| record.number)
        .ok_or("no such vend".into())
}

fn correction(site: &Site, words: &[&str]) -> Result<Option<CorrectionCommand>, String> {
    let make = |what, by: &str| CorrectionCommand::Make {
        usage_point: POINT,
        what,
        reason: "worksheet".into(),
        by: by.into(),
        key: None,
    };
    let proposal = site
        .point()
        .proposals
        .last()
        .map_or(u64::MAX, |it| it.number);
    let command = match words {
        ["debt", of, "plus", more, terms_words @ ..] => {
            let (kind, add) = (kind(of)?, amount(more)?);
            let terms = match terms_words {
                [] => None,
                ["takes", words @ ..] => Some(terms(words)?),
                _ => return Err("write takes before the terms".into()),
            };
            make(
                CorrectionAct::Debt(DebtChange::Change { kind, add, terms }),
                "asha",
            )
        }
        ["debt", of, owed, "takes", words @ ..] => {
            let (kind, amount, terms) = (kind(of)?, amount(owed)?, terms(words)?);
            let open = DebtChange::Open {
                kind,
                amount,
                terms,
            };
            make(CorrectionAct::Debt(open), "asha")
        }
        ["write-off", of, owed] => {
            let (kind, amount) = (kind(of)?, Some(amount(owed)?));
            make(
                CorrectionAct::Debt(DebtChange::WriteOff { kind, amount }),
                "asha",
            )
        }
        ["correct", by, "by", who] => {
            let (amount, receipt) = (amount(by)?, None);
            make(CorrectionAct::Credit { amount, receipt }, who)
        }
        ["take-back", nth, "by", who] => {
            let receipt = receipt(site, nth)?;
            make(CorrectionAct::Reverse { receipt }, who)
        }
        ["approve", "by", who] => CorrectionCommand::Approve {
            proposal,
            by: (*who).into(),
        },
        ["refuse", "by", who] => CorrectionCommand::Refuse {
            proposal,
            reason: "worksheet".into(),
            by: (*who).into(),
        },
        _ => return Ok(None),
    };
    Ok(Some(command))
}

fn agent(words: &[&str]) -> Result<Option<AgentCommand>, String> {
    let by = || "manager".to_owned();
    let command = match words {
        [
            "agent",
            name,
            "overdraft",
            overdraft,
            "commission",
            percent,
            "percent",
        ] => AgentCommand::Add {
            name: (*name).into(),
            overdraft: amount(overdraft)?,
            commission_hundredths: hundredths(percent)?,
            by: by(),
        },
        ["assign", person, "to", name] => AgentCommand::Assign {
            agent: (*name).into(),
            person: (*person).into(),
            assigned: true,
            by: by(),
        },
        ["float", name, moved] => AgentCommand::MoveFloat {
            agent: (*name).into(),
            amount: amount(moved)?,
            reason: "worksheet".into(),
            by: by(),
            key: None,
        },
        _ => return Ok(None),
    };
    Ok(Some(command))
}

/// The command of a step; nothing for steps that are not about money.
pub fn command(site: &Site, words: &[&str]) -> Result<Option<Command>, String> {
    if let ["vend", paid, "by", who] = words {
        return Ok(Some(Command::Vend {
            key: format!("{} at {} by {who}", paid, site.now),
            usage_point: POINT,
            amount: amount(paid)?,
            by: (*who).into(),
        }));
    }
    if let Some(command) = correction(site, words)? {
        return Ok(Some(Command::Correct(command)));
    }
    Ok(agent(words)?.map(Command::Agent))
}

/// An expectation about money; nothing for others.
pub fn expect(site: &Site, words: &[&str]) -> Option<Outcome> {
    let same = |what: &str, expected: &str, found: Micro| match amount(expected) {
        Ok(expected) if expected == found => Ok(()),
        Ok(_) => Err(format!("{what} is {found}")),
        Err(why) => Err(why),
    };
    match words {
        ["debt", of, expected] => {
            Some(kind(of).and_then(|kind| same(of, expected, site.owed(kind))))
        }
        ["ledger", account, expected] => Some(match account.parse::<LedgerAccount>() {
            Err(_) => Err(format!("{account} is no ledger account")),
            Ok(known) => {
                let found = site.state.ledger.get(&known).copied();
                same(account, expected, found.unwrap_or_default())
            }
        }),
        ["waiting", expected] => {
            let found = site.point().proposals.len().to_string();
            let right = found == *expected;
            Some(right.then_some(()).ok_or(format!("{found} wait")))
        }
        ["quote", paid, "credit", expected] => {
            Some(quote(site, paid).and_then(|credit| same("credit of the quote", expected, credit)))
        }
        _ => None,
    }
}

fn quote(site: &Site, paid: &str) -> Result<Micro, String> {
    let mut site = site.clone();
    let number = site.state.number;
    let quoted = site.command(Command::QuoteVend {
        usage_point: POINT,
        amount: amount(paid)?,
        by: "clerk".into(),
    });
    match quoted {
        Ok(Answer::Quoted { credit, .. }) if site.state.number == number => Ok(credit),
        other => Err(format!("{other:?}")),
    }
}
