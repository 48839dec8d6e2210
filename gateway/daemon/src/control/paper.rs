//! Papers for the subcommands: the daemon knows the site's name and local time, and may read the database.

use super::Response;
use super::server::{Office, failed, read_rows};
use gateway_core::{Refusal, UsagePointId};
use gateway_web::paper::{Letterhead, Range, StatementPaper, span};

/// A usage point's statement.
pub async fn statement(office: &Office, id: UsagePointId, range: Range) -> Response {
    let letterhead = Letterhead {
        site: office.site.clone(),
        calendar: office.calendar,
        made_at: office.desk.now().at,
    };
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
