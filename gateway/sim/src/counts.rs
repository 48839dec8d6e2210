//! What can be seen of a neighbourhood: sums, nodes, relays.

use crate::latencies::Percentiles;
use crate::meter::Kind;
use prepaid_common::wire::{Lease, SwitchReason};
use prepaid_common::{NodeId, WattHours};
use serde::Serialize;
use std::time::{Duration, Instant};

/// A relay opened or closed.
#[derive(Debug, Clone, Copy)]
pub struct RelayEvent {
    /// Whose.
    pub node: NodeId,
    /// Closed now.
    pub closed: bool,
    /// Why.
    pub reason: SwitchReason,
    /// When.
    pub at: Instant,
    /// The node's register then.
    pub register: WattHours,
    /// From the moment the credit was really used up to the opening.
    pub after_run_out: Option<Duration>,
    /// The end of an interruption for want of credit.
    pub reconnection: bool,
}

/// Sums over all nodes since the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Nodes with a session now.
    pub nodes_in_session: u64,
    /// Distinct REPORT frames handed to a connection.
    pub readings_sent: u64,
    /// Those with a PUBACK.
    pub readings_acknowledged: u64,
    /// Those still without, on a standing connection.
    pub readings_in_flight: u64,
    /// Those whose connection ended before the PUBACK; a later report stands for them.
    pub readings_superseded: u64,
    /// Connections that ended though nobody here asked for it.
    pub connections_lost: u64,
    /// Connections or subscriptions that were refused.
    pub connections_refused: u64,
    /// Frames of the gateway that a node refused.
    pub frames_refused: u64,
    /// Relays opened because credit was used up.
    pub disconnected_for_credit: u64,
    /// Relays closed after that.
    pub reconnected: u64,
    /// Most energy that flowed past a cut-off, milliwatt-hours.
    pub max_overshoot_mwh: u64,
    /// Advance of the registers of premises over their acknowledged readings, watt-hours.
    pub acknowledged_advance_wh: u64,
    /// Energy that really flowed to premises, milliwatt-hours.
    pub delivered_mwh: u64,
    /// From the moment credit was used up to the open relay.
    pub run_out_to_open: Percentiles,
    /// From sending a reading to its PUBACK.
    pub acknowledgement: Percentiles,
}

/// One node as it is now.
#[derive(Debug, Clone)]
pub struct NodeState {
    /// Who.
    pub node: NodeId,
    /// What it meters.
    pub kind: Kind,
    /// The node's register.
    pub register: WattHours,
    /// The lease in force.
    pub lease: Option<Lease>,
    /// Whether current can flow.
    pub conducts: bool,
    /// Why the switch is as it is, and the two lines of the display; nothing without power.
    pub shows: Option<(SwitchReason, [String; 2])>,
    /// Whether it has a session with the gateway.
    pub has_session: bool,
    /// Advance of the register over acknowledged readings.
    pub acknowledged_advance: WattHours,
    /// The register of the newest acknowledged reading.
    pub acknowledged_register: Option<WattHours>,
    /// Energy that really flowed, milliwatt-hours.
    pub delivered_mwh: u64,
    /// Most energy past a cut-off, milliwatt-hours.
    pub max_overshoot_mwh: u64,
}
