//! What pages say, as values: facts in, templates out. Nothing here reads rows or the clock.

mod alarms;
mod cases;
mod chart;
mod confirm;
mod curves;
mod facts;
mod journal;
mod login;
mod neighbourhood;
mod office;
mod shell;
mod statement;
mod usage_point;

pub(crate) use alarms::AlarmsView;
pub(crate) use cases::{CaseInputs, CaseView, CasesView, TypedCase, window};
pub(crate) use confirm::{ConfirmSupply, ConfirmVend};
pub(crate) use facts::PointFacts;
pub(crate) use journal::JournalView;
pub(crate) use login::LoginView;
pub(crate) use neighbourhood::{Filter, NeighbourhoodView, all_facts};
pub(crate) use shell::{Page, Shell, Tab};
pub(crate) use statement::{StatementView, component_words};
pub(crate) use usage_point::{Notice, PointInputs, TokenEntry, Typed, UsagePointView, VendEntry};
