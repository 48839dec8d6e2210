//! `docs/cloud.asyncapi.yaml` against the code: the same channels, and for each message the same members, required or not.

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
