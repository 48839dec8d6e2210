//! An external broker: when it is told that a frame is settled, and what it may do to the gateway.
//!
//! The broker of these tests says exactly what a test tells it to.

mod common;

use std::net::{SocketAddr, TcpListener};

use common::*;
use gateway_field::{
    ExternalBroker, Field, FieldConfig, Limits, NotConnected, Rejection, SELF_TEST_NODE,
    SelfTestError, Uplink, down_topic, up_topic,
};

const PUBACK: u8 = 0x40;
/// First byte of a publish at QoS 1, not retained.
const PUBLISH: u8 = 0x32;
const QOS_1: u8 = 2;
const RETAINED: u8 = 1;
/// Connect flags: login, and whether the session is clean.
const KEPT: u8 = 0xc0;
const CLEAN: u8 = 0xc2;

/// Long enough for an answer that must not come, on loopback.
const QUIET: std::time::Duration = std::time::Duration::from_millis(100);

struct Broker {
    listener: TcpListener,
    site: Harness,
}

/// A gateway with an inbox of 16 that connects to the test.
fn gateway() -> Broker {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let external = ExternalBroker {
        host: "127.0.0.1".into(),
        port,
        login: Some(("gw".into(), "secret".into())),
        client_id: "gateway-1".into(),
        devices: Vec::new(),
        will: None,
    };
    let config = FieldConfig {
        external: Some(external),
        limits: Limits::default(),
        ..FieldConfig::default()
    };
    Broker {
        listener,
        site: start_config(config, 16),
    }
}

impl Broker {
    /// The gateway's next connection, accepted.
    fn connection(&self, flags: u8) -> Client {
        let (stream, _) = self.listener.accept().expect("it connects");
        let mut gateway = Client { stream };
        let body = sent(&mut gateway, 0x10);
        assert_eq!(body[..7], *b"\0\x04MQTT\x04");
        assert_eq!(body[7], flags);
        let login = [text("gateway-1"), text("gw"), text("secret")].concat();
        assert_eq!(body[10..], login);
        gateway.send(&[0x20, 2, 0, 0]);
        gateway
    }

    /// One more, which has subscribed.
    fn subscribed(&self) -> Client {
        let mut gateway = self.connection(KEPT);
        let body = sent(&mut gateway, 0x82);
        assert_eq!(body[2..], [text("pg/1/+/up"), vec![1]].concat());
        gateway.send(&[0x90, 3, body[0], body[1], 1]);
        wait_for("the subscription", || {
            (self.site.field.stats().connections_open == 1).then_some(())
        });
        gateway
    }

    fn uplink(&mut self, payload: &[u8]) -> Uplink {
        let uplink = self.site.uplink();
        assert_eq!(uplink.payload, payload);
        uplink
    }
}

/// The body of the next packet, which begins with `first`.
#[track_caller]
fn sent(gateway: &mut Client, first: u8) -> Vec<u8> {
    match gateway.receive() {
        Got::Packet(byte, body) if byte == first => body,
        other => unreachable!("{other:?} for {first:#x}"),
    }
}

#[track_caller]
fn expect_puback(gateway: &mut Client, pkid: u8) {
    assert_eq!(gateway.receive(), Got::Packet(PUBACK, vec![0, pkid]));
}

fn from_a(payload: &[u8], pkid: u16) -> Vec<u8> {
    publish(&up_topic(A), payload, QOS_1, pkid)
}

/// Waits until the gateway has looked at so many frames.
fn delivered(broker: &Broker, count: u64) {
    wait_for("the deliveries", || {
        (broker.site.field.stats().node_publishes >= count).then_some(())
    });
}

#[test]
fn a_delivery_is_acknowledged_after_the_caller_accepts_it_and_in_order() {
    let mut broker = gateway();
    let mut gateway = broker.subscribed();
    gateway.send(&from_a(b"one", 1));
    gateway.send(&publish(&up_topic(B), b"two", QOS_1, 2));
    let one = broker.uplink(b"one");
    let two = broker.uplink(b"two");
    assert_eq!((one.node, two.node), (A, B));
    assert_eq!(broker.site.field.connected_nodes(), [A, B]);
    two.ack.accept();
    assert_eq!(gateway.receive_within(QUIET), None, "one is not stored");
    one.ack.accept();
    expect_puback(&mut gateway, 1);
    expect_puback(&mut gateway, 2);
}

#[test]
fn what_is_not_stored_is_delivered_again_on_a_new_connection() {
    let mut broker = gateway();
    let mut gateway = broker.subscribed();
    gateway.send(&from_a(b"frame", 1));
    drop(broker.uplink(b"frame").ack);
    assert_eq!(gateway.receive(), Got::Closed);
    let mut gateway = broker.subscribed();
    gateway.send(&from_a(b"frame", 1));
    broker.uplink(b"frame").ack.accept();
    expect_puback(&mut gateway, 1);
    assert_eq!(broker.site.rejections(Rejection::UplinkNotStored), 1);
}

#[test]
fn what_never_will_be_stored_is_settled_and_named() {
    let mut broker = gateway();
    let mut gateway = broker.subscribed();
    gateway.send(&from_a(b"forged", 1));
    broker.uplink(b"forged").ack.refuse();
    expect_puback(&mut gateway, 1);
    let large = vec![7; 2000];
    for (topic, payload, flags, why) in [
        ("pg/1/7/up", &b"x"[..], QOS_1, Rejection::MalformedTopic),
        ("pg/2/00000011/up", b"x", QOS_1, Rejection::MalformedTopic),
        ("pg/1/00000012/up", b"x", QOS_1, Rejection::UnknownNode),
        ("pg/1/00000011/up", &large, QOS_1, Rejection::PacketTooLarge),
        (
            "pg/1/00000011/up",
            b"x",
            QOS_1 | RETAINED,
            Rejection::RetainedUplink,
        ),
        (
            "pg/1/00000000/up",
            b"self-test",
            QOS_1,
            Rejection::PublishNotAllowed,
        ),
    ] {
        let before = broker.site.rejections(why);
        gateway.send(&publish(topic, payload, flags, 9));
        expect_puback(&mut gateway, 9);
        assert_eq!(broker.site.rejections(why), before + 1, "{topic}");
    }
    assert!(broker.site.uplinks.try_recv().is_err());
    assert_eq!(broker.site.field.connected_nodes(), [A]);
}

#[test]
fn a_node_that_floods_is_slowed_down_and_no_other() {
    let mut broker = gateway();
    let mut gateway = broker.subscribed();
    for pkid in 1..=200 {
        gateway.send(&from_a(b"flood", pkid));
    }
    gateway.send(&publish(&up_topic(B), b"calm", QOS_1, 201));
    let mut floods = 0;
    loop {
        let uplink = broker.site.uplink();
        uplink.ack.accept();
        match uplink.node {
            B => break,
            _ => floods += 1,
        }
    }
    assert!((50..100).contains(&floods), "{floods}");
    for pkid in 1..=201 {
        expect_puback(&mut gateway, pkid);
    }
    let refused = broker.site.rejections(Rejection::PublishRateLimited);
    assert_eq!(refused, 200 - floods);
}

#[test]
fn a_full_inbox_delays_and_loses_nothing() {
    let mut broker = gateway();
    let mut gateway = broker.subscribed();
    for pkid in 1..=40 {
        gateway.send(&from_a(&[u8::try_from(pkid).expect("small")], pkid));
    }
    delivered(&broker, 40);
    for number in 1..=40 {
        broker.uplink(&[number]).ack.accept();
        expect_puback(&mut gateway, number);
    }
}

#[test]
fn what_cannot_be_read_costs_the_session_and_is_not_delivered_for_ever() {
    for (poison, why) in [
        (
            publish(&up_topic(A), &vec![0; 70_000], QOS_1, 1),
            Rejection::PacketTooLarge,
        ),
        (vec![0x36, 4, 0, 0, 0, 1], Rejection::MalformedPacket),
    ] {
        let mut broker = gateway();
        let mut gateway = broker.subscribed();
        gateway.send(&poison);
        assert_eq!(gateway.receive(), Got::Closed);
        assert_eq!(broker.connection(CLEAN).receive(), Got::Closed);
        let mut gateway = broker.subscribed();
        assert_eq!(broker.site.rejections(why), 1);
        gateway.send(&from_a(b"frame", 1));
        broker.uplink(b"frame").ack.accept();
        expect_puback(&mut gateway, 1);
    }
}

#[test]
fn commands_go_to_the_nodes_topic_and_not_across_connections() {
    let broker = gateway();
    assert_eq!(broker.site.field.send(A, vec![1]), Err(NotConnected));
    let mut gateway = broker.subscribed();
    let told = |gateway: &mut Client, payload: &[u8]| {
        let body = sent(gateway, PUBLISH);
        let topic = text(&down_topic(A));
        assert_eq!(body[..topic.len()], topic);
        assert_eq!(body[topic.len() + 2..], *payload);
    };
    broker
        .site
        .field
        .send(A, b"first".to_vec())
        .expect("connected");
    told(&mut gateway, b"first");
    // Without PUBACK; the next connection begins with nothing of it.
    drop(gateway);
    wait_for("the end of the connection", || {
        (broker.site.field.stats().connections_open == 0).then_some(())
    });
    assert_eq!(broker.site.field.send(A, vec![2]), Err(NotConnected));
    let mut gateway = broker.subscribed();
    broker
        .site
        .field
        .send(A, b"second".to_vec())
        .expect("connected");
    told(&mut gateway, b"second");
    assert_eq!(broker.site.field.stats().broker_connections, 2);
}

#[test]
fn a_broker_that_refuses_is_asked_again() {
    let broker = gateway();
    let (stream, _) = broker.listener.accept().expect("it connects");
    let mut gateway = Client { stream };
    gateway.receive();
    gateway.send(&[0x20, 2, 0, 5]);
    assert_eq!(gateway.receive(), Got::Closed);
    // It is let in, but not to the topic.
    let mut gateway = broker.connection(KEPT);
    let body = sent(&mut gateway, 0x82);
    gateway.send(&[0x90, 3, body[0], body[1], 0x80]);
    assert_eq!(gateway.receive(), Got::Closed);
    assert_eq!(broker.site.rejections(Rejection::SubscribeNotAllowed), 1);
    broker.subscribed();
}

/// What the broker does with the self-test's frame.
enum Returns {
    Another,
    It,
}

#[test]
fn the_self_test_goes_through_the_broker_and_the_callers_inbox() {
    for (returns, accepts, expected) in [
        (Returns::It, true, Ok(())),
        (
            Returns::It,
            false,
            Err("the connection was lost during the test"),
        ),
        (Returns::Another, true, Err("return a test frame")),
    ] {
        let mut broker = gateway();
        let mut gateway = broker.subscribed();
        let result = std::thread::scope(|scope| {
            let test = scope.spawn(|| run(broker.site.field.self_test()));
            let body = sent(&mut gateway, PUBLISH);
            let topic = up_topic(SELF_TEST_NODE);
            let frame = &body[topic.len() + 4..];
            gateway.send(&[PUBACK, 2, body[topic.len() + 2], body[topic.len() + 3]]);
            match returns {
                Returns::Another => gateway.send(&publish(&topic, b"self-test 0", QOS_1, 5)),
                Returns::It => {
                    gateway.send(&publish(&topic, frame, QOS_1, 5));
                    let uplink = wait_for("the test", || broker.site.uplinks.try_recv().ok());
                    assert_eq!((uplink.node, &uplink.payload[..]), (SELF_TEST_NODE, frame));
                    if accepts {
                        uplink.ack.accept();
                    }
                }
            }
            test.join().expect("the test ends")
        });
        match (result, expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_stop_waits_for_the_last_acknowledgements_and_says_goodbye() {
    let mut broker = gateway();
    let mut gateway = broker.subscribed();
    gateway.send(&from_a(b"last", 1));
    let last = broker.uplink(b"last");
    std::thread::scope(|scope| {
        let stop = scope.spawn(|| run(broker.site.field.shutdown()));
        assert_eq!(gateway.receive_within(QUIET), None, "it waits");
        last.ack.accept();
        expect_puback(&mut gateway, 1);
        assert_eq!(gateway.receive(), Got::Packet(0xe0, vec![]));
        stop.join().expect("it stops");
    });
    assert_eq!(
        run(broker.site.field.self_test()),
        Err(SelfTestError::ShuttingDown)
    );
}

#[test]
fn a_broker_that_cannot_be_one_is_refused() {
    let start = |host: &str, port, client_id: &str| {
        let external = Some(ExternalBroker {
            host: host.into(),
            port,
            login: None,
            client_id: client_id.into(),
            devices: Vec::new(),
            will: None,
        });
        let config = FieldConfig {
            external,
            ..FieldConfig::default()
        };
        let inbox = tokio::sync::mpsc::channel(1).0;
        Field::start(config, std::sync::Arc::default(), inbox).map(|_| ())
    };
    for (host, port, client_id) in [
        ("", 1883, "gw"),
        ("h", 0, "gw"),
        ("h", 1, ""),
        ("h", 1, " g"),
    ] {
        let error = start(host, port, client_id)
            .expect_err("unusable")
            .to_string();
        assert!(error.starts_with("use the external broker: "), "{error}");
    }
    // Nobody listens there: no reason not to start.
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address: SocketAddr = nobody.local_addr().expect("bound");
    drop(nobody);
    start("127.0.0.1", address.port(), "gw").expect("it is tried until it comes");
}
