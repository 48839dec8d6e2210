//! How the gateway knows the time, and setting it, for programs.

use super::sent::{Answered, Asked, done};
use crate::app::App;
use crate::clock::ClockFacts;
use crate::routes::{Needs, Routes};
use axum::Json;
use axum::extract::State;
use gateway_core::clock::{ClockKnown, ClockOrder, ClockQuote};
use gateway_core::person::Deed;
use gateway_core::{Command, UtcSeconds};
use serde::{Deserialize, Serialize};

pub(super) fn routes() -> Routes {
    let set = Needs::May(Deed::SetClock);
    Routes::under("/api/v1")
        .get("/clock", Needs::May(Deed::SeeSite), clock)
        .post("/clock", set, set_clock)
        .post("/clock/quote", set, quote)
}

/// What setting the clock would do, with amounts as decimal strings.
#[derive(Serialize)]
pub(super) struct Quote {
    floor: i64,
    to: i64,
    days: u32,
    usage_points: u32,
    charged: String,
    cuts: u32,
    stands_still_s: u32,
    is_far: bool,
}

impl From<ClockQuote> for Quote {
    fn from(quote: ClockQuote) -> Self {
        Self {
            floor: quote.floor.0,
            to: quote.to.0,
            days: quote.days,
            usage_points: quote.usage_points,
            charged: quote.charged.to_string(),
            cuts: quote.cuts,
            stands_still_s: quote.stands_still_s,
            is_far: quote.is_far,
        }
    }
}

async fn clock(State(app): State<App>) -> Json<ClockFacts> {
    Json(app.0.desk.clock())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockBody {
    to: i64,
    #[serde(default)]
    far: bool,
}

impl ClockBody {
    fn order(self, by: String) -> ClockOrder {
        ClockOrder {
            to: UtcSeconds(self.to),
            far: self.far,
            by,
            known: ClockKnown::default(),
        }
    }
}

async fn set_clock(State(app): State<App>, Asked { body, by }: Asked<ClockBody>) -> Answered {
    let command = Command::SetClock(body.order(by));
    done(&app, command).await
}

async fn quote(State(app): State<App>, Asked { body, by }: Asked<ClockBody>) -> Answered {
    let command = Command::QuoteClock(body.order(by));
    done(&app, command).await
}
