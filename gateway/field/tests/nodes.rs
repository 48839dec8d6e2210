//! Nodes: who may say and hear what, and when a frame counts as stored.

mod common;

use std::time::Duration;

use common::*;
use gateway_field::{FieldEvent, NotConnected, Rejection, down_topic, up_topic};
use prepaid_common::NodeId;

#[test]
fn node_a_can_neither_read_b_nor_speak_as_b_nor_switch_b() {
    let mut site = start(quick());
    let mut b = site.node(B);
    b.subscribe(&down_topic(B), 1, 1);
    let mut a = site.node(A);
    for (filter, granted) in [
        (down_topic(A).as_str(), 1),
        (down_topic(B).as_str(), 0x80),
        (up_topic(B).as_str(), 0x80),
        (up_topic(A).as_str(), 0x80),
        ("#", 0x80),
        ("+/+/+/+", 0x80),
        ("pg/#", 0x80),
        ("pg/1/+/down", 0x80),
        ("pg/1/00000022/#", 0x80),
        ("$SYS/#", 0x80),
        ("$share/x/pg/1/00000022/down", 0x80),
        ("home/light", 0x80),
    ] {
        a.subscribe(filter, 1, granted);
    }
    for topic in [
        up_topic(B),
        down_topic(B),
        down_topic(A),
        "home/light".into(),
        "pg".into(),
    ] {
        let mut a = site.node(A);
        a.send(&publish(&topic, b"forged", 2, 9));
        assert_eq!(a.receive(), Got::Closed, "publish to {topic}");
    }
    assert_eq!(site.rejections(Rejection::PublishNotAllowed), 5);
    assert_eq!(site.rejections(Rejection::SubscribeNotAllowed), 11);
    assert!(
        site.uplinks.try_recv().is_err(),
        "nothing forged came through"
    );
    site.field.send(B, b"for b".to_vec()).expect("b listens");
    let body = [text(&down_topic(B)), vec![0, 1], b"for b".to_vec()].concat();
    assert_eq!(
        b.receive(),
        Got::Packet(0x32, body),
        "and nothing else before it"
    );
}

#[test]
fn a_login_belongs_to_one_node() {
    let site = start(quick());
    let (a, b) = ("00000011", "00000022");
    for (user, password, client_id, code) in [
        (a, "password-11", a, 0),
        (a, "password-22", a, 5),
        (a, "password-11", b, 5),
        (b, "password-11", b, 5),
        ("00000000", "", "00000000", 5),
        ("00000033", "password-33", "00000033", 5),
        ("11", "password-11", "11", 5),
        ("ha", "ha-password", a, 0),
    ] {
        site.login(user, password, client_id, code);
    }
    let mut with_will = site.open();
    let will = Some(("pg/1/00000011/up", "x", 0));
    with_will.send(&connect_with_will(a, Some((a, "password-11")), 60, will));
    assert_eq!(
        with_will.receive(),
        Got::Packet(0x20, vec![0, 5]),
        "a node has no will"
    );
}

#[test]
fn puback_comes_after_accept_and_not_before() {
    let mut site = start(quick());
    let mut a = site.node(A);
    a.send(&publish(&up_topic(A), b"one", 2, 1));
    a.send(&publish(&up_topic(A), b"two", 2, 2));
    let (one, two) = (site.uplink(), site.uplink());
    assert_eq!(
        (one.node, &one.payload[..], &two.payload[..]),
        (A, &b"one"[..], &b"two"[..])
    );
    a.ping();
    two.ack.accept();
    a.ping();
    one.ack.accept();
    assert_eq!(a.receive(), Got::Packet(0x40, vec![0, 1]));
    assert_eq!(
        a.receive(),
        Got::Packet(0x40, vec![0, 2]),
        "in the order of the publishes"
    );
    assert_eq!(site.field.stats().node_publishes_accepted, 2);
}

#[test]
fn a_dropped_ack_makes_the_node_send_again() {
    let mut site = start(quick());
    let mut a = site.node(A);
    a.send(&publish(&up_topic(A), b"frame", 2, 1));
    drop(site.uplink());
    assert_eq!(a.receive(), Got::Closed, "no PUBACK");
    assert_eq!(site.rejections(Rejection::UplinkNotStored), 1);
    let mut a = site.node(A);
    a.send(&publish(&up_topic(A), b"frame", 0x0a, 1));
    site.uplink().ack.accept();
    assert_eq!(a.receive(), Got::Packet(0x40, vec![0, 1]));
}

#[test]
fn qos_0_passes_and_qos_2_does_not() {
    let mut site = start(quick());
    let mut a = site.node(A);
    a.send(&publish(&up_topic(A), b"zero", 0, 0));
    drop(site.uplink());
    a.ping();
    a.send(&publish(&up_topic(A), b"two", 4, 3));
    assert_eq!(a.receive(), Got::Closed);
    assert_eq!(site.rejections(Rejection::QosNotSupported), 1);
}

#[test]
fn a_full_inbox_holds_the_node_back_and_loses_nothing() {
    let mut site = start_with(quick(), 2);
    let mut a = site.node(A);
    for pkid in 1..=40u16 {
        a.send(&publish(&up_topic(A), &pkid.to_be_bytes(), 2, pkid));
    }
    wait_for("the inbox to fill", || {
        (site.uplinks.len() == 2).then_some(())
    });
    assert!(
        site.field.stats().node_publishes <= 3,
        "two in the inbox, one in the hand"
    );
    for pkid in 1..=40u16 {
        let uplink = site.uplink();
        assert_eq!(uplink.payload[..], pkid.to_be_bytes());
        uplink.ack.accept();
    }
    for pkid in 1..=40u16 {
        assert_eq!(a.receive(), Got::Packet(0x40, pkid.to_be_bytes().to_vec()));
    }
}

#[test]
fn at_most_sixteen_publishes_wait_for_their_acknowledgement() {
    let mut site = start_with(quick(), 100);
    let mut a = site.node(A);
    for pkid in 1..=30u16 {
        a.send(&publish(&up_topic(A), b"x", 2, pkid));
    }
    let mut held: Vec<_> = (0..16).map(|_| site.uplink()).collect();
    site.node(B).ping();
    assert_eq!(site.field.stats().node_publishes, 16);
    held.remove(0).ack.accept();
    site.uplink().ack.accept();
    assert_eq!(a.receive(), Got::Packet(0x40, vec![0, 1]));
}

#[test]
fn downlinks_reach_a_subscribed_node_and_the_newest_survive() {
    let limits = quick();
    let site = start(limits);
    assert_eq!(site.field.send(A, vec![1]), Err(NotConnected));
    let mut a = site.node(A);
    assert!(site.field.connected(A));
    assert_eq!(
        site.field.send(A, vec![1]),
        Err(NotConnected),
        "not subscribed yet"
    );
    a.subscribe(&down_topic(A), 2, 1);
    for n in 0..40u8 {
        site.field.send(A, vec![n]).expect("subscribed");
    }
    let mut last = None;
    while last != Some(39) {
        let Got::Packet(0x32, body) = a.receive() else {
            panic!("a QoS 1 publish was due")
        };
        let at = 2 + down_topic(A).len();
        last = body.last().copied();
        a.send(&[0x40, 2, body[at], body[at + 1]]);
    }
    let stats = site.field.stats();
    assert_eq!(stats.downlinks_sent + stats.downlinks_replaced, 40);
    a.ask(&unsubscribe(3, &down_topic(A)), 0xb0, &[0, 3]);
    assert_eq!(site.field.send(A, vec![1]), Err(NotConnected));
}

#[test]
fn removing_a_node_ends_its_connection_and_no_other() {
    let site = start(quick());
    let mut events = site.field.events();
    let (mut a, mut b) = (site.node(A), site.node(B));
    assert!(site.credentials.remove_node(A));
    assert_eq!(a.receive(), Got::Closed);
    b.ping();
    wait_for("the node to be gone", || {
        (!site.field.connected(A)).then_some(())
    });
    let seen: Vec<_> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    let expected = [
        FieldEvent::Connected(A),
        FieldEvent::Connected(B),
        FieldEvent::Disconnected(A),
    ];
    assert_eq!(seen, expected);
    site.login("00000011", "password-11", "00000011", 5);
    site.credentials
        .add_node(B, "another")
        .expect("a good login");
    assert_eq!(
        b.receive(),
        Got::Closed,
        "a new password ends the old connection"
    );
    assert_eq!(site.rejections(Rejection::CredentialsRevoked), 2);
    assert!(site.credentials.add_node(NodeId(0), "x").is_err());
    assert!(!site.credentials.remove_node(NodeId(0)));
}

#[test]
fn shutdown_writes_the_acknowledgements_that_are_under_way() {
    let mut site = start(quick());
    let (mut a, mut b) = (site.node(A), site.node(B));
    a.send(&publish(&up_topic(A), b"last", 2, 1));
    let uplink = site.uplink();
    let (field, mut events) = (&site.field, site.field.events());
    let started = std::time::Instant::now();
    run(async {
        let store = async {
            // B has nothing open, so its end shows that the stop has been noticed.
            while events.recv().await != Ok(FieldEvent::Disconnected(B)) {}
            uplink.ack.accept();
        };
        tokio::join!(field.shutdown(), store);
    });
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(a.receive(), Got::Packet(0x40, vec![0, 1]));
    assert_eq!(a.receive(), Got::Closed);
    assert_eq!(b.receive(), Got::Closed);
}

#[test]
fn silence_beyond_the_keep_alive_ends_the_connection() {
    let site = start(quick());
    let mut a = site.open();
    a.send(&connect("00000011", Some(("00000011", "password-11")), 1));
    assert_eq!(a.receive(), Got::Packet(0x20, vec![0, 0]));
    assert_eq!(a.receive(), Got::Closed);
    assert_eq!(site.rejections(Rejection::KeepAliveExpired), 1);
}
