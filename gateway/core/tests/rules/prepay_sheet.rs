//! The words of worksheets about prepayment rules. What they mean is written in `worksheets/README.txt`.

use crate::site::*;
use gateway_core::event::Command;
use gateway_core::ledger::LedgerAccount;
use gateway_core::prepay::{CreditStatus, PrepayCommand, PrepayDecision, PrepayRules, Stage};
use gateway_core::supply::SupplyOrder;
use gateway_core::*;

type Outcome = Result<(), String>;

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

fn amount(text: &str) -> Result<Micro, String> {
    text.parse().map_err(|_| format!("{text} is not an amount"))
}

/// Whether words set a rule.
pub fn is_rule(word: &str) -> bool {
    [
        "friendly",
        "holiday",
        "notice",
        "emergency",
        "stage",
        "provisional",
    ]
    .contains(&word)
}

/// A line that sets a rule.
pub fn rule(rules: &mut PrepayRules, words: &[&str]) -> Outcome {
    match words {
        ["friendly", hours @ ..] => {
            let hours = hours.join(" ").parse();
            let hours = hours.map_err(|error: prepay::friendly::NotHours| error.to_string())?;
            rules.friendly.hours.push(hours);
        }
        ["holiday", day] => {
            let day = day.parse().map_err(|_| format!("{day} is not a day"))?;
            rules.friendly.holidays.insert(day);
        }
        ["notice", minutes] => rules.friendly.notice_min = number(minutes)?,
        ["emergency", lent @ .., "at", threshold, "by", how] => {
            match lent {
                [limit] => rules.emergency.limit = amount(limit)?,
                [days, "days"] => rules.emergency.days = number(days)?,
                _ => return Err("write an amount, or N days".into()),
            }
            rules.emergency.threshold = amount(threshold)?;
            rules.emergency.automatic = match *how {
                "press" => false,
                "automatic" => true,
                _ => return Err("write press or automatic".into()),
            };
        }
        ["stage", percent, "percent"] => rules.stages.push(Stage::Percent(number(percent)?)),
        ["stage", days, "days"] => rules.stages.push(Stage::Days(number(days)?)),
        ["stage", left] => rules.stages.push(Stage::Amount(amount(left)?)),
        ["provisional", hours, "hours", "for", days, "days"] => {
            rules.stale.provisional_h = number(hours)?;
            rules.stale.provisional_days = number(days)?;
        }
        _ => return Err("no such rule".into()),
    }
    Ok(())
}

/// A step that only prepayment rules know.
pub fn happen(site: &mut Site, words: &[&str]) -> Outcome {
    let by = || "clerk".to_owned();
    let usage_point = POINT;
    let command = match words {
        ["press"] => Command::Prepay(PrepayCommand::ActivateEmergency {
            usage_point,
            by: by(),
        }),
        ["order", order] => Command::OrderSupply {
            usage_point,
            order: match *order {
                "on" => SupplyOrder::On,
                "off" => SupplyOrder::Off,
                "auto" => SupplyOrder::Auto,
                _ => return Err("write on, off or auto".into()),
            },
            by: by(),
        },
        ["clear-hold", what @ ("charge" | "waive")] => Command::Prepay(PrepayCommand::ClearHold {
            usage_point,
            note: "worksheet".into(),
            charge: *what == "charge",
            by: by(),
        }),
        _ => return Err("no such step".into()),
    };
    site.command(command)
        .map(|_| ())
        .map_err(|refusal| refusal.to_string())
}

/// An expectation that only prepayment rules know; nothing for others.
pub fn expect(site: &Site, words: &[&str]) -> Option<Outcome> {
    let prepay = &site.point().prepay;
    let [what, expected] = words else { return None };
    let found = match *what {
        "emergency" => match prepay.emergency.status {
            CreditStatus::Enabled => "enabled",
            CreditStatus::Selectable => "selectable",
            CreditStatus::Selected => "selected",
            CreditStatus::InUse => "in-use",
            CreditStatus::Exhausted => "exhausted",
        }
        .to_owned(),
        "provisional" => {
            let account = LedgerAccount::Provisional(POINT);
            let found = site.state.ledger.get(&account).copied();
            return Some(match (amount(expected), found.unwrap_or_default()) {
                (Err(why), _) => Err(why),
                (Ok(expected), found) if expected == found => Ok(()),
                (_, found) => Err(format!("provisional is {found}")),
            });
        }
        "crossed" => {
            let is = |record: &&Record| {
                let Decision::Prepay { what, .. } = &record.decision else {
                    return false;
                };
                matches!(what, PrepayDecision::StageCrossed { .. })
            };
            site.journal.iter().filter(is).count().to_string()
        }
        "held-by-friendly-hours" => yes(prepay.friendly.is_some()),
        "announced" => {
            let cut_at = prepay.friendly.and_then(|held| held.noticed);
            cut_at.map_or_else(|| "no".to_owned(), |at| at.to_string())
        }
        "hold" => yes(prepay.hold.is_some()),
        _ => return None,
    };
    Some(if found == *expected {
        Ok(())
    } else {
        Err(format!("{what} is {found}"))
    })
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}
