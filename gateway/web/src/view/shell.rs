//! The frame around every page.

use crate::access::Operator;
use crate::app::App;
use crate::failure::Failure;
use askama::Template;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use gateway_core::person::Deed;

/// Which entry of the navigation is the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Neighbourhood,
    Alarms,
    Cases,
    Meters,
    Money,
    Journal,
    People,
    None,
}

/// A whole page: `main` is the rendered content.
#[derive(Template)]
#[template(path = "shell.html")]
pub(crate) struct Shell<'a> {
    site: &'a str,
    title: &'a str,
    tab: Tab,
    main: &'a str,
    /// Seconds after which a browser without scripts reloads; nothing on pages with a form.
    reload_s: Option<u32>,
    /// Whether scripts keep the page current.
    is_live: bool,
    sees_site: bool,
    sees_people: bool,
    can_log_out: bool,
    is_open: bool,
    /// Who has logged in.
    name: &'a str,
    home: &'a str,
}

impl Tab {
    fn is(self, tab: Self) -> bool {
        self == tab
    }
}

/// What a page says about itself.
pub(crate) struct Page<'a> {
    pub title: &'a str,
    pub tab: Tab,
    /// Kept current by scripts.
    pub is_live: bool,
    /// Reloaded by browsers without scripts.
    pub reload_s: Option<u32>,
}

impl Shell<'_> {
    /// The content alone for the script that asks for it, else inside the frame.
    pub(crate) fn answer(
        app: &App,
        operator: Option<&Operator>,
        headers: &HeaderMap,
        page: &Page<'_>,
        content: &impl Template,
    ) -> Response {
        let main = match content.render() {
            Ok(main) => main,
            Err(error) => {
                log::error!("failed to render a page: {error}");
                return Failure::new(
                    axum::http::StatusCode::INTERNAL_SERVER_ERROR,
                    "page-failed",
                    "The page could not be made. The reason is in the log.",
                )
                .into_page();
            }
        };
        if headers.contains_key("x-fragment") {
            return with_vary(Html(format!("<main id=\"main\">{main}</main>")).into_response());
        }
        let shell = Shell {
            site: &app.0.site.name,
            title: page.title,
            tab: page.tab,
            main: &main,
            reload_s: page.reload_s,
            is_live: page.is_live,
            sees_site: operator.is_some_and(|o| o.may(Deed::SeeSite) && !o.must_change),
            sees_people: operator.is_some_and(|o| o.may(Deed::SeePeople)),
            can_log_out: operator.is_some_and(|operator| operator.can_log_out),
            name: operator.map_or("", |operator| &operator.person.name),
            home: operator.map_or("/", Operator::home),
            is_open: operator.is_some_and(|operator| !operator.can_log_out),
        };
        with_vary(Html(shell.render().unwrap_or_default()).into_response())
    }

    /// The page for a failure; it knows nothing of the site, because nothing may be known.
    pub(crate) fn failure(failure: &Failure) -> String {
        let content = FailureView {
            status: failure.status.as_u16(),
            reason: failure.status.canonical_reason().unwrap_or("Failed"),
            message: &failure.message,
            name: &failure.name,
        };
        let main = content.render().unwrap_or_default();
        let shell = Shell {
            site: "Prepaid gateway",
            title: content.reason,
            tab: Tab::None,
            main: &main,
            reload_s: None,
            is_live: false,
            sees_site: false,
            sees_people: false,
            name: "",
            home: "/",
            can_log_out: false,
            is_open: false,
        };
        shell.render().unwrap_or_default()
    }
}

fn with_vary(mut response: Response) -> Response {
    let vary = HeaderValue::from_static("X-Fragment");
    response.headers_mut().insert(header::VARY, vary);
    response
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailureView<'a> {
    status: u16,
    reason: &'a str,
    message: &'a str,
    name: &'a str,
}
