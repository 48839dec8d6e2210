//! The rules of the prepaid gateway, and nothing but the rules.
//!
//! Events and the time come in, decisions come out ([`decide`]); decisions change the state ([`State::apply`]).
//! Everything that may become true outside is a [`Decision`] that was written down first.
//!
//! | module | decides |
//! |---|---|
//! | [`calendar`] | which local day and billing period a moment belongs to |
//! | [`tariff`], [`rating`] | what a period's energy costs so far, to the micro-unit |
//! | [`account`] | settlements: closing an interval of register advance into charges |
//! | [`debt`] | what is owed besides the credit, and how it is paid back |
//! | [`correction`], [`person`] | money set right by new postings, and when a second person is needed |
//! | [`agent`] | vending agents and their floats |
//! | [`rules`], [`prepay`] | what a site has configured; prepayment rules of a site or a class, and what they make of an account |
//! | [`lease`] | up to which register value a credit lasts |
//! | [`meter_link`] | how a meter is reached and a supply switched; whether cuts are carried out |
//! | [`metering`] | what a register's new value means: advance, roll-over, restart, jump |
//! | [`supply`] | connected or disconnected, and for which reasons |
//! | [`guard`], [`tamper_policy`] | load limit, tampering, reconnection by a press: what else opens a supply |
//! | [`alarm`] | what people must know |
//! | [`ledger`] | postings: the one way money moves |
//! | [`case`] | what people know and have done about energy that is missing |
//! | [`loss`] | which energy leaves a feeder unmetered, since when, and where to look first |
//! | [`configured`], [`point_change`] | what the office sets from afar: settings, a usage point's name, limit, tariff, message |
//! | [`order`], [`cloud`] | orders of the head-end, taken once; whether money may be taken |
//! | [`clock`] | the clock set by a person: which times are refused, and what becomes due |
//! | [`person`] | who may use the gateway, and what each role may do |
//! | [`tokens`] | 20-digit transfer tokens: written, read, taken once |
//!
//! Invariants: no clock, no randomness, no I/O, no hash map, no floating point in money; never a panic on input; a
//! refusal is a value, not a string.
#![no_std]

extern crate alloc;

pub mod account;
pub mod agent;
pub mod alarm;
pub mod calendar;
pub mod case;
pub mod clock;
pub mod cloud;
pub mod configured;
pub mod correction;
pub mod debt;
mod decide;
pub mod decision;
pub mod event;
pub mod guard;
mod installed;
pub mod lease;
pub mod ledger;
pub mod loss;
pub mod meter_link;
pub mod metering;
pub mod order;
pub mod person;
pub mod point_change;
pub mod prepay;
pub mod question;
pub mod rating;
pub mod refusal;
pub mod rules;
pub mod state;
pub mod supply;
pub mod tamper_policy;
pub mod tariff;
pub mod tokens;
pub mod usage_point;

pub use decide::{Ruling, decide, decide_with_tokens};
pub use decision::{Decision, Record};
pub use event::{Answer, Command, Event, Moment, PhaseReading, Reading};
pub use refusal::Refusal;
pub use rules::Rules;
pub use state::State;
pub use usage_point::UsagePoint;

pub use prepaid_common::{FeederId, Micro, NodeId, UsagePointId, UtcSeconds, WattHours};
