//! What a perfect meter would have counted, kept apart from the register of the node.
//!
//! Terms: *standing* is the node's register if it were exact and had no whole watt-hours. *Run out*
//! is the moment when the standing passes the cut-off of the lease in force; what is delivered
//! after it is *overshoot*. A lease that ends below the standing runs out when it arrives.

use prepaid_common::WattHours;
use prepaid_common::wire::{Lease, SwitchMode};

/// Microjoules in a watt-hour: a milliwatt for a millisecond is a microjoule.
const UJ_PER_WH: u64 = 3_600_000_000;

/// The energy that really flowed through one meter.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    delivered_uj: u64,
    standing_uj: u64,
    lease: Option<Lease>,
    limit_uj: Option<u64>,
    since_run_out_us: Option<u64>,
    overshoot_uj: u64,
}

impl Truth {
    /// The node starts and counts on from `register`.
    pub fn start_from(&mut self, register: WattHours) {
        self.standing_uj = register.0.saturating_mul(UJ_PER_WH);
    }

    /// The lease in force.
    pub fn set_lease(&mut self, lease: Option<Lease>) {
        if lease == self.lease {
            return;
        }
        self.lease = lease;
        self.since_run_out_us = None;
        self.limit_uj = lease
            .filter(|lease| lease.mode == SwitchMode::ByCredit)
            .map(|lease| {
                lease
                    .cutoff
                    .0
                    .saturating_mul(UJ_PER_WH)
                    .max(self.standing_uj)
            });
    }

    /// So much flowed for so long.
    pub fn deliver(&mut self, power_mw: u64, elapsed_ms: u32) {
        let elapsed_ms = u64::from(elapsed_ms);
        let energy_uj = power_mw * elapsed_ms;
        self.delivered_uj += energy_uj;
        self.standing_uj = self.standing_uj.saturating_add(energy_uj);
        let Some(limit_uj) = self.limit_uj.filter(|limit| self.standing_uj >= *limit) else {
            return;
        };
        let over_uj = self.standing_uj - limit_uj;
        self.overshoot_uj = self.overshoot_uj.max(over_uj);
        self.since_run_out_us = match self.since_run_out_us {
            Some(since_us) => Some(since_us + elapsed_ms * 1000),
            None if energy_uj > 0 => Some(over_uj * 1000 / power_mw),
            None => None,
        };
    }

    /// World time since the lease ran out, microseconds; once.
    pub fn take_since_run_out_us(&mut self) -> Option<u64> {
        self.since_run_out_us.take()
    }

    /// Energy delivered since the simulation began, milliwatt-hours.
    #[must_use]
    pub fn delivered_mwh(&self) -> u64 {
        self.delivered_uj / (UJ_PER_WH / 1000)
    }

    /// Where an exact register would stand, milliwatt-hours.
    #[must_use]
    pub fn standing_mwh(&self) -> u64 {
        self.standing_uj / (UJ_PER_WH / 1000)
    }

    /// Most energy that ever flowed past the cut-off of a lease, milliwatt-hours, rounded up.
    #[must_use]
    pub fn max_overshoot_mwh(&self) -> u64 {
        self.overshoot_uj.div_ceil(UJ_PER_WH / 1000)
    }
}
