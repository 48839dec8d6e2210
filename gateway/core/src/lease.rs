//! Credit leases: up to which register value a credit lasts.
//!
//! A lease inverts the tariff exactly: it is the largest register value whose cost the account can still pay. The
//! node cuts when its register reaches it, gateway alive or dead. The lease is a pure function of the last
//! settlement, so it changes only when money, the tariff or the day does, not with every reading.
//!
//! Invariant: at the lease the account can pay; one watt-hour further it cannot (unless the lease is at its cap).

use crate::account::Account;
use crate::tariff::{Phases, Tariff};
use crate::{Micro, WattHours};

/// Longest lease beyond the last settlement: 100 MWh, decades of a household; it bounds the search and what a free tariff grants.
pub const LONGEST: WattHours = WattHours(100_000_000);

/// The largest usage-point register the account can afford; the settled register itself if it cannot afford more.
#[must_use]
pub fn affordable_register(account: &Account, tariff: &Tariff, phases: Phases) -> WattHours {
    let can_pay = |advance: u64| {
        let register = account.settled_to.saturating_add(WattHours(advance));
        account.available(tariff, phases, register) >= Micro::ZERO
    };
    if !can_pay(0) {
        return account.settled_to;
    }
    // Cost never falls as energy grows, so the affordable advances are 0..=n for one n: bisect.
    let (mut affordable, mut too_much) = (0, LONGEST.0 + 1);
    while too_much - affordable > 1 {
        let middle = affordable + (too_much - affordable) / 2;
        if can_pay(middle) {
            affordable = middle;
        } else {
            too_much = middle;
        }
    }
    account.settled_to.saturating_add(WattHours(affordable))
}
