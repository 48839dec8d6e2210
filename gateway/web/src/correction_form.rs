//! What people and programs write when they ask for a correction or a change of a debt, as texts, and what it means.
//!
//! Decided here: how the texts are read. Whether it may be done is the core's.

use crate::api::{ParseError, parse_amount};
use gateway_core::Micro;
use gateway_core::correction::CorrectionAct;
use gateway_core::debt::{Cap, CapPeriod, DebtChange, DebtKind, Terms};
use serde::{Deserialize, Serialize};

/// A correction as texts; what is not needed is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CorrectionForm {
    /// Idempotency key.
    pub key: String,
    /// `credit`, `reverse`, `open`, `change` or `write-off`.
    pub act: String,
    /// How much; below zero: take.
    pub amount: String,
    /// The receipt it is about, or that is taken back.
    pub receipt: String,
    /// Kind of debt.
    pub kind: String,
    /// Part of each recharge, in percent.
    pub percent: String,
    /// Amount of each day.
    pub per_day: String,
    /// The most in a period.
    pub cap: String,
    /// `day`, `week` or `month`.
    pub cap_per: String,
    /// Why.
    pub reason: String,
}

impl CorrectionForm {
    /// What is asked for.
    ///
    /// # Errors
    /// A text is not understood.
    pub(crate) fn act(&self) -> Result<CorrectionAct, ParseError> {
        Ok(match self.act.as_str() {
            "credit" => CorrectionAct::Credit {
                amount: parse_amount(&self.amount)?,
                receipt: self.receipt()?,
            },
            "reverse" => CorrectionAct::Reverse {
                receipt: self.receipt()?.ok_or_else(no_receipt)?,
            },
            "open" => CorrectionAct::Debt(DebtChange::Open {
                kind: self.kind()?,
                amount: parse_amount(&self.amount)?,
                terms: self.terms()?.unwrap_or_default(),
            }),
            "change" => CorrectionAct::Debt(DebtChange::Change {
                kind: self.kind()?,
                add: given(&self.amount)?.unwrap_or_default(),
                terms: self.terms()?,
            }),
            "write-off" => CorrectionAct::Debt(DebtChange::WriteOff {
                kind: self.kind()?,
                amount: given(&self.amount)?,
            }),
            _ => {
                let words = "A correction is `credit`, `reverse`, `open`, `change` or `write-off`.";
                return Err(ParseError::named("no-such-correction", words));
            }
        })
    }

    fn kind(&self) -> Result<DebtKind, ParseError> {
        let unknown =
            "A debt is `arrears`, `appliance`, `fraud` or `accumulated`: choose one of them.";
        let kind = self.kind.parse();
        kind.map_err(|_| ParseError::named("no-such-kind-of-debt", unknown))
    }

    fn receipt(&self) -> Result<Option<u64>, ParseError> {
        match self.receipt.trim() {
            "" => Ok(None),
            number => number.parse().map(Some).map_err(|_| no_receipt()),
        }
    }

    /// How a debt is paid back; nothing if nothing is said.
    fn terms(&self) -> Result<Option<Terms>, ParseError> {
        let says_nothing = [&self.percent, &self.per_day, &self.cap];
        if says_nothing.iter().all(|text| text.trim().is_empty()) {
            return Ok(None);
        }
        let amount = given(&self.cap)?;
        let cap = amount.map(|amount| {
            let per = cap_period(&self.cap_per)?;
            Ok(Cap { amount, per })
        });
        Ok(Some(Terms {
            percent_hundredths: parse_percent(&self.percent)?,
            per_day: given(&self.per_day)?.unwrap_or_default(),
            cap: cap.transpose()?,
        }))
    }
}

fn no_receipt() -> ParseError {
    ParseError::named("receipt-unusable", "Write the receipt's number.")
}

fn given(text: &str) -> Result<Option<Micro>, ParseError> {
    match text.trim() {
        "" => Ok(None),
        text => parse_amount(text).map(Some),
    }
}

fn cap_period(word: &str) -> Result<CapPeriod, ParseError> {
    let mut periods = [CapPeriod::Day, CapPeriod::Week, CapPeriod::Month].into_iter();
    let found = periods.find(|period| period.name() == word);
    let words = "The most is in a `day`, a `week` or a `month`.";
    found.ok_or_else(|| ParseError::named("no-such-period", words))
}

/// A percentage from 0 to 100 with up to two decimals, in hundredths; nothing written is 0.
///
/// # Errors
/// `percent-unusable`.
pub(crate) fn parse_percent(text: &str) -> Result<u16, ParseError> {
    let wrong = || {
        let words = "A percentage is from 0 to 100, with up to two decimals.";
        ParseError::named("percent-unusable", words)
    };
    let text = text.trim().trim_end_matches('%').trim();
    if text.is_empty() {
        return Ok(0);
    }
    let micro: Micro = text.parse().map_err(|_| wrong())?;
    let hundredths = u16::try_from(micro.0 / 10_000).map_err(|_| wrong())?;
    let is_exact = micro.0 % 10_000 == 0 && hundredths <= 10_000;
    is_exact.then_some(hundredths).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(act: &str, fields: &[(&str, &str)]) -> CorrectionForm {
        let mut map: serde_json::Map<_, _> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        map.insert("act".into(), act.into());
        serde_json::from_value(map.into()).unwrap()
    }

    #[test]
    fn texts_are_read_or_refused_by_name() {
        let opened = form(
            "open",
            &[
                ("kind", "arrears"),
                ("amount", "900"),
                ("percent", "12.5 %"),
                ("cap", "50"),
                ("cap_per", "week"),
            ],
        );
        let terms = Terms {
            percent_hundredths: 1_250,
            per_day: Micro::ZERO,
            cap: Some(Cap {
                amount: Micro(50_000_000),
                per: CapPeriod::Week,
            }),
        };
        let expected = CorrectionAct::Debt(DebtChange::Open {
            kind: DebtKind::Arrears,
            amount: Micro(900_000_000),
            terms,
        });
        assert_eq!(opened.act(), Ok(expected));
        let all = form("write-off", &[("kind", "fraud"), ("amount", " ")]);
        let expected = DebtChange::WriteOff {
            kind: DebtKind::Fraud,
            amount: None,
        };
        assert_eq!(all.act(), Ok(CorrectionAct::Debt(expected)));
        for (act, fields, name) in [
            ("", &[][..], "no-such-correction"),
            ("credit", &[("amount", "x")], "amount-not-decimal"),
            (
                "credit",
                &[("amount", "1"), ("receipt", "-1")],
                "receipt-unusable",
            ),
            ("reverse", &[], "receipt-unusable"),
            ("open", &[("amount", "1")], "no-such-kind-of-debt"),
            (
                "change",
                &[("kind", "fraud"), ("percent", "101")],
                "percent-unusable",
            ),
            (
                "change",
                &[("kind", "fraud"), ("percent", "-1")],
                "percent-unusable",
            ),
            (
                "change",
                &[("kind", "fraud"), ("percent", "1.001")],
                "percent-unusable",
            ),
            (
                "change",
                &[("kind", "fraud"), ("cap", "5")],
                "no-such-period",
            ),
        ] {
            let error = form(act, fields).act().unwrap_err();
            assert_eq!(error.name, name, "{act} {fields:?}");
        }
    }
}
