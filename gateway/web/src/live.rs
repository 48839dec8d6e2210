//! Telling open pages that something was committed.
//!
//! Server-sent events carry the commit number and nothing else; a page that hears one asks for itself again.

use crate::access::session_secret;
use crate::app::App;
use crate::failure::{Failure, PageFailure};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use futures_util::stream::{Stream, unfold};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};

/// Shortest time between two events: faster than this nobody reads.
const PACE: Duration = Duration::from_millis(500);
/// Something is sent at least this often, so that dead connections are noticed and live ones are not idle.
const HEARTBEAT: Duration = Duration::from_secs(15);

struct Listening {
    app: App,
    secret: Option<String>,
    changes: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    is_first: bool,
    _place: OwnedSemaphorePermit,
}

/// The stream of one page.
pub(crate) async fn stream(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, PageFailure> {
    let place = Arc::clone(&app.0.live).try_acquire_owned().map_err(|_| {
        Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-live-pages",
            "Too many pages are open; this one does not refresh by itself.",
        )
    })?;
    let listening = Listening {
        secret: session_secret(&headers).map(str::to_owned),
        changes: app.0.desk.changes(),
        closing: app.0.closing.subscribe(),
        is_first: true,
        _place: place,
        app,
    };
    Ok(Sse::new(unfold(listening, next)))
}

async fn next(mut listening: Listening) -> Option<(Result<Event, Infallible>, Listening)> {
    if listening.is_first {
        listening.is_first = false;
        let retry = Event::default().retry(Duration::from_secs(3));
        return Some((Ok(retry.comment("live")), listening));
    }
    let event = {
        let Listening {
            changes, closing, ..
        } = &mut listening;
        let change = async {
            sleep(PACE).await;
            changes.changed().await.ok()?;
            Some(*changes.borrow_and_update())
        };
        tokio::select! {
            _ = closing.wait_for(|closing| *closing) => return None,
            change = timeout(HEARTBEAT, change) => match change {
                Ok(Some(number)) => Event::default().data(number.to_string()),
                Ok(None) => return None,
                Err(_) => Event::default().comment("still here"),
            },
        }
    };
    let is_welcome = listening.is_welcome();
    is_welcome.then_some((Ok(event), listening))
}

impl Listening {
    /// Whether the session is still open; listening does not keep it open.
    fn is_welcome(&self) -> bool {
        match (self.app.0.access, &self.secret) {
            (crate::Access::Open, _) => true,
            (crate::Access::People, Some(secret)) => {
                let now = (self.app.0.stopwatch)();
                self.app.0.sessions.get(secret, now, false).is_some()
            }
            (crate::Access::People, None) => false,
        }
    }
}
