//! Both sides at the end, row by row: journal, profile, orders, money.

use crate::world::{World, id};
use gateway_core::configured::Setting;
use gateway_core::person::Who;
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
        obeyed(world, order, &distinct)?;
    }
    once(world)?;
    set_last(world)?;
    match &card.state.cloud.held {
        Some(held) => Err(format!("money held without a reason: {held:?}")),
        None => Ok(()),
    }
}

/// An order has its receipt, and what the receipt says is in the journal.
fn obeyed(world: &World, order: &OrderKept, vends: &BTreeSet<&String>) -> Result<(), String> {
    let Some(receipt) = &order.receipt else {
        return Err(format!("{order:?} has no receipt"));
    };
    let (outcome, refusal) = (receipt["outcome"].as_str(), receipt["refusal"].as_str());
    let command = order.act["command"].as_str().unwrap_or_default();
    let is_timed = order.not_after < i64::MAX;
    let may_be_refused = match (refusal, command) {
        (Some("order-superseded"), _) => has_later(world, order),
        (Some("used"), "enter-token") => true,
        (Some("order-too-late"), _) => is_timed,
        // What the office knew when it was given may be so no more.
        (Some("node-meters-nothing" | "meter-in-place"), "work-on-meter") => true,
        (Some("emergency-not-offered" | "nothing-held"), "prepay") => true,
        (Some("nothing-to-do"), "correct") => order.act["what"]["amount"] == 0,
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
    // What has a name of its own is in the journal as often as it was done: once or never.
    for name in ["reason", "label", "name", "text"] {
        let marked = order.act[name].as_str().filter(|text| text.ends_with('.'));
        if let Some(text) = marked {
            let times = world.gateway.card.rows_with(&format!("\"{text}\""));
            equal(text, times, usize::from(is_done))?;
        }
    }
    Ok(())
}

/// Each sequence was taken once, and the receipt names that record.
fn once(world: &World) -> Result<(), String> {
    let card = &world.gateway.card;
    let mut taken = BTreeMap::new();
    for (number, sequence) in card.orders_taken() {
        if taken.insert(sequence, number).is_some() {
            return Err(format!("order {sequence} was taken twice"));
        }
    }
    let site = &world.head_end.stored.sites[&id()];
    for (sequence, order) in &site.orders {
        let receipt = order.receipt.as_ref().map(|receipt| &receipt["number"]);
        let theirs = receipt.and_then(serde_json::Value::as_u64);
        equal(
            "the record of an order",
            taken.get(sequence).copied(),
            theirs,
        )?;
    }
    let nodes = site.orders.values().filter_map(|order| {
        let answer = &order.receipt.as_ref()?["answer"];
        (answer["done"] == "node-added").then(|| answer["node"].as_u64())?
    });
    let nodes: Vec<u64> = nodes.collect();
    let distinct: BTreeSet<_> = nodes.iter().collect();
    equal("nodes added by order", nodes.len(), distinct.len())?;
    // Three were there before the first order.
    equal("nodes", card.state.nodes.len(), nodes.len() + 3)
}

/// Whether a later order, by the head-end's count, that sets some of the same was done.
fn has_later(world: &World, order: &OrderKept) -> bool {
    let site = &world.head_end.stored.sites[&id()];
    let own: BTreeSet<String> = sets(order).into_iter().map(|(what, _)| what).collect();
    let ours = site.orders.iter().find(|(_, other)| *other == order);
    let Some((sequence, _)) = ours else {
        return false;
    };
    site.orders.iter().any(|(later, other)| {
        let receipt = other.receipt.as_ref();
        let is_done = receipt.is_some_and(|receipt| receipt["outcome"] == "done");
        later > sequence && is_done && sets(other).iter().any(|(what, _)| own.contains(what))
    })
}

/// What an order sets, and to what. What goes on by itself afterwards has no value to compare.
fn sets(order: &OrderKept) -> Vec<(String, Option<String>)> {
    let act = &order.act;
    let text = |name: &str| act[name].as_str().map(str::to_owned);
    let point = &act["usage_point"];
    let of_point = |what: &str, value| vec![(format!("{what} {point}"), value)];
    let change = act["change"].as_str().or(act["ask"].as_str());
    match (act["command"].as_str().unwrap_or_default(), change) {
        ("order-supply", _) => of_point("supply", text("order")),
        ("change-usage-point", Some("label")) => of_point("label", text("label")),
        ("message", _) => of_point("message", text("text")),
        ("guard", _) => of_point("limit", Some(act["watts"].to_string())),
        ("set-sanctioned-load", _) => of_point("load", Some(act["load_w"].to_string())),
        ("prepay", Some("activate-emergency" | "withdraw-emergency")) => {
            of_point("emergency", None)
        }
        ("adopt-tariff", _) => {
            let name = act["tariff"]["name"].as_str();
            vec![("tariff".into(), name.map(str::to_owned))]
        }
        ("set-point", _) => {
            let arming = act["setting"]["arming"].as_str();
            of_point("arming", arming.map(str::to_owned))
        }
        ("set-calendar", _) => vec![("prepay.friendly.holiday_list".into(), text("holidays"))],
        ("set-config", _) => {
            let values = act["values"].as_object().into_iter().flatten();
            let one = |(key, value): (&String, &serde_json::Value)| {
                (key.clone(), value.as_str().map(str::to_owned))
            };
            values.map(one).collect()
        }
        ("agent", Some("change")) => {
            let of = |name: &str| {
                act[name]
                    .as_i64()
                    .map(|value| (format!("agent {name}"), Some(value.to_string())))
            };
            let all = ["overdraft", "commission_hundredths"];
            all.into_iter().filter_map(of).collect()
        }
        ("agent", Some("assign")) => vec![("ravi".into(), Some(act["assigned"].to_string()))],
        _ => Vec::new(),
    }
}

/// What was set is what the last order that was obeyed says, by the head-end's own count, in whatever order they came.
fn set_last(world: &World) -> Result<(), String> {
    let site = &world.head_end.stored.sites[&id()];
    let mut last = BTreeMap::new();
    for order in site.orders.values() {
        let receipt = order.receipt.as_ref();
        let is_done = receipt.is_some_and(|receipt| receipt["outcome"] == "done");
        last.extend(sets(order).into_iter().filter(|_| is_done));
    }
    let ours = set_here(world);
    for (what, value) in &last {
        if let Some(value) = value {
            equal(what, ours.get(what), Some(value))?;
        }
    }
    Ok(())
}

/// What is set at the gateway.
fn set_here(world: &World) -> BTreeMap<String, String> {
    let state = &world.gateway.card.state;
    let mut ours = BTreeMap::new();
    for point in state.usage_points.values() {
        let id = point.id.0;
        ours.insert(format!("label {id}"), point.label.clone());
        ours.insert(format!("limit {id}"), point.load_limit_w.to_string());
        ours.insert(format!("load {id}"), point.sanctioned_load_w.to_string());
        let message = point.message.as_ref();
        ours.extend(message.map(|message| (format!("message {id}"), message.text.clone())));
        let arming = match point.supply.shadow {
            true => "shadow",
            false => "armed",
        };
        ours.insert(format!("arming {id}"), arming.to_owned());
        let supply = format!("{:?}", point.supply.order).to_lowercase();
        ours.insert(format!("supply {id}"), supply);
    }
    let agent = state.agents.values().next().expect("an agent");
    let terms = [
        ("tariff", world.gateway.card.tariff().name),
        ("agent overdraft", agent.overdraft.0.to_string()),
        (
            "agent commission_hundredths",
            agent.commission_hundredths.to_string(),
        ),
        ("ravi", agent.people.contains(&Who::of("ravi")).to_string()),
    ];
    ours.extend(terms.map(|(what, value)| (what.to_owned(), value)));
    for (key, value) in &state.cloud.configured.values {
        if let Setting::Text(text) = value {
            ours.insert(key.clone(), text.clone());
        }
    }
    ours
}
