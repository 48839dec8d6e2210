//! A usage point's statement: its journal folded, every movement of its credit with what it is made of.
//!
//! Decided here: what a line is made of. Any decision that posts to or from the credit is a line, under its own name, so a kind
//! that is not known here is there too. A settlement's charges stand by component, its energy charge by block: what the
//! period's blocks cost up to it, less what they cost before. Not decided here: what anything costs (the core, asked again with
//! what the journal holds) or how a statement looks.
//!
//! Terms: *line*: one decision that moved the credit; *item*: one of its postings; *beside*: a posting of the same decision
//! between other accounts, for example what a payment brought to a debt.
//!
//! Invariants: opening plus all items is closing, to the micro-unit; blocks add up to the energy component, or are left out and
//! [`Check::blocks_agree`] is false; what the journal gives is compared with the rows of the database.

use crate::error::Result;
use crate::read::{MOST_ROWS, Reader};
use gateway_core::account::{Account, Advance, Change, Settlement};
use gateway_core::calendar::LocalDay;
use gateway_core::ledger::LedgerAccount;
use gateway_core::rating::{Component, Usage};
use gateway_core::tariff::Tariff;
use gateway_core::{Decision, Micro, Record, State, UsagePointId, UtcSeconds, WattHours};
use rusqlite::OptionalExtension as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most lines of one statement: three years of a day with eight times of day. Longer ones are refused, never cut.
pub const MOST_LINES: usize = 10_000;

/// A usage point's credit over a range of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountStatement {
    /// Whose.
    pub usage_point: UsagePointId,
    /// What people call it.
    pub label: String,
    /// Id of the tariff at the end of the range.
    pub tariff: String,
    /// Its name for people.
    pub tariff_name: String,
    /// Currency code (ISO 4217).
    pub currency: String,
    /// First moment of the range.
    pub from: UtcSeconds,
    /// First moment after it.
    pub to: UtcSeconds,
    /// Credit before the first line.
    pub opening_micro: Micro,
    /// Movements, oldest first.
    pub lines: Vec<Line>,
    /// Credit after the last line.
    pub closing_micro: Micro,
    /// Energy settled in the range.
    pub energy_wh: WattHours,
    /// Whether there are more than [`MOST_LINES`]; the statement is of no use then.
    pub too_long: bool,
    /// Whether it adds up.
    pub check: Check,
}

/// One decision that moved the credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Number of the decision; of a payment or token, the receipt number.
    pub number: u64,
    /// When.
    pub at: UtcSeconds,
    /// The decision's name in the journal: `vended`, `settled`, …
    pub kind: String,
    /// Who, if the decision says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// In words, if the decision says: a reason, a note, what a token did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// Energy it settles.
    pub energy_wh: WattHours,
    /// At most this much of it may stand in a wrong time of day or on the wrong side of a change of tariff.
    #[serde(default)]
    pub uncertain_wh: WattHours,
    /// Change of the credit.
    pub amount_micro: Micro,
    /// Credit after it.
    pub credit_micro: Micro,
    /// What it is made of.
    pub items: Vec<Item>,
    /// Its energy charge by block.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<BlockItem>,
    /// Money it moved between other accounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
}

/// A posting to or from the credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The ledger account on the other side, for example `revenue:energy`.
    pub account: String,
    /// Change of the credit.
    pub amount_micro: Micro,
}

/// A block's part of an energy charge. Negative energy comes back from a block whose end has moved, with a change of tariff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockItem {
    /// Id of the tariff version.
    pub tariff: String,
    /// Which block of it, from 1.
    pub block: u16,
    /// Energy charge per kWh.
    pub rate_micro: Micro,
    /// Energy, in watt-hours.
    pub energy_wh: i64,
    /// Change of the credit.
    pub amount_micro: Micro,
}

/// A posting between two other accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// Where the amount is taken from.
    pub from: String,
    /// Where it goes.
    pub to: String,
    /// How much.
    pub amount_micro: Micro,
}

/// Whether a statement adds up, and with what it was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Postings of the range that were added up.
    pub postings: u64,
    /// Opening plus every item is closing.
    pub re_adds: bool,
    /// The blocks of every line add up to its energy charge.
    pub blocks_agree: bool,
    /// Number of the last record of the usage point.
    pub head: u64,
    /// Credit there, as the journal gives it.
    pub journal_micro: Micro,
    /// Credit there, as the ledger holds it; nothing if it holds none.
    pub ledger_micro: Option<Micro>,
    /// Credit there, as the account's row holds it.
    pub account_micro: Micro,
    /// All three are the same.
    pub stored_agrees: bool,
}

impl Check {
    /// Whether everything agrees.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.re_adds && self.blocks_agree && self.stored_agrees
    }
}

/// A journal being folded into a statement. Records of the usage point come oldest first, all of them.
#[derive(Debug)]
pub struct Fold {
    usage_point: UsagePointId,
    from: UtcSeconds,
    to: UtcSeconds,
    state: State,
    /// What the open period's blocks have cost so far, by version and block.
    blocks: Blocks,
    opening: Micro,
    closing: Micro,
    tariff: String,
    lines: Vec<Line>,
    too_long: bool,
    blocks_agree: bool,
}

type Blocks = BTreeMap<(String, u16), (Micro, i64, Micro)>;

impl Fold {
    /// Nothing folded yet; lines are kept for `from ≤ at < to`.
    #[must_use]
    pub fn new(
        usage_point: UsagePointId,
        tariffs: BTreeMap<String, Tariff>,
        (from, to): (UtcSeconds, UtcSeconds),
    ) -> Self {
        Self {
            usage_point,
            from,
            to,
            state: State {
                tariffs,
                ..State::default()
            },
            blocks: Blocks::new(),
            opening: Micro::ZERO,
            closing: Micro::ZERO,
            tariff: String::new(),
            lines: Vec::new(),
            too_long: false,
            blocks_agree: true,
        }
    }

    /// The state as far as it is folded: this usage point and its ledger accounts.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    fn credit(&self) -> Micro {
        let credit = LedgerAccount::Credit(self.usage_point);
        self.state.ledger.get(&credit).copied().unwrap_or_default()
    }

    /// Takes the next record.
    pub fn take(&mut self, record: &Record) {
        let blocks = match &record.decision {
            Decision::Settled { settlement, .. } => self.settle_blocks(settlement),
            Decision::TariffChanged {
                change: Change::AtRegister { .. },
                ..
            } => {
                self.blocks.clear();
                Some(Vec::new())
            }
            _ => Some(Vec::new()),
        };
        self.state.apply(record);
        if record.at < self.from {
            self.opening = self.credit();
        }
        if record.at >= self.to {
            return;
        }
        self.closing = self.credit();
        if let Some(point) = self.state.usage_points.get(&self.usage_point) {
            self.tariff.clone_from(&point.account.tariff);
        }
        if record.at < self.from {
            return;
        }
        let Some(mut line) = line(record, self.usage_point, self.closing) else {
            return;
        };
        self.blocks_agree &= blocks.is_some();
        line.blocks = blocks.unwrap_or_default();
        if self.lines.len() < MOST_LINES {
            self.lines.push(line);
        } else {
            self.too_long = true;
        }
    }

    /// The blocks of a settlement about to be applied; nothing if they do not add up to its energy charge.
    fn settle_blocks(&mut self, settlement: &Settlement) -> Option<Vec<BlockItem>> {
        let point = self.state.usage_points.get(&self.usage_point)?;
        let account = &point.account;
        let before = std::mem::take(&mut self.blocks);
        let known: Micro = before.values().map(|(_, _, amount)| *amount).sum();
        let charged = account.period.charged[Component::Energy];
        let tariff = self.state.tariffs.get(&account.tariff)?;
        let usage = usage_of(account, tariff, point.connection(), settlement)?;
        if known != charged {
            return None;
        }
        let shares = account.energy_by_block(tariff, &usage).into_iter();
        let now: Blocks = shares
            .map(|(tariff, share)| {
                let energy = i64::try_from(share.energy.0).unwrap_or(i64::MAX);
                ((tariff, share.block), (share.rate, energy, share.amount))
            })
            .collect();
        let items = difference(&before, &now);
        if settlement.opens.is_none() {
            self.blocks = now;
        }
        Some(items)
    }

    /// The statement; `None` if no record added the usage point. `ledger` and `account` are the credit as the rows hold it.
    #[must_use]
    pub fn finish(self, ledger: Option<Micro>, account: Micro) -> Option<AccountStatement> {
        let journal = self.credit();
        let head = self.state.number;
        let tariff = self.state.tariffs.get(&self.tariff);
        let point = self.state.usage_points.get(&self.usage_point)?;
        let items = || self.lines.iter().flat_map(|line| &line.items);
        let moved: Micro = items().map(|item| item.amount_micro).sum();
        let energies = self.lines.iter().map(|line| line.energy_wh);
        let stored_agrees =
            journal == ledger.unwrap_or_default() && journal == account && !self.too_long;
        Some(AccountStatement {
            usage_point: self.usage_point,
            label: point.label.clone(),
            tariff_name: tariff.map_or_else(|| self.tariff.clone(), |t| t.name.clone()),
            currency: tariff.map_or_else(String::new, |t| t.currency.clone()),
            tariff: self.tariff.clone(),
            from: self.from,
            to: self.to,
            opening_micro: self.opening,
            closing_micro: self.closing,
            energy_wh: energies.fold(WattHours(0), WattHours::saturating_add),
            too_long: self.too_long,
            check: Check {
                postings: items().count() as u64,
                re_adds: self.opening + moved == self.closing,
                blocks_agree: self.blocks_agree,
                head,
                journal_micro: journal,
                ledger_micro: ledger,
                account_micro: account,
                stored_agrees,
            },
            lines: self.lines,
        })
    }
}

/// The use that a settlement has priced: of the period so far, or of a part of it that ends with the settlement.
fn usage_of(
    account: &Account,
    tariff: &Tariff,
    connection: gateway_core::tariff::Connection,
    settlement: &Settlement,
) -> Option<Usage> {
    let advance = Advance {
        register: settlement.settled_to,
        bands: settlement.bands,
        uncertain: settlement.uncertain,
    };
    let whole = account.usage_at(connection, &advance, settlement.through);
    let part = Usage {
        block_days: days(account.period.first(), settlement.through),
        ..whole
    };
    let total = account.period.charged[Component::Energy] + settlement.charges[Component::Energy];
    [whole, part]
        .into_iter()
        .find(|usage| account.cost(tariff, usage)[Component::Energy] == total)
}

fn days(first: LocalDay, last: LocalDay) -> u16 {
    let days = i64::from(last.0) - i64::from(first.0) + 1;
    u16::try_from(days).unwrap_or(0)
}

/// What has become of each block, charges below zero.
fn difference(before: &Blocks, now: &Blocks) -> Vec<BlockItem> {
    let mut keys: Vec<_> = before.keys().chain(now.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let item = |key: &(String, u16)| {
        let was = before.get(key).copied();
        let is = now.get(key).copied();
        let (rate_micro, _, _) = is.or(was)?;
        let (_, energy_before, amount_before) = was.unwrap_or_default();
        let (_, energy, amount) = is.unwrap_or_default();
        let (energy_wh, charged) = (energy - energy_before, amount - amount_before);
        let moved = energy_wh != 0 || charged != Micro::ZERO;
        moved.then(|| BlockItem {
            tariff: key.0.clone(),
            block: key.1,
            rate_micro,
            energy_wh,
            amount_micro: -charged,
        })
    };
    keys.into_iter().filter_map(item).collect()
}

fn line(record: &Record, usage_point: UsagePointId, credit_micro: Micro) -> Option<Line> {
    let credit = LedgerAccount::Credit(usage_point);
    let (mut items, mut beside) = (Vec::new(), Vec::new());
    for posting in record.decision.postings() {
        let (account, amount_micro) = if posting.to == credit {
            (posting.from, posting.amount)
        } else if posting.from == credit {
            (posting.to, -posting.amount)
        } else {
            beside.push(Beside {
                from: posting.from.to_string(),
                to: posting.to.to_string(),
                amount_micro: posting.amount,
            });
            continue;
        };
        items.push(Item {
            account: account.to_string(),
            amount_micro,
        });
    }
    if items.is_empty() && beside.is_empty() {
        return None;
    }
    let (energy_wh, uncertain_wh) = match &record.decision {
        Decision::Settled { settlement, .. } => (settlement.energy, settlement.uncertain),
        _ => (WattHours(0), WattHours(0)),
    };
    // By their names in the journal, so that kinds which are not known here say as much of themselves.
    let body = serde_json::to_value(&record.decision).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let said = ["reason", "note", "text"].map(text).into_iter();
    let words = match &record.decision {
        Decision::TokenEntered { entry, .. } => match &entry.outcome {
            Ok(effect) => effect.to_string(),
            Err(rejection) => rejection.to_string(),
        },
        _ => said
            .filter(|words| !words.is_empty())
            .collect::<Vec<_>>()
            .join("; "),
    };
    Some(Line {
        number: record.number,
        at: record.at,
        kind: match &record.decision {
            Decision::Prepay { .. } => text("rule"),
            _ => text("decision"),
        },
        by: text("by"),
        words,
        energy_wh,
        uncertain_wh,
        amount_micro: items.iter().map(|item| item.amount_micro).sum(),
        credit_micro,
        items,
        blocks: Vec::new(),
        beside,
    })
}

impl Reader {
    /// A usage point's statement for `from ≤ at < to`; `None` if there is no such usage point. Reads its whole journal: for
    /// papers, not for pages that renew themselves.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn account_statement(
        &self,
        usage_point: UsagePointId,
        from: UtcSeconds,
        to: UtcSeconds,
    ) -> Result<Option<AccountStatement>> {
        self.together(|reader| {
            let Some(view) = reader.usage_point(usage_point)? else {
                return Ok(None);
            };
            let tariffs = reader.tariffs()?.into_iter();
            let tariffs = tariffs.map(|tariff| (tariff.id.clone(), tariff)).collect();
            let mut fold = Fold::new(usage_point, tariffs, (from, to));
            let mut after = 0;
            loop {
                let records = reader.journal_after(after, MOST_ROWS, Some(usage_point))?;
                let Some(last) = records.last() else { break };
                after = last.number;
                records.iter().for_each(|record| fold.take(record));
            }
            let credit = LedgerAccount::Credit(usage_point).to_string();
            let sql = "SELECT balance FROM ledger WHERE account = ?1";
            let mut query = reader.conn.prepare_cached(sql)?;
            let ledger = query.query_row([credit], |row| row.get(0)).optional()?;
            Ok(fold.finish(ledger.map(Micro), view.usage_point.account.balance))
        })
    }
}
