//! From a report on the wire to a reading of the core.

use gateway_core::event::{IntervalEnd, Reading};
use gateway_core::guard::{NodeStatus, NodeSwitch};
use gateway_core::supply::Relay;
use gateway_core::{NodeId, UtcSeconds};
use prepaid_common::wire::{Counter, RelayPosition, Report};

/// The reading in a report.
pub fn reading(node: NodeId, counter: Counter, report: &Report) -> Reading {
    let mut intervals: Vec<IntervalEnd> = report
        .intervals
        .iter()
        .flat_map(|i| i.registers())
        .map(|(end, register): (UtcSeconds, _)| IntervalEnd { end, register })
        .collect();
    intervals.sort_by_key(|interval| interval.end);
    Reading {
        node,
        register: report.import_register,
        export: report.export_register,
        power_w: Some(report.active_power_w),
        voltage_dv: Some(report.voltage_in_dv),
        voltage_out_dv: Some(report.voltage_out_dv),
        current_ma: Some(report.phase_current_ma),
        neutral_ma: Some(report.neutral_current_ma),
        frequency_chz: Some(report.frequency_chz),
        relay: match report.relay {
            RelayPosition::Closed => Some(Relay::Closed),
            RelayPosition::Open => Some(Relay::Open),
            RelayPosition::Unknown => None,
        },
        lease_id: Some(report.lease_id),
        cutoff: Some(report.cutoff),
        uptime_s: Some(report.uptime_s),
        boot_count: Some(report.boot_count),
        tamper: report.events.0,
        frame_counter: Some(counter.as_u64()),
        status: Some(Box::new(status(report))),
        intervals,
        ..Reading::of(node, report.import_register)
    }
}

/// What it says of its switch. A node without a status item tells only the reasons every node knows.
fn status(report: &Report) -> NodeStatus {
    let status = report.status.unwrap_or_default();
    NodeStatus {
        switch: NodeSwitch {
            why: report.switch_reason,
            trips: status.trips,
        },
        wait_s: status.wait_s,
        echo: report.echo,
        pressed: report.pressed,
        evidence: report.evidence,
    }
}
