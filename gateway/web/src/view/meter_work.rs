//! The pages of work on a meter: the form, and what it means before it is done.

use super::meters::meters_words;
use crate::committed::{MeterRows, Neighbourhood};
use crate::desk::{MeterKinds, MeterShown};
use crate::format;
use crate::meter_form::MeterForm;
use askama::Template;
use gateway_core::FeederId;
use gateway_core::event::Role;
use gateway_core::meter_link::{MeterLink, MeterOrder};

/// What is done to a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Add,
    Replace,
    Move,
    Retire,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Move => "move",
            Self::Retire => "retire",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Add => "Install a meter",
            Self::Replace => "Replace the meter",
            Self::Move => "Reach it another way",
            Self::Retire => "Take the meter away",
        }
    }

    fn button(self) -> &'static str {
        match self {
            Self::Add => "Install it",
            Self::Replace => "Replace it",
            Self::Move => "Move it",
            Self::Retire => "Take it away",
        }
    }
}

/// A choice of a field.
pub(crate) struct Choice {
    pub value: String,
    pub words: String,
    pub is_chosen: bool,
}

pub(super) fn choice(value: impl Into<String>, words: impl Into<String>, chosen: &str) -> Choice {
    let value = value.into();
    Choice {
        is_chosen: value == chosen,
        value,
        words: words.into(),
    }
}

/// What the form is made of.
pub(crate) struct FormInputs<'a> {
    pub work: Work,
    pub rows: Option<&'a MeterRows>,
    pub neighbourhood: &'a Neighbourhood,
    pub kinds: &'a MeterKinds,
    pub typed: MeterForm,
    pub error: Option<String>,
}

#[derive(Template)]
#[template(path = "meter_form.html")]
pub(crate) struct MeterFormView {
    pub title: &'static str,
    pub action: String,
    pub back: String,
    pub about: Option<String>,
    pub error: Option<String>,
    pub typed: MeterForm,
    /// What it is for; none where that is known.
    pub roles: Vec<Choice>,
    pub kinds: Vec<Choice>,
    pub logins: Vec<Choice>,
    pub buses: Vec<Choice>,
    pub switch_buses: Vec<Choice>,
    pub contactors: Vec<Choice>,
    pub has_meter: bool,
    pub has_initial: bool,
    pub has_final: bool,
}

/// Where the work on a meter is done.
fn place(rows: Option<&MeterRows>) -> String {
    rows.map_or_else(|| "new".to_owned(), |rows| rows.node.id.to_string())
}

fn back(rows: Option<&MeterRows>) -> String {
    rows.map_or_else(
        || "/meters".to_owned(),
        |rows| format!("/meters/{}", rows.node.id),
    )
}

impl MeterFormView {
    pub(crate) fn new(inputs: FormInputs<'_>) -> Self {
        let (work, rows, typed) = (inputs.work, inputs.rows, inputs.typed);
        let roles = match work {
            Work::Add => roles(inputs.neighbourhood, &typed.role),
            _ => Vec::new(),
        };
        let login = |name: &String| choice(name, name, &typed.login);
        let bus = |name: &String| choice(name, name, &typed.bus);
        let switch_bus = |name: &String| choice(name, name, &typed.switch_bus);
        let contactor = |name: &String| {
            let value = format!("gpio:{name}");
            choice(value, format!("the contactor {name}"), &typed.switch)
        };
        let about = rows.map(|rows| {
            let (node, link) = (rows.node.id, rows.node.link.words());
            format!("{node}, {}, reached by {link}", meters_words(rows))
        });
        Self {
            title: work.title(),
            action: format!("/meters/{}/{}/check", place(rows), work.name()),
            back: back(rows),
            about,
            error: inputs.error,
            roles,
            kinds: kinds(inputs.kinds, work, &typed.kind),
            logins: inputs.kinds.logins.iter().map(login).collect(),
            buses: inputs.kinds.buses.iter().map(bus).collect(),
            switch_buses: inputs.kinds.buses.iter().map(switch_bus).collect(),
            contactors: inputs.kinds.contactors.iter().map(contactor).collect(),
            has_meter: work != Work::Retire,
            has_initial: matches!(work, Work::Add | Work::Replace),
            has_final: matches!(work, Work::Replace | Work::Retire),
            typed,
        }
    }
}

/// Usage points without a meter, then feeders without one.
fn roles(rows: &Neighbourhood, chosen: &str) -> Vec<Choice> {
    let free = rows.usage_points.iter().filter(|rows| rows.node.is_none());
    let point = |rows: &crate::committed::UsagePointRows| {
        let id = rows.point.id.to_string();
        let words = format!("{} ({id})", rows.point.label);
        choice(id, words, chosen)
    };
    let next = rows.feeders.iter().map(|rows| rows.feeder.0).max();
    let next = FeederId(next.map_or(1, |last| last.saturating_add(1)));
    let feeder = choice(next.to_string(), format!("the feeder {next}"), chosen);
    free.map(point).chain(std::iter::once(feeder)).collect()
}

fn kinds(kinds: &MeterKinds, work: Work, chosen: &str) -> Vec<Choice> {
    let device = |kind: &crate::desk::MeterKind| {
        choice(format!("mqtt:{}", kind.id), kind.name.clone(), chosen)
    };
    let model = |kind: &crate::desk::MeterKind| {
        let words = format!("{}, on a bus", kind.name);
        choice(format!("modbus:{}", kind.id), words, chosen)
    };
    let buses = !kinds.buses.is_empty();
    let models = kinds.models.iter().filter(|_| buses).map(model);
    // A sealed node keeps its way; a shop-bought meter does not become one.
    let ours = (work != Work::Move).then(|| choice("node", "Prepaid node (ours)", chosen));
    let devices = kinds.dialects.iter().map(device);
    let pulse = |input: &String| {
        let words = format!("Impulses (S0) on {input}");
        choice(format!("pulse:{input}"), words, chosen)
    };
    let pulses = kinds.pulses.iter().map(pulse);
    devices.chain(models).chain(pulses).chain(ours).collect()
}

/// What the page before the deed is made of.
pub(crate) struct CheckInputs<'a> {
    pub work: Work,
    pub rows: Option<&'a MeterRows>,
    pub typed: &'a MeterForm,
    pub order: &'a MeterOrder,
    pub shown: Option<Result<MeterShown, String>>,
    pub by: &'a str,
}

#[derive(Template)]
#[template(path = "meter_check.html")]
pub(crate) struct MeterCheckView<'a> {
    pub title: &'static str,
    pub means: Vec<String>,
    pub shown: Option<MeterShown>,
    /// Why nothing can be seen of it.
    pub wrong: Option<String>,
    pub action: String,
    pub again: String,
    pub change: String,
    pub button: &'static str,
    pub is_dangerous: bool,
    pub fields: Vec<(&'static str, String)>,
    pub by: &'a str,
}

impl<'a> MeterCheckView<'a> {
    pub(crate) fn new(inputs: CheckInputs<'a>) -> Self {
        let (work, rows) = (inputs.work, inputs.rows);
        let fields = inputs.typed.fields();
        let query = query(&fields);
        let action = format!("/meters/{}/{}", place(rows), work.name());
        let (shown, wrong) = match inputs.shown {
            None => (None, None),
            Some(Ok(shown)) => (Some(shown), None),
            Some(Err(words)) => (None, Some(words)),
        };
        Self {
            title: work.title(),
            means: means(inputs.order, rows),
            shown,
            wrong,
            again: format!("{action}/check?{query}"),
            change: format!("{action}?{query}"),
            action,
            button: work.button(),
            is_dangerous: work == Work::Retire,
            fields,
            by: inputs.by,
        }
    }
}

/// Fields as the query of an address.
fn query(fields: &[(&'static str, String)]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |text: &str| -> String {
        let letters = text.bytes().map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        });
        letters.collect()
    };
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn means(order: &MeterOrder, rows: Option<&MeterRows>) -> Vec<String> {
    // A feeder has no account.
    let is_charged = rows.is_none_or(|rows| matches!(rows.node.role, Some(Role::UsagePoint(_))));
    let old = rows.map_or_else(String::new, |rows| {
        format!("{}, {}", rows.node.id, meters_words(rows))
    });
    let charged = |register: &Option<gateway_core::WattHours>| match register {
        Some(register) => {
            let register = format::units_exact(*register);
            format!("What the old meter counted up to {register} kWh is charged.")
        }
        None => "What the old meter counted up to its last reading is charged.".to_owned(),
    };
    let begins = |register: &Option<gateway_core::WattHours>| match register {
        Some(register) => format!(
            "The count begins at {} kWh.",
            format::units_exact(*register)
        ),
        None => "The count begins with its first reading.".to_owned(),
    };
    let reached = |link: &MeterLink| {
        match link.is_node() {
        true => {
            "A prepaid node of ours. Print its label with `prepaid-gateway node label` on the gateway.".to_owned()
        }
        false => format!("Reached by {}.", link.words()),
    }
    };
    let mut words = match order {
        MeterOrder::Add { role, install, .. } => {
            let what = match role {
                Role::UsagePoint(id) => format!("For {id}."),
                Role::Feeder(id) => format!("For feeder {id}."),
            };
            vec![what, reached(&install.link), begins(&install.initial)]
        }
        MeterOrder::Replace {
            final_register,
            install,
            ..
        } => vec![
            format!("In the place of {old}."),
            charged(final_register),
            reached(&install.link),
            begins(&install.initial),
            "The account stays as it is.".to_owned(),
        ],
        MeterOrder::Move { link, .. } => vec![old, reached(link)],
        MeterOrder::Retire { final_register, .. } => vec![
            old,
            charged(final_register),
            "After that its usage point has no meter, and nothing is charged or cut. This cannot be undone; another meter can be installed.".to_owned(),
        ],
    };
    let switch = match order {
        MeterOrder::Add { install, .. } | MeterOrder::Replace { install, .. } => &install.switch,
        MeterOrder::Move { switch, .. } => switch,
        MeterOrder::Retire { .. } => &None,
    };
    if let Some(switch) = switch {
        words.push(format!("The supply is switched by {}.", switch.words()));
    }
    if !is_charged {
        words.retain(|words| !words.contains("charged") && !words.contains("account"));
    }
    words
}
