//! Meters for the command line.

use super::Response;
use super::server::Office;
use crate::buses::{Buses, LineQuality};
use gateway_core::event::Role;
use gateway_core::meter_link::{MeterLink, Switch};
use gateway_core::{NodeId, UtcSeconds, WattHours};
use gateway_store::{NodeView, Reader, StoreError};
use gateway_web::LinkFacts;
use gateway_web::bus_work::BusOrder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A meter in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterFacts {
    /// Its number, in words.
    pub node: String,
    /// What it meters, in words.
    pub meters: String,
    /// How it is reached.
    pub link: MeterLink,
    /// The switch beside it.
    pub switch: Option<Switch>,
    /// Its raw register.
    pub register_wh: Option<WattHours>,
    /// Power, in watts.
    pub power_w: Option<i32>,
    /// Voltage, in tenths of a volt.
    pub voltage_dv: Option<u16>,
    /// When its last reading was taken.
    pub heard_at: Option<UtcSeconds>,
    /// How well it answers, if it is polled on a bus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineQuality>,
    /// How well it is heard; absent of what was not heard since the start.
    #[serde(default)]
    pub quality: Option<LinkFacts>,
}

pub(super) fn list(
    reader: &Reader,
    buses: &Buses,
    mut links: BTreeMap<NodeId, LinkFacts>,
) -> Result<Response, StoreError> {
    let mut qualities = buses.qualities();
    let facts = |view: NodeView| {
        let reading = view.last.as_ref().map(|last| &last.reading);
        let meters = match view.node.role? {
            Role::UsagePoint(id) => id.to_string(),
            Role::Feeder(id) => id.to_string(),
        };
        Some(MeterFacts {
            node: view.node.id.to_string(),
            meters,
            register_wh: reading.map(|reading| reading.register),
            power_w: reading.and_then(|reading| reading.power_w),
            voltage_dv: reading.and_then(|reading| reading.voltage_dv),
            heard_at: view.last.as_ref().map(|last| last.at),
            line: qualities.remove(&view.node.id),
            quality: links.remove(&view.node.id),
            link: view.node.link,
            switch: view.node.switch,
        })
    };
    let meters = reader.nodes()?.into_iter().filter_map(facts).collect();
    Ok(Response::Meters { meters })
}

pub(super) async fn test(office: &Office, link: MeterLink) -> Response {
    match office.desk.test_meter(link).await {
        Ok(shown) => Response::MeterShows { shown },
        Err(message) => Response::Failed { message },
    }
}

pub(super) fn buses(office: &Office) -> Response {
    let buses = office.desk.buses();
    Response::Buses { buses }
}

pub(super) fn work(office: &Office, order: BusOrder, who: &str) -> Response {
    match office.desk.bus_work(order, who) {
        Ok(job) => Response::BusJob { job: Box::new(job) },
        Err(message) => Response::Failed { message },
    }
}
