//! Both sides at the end, row by row: journal, profile, orders, money.

use crate::world::{World, id};
use gateway_core::configured::Setting;
use gateway_sim::head_end::OrderKept;
use std::collections::{BTreeMap, BTreeSet};

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, ours: T, theirs: T) -> Result<(), String> {
    if ours == theirs {
        return Ok(());
    }
    Err(format!("{what}: {ours:?} here, {theirs:?} there"))
}

/// What differs, if anything does.
pub fn compare(world: &World) -> Result<(), String> {
    let (card, site) = (&world.gateway.card, &world.head_end.stored.sites[&id()]);
    equal("journal rows", card.journal.len(), site.journal.len())?;
    for (ours, theirs) in card.journal.iter().zip(&site.journal) {
        equal("number", ours.number, theirs.number)?;
        equal("time", ours.at.0, theirs.at)?;
        equal("body", &ours.body, &theirs.body)?;
        equal("hash", ours.hash.to_string(), theirs.hash.clone())?;
    }
    equal("profile rows", card.profile.len(), site.profile.len())?;
    for row in &card.profile {
        let kept = site.profile.get(&format!("{} {}", row.end.0, row.node.0));
        let ours = (row.register.0, row.exact);
        // An estimate may have come before another one; only exact rows are final.
        if row.exact {
            equal("profile row", Some(&ours), kept)?;
        }
    }
    let keys = card.vend_keys();
    let distinct: BTreeSet<&String> = keys.iter().collect();
    equal("payments", keys.len(), distinct.len())?;
    equal(
        "tokens taken and issued",
        card.tokens_taken(),
        world.tokens as usize,
    )?;
    for order in site.orders.values() {
        obeyed(order, &distinct)?;
    }
    set_last(world)?;
    match &card.state.cloud.held {
        Some(held) => Err(format!("money held without a reason: {held:?}")),
        None => Ok(()),
    }
}

/// An order has its receipt, and what the receipt says is in the journal.
fn obeyed(order: &OrderKept, vends: &BTreeSet<&String>) -> Result<(), String> {
    let Some(receipt) = &order.receipt else {
        return Err(format!("{order:?} has no receipt"));
    };
    let (outcome, refusal) = (receipt["outcome"].as_str(), receipt["refusal"].as_str());
    let command = order.act["command"].as_str().unwrap_or_default();
    let is_set = command == "order-supply" || sets(order).is_some();
    let is_timed = order.not_after < i64::MAX;
    let may_be_refused = match refusal {
        Some("order-superseded") => is_set,
        Some("used") => command == "enter-token",
        Some("order-too-late") => is_timed,
        _ => false,
    };
    let is_done = outcome == Some("done");
    if !is_done && !may_be_refused {
        return Err(format!("{order:?} was not obeyed"));
    }
    let key = order.act["key"].as_str().unwrap_or_default().to_owned();
    if command == "vend" && vends.contains(&key) != is_done {
        return Err(format!("the payment {key} and its receipt: {receipt}"));
    }
    Ok(())
}

/// What an order sets, and to what.
fn sets(order: &OrderKept) -> Option<(String, String)> {
    let act = &order.act;
    let text = |name: &str| act[name].as_str().map(str::to_owned);
    let (what, value) = match (act["command"].as_str()?, act["change"].as_str()) {
        ("change-usage-point", Some("label")) => ("label", text("label")?),
        ("message", _) => ("message", text("text")?),
        ("guard", _) => ("limit", act["watts"].to_string()),
        ("set-point", _) => ("arming", act["setting"]["arming"].as_str()?.to_owned()),
        ("set-config", _) => ("name", act["values"]["site.name"].as_str()?.to_owned()),
        ("set-calendar", _) => ("holidays", text("holidays")?),
        _ => return None,
    };
    Some((format!("{what} {}", act["usage_point"]), value))
}

/// What was set is what the last order that was obeyed says, by the head-end's own count, in whatever order they came.
fn set_last(world: &World) -> Result<(), String> {
    let (state, site) = (
        &world.gateway.card.state,
        &world.head_end.stored.sites[&id()],
    );
    let mut last = BTreeMap::new();
    for order in site.orders.values() {
        let receipt = order.receipt.as_ref();
        let is_done = receipt.is_some_and(|receipt| receipt["outcome"] == "done");
        last.extend(sets(order).filter(|_| is_done));
    }
    let mut ours = BTreeMap::new();
    for point in state.usage_points.values() {
        let id = point.id.0;
        ours.insert(format!("label {id}"), point.label.clone());
        ours.insert(format!("limit {id}"), point.load_limit_w.to_string());
        let message = point.message.as_ref();
        ours.extend(message.map(|message| (format!("message {id}"), message.text.clone())));
        let arming = match point.supply.shadow {
            true => "shadow",
            false => "armed",
        };
        ours.insert(format!("arming {id}"), arming.to_owned());
    }
    for (key, name) in [
        ("site.name", "name"),
        ("prepay.friendly.holiday_list", "holidays"),
    ] {
        if let Some(Setting::Text(text)) = state.cloud.configured.values.get(key) {
            ours.insert(format!("{name} null"), text.clone());
        }
    }
    for (what, value) in &last {
        equal(what, ours.get(what), Some(value))?;
    }
    Ok(())
}
