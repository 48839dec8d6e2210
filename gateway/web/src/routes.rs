//! Every address with who may use it: one list, from which the router is built. An address that is not in it does not exist.

use crate::app::App;
use crate::{api, assets, live, pages};
use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{get, post};
use gateway_core::person::{Deed, Role};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who may use an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Anybody at all.
    Nothing,
    /// Anybody who has logged in.
    Login,
    /// Whose role covers it.
    May(Deed),
}

impl Needs {
    /// Whether somebody of a role may use it.
    #[must_use]
    pub fn admits(self, role: Role) -> bool {
        match self {
            Self::Nothing | Self::Login => true,
            Self::May(deed) => role.may(deed),
        }
    }
}

/// One address and method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET` or `POST`.
    pub method: Method,
    /// With names in braces where something varies.
    pub path: String,
    /// Who may use it.
    pub needs: Needs,
}

/// Addresses in the making.
pub(crate) struct Routes {
    router: Router<App>,
    list: Vec<Route>,
    prefix: &'static str,
}

impl Routes {
    pub(crate) fn under(prefix: &'static str) -> Self {
        Self {
            router: Router::new(),
            list: Vec::new(),
            prefix,
        }
    }

    pub(crate) fn get<H, T>(self, path: &str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let path = format!("{}{path}", self.prefix);
        let router = self.router.route(&path, get(handler));
        Self { router, ..self }.noted(Method::GET, path, needs)
    }

    pub(crate) fn post<H, T>(self, path: &str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let path = format!("{}{path}", self.prefix);
        let router = self.router.route(&path, post(handler));
        Self { router, ..self }.noted(Method::POST, path, needs)
    }

    fn noted(mut self, method: Method, path: String, needs: Needs) -> Self {
        self.list.push(Route {
            method,
            path,
            needs,
        });
        self
    }

    pub(crate) fn and(mut self, other: Self) -> Self {
        self.list.extend(other.list);
        let router = self.router.merge(other.router);
        Self { router, ..self }
    }

    /// The router, and who may use what.
    pub(crate) fn split(self) -> (Router<App>, Gatekeeper) {
        let rule = |route: Route| ((route.path, route.method.to_string()), route.needs);
        let rules = self.list.into_iter().map(rule).collect();
        (self.router, Gatekeeper(Arc::new(rules)))
    }
}

/// Knows who may use what.
#[derive(Clone)]
pub(crate) struct Gatekeeper(Arc<BTreeMap<(String, String), Needs>>);

impl Gatekeeper {
    /// What an address needs; a login for what does not exist, so that nobody learns what does.
    pub(crate) fn needs(&self, path: Option<&str>, method: &Method) -> Needs {
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let key = path.map(|path| (path.to_owned(), method.to_string()));
        let needs = key.and_then(|key| self.0.get(&key).copied());
        needs.unwrap_or(Needs::Login)
    }
}

/// Every address, for the test that asks each in each role.
#[must_use]
pub fn all_routes() -> Vec<Route> {
    all().list
}

pub(crate) fn all() -> Routes {
    site()
        .and(meters())
        .and(residents())
        .and(agents())
        .and(pages::accounts::routes())
        .and(pages::agents::routes())
        .and(pages::backup::routes())
        .and(pages::clock::routes())
        .and(pages::questions::routes())
        .and(people())
        .and(public())
        .and(api::routes())
}

fn site() -> Routes {
    let see = Needs::May(Deed::SeeSite);
    let vend = Needs::May(Deed::Vend);
    let switch = Needs::May(Deed::OrderSupply);
    Routes::under("")
        .get("/", see, pages::neighbourhood)
        .get("/usage-point/{id}", see, pages::usage_point)
        .get("/usage-point/{id}/vend", vend, pages::confirm_vend)
        .post("/usage-point/{id}/vend", vend, pages::vend)
        .get("/usage-point/{id}/supply", switch, pages::confirm_supply)
        .post("/usage-point/{id}/supply", switch, pages::order_supply)
        .post("/usage-point/{id}/switch", switch, pages::switch)
        .post(
            "/usage-point/{id}/emergency",
            switch,
            pages::activate_emergency,
        )
        .post(
            "/usage-point/{id}/hold",
            Needs::May(Deed::DecideDisputes),
            pages::clear_hold,
        )
        .post(
            "/usage-point/{id}/token",
            Needs::May(Deed::EnterToken),
            pages::enter_token,
        )
        .get("/statement/{file}", see, pages::statement)
        .get("/receipt/{number}", see, pages::receipt)
        .get("/alarms", see, pages::alarms)
        .post(
            "/alarms/{number}/acknowledge",
            Needs::May(Deed::TendAlarms),
            pages::acknowledge,
        )
        .get("/losses/{file}", see, pages::losses)
        .get("/cases", see, pages::cases)
        .get("/cases/{number}", see, pages::case)
        .post(
            "/cases/{number}/assess",
            Needs::May(Deed::CorrectAccounts),
            pages::assess_case,
        )
        .post(
            "/cases/{number}/test",
            Needs::May(Deed::OrderSupply),
            pages::test_case,
        )
        .post(
            "/cases/{number}/{change}",
            Needs::May(Deed::WorkOnCases),
            pages::change_case,
        )
        .get("/journal", see, pages::journal)
}

fn meters() -> Routes {
    let see = Needs::May(Deed::SeeSite);
    let work = Needs::May(Deed::WorkOnMeters);
    Routes::under("")
        .get("/usage-point/{id}/settings", see, pages::settings)
        .post("/usage-point/{id}/phase", work, pages::set_phase)
        .post("/usage-point/{id}/arming", work, pages::set_arming)
        .get("/meters", see, pages::meters)
        .post("/meters/arming", work, pages::arm_all)
        .get("/meters/{place}", see, pages::meter)
        .post("/meters/{place}/undo", work, pages::undo_move)
        .get("/meters/{place}/{work}", work, pages::work_form)
        .post("/meters/{place}/{work}", work, pages::do_work)
        .get("/meters/{place}/{work}/check", work, pages::check_work)
}

fn residents() -> Routes {
    let see = Needs::May(Deed::SeeOwn);
    let recharge = Needs::May(Deed::RechargeOwn);
    Routes::under("")
        .get("/my", see, pages::my_home)
        .get("/my/{id}", see, pages::my_point)
        .post("/my/{id}/token", recharge, pages::my_token)
        .post("/my/{id}/emergency", recharge, pages::my_emergency)
        .post("/my/{id}/reconnect", recharge, pages::my_reconnect)
        .post("/my/{id}/question", recharge, pages::my_question)
        .get("/my/{id}/receipt/{number}", see, pages::my_receipt)
        .get("/my/{id}/statement/{file}", see, pages::my_statement)
        .post("/language", Needs::Login, pages::choose_language)
}

fn agents() -> Routes {
    let sell = Needs::May(Deed::Sell);
    Routes::under("")
        .get("/agent", sell, pages::agent)
        .get("/agent/vend", sell, pages::confirm_agent_vend)
        .post("/agent/vend", sell, pages::agent_vend)
        .get("/agent/receipt/{number}", sell, pages::agent_receipt)
}

fn people() -> Routes {
    let see = Needs::May(Deed::SeePeople);
    // Residents at the counter; others only by who may manage people, which the handlers ask for once they know whom it is about.
    let counter = Needs::May(Deed::SetResidentPins);
    Routes::under("")
        .get("/people", see, pages::people)
        .post("/people/add", counter, pages::add_person)
        .post("/people/{name}/secret", counter, pages::new_secret)
        .post("/people/{name}/role", counter, pages::change_role)
        .post("/people/{name}/remove", counter, pages::remove_person)
        .get("/password", Needs::Login, pages::password_form)
        .post("/password", Needs::Login, pages::change_password)
        .post("/logout", Needs::Login, pages::logout)
        .get("/live", Needs::Login, live::stream)
}

fn public() -> Routes {
    Routes::under("")
        .get("/login", Needs::Nothing, pages::login_form)
        .post("/login", Needs::Nothing, pages::login)
        .get("/healthz", Needs::Nothing, pages::healthz)
        .get("/metrics", Needs::Nothing, pages::metrics)
        .get("/static/{name}", Needs::Nothing, assets::serve)
}
