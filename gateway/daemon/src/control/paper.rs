//! Papers for the subcommands: the daemon knows the site's name and local time, and may read the database.

use super::Response;
use super::server::{Office, failed, read_rows};
use gateway_core::{Refusal, UsagePointId};
use gateway_web::paper::{Letterhead, Range, ReceiptPaper, StatementPaper, present_rate, span};

/// A usage point's statement.
pub async fn statement(office: &Office, id: UsagePointId, range: Range) -> Response {
    let letterhead = letterhead(office);
    read_rows(office, move |reader| {
        reader.together(|reader| {
            let refused = || Response::Refused {
                refusal: Refusal::NoSuchUsagePoint,
            };
            let Some(view) = reader.usage_point(id)? else {
                return Ok(refused());
            };
            let calendar = letterhead.calendar;
            let days = match range.days(&view.usage_point, calendar, letterhead.made_at) {
                Ok(days) => days,
                Err(wrong) => return Ok(failed(wrong.to_string())),
            };
            let (from, to) = span(days, calendar);
            let Some(statement) = reader.account_statement(id, from, to)? else {
                return Ok(refused());
            };
            if statement.too_long {
                let words = "the range has more lines than a statement takes; choose a shorter one";
                return Ok(failed(words.into()));
            }
            let paper = Box::new(StatementPaper::new(&letterhead, days, statement));
            Ok(Response::Statement { paper })
        })
    })
    .await
}

pub(super) fn letterhead(office: &Office) -> Letterhead {
    Letterhead {
        site: office.site.clone(),
        calendar: office.calendar,
        made_at: office.desk.now().at,
    }
}

/// The receipt of a payment or token.
pub async fn receipt(office: &Office, number: u64, original: bool) -> Response {
    let letterhead = letterhead(office);
    read_rows(office, move |reader| {
        reader.together(|reader| {
            let none = || failed(format!("record {number} is no payment and no token"));
            let record = reader.record(number)?;
            let Some((record, id)) =
                record.and_then(|r| r.decision.usage_point().map(|id| (r, id)))
            else {
                return Ok(none());
            };
            let (from, to) = ReceiptPaper::span(record.at);
            let view = reader.usage_point(id)?;
            let statement = reader.account_statement(id, from, to)?;
            let (Some(view), Some(statement)) = (view, statement) else {
                return Ok(none());
            };
            let tariffs = reader.tariffs()?;
            let point = &view.usage_point;
            let tariff = tariffs
                .iter()
                .find(|tariff| tariff.id == point.account.tariff);
            let rate = tariff.map(|tariff| present_rate(point, tariff));
            let asked = (number, original);
            Ok(
                match ReceiptPaper::new(&letterhead, &statement, asked, rate) {
                    Some(paper) => Response::Receipt {
                        paper: Box::new(paper),
                    },
                    None => none(),
                },
            )
        })
    })
    .await
}
