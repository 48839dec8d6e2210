//! When the relay is open and when closed.
//!
//! In order: no lease opens; the lease's mode opens or closes; a load above the limit opens for a
//! while; a lease that asks for it waits for a press before it closes again. Nothing else moves the
//! relay: no radio, no clock.

use crate::records::SavedLease;
use prepaid_common::WattHours;
use prepaid_common::wire::{Lease, SwitchMode, SwitchReason};

/// How long the load must stay above the limit before the relay opens: longer than a motor starts.
pub const LOAD_LIMIT_PERSISTENCE_MS: u32 = 30_000;
/// How long the relay then stays open: time to switch something off.
pub const LOAD_LIMIT_REST_MS: u32 = 120_000;

pub(crate) struct Switch {
    /// `None`: never had one.
    lease: Option<Lease>,
    waits_for_press: bool,
    closed: bool,
    over_limit_ms: u32,
    rest_ms: u32,
    reason: SwitchReason,
}

impl Switch {
    pub fn new(saved: Option<&SavedLease>) -> Self {
        Self {
            lease: saved.map(|saved| saved.lease),
            waits_for_press: saved.is_some_and(|saved| saved.waits_for_press),
            closed: false,
            over_limit_ms: 0,
            rest_ms: 0,
            reason: SwitchReason::NoLease,
        }
    }

    pub fn lease(&self) -> Option<Lease> {
        self.lease
    }

    pub fn is_closed(&self) -> bool {
        self.closed
    }

    pub fn reason(&self) -> SwitchReason {
        self.reason
    }

    pub fn waits_for_press(&self) -> bool {
        self.waits_for_press
    }

    pub fn set_lease(&mut self, lease: Lease) {
        self.lease = Some(lease);
        self.over_limit_ms = 0;
    }

    /// The button; counts only when the press is all that is missing.
    pub fn press(&mut self) {
        if self.reason == SwitchReason::WaitingForPress {
            self.waits_for_press = false;
        }
    }

    /// Decides after `elapsed_ms` at `power_w`, with the register where it now is.
    pub fn decide(&mut self, register: WattHours, power_w: i32, elapsed_ms: u32) {
        self.watch_load(power_w, elapsed_ms);
        let lease = self.lease.unwrap_or_default();
        self.waits_for_press &= lease.press_to_reconnect;
        let (allowed, reason) = match (self.lease, lease.mode) {
            (None, _) => (false, SwitchReason::NoLease),
            (_, SwitchMode::ForcedOff) => (false, SwitchReason::ForcedOff),
            (_, SwitchMode::ForcedOn) => (true, SwitchReason::ForcedOn),
            (_, SwitchMode::ByCredit) if register < lease.cutoff => {
                (true, SwitchReason::WithinLease)
            }
            (_, SwitchMode::ByCredit) => (false, SwitchReason::LeaseExhausted),
        };
        let (closed, reason) = match (allowed, self.rest_ms > 0, self.waits_for_press) {
            (true, true, _) => (false, SwitchReason::LoadLimitTripped),
            (true, false, true) => (false, SwitchReason::WaitingForPress),
            _ => (allowed, reason),
        };
        if self.closed && !closed {
            self.waits_for_press = lease.press_to_reconnect;
            self.over_limit_ms = 0;
        }
        self.closed = closed;
        self.reason = reason;
    }

    fn watch_load(&mut self, power_w: i32, elapsed_ms: u32) {
        self.rest_ms = self.rest_ms.saturating_sub(elapsed_ms);
        let limit_w = self.lease.map_or(0, |lease| lease.load_limit_w);
        let over = limit_w > 0 && u32::try_from(power_w).is_ok_and(|power_w| power_w > limit_w);
        if !(self.closed && over) {
            self.over_limit_ms = 0;
            return;
        }
        self.over_limit_ms = self.over_limit_ms.saturating_add(elapsed_ms);
        if self.over_limit_ms >= LOAD_LIMIT_PERSISTENCE_MS {
            self.rest_ms = LOAD_LIMIT_REST_MS;
        }
    }
}
