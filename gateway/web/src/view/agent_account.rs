//! A vending agent as the site sees it.

use crate::format::Money;
use askama::Template;
use gateway_core::Micro;
use gateway_core::calendar::LocalDay;
use gateway_store::day_end::AgentView as AgentRows;

/// Float, people, terms, day-end reports.
#[derive(Template)]
#[template(path = "agent_account.html")]
pub(crate) struct AgentAccountView {
    pub number: String,
    pub name: String,
    pub float: Money,
    /// Exact, for the form.
    pub overdraft: String,
    /// For people; empty if there is none.
    pub overdraft_words: String,
    pub commission: String,
    pub is_closed: bool,
    pub people: Vec<String>,
    /// Days with reports close at hand.
    pub days: Vec<(&'static str, String)>,
    pub today: String,
    pub may_manage: bool,
    pub notice: Option<String>,
    pub error: Option<String>,
}

impl AgentAccountView {
    pub(crate) fn new(
        rows: &AgentRows,
        (currency, today): (&str, LocalDay),
        may_manage: bool,
        (notice, error): (Option<String>, Option<String>),
    ) -> Self {
        let agent = &rows.agent;
        let people = agent.people.iter().map(|who| who.name().to_owned());
        let before = LocalDay(today.0.saturating_sub(1));
        let overdraft = Money::new(agent.overdraft, currency);
        Self {
            number: agent.id.to_string(),
            name: agent.name.clone(),
            float: Money::new(rows.float_micro, currency),
            overdraft: agent.overdraft.to_string(),
            overdraft_words: match agent.overdraft {
                Micro::ZERO => String::new(),
                _ => overdraft.text(),
            },
            commission: percent(agent.commission_hundredths),
            is_closed: agent.closed,
            people: people.collect(),
            days: vec![
                ("Today so far", today.to_string()),
                ("Yesterday", before.to_string()),
            ],
            today: today.to_string(),
            may_manage,
            notice,
            error,
        }
    }
}

/// Hundredths of a percent as people write them.
pub(crate) fn percent(hundredths: u16) -> String {
    match (hundredths / 100, hundredths % 100) {
        (whole, 0) => whole.to_string(),
        (whole, part) => format!("{whole}.{part:02}"),
    }
}
