//! `docs/cloud.asyncapi.yaml` against the code: the same channels, the same commands, and for each message the same members, required or not.
//! The examples of `docs/cloud.md` are read by the code.

use gateway_cloud::Channel;
use gateway_cloud::message::*;
use gateway_core::order::Hex;
use gateway_core::{Answer, UtcSeconds};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const DOCUMENT: &str = include_str!("../../../docs/cloud.asyncapi.yaml");

const AT: UtcSeconds = UtcSeconds(5);
const MARK: Mark = Mark {
    number: 1,
    hash: Hex([0; 32]),
};
const HEAD: HeadMark = HeadMark {
    number: 1,
    at: AT,
    hash: Hex([0; 32]),
};

/// The payload of a message in the document.
fn payload(name: &str) -> Value {
    let start = format!("\n    {name}:\n");
    let place = DOCUMENT.rfind(&start).expect(name);
    let line = DOCUMENT[place..]
        .lines()
        .find_map(|line| line.trim().strip_prefix("payload: "))
        .expect("a payload");
    serde_json::from_str(line).expect("JSON")
}

fn members(value: &impl Serialize) -> BTreeSet<String> {
    let value = serde_json::to_value(value).expect("writes");
    value
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect()
}

/// `full` has every member, `bare` only those that are always there.
fn check(name: &str, full: &impl Serialize, bare: &impl Serialize) {
    let payload = payload(name);
    let properties: BTreeSet<String> = members(&payload["properties"]);
    assert_eq!(properties, members(full), "members of {name}");
    let required = payload["required"].as_array().expect("a list").iter();
    let required: BTreeSet<String> = required.filter_map(Value::as_str).map(Into::into).collect();
    assert_eq!(
        required,
        members(bare),
        "members of {name} that are always there"
    );
}

#[test]
fn channels_are_those_of_the_code() {
    for channel in Channel::ALL {
        let address = format!("address: pgc/1/{{gateway}}/{}\n", channel.levels());
        assert!(DOCUMENT.contains(&address), "{address}");
    }
    assert_eq!(DOCUMENT.matches("address: ").count(), Channel::ALL.len());
    let retained = Channel::ALL.iter().filter(|channel| channel.is_retained());
    assert_eq!(
        DOCUMENT.matches("\"retain\": true").count(),
        retained.count()
    );
}

#[test]
fn what_a_gateway_says_is_what_the_document_says() {
    let instance = Hex([1; 8]);
    let hello = |marks| Hello {
        instance,
        start: 1,
        lineage: vec![instance],
        nonce: Hex([2; 8]),
        branch: 1,
        branch_after: 0,
        head: HEAD,
        profile: 0,
        marks,
        at: AT,
        clock_trusted: true,
        version: String::new(),
    };
    check("Hello", &hello(vec![MARK]), &hello(Vec::new()));
    let journal = |part| JournalHead {
        instance,
        start: 1,
        branch: 1,
        first: 1,
        previous: MARK.hash,
        last: MARK.hash,
        part,
    };
    check("Journal", &journal(Some((1, 2))), &journal(None));
    let (start, branch) = (1, 1);
    let profile = ProfileHead {
        instance,
        start,
        branch,
        from: 0,
        to: 1,
    };
    check("Profile", &profile, &profile);
    let case = CaseHead {
        instance,
        start,
        as_of: 1,
    };
    check("Case", &case, &case);
    let status = |until| Status {
        instance,
        start,
        state: LinkState::Online,
        until,
        at: AT,
        version: String::new(),
        name: String::new(),
        head: 1,
        backlog: 0,
        money_held: false,
        usage_points: 1,
        bytes_today: 0,
        budget: 0,
        shed_readings_before: 0,
        problems: Vec::new(),
    };
    check("Status", &status(Some(AT)), &status(None));
}

#[test]
fn orders_and_enrolment_are_what_the_document_says() {
    let (instance, start) = (Hex([1; 8]), 1);
    let receipt = |number, text: Option<&str>, answer| Receipt {
        instance,
        start,
        order: String::new(),
        sequence: 1,
        outcome: OutcomeWord::Done,
        number,
        refusal: text.map(Into::into),
        words: text.map(Into::into),
        answer,
    };
    let full = receipt(Some(1), Some("x"), Some(Answer::Done));
    check("Receipt", &full, &receipt(None, None, None));
    let ack = |nonce, refused| Ack {
        instance,
        nonce,
        branch: 1,
        journal: MARK,
        profile: 0,
        at: AT,
        refused,
    };
    check(
        "Ack",
        &ack(Some(instance), Some(Refused::Copy)),
        &ack(None, None),
    );
    let order = OrderHead {
        order: String::new(),
        gateway: Hex([3; 16]),
        sequence: 1,
        not_before: AT,
        not_after: AT,
        act: json!({"command": "vend"}),
    };
    check("Order", &order, &order);
    let request = EnrolRequest {
        gateway: Hex([3; 16]),
        key: MARK.hash,
        nonce: instance,
        name: String::new(),
        head: HEAD,
        proof: MARK.hash,
    };
    check("Enrol", &request, &request);
    let enrolled = Enrolled {
        gateway: Hex([3; 16]),
        key: MARK.hash,
        nonce: instance,
        proof: MARK.hash,
    };
    check("Enrolled", &enrolled, &enrolled);
}

const PAGE: &str = include_str!("../../../docs/cloud.md");

/// Other names for what `set-config` and `change-usage-point` do.
const SHORT: [&str; 2] = ["set-calendar", "message"];

fn blocks(kind: &str) -> impl Iterator<Item = &'static str> {
    let start = format!("```{kind}\n");
    let after: Vec<&str> = PAGE.split(start.as_str()).skip(1).collect();
    after
        .into_iter()
        .filter_map(|rest| rest.split("```").next())
}

fn order(act: &Value) -> Result<gateway_core::order::Order, gateway_cloud::downlink::OrderProblem> {
    let gateway = Hex([3; 16]);
    let key = gateway_cloud::SigningKey::from_seed(&[7; 32]).expect("a key");
    let enrolled = gateway_core::cloud::Enrolled {
        number: 1,
        cloud_key: key.public(),
        former_key: None,
        gateway_key: MARK.hash,
    };
    let content = json!({"order": "a", "gateway": gateway, "sequence": 1, "not_before": 1,
        "not_after": 2, "do": act});
    let path = Channel::Order.path(&gateway);
    let payload = key.seal(&path, format!("{content}\n").as_bytes());
    gateway_cloud::downlink::read(&enrolled, &gateway, &payload)
}

#[test]
fn every_example_of_an_order_is_one_and_every_order_has_an_example() {
    let lines = blocks("jsonl").flat_map(str::lines);
    let mut commands = BTreeSet::new();
    for line in lines {
        let act: Value = serde_json::from_str(line).expect(line);
        let command = act["command"].as_str().expect("a command").to_owned();
        let read = order(&act);
        let name = read.as_ref().ok().and_then(|order| order.act.name());
        let is_short = SHORT.contains(&command.as_str());
        assert!(
            name == Some(&command) || name.is_some() && is_short,
            "{line}: {read:?}"
        );
        commands.insert(command);
    }
    // A whole tariff is too long for the page.
    let tariff: toml::Value =
        toml::from_str(include_str!("../../tariffs/example-minigrid-2026.toml")).expect("a tariff");
    let adopt = order(&json!({"command": "adopt-tariff", "tariff": tariff})).expect("an order");
    commands.extend(adopt.act.name().map(str::to_owned));
    let names = gateway_core::order::Act::NAMES.into_iter().chain(SHORT);
    let names: BTreeSet<String> = names.map(str::to_owned).collect();
    assert_eq!(commands, names);
    let listed = payload("Order");
    let listed = &listed["properties"]["do"]["properties"]["command"]["enum"];
    let listed = listed.as_array().expect("a list").iter();
    let listed: BTreeSet<String> = listed.filter_map(Value::as_str).map(Into::into).collect();
    assert_eq!(listed, names, "in the AsyncAPI document");
}

/// With the dots that stand for more digits replaced by as many as there should be.
fn filled(block: &str) -> String {
    let mut text = block.to_owned();
    let hex = |digits: usize, start: &str| format!("{start}{}", "0".repeat(digits - start.len()));
    for (name, digits) in [
        ("instance", 16),
        ("nonce", 16),
        ("gateway", 32),
        ("hash", 64),
        ("key", 64),
        ("proof", 64),
        ("previous", 64),
        ("last", 64),
    ] {
        for start in ["5a0c", "b1f0", "2f6a", "77ab", "0d3e", "e81b", ""] {
            let short = format!("\"{name}\":\"{start}…\"");
            text = text.replace(&short, &format!("\"{name}\":\"{}\"", hex(digits, start)));
        }
    }
    text.replace("\"93d1…\"", &format!("\"{}\"", hex(16, "93d1")))
        .replace("\"5a0c…\"", &format!("\"{}\"", hex(16, "5a0c")))
        .replace("\"…\"", &format!("\"{}\"", hex(64, "")))
}

#[test]
fn the_heads_on_the_page_are_read_by_the_code() {
    let mut kinds = Vec::new();
    for block in blocks("json") {
        let text = filled(block);
        if text.contains('…') {
            // A receipt whose answer is left short.
            assert!(text.contains("\"outcome\""), "{text}");
            continue;
        }
        let kind = if serde_json::from_str::<Hello>(&text).is_ok() {
            "hello"
        } else if serde_json::from_str::<Ack>(&text).is_ok() {
            "ack"
        } else if serde_json::from_str::<Status>(&text).is_ok() {
            "status"
        } else if serde_json::from_str::<OrderHead>(&text).is_ok() {
            "order"
        } else if serde_json::from_str::<EnrolRequest>(&text).is_ok() {
            "enrol"
        } else if serde_json::from_str::<Enrolled>(&text).is_ok() {
            "enrolled"
        } else {
            "nothing"
        };
        kinds.push(kind);
    }
    assert_eq!(
        kinds,
        [
            "hello", "ack", "ack", "status", "order", "enrol", "enrolled"
        ]
    );
}
