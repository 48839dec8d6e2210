//! Orders of the office and of the site, drawn by chance.

use crate::world::World;
use gateway_core::event::Role;
use gateway_core::{NodeId, UsagePointId};
use serde_json::{Value, json};

/// Orders of the office: what sets something, what has a time, a stream again.
pub fn office(world: &mut World, turn: u32, what: u32) {
    let point = world.random.between(1, 3);
    let at = world.true_at();
    let arming = if turn % 8 < 4 { "armed" } else { "shadow" };
    let act = match what {
        28 => json!({"command": "change-usage-point", "usage_point": point, "change": "label",
            "label": format!("Flat {turn}"), "by": "asha"}),
        29 => json!({"command": "message", "usage_point": point, "text": format!("words {turn}"),
            "by": "asha"}),
        30 => json!({"command": "guard", "ask": "limit-load", "usage_point": point,
            "watts": 1_000 + turn, "by": "asha"}),
        31 => match turn % 4 {
            0 => json!({"command": "set-config", "values": config(world, turn), "by": "asha"}),
            1 => {
                json!({"command": "set-calendar", "holidays": format!("*-01-{:02}", turn % 28 + 1),
                "by": "asha"})
            }
            2 => json!({"command": "set-point", "usage_point": point,
                "setting": {"setting": "arming", "arming": arming}, "by": "asha"}),
            _ => json!({"command": "resend", "stream": "profile", "after": 0}),
        },
        _ => {
            // Good for ten minutes, or not before an hour: obeyed once or refused, whatever the clocks say.
            let act = json!({"command": "vend", "key": format!("timed {turn}"), "usage_point": point,
                "amount": 10_000_000, "by": "shop"});
            let times = match turn % 2 {
                0 => (0, at + 600),
                _ => (at + 3_600, at + 7_200),
            };
            world.order_within(act, times);
            return;
        }
    };
    world.order(act);
}

/// Settings, one or several: orders overlap in part.
fn config(world: &mut World, turn: u32) -> Value {
    let all = [
        ("site.name", format!("Ward {turn}")),
        ("prepay.low_credit", format!("{turn}.00")),
        ("log.level", format!("level {turn}")),
    ];
    let which = world.random.between(1, 7);
    let named = all.into_iter().enumerate();
    let chosen = named.filter(|(place, _)| which & (1 << place) != 0);
    let values = chosen.map(|(_, (key, value))| (key.to_owned(), value.into()));
    Value::Object(values.collect())
}

/// Orders that do what an installer or a clerk does: meters, corrections, agents, emergency credit.
pub fn site(world: &mut World, turn: u32, what: u32) {
    let point = world.random.between(1, 3);
    let act = match what {
        33 => meter(world, turn, point),
        34 => {
            let amount = i64::from(turn % 7) * 1_000_000 - 3_000_000;
            let what = json!({"act": "credit", "amount": amount});
            json!({"command": "correct", "ask": "make", "usage_point": point, "what": what,
                "reason": format!("storm {turn}."), "by": "asha"})
        }
        35 => agent(turn),
        36 if turn.is_multiple_of(4) => known_to_the_office(world, turn, point),
        36 => {
            let ask = ["activate-emergency", "withdraw-emergency", "clear-hold"];
            let ask = ask[turn as usize % 3];
            json!({"command": "prepay", "ask": ask, "usage_point": point, "note": "seen",
                "charge": false, "by": "asha"})
        }
        _ => match turn % 3 {
            0 => {
                // The same tariff under other names, as a fuel adjustment of later months would come.
                let mut tariff = world.gateway.card.tariff();
                tariff.name = format!("Tariff {turn}");
                json!({"command": "adopt-tariff", "tariff": tariff})
            }
            1 => json!({"command": "add-usage-point", "id": null, "label": format!("New {turn}."),
                "phases": "single", "tariff": world.gateway.card.tariff().id, "max_power_w": null}),
            _ => json!({"command": "set-sanctioned-load", "usage_point": point,
                "load_w": 1_000 + turn, "by": "asha"}),
        },
    };
    world.order(act);
}

/// What the office knows of meters may be old by the time it arrives.
fn meter(world: &World, turn: u32, point: u32) -> Value {
    let role = Role::UsagePoint(UsagePointId(point));
    let there = world.gateway.card.state.node_for(role);
    let node = there.unwrap_or(NodeId(point)).0;
    let work = match turn % 4 {
        0 => json!({"order": "retire", "node": node, "final_register": null}),
        1 | 2 => json!({"order": "replace", "node": node, "final_register": null}),
        _ => json!({"order": "add", "role": {"usage-point": point}, "node": null}),
    };
    json!({"command": "work-on-meter", "work": work, "by": "asha"})
}

/// One agent is there from the beginning, known by name and by number.
fn agent(turn: u32) -> Value {
    let name = if turn.is_multiple_of(2) {
        "Kirana Store"
    } else {
        "1"
    };
    let mut act = match turn % 5 {
        0 => json!({"ask": "add", "name": format!("Shop {turn}.")}),
        1 => json!({"ask": "change", "agent": name, "overdraft": i64::from(turn) * 1_000_000}),
        2 => json!({"ask": "change", "agent": name, "commission_hundredths": turn}),
        3 => json!({"ask": "assign", "agent": name, "person": "ravi", "assigned": turn % 4 < 2}),
        _ => json!({"ask": "move-float", "agent": name, "amount": i64::from(turn) * 1_000_000,
            "reason": format!("slip {turn}.")}),
    };
    act["command"] = "agent".into();
    act["by"] = "asha".into();
    act
}

/// An alarm or a case that the office has heard of.
fn known_to_the_office(world: &mut World, turn: u32, point: u32) -> Value {
    let at = world.at();
    if turn.is_multiple_of(8) {
        let number = world.gateway.card.alarm(at, point);
        return json!({"command": "acknowledge-alarm", "number": number, "by": "asha"});
    }
    let case = world.gateway.card.case(at, point);
    json!({"command": "case", "ask": "note", "case": case, "text": format!("seen {turn}."),
        "by": "asha"})
}
