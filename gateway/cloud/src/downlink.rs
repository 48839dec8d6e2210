//! Orders as they come: from a signed payload to what the core is asked, and from its answer to a receipt.
//!
//! Not decided here: whether an order is taken. Invariant: what is not signed with the pinned key, or the one before it, goes no further.

use crate::envelope::{EnvelopeError, open};
use crate::message::{Channel, GatewayId, Instance, OrderHead, OutcomeWord, Receipt, head};
use gateway_core::cloud::Enrolled;
use gateway_core::configured::{Changes, Setting};
use gateway_core::order::{Act, Hex32, Order, Outcome, Stream};
use gateway_core::point_change::{PointChange, What};
use gateway_core::{Answer, Command, Record, Refusal, UsagePointId, UtcSeconds};
use serde::Deserialize;
use serde_json::Value;

/// Why an order goes no further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderProblem {
    /// It is not genuine. Dropped, counted, never answered.
    #[error("an order was dropped: {0}")]
    NotGenuine(#[from] EnvelopeError),
    /// Signed, but no order of this gateway.
    #[error("a signed message is no order for this gateway")]
    NotAnOrder,
    /// Signed, but its command is not known to this version. It waits: a later version may know it.
    #[error("order {order} asks for something this version does not know")]
    NotUnderstood {
        /// The head-end's name for it.
        order: String,
        /// Its sequence.
        sequence: u64,
    },
}

/// What only orders can ask for.
#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
enum Special {
    Resend {
        stream: Stream,
        after: u64,
    },
    RollKey {
        key: Hex32,
    },
    Reconcile {
        branch: u32,
        after: u64,
        note: String,
    },
    Restore {
        body: String,
    },
    SetConfig {
        values: Changes,
        by: String,
    },
    SetCalendar {
        utc_offset: Option<String>,
        billing_period_start_day: Option<i64>,
        holidays: Option<String>,
        by: String,
    },
    Message {
        usage_point: UsagePointId,
        text: String,
        #[serde(default)]
        until: Option<UtcSeconds>,
        by: String,
    },
}

impl Special {
    fn act(self) -> Option<Act> {
        Some(match self {
            Self::Resend { stream, after } => Act::Resend { stream, after },
            Self::RollKey { key } => Act::RollKey { key },
            Self::Reconcile {
                branch,
                after,
                note,
            } => Act::Reconcile {
                branch,
                after,
                note,
            },
            Self::Restore { body } => {
                let record: Record = serde_json::from_str(&body).ok()?;
                let record = Box::new(record);
                Act::Restore { record }
            }
            Self::SetConfig { values, by } => configure(values, by),
            Self::SetCalendar {
                utc_offset,
                billing_period_start_day,
                holidays,
                by,
            } => {
                // Lines of a file in one setting.
                let holidays = holidays.map(|text| Setting::Text(one_line(&text)));
                let offset = utc_offset.map(Setting::Text);
                let day = billing_period_start_day.map(Setting::Whole);
                let named = [
                    ("site.utc_offset", offset),
                    ("site.billing_period_start_day", day),
                    ("prepay.friendly.holiday_list", holidays),
                ];
                let given = named.into_iter().filter(|(_, value)| value.is_some());
                let values = given.map(|(key, value)| (key.to_owned(), value));
                configure(values.collect(), by)
            }
            Self::Message {
                usage_point,
                text,
                until,
                by,
            } => {
                let what = What::Message { text, until };
                Act::Command(Box::new(Command::ChangeUsagePoint(PointChange {
                    usage_point,
                    what,
                    by,
                })))
            }
        })
    }
}

/// The days of a holiday file, without what is for people alone.
fn one_line(file: &str) -> String {
    let lines = file.lines().map(str::trim);
    let days: Vec<_> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    days.join(";")
}

fn configure(changes: Changes, by: String) -> Act {
    // Whether it is fit is for the site to say.
    let is_fit = false;
    Act::Configure {
        changes,
        by,
        is_fit,
    }
}

/// Reads an order.
///
/// # Errors
/// It goes no further.
pub fn read(
    enrolled: &Enrolled,
    gateway: &GatewayId,
    payload: &[u8],
) -> Result<Order, OrderProblem> {
    let path = Channel::Order.path(gateway);
    let (content, with_former_key) = match open(&enrolled.cloud_key, &path, payload) {
        Ok(content) => (content, false),
        Err(error) => match enrolled.former_key {
            Some(former) => (open(&former, &path, payload)?, true),
            None => return Err(error.into()),
        },
    };
    let order: OrderHead = head(&content).map_err(|_| OrderProblem::NotAnOrder)?;
    if order.gateway != *gateway {
        return Err(OrderProblem::NotAnOrder);
    }
    let Some(act) = act(&order.act) else {
        let (order, sequence) = (order.order, order.sequence);
        return Err(OrderProblem::NotUnderstood { order, sequence });
    };
    Ok(Order {
        id: order.order,
        sequence: order.sequence,
        not_before: order.not_before,
        not_after: order.not_after,
        act,
        with_former_key,
    })
}

fn act(asked: &Value) -> Option<Act> {
    match Special::deserialize(asked) {
        Ok(special) => special.act(),
        Err(_) => {
            let command = Command::deserialize(asked).ok()?;
            Some(Act::Command(Box::new(command)))
        }
    }
}

/// The receipt of an order for the core's answer.
#[must_use]
pub fn receipt(
    (instance, start): (Instance, u32),
    (order, sequence): (&str, u64),
    answer: Result<Answer, Refusal>,
) -> Receipt {
    let mut receipt = Receipt {
        instance,
        start,
        order: order.into(),
        sequence,
        outcome: OutcomeWord::Waiting,
        number: None,
        refusal: None,
        words: None,
        answer: None,
    };
    let refuse = |receipt: &mut Receipt, refusal: Refusal| {
        receipt.refusal = Some(refusal.name().into());
        receipt.words = Some(refusal.to_string());
    };
    match answer {
        Ok(Answer::Ordered {
            number, outcome, ..
        }) => {
            receipt.number = Some(number);
            match outcome {
                Outcome::Done { answer } => {
                    receipt.outcome = OutcomeWord::Done;
                    receipt.answer = Some(*answer);
                }
                Outcome::Refused { refusal } => {
                    receipt.outcome = OutcomeWord::Refused;
                    refuse(&mut receipt, refusal);
                }
            }
        }
        Ok(_) => {}
        Err(refusal) => {
            if is_final(refusal) {
                receipt.outcome = OutcomeWord::Refused;
            }
            refuse(&mut receipt, refusal);
        }
    }
    receipt
}

/// Whether repeating the same order can never help.
fn is_final(refusal: Refusal) -> bool {
    !matches!(
        refusal,
        Refusal::OrderTooEarly
            | Refusal::OrderClockNotTrusted
            | Refusal::MoneyHeld
            | Refusal::NotEnrolled
    )
}

/// The receipt of an order that could not be decided: it waits.
#[must_use]
pub fn waiting(
    (instance, start): (Instance, u32),
    (order, sequence): (&str, u64),
    (refusal, words): (&str, String),
) -> Receipt {
    Receipt {
        instance,
        start,
        order: order.into(),
        sequence,
        outcome: OutcomeWord::Waiting,
        number: None,
        refusal: Some(refusal.into()),
        words: Some(words),
        answer: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;
    use gateway_core::order::Hex;

    const DO: &str = r#"{"command":"vend","key":"p","usage_point":7,"amount":5,"by":"shop"}"#;

    fn content(act: &str) -> String {
        format!(
            r#"{{"order":"a","gateway":"{}","sequence":3,"not_before":1,"not_after":2,"do":{act}}}"#,
            Hex([3; 16])
        )
    }

    fn check(seed: u8, path: &Channel, content: &str) -> Result<Order, OrderProblem> {
        let key = |seed: u8| SigningKey::from_seed(&[seed; 32]).expect("a key");
        let enrolled = Enrolled {
            number: 1,
            cloud_key: key(1).public(),
            former_key: Some(key(2).public()),
            gateway_key: Hex([0; 32]),
        };
        let gateway = Hex([3; 16]);
        let payload = key(seed).seal(&path.path(&gateway), content.as_bytes());
        read(&enrolled, &gateway, &payload)
    }

    #[test]
    fn only_what_is_signed_for_this_gateway_is_an_order() {
        let good = content(DO);
        let order = check(1, &Channel::Order, &good).expect("an order");
        assert_eq!((order.id.as_str(), order.sequence), ("a", 3));
        assert_eq!(order.act.name(), Some("vend"));
        assert!(check(2, &Channel::Order, &good).is_ok_and(|order| order.with_former_key));
        let wrong = Err(OrderProblem::NotGenuine(EnvelopeError::SignatureWrong));
        assert_eq!(check(9, &Channel::Order, &good), wrong);
        assert_eq!(check(1, &Channel::Ack, &good), wrong);
        let other = good.replace("03", "04");
        assert_eq!(
            check(1, &Channel::Order, &other),
            Err(OrderProblem::NotAnOrder)
        );
        assert_eq!(
            check(1, &Channel::Order, "{}"),
            Err(OrderProblem::NotAnOrder)
        );
        let (order, sequence) = ("a".into(), 3);
        let unknown = Err(OrderProblem::NotUnderstood { order, sequence });
        let dance = content(r#"{"command":"dance"}"#);
        assert_eq!(check(1, &Channel::Order, &dance), unknown);
    }

    #[test]
    fn every_kind_of_order_is_read() {
        let zeros = "0".repeat(64);
        let body = r#"{\"number\":4,\"at\":5,\"decision\":\"vended\",\"usage_point\":7,\"amount\":5,\"key\":\"k\",\"by\":\"b\"}"#;
        for (name, act) in [
            ("vend", DO.to_owned()),
            (
                "order-supply",
                r#"{"command":"order-supply","usage_point":7,"order":"off","by":"x"}"#.into(),
            ),
            (
                "enter-token",
                r#"{"command":"enter-token","usage_point":7,"token":"1","by":"x"}"#.into(),
            ),
            (
                "resend",
                r#"{"command":"resend","stream":"journal","after":3}"#.into(),
            ),
            (
                "roll-key",
                format!(r#"{{"command":"roll-key","key":"{zeros}"}}"#),
            ),
            (
                "reconcile",
                r#"{"command":"reconcile","branch":2,"after":3,"note":"n"}"#.into(),
            ),
            (
                "restore",
                format!(r#"{{"command":"restore","body":"{body}"}}"#),
            ),
        ] {
            let order = check(1, &Channel::Order, &content(&act)).expect(name);
            assert_eq!(order.act.name(), Some(name));
        }
    }
}
