//! What pages say, as values: facts in, templates out. Nothing here reads rows or the clock.

mod agent;
mod alarms;
mod assess;
mod cases;
mod chart;
mod confirm;
mod curves;
mod facts;
mod guard;
mod journal;
mod login;
mod meter_work;
mod meters;
mod money;
mod my;
mod neighbourhood;
mod office;
mod people;
mod prepay;
mod receipt;
mod settings;
mod shell;
mod statement;
mod usage_point;

pub use journal::in_words;

pub(crate) use agent::{AgentEntry, AgentVendView, AgentView};
pub(crate) use alarms::AlarmsView;
pub(crate) use cases::{CaseInputs, CaseView, CasesView, TypedCase, window};
pub(crate) use confirm::{ConfirmSupply, ConfirmVend, to_debts};
pub(crate) use facts::PointFacts;
pub(crate) use journal::JournalView;
pub(crate) use login::{LoginView, PasswordView};
pub(crate) use meter_work::{CheckInputs, FormInputs, MeterCheckView, MeterFormView, Work};
pub(crate) use meters::{MeterInputs, MeterView, MetersView, Undo};
pub(crate) use money::{act_words, terms_words};
pub(crate) use my::{MyInputs, MyView, PointsView};
pub(crate) use neighbourhood::{Filter, NeighbourhoodView, all_facts};
pub(crate) use people::{PeopleView, SlipView};
pub(crate) use receipt::ReceiptView;
pub(crate) use settings::{PHASES, SettingsView, arming_name, phase_name};
pub(crate) use shell::{Page, Shell, Tab};
pub(crate) use statement::{StatementView, component_words};
pub(crate) use usage_point::{Notice, PointInputs, TokenEntry, Typed, UsagePointView, VendEntry};
