//! Topics and payloads for Home Assistant: one device per usage point and feeder meter (MQTT device discovery, since 2024.11).

use crate::config::HomeAssistant;
use gateway_core::UtcSeconds;
use gateway_core::event::Role;
use gateway_core::supply::Relay;
use gateway_store::{NodeView, UsagePointView};
use serde_json::{Map, Value, json};

/// A retained message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub topic: String,
    pub payload: String,
}

/// What all messages of a site have in common.
pub(super) struct Site<'a> {
    pub settings: &'a HomeAssistant,
    pub name: &'a str,
    pub currency: &'a str,
    /// A meter not heard since is unavailable.
    pub silent_before: UtcSeconds,
}

/// Whether the gateway is there.
pub(super) fn status(settings: &HomeAssistant, there: bool) -> Message {
    Message {
        topic: format!("{}/status", settings.prefix),
        payload: if there { "online" } else { "offline" }.into(),
    }
}

/// Everything there is to say.
pub(super) fn of_site(
    site: &Site<'_>,
    points: &[UsagePointView],
    nodes: &[NodeView],
) -> Vec<Message> {
    let mut messages = vec![status(site.settings, true)];
    for view in points {
        messages.extend(of_point(site, view));
    }
    for view in nodes {
        messages.extend(of_feeder(site, view));
    }
    messages
}

fn of_point(site: &Site<'_>, view: &UsagePointView) -> [Message; 3] {
    let point = &view.usage_point;
    let id = point.id.to_string();
    let heard = view.last.as_ref().map(|last| last.at);
    let reading = view.last.as_ref().map(|last| &last.reading);
    let left = view
        .affordable
        .map(|last| last.since(view.register).unwrap_or_default());
    let supply = point.supply.reported.map(|relay| match relay {
        Relay::Closed => "ON",
        Relay::Open => "OFF",
    });
    let state = json!({
        "credit": view.available.to_string(),
        "units_left_kwh": left.map(|wh| wh.to_string()),
        "register_kwh": view.register.to_string(),
        "power_w": reading.and_then(|reading| reading.power_w),
        "voltage_v": reading.and_then(|reading| reading.voltage_dv).map(|dv| f64::from(dv) / 10.0),
        "supply": supply,
        "reason": point.supply.in_force().to_string(),
    });
    let parts = [
        ("credit", money(site.currency)),
        (
            "units_left_kwh",
            sensor("Units left", "energy_storage", "kWh", "measurement"),
        ),
        (
            "register_kwh",
            sensor("Register", "energy", "kWh", "total_increasing"),
        ),
        ("power_w", sensor("Power", "power", "W", "measurement")),
        (
            "voltage_v",
            sensor("Voltage", "voltage", "V", "measurement"),
        ),
        (
            "supply",
            json!({ "p": "binary_sensor", "name": "Supply", "dev_cla": "power" }),
        ),
        ("reason", json!({ "p": "sensor", "name": "Off because" })),
    ];
    let name = format!("{} {}", point.label, id);
    device(site, (&id, &name), parts.to_vec(), state, heard)
}

fn of_feeder(site: &Site<'_>, view: &NodeView) -> Vec<Message> {
    let Some(Role::Feeder(feeder)) = view.node.role else {
        return Vec::new();
    };
    let reading = view.last.as_ref().map(|last| &last.reading);
    let state = json!({
        "register_kwh": reading.map(|reading| reading.register.to_string()),
        "power_w": reading.and_then(|reading| reading.power_w),
    });
    let parts = vec![
        (
            "register_kwh",
            sensor("Register", "energy", "kWh", "total_increasing"),
        ),
        ("power_w", sensor("Power", "power", "W", "measurement")),
    ];
    let id = feeder.to_string();
    let heard = view.last.as_ref().map(|last| last.at);
    device(site, (&id, &format!("Feeder {id}")), parts, state, heard).to_vec()
}

fn sensor(name: &str, class: &str, unit: &str, state_class: &str) -> Value {
    json!({ "p": "sensor", "name": name, "dev_cla": class, "unit_of_meas": unit, "stat_cla": state_class })
}

/// A sum of money has no state class but a total; without a currency it is a plain number.
fn money(currency: &str) -> Value {
    match currency {
        "" => json!({ "p": "sensor", "name": "Credit" }),
        currency => {
            json!({ "p": "sensor", "name": "Credit", "dev_cla": "monetary", "unit_of_meas": currency })
        }
    }
}

/// Discovery, state and availability of one device.
fn device(
    site: &Site<'_>,
    (id, name): (&str, &str),
    parts: Vec<(&'static str, Value)>,
    state: Value,
    heard: Option<UtcSeconds>,
) -> [Message; 3] {
    let HomeAssistant {
        discovery_prefix,
        prefix,
        ..
    } = site.settings;
    let unique = format!("{}_{id}", prefix.replace('/', "_"));
    let mut components = Map::new();
    for (key, mut part) in parts {
        part["uniq_id"] = json!(format!("{unique}_{key}"));
        part["val_tpl"] = json!(format!("{{{{ value_json.{key} }}}}"));
        components.insert(key.into(), part);
    }
    let there = |topic: String| json!({ "topic": topic });
    let discovery = json!({
        "dev": { "ids": [unique], "name": name, "mf": "prepaid-gateway", "sa": site.name },
        "o": { "name": "prepaid-gateway", "sw": env!("CARGO_PKG_VERSION") },
        "cmps": components,
        "stat_t": format!("{prefix}/{id}/state"),
        "avty": [there(format!("{prefix}/status")), there(format!("{prefix}/{id}/available"))],
        "avty_mode": "all",
    });
    let heard = heard.is_some_and(|at| at >= site.silent_before);
    [
        Message {
            topic: format!("{discovery_prefix}/device/{unique}/config"),
            payload: discovery.to_string(),
        },
        Message {
            topic: format!("{prefix}/{id}/available"),
            payload: if heard { "online" } else { "offline" }.into(),
        },
        Message {
            topic: format!("{prefix}/{id}/state"),
            payload: state.to_string(),
        },
    ]
}
