//! What happened, counted by the simulated nodes and read back from the database.

use super::residents::Deeds;
use gateway_core::{Decision, Record};
use gateway_sim::{Kind, Neighbourhood};
use gateway_store::{Reader, StoreError};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// Records read at a time.
const PAGE: u32 = 2_000;

/// The demo's facts. `readings_*`, `disconnected_*`, `reconnected_*`, `max_overshoot_wh`, `energy_metered_wh` and the times are counted at the nodes;
/// the rest is read back from the database after the gateway has stopped.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Facts {
    meters: usize,
    readings_sent: u64,
    readings_accepted: u64,
    readings_rejected: u64,
    readings_unsettled: usize,
    disconnected_for_credit: u64,
    reconnected_after_vend: u64,
    max_overshoot_wh: f64,
    postings: u64,
    postings_sum: i64,
    energy_metered_wh: u64,
    energy_charged_or_pending_wh: u64,
    p50_ms: f64,
    p99_ms: f64,
    vend_to_relay_p99_ms: f64,
    exhausted_to_relay_p99_ms: f64,
    verify_findings: usize,
}

impl Facts {
    /// What the nodes and the agent saw.
    pub fn of_world(world: &Neighbourhood, deeds: &Deeds) -> Self {
        let all: Vec<_> = deeds
            .vend_to_relay
            .iter()
            .chain(&deeds.run_out_to_relay)
            .copied()
            .collect();
        let meters = world
            .nodes()
            .iter()
            .filter(|node| node.kind == Kind::Premises)
            .count();
        Self {
            meters,
            p50_ms: percentile(&all, 50),
            p99_ms: percentile(&all, 99),
            vend_to_relay_p99_ms: percentile(&deeds.vend_to_relay, 99),
            exhausted_to_relay_p99_ms: percentile(&deeds.run_out_to_relay, 99),
            ..Self::default()
        }
    }

    /// After the last readings were acknowledged.
    pub fn drained(&mut self, world: &Neighbourhood, unsettled: usize) {
        let counts = world.counts();
        self.readings_sent = counts.readings_sent;
        self.readings_accepted = counts.readings_acknowledged;
        self.readings_unsettled = unsettled;
        self.disconnected_for_credit = counts.disconnected_for_credit;
        self.reconnected_after_vend = counts.reconnected;
        self.energy_metered_wh = counts.acknowledged_advance_wh;
        let mwh = u32::try_from(counts.max_overshoot_mwh).unwrap_or(u32::MAX);
        self.max_overshoot_wh = f64::from(mwh) / 1_000.0;
    }

    /// What is in the database, read with a connection of its own.
    pub fn read_back(&mut self, database: &Path) -> Result<(), StoreError> {
        let reader = Reader::open(database)?;
        let totals = reader.totals()?;
        self.postings = totals.postings;
        self.postings_sum = totals.postings_sum.0;
        self.readings_rejected = reader
            .rejections()?
            .iter()
            .map(|rejection| rejection.count)
            .sum();
        let settled = settled_wh(&reader)?;
        let pending = reader.usage_points()?.into_iter().map(|view| {
            view.register
                .since(view.usage_point.account.settled_to)
                .unwrap_or_default()
                .0
        });
        self.energy_charged_or_pending_wh = settled + pending.sum::<u64>();
        self.verify_findings = gateway_store::verify(database)?.findings.len();
        Ok(())
    }

    /// One JSON object.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A line for people.
    pub fn words(&self) -> String {
        format!(
            "{} readings sent, {} stored; {} ran out, {} came back; {} Wh metered, {} Wh charged or pending; {} postings, sum {}; most past the cut-off {:.3} Wh; verify: {}",
            self.readings_sent,
            self.readings_accepted,
            self.disconnected_for_credit,
            self.reconnected_after_vend,
            self.energy_metered_wh,
            self.energy_charged_or_pending_wh,
            self.postings,
            self.postings_sum,
            self.max_overshoot_wh,
            if self.verify_findings == 0 {
                "clean"
            } else {
                "DAMAGED"
            },
        )
    }
}

fn settled_wh(reader: &Reader) -> Result<u64, StoreError> {
    let (mut after, mut sum) = (0, 0);
    loop {
        let page: Vec<Record> = reader.journal_after(after, PAGE, None)?;
        let Some(last) = page.last() else {
            return Ok(sum);
        };
        after = last.number;
        let energy = page.iter().map(|record| match &record.decision {
            Decision::Settled { settlement, .. } => settlement.energy.0,
            _ => 0,
        });
        sum += energy.sum::<u64>();
    }
}

fn percentile(samples: &[Duration], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted
        .get(place)
        .map_or(0.0, |sample| sample.as_secs_f64() * 1_000.0)
}
