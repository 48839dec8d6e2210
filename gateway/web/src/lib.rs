//! The page the gateway serves itself, and its HTTP API.
//!
//! | module | decides |
//! |---|---|
//! | `access` | who may use it |
//! | `routes` | which addresses there are, and what each needs |
//! | `pages` | what each address does |
//! | `view`, `format` | what it says and how quantities look |
//! | [`api`] | the same for programs, under `/api/v1` |
//! | [`committed`], [`Database`] | what is read |
//! | [`desk`] | where changes go |
//! | [`bus_work`] | what an installer has done on a bus |
//! | [`paper`] | statements as files |
//! | `live` | telling open pages that something changed |
//!
//! Not decided here: anything about money, supply or meters; that is the core's, and the page asks it.
//!
//! Invariants: nothing here writes a table; only committed rows are shown; every change is a [`gateway_core::Command`] put
//! to the [`Desk`]; nothing is loaded from elsewhere; every page works without scripts.

mod access;
pub mod api;
mod app;
mod assets;
pub mod backup;
pub mod bus_work;
pub mod clock;
pub mod committed;
mod correction_form;
mod database;
pub mod desk;
mod failure;
mod format;
mod live;
mod meter_form;
mod pages;
pub mod paper;
mod routes;
mod serve;
mod switch_form;
pub mod update;
mod view;
mod words;

pub use access::{Access, PasswordHashError, hash_for, hash_password};
pub use app::{App, Site, Stopwatch};
pub use committed::Committed;
pub use database::Database;
pub use desk::{
    CardState, CloudState, Desk, DeskError, Health, LinkFacts, MeterKind, MeterKinds, MeterShown,
    NoticeChannel, PinFacts, Problem, Submission, Test,
};
pub use routes::{Needs, Route, all_routes};
pub use serve::{ClientAddress, router, serve, serve_closed};
pub use view::in_words;
