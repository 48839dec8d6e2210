//! People in words, their page, and the slip that is handed over with a new secret.

use crate::access::Operator;
use askama::Template;
use gateway_core::person::{ALL_ROLES, Deed, Person, PersonDecision, Role};
use qrcode::{Color, QrCode};

/// A change of people as a line of the journal.
pub(crate) fn describe(decision: &PersonDecision) -> String {
    match decision {
        PersonDecision::Added { person, by } => {
            format!("{} added as {} by {by}", person.name, role(person))
        }
        PersonDecision::Changed { person, by } => {
            format!("{} is {} from now on, by {by}", person.name, role(person))
        }
        PersonDecision::SecretSet { name, by } => format!("Password of {name} set by {by}"),
        PersonDecision::Removed { name, by } => format!("{name} removed by {by}"),
    }
}

/// The role and what it is bound to: `resident of UP-0007`.
fn role(person: &Person) -> String {
    let points: Vec<String> = person
        .usage_points
        .iter()
        .map(ToString::to_string)
        .collect();
    if points.is_empty() {
        person.role.to_string()
    } else {
        format!("{} of {}", person.role, points.join(", "))
    }
}

/// One line of the list.
pub(crate) struct PersonLine {
    pub name: String,
    pub role: String,
    /// Whether whoever looks may give them another secret or let them go.
    pub may_change: bool,
    pub secret_words: &'static str,
}

#[derive(Template)]
#[template(path = "people.html")]
pub(crate) struct PeopleView<'a> {
    pub staff: Vec<PersonLine>,
    pub residents: Vec<PersonLine>,
    /// Roles whoever looks may give.
    pub roles: Vec<&'static str>,
    pub error: Option<&'a str>,
}

impl<'a> PeopleView<'a> {
    pub(crate) fn new(people: &[Person], operator: &Operator, error: Option<&'a str>) -> Self {
        let manages = operator.may(Deed::ManagePeople);
        let pins = operator.may(Deed::SetResidentPins);
        let line = |person: &Person| PersonLine {
            name: person.name.clone(),
            role: role(person),
            may_change: manages || (pins && person.role == Role::Resident),
            secret_words: match person.role {
                Role::Resident => "New PIN",
                Role::Program => "New secret",
                _ => "New password",
            },
        };
        let of = |resident: bool| {
            let people = people.iter();
            let people = people.filter(|person| (person.role == Role::Resident) == resident);
            people.map(line).collect()
        };
        let given = |role: &Role| manages || (pins && *role == Role::Resident);
        Self {
            staff: of(false),
            residents: of(true),
            roles: ALL_ROLES
                .iter()
                .filter(|r| given(r))
                .map(|r| r.word())
                .collect(),
            error,
        }
    }
}

/// A code to scan, drawn as one path of squares.
pub(crate) struct Squares {
    /// Modules of a side, with the quiet zone.
    pub side: usize,
    pub path: String,
}

/// Quiet zone around a code, in modules: what scanners need.
const QUIET: usize = 4;

impl Squares {
    fn of(text: &str) -> Option<Self> {
        let code = QrCode::new(text).ok()?;
        let width = code.width();
        let colors = code.to_colors();
        let dark = colors
            .iter()
            .enumerate()
            .filter(|(_, color)| **color == Color::Dark);
        let square = |(i, _): (usize, &Color)| {
            format!("M{} {}h1v1h-1z", i % width + QUIET, i / width + QUIET)
        };
        Some(Self {
            side: width + 2 * QUIET,
            path: dark.map(square).collect(),
        })
    }
}

#[derive(Template)]
#[template(path = "slip.html")]
pub(crate) struct SlipView<'a> {
    pub site: &'a str,
    pub name: &'a str,
    pub role: String,
    pub secret: &'a str,
    pub secret_word: &'static str,
    pub is_program: bool,
    /// Where to log in, as whoever made the slip reached the page.
    pub address: Option<String>,
    pub code: Option<Squares>,
}

impl<'a> SlipView<'a> {
    pub(crate) fn new(
        site: &'a str,
        person: &'a Person,
        secret: &'a str,
        address: Option<&str>,
    ) -> Self {
        let is_program = person.role == Role::Program;
        let login = address.map(|address| format!("{address}/login?name={}", person.name));
        Self {
            site,
            name: &person.name,
            role: role(person),
            secret,
            secret_word: match person.role {
                Role::Resident => "PIN",
                Role::Program => "Bearer secret",
                _ => "Password",
            },
            is_program,
            address: address.map(str::to_owned),
            code: login
                .filter(|_| !is_program)
                .and_then(|text| Squares::of(&text)),
        }
    }
}
